"""What people hang on a model beside estimators: distributions, scorers, selectors, splitters, times, namespaces."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from allowlist_objects import Recorder, Thing

#: As pandas spells them, in old versions and new ones.
_FREQUENCIES = (
    "h H min T s S ms L us U ns N D B W W-MON M ME MS BM BME BMS SM SME SMS Q QE QS BQ BQE BQS Q-MAR QE-MAR A YE YS AS "
    "BA BYE BYS bh BH 2D 15min 3h 2MS"
)


def standard_helpers(recorder: Recorder) -> None:
    """Options of a command line, as checkpoints keep them, and times with their zones."""
    import argparse
    import datetime as dt
    import zoneinfo

    recorder.add(argparse.Namespace(lr=0.1, layers=[1, 2], name="x", nested=argparse.Namespace(a=None)))
    recorder.add(dt.datetime(2024, 1, 2, tzinfo=zoneinfo.ZoneInfo("Europe/Paris")))
    recorder.add(dt.time(1, 2, tzinfo=zoneinfo.ZoneInfo("UTC")))
    recorder.add(dt.datetime(2024, 1, 2, tzinfo=dt.timezone(dt.timedelta(hours=1), "X")))


def distributions(recorder: Recorder) -> None:
    """Every distribution, itself and frozen: what a randomized search draws from."""
    import numpy as np
    import scipy.stats
    from scipy.stats import distributions as named

    try:
        from scipy.stats import _distr_params as known
    except ImportError:
        recorder.failed.append("scipy.stats._distr_params is not here")
        return
    for name, shapes in [*known.distcont, *known.distdiscrete]:
        kind = getattr(named, name, None) if isinstance(name, str) else None
        if kind is None:
            continue
        recorder.add(kind, name)
        for arguments in ((), (1,)):
            try:
                frozen = kind(*shapes, *arguments)
            except Exception:  # noqa: BLE001 - no place for these numbers
                continue
            recorder.add(frozen, name)
    frozen = scipy.stats.norm(loc=1, scale=2)
    frozen.random_state = 3
    recorder.add(frozen)
    recorder.add(scipy.stats.rv_discrete(values=([1, 2], [0.5, 0.5])))
    recorder.add(scipy.stats.rv_histogram(np.histogram([1.0, 2, 3, 4], bins=2)))


def pandas_helpers(recorder: Recorder) -> None:
    """Times with their zones, periods, offsets and arrays of every nullable kind."""
    import datetime as dt
    import zoneinfo

    import pandas as pd

    zones: list[Thing] = [
        "UTC",
        "Europe/Berlin",
        "+02:00",
        dt.UTC,
        dt.timezone(dt.timedelta(hours=-5)),
        zoneinfo.ZoneInfo("America/New_York"),
        zoneinfo.ZoneInfo("UTC"),
    ]
    try:
        import pytz
    except ImportError:
        recorder.failed.append("pytz is not here")
    else:
        zones += [pytz.UTC, pytz.timezone("Asia/Tokyo"), pytz.FixedOffset(90)]
    for zone in zones:
        index = pd.date_range("2024-03-30", periods=4, freq="D", tz=zone)
        recorder.add(index, f"index in {zone}")
        recorder.add(pd.DataFrame({"t": index, "x": range(4)}), f"frame in {zone}")
        recorder.add(pd.Series(range(4), index=index), f"series in {zone}")
        recorder.add([index[0], pd.DatetimeTZDtype(tz=zone)], f"time in {zone}")
    for freq in _FREQUENCIES.split():
        for make in (pd.date_range, pd.timedelta_range, pd.period_range):
            try:
                made = make("1D" if make is pd.timedelta_range else "2024-01-01", periods=3, freq=freq)
            except Exception:  # noqa: BLE001 - not a frequency of this version, or of this kind
                continue
            recorder.add([made, made[0], made.freq], f"every {freq}")
            recorder.add(pd.DataFrame({"x": range(3)}, index=made), f"every {freq}")
    for bits in (8, 16, 32, 64):
        for kind in ("Int", "UInt", "Float"):
            if (kind, bits) not in {("Float", 8), ("Float", 16)}:
                recorder.add(pd.DataFrame({"a": pd.array([1, None], dtype=f"{kind}{bits}")}))
                recorder.add(pd.array([1, None], dtype=f"{kind}{bits}").dtype)
    for data in _columns():
        recorder.add(data)
        recorder.add(pd.DataFrame({"a": data}))
        recorder.add(getattr(data, "dtype", None))
        recorder.add(pd.Index(data))
    for values, options in (((0, 1), {}), ((pd.Timestamp("2024"), pd.Timestamp("2025")), {"closed": "both"})):
        recorder.add(pd.Interval(*values, **options))
        recorder.add(pd.interval_range(*values))
    levels = [["a", "b"], [1, 2], pd.date_range("2024", periods=2, tz="UTC")]
    product = pd.MultiIndex.from_product(levels, names=["x", "y", "z"])
    recorder.add(product)
    recorder.add(pd.DataFrame({"v": range(8)}, index=product))
    recorder.add(pd.DataFrame([range(8)], columns=product))
    recorder.add(pd.cut(pd.Series([1.0, 2, 3]), 2))
    recorder.add(pd.Series([1.0, 2]).value_counts())


def _columns() -> Iterator[Thing]:
    import numpy as np
    import pandas as pd

    yield pd.Categorical(["a", "b", None], categories=["b", "a"], ordered=True)
    yield pd.Categorical([1, 2, 1])
    yield pd.Categorical(pd.to_datetime(["2024-01-01", "2024-01-02"]))
    yield pd.array([True, None], dtype="boolean")
    yield pd.array(["a", None], dtype="string")
    yield pd.array(["a", None], dtype=pd.StringDtype("python"))
    yield pd.Series(["a", "b"])
    yield pd.array([1.0, 2.0], dtype=np.float64)
    yield pd.arrays.IntervalArray.from_breaks([0, 1, 2])
    yield pd.arrays.SparseArray([0.0, 1.0])
    yield pd.array(pd.period_range("2024", periods=2, freq="D"))
    yield pd.array(pd.to_timedelta(["1D", "2D"]))
    yield pd.array(pd.to_datetime(["2024-01-01"]))


def sklearn_helpers(recorder: Recorder) -> None:
    """What searches, pipelines and wrappers take as options."""
    import tempfile

    import joblib
    import numpy as np
    import scipy.special
    import scipy.stats
    from sklearn import (
        base,
        calibration,
        compose,
        ensemble,
        linear_model,
        metrics,
        model_selection,
        pipeline,
        preprocessing,
        svm,
        tree,
    )
    from sklearn.experimental import enable_halving_search_cv  # noqa: F401 - as above

    random = np.random.RandomState(0)
    x = np.abs(random.normal(size=(40, 3))) + 0.1
    labels = np.arange(40) % 2
    numbers = x[:, 0] + 0.5
    linear, forest = linear_model.LogisticRegression(), ensemble.RandomForestClassifier(2)
    try:
        from sklearn.frozen import FrozenEstimator
    except ImportError:
        recorder.failed.append("sklearn.frozen is not here")
    else:
        frozen = FrozenEstimator(base.clone(linear).fit(x, labels))
        recorder.add(frozen)
        recorder.add(calibration.CalibratedClassifierCV(frozen, cv=2).fit(x, labels))
    for function in (metrics.fbeta_score, metrics.mean_squared_error, metrics.roc_auc_score):
        options = {"beta": 2} if function is metrics.fbeta_score else {}
        recorder.add(metrics.make_scorer(function, greater_is_better=False, **options))
    for needs in ({"response_method": "predict_proba"}, {"needs_proba": True}, {"needs_threshold": True}):
        try:
            recorder.add(metrics.make_scorer(metrics.log_loss, greater_is_better=False, **needs))
        except Exception:  # noqa: BLE001 - another version's word for it
            continue
    for function in (np.log1p, np.sqrt, np.exp, np.abs, scipy.special.expit, scipy.special.logit):
        recorder.add(
            preprocessing.FunctionTransformer(function, inverse_func=np.expm1, check_inverse=False).fit(x)
        )
    recorder.add(preprocessing.FunctionTransformer(np.clip, kw_args={"a_min": 0, "a_max": 1}).fit(x))
    for cover in (
        {"func": np.log1p, "inverse_func": np.expm1},
        {"transformer": preprocessing.QuantileTransformer(n_quantiles=5)},
    ):
        recorder.add(compose.TransformedTargetRegressor(linear_model.Ridge(), **cover).fit(x, numbers))
    for method in ("sigmoid", "isotonic"):
        for several in (True, False):
            made = calibration.CalibratedClassifierCV(svm.LinearSVC(), method=method, cv=2, ensemble=several)
            recorder.add(made.fit(x, labels))
    members = [("a", linear_model.Ridge()), ("b", tree.DecisionTreeRegressor(max_depth=2))]
    recorder.add(ensemble.StackingRegressor(members, linear_model.RidgeCV()).fit(x, numbers))
    recorder.add(ensemble.VotingRegressor(members).fit(x, numbers))
    voters = [("a", base.clone(linear)), ("b", base.clone(forest))]
    for voting in ("hard", "soft"):
        recorder.add(ensemble.VotingClassifier(voters, voting=voting, weights=[1, 2]).fit(x, labels))
    recorder.add(ensemble.StackingClassifier(voters, base.clone(linear), cv=2).fit(x, labels))
    _searches(recorder, x, labels, [model_selection.KFold(2, shuffle=True, random_state=1)])
    _searches(recorder, x, labels, _splitters(labels))
    steps = [("s", preprocessing.StandardScaler()), ("m", base.clone(linear))]
    with tempfile.TemporaryDirectory() as place:
        for memory in (joblib.Memory(None, verbose=0), joblib.Memory(place, verbose=0), place):
            recorder.add(pipeline.Pipeline(steps, memory=memory).fit(x, labels))
    _frames(recorder)


def _splitters(labels: Thing) -> list[Thing]:
    from sklearn import model_selection as m

    made: list[Thing] = [
        m.StratifiedKFold(2, shuffle=True, random_state=1),
        m.ShuffleSplit(2, random_state=1),
        m.StratifiedShuffleSplit(2, random_state=1),
        m.TimeSeriesSplit(2),
        m.RepeatedStratifiedKFold(n_splits=2, n_repeats=1, random_state=1),
        m.PredefinedSplit(labels),
    ]
    for name in ("StratifiedGroupKFold", "GroupKFold", "LeavePGroupsOut"):
        kind = getattr(m, name, None)
        if kind is not None:
            made.append(kind(2))
    return made


def _searches(recorder: Recorder, x: Thing, labels: Thing, splitters: list[Thing]) -> None:
    import scipy.stats
    from sklearn import linear_model, metrics, model_selection

    scorings: list[Thing] = [
        "roc_auc",
        metrics.make_scorer(metrics.f1_score, average="macro"),
        ["accuracy", "f1"],
        {"a": "accuracy", "b": metrics.make_scorer(metrics.balanced_accuracy_score)},
    ]
    groups = labels.cumsum() % 4
    draws = {"C": scipy.stats.loguniform(0.01, 10), "max_iter": scipy.stats.randint(50, 100)}
    for splitter in splitters:
        for scoring in scorings:
            refit = "accuracy" if isinstance(scoring, list) else "a" if isinstance(scoring, dict) else True
            for kind, space, more in (
                (model_selection.GridSearchCV, {"C": [0.1, 1.0]}, {}),
                (model_selection.RandomizedSearchCV, draws, {"n_iter": 2, "random_state": 1}),
            ):
                search = kind(
                    linear_model.LogisticRegression(),
                    space,
                    cv=splitter,
                    scoring=scoring,
                    refit=refit,
                    **more,
                )
                recorder.add(search)
                try:
                    search.fit(x, labels, groups=groups)
                except Exception:  # noqa: BLE001 - not a split of these rows
                    continue
                recorder.add(search)
    for name in ("HalvingGridSearchCV", "HalvingRandomSearchCV"):
        space = {"C": [0.1, 1.0, 10.0]}
        recorder.add(
            getattr(model_selection, name)(linear_model.LogisticRegression(), space, cv=2).fit(x, labels)
        )
    recorder.add(model_selection.ParameterGrid({"a": [1, 2]}))
    recorder.add(model_selection.ParameterSampler(draws, 2, random_state=1))
    try:
        tuned = model_selection.TunedThresholdClassifierCV(linear_model.LogisticRegression(), cv=2)
        recorder.add(tuned.fit(x, labels))
        recorder.add(
            model_selection.FixedThresholdClassifier(linear_model.LogisticRegression()).fit(x, labels)
        )
    except AttributeError:
        recorder.failed.append("thresholds are not tuned in this version")


def _frames(recorder: Recorder) -> None:
    import numpy as np
    from sklearn import compose, impute, linear_model, pipeline, preprocessing

    try:
        import pandas as pd
    except ImportError:
        recorder.failed.append("pandas is not here")
        return
    frame = pd.DataFrame({"a": [1.0, 2, 3, 4], "b": [4.0, 3, 2, np.nan], "c": ["x", "y", "x", "y"]})
    frame["d"] = frame["c"].astype("category")
    numeric = pipeline.make_pipeline(impute.SimpleImputer(), preprocessing.StandardScaler())
    encoder = preprocessing.OneHotEncoder(handle_unknown="ignore")
    for first, second in (
        ({"dtype_include": np.number}, {"dtype_include": object}),
        ({"dtype_include": "number"}, {"dtype_exclude": "number"}),
        ({"pattern": "a|b"}, {"dtype_include": ["object", "category"]}),
        ({"dtype_include": [int, float]}, {"dtype_include": pd.CategoricalDtype}),
    ):
        columns = compose.make_column_transformer(
            (numeric, compose.make_column_selector(**first)),
            (encoder, compose.make_column_selector(**second)),
            remainder="drop",
        )
        recorder.add(columns)
        for rest in ("passthrough", preprocessing.OrdinalEncoder()):
            columns.set_params(remainder=rest)
            recorder.add(columns)
        columns.set_params(remainder="drop")
        whole = pipeline.make_pipeline(columns, linear_model.LogisticRegression())
        recorder.add(whole.fit(frame, [0, 1, 0, 1]))
        for output in ("pandas", "default"):
            try:
                whole[:-1].set_output(transform=output)
                recorder.add(whole.fit(frame, [0, 1, 0, 1]))
            except Exception:  # noqa: BLE001 - not what this step gives
                continue
    for step in (preprocessing.OrdinalEncoder(), preprocessing.LabelBinarizer()):
        recorder.add(step.fit(frame[["c"]] if isinstance(step, preprocessing.OrdinalEncoder) else frame["c"]))
