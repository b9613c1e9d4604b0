"""What both examples need to assemble a workspace, and the two real reasons for denial that `--first-try` plants."""

from __future__ import annotations

import argparse
import base64
import hashlib
import importlib.util
import json
import pickle
import shutil
import sys
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

_BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_TOKEN_BODY = 30
_CACHES = shutil.ignore_patterns("__pycache__", "*.pyc", ".*_cache", ".DS_Store")


def run(
    files: Callable[[Path, bool], None],
    build: Callable[[Path], None],
    what: str,
    arguments: Sequence[str] | None = None,
) -> int:
    """The command line of a `prepare.py`.

    Args:
        files: `files(out, first_try)` fills the empty folder `out` with all that is not made there.
        build: `build(out)` makes the rest in it.
        what: the example, for people.
        arguments: instead of those of the process.
    """
    parser = argparse.ArgumentParser(description=f"Assemble the workspace of {what}.")
    parser.add_argument(
        "--out", type=Path, required=True, help="folder to make; it must be empty or not there yet"
    )
    parser.add_argument("--first-try", action="store_true", help="with the mistake that must be denied")
    parser.add_argument(
        "--files",
        action="store_true",
        help="only the files; the build step runs later, such as under `record`",
    )
    options = parser.parse_args(arguments)
    out: Path = options.out.resolve()
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        stop(f"{out} is not an empty folder", "Name another one, or remove it first.")
    files(out, options.first_try)
    if not options.files:
        build(out)
    print(f"{what} is ready in {out}")
    return 0


def stop(problem: str, remedy: str) -> NoReturn:
    """Say what happened and what to do, and end with exit code 2."""
    print(f"{problem}. {remedy}", file=sys.stderr)
    raise SystemExit(2)


def copy(source: Path, names: Iterable[str], out: Path) -> None:
    """Copy the files and folders `names` of `source` into `out`, without caches."""
    out.mkdir(parents=True, exist_ok=True)
    for name in names:
        if (source / name).is_dir():
            shutil.copytree(source / name, out / name, ignore=_CACHES)
        else:
            shutil.copy2(source / name, out / name)


def package_folder(module: str, distribution: str) -> Path:
    """Where an installed package lies, found without importing it: its code is not wanted, only its files."""
    spec = importlib.util.find_spec(module)
    if spec is None or not spec.submodule_search_locations:
        stop(f"The package {distribution} is not installed", "Run `python3 dev.py demo`, which installs it.")
    return Path(next(iter(spec.submodule_search_locations)))


class _Tone:
    # pickle stores the call that __reduce__ names; whoever loads the file makes that call. `true` does nothing.
    def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
        import os

        return os.system, ("true",)


def plant_adapter(out: Path) -> None:
    """Add `adapters/tone.pkl`, an "adapter" that runs a (harmless) command when it is loaded, to the release."""
    (out / "adapters").mkdir()
    (out / "adapters" / "tone.pkl").write_bytes(pickle.dumps({"scale": 0.25, "tone": _Tone()}, protocol=4))
    rule = '\n[[assets]]\nrole = "adapter"\nfiles = ["adapters/tone.pkl"]\n'
    with (out / "lockflight.toml").open("a", encoding="utf-8") as manifest:
        manifest.write(rule)


def plant_token(notebook: Path) -> None:
    """Put an access token into the output of the last cell, as happens when somebody prints an environment."""
    document = json.loads(notebook.read_text(encoding="utf-8"))
    line = f"uploading figures with token {fake_token()}\n"
    document["cells"][-1]["outputs"].append({"name": "stdout", "output_type": "stream", "text": [line]})
    notebook.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def fake_token() -> str:
    """A token in the form of a well-known code host, checksum included; it opens nothing.

    It is put together here, so that no scanner finds one in this repository.
    """
    seed = base64.b64encode(hashlib.sha256(b"an example, not a key").digest()).decode("ascii")
    body = "".join(char for char in seed if char.isalnum())[:_TOKEN_BODY]
    rest, check = zlib.crc32(body.encode("ascii")), ""
    while rest:
        rest, digit = divmod(rest, len(_BASE62))
        check = _BASE62[digit] + check
    return "_".join(("ghp", body + check.rjust(6, "0")))
