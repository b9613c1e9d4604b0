"""Builds the allow-list from what pinned libraries really write into pickles.

    python scripts/build_allowlist.py record OUT.json      in an environment with the libraries
    python scripts/build_allowlist.py merge OUT.json ...   writes src/lockflight/_data/allowlist/*.json

`record` makes the objects that people save (every scikit-learn estimator fitted, with its options; arrays, frames,
sparse matrices, random states, containers), pickles each by every protocol and by joblib, and lets Lockflight's own
machine tell which globals occur and how they are used. Nothing is unpickled. `merge` joins recordings of several
versions. A class that is only built becomes `class`, a name that is only referred to becomes `value`; whatever a
stream calls must stand in the reviewed table below, with its argument rule, or `merge` fails and names it.
"""

from __future__ import annotations

import argparse
import importlib
import io
import json
import pickle
import sys
import warnings
import zipfile
from collections import defaultdict
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "src"))

from lockflight.core.source import BytesSource  # noqa: E402 - the path comes first
from lockflight.formats.pickle.allow import SCHEMA, AllowList  # noqa: E402
from lockflight.formats.pickle.streams import analyse  # noqa: E402

DATA = ROOT / "src" / "lockflight" / "_data" / "allowlist"

#: Which file a top-level module belongs to; modules that are in none are never listed.
LIBRARIES = {
    "numpy": "numpy", "scipy": "scipy", "sklearn": "scikit-learn", "joblib": "joblib", "pandas": "pandas",
    "torch": "torch", "skops": "skops", "quantile_forest": "quantile-forest",
}  # fmt: skip
STDLIB = frozenset(
    [
        "builtins",
        "__builtin__",
        "copyreg",
        "copy_reg",
        "collections",
        "datetime",
        "decimal",
        "fractions",
        "functools",
        "itertools",
        "operator",
        "pathlib",
        "re",
        "types",
        "uuid",
        "_codecs",
        "array",
        "enum",
        "ipaddress",
        "string",
        "numbers",
        "zoneinfo",
        "_operator",
    ]
)

#: Callables whose code was read: they neither run, import nor open anything, whatever they are given within the
#: argument rule that stands beside them.
REVIEWED: dict[str, str] = {
    "_codecs.encode": "latin1",
    "array._array_reconstructor": "class-first",
    "array.array": "",
    "builtins.Exception": "",
    "builtins.KeyError": "",
    "builtins.ValueError": "",
    "builtins.bytearray": "plain-bytes",
    "builtins.bytes": "plain-bytes",
    "builtins.complex": "",
    "builtins.frozenset": "",
    "builtins.range": "",
    "builtins.set": "",
    "builtins.slice": "",
    "builtins.type": "one-none",
    "collections.Counter": "",
    "collections.OrderedDict": "",
    "collections.defaultdict": "",
    "collections.deque": "",
    "copyreg._reconstructor": "reconstructor",
    "datetime.date": "",
    "datetime.datetime": "",
    "datetime.time": "",
    "datetime.timedelta": "",
    "datetime.timezone": "",
    "decimal.Decimal": "",
    "fractions.Fraction": "",
    "functools.partial": "",
    "itertools.count": "",
    "operator.itemgetter": "",
    "pathlib.PosixPath": "",
    "pathlib.PurePosixPath": "",
    "pathlib.PureWindowsPath": "",
    "re._compile": "",
    "types.SimpleNamespace": "",
    "zoneinfo.ZoneInfo._unpickle": "",
    "numpy.dtype": "",
    "numpy._core.multiarray._reconstruct": "class-first",
    "numpy._core.multiarray.scalar": "",
    "numpy._core.numeric._frombuffer": "",
    "numpy.core.multiarray._reconstruct": "class-first",
    "numpy.core.multiarray.scalar": "",
    "numpy.core.numeric._frombuffer": "",
    "numpy.core._ufunc_reconstruct": "listed-name",
    "numpy._core._ufunc_reconstruct": "listed-name",
    "numpy.ma.core._mareconstruct": "class-first",
    "numpy.random._pickle.__bit_generator_ctor": "",
    "numpy.random._pickle.__generator_ctor": "",
    "numpy.random._pickle.__randomstate_ctor": "",
    "numpy.random.bit_generator.__pyx_unpickle_SeedSequence": "class-first",
    "pandas.Interval": "",
    "pandas.Period": "",
    "pandas.PeriodDtype": "",
    "pandas.StringDtype": "",
    "pandas._libs.arrays.__pyx_unpickle_NDArrayBacked": "class-first",
    "pandas._libs.internals._unpickle_block": "",
    "pandas._libs.sparse.IntIndex": "",
    "pandas._libs.tslibs.nattype._nat_unpickle": "",
    "pandas._libs.tslibs.offsets.Day": "",
    "pandas._libs.tslibs.offsets.MonthEnd": "",
    "pandas._libs.tslibs.offsets.YearEnd": "",
    "pandas._libs.tslibs.timedeltas._timedelta_unpickle": "",
    "pandas._libs.tslibs.timestamps._unpickle_timestamp": "",
    "pandas._libs.interval.Interval": "",
    "pandas._libs.tslibs.nattype.__nat_unpickle": "",
    "pandas._libs.tslibs.period.Period": "",
    "pandas.core.arrays.string_.StringDtype": "",
    "pandas.core.dtypes.dtypes.PeriodDtype": "",
    "pandas.core.indexes.base._new_Index": "class-first",
    "pandas.core.indexes.datetimes._new_DatetimeIndex": "class-first",
    "pandas.core.indexes.interval._new_IntervalIndex": "class-first",
    "pandas.core.indexes.period._new_PeriodIndex": "class-first",
    "pandas.core.indexes.timedeltas._new_TimedeltaIndex": "class-first",
    "pandas.core.internals.managers.BlockManager": "",
    "pandas.core.internals.managers.SingleBlockManager": "",
    "sklearn.tree._tree.Tree": "",
    "sklearn.metrics._dist_metrics.newObj": "class-first",
    "sklearn.neighbors._ball_tree.newObj": "class-first",
    "sklearn.neighbors._kd_tree.newObj": "class-first",
}
#: The same for modules of Cython classes whose `__reduce__` and `__setstate__` were generated or only take numbers.
REVIEWED_CLASSES = {
    "sklearn._loss._loss": "Cy",
    "sklearn.linear_model._sgd_fast": "",
    "sklearn.ensemble._gb_losses": "",
}

