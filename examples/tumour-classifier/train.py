"""Trains the classifier from the data that scikit-learn ships: same versions in, same files out.

That holds for runs of this file: a pickle such as joblib's also shows which strings the process happens to share.

Writes into `artefacts/`: the data as it was split, the model twice (joblib for tools that expect it, skops for
`predict.py`), what each feature looked like in training, and the figures of the model card.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import io
import json
import re
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import joblib
import numpy as np
import skops.io
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import brier_score_loss, roc_auc_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict, train_test_split
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

HERE = Path(__file__).resolve().parent
LABELS = ("benign", "malignant")
TARGET = "diagnosis"
SEED = 20
TEST_SHARE = 0.3
#: A missed tumour is worse than a second look: the threshold keeps this share of malignant cases in training.
LEAST_SENSITIVITY = 0.98
#: Where the model card wants them.
FIGURES = "<!-- figures -->"
_FIXED_DATE = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class Rows:
    """Cases: `features` of shape (cases, 30), `malignant` of shape (cases,) with 1 for malignant."""

    features: NDArray[np.float64]
    malignant: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Data:
    """The data set, split once and for all."""

    names: tuple[str, ...]
    train: Rows
    test: Rows


def read_data() -> Data:
    """Split the Breast Cancer Wisconsin (Diagnostic) data, stratified by diagnosis."""
    bunch = load_breast_cancer()
    names = tuple(str(name).replace(" ", "_") for name in bunch.feature_names)
    malignant = (bunch.target == list(bunch.target_names).index("malignant")).astype(np.int64)
    train_x, test_x, train_y, test_y = train_test_split(
        bunch.data, malignant, test_size=TEST_SHARE, random_state=SEED, stratify=malignant
    )
    return Data(names, Rows(train_x, train_y), Rows(test_x, test_y))


def make_model() -> Pipeline:
    """A scaled logistic regression: its weights can be read, which a high-risk use should ask for."""
    return Pipeline([("scale", StandardScaler()), ("classify", LogisticRegression(C=0.1, max_iter=1000))])


def choose_threshold(rows: Rows) -> float:
    """The highest probability, in steps of 1 %, at which cross-validation keeps `LEAST_SENSITIVITY`."""
    folds = StratifiedKFold(5, shuffle=True, random_state=SEED)
    scores = cross_val_predict(make_model(), rows.features, rows.malignant, cv=folds, method="predict_proba")[
        :, 1
    ]
    sick = scores[rows.malignant == 1]
    steps = [step / 100 for step in range(50, 0, -1)]
    return next((step for step in steps if (sick >= step).mean() >= LEAST_SENSITIVITY), steps[-1])


def measure(model: Pipeline, data: Data, threshold: float) -> dict[str, Any]:
    """The figures of the model card on the held-out cases; shares in parts per million."""
    scores = model.predict_proba(data.test.features)[:, 1]
    called, truth = scores >= threshold, data.test.malignant == 1
    counts = {
        "true_positive": int((called & truth).sum()),
        "false_negative": int((~called & truth).sum()),
        "true_negative": int((~called & ~truth).sum()),
        "false_positive": int((called & ~truth).sum()),
    }
    radius = data.names.index("mean_radius")
    small = data.test.features[:, radius] < np.median(data.train.features[:, radius])
    return {
        "schema": 1,
        "rows": {"train": len(data.train.malignant), "test": len(data.test.malignant)},
        "threshold_ppm": _ppm(threshold),
        "counts": counts,
        "metrics_ppm": {
            "accuracy": _ppm((called == truth).mean()),
            "sensitivity": _ppm(called[truth].mean()),
            "specificity": _ppm((~called[~truth]).mean()),
            "roc_auc": _ppm(roc_auc_score(truth, scores)),
            "brier": _ppm(brier_score_loss(truth, scores)),
        },
        "interval_95_ppm": {
            "sensitivity": _wilson(counts["true_positive"], int(truth.sum())),
            "specificity": _wilson(counts["true_negative"], int((~truth).sum())),
        },
        "accuracy_by_radius_ppm": {
            "below_training_median": _ppm((called == truth)[small].mean()),
            "above_training_median": _ppm((called == truth)[~small].mean()),
        },
    }


def describe_features(data: Data, train_digest: str) -> dict[str, Any]:
    """What each feature looked like in training, and in which file; `predict.py` warns about cases outside."""
    low, high = data.train.features.min(axis=0), data.train.features.max(axis=0)
    return {
        "schema": 1,
        "target": TARGET,
        "labels": list(LABELS),
        "source": {"uri": "file:artefacts/train.csv", "digest": f"sha256:{train_digest}"},
        "features": [
            {"name": name, "dtype": "float64", "min": float(low[i]), "max": float(high[i])}
            for i, name in enumerate(data.names)
        ],
    }


def figures(metrics: dict[str, Any]) -> str:
    """The figures as a Markdown table for the model card."""
    share, interval = metrics["metrics_ppm"], metrics["interval_95_ppm"]
    lines = ["| figure | held-out cases | 95 % interval |", "| --- | --- | --- |"]
    for name, value in share.items():
        span = " to ".join(f"{bound / 1e6:.3f}" for bound in interval[name]) if name in interval else ""
        lines.append(f"| {name.replace('_', ' ')} | {value / 1e6:.3f} | {span} |")
    lines += [
        "",
        (
            f"{metrics['rows']['train']} cases for training, {metrics['rows']['test']} held out; a case is called "
            f"malignant from a probability of {metrics['threshold_ppm'] / 1e6:.2f}."
        ),
    ]
    return "\n".join(lines)


def save(out: Path) -> dict[str, Any]:
    """Train, and write every artefact into the folder `out`; returns the metrics."""
    out.mkdir(parents=True, exist_ok=True)
    data = read_data()
    model = make_model().fit(data.train.features, data.train.malignant)
    metrics = measure(model, data, choose_threshold(data.train))
    for name, rows in (("train.csv", data.train), ("test.csv", data.test)):
        (out / name).write_text(to_csv(data.names, rows), encoding="utf-8", newline="")
    metrics["data_sha256"] = {
        name: hashlib.sha256((out / name).read_bytes()).hexdigest() for name in ("train.csv", "test.csv")
    }
    joblib.dump(model, out / "model.joblib")
    (out / "model.skops").write_bytes(reproducible(skops.io.dumps(model)))
    described = describe_features(data, metrics["data_sha256"]["train.csv"])
    for name, document in (("metrics.json", metrics), ("features.json", described)):
        (out / name).write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    return metrics


def to_csv(names: Sequence[str], rows: Rows) -> str:
    """CSV with a header; numbers are written so that they read back to the same bits."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*names, TARGET])
    for features, malignant in zip(rows.features.tolist(), rows.malignant.tolist(), strict=True):
        writer.writerow([*map(repr, features), LABELS[malignant]])
    return text.getvalue()


