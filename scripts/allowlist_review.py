"""What of the recorded names may be listed, and how: the part of the allow-list that people decided.

A class whose `__setstate__` is its own, and everything that a stream calls, stands here or is not listed. To add one,
read its code first: given anything, it must neither run, import nor open something.
"""

from __future__ import annotations

#: Which file a top-level module belongs to; modules that are in none are never listed.
LIBRARIES = {
    "numpy": "numpy", "scipy": "scipy", "sklearn": "scikit-learn", "joblib": "joblib", "pandas": "pandas",
    "torch": "torch", "skops": "skops", "quantile_forest": "quantile-forest",
    "xgboost": "xgboost", "lightgbm": "lightgbm", "pytz": "pytz",
}  # fmt: skip
STDLIB = frozenset(
    {
        "_codecs", "_operator", "argparse", "array", "builtins", "collections", "copyreg", "datetime", "decimal",
        "enum", "fractions", "functools", "ipaddress", "itertools", "numbers", "operator", "pathlib", "re", "string",
        "types", "uuid", "zoneinfo",
    }
)  # fmt: skip

#: Callables whose code was read: they neither run, import nor open anything, whatever they are given within the
#: argument rule that stands beside them.
REVIEWED: dict[str, str] = {
    "_codecs.encode": "latin1",
    "array._array_reconstructor": "class-first",
    "array.array": "data",
    "builtins.Exception": "data",
    "builtins.KeyError": "data",
    "builtins.ValueError": "data",
    "builtins.bytearray": "plain-bytes",
    "builtins.bytes": "plain-bytes",
    "builtins.complex": "plain",
    "builtins.frozenset": "plain",
    "builtins.getattr": "attribute",
    "builtins.range": "plain",
    "builtins.set": "plain",
    "builtins.slice": "data",
    "builtins.type": "one-none",
    "collections.Counter": "plain",
    "collections.OrderedDict": "plain",
    "collections.defaultdict": "factory",
    "collections.deque": "plain",
    "copyreg._reconstructor": "reconstructor",
    "datetime.date": "plain",
    "datetime.datetime": "data",
    "datetime.time": "data",
    "datetime.timedelta": "plain",
    "datetime.timezone": "data",
    "decimal.Decimal": "numbers",
    "fractions.Fraction": "numbers",
    "functools.partial": "function-first",
    "itertools.count": "plain",
    "operator.itemgetter": "plain",
    "pathlib.PosixPath": "plain",
    "pathlib.PurePosixPath": "plain",
    "pathlib.PureWindowsPath": "plain",
    "re._compile": "plain",
    "types.SimpleNamespace": "nothing",
    "zoneinfo.ZoneInfo._unpickle": "plain",
    "numpy.dtype": "dtype",
    "numpy._core.multiarray._reconstruct": "class-first",
    "numpy._core.multiarray.scalar": "scalar",
    "numpy._core.numeric._frombuffer": "from-buffer",
    "numpy.core.multiarray._reconstruct": "class-first",
    "numpy.core.multiarray.scalar": "scalar",
    "numpy.core.numeric._frombuffer": "from-buffer",
    "numpy.core._ufunc_reconstruct": "listed-name",
    "numpy._core._ufunc_reconstruct": "listed-name",
    "numpy.ma.core._mareconstruct": "class-first",
    "numpy.random._pickle.__bit_generator_ctor": "random-state",
    "numpy.random._pickle.__generator_ctor": "random-state",
    "numpy.random._pickle.__randomstate_ctor": "random-state",
    "numpy.random.bit_generator.__pyx_unpickle_SeedSequence": "class-first",
    "pandas.Interval": "data",
    "pandas.Period": "data",
    "pandas.PeriodDtype": "data",
    "pandas.StringDtype": "data",
    "pandas._libs.arrays.__pyx_unpickle_NDArrayBacked": "class-first",
    "pandas._libs.internals._unpickle_block": "data",
    "pandas._libs.sparse.IntIndex": "data",
    "pandas._libs.tslibs.nattype._nat_unpickle": "data",
    "pandas._libs.tslibs.offsets.BQuarterBegin": "data",
    "pandas._libs.tslibs.offsets.BQuarterEnd": "data",
    "pandas._libs.tslibs.offsets.BYearBegin": "data",
    "pandas._libs.tslibs.offsets.BYearEnd": "data",
    "pandas._libs.tslibs.offsets.BusinessDay": "data",
    "pandas._libs.tslibs.offsets.BusinessHour": "data",
    "pandas._libs.tslibs.offsets.BusinessMonthBegin": "data",
    "pandas._libs.tslibs.offsets.BusinessMonthEnd": "data",
    "pandas._libs.tslibs.offsets.Day": "data",
    "pandas._libs.tslibs.offsets.Hour": "data",
    "pandas._libs.tslibs.offsets.Micro": "data",
    "pandas._libs.tslibs.offsets.Milli": "data",
    "pandas._libs.tslibs.offsets.Minute": "data",
    "pandas._libs.tslibs.offsets.MonthBegin": "data",
    "pandas._libs.tslibs.offsets.MonthEnd": "data",
    "pandas._libs.tslibs.offsets.Nano": "data",
    "pandas._libs.tslibs.offsets.QuarterBegin": "data",
    "pandas._libs.tslibs.offsets.QuarterEnd": "data",
    "pandas._libs.tslibs.offsets.Second": "data",
    "pandas._libs.tslibs.offsets.SemiMonthBegin": "data",
    "pandas._libs.tslibs.offsets.SemiMonthEnd": "data",
    "pandas._libs.tslibs.offsets.Week": "data",
    "pandas._libs.tslibs.offsets.YearBegin": "data",
    "pandas._libs.tslibs.offsets.YearEnd": "data",
    "pandas._libs.tslibs.timedeltas._timedelta_unpickle": "data",
    "pandas._libs.tslibs.timestamps._unpickle_timestamp": "data",
    "pandas._libs.interval.Interval": "data",
    "pandas._libs.interval.__pyx_unpickle_IntervalMixin": "class-first",
    "pandas._libs.tslibs.nattype.__nat_unpickle": "data",
    "pandas._libs.tslibs.period.Period": "data",
    "pandas.core.arrays.string_.StringDtype": "data",
    "pandas.core.dtypes.dtypes.PeriodDtype": "data",
    "pandas.core.indexes.base._new_Index": "class-first",
    "pandas.core.indexes.datetimes._new_DatetimeIndex": "class-first",
    "pandas.core.indexes.interval._new_IntervalIndex": "class-first",
    "pandas.core.indexes.period._new_PeriodIndex": "class-first",
    "pandas.core.indexes.timedeltas._new_TimedeltaIndex": "class-first",
    "pandas.core.internals.managers.BlockManager": "data",
    "pandas.core.internals.managers.SingleBlockManager": "data",
    # They look a zone up among the names that pytz knows, and open no other file.
    "pytz.FixedOffset": "plain",
    "pytz._UTC": "nothing",
    "pytz._p": "plain",
    "sklearn.tree._tree.Tree": "tree",
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
    "operator.attrgetter": "as getattr",
    "operator.methodcaller": "calls any method of anything",
    "numpy.memmap": "opens files",
    "numpy.matrixlib.defmatrix.bmat": "evaluates names of its caller's frame",
    "scipy.stats._distn_infrastructure.rv_sample": "keeps more than the rule for distributions follows",
    "pandas._libs.tslibs.offsets.CustomBusinessDay": "calls a method of the calendar that it is given",
}