#: Names that occur in honest pickles and are still never listed.
REFUSED = {
    "builtins.getattr": "reaches any attribute of anything",
    "operator.attrgetter": "as getattr",
    "operator.methodcaller": "calls any method of anything",
    "numpy.memmap": "opens files",
    "numpy.matrixlib.defmatrix.bmat": "evaluates names of its caller's frame",
}

#: Modules that are never listed. The `__setstate__` of every scipy.stats distribution runs `exec` on a text of its
#: state (scipy/stats/_distn_infrastructure.py, `_attach_argparser_methods`), so a pickled distribution is a program.
REFUSED_MODULES = frozenset(
    {"scipy.stats._continuous_distns", "scipy.stats._discrete_distns", "scipy.stats._distn_infrastructure"}
)

#: Classes whose `__setstate__` was read: given any state they only set attributes and copy arrays.
REVIEWED_STATES = frozenset(
    [
        "builtins.BaseException",
        "functools.partial",
        "uuid.UUID",
        "numpy.dtype",
        "numpy.generic",
        "numpy.ma.MaskedArray",
        "numpy.ma.core.MaskedArray",
        "numpy.ndarray",
        "numpy.polynomial._polybase.ABCPolyBase",
        "numpy.random.bit_generator.SeedSequence",
        "pandas.Categorical",
        "pandas.core.arrays.categorical.Categorical",
        "pandas.CategoricalDtype",
        "pandas.DatetimeTZDtype",
        "pandas.StringDtype",
        "pandas.core.dtypes.dtypes.PandasExtensionDtype",
        "pandas.core.dtypes.dtypes.CategoricalDtype",
        "pandas.core.dtypes.dtypes.DatetimeTZDtype",
        "pandas.core.arrays.string_.StringDtype",
        "pandas.core.arrays.sparse.array.SparseArray",
        "pandas._libs.arrays.NDArrayBacked",
        "pandas._libs.internals.BlockManager",
        "pandas._libs.interval.IntervalMixin",
        "pandas._libs.sparse.SparseIndex",
        "pandas._libs.tslibs.dtypes.PeriodDtypeBase",
        "pandas._libs.tslibs.offsets.BaseOffset",
        "pandas._libs.tslibs.offsets.MonthOffset",
        "pandas._libs.tslibs.offsets.YearOffset",
        "pandas._libs.tslibs.offsets.Tick",
        "pandas._libs.tslibs.period._Period",
        "pandas.arrays.SparseArray",
        "pandas.core.generic.NDFrame",
        "pandas.core.internals.managers.SingleBlockManager",
        "scipy.sparse._coo.coo_matrix",
        "scipy.spatial._ckdtree.cKDTree",
        "sklearn._loss._loss.CyHalfMultinomialLoss",
        "sklearn.base.BaseEstimator",
        "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
        "sklearn.isotonic.IsotonicRegression",
        "sklearn.tree._tree.Tree",
        "sklearn.utils._bunch.Bunch",
        "sklearn.metrics._dist_metrics.DistanceMetric64",
        "sklearn.metrics._dist_metrics.DistanceMetric",
        "sklearn.metrics._dist_metrics.MahalanobisDistance64",
        "sklearn.metrics._dist_metrics.MahalanobisDistance",
        "sklearn.neighbors._ball_tree.BinaryTree64",
        "sklearn.neighbors._kd_tree.BinaryTree64",
        "sklearn.neighbors._ball_tree.BinaryTree",
        "sklearn.neighbors._kd_tree.BinaryTree",
    ]
)

