"""What people hang on a model, each as one object that they save.

Other data and options than those from which the allow-list was recorded.
"""

from __future__ import annotations

import argparse
import datetime as dt
import tempfile
import zoneinfo
from collections.abc import Iterator
from typing import Any


def things() -> Iterator[tuple[str, object]]:
    """All of them, by name."""
    for make in (distributions, searches, helpers, selectors, times, frames):
        for name, thing in make():
            yield f"{make.__name__}-{name}", thing
    yield "namespace", argparse.Namespace(epochs=3, rate=1e-3, layers=[64, 32], name="b", debug=False)
    yield "namespaces", {"hyper_parameters": argparse.Namespace(inner=argparse.Namespace(x=1)), "step": 9}


def distributions() -> Iterator[tuple[str, object]]:
    """Each distribution of SciPy that can be frozen, and what draws from them."""
    from scipy import stats
    from scipy.stats import _distr_params as known
    from sklearn.linear_model import SGDClassifier
    from sklearn.model_selection import ParameterSampler, RandomizedSearchCV

    for name, shapes in [*known.distcont, *known.distdiscrete]:
        kind = getattr(stats, name, None) if isinstance(name, str) else None
        if kind is not None:
            yield name, kind(*shapes, loc=2)
    draws = {"alpha": stats.loguniform(1e-6, 1e-1), "l1_ratio": stats.uniform(0, 1)}
    yield "sampler", ParameterSampler(draws, 3, random_state=5)
    x, y = _table()
    yield "search", RandomizedSearchCV(SGDClassifier(), draws, n_iter=2, cv=3, random_state=2).fit(x, y)


def _table() -> tuple[Any, Any]:
    import numpy as np

    random = np.random.RandomState(21)
    return random.rand(48, 4) + 0.1, np.arange(48) % 2


def searches() -> Iterator[tuple[str, object]]:
    """Searches with splitters and scorers of their own."""
    from sklearn import metrics, model_selection
    from sklearn.tree import DecisionTreeClassifier

    x, y = _table()
    splitters: list[Any] = [
        model_selection.KFold(3, shuffle=True, random_state=9),
        model_selection.StratifiedKFold(4),
        model_selection.ShuffleSplit(3, test_size=0.3, random_state=9),
        model_selection.StratifiedShuffleSplit(2, random_state=9),
        model_selection.RepeatedKFold(n_splits=3, n_repeats=2, random_state=9),
        model_selection.TimeSeriesSplit(3),
        model_selection.GroupKFold(3),
    ]
    scorers: list[Any] = [
        "balanced_accuracy",
        metrics.make_scorer(metrics.fbeta_score, beta=0.5),
        metrics.make_scorer(metrics.log_loss, greater_is_better=False, response_method="predict_proba"),
    ]
    for splitter in splitters:
        yield type(splitter).__name__, splitter
        for number, scorer in enumerate(scorers):
            search = model_selection.GridSearchCV(
                DecisionTreeClassifier(), {"max_depth": [2, 3]}, cv=splitter, scoring=scorer
            )
            yield f"{type(splitter).__name__}-{number}", search.fit(x, y, groups=y.cumsum() % 6)
    for number, scorer in enumerate(scorers[1:]):
        yield f"scorer-{number}", scorer


def helpers() -> Iterator[tuple[str, object]]:
    """Wrappers around models, and functions in pipelines."""
    import joblib
    import numpy as np
    import scipy.special
    from sklearn import calibration, compose, ensemble, frozen, linear_model, pipeline, preprocessing, svm

    x, y = _table()
    target = x[:, 1] * 3 + 1
    inner = linear_model.LogisticRegression().fit(x, y)
    yield "frozen", frozen.FrozenEstimator(inner)
    yield "frozen-calibrated", calibration.CalibratedClassifierCV(frozen.FrozenEstimator(inner)).fit(x, y)
    for method in ("sigmoid", "isotonic"):
        yield method, calibration.CalibratedClassifierCV(svm.LinearSVC(), method=method, cv=3).fit(x, y)
    for function in (np.log1p, np.sqrt, np.square, np.cbrt, scipy.special.expit, scipy.special.boxcox):
        arguments = {"lmbda": 0.5} if function is scipy.special.boxcox else {}
        yield function.__name__, preprocessing.FunctionTransformer(function, kw_args=arguments)
    yield (
        "target-function",
        compose.TransformedTargetRegressor(svm.SVR(), func=np.log, inverse_func=np.exp).fit(x, target),
    )
    yield (
        "target-scaler",
        compose.TransformedTargetRegressor(
            linear_model.Lasso(), transformer=preprocessing.PowerTransformer()
        ).fit(x, target),
    )
    members = [("ridge", linear_model.Ridge()), ("forest", ensemble.ExtraTreesRegressor(3))]
    yield "stacking", ensemble.StackingRegressor(members, passthrough=True, cv=3).fit(x, target)
    yield "voting", ensemble.VotingRegressor(members, weights=[2, 1]).fit(x, target)
    voters = [("a", linear_model.LogisticRegression()), ("b", ensemble.RandomForestClassifier(3))]
    for voting in ("hard", "soft"):
        yield f"votes-{voting}", ensemble.VotingClassifier(voters, voting=voting).fit(x, y)
    yield "bagging", ensemble.BaggingClassifier(svm.SVC(), 3).fit(x, y)
    with tempfile.TemporaryDirectory() as place:
        for memory in (joblib.Memory(None), joblib.Memory(place, verbose=0), place):
            steps = pipeline.make_pipeline(
                preprocessing.RobustScaler(), linear_model.LogisticRegression(), memory=memory
            )
            yield f"memory-{type(memory).__name__}", steps.fit(x, y)


