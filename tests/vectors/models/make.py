"""Makes the models of this folder: `python make.py`, with scikit-learn, joblib, skops and pandas installed."""

from __future__ import annotations

import pickle
import sys
import warnings
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import skops.io
from sklearn.ensemble import GradientBoostingRegressor, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

HERE = Path(__file__).parent


def main() -> int:
    """Write every file."""
    warnings.simplefilter("ignore")
    x = np.random.RandomState(0).rand(20, 3)
    y = np.arange(20) % 2
    pipeline = make_pipeline(FunctionTransformer(np.log1p), StandardScaler(), LogisticRegression()).fit(x, y)
    forest = RandomForestClassifier(2, max_depth=2, random_state=0).fit(x, y)
    boosted = GradientBoostingRegressor(n_estimators=2, max_depth=1).fit(x, y)
    neighbours = KNeighborsClassifier(algorithm="kd_tree").fit(x, y)
    words = OneHotEncoder().fit(np.array([["a"], ["b"]], dtype=object))
    for protocol in (0, 2, 5):
        (HERE / f"pipeline.{protocol}.pkl").write_bytes(pickle.dumps(pipeline, protocol))
    (HERE / "boosted.pkl").write_bytes(pickle.dumps(boosted))
    (HERE / "neighbours.pkl").write_bytes(pickle.dumps(neighbours))
    joblib.dump(forest, HERE / "forest.joblib")
    joblib.dump(words, HERE / "words.joblib")
    for kind in ("zlib", "gzip", "bz2", "xz", "lzma"):
        joblib.dump(pipeline, HERE / f"pipeline.{kind}.joblib", compress=(kind, 3))
    skops.io.dump(pipeline, HERE / "pipeline.skops")
    frame = pd.DataFrame({"a": [1, 2], "b": ["x", "y"], "c": pd.to_datetime(["2024-01-01", "2024-01-02"])})
    (HERE / "frame.pkl").write_bytes(pickle.dumps(frame))
    np.save(HERE / "objects.npy", np.array([1, "a", None], dtype=object))
    np.savez(HERE / "arrays.npz", a=np.arange(3), b=np.eye(2))
    np.savez_compressed(HERE / "packed.npz", a=np.arange(3))
    return 0


if __name__ == "__main__":
    sys.exit(main())