#: torch's own list of what `weights_only` loads (torch.serialization.get_safe_globals), less what calls its arguments.
TORCH_CALLABLES = {
    "torch._utils": "_rebuild_tensor _rebuild_tensor_v2 _rebuild_parameter _rebuild_parameter_with_state "
    "_rebuild_qtensor _rebuild_sparse_tensor _rebuild_meta_tensor_no_storage _rebuild_nested_tensor",
    "torch": "Size device",
    "torch.serialization": "_get_layout",
}
TORCH_CLASSES = {"torch.nn.parameter": "Parameter Buffer UninitializedParameter", "torch": "Tensor"}
TORCH_VALUES = {
    "torch": "BFloat16Storage BoolStorage ByteStorage CharStorage ComplexDoubleStorage ComplexFloatStorage "
    "DoubleStorage FloatStorage HalfStorage IntStorage LongStorage QInt32Storage QInt8Storage QUInt2x4Storage "
    "QUInt4x2Storage QUInt8Storage ShortStorage bfloat16 bool chalf complex128 complex32 complex64 double float "
    "float16 float32 float64 float8_e4m3fn float8_e4m3fnuz float8_e5m2 float8_e5m2fnuz half int int16 int32 int64 int8 "
    "long qint32 qint8 quint2x4 quint4x2 quint8 short uint16 uint32 uint64 uint8 strided sparse_coo sparse_csr "
    "per_tensor_affine per_channel_affine per_tensor_symmetric per_channel_symmetric channels_last "
    "contiguous_format preserve_format",
    "torch.storage": "TypedStorage UntypedStorage",
}

#: What old versions wrote that cannot be installed any more (joblib before 0.10, matrices of Python 2).
OLDER = {
    "joblib.numpy_pickle": {"NDArrayWrapper": "class", "NumpyArrayWrapper": "class"},
    "sklearn.externals.joblib.numpy_pickle": {"NDArrayWrapper": "class", "NumpyArrayWrapper": "class"},
    "numpy.matrixlib.defmatrix": {"matrix": "class"},
    "numpy.core.records": {"recarray": "class", "record": "class"},
}


class Recorder:
    """Collects how globals are used."""

    def __init__(self) -> None:
        self.uses: dict[tuple[str, str], set[str]] = defaultdict(set)
        self.firsts: dict[str, set[str]] = defaultdict(set)
        self.objects = 0
        self.failed: list[str] = []

    def add(self, thing: object, what: str = "") -> None:
        """Pickle an object in every way and record what its streams do."""
        for protocol in range(6):
            try:
                self.stream(pickle.dumps(thing, protocol), what)
            except Exception as error:  # noqa: BLE001 - some objects refuse old protocols
                self.failed.append(f"{what or type(thing).__name__} protocol {protocol}: {error!r}"[:160])
        try:
            import joblib

            out = io.BytesIO()
            joblib.dump(thing, out)
        except Exception as error:  # noqa: BLE001 - as above
            self.failed.append(f"{what or type(thing).__name__} joblib: {error!r}"[:160])
        else:
            self.stream(out.getvalue(), what)
        self.schema(thing)
        self.objects += 1

    def schema(self, thing: object) -> None:
        """Record what skops names, where it is installed and can write the object."""
        try:
            import skops.io

            archive = zipfile.ZipFile(io.BytesIO(skops.io.dumps(thing)))
        except Exception:  # noqa: BLE001 - not installed, or not for this object
            return
        stack: list[Any] = [json.loads(archive.read("schema.json"))]
        while stack:
            node = stack.pop()
            if isinstance(node, dict):
                if "__loader__" in node and node["__loader__"] != "CachedNode":
                    self.uses[node["__module__"], node["__class__"]].add("value")
                stack.extend(node.values())
            elif isinstance(node, list):
                stack.extend(node)

    def stream(self, data: bytes, what: str) -> None:
        """Record one stream."""
        report = analyse(BytesSource(data), MOVED)
        if not report.complete:
            raise RuntimeError(
                f"{what}: {[i.message for i in report.issues if not i.rule.endswith('global')]}"
            )
        names = {f"{use.module}.{use.name}": use.resolved for use in report.globals}
        for resolved in names.values():
            self.uses[resolved].add("value")
        for call in report.calls:
            use = "build" if call.opcode.startswith("NEWOBJ") else "call"
            if call.callee in names:
                self.uses[names[call.callee]].add(use)
            if call.first in names and call.callee in names and _builds(names[call.callee]):
                self.uses[names[call.first]].add("build")
            if call.first in names:
                self.firsts[call.callee].add(".".join(names[call.first]))


def _builds(callee: tuple[str, str]) -> bool:
    label = ".".join(callee)
    return REVIEWED.get(label) in {"class-first", "reconstructor"} or "__pyx_unpickle_" in label