#: Classes whose `__setstate__` does harm with some states: the rule of `allow.STATES` for theirs. That of every
#: distribution of SciPy runs a text of its state (scipy/stats/_distn_infrastructure.py, `_attach_argparser_methods`).
STATE_RULES = {
    "scipy.stats._distn_infrastructure.rv_generic": "distribution",
    "scipy.spatial._ckdtree.cKDTree": "native",
    # Cython without bounds: a shorter tuple is read beyond its end.
    **dict.fromkeys(
        (
            "sklearn.metrics._dist_metrics.DistanceMetric64", "sklearn.metrics._dist_metrics.DistanceMetric",
            "sklearn.metrics._dist_metrics.MahalanobisDistance64", "sklearn.metrics._dist_metrics.MahalanobisDistance",
        ),
        "tuple-3",
    ),
    **dict.fromkeys(
        (
            "sklearn.neighbors._ball_tree.BinaryTree64", "sklearn.neighbors._kd_tree.BinaryTree64",
            "sklearn.neighbors._ball_tree.BinaryTree", "sklearn.neighbors._kd_tree.BinaryTree",
        ),
        "tuple-13",
    ),
}  # fmt: skip
#: The same for what makes objects of them.
MAKER_STATES = {
    "sklearn.metrics._dist_metrics.newObj": "tuple-3",
    "sklearn.neighbors._ball_tree.newObj": "tuple-13",
    "sklearn.neighbors._kd_tree.newObj": "tuple-13",
}

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
        "pandas.IntervalDtype",
        "pandas.StringDtype",
        "pandas.core.dtypes.dtypes.PandasExtensionDtype",
        "pandas.core.dtypes.dtypes.CategoricalDtype",
        "pandas.core.dtypes.dtypes.DatetimeTZDtype",
        "pandas.core.dtypes.dtypes.IntervalDtype",
        "pandas.core.arrays.string_.StringDtype",
        "pandas.core.arrays.sparse.array.SparseArray",
        "pandas._libs.arrays.NDArrayBacked",
        "pandas._libs.internals.BlockManager",
        "pandas._libs.interval.IntervalMixin",
        "pandas._libs.sparse.SparseIndex",
        "pandas._libs.tslibs.dtypes.PeriodDtypeBase",
        "pandas._libs.tslibs.offsets.BaseOffset",
        "pandas._libs.tslibs.offsets.BusinessDay",
        "pandas._libs.tslibs.offsets.BusinessHour",
        "pandas._libs.tslibs.offsets.BusinessMixin",
        "pandas._libs.tslibs.offsets.MonthOffset",
        "pandas._libs.tslibs.offsets.QuarterOffset",
        "pandas._libs.tslibs.offsets.SemiMonthOffset",
        "pandas._libs.tslibs.offsets.Week",
        "pandas._libs.tslibs.offsets.YearOffset",
        "pandas._libs.tslibs.offsets.Tick",
        "pandas._libs.tslibs.period._Period",
        "pandas.arrays.SparseArray",
        "pandas.core.generic.NDFrame",
        "pandas.core.internals.managers.SingleBlockManager",
        "scipy.sparse._coo.coo_matrix",
        "sklearn._loss._loss.CyHalfMultinomialLoss",
        "sklearn.base.BaseEstimator",
        "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
        "sklearn.isotonic.IsotonicRegression",
        "sklearn.tree._tree.Tree",
        "sklearn.utils._bunch.Bunch",
        # Both hand a text or buffer of their own model format to their native reader; nothing else is called.
        "lightgbm.basic.Booster",
        "xgboost.core.Booster",
    ]
)

