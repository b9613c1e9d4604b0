"""Scans every template of `tests.corpus.template_bombs` in one process and writes down what that cost, as JSON.

Run as a program of its own, so that the memory is that of the scans alone.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from lockflight.core.source import BytesSource
from lockflight.formats.render import meter
from lockflight.formats.settings import jsontext
from lockflight.infra.allowlist import shipped_allow_list
from lockflight.scan.models import scan_source
from tests.corpus.template_bombs import BOMBS, LARGE


class Watched(meter.Meter):
    """A meter that knows how large the largest value was, and whether anything went on after its end."""

    __slots__ = ("largest", "late")
    made_last: Watched

    def __init__(self, left: int | None = None) -> None:
        super().__init__(left)
        self.largest = self.late = 0
        Watched.made_last = self

    def step(self, units: int = 1) -> None:
        self.late += self.left < 0
        super().step(units)

    def made(self, value: object) -> None:
        self.largest = max(self.largest, meter.weighed(value))
        super().made(value)


def main() -> None:
    jsontext.Meter = Watched  # type: ignore[misc]
    allow = shipped_allow_list()
    found = {}
    for name, template in {**BOMBS, **LARGE}.items():
        source = BytesSource(json.dumps({"chat_template": template}).encode(), "tokenizer_config.json")
        report = scan_source(source, allow)
        watched = Watched.made_last
        rules = sorted({finding.rule for finding in report.findings})
        found[name] = [report.verdict.value, rules, watched.left, watched.late, watched.largest]
    status = Path("/proc/self/status")
    lines = status.read_text(encoding="utf-8").splitlines() if status.exists() else []
    memory = next((int(line.split()[1]) for line in lines if line.startswith("VmHWM:")), 0)
    json.dump({"found": found, "memory": memory}, sys.stdout)


if __name__ == "__main__":
    main()