def moved() -> list[list[str]]:
    """CPython's own table of names that moved between Python 2 and 3."""
    import _compat_pickle as compat

    rows = [[*old, *new] for old, new in compat.NAME_MAPPING.items()]
    rows += [[old, "", new, ""] for old, new in compat.IMPORT_MAPPING.items()]
    return sorted(rows)


def _moved_list() -> AllowList:
    rows = moved()
    return AllowList(
        {},
        {(a, b): (c, d) for a, b, c, d in rows if b},
        {a: c for a, b, c, _ in rows if not b},
    )


MOVED = _moved_list()


# -- objects ------------------------------------------------------------------------------------------------------


def standard(recorder: Recorder) -> None:
    """Containers and values of the standard library."""
    import array
    import collections
    import datetime
    import decimal
    import fractions
    import functools
    import itertools
    import operator
    import pathlib
    import re
    import types
    import uuid
    import zoneinfo

    class Local(dict):
        pass

    ordered = collections.OrderedDict(a=1)
    things: list[object] = [
        [1, 2.5, True, None, "text", b"bytes", 10**40, -1, 1 + 2j], {"a": {1, 2}, "b": frozenset({3})},
        bytearray(b"abc"), slice(1, 2), range(5), ordered, collections.defaultdict(list, a=[1]),
        collections.defaultdict(int), collections.defaultdict(dict), collections.defaultdict(set),
        collections.defaultdict(float), collections.Counter("abc"), collections.deque([1, 2], 5),
        collections.ChainMap({"a": 1}), types.SimpleNamespace(a=1), datetime.datetime(2024, 1, 2, 3, 4, 5),
        datetime.datetime(2024, 1, 2, tzinfo=datetime.UTC), datetime.date(2024, 1, 2), datetime.time(1, 2),
        datetime.timedelta(1), datetime.timezone(datetime.timedelta(hours=1)), decimal.Decimal("1.5"),
        fractions.Fraction(1, 3), uuid.UUID(int=5), re.compile("a+"), pathlib.PurePosixPath("a/b"),
        pathlib.PosixPath("a"), pathlib.PureWindowsPath("a"), array.array("d", [1.0]), functools.partial(sorted, key=len),
        operator.itemgetter(1), itertools.count(2), zoneinfo.ZoneInfo("Europe/Paris"), Ellipsis, NotImplemented,
        [int, float, str, bool, dict, list, tuple, set, frozenset, bytes, complex, object, bytearray, type(None)],
        [len, min, max, sum, abs, round, sorted, any, all, str.lower], Exception("x"), ValueError("x"), KeyError("x"),
    ]  # fmt: skip
    for thing in things:
        recorder.add(thing)


def numpy_things(recorder: Recorder) -> None:
    """Arrays of every kind, scalars, dtypes, ufuncs, random states."""
    import numpy as np

    recorder.add([np.arange(3), np.eye(2, order="F"), np.array(1.5), np.array(["a", "bc"]), np.array([b"a"])])
    recorder.add(np.array([{"a": 1}, None], dtype=object))
    recorder.add(np.ma.array([1, 2], mask=[0, 1]))
    recorder.add(np.zeros(2, dtype=[("a", "f4"), ("b", "O")]))
    recorder.add(np.rec.array([(1, 2.0)], dtype=[("a", "i4"), ("b", "f8")]))
    recorder.add(np.array(["2024-01-01"], dtype="M8[D]"))
    recorder.add(np.arange(4).view(np.recarray) if False else np.float64(1.5))
    recorder.add(np.array([[1, 2]]).view(np.matrix))
    for name in [
        "bool_",
        "int8",
        "int16",
        "int32",
        "int64",
        "uint8",
        "uint16",
        "uint32",
        "uint64",
        "float16",
        "float32",
        "float64",
        "complex64",
        "complex128",
        "str_",
        "bytes_",
        "datetime64",
        "timedelta64",
        "longdouble",
    ]:
        kind = getattr(np, name)
        recorder.add(kind)
        recorder.add(np.dtype(kind))
        recorder.add(kind() if name not in {"datetime64", "timedelta64"} else kind(1, "D"))
        recorder.add(np.zeros(2, kind))
    recorder.add([np.object_, np.number, np.integer, np.floating, np.ndarray, np.generic, np.inexact, np.nan])
    for name in dir(np):
        if isinstance(getattr(np, name), np.ufunc):
            recorder.add(getattr(np, name))
    for name in [
        "mean",
        "median",
        "std",
        "var",
        "sum",
        "min",
        "max",
        "argmax",
        "argmin",
        "clip",
        "nanmean",
        "nanmedian",
        "nan_to_num",
        "ravel",
        "log1p",
    ]:
        recorder.add(getattr(np, name))
    for name in ["MT19937", "PCG64", "PCG64DXSM", "Philox", "SFC64"]:
        bits = getattr(np.random, name)(1)
        recorder.add([bits, np.random.Generator(bits)])
    recorder.add(np.random.RandomState(1))
    recorder.add(np.random.default_rng(1))
    recorder.add(np.random.SeedSequence(1))
    recorder.add(np.random.mtrand._rand)
    recorder.add(np.polynomial.Polynomial([1, 2]))
    recorder.add(np.poly1d([1, 2]))


