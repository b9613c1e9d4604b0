"""Predicts from a CSV file with the features of `train.csv`: `python predict.py artefacts/test.csv --limit 5`.

With `--env production` it runs only as a package that production holds, and each file is verified when it is loaded;
without it the files are believed as they lie in the folder, which is for whoever makes the release.

The model is read from its skops file, and only when every type in it is one that skops trusts: reading it can run no
code of others. The joblib file is a pickle, which `lockflight.load` does not read unless it is told to.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
import skops.io

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sklearn.pipeline import Pipeline

ROOT = Path(__file__).resolve().parent


class Files(Protocol):
    """Files by their names in the release."""

    def read(self, name: str) -> bytes:
        """All bytes of a file."""


class Workspace:
    """The files of this folder, believed as they lie there."""

    def read(self, name: str) -> bytes:
        """See `Files.read`."""
        return (ROOT / name).read_bytes()


def opened(environment: str | None) -> AbstractContextManager[Files]:
    """The package around this file, if an environment is named and holds it; else the folder.

    Raises:
        lockflight.errors.LockflightError: the package may not be loaded there.
    """
    if environment is None:
        return nullcontext(Workspace())
    import lockflight

    return lockflight.load(ROOT, environment=environment)


@dataclass(frozen=True, slots=True)
class Prediction:
    """One case: the probability of `malignant`, the call, and the features outside the range of training."""

    case: int
    malignant_ppm: int
    call: str
    outside: tuple[str, ...]


def load_model(data: bytes) -> Pipeline:
    """Read the model.

    Raises:
        ValueError: the bytes hold types that skops does not trust.
    """
    if unknown := skops.io.get_untrusted_types(data=data):
        raise ValueError(f"the model holds types that are not trusted: {', '.join(unknown)}")
    return skops.io.loads(data, trusted=[])


def predict(csv_path: Path, files: Files | None = None, limit: int | None = None) -> list[Prediction]:
    """Predict the first `limit` cases of `csv_path`.

    Raises:
        KeyError: the file lacks a feature.
        ValueError: a value is not a number, or the model is not trusted.
    """
    files = files or Workspace()
    description = json.loads(files.read("artefacts/features.json"))
    threshold = json.loads(files.read("artefacts/metrics.json"))["threshold_ppm"]
    features = description["features"]
    with csv_path.open(encoding="utf-8", newline="") as lines:
        rows = [[float(row[feature["name"]]) for feature in features] for row in csv.DictReader(lines)][
            :limit
        ]
    if not rows:
        return []
    scores = load_model(files.read("artefacts/model.skops")).predict_proba(np.array(rows))[:, 1]
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
    parser.add_argument("--env", metavar="NAME", help="load verified files of a release that NAME holds")
    options = parser.parse_args(arguments)
    try:
        with opened(options.env) as files:
            predictions = predict(options.csv, files, options.limit)
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
