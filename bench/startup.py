"""The command line starts fast, and an offline verification costs little more than starting.

`lockflight --help` and `--version` cost at most 3 times a bare interpreter, and `lockflight verify` of a signed
package of five files (key method, trust, log and every file checked) at most 12 times. Beside them: what other
Python tools of the field pay for `--help` alone, each in an environment of its own.
"""

from __future__ import annotations

import os
import sys
import tempfile
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench._common import Cost, arguments, at_most, child, finish, interleaved, peer_python

START_LIMIT = 3.0
VERIFY_LIMIT = 12.0
#: name -> (command in the environment's bin folder, arguments, pinned packages)
PEERS = {
    "sigstore": ("sigstore", ("--help",), ("sigstore==4.5.1",)),
    "model_signing": ("model_signing", ("--help",), ("model-signing==1.1.1", "pyOpenSSL")),
    "inspect": ("inspect", ("--help",), ("inspect-ai==0.3.285",)),
}


def main() -> int:
    """Measure and report."""
    quick = arguments(__doc__).quick
    command = Path(sys.executable).with_name("lockflight")
    with tempfile.TemporaryDirectory() as scratch:
        package = _package(command, Path(scratch))
        if "verified" not in child([command, "verify", package]).output.lower():
            raise RuntimeError("lockflight verify did not say that the package is verified")
        cost = interleaved(
            {
                "bare": partial(child, [sys.executable, "-c", "pass"]),
                "help": partial(child, [command, "--help"]),
                "version": partial(child, [command, "--version"]),
                "verify": partial(child, [command, "verify", package]),
            },
            7 if quick else 41,
        )
    bare = cost["bare"].cpu
    for name, (program, words, pinned) in PEERS.items():
        peer = _peer(name, program, words, pinned, 3 if quick else 9)
        if peer is not None:
            print(f"{program} {' '.join(words)}: {peer.cpu / bare:.1f} x bare, {peer.memory:.0f} MiB")
    python = "python -c pass"
    return finish(
        at_most("CPU of lockflight --help", cost["help"].cpu / bare, START_LIMIT, python),
        at_most("CPU of lockflight --version", cost["version"].cpu / bare, START_LIMIT, python),
        at_most(
            "CPU of lockflight verify, 5 files",
            cost["verify"].cpu / bare,
            VERIFY_LIMIT,
            python,
            cause="nine tenths are imports: elliptic curves of cryptography, dataclasses, the fold's records",
        ),
    )


def _package(command: Path, scratch: Path) -> Path:
    os.environ["LOCKFLIGHT_HOME"] = str(scratch / "home")
    # As installed: nobody compiles the modules again for each command.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    folder = scratch / "work"
    folder.mkdir()
    for name in ("a.txt", "b.txt", "c.txt", "d.txt"):
        (folder / name).write_text(f"{name}\n", encoding="utf-8")
    (folder / "lockflight.toml").write_text(
        '[release]\nname = "five"\nversion = "1"\nkind = "dataset"\ntier = "minimal"\n\n'
        '[[assets]]\nrole = "dataset"\nfiles = ["*.txt"]\n',
        encoding="utf-8",
    )
    package = scratch / "package"
    child([command, "sign", folder, "--out", package])
    return package


def _peer(
    name: str, program: str, words: tuple[str, ...], pinned: tuple[str, ...], rounds: int
) -> Cost | None:
    python = peer_python(name, *pinned)
    if python is None:
        return None
    line = [python.with_name(program), *words]
    if "usage" not in child(line).output.lower():
        raise RuntimeError(f"{program} {' '.join(words)} printed no usage line")
    return interleaved({name: partial(child, line)}, rounds)[name]


if __name__ == "__main__":
    sys.exit(main())
