"""Predicts from a CSV file with the features of `train.csv`: `python predict.py artefacts/test.csv --limit 5`.

The model is read from its skops file, and only when every type in it is one that skops trusts: reading it can run no
code of others. The joblib file is a pickle; load that one only from a package that `lockflight verify` accepted.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import skops.io

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sklearn.pipeline import Pipeline

ARTEFACTS = Path(__file__).resolve().parent / "artefacts"


@dataclass(frozen=True, slots=True)
class Prediction:
    """One case: the probability of `malignant`, the call, and the features outside the range of training."""

    case: int
    malignant_ppm: int
    call: str
    outside: tuple[str, ...]


def load_model(path: Path) -> Pipeline:
    """Read the model.

    Raises:
        ValueError: the file holds types that skops does not trust.
    """
    if unknown := skops.io.get_untrusted_types(file=path):
        raise ValueError(f"{path} holds types that are not trusted: {', '.join(unknown)}")
    return skops.io.load(path, trusted=[])


def predict(csv_path: Path, artefacts: Path = ARTEFACTS, limit: int | None = None) -> list[Prediction]:
    """Predict the first `limit` cases of `csv_path`.

    Raises:
        KeyError: the file lacks a feature.
        ValueError: a value is not a number, or the model is not trusted.
    """
    description = json.loads((artefacts / "features.json").read_text(encoding="utf-8"))
    threshold = json.loads((artefacts / "metrics.json").read_text(encoding="utf-8"))["threshold_ppm"]
    features = description["features"]
    with csv_path.open(encoding="utf-8", newline="") as lines:
        rows = [[float(row[feature["name"]]) for feature in features] for row in csv.DictReader(lines)][
            :limit
        ]
    if not rows:
        return []
    scores = load_model(artefacts / "model.skops").predict_proba(np.array(rows))[:, 1]
    predictions: list[Prediction] = []
    for case, (row, score) in enumerate(zip(rows, scores.tolist(), strict=True), 1):
        outside = tuple(
            f["name"] for f, value in zip(features, row, strict=True) if not f["min"] <= value <= f["max"]
        )
        ppm = round(score * 1_000_000)
        predictions.append(Prediction(case, ppm, description["labels"][int(ppm >= threshold)], outside))
    return predictions


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    parser = argparse.ArgumentParser(description="Predict from a CSV file.")
    parser.add_argument("csv", type=Path, help="file with a header and one case a line")
    parser.add_argument("--limit", type=int, help="predict only the first cases")
    options = parser.parse_args(arguments)
    try:
        predictions = predict(options.csv, limit=options.limit)
    except KeyError as error:
        parser.error(f"{options.csv} has no column {error}; the first line must name every feature")
    except OSError as error:
        parser.error(str(error))
    except ValueError as error:
        parser.error(f"{options.csv}: {error}")
    for prediction in predictions:
        note = (
            f"  outside the range of training: {', '.join(prediction.outside)}" if prediction.outside else ""
        )
        share = prediction.malignant_ppm / 1e6
        print(f"case {prediction.case}: {prediction.call} (probability of malignant {share:.3f}){note}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