def reproducible(data: bytes) -> bytes:
    """The same skops file without the memory addresses and dates that skops writes into it."""
    with zipfile.ZipFile(io.BytesIO(data)) as old:
        members = {name: old.read(name) for name in old.namelist()}
    schema = members.pop("schema.json").decode("utf-8")
    numbers: dict[str, str] = {}
    for address in re.findall(r'"__id__": (\d+)', schema):
        numbers.setdefault(address, str(len(numbers) + 1))
    schema = re.sub(r'(?<="__id__": )\d+', lambda found: numbers[found.group()], schema)
    schema = re.sub(r'(?<="file": ")\d+(?=\.npy")', lambda found: numbers[found.group()], schema)
    renamed = {f"{numbers[name.removesuffix('.npy')]}.npy": content for name, content in members.items()}
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as new:
        for name, content in {**renamed, "schema.json": schema.encode("utf-8")}.items():
            new.writestr(zipfile.ZipInfo(name, _FIXED_DATE), content)
    return out.getvalue()


def _ppm(share: float) -> int:
    return round(float(share) * 1_000_000)


def _wilson(hits: int, cases: int) -> list[int]:
    """The 95 % interval of a share after Wilson (1927), in parts per million."""
    z = 1.959964
    share, spread = hits / cases, z * z / cases
    centre = (share + spread / 2) / (1 + spread)
    half = z / (1 + spread) * (share * (1 - share) / cases + spread / (4 * cases)) ** 0.5
    return [_ppm(centre - half), _ppm(centre + half)]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    parser = argparse.ArgumentParser(description="Train the tumour classifier.")
    parser.add_argument("--out", type=Path, default=HERE / "artefacts", help="folder for the artefacts")
    parser.add_argument("--card", type=Path, help="model card to put the figures into (default: print them)")
    options = parser.parse_args(arguments)
    table = figures(save(options.out))
    if options.card is None:
        print(table)
    else:
        card = options.card.read_text(encoding="utf-8")
        options.card.write_text(card.replace(FIGURES, table), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
