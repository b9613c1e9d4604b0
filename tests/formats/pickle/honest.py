"""Real models, small, as pickles: what the grammar grafts other things into."""

from __future__ import annotations

import collections
import functools
import warnings

import numpy as np

from tests.formats.pickle.grammar import dumped


def seeds():
    """Pickles of protocol 2, always the same ones."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return [dumped(thing) for thing in [*_arrays(), *_scipy(), *_sklearn()]]


def _arrays():
    yield np.ma.array([1.0, 2.0], mask=[0, 1], fill_value=3)
    yield np.rec.array([(1, 2.0)], dtype=[("a", "i4"), ("b", "f8")])
    yield np.array([{"a": 1}, None], dtype=object)
    yield np.random.RandomState(1)
    yield np.random.default_rng(1)
    yield np.random.SeedSequence(1)
    yield np.vectorize(np.mean, otypes="O")
    yield np.poly1d([1, 2])
    yield np.polynomial.Polynomial([1, 2])
    yield [collections.OrderedDict(a=1), collections.Counter("ab"), collections.ChainMap({"a": 1})]
    yield collections.defaultdict(functools.partial(max, 1, 2), a=1)


def _scipy():
    import scipy.interpolate
    import scipy.sparse
    import scipy.stats

    yield scipy.stats.norm(1, 2)
    yield scipy.stats.randint(1, 5)
    yield scipy.stats.gaussian_kde([1.0, 2, 4])
    yield scipy.interpolate.interp1d([1, 2, 3], [1, 2, 3])
    yield scipy.interpolate.BSpline([0, 1, 2, 3, 4, 5], [1, 2, 3, 4], 1)
    yield scipy.interpolate.RegularGridInterpolator(([1, 2], [1, 2]), np.eye(2))
    for kind in ("csr", "coo", "dok", "lil", "dia", "bsr"):
        yield getattr(scipy.sparse, f"{kind}_matrix")(np.eye(2))
    yield scipy.sparse.coo_array(np.eye(2))


def _sklearn():
    from sklearn import (
        compose,
        ensemble,
        gaussian_process,
        isotonic,
        linear_model,
        metrics,
        model_selection,
        neighbors,
        neural_network,
        pipeline,
        preprocessing,
        svm,
        tree,
    )

    x, y = np.arange(24.0).reshape(12, 2), np.arange(12) % 2
    for made in (
        tree.DecisionTreeClassifier(max_depth=2),
        ensemble.HistGradientBoostingClassifier(max_iter=1, max_leaf_nodes=3),
        ensemble.GradientBoostingClassifier(n_estimators=1, max_depth=1),
        ensemble.RandomForestClassifier(1, max_depth=1),
        linear_model.LogisticRegression(),
        linear_model.SGDClassifier(),
        linear_model.PoissonRegressor(),
        svm.SVC(),
        neighbors.KNeighborsClassifier(algorithm="kd_tree"),
        neighbors.KNeighborsClassifier(algorithm="ball_tree", metric="minkowski", p=3),
        neural_network.MLPClassifier([2], max_iter=2),
        gaussian_process.GaussianProcessClassifier(),
        preprocessing.FunctionTransformer(np.log1p, inverse_func=np.expm1, check_inverse=False),
        pipeline.make_pipeline(preprocessing.StandardScaler(), linear_model.RidgeClassifier()),
        compose.ColumnTransformer([("a", preprocessing.OneHotEncoder(), [0])]),
        model_selection.GridSearchCV(
            tree.DecisionTreeClassifier(), {"max_depth": [1]}, cv=2, scoring="accuracy"
        ),
    ):
        yield made.fit(x, y)
    yield isotonic.IsotonicRegression().fit(x[:, 0], y)
    yield metrics.make_scorer(metrics.fbeta_score, beta=2)
    yield neighbors.KDTree(x)
    yield metrics.DistanceMetric.get_metric("mahalanobis", VI=np.eye(2))
