"""Scans every file of a folder and writes one line of canonical JSON for each: `report_child.py FOLDER OUTPUT`.

It also runs where only the standard library is, in a Python that was built for another machine. There some builds lack
a module that one format needs; such a file has no verdict then, and its line says which module it was.
"""

from __future__ import annotations

import sys
from pathlib import Path


def main(folder: str, output: str) -> None:
    from lockflight.core.canonical import dumps
    from lockflight.core.source import BytesSource
    from lockflight.infra.allowlist import shipped_allow_list
    from lockflight.scan.models import scan_source

    allow = shipped_allow_list()
    with Path(output).open("wb") as out:
        for path in sorted(Path(folder).iterdir()):
            name = path.name.partition("@")[2]
            try:
                found = scan_source(BytesSource(path.read_bytes(), name), allow)
            except ModuleNotFoundError as error:
                out.write(dumps({"file": path.name, "lacks": str(error.name)}) + b"\n")
                continue
            line = {
                "file": path.name,
                "verdict": found.verdict.value,
                "media_type": found.media_type,
                "opcodes": found.opcodes,
                "judged": found.judged,
                "size": found.size,
                "over_budget": found.over_budget,
                "findings": [finding.to_json() for finding in found.findings],
            }
            out.write(dumps(line) + b"\n")


if __name__ == "__main__":
    sys.path[:0] = sys.argv[3:]
    main(sys.argv[1], sys.argv[2])
