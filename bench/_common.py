"""What the scripts of this folder share: fair measuring, peers, and one way to report.

A script checks the claims of its docstring: us and the peer on the same input, interleaved, what both print
asserted equal in meaning before anything is timed, reported as a ratio (machines are noisy; an absolute time
proves nothing). Each takes `--quick` (under a minute), prints its table, and ends with one line of JSON; it
exits 0 when every claim holds. A goal that is missed stays in the table, with its cause.

    from bench._common import Claim, arguments, finish, interleaved
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True, slots=True)
class Claim:
    """One line of the table: what is claimed, what was seen, and against whom."""

    claim: str
    value: float
    goal: str
    peer: str
    holds: bool
    cause: str = ""


@dataclass(frozen=True, slots=True)
class Cost:
    """What one run of a command took: CPU seconds of the child and its peak memory in MiB."""

    cpu: float
    memory: float
    output: str


def arguments(documentation: str | None) -> argparse.Namespace:
    """The command line of every script; `quick` asks for a run of under a minute."""
    parser = argparse.ArgumentParser(
        description=documentation, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="fewer rounds or smaller input, under a minute")
    return parser.parse_args()


def at_most(claim: str, value: float, limit: float, peer: str, *, unit: str = "x", cause: str = "") -> Claim:
    """A claim that holds while the value does not exceed its limit."""
    return Claim(claim, round(value, 3), f"<= {limit:g} {unit}", peer, value <= limit, cause)


def at_least(claim: str, value: float, limit: float, peer: str, *, unit: str = "x", cause: str = "") -> Claim:
    """A claim that holds while the value reaches its limit."""
    return Claim(claim, round(value, 3), f">= {limit:g} {unit}", peer, value >= limit, cause)


def child(command: Sequence[str | Path], *, expect: int = 0, cwd: Path = ROOT) -> Cost:
    """Run a command to its end; an unexpected exit code is an error, so that no crash is ever timed."""
    process = subprocess.Popen(
        [str(part) for part in command],
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    output = process.stdout.read() if process.stdout else ""
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != expect:
        raise RuntimeError(f"{command[0]} exited {process.returncode}, not {expect}:\n{output}")
    kibibytes = usage.ru_maxrss / (1024 if sys.platform == "darwin" else 1)
    return Cost(usage.ru_utime + usage.ru_stime, kibibytes / 1024, output)


def interleaved(sides: dict[str, Callable[[], Cost]], rounds: int) -> dict[str, Cost]:
    """Run each side in turn, round after round; per side the median CPU and memory, and its last output.

    A first round that is not counted warms caches up.
    """
    seen: dict[str, list[Cost]] = {name: [] for name in sides}
    for number in range(rounds + 1):
        for name, run in sides.items():
            cost = run()
            if number:
                seen[name].append(cost)
    return {
        name: Cost(
            statistics.median(cost.cpu for cost in costs),
            statistics.median(cost.memory for cost in costs),
            costs[-1].output,
        )
        for name, costs in seen.items()
    }


def peer_python(name: str, *pinned: str) -> Path | None:
    """The interpreter of an environment `.venv-bench-NAME` with these packages; None is named as missing."""
    folder = ROOT / f".venv-bench-{name}"
    python, stamp = folder / "bin" / "python", folder / "pinned.json"
    if stamp.is_file() and json.loads(stamp.read_text(encoding="utf-8")) == list(pinned):
        return python
    for command in (
        [sys.executable, "-m", "venv", "--clear", folder],
        [python, "-m", "pip", "install", "--quiet", *pinned],
    ):
        done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False)
        if done.returncode:
            print(f"missing: the peer {name} could not be installed: {done.stderr.strip().splitlines()[-1:]}")
            return None
    stamp.write_text(json.dumps(pinned), encoding="utf-8")
    return python


def finish(*claims: Claim) -> int:
    """Print the table and the line of JSON; the script's exit code."""
    rows = [("", "claim", "value", "goal", "peer")]
    rows += [("ok" if c.holds else "MISSED", c.claim, f"{c.value:g}", c.goal, c.peer) for c in claims]
    widths = [max(len(row[column]) for row in rows) for column in range(5)]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    for claim in claims:
        if claim.cause and not claim.holds:
            print(f"cause of {claim.claim!r}: {claim.cause}")
    found = [asdict(claim) for claim in claims]
    print(json.dumps(found[0] if len(found) == 1 else found, sort_keys=True))
    return 0 if claims and all(claim.holds for claim in claims) else 1