_BUILTINS = """
    bool dict float int list object str tuple complex bytes bytearray set frozenset range slice Ellipsis
    NotImplemented NoneType ellipsis NotImplementedType
"""
_NUMPY = """
    bool bool_ bytes_ complex64 complex128 datetime64 timedelta64 float16 float32 float64 float128
    floating generic inexact int8 int16 int32 int64 integer longdouble number object_ record str_ uint8
    uint16 uint32 uint64
"""
_ATTRIBUTES = """
    affinity analyzer connectivity feature_name_combiner feature_names_out fun func importance_getter
    inverse_func is_data_valid is_model_valid kernel loss max_features metric oob_score optimizer
    pooling_func preprocessor refit score_func scoring strategy strip_accents tokenizer
    verbose_feature_names_out weights _asarray _base_loss base_loss _curve_scorer _kmeans_single _loss
    loss_ _score_func cv dist dtype_include dtype_exclude k1 k2 kernel_ owner scorer_ vecentropy
    subclass pyfunc _call _spline metric_ effective_metric_ _effective_metric kernels objective
    _objective _fobj eval_metric _metric activation out_activation_ splitter _estimator_type criterion
    link preprocess default_factory
    """
#: Types of elements and constants: whoever calls one gets a plain value, so that it may lie anywhere. All of torch's
#: values are such.
INERT = frozenset(
    [
        *map(
            "builtins.{}".format,
            _BUILTINS.split(),
        ),
        *map(
            "numpy.{}".format,
            _NUMPY.split(),
        ),
        "pandas.NA",
        "pandas.Timedelta",
        "pandas.Timestamp",
        "pandas._libs.missing.NA",
        "pandas._libs.missing.NAType",
        "pandas._libs.tslibs.nattype.NaTType",
        "pandas._libs.tslibs.timedeltas.Timedelta",
        "pandas._libs.tslibs.timestamps.Timestamp",
        "pandas.api.typing.NAType",
        "pandas.api.typing.NaTType",
        "pytz.UTC",
        "datetime.date",
        "datetime.datetime",
        "datetime.time",
        "datetime.timedelta",
        "collections.OrderedDict",
    ]
)
#: Classes whose objects can be called, beside the distributions.
ANSWERS = frozenset(
    {
        "functools.partial", "operator.itemgetter", "numpy.poly1d", "numpy.vectorize",
        "numpy.polynomial.polynomial.Polynomial", "numpy.core._ufunc_reconstruct", "numpy._core._ufunc_reconstruct",
        "sklearn.compose._column_transformer.make_column_selector",
    }
)  # fmt: skip
#: The same for all classes of a module.
ANSWERING = frozenset(
    {
        "scipy.interpolate._bsplines", "scipy.interpolate._cubic", "scipy.interpolate._interpolate",
        "scipy.interpolate._rgi", "scipy.stats._kde", "sklearn._loss.loss", "sklearn.ensemble._gb_losses",
        "sklearn.gaussian_process.kernels", "sklearn.metrics._scorer",
    }
)  # fmt: skip
#: Attributes under which real objects hold something that can be called: parameters that scikit-learn documents so, and
#: what was recorded. No code that runs at load may call an attribute of such a name; the live oracle looks for that.
ATTRIBUTES = frozenset(_ATTRIBUTES.split())

