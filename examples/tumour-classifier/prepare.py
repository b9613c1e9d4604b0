"""Assembles the tumour classifier: `python prepare.py --out DIR [--files] [--first-try]`."""

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


def files(out: Path, first_try: bool) -> None:  # noqa: FBT001 - called by assemble.run alone
    """Fill `out` with the committed files."""
    assemble.package_folder("sklearn", "scikit-learn")
    assemble.package_folder("skops", "skops")
    assemble.copy(HERE, COMMITTED, out)
    if first_try:
        assemble.plant_token(out / "notebooks" / "explore.ipynb")


def build(out: Path) -> None:
    """Train in `out`: the model, its data, and the figures in the model card."""
    subprocess.run([sys.executable, "-B", "train.py", "--card", "model_card.md"], cwd=out, check=True)


if __name__ == "__main__":
    sys.exit(assemble.run(files, build, "the tumour classifier"))
