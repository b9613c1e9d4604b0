"""Assembles the tumour classifier: `python prepare.py --out DIR [--first-try]`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

import assemble  # noqa: E402 - the folder above is not a package

COMMITTED = [
    "notebooks",
    "tests",
    "LICENCES.md",
    "README.md",
    "lockflight.toml",
    "model_card.md",
    "predict.py",
    "requirements.in",
    "requirements.txt",
    "train.py",
]
FIGURES = "<!-- figures -->"


def prepare(out: Path, first_try: bool) -> None:  # noqa: FBT001 - called by assemble.run alone
    """Fill `out`: committed files, the trained model and its data, and the figures in the model card."""
    assemble.package_folder("sklearn", "scikit-learn")
    assemble.package_folder("skops", "skops")
    assemble.copy(HERE, COMMITTED, out)
    training = subprocess.run(
        [sys.executable, "-B", "train.py"], cwd=out, check=True, stdout=subprocess.PIPE, encoding="utf-8"
    )
    card = out / "model_card.md"
    card.write_text(
        card.read_text(encoding="utf-8").replace(FIGURES, training.stdout.strip()), encoding="utf-8"
    )
    if first_try:
        assemble.plant_token(out / "notebooks" / "explore.ipynb")


if __name__ == "__main__":
    sys.exit(assemble.run(prepare, "the tumour classifier"))