def scipy_things(recorder: Recorder) -> None:
    """Sparse matrices, distributions, interpolators, special functions."""
    import numpy as np
    import scipy.interpolate
    import scipy.sparse
    import scipy.spatial
    import scipy.special
    import scipy.stats

    for form in ["csr", "csc", "coo", "bsr", "dia", "dok", "lil"]:
        recorder.add(getattr(scipy.sparse, f"{form}_matrix")(np.eye(3)))
        recorder.add(getattr(scipy.sparse, f"{form}_array")(np.eye(3)))
    for name in ["norm", "uniform", "expon", "loguniform", "randint", "poisson", "beta", "gamma"]:
        kind = getattr(scipy.stats, name)
        arguments = {
            "loguniform": (1, 2),
            "randint": (1, 5),
            "poisson": (2,),
            "beta": (1, 2),
            "gamma": (2,),
        }.get(name, ())
        recorder.add(kind(*arguments))
    recorder.add(scipy.stats.gaussian_kde([1.0, 2, 4, 3]))
    recorder.add(scipy.interpolate.interp1d([1, 2, 3], [1, 2, 3]))
    recorder.add(scipy.interpolate.BSpline([0, 1, 2, 3, 4, 5], [1, 2, 3, 4], 1))
    recorder.add(scipy.interpolate.CubicSpline([1, 2, 3], [1, 2, 3]))
    recorder.add(scipy.interpolate.PchipInterpolator([1, 2, 3], [1, 2, 3]))
    recorder.add(scipy.interpolate.RegularGridInterpolator(([1, 2], [1, 2]), np.eye(2)))
    recorder.add(scipy.spatial.cKDTree(np.eye(3)))
    recorder.add(scipy.spatial.KDTree(np.eye(3)))
    for name in ["expit", "logit", "erf", "gammaln", "log1p", "boxcox", "inv_boxcox", "xlogy"]:
        recorder.add(getattr(scipy.special, name))


def pandas_things(recorder: Recorder) -> None:
    """Frames, series and indexes of every kind."""
    import numpy as np
    import pandas as pd

    frame = pd.DataFrame(
        {"a": [1, 2], "b": ["x", "y"], "c": [1.5, None], "d": pd.to_datetime(["2024-01-01", "2024-01-02"])}
    )
    recorder.add(frame)
    recorder.add(frame.set_index("a"))
    recorder.add(frame["b"].astype("category"))
    recorder.add(pd.Series([1, None], dtype="Int64"))
    recorder.add(pd.Series([True, None], dtype="boolean"))
    recorder.add(pd.Series([1.5, None], dtype="Float64"))
    recorder.add(pd.Series(["a", None], dtype="string"))
    recorder.add(pd.Series(pd.arrays.SparseArray([0, 1])))
    for index in (
        pd.RangeIndex(3), pd.Index([1, 2]), pd.Index(["a"]), pd.MultiIndex.from_tuples([(1, "a")]), pd.CategoricalIndex(["a"]),
        pd.date_range("2024", periods=2, freq="D"), pd.date_range("2024", periods=2, tz="UTC"), pd.timedelta_range("1D", periods=2),
        pd.period_range("2024", periods=2, freq="M"), pd.interval_range(0, 2), pd.DatetimeIndex(["2024-01-01"], tz="Europe/Paris"),
    ):  # fmt: skip
        recorder.add(index)
        recorder.add(pd.Series(np.arange(len(index)), index=index))
    recorder.add(
        [pd.Timestamp("2024"), pd.Timedelta("1D"), pd.Period("2024"), pd.NaT, pd.NA, pd.Interval(0, 1)]
    )
    recorder.add(
        [
            pd.CategoricalDtype(["a"]),
            pd.DatetimeTZDtype(tz="UTC"),
            pd.Int64Dtype(),
            pd.StringDtype(),
            pd.PeriodDtype("D"),
        ]
    )


