"""Ordinary model files, made with the libraries themselves: what a scanner must let pass.

    python bench/_benign.py FOLDER     in an environment with scikit-learn, pandas, skops, safetensors and lightgbm

Every estimator of scikit-learn, fitted, by every protocol of pickle and every compressor of joblib; boosted trees,
frames, arrays, sparse matrices, what people hang on a model (`_helpers.py`), skops and safetensors files, and whatever
model files the installed libraries ship for their own tests. Data and options are others than those from which the
allow-list was recorded.
"""

from __future__ import annotations

import io
import pickle
import shutil
import sys
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

import _helpers  # the path comes first

PROTOCOLS = range(6)
COMPRESSORS: tuple[Any, ...] = (0, ("zlib", 3), ("gzip", 3), ("bz2", 3), ("lzma", 3), ("xz", 3))
#: Model files that libraries ship, by their suffix.
SHIPPED = (
    ".npy",
    ".npz",
    ".pkl",
    ".pickle",
    ".joblib",
    ".safetensors",
    ".skops",
    ".onnx",
    ".gguf",
    ".h5",
    ".keras",
)


class Writer:
    """Writes files under running numbers."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.count = 0

    def put(self, stem: str, suffix: str, data: bytes) -> None:
        """One file; names are unique."""
        name = "".join(char if char.isalnum() else "-" for char in stem)[:60]
        (self.folder / f"{self.count:05}-{name}{suffix}").write_bytes(data)
        self.count += 1

    def thing(
        self,
        stem: str,
        thing: object,
        *,
        protocols: Iterable[int] = PROTOCOLS,
        compressors: Iterable[Any] = COMPRESSORS,
    ) -> None:
        """An object by some protocols and some compressors."""
        import joblib

        for protocol in protocols:
            self.put(f"{stem}.{protocol}", ".pkl", pickle.dumps(thing, protocol))
        for compress in compressors:
            out = io.BytesIO()
            joblib.dump(thing, out, compress=compress)
            self.put(f"{stem}.{compress}", ".joblib", out.getvalue())


def estimators(write: Writer) -> None:
    """Every estimator that can be fitted on a table, on labels or on texts."""
    import numpy as np
    from sklearn.utils import all_estimators
    from sklearn.utils._test_common.instance_generator import _construct_instances

    random = np.random.RandomState(11)
    x = np.abs(random.normal(size=(60, 5))) + 0.05
    labels = np.arange(60) % 2
    texts = ["a model of words", "words about models", "nothing of the kind"] * 20
    choices: list[tuple[Any, ...]] = [
        (x, labels),
        (x,),
        (x, x[:, :2]),
        (texts,),
        (labels,),
        (x, x[:, 0] + 1.0),
    ]
    for name, kind in all_estimators():
        try:
            made = next(iter(_construct_instances(kind)))
        except Exception:  # noqa: BLE001 - some cannot be made without arguments
            continue
        for data in choices:
            try:
                made.fit(*data)
            except Exception:  # noqa: BLE001 - not for this kind of data
                continue
            write.thing(name, made)
            break


def others(write: Writer) -> None:
    """Frames, arrays, sparse matrices, searches, boosted trees, skops and safetensors."""
    import numpy as np
    import pandas as pd
    import safetensors.numpy
    import scipy.sparse
    import skops.io
    from sklearn.compose import ColumnTransformer
    from sklearn.ensemble import GradientBoostingRegressor
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GridSearchCV
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    random = np.random.RandomState(12)
    frame = pd.DataFrame(
        {
            "age": random.randint(18, 80, 50),
            "city": random.choice(["Rome", "Oslo"], 50),
            "paid": random.rand(50) > 0.5,
        }
    )
    frame["when"] = pd.date_range("2025-01-01", periods=50, tz="UTC")
    columns = ColumnTransformer([("n", StandardScaler(), ["age"]), ("c", OneHotEncoder(), ["city"])])
    search = GridSearchCV(make_pipeline(columns, LogisticRegression()), {"logisticregression__C": [0.1, 1.0]})
    search.fit(frame[["age", "city"]], frame["paid"])
    things: dict[str, object] = {
        "frame": frame,
        "categories": frame.astype({"city": "category"}),
        "series": frame["age"],
        "search": search,
        "regressor": GradientBoostingRegressor(n_estimators=5).fit(random.rand(30, 3), random.rand(30)),
        "sparse": scipy.sparse.random(20, 20, 0.2, format="csr", random_state=1),
        "array": random.rand(7, 7),
        "masked": np.ma.masked_array([1, 2, 3], [0, 1, 0]),
        "words": np.array(["a", "bc"], dtype=object),
        "bundle": {"model": search, "labels": ["no", "yes"], "threshold": 0.4, "meta": {"rows": 50}},
    }
    for name, thing in things.items():
        write.thing(name, thing)
    for name in ("search", "regressor"):
        write.put(name, ".skops", skops.io.dumps(things[name]))
    for dtype in ("float16", "float32", "float64", "int8", "int64", "bool"):
        tensors = {"a": random.rand(4, 4).astype(dtype), "b.c": np.zeros(3, dtype)}
        write.put(dtype, ".safetensors", safetensors.numpy.save(tensors, {"format": "pt"}))
        out = io.BytesIO()
        np.save(out, tensors["a"])
        write.put(dtype, ".npy", out.getvalue())
        out = io.BytesIO()
        np.savez_compressed(out, a=tensors["a"], b=tensors["b.c"])
        write.put(dtype, ".npz", out.getvalue())


def boosted(write: Writer) -> None:
    """LightGBM and XGBoost models, as far as they are installed."""
    import numpy as np

    random = np.random.RandomState(13)
    x, labels = random.rand(80, 4), np.arange(80) % 3
    for module, name in (("lightgbm", "LGBMClassifier"), ("xgboost", "XGBClassifier")):
        try:
            kind = getattr(__import__(module), name)
        except (ImportError, OSError):
            continue
        write.thing(name, kind(n_estimators=4).fit(x, labels))


def helpers(write: Writer) -> None:
    """What people hang on a model: distributions, scorers, selectors, splitters, times."""
    for name, thing in _helpers.things():
        write.thing(name, thing, protocols=(2, 4, 5), compressors=(0, ("zlib", 3)))


def shipped(write: Writer) -> None:
    """Model files in the installed libraries; those of scanners' own tests, hostile on purpose, are not installed."""
    root = Path(pickle.__file__).resolve().parent
    for folder in {path for path in map(Path, sys.path) if path.name == "site-packages"}:
        for path in sorted(folder.rglob("*")):
            if (
                path.suffix in SHIPPED
                and path.is_file()
                and path.stat().st_size < 1 << 24
                and root not in path.parents
            ):
                shutil.copyfile(path, write.folder / f"{write.count:05}-shipped-{path.name}")
                write.count += 1


def main(folder: Path) -> int:
    """Write them all."""
    warnings.simplefilter("ignore")
    folder.mkdir(parents=True, exist_ok=True)
    write = Writer(folder)
    for make in (estimators, others, boosted, helpers, shipped):
        make(write)
    print(write.count)
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
