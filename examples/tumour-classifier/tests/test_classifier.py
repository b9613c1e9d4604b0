"""Training and prediction: run in a prepared folder."""
# ruff: noqa: D103, S101

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import predict
import pytest

ROOT = Path(__file__).resolve().parent.parent


def test_training_again_writes_the_same_bytes(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-B", "train.py", "--out", tmp_path], cwd=ROOT, check=True)
    for path in sorted((ROOT / "artefacts").iterdir()):
        assert (tmp_path / path.name).read_bytes() == path.read_bytes(), path.name


def test_the_metrics_name_the_data_and_reach_what_the_card_promises() -> None:
    metrics = json.loads((ROOT / "artefacts" / "metrics.json").read_text())
    for name, digest in metrics["data_sha256"].items():
        assert hashlib.sha256((ROOT / "artefacts" / name).read_bytes()).hexdigest() == digest
    assert metrics["metrics_ppm"]["sensitivity"] >= 950_000
    assert metrics["metrics_ppm"]["roc_auc"] >= 980_000


def test_the_held_out_cases_are_not_in_the_training_data() -> None:
    training, held_out = (
        set((ROOT / "artefacts" / n).read_text().splitlines()[1:]) for n in ("train.csv", "test.csv")
    )
    assert not training & held_out


def test_predictions_of_the_held_out_cases_count_up_to_the_metrics() -> None:
    metrics = json.loads((ROOT / "artefacts" / "metrics.json").read_text())
    called = [p.call for p in predict.predict(ROOT / "artefacts" / "test.csv")]
    counts = metrics["counts"]
    assert called.count("malignant") == counts["true_positive"] + counts["false_positive"]


def test_a_case_outside_the_range_of_training_is_named(tmp_path: Path) -> None:
    header, case = (ROOT / "artefacts" / "test.csv").read_text().splitlines()[:2]
    odd = tmp_path / "odd.csv"
    odd.write_text(f"{header}\n" + ",".join(["9999.0", *case.split(",")[1:]]) + "\n")
    assert predict.predict(odd)[0].outside == ("mean_radius",)


def test_a_model_with_unknown_types_is_refused(tmp_path: Path) -> None:
    import skops.io

    path = tmp_path / "model.skops"
    skops.io.dump(predict.Prediction, path)
    with pytest.raises(ValueError, match="not trusted"):
        predict.load_model(path.read_bytes())