def sklearn_things(recorder: Recorder) -> None:
    """Every estimator, unfitted and fitted, with the options that bring objects of their own."""
    import numpy as np
    import scipy.sparse
    from sklearn.utils import all_estimators

    random = np.random.RandomState(0)
    x = np.abs(random.normal(size=(40, 4))) + 0.1
    labels = np.arange(40) % 3
    targets: list[Any] = [
        None,
        labels,
        labels % 2,
        [["a"], ["a", "b"]] * 20,
        labels.astype(float) + 0.5,
        np.eye(3)[labels].astype(int),
        np.array(["a", "b", "c"])[labels],
        x[:, :2],
    ]
    texts = ["some words here", "other words there", "more text"] * 5
    inputs: list[Any] = [x, scipy.sparse.csr_matrix(x), texts, labels, [{"a": 1.0, "b": "x"}] * 10]
    for name, kind in all_estimators():
        for estimator in _instances(name, kind):
            recorder.add(estimator, name)
            fitted = False
            for data in inputs:
                for target in targets:
                    try:
                        estimator.fit(data) if target is None else estimator.fit(data, target[: len(data)])
                    except Exception:  # noqa: BLE001, S112 - not made for this kind of data
                        continue
                    recorder.add(estimator, name)
                    fitted = True
                if fitted:
                    break
            for target in () if fitted else targets[1:]:
                try:
                    estimator.fit(target)
                except Exception:  # noqa: BLE001, S112 - as above
                    continue
                recorder.add(estimator, name)
                fitted = True
            if not fitted:
                recorder.failed.append(f"{name}: fitted on nothing")
    _sklearn_options(recorder, x, labels)


def _instances(name: str, kind: Any) -> list[Any]:
    try:
        from sklearn.utils._test_common.instance_generator import _construct_instances

        return list(_construct_instances(kind))
    except Exception:  # noqa: BLE001 - older versions, or a class that cannot be made there
        pass
    try:
        from sklearn.utils.estimator_checks import _construct_instance

        return [_construct_instance(kind)]
    except Exception:  # noqa: BLE001, S110 - as above
        pass
    try:
        return [kind()]
    except Exception:  # noqa: BLE001 - meta-estimators without an inner one
        return []