#: torch's own list of what `weights_only` loads (torch.serialization.get_safe_globals), less what calls its arguments.
TORCH_CALLABLES = {
    "torch._utils": "_rebuild_tensor _rebuild_tensor_v2 _rebuild_parameter _rebuild_parameter_with_state "
    "_rebuild_qtensor _rebuild_sparse_tensor _rebuild_meta_tensor_no_storage _rebuild_nested_tensor "
    "_rebuild_tensor_v3",
    "torch": "Size device",
    "torch.serialization": "_get_layout",
    # Makes an empty tensor of a type.
    "torch.nn.parameter": "UninitializedParameter UninitializedBuffer",
}
TORCH_CLASSES = {"torch.nn.parameter": "Parameter Buffer", "torch": "Tensor"}
TORCH_VALUES = {
    "torch": "BFloat16Storage BoolStorage ByteStorage CharStorage ComplexDoubleStorage ComplexFloatStorage "
    "DoubleStorage FloatStorage HalfStorage IntStorage LongStorage QInt32Storage QInt8Storage QUInt2x4Storage "
    "QUInt4x2Storage QUInt8Storage ShortStorage bfloat16 bool chalf complex128 complex32 complex64 double float "
    "float16 float32 float64 float8_e4m3fn float8_e4m3fnuz float8_e5m2 float8_e5m2fnuz half int int16 int32 int64 int8 "
    "long qint32 qint8 quint2x4 quint4x2 quint8 short uint16 uint32 uint64 uint8 strided sparse_coo sparse_csr "
    "per_tensor_affine per_channel_affine per_tensor_symmetric per_channel_symmetric channels_last "
    "contiguous_format preserve_format per_channel_affine_float_qparams float8_e8m0fnu float4_e2m1fn_x2 bits8 bits16 "
    "bits1x8 bits2x4 bits4x2 int1 int2 int3 int4 int5 int6 int7 uint1 uint2 uint3 uint4 uint5 uint6 uint7",
    "torch.storage": "TypedStorage UntypedStorage",
}

#: What old versions wrote that cannot be installed any more (joblib before 0.10, matrices of Python 2).
OLDER: dict[str, dict[str, object]] = {
    "joblib.numpy_pickle": {"NDArrayWrapper": "class", "NumpyArrayWrapper": "class"},
    "sklearn.externals.joblib.numpy_pickle": {"NDArrayWrapper": "class", "NumpyArrayWrapper": "class"},
    "numpy.core._internal": {"_reconstruct": {"kind": "callable", "arguments": "class-first"}},
    "numpy.matrixlib.defmatrix": {"matrix": "class"},
    "numpy.core.records": {"recarray": "class", "record": "class"},
}
