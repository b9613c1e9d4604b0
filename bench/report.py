"""Run every script of this folder and write what they found to `docs/performance.md`.

    python bench/report.py            every script, in full
    python bench/report.py --quick    every script's quick form (the page says so)

A goal that is missed stays in the table with its cause. Run it on a quiet machine; ratios are of paired rounds,
so they hold on any machine, absolute times would not.
"""

from __future__ import annotations

import json
import platform
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench._common import ROOT, arguments

SCRIPTS = (
    "startup",
    "hashing",
    "log",
    "scan_speed",
    "scan_quality",
    "policy",
    "load",
    "signing",
    "resign",
    "dataset",
)
PAGE = ROOT / "docs" / "performance.md"
HEAD = """\
# Performance

What Lockflight promises about speed, what was measured, and against whom. Every line comes from a script in
`bench/`, which runs us and the peer on the same input, in turns, and asserts that both said the same before
anything is timed. Values are ratios of processor time. A missed goal stays here with its cause.

Measure yourself: `python3 dev.py bench` runs every script; `python bench/report.py` writes this page.

"""


def main() -> int:
    """Run, write, and exit 0 when every script ran to its end, whether its goals hold or not."""
    quick = arguments(__doc__).quick
    rows = []
    broken = 0
    for name in SCRIPTS:
        command = [sys.executable, str(ROOT / "bench" / f"{name}.py"), *(["--quick"] if quick else [])]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        try:
            found = json.loads(done.stdout.strip().splitlines()[-1])
        except (IndexError, ValueError):
            print(f"{name}: no result\n{done.stdout}{done.stderr}")
            broken = 1
            continue
        for claim in found if isinstance(found, list) else [found]:
            print(f"{name}: {claim['claim']} {claim['value']} ({claim['goal']}) holds: {claim['holds']}")
            rows.append((f"`bench/{name}.py`", claim))
    if broken:
        print(f"{PAGE.name} stays as it is: it is written whole or not at all")
    else:
        PAGE.write_text(HEAD + _table(rows, quick=quick), encoding="utf-8")
    return broken


def _table(rows: list[tuple[str, dict[str, object]]], *, quick: bool) -> str:
    day = datetime.now(tz=UTC).date().isoformat()
    form = "the quick forms" if quick else "the full forms"
    lines = [
        f"Measured {day} with {form} on CPython {platform.python_version()}, {platform.machine()}.",
        "",
        "| claim | measured | goal | peer | holds | script |",
        "|---|---|---|---|---|---|",
    ]
    for script, claim in rows:
        holds = "yes" if claim["holds"] else "**no** (`holds: false`)"
        cells = (claim["claim"], claim["value"], claim["goal"], claim["peer"], holds, script)
        lines.append("| " + " | ".join(str(c) for c in cells) + " |")
    missed = [claim for _, claim in rows if not claim["holds"]]
    if missed:
        lines += ["", "## Missed, and why", ""]
        lines += [f"- **{c['claim']}**: {c['cause'] or 'not understood yet'}." for c in missed]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