def _sklearn_options(recorder: Recorder, x: Any, labels: Any) -> None:
    import numpy as np
    from sklearn import (
        ensemble,
        gaussian_process,
        linear_model,
        metrics,
        model_selection,
        neighbors,
        pipeline,
        preprocessing,
        svm,
        tree,
    )
    from sklearn.compose import ColumnTransformer
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.gaussian_process import kernels

    numbers = labels.astype(float) + 0.5

    def fit(estimator: Any, target: Any) -> None:
        try:
            estimator.fit(x, target)
        except Exception as error:  # noqa: BLE001 - an option that this version does not have
            recorder.failed.append(f"{estimator!r}: {error!r}"[:160])
            return
        recorder.add(estimator)

    for criterion in ("gini", "entropy", "log_loss"):
        fit(tree.DecisionTreeClassifier(criterion=criterion), labels)
        fit(ensemble.RandomForestClassifier(3, criterion=criterion), labels)
    for criterion in ("squared_error", "friedman_mse", "absolute_error", "poisson"):
        fit(tree.DecisionTreeRegressor(criterion=criterion), numbers)
        fit(ensemble.ExtraTreesRegressor(3, criterion=criterion), numbers)
    for loss in ("log_loss", "exponential"):
        fit(ensemble.GradientBoostingClassifier(loss=loss, n_estimators=2), labels)
        fit(ensemble.GradientBoostingClassifier(loss=loss, n_estimators=2), labels > 0)
    for loss in ("squared_error", "absolute_error", "huber", "quantile"):
        fit(ensemble.GradientBoostingRegressor(loss=loss, n_estimators=2), numbers)
    for loss in ("squared_error", "absolute_error", "gamma", "poisson"):
        fit(ensemble.HistGradientBoostingRegressor(loss=loss, max_iter=2), numbers)
    fit(ensemble.HistGradientBoostingRegressor(loss="quantile", quantile=0.5, max_iter=2), numbers)
    fit(ensemble.HistGradientBoostingClassifier(max_iter=2), labels)
    fit(ensemble.HistGradientBoostingClassifier(max_iter=2), labels > 0)
    for loss in (
        "hinge",
        "log_loss",
        "modified_huber",
        "squared_hinge",
        "perceptron",
        "squared_error",
        "huber",
        "epsilon_insensitive",
        "squared_epsilon_insensitive",
    ):
        fit(linear_model.SGDClassifier(loss=loss), labels)
    for loss in ("squared_error", "huber", "epsilon_insensitive", "squared_epsilon_insensitive"):
        fit(linear_model.SGDRegressor(loss=loss), numbers)
    for kernel in ("linear", "poly", "rbf", "sigmoid"):
        fit(svm.SVC(kernel=kernel, probability=False), labels)
        fit(svm.SVR(kernel=kernel), numbers)
    for kind in (linear_model.PoissonRegressor, linear_model.GammaRegressor, linear_model.TweedieRegressor):
        fit(kind(), numbers)
    fit(linear_model.TweedieRegressor(power=1.5, link="log"), numbers)
    for algorithm in ("kd_tree", "ball_tree", "brute"):
        for metric in (
            "euclidean",
            "manhattan",
            "chebyshev",
            "minkowski",
            "l1",
            "cityblock",
            "hamming",
            "canberra",
            "braycurtis",
            "haversine",
        ):
            fit(neighbors.KNeighborsClassifier(algorithm=algorithm, metric=metric), labels)
    fit(
        neighbors.KNeighborsClassifier(
            algorithm="ball_tree", metric="seuclidean", metric_params={"V": x.var(0)}
        ),
        labels,
    )
    fit(
        neighbors.KNeighborsClassifier(
            algorithm="ball_tree", metric="mahalanobis", metric_params={"VI": np.eye(4)}
        ),
        labels,
    )
    for kernel in (
        kernels.RBF(), kernels.Matern(), kernels.RationalQuadratic(), kernels.ExpSineSquared(), kernels.DotProduct(),
        kernels.WhiteKernel() + kernels.ConstantKernel() * kernels.RBF(), kernels.Exponentiation(kernels.RBF(), 2),
        kernels.PairwiseKernel(), kernels.CompoundKernel([kernels.RBF(), kernels.RBF()]),
    ):  # fmt: skip
        recorder.add(kernel)
        fit(gaussian_process.GaussianProcessRegressor(kernel), numbers)
    for splitter in (
        model_selection.KFold(2), model_selection.StratifiedKFold(2), model_selection.GroupKFold(2), model_selection.TimeSeriesSplit(2),
        model_selection.ShuffleSplit(2), model_selection.StratifiedShuffleSplit(2), model_selection.LeaveOneOut(),
        model_selection.RepeatedKFold(), model_selection.RepeatedStratifiedKFold(), model_selection.GroupShuffleSplit(2),
        model_selection.LeaveOneGroupOut(), model_selection.PredefinedSplit([0, 1]), model_selection.LeavePOut(2),
    ):  # fmt: skip
        recorder.add(splitter)
    for scorer in (
        "accuracy",
        "roc_auc",
        "neg_log_loss",
        "r2",
        "neg_mean_squared_error",
        "f1_macro",
        "average_precision",
        "balanced_accuracy",
        "precision",
        "recall",
    ):
        recorder.add(metrics.get_scorer(scorer))
    for name in metrics.get_scorer_names():
        recorder.add(metrics.get_scorer(name))
    for name in dir(preprocessing) + dir(metrics):
        module = preprocessing if hasattr(preprocessing, name) else metrics
        thing = getattr(module, name)
        if (
            not name.startswith("_")
            and callable(thing)
            and not isinstance(thing, type)
            and getattr(thing, "__module__", "").startswith("sklearn")
        ):
            recorder.add(thing)
    for random_state in (np.random.RandomState(0), np.random.mtrand._rand):
        fit(ensemble.RandomForestClassifier(2, random_state=random_state), labels)
    fit(
        model_selection.GridSearchCV(
            tree.DecisionTreeClassifier(), {"max_depth": [1, 2]}, cv=2, scoring="accuracy"
        ),
        labels,
    )
    import scipy.stats

    fit(
        model_selection.RandomizedSearchCV(
            linear_model.LogisticRegression(), {"C": scipy.stats.loguniform(0.1, 1)}, n_iter=2, cv=2
        ),
        labels,
    )
    fit(
        pipeline.make_pipeline(
            preprocessing.FunctionTransformer(np.log1p),
            preprocessing.StandardScaler(),
            linear_model.LogisticRegression(),
        ),
        labels,
    )
    columns = ColumnTransformer(
        [("a", preprocessing.OneHotEncoder(handle_unknown="ignore"), [0]), ("b", "passthrough", slice(1, 3))],
        remainder="drop",
    )
    fit(columns, labels)
    recorder.add(TfidfVectorizer(ngram_range=(1, 2)).fit(["some words", "other words"]))
    recorder.add(TfidfVectorizer(stop_words="english").fit(["some words", "other words"]))
    from sklearn import datasets

    recorder.add(datasets.load_iris())
    try:
        import pandas as pd

        frame = pd.DataFrame({"a": [1.0, 2, 3, 4], "b": ["x", "y", "x", "y"]})
        columns = ColumnTransformer(
            [("n", preprocessing.StandardScaler(), ["a"]), ("c", preprocessing.OneHotEncoder(), ["b"])]
        )
        recorder.add(
            pipeline.make_pipeline(columns, linear_model.LogisticRegression()).fit(frame, [0, 1, 0, 1])
        )
        recorder.add(
            pipeline.make_pipeline(columns, ensemble.RandomForestClassifier(2))
            .set_output(transform="default")
            .fit(frame, [0, 1, 0, 1])
        )
    except ImportError:
        recorder.failed.append("pandas is not here")


def state_owners(recorder: Recorder) -> dict[str, str]:
    """By class that a stream builds or calls: the class that its `__setstate__` comes from."""
    owners: dict[str, str] = {}
    for (module, name), found in recorder.uses.items():
        if found == {"value"}:
            continue
        try:
            thing: Any = importlib.import_module(module)
            for part in name.split("."):
                thing = getattr(thing, part)
        except (ImportError, AttributeError):
            continue
        for base in getattr(thing, "__mro__", ()):
            if base is not object and "__setstate__" in vars(base):
                owners[f"{module}.{name}"] = f"{base.__module__}.{base.__qualname__}"
                break
    return owners