def selectors() -> Iterator[tuple[str, object]]:
    """Columns that are chosen by their type or name."""
    import numpy as np
    import pandas as pd
    from sklearn import compose, impute, linear_model, pipeline, preprocessing

    x, y = _table()
    frame = pd.DataFrame(x, columns=["width", "height", "depth", "weight"])
    frame["kind"] = ["round", "square", "flat"] * 16
    frame["day"] = pd.Categorical(["mo", "tu"] * 24)
    for number, (numeric, texts) in enumerate(
        (
            ({"dtype_include": np.number}, {"dtype_exclude": np.number}),
            ({"dtype_include": "number"}, {"dtype_exclude": ["number", "datetime"]}),
            ({"pattern": "t$"}, {"pattern": "^kind|^day"}),
        )
    ):
        chosen = compose.ColumnTransformer(
            [
                ("n", impute.SimpleImputer(strategy="median"), compose.make_column_selector(**numeric)),
                (
                    "t",
                    preprocessing.OneHotEncoder(sparse_output=False),
                    compose.make_column_selector(**texts),
                ),
            ],
            remainder="passthrough" if number == 1 else "drop",
        )
        yield f"unfitted-{number}", chosen
        yield (
            f"pipeline-{number}",
            pipeline.make_pipeline(chosen, linear_model.LogisticRegression()).fit(frame, y),
        )
        chosen.set_output(transform="pandas")
        yield f"pandas-{number}", chosen.fit(frame)


def times() -> Iterator[tuple[str, object]]:
    """Frames and indexes in time zones, and with regular steps."""
    import pandas as pd

    zones: list[Any] = [
        "UTC",
        "Asia/Kolkata",
        "+05:30",
        dt.UTC,
        dt.timezone(dt.timedelta(hours=3)),
        zoneinfo.ZoneInfo("Australia/Sydney"),
    ]
    try:
        import pytz
    except ImportError:
        pass
    else:
        zones += [pytz.UTC, pytz.timezone("America/Lima"), pytz.FixedOffset(-300)]
    for number, zone in enumerate(zones):
        index = pd.date_range("2023-10-28", periods=5, freq="6h", tz=zone)
        yield f"zone-{number}", pd.DataFrame({"seen": index, "n": range(5)})
        yield f"index-{number}", pd.Series(range(5), index=index)
        yield f"python-{number}", {"trained": index[0].to_pydatetime(), "stamp": index[1]}
    for step in "h min s D B W-SUN MS ME QS QE YS YE BMS BME SMS 12h 90min".split():  # noqa: SIM905 - easier to read
        yield (
            f"step-{step}",
            pd.DataFrame({"v": range(4)}, index=pd.date_range("2022-05-01", periods=4, freq=step)),
        )
    for step in "D W M Q Y h".split():  # noqa: SIM905 - as above
        yield f"period-{step}", pd.Series(range(3), index=pd.period_range("2022-05", periods=3, freq=step))


def frames() -> Iterator[tuple[str, object]]:
    """Frames with columns and indexes of every kind."""
    import pandas as pd

    for name in (
        "Int8",
        "Int16",
        "Int32",
        "Int64",
        "UInt8",
        "UInt16",
        "UInt32",
        "UInt64",
        "Float32",
        "Float64",
    ):
        yield name, pd.DataFrame({"v": pd.array([3, None, 5], dtype=name)})
    columns: dict[str, Any] = {
        "boolean": pd.array([False, None], dtype="boolean"),
        "string": pd.array(["x", None], dtype=pd.StringDtype("python")),
        "text": ["x", "y"],
        "category": pd.Categorical(["hi", "lo"], ordered=True),
        "interval": pd.arrays.IntervalArray.from_breaks([0.0, 0.5, 1.0]),
        "sparse": pd.arrays.SparseArray([0, 7]),
        "period": pd.period_range("2021-01", periods=2, freq="M"),
        "delta": pd.to_timedelta(["1h", "2h"]),
        "stamp": pd.to_datetime(["2021-01-01", None]),
    }
    for name, column in columns.items():
        yield name, pd.DataFrame({"v": column})
        yield f"{name}-index", pd.DataFrame({"v": [1, 2]}, index=pd.Index(column))
    yield "all", pd.DataFrame(columns)
    product = pd.MultiIndex.from_product([["p", "q"], [1, 2]], names=["letter", "digit"])
    yield "rows", pd.DataFrame({"v": range(4)}, index=product)
    yield "columns", pd.DataFrame([range(4)], columns=product)
    yield "cut", pd.cut(pd.Series([0.1, 0.4, 0.9]), 3)
    yield "interval-value", pd.Interval(1, 2, closed="left")
    yield "ranges", pd.Series([1, 2, 3], index=pd.interval_range(0, 3))
