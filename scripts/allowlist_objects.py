"""The objects that people save: made here, so that what their pickles name is recorded and not guessed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from typing import Protocol

    class Recorder(Protocol):
        """What takes the objects."""

        failed: list[str]

        def add(self, thing: object, what: str = "") -> None:
            """Record one object."""


#: Objects of libraries that ship no types.
Thing: TypeAlias = Any


def standard(recorder: Recorder) -> None:
    """Containers and values of the standard library."""
    import array
    import collections
    import datetime as dt
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
        [1, 2.5, True, None, "text", b"bytes", 10**40, -1, 1 + 2j],
        {"a": {1, 2}, "b": frozenset({3})},
        bytearray(b"abc"),
        slice(1, 2),
        range(5),
        ordered,
        collections.defaultdict(list, a=[1]),
        collections.defaultdict(int),
        collections.defaultdict(dict),
        collections.defaultdict(set),
        collections.defaultdict(float),
        collections.Counter("abc"),
        collections.deque([1, 2], 5),
        collections.ChainMap({"a": 1}),
        types.SimpleNamespace(a=1),
        dt.datetime(2024, 1, 2, 3, 4, 5),  # noqa: DTZ001 - people save naive times too
        dt.datetime(2024, 1, 2, tzinfo=dt.UTC),
        dt.date(2024, 1, 2),
        dt.time(1, 2),
        dt.timedelta(1),
        dt.timezone(dt.timedelta(hours=1)),
        decimal.Decimal("1.5"),
        fractions.Fraction(1, 3),
        uuid.UUID(int=5),
        re.compile("a+"),
        pathlib.PurePosixPath("a/b"),
        pathlib.PosixPath("a"),
        pathlib.PureWindowsPath("a"),
        array.array("d", [1.0]),
        functools.partial(sorted, key=len),
        operator.itemgetter(1),
        itertools.count(2),
        zoneinfo.ZoneInfo("Europe/Paris"),
        Ellipsis,
        NotImplemented,
        [
            int,
            float,
            str,
            bool,
            dict,
            list,
            tuple,
            set,
            frozenset,
            bytes,
            complex,
            object,
            bytearray,
            type(None),
        ],
        [len, min, max, sum, abs, round, sorted, any, all, str.lower],
        Exception("x"),
        ValueError("x"),
        KeyError("x"),
    ]
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
    recorder.add(np.float64(1.5))
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
    recorder.add(np.random.mtrand._rand)  # noqa: SLF001 - what random_state=None becomes
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
        pd.RangeIndex(3),
        pd.Index([1, 2]),
        pd.Index(["a"]),
        pd.MultiIndex.from_tuples([(1, "a")]),
        pd.CategoricalIndex(["a"]),
        pd.date_range("2024", periods=2, freq="D"),
        pd.date_range("2024", periods=2, tz="UTC"),
        pd.timedelta_range("1D", periods=2),
        pd.period_range("2024", periods=2, freq="M"),
        pd.interval_range(0, 2),
        pd.DatetimeIndex(["2024-01-01"], tz="Europe/Paris"),
    ):
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
    from sklearn.experimental import (  # noqa: F401 - their estimators are found only after that
        enable_halving_search_cv,
        enable_iterative_imputer,
    )
    from sklearn.utils import all_estimators

    random = np.random.RandomState(0)
    x = np.abs(random.normal(size=(40, 4))) + 0.1
    labels = np.arange(40) % 3
    targets: list[Thing] = [
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
    inputs: list[Thing] = [x, scipy.sparse.csr_matrix(x), texts, labels, [{"a": 1.0, "b": "x"}] * 10]
    for name, kind in all_estimators():
        for estimator in _instances(kind):
            recorder.add(estimator, name)
            fitted = False
            for data in inputs:
                for target in targets:
                    try:
                        estimator.fit(data) if target is None else estimator.fit(data, target[: len(data)])
                    except Exception:  # noqa: BLE001 - not made for this kind of data
                        continue
                    recorder.add(estimator, name)
                    fitted = True
                if fitted:
                    break
            for target in () if fitted else targets[1:]:
                try:
                    estimator.fit(target)
                except Exception:  # noqa: BLE001 - as above
                    continue
                recorder.add(estimator, name)
                fitted = True
            if not fitted:
                recorder.failed.append(f"{name}: fitted on nothing")
    options = _Options(recorder, x, labels)
    for group in (
        options.trees,
        options.linear,
        options.neighbours,
        options.kernels,
        options.selection,
        options.pipelines,
    ):
        group()


def xgboost_things(recorder: Recorder) -> None:
    """What XGBoost learns, alone and in a pipeline."""
    import xgboost

    for name in ("XGBClassifier", "XGBRegressor", "XGBRanker", "XGBRFClassifier", "XGBRFRegressor"):
        for estimator in _boosted(recorder, getattr(xgboost, name)):
            recorder.add(estimator.get_booster(), name)


def lightgbm_things(recorder: Recorder) -> None:
    """What LightGBM learns, alone and in a pipeline."""
    import lightgbm

    for name in ("LGBMClassifier", "LGBMRegressor", "LGBMRanker"):
        for estimator in _boosted(recorder, getattr(lightgbm, name)):
            recorder.add(estimator.booster_, name)


def _boosted(recorder: Recorder, kind: Thing) -> list[Thing]:
    import numpy as np
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    x = np.random.RandomState(0).normal(size=(60, 4))
    labels = np.arange(60) % 3
    name = kind.__name__
    recorder.add(kind(n_estimators=2), name)
    fitted = []
    for target in (labels, labels % 2, labels + 0.5):
        pipeline = make_pipeline(StandardScaler(), kind(n_estimators=2))
        groups = {f"{name.lower()}__group": [20, 20, 20]} if "Ranker" in name else {}
        try:
            pipeline.fit(x, target, **groups)
        except Exception:  # noqa: BLE001 - not made for such a target
            continue
        recorder.add(pipeline, name)
        recorder.add(pipeline[-1], name)
        fitted.append(pipeline[-1])
    return fitted


def _instances(kind: Thing) -> list[Thing]:
    try:
        from sklearn.utils._test_common.instance_generator import _construct_instances

        return list(_construct_instances(kind))
    except Exception:  # noqa: BLE001 - older versions, or a class that cannot be made there
        pass
    try:
        from sklearn.utils.estimator_checks import _construct_instance

        return [_construct_instance(kind)]
    except Exception:  # noqa: BLE001 - as above
        pass
    try:
        return [kind()]
    except Exception:  # noqa: BLE001 - meta-estimators without an inner one
        return []


class _Options:
    """Estimators with the options that bring objects of their own: losses, kernels, metrics, splitters."""

    def __init__(self, recorder: Recorder, x: Thing, labels: Thing) -> None:
        self.recorder = recorder
        self.x = x
        self.labels = labels
        self.numbers = labels.astype(float) + 0.5

    def fit(self, kind: Thing, target: Thing, *arguments: Thing, **options: Thing) -> None:
        """Make, fit and record an estimator."""
        try:
            estimator = kind(*arguments, **options).fit(self.x, target)
        except Exception as error:  # noqa: BLE001 - an option that this version does not have
            self.recorder.failed.append(f"{kind.__name__}({options}): {error!r}"[:160])
            return
        self.recorder.add(estimator)

    def trees(self) -> None:
        """Criteria and losses of trees, forests and boosting."""
        from sklearn import ensemble, tree

        for criterion in ("gini", "entropy", "log_loss"):
            self.fit(tree.DecisionTreeClassifier, self.labels, criterion=criterion)
            self.fit(ensemble.RandomForestClassifier, self.labels, 3, criterion=criterion)
        for criterion in ("squared_error", "friedman_mse", "absolute_error", "poisson"):
            self.fit(tree.DecisionTreeRegressor, self.numbers, criterion=criterion)
            self.fit(ensemble.ExtraTreesRegressor, self.numbers, 3, criterion=criterion)
        for target in (self.labels, self.labels > 0):
            for loss in ("log_loss", "exponential"):
                self.fit(ensemble.GradientBoostingClassifier, target, loss=loss, n_estimators=2)
            self.fit(ensemble.HistGradientBoostingClassifier, target, max_iter=2)
        for loss in ("squared_error", "absolute_error", "huber", "quantile"):
            self.fit(ensemble.GradientBoostingRegressor, self.numbers, loss=loss, n_estimators=2)
        for loss in ("squared_error", "absolute_error", "gamma", "poisson", "quantile"):
            more = {"quantile": 0.5} if loss == "quantile" else {}
            self.fit(ensemble.HistGradientBoostingRegressor, self.numbers, loss=loss, max_iter=2, **more)

    def linear(self) -> None:
        """Losses of linear models, links of generalised ones, kernels of vector machines."""
        from sklearn import linear_model, svm

        losses = ("squared_error", "huber", "epsilon_insensitive", "squared_epsilon_insensitive")
        for loss in ("hinge", "log_loss", "modified_huber", "squared_hinge", "perceptron", *losses):
            self.fit(linear_model.SGDClassifier, self.labels, loss=loss)
        for loss in losses:
            self.fit(linear_model.SGDRegressor, self.numbers, loss=loss)
        for kernel in ("linear", "poly", "rbf", "sigmoid"):
            self.fit(svm.SVC, self.labels, kernel=kernel)
            self.fit(svm.SVR, self.numbers, kernel=kernel)
        for kind in (
            linear_model.PoissonRegressor,
            linear_model.GammaRegressor,
            linear_model.TweedieRegressor,
        ):
            self.fit(kind, self.numbers)
        self.fit(linear_model.TweedieRegressor, self.numbers, power=1.5, link="log")

    def neighbours(self) -> None:
        """Trees of neighbours with every metric."""
        from sklearn.neighbors import VALID_METRICS, KNeighborsClassifier

        special = {
            "seuclidean": {"V": self.x.var(0)},
            "mahalanobis": {"VI": [[float(i == j) for j in range(4)] for i in range(4)]},
            "minkowski": {"p": 3},
            "wminkowski": {"p": 3, "w": [1.0] * 4},
        }
        for algorithm in ("kd_tree", "ball_tree", "brute"):
            for metric in sorted(VALID_METRICS[algorithm]):
                more = {"metric_params": special[metric]} if metric in special else {}
                self.fit(KNeighborsClassifier, self.labels, algorithm=algorithm, metric=metric, **more)

    def kernels(self) -> None:
        """Kernels of Gaussian processes."""
        from sklearn.gaussian_process import GaussianProcessRegressor, kernels

        for kernel in (
            kernels.RBF(),
            kernels.Matern(),
            kernels.RationalQuadratic(),
            kernels.ExpSineSquared(),
            kernels.DotProduct(),
            kernels.WhiteKernel() + kernels.ConstantKernel() * kernels.RBF(),
            kernels.Exponentiation(kernels.RBF(), 2),
            kernels.PairwiseKernel(),
            kernels.CompoundKernel([kernels.RBF(), kernels.RBF()]),
        ):
            self.recorder.add(kernel)
            self.fit(GaussianProcessRegressor, self.numbers, kernel)

    def selection(self) -> None:
        """Splitters, scorers, searches; functions of metrics and preprocessing."""
        from sklearn import linear_model, metrics, model_selection, preprocessing, tree

        for name in (
            "KFold",
            "StratifiedKFold",
            "GroupKFold",
            "TimeSeriesSplit",
            "ShuffleSplit",
            "LeavePOut",
        ):
            self.recorder.add(getattr(model_selection, name)(2))
        for name in ("StratifiedShuffleSplit", "GroupShuffleSplit", "LeaveOneOut", "RepeatedKFold"):
            self.recorder.add(getattr(model_selection, name)())
        for name in ("RepeatedStratifiedKFold", "LeaveOneGroupOut"):
            self.recorder.add(getattr(model_selection, name)())
        self.recorder.add(model_selection.PredefinedSplit([0, 1]))
        for name in metrics.get_scorer_names():
            self.recorder.add(metrics.get_scorer(name))
        for module in (preprocessing, metrics):
            for name, thing in vars(module).items():
                ours = getattr(thing, "__module__", "").startswith("sklearn") and not isinstance(thing, type)
                if ours and callable(thing) and not name.startswith("_"):
                    self.recorder.add(thing)
        grid = {"max_depth": [1, 2]}
        self.fit(
            model_selection.GridSearchCV, self.labels, tree.DecisionTreeClassifier(), grid, scoring="accuracy"
        )
        draws = {"C": [0.1, 1.0]}
        self.fit(
            model_selection.RandomizedSearchCV,
            self.labels,
            linear_model.LogisticRegression(),
            draws,
            n_iter=2,
        )

    def pipelines(self) -> None:
        """Pipelines over arrays, texts and frames; random states; a data set."""
        import numpy as np
        from sklearn import datasets, ensemble, linear_model, pipeline, preprocessing
        from sklearn.compose import ColumnTransformer
        from sklearn.feature_extraction.text import TfidfVectorizer

        for state in (np.random.RandomState(0), np.random.mtrand._rand):  # noqa: SLF001 - what random_state=None becomes
            self.fit(ensemble.RandomForestClassifier, self.labels, 2, random_state=state)
        steps = [preprocessing.FunctionTransformer(np.log1p), preprocessing.StandardScaler()]
        self.recorder.add(
            pipeline.make_pipeline(*steps, linear_model.LogisticRegression()).fit(self.x, self.labels)
        )
        encoder = preprocessing.OneHotEncoder(handle_unknown="ignore")
        self.fit(ColumnTransformer, self.labels, [("a", encoder, [0]), ("b", "passthrough", slice(1, 3))])
        for options in ({"ngram_range": (1, 2)}, {"stop_words": "english"}):
            self.recorder.add(TfidfVectorizer(**options).fit(["some words", "other words"]))
        self.recorder.add(datasets.load_iris())
        try:
            import pandas as pd
        except ImportError:
            self.recorder.failed.append("pandas is not here")
            return
        frame = pd.DataFrame({"a": [1.0, 2, 3, 4], "b": ["x", "y", "x", "y"]})
        columns = [("n", preprocessing.StandardScaler(), ["a"]), ("c", preprocessing.OneHotEncoder(), ["b"])]
        for last in (linear_model.LogisticRegression(), ensemble.RandomForestClassifier(2)):
            self.recorder.add(
                pipeline.make_pipeline(ColumnTransformer(columns), last).fit(frame, [0, 1, 0, 1])
            )