def record(out: Path) -> int:
    """Pickle everything and write down what occurs."""
    warnings.simplefilter("ignore")
    recorder = Recorder()
    versions = {}
    for module, make in (
        ("", standard),
        ("numpy", numpy_things),
        ("scipy", scipy_things),
        ("pandas", pandas_things),
        ("sklearn", sklearn_things),
    ):
        if module:
            try:
                versions[LIBRARIES[module]] = __import__(module).__version__
            except ImportError:
                print(f"{module} is not installed here")
                continue
        make(recorder)
    import joblib

    versions["joblib"] = joblib.__version__
    body = {
        "python": ".".join(map(str, sys.version_info[:2])),
        "versions": versions,
        "objects": recorder.objects,
        "uses": {f"{m} {n}": sorted(u) for (m, n), u in sorted(recorder.uses.items())},
        "firsts": {k: sorted(v) for k, v in sorted(recorder.firsts.items())},
        "states": state_owners(recorder),
        "failed": recorder.failed,
    }
    out.write_text(json.dumps(body, indent=1))
    print(f"{recorder.objects} objects, {len(recorder.uses)} globals, {len(recorder.failed)} failures")
    return 0


# -- joining ------------------------------------------------------------------------------------------------------


def merge(files: list[Path]) -> int:
    """Join recordings into one document per library; refuse what nobody reviewed."""
    uses: dict[str, set[str]] = defaultdict(set)
    versions: dict[str, set[str]] = defaultdict(set)
    owners: dict[str, str] = {}
    for file in files:
        body = json.loads(file.read_text())
        versions["python"].add(body["python"])
        for library, version in body["versions"].items():
            versions[library].add(version)
        for name, found in body["uses"].items():
            uses[name].update(found)
        owners |= body["states"]
    documents: dict[str, dict[str, dict[str, object]]] = defaultdict(lambda: defaultdict(dict))
    missing: list[str] = []
    for both, found in sorted(uses.items()):
        module, name = both.split(" ", 1)
        library = "python" if module in STDLIB else LIBRARIES.get(module.split(".")[0], "")
        label = f"{module}.{name}"
        if not library or label in REFUSED or module in REFUSED_MODULES or name.startswith("Local"):
            continue
        owner = owners.get(label, "sklearn.base.BaseEstimator")
        if owner not in REVIEWED_STATES and owner.rsplit(".", 1)[0] not in REVIEWED_CLASSES:
            missing.append(f"{label}, for the __setstate__ of {owners[label]}")
            continue
        kind = _kind(module, name, found)
        if kind is None:
            missing.append(label)
        else:
            documents[library][module][name] = kind
    if missing:
        print("not reviewed:", *missing, sep="\n  ")
        return 1
    _torch(documents["torch"])
    for module, names in OLDER.items():
        for name, kind in names.items():
            documents[LIBRARIES[module.split(".")[0]]][module].setdefault(name, kind)
    for library, names in sorted(documents.items()):
        document: dict[str, object] = {
            "schema": SCHEMA,
            "library": library,
            "versions": sorted(versions.get(library, {"2.0"})),
            "names": {module: dict(sorted(found.items())) for module, found in sorted(names.items())},
        }
        if library == "python":
            document["moved"] = moved()
        text = json.dumps(document, indent=1, ensure_ascii=True) + "\n"
        (DATA / f"{library}.json").write_text(text)
        print(f"{library}: {sum(map(len, names.values()))} names")
    return 0


def _kind(module: str, name: str, found: set[str]) -> object:
    label = f"{module}.{name}"
    if "call" in found:
        prefix = REVIEWED_CLASSES.get(module)
        if label in REVIEWED:
            rule = REVIEWED[label]
            return {"kind": "callable", "arguments": rule} if rule else "callable"
        if prefix is not None and name.startswith("__pyx_unpickle_"):
            return {"kind": "callable", "arguments": "class-first"}
        return "callable" if prefix is not None and name.startswith(prefix) else None
    # A class that is only the argument of a reconstructor is recorded as a value: only classes can be built.
    return "class" if "build" in found else "value"


def _torch(names: dict[str, dict[str, object]]) -> None:
    for table, kind in ((TORCH_CALLABLES, "callable"), (TORCH_CLASSES, "class"), (TORCH_VALUES, "value")):
        for module, listed in table.items():
            for name in listed.split():
                names[module][name] = kind


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("verb", choices=["record", "merge"])
    parser.add_argument("files", nargs="+", type=Path)
    chosen = parser.parse_args()
    sys.exit(record(chosen.files[0]) if chosen.verb == "record" else merge(chosen.files))
