"""The command line starts fast: `lockflight --help` and `--version` cost at most 3 times a bare interpreter.

The peer is Python itself (`python -c pass`), the floor that nothing written in Python can go below.
"""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench._common import arguments, at_most, child, finish, interleaved

LIMIT = 3.0


def main() -> int:
    """Measure and report."""
    rounds = 7 if arguments(__doc__).quick else 41
    command = Path(sys.executable).with_name("lockflight")
    if "usage" not in child([command, "--help"]).output.lower():
        raise RuntimeError("lockflight --help printed no usage line")
    cost = interleaved(
        {
            "bare": partial(child, [sys.executable, "-c", "pass"]),
            "help": partial(child, [command, "--help"]),
            "version": partial(child, [command, "--version"]),
        },
        rounds,
    )
    peer = "python -c pass"
    return finish(
        at_most("CPU of lockflight --help", cost["help"].cpu / cost["bare"].cpu, LIMIT, peer),
        at_most("CPU of lockflight --version", cost["version"].cpu / cost["bare"].cpu, LIMIT, peer),
    )


if __name__ == "__main__":
    sys.exit(main())
