"""What a scanner says of every file in a folder: `python bench/_scanners.py TOOL FOLDER`, in the tool's environment.

Prints JSON, file name to one word: `flag` (it would stop it), `review` (it would not, but says something), `error` (no
verdict), `skip` (it did not look), `clean`.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

Judge = Callable[[Path], str]


def ours() -> Judge:
    """Lockflight."""
    from lockflight.infra.allowlist import shipped_allow_list
    from lockflight.scan.models import scan_source

    allow = shipped_allow_list()
    words = {"safe": "clean", "review": "review", "unknown": "error", "malicious": "flag"}

    class Opened:
        def __init__(self, path: Path) -> None:
            self.name, self.size, self._file = path.name, path.stat().st_size, path.open("rb")

        def read_at(self, offset: int, n: int) -> bytes:
            self._file.seek(offset)
            return self._file.read(n)

    return lambda path: words[scan_source(Opened(path), allow).verdict.value]


def picklescan() -> Judge:
    """picklescan: dangerous globals stop, suspicious ones do not."""
    from picklescan.scanner import SafetyLevel, scan_file_path

    def judge(path: Path) -> str:
        found = scan_file_path(str(path))
        levels = {one.safety for one in found.globals}
        if SafetyLevel.Dangerous in levels:
            return "flag"
        if found.scan_err:
            return "error"
        if not found.scanned_files:
            return "skip"
        return "review" if SafetyLevel.Suspicious in levels else "clean"

    return judge


def fickling() -> Judge:
    """fickling: anything worse than likely safe stops."""
    from fickling.analysis import Severity, check_safety
    from fickling.fickle import StackedPickle

    def judge(path: Path) -> str:
        with path.open("rb") as stream:
            pickles = StackedPickle.load(stream)
        return (
            "flag" if any(check_safety(one).severity > Severity.LIKELY_SAFE for one in pickles) else "clean"
        )

    return judge


def modelscan() -> Judge:
    """modelscan: issues stop; what it skips it passes."""
    from modelscan.modelscan import ModelScan

    def judge(path: Path) -> str:
        found = ModelScan().scan(path)
        if found["summary"]["total_issues"]:
            return "flag"
        if found.get("errors"):
            return "error"
        return "skip" if found["summary"]["skipped"]["total_skipped"] else "clean"

    return judge


def modelaudit() -> Judge:
    """modelaudit: critical issues stop, warnings are said."""
    from modelaudit.core import scan_model_directory_or_file

    def judge(path: Path) -> str:
        found = scan_model_directory_or_file(str(path))
        levels = {str(getattr(one.severity, "value", one.severity)) for one in found.issues}
        if "critical" in levels:
            return "flag"
        if not getattr(found, "success", True):
            return "error"
        return "review" if "warning" in levels else "clean"

    return judge


TOOLS = {
    "lockflight": ours,
    "picklescan": picklescan,
    "fickling": fickling,
    "modelscan": modelscan,
    "modelaudit": modelaudit,
}


def main(tool: str, folder: Path) -> int:
    """Judge them all."""
    os.environ.update(PROMPTFOO_DISABLE_TELEMETRY="1", NO_ANALYTICS="1")
    judge = TOOLS[tool]()
    said = {}
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        try:
            with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
                word = judge(path)
        except Exception:  # noqa: BLE001 - whatever a peer raises is no verdict
            word = "error"
        said[str(path.relative_to(folder))] = word
    print(json.dumps(said))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], Path(sys.argv[2])))
