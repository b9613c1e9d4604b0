"""The `bandit` check: the rules of bandit, run as a child over copies of the Python files of a view.

Bandit sees a private folder with numbered files: no name, configuration or `# nosec` comment of the workspace has a
say. Its messages may quote what they complain about, so they are cut to what cannot hold a secret.
"""

from __future__ import annotations

import json
import re
import tempfile
from collections import Counter
from dataclasses import field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lockflight.core.attest.check import (
    PPM,
    CheckResult,
    Status,
    Tool,
    severity_summary,
)
from lockflight.core.findings import Confidence, Finding, Location, Severity
from lockflight.core.records import dataclass
from lockflight.errors import InvalidInput
from lockflight.formats import media
from lockflight.formats.notebook import parse_notebook
from lockflight.infra.command import run_command
from lockflight.infra.proc import MIB, Limits
from lockflight.infra.tools import describe
from lockflight.scan._text import capped, suffix
from lockflight.scan.declared import BANDIT
from lockflight.scan.python.source import MAX_BYTES, Unreadable, parse_cell

if TYPE_CHECKING:
    from lockflight.core.attest.check import CheckContext, Subject
    from lockflight.core.release.release import Asset
    from lockflight.core.source import ByteSource

LIMITS = Limits(cpu_s=1200, memory_bytes=2048 * MIB, wall_s=1800.0, output_bytes=64 * MIB)
_TEST_ID = re.compile(r"^B\d{3}$")
_QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"|`[^`]*`")
#: What may stay in a quoted part of a message: a dotted name.
_NAME = re.compile(r"^[A-Za-z_][\w.]{0,79}$")
_SEVERITIES = {
    "HIGH": Severity.HIGH,
    "MEDIUM": Severity.MEDIUM,
    "LOW": Severity.LOW,
    "UNDEFINED": Severity.MEDIUM,
}
_CONFIDENCES = {
    "HIGH": Confidence.HIGH,
    "MEDIUM": Confidence.MEDIUM,
    "LOW": Confidence.LOW,
    "UNDEFINED": Confidence.LOW,
}
#: Tests whose message quotes a password.
_QUOTE_SECRETS = frozenset({"B105", "B106", "B107"})


@dataclass(slots=True)
class _Copies:
    """The numbered copies, and what each stands for."""

    folder: Path
    places: dict[str, tuple[str, str]] = field(default_factory=dict)
    sizes: dict[str, int] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    total: int = 0
    unknown: int = 0

    def add(self, asset: str, member: str, data: bytes) -> None:
        """Copy one piece of Python."""
        name = f"f{len(self.places):06d}.py"
        (self.folder / name).write_bytes(data)
        self.places[name] = (asset, member)
        self.sizes[name] = len(data)
        self.total += len(data)

    def refuse(self, asset: str, member: str, size: int) -> None:
        """Count something that bandit does not judge."""
        self.total += size
        self.unknown += 1
        self.findings.append(
            Finding(
                code="LF2561",
                rule="bandit:unjudged",
                severity=Severity.MEDIUM,
                asset=asset,
                message="Bandit could not judge this code: it is no Python 3, too large or too deeply nested.",
                fix="Mend the syntax or split the file; see the finding of the check `code`.",
                location=Location(member=member),
            )
        )


class BanditCheck:
    """Bandit over the Python of a view (grain view, `software`)."""

    info = BANDIT

    def run(self, subject: Subject, ctx: CheckContext) -> CheckResult:
        """Run bandit over every Python file and Python cell of the view.

        Raises:
            EnvironmentProblem: LF5010 bandit is not installed, LF5016 its environment is broken, LF5050 no process
                can be started.
        """
        executable = ctx.tool("bandit")
        environment = describe(executable)
        tool = Tool("bandit", environment.version, environment.digest)
        # No name of the workspace, and no folder that others can read.
        with tempfile.TemporaryDirectory(prefix="lockflight-bandit-") as folder:
            copies = _Copies(Path(folder))
            for asset in subject.assets:
                _copy(asset, ctx.open(asset), copies)
            if not copies.places:
                return _result(tool, copies, judged=0)
            arguments = [
                "--quiet",
                "--format",
                "json",
                "--exit-zero",
                "--ignore-nosec",
                "--recursive",
                folder,
            ]
            outcome = run_command([executable, *arguments], limits=LIMITS, cwd=folder)
        if outcome.kind is not None:
            return _incomplete(tool, f"bandit was stopped: {outcome.detail}")
        if outcome.returncode not in {0, 1}:
            return _incomplete(tool, f"bandit ended with status {outcome.returncode}")
        try:
            skipped = _read_report(outcome.stdout, copies)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return _incomplete(tool, "bandit wrote no report that can be read")
        judged = sum(size for name, size in copies.sizes.items() if name not in skipped)
        return _result(tool, copies, judged=judged)


def _copy(asset: Asset, source: ByteSource, copies: _Copies) -> None:
    if suffix(asset.name) == ".ipynb" or asset.media_type == media.NOTEBOOK:
        _copy_cells(asset, source, copies)
    elif suffix(asset.name) in {".py", ".pyw"} or asset.media_type == media.PYTHON:
        if source.size > MAX_BYTES:
            copies.refuse(asset.name, "", source.size)
        else:
            copies.add(asset.name, "", source.read_at(0, source.size))


def _copy_cells(asset: Asset, source: ByteSource, copies: _Copies) -> None:
    try:
        notebook = parse_notebook(source)
    except InvalidInput:
        copies.refuse(asset.name, "", source.size)
        return
    if notebook.language != "python":
        return
    for cell in notebook.cells:
        if cell.kind != "code" or not cell.source.strip():
            continue
        member = f"cell {cell.index}"
        try:
            parsed = parse_cell(cell.source)
        except Unreadable:
            copies.refuse(asset.name, member, len(cell.source))
            continue
        if parsed.language == "python":
            copies.add(asset.name, member, parsed.text.encode("utf-8"))


def _read_report(report: bytes, copies: _Copies) -> set[str]:
    """Add the findings of bandit's JSON report; returns the copies that it could not judge.

    Raises:
        ValueError, KeyError, TypeError, AttributeError, RecursionError: it is no report about these copies.
    """
    document = json.loads(report)
    numbers: Counter[tuple[str, str, str]] = Counter()
    for raw in document["results"]:
        copies.findings.append(_finding(raw, copies, numbers))
    skipped = {Path(str(raw["filename"])).name for raw in document["errors"]}
    # Whatever the report does not count, bandit has not seen.
    skipped |= copies.places.keys() - {Path(str(name)).name for name in document["metrics"]}
    for name in sorted(skipped):
        asset, member = copies.places[name]
        size, copies.sizes[name] = copies.sizes[name], 0
        copies.total -= size
        copies.refuse(asset, member, size)
    return skipped


def _finding(raw: dict[str, Any], copies: _Copies, numbers: Counter[tuple[str, str, str]]) -> Finding:
    asset, member = copies.places[Path(str(raw["filename"])).name]
    test, line = str(raw["test_id"]), int(raw["line_number"])
    if not _TEST_ID.match(test):
        raise ValueError("not the id of a test")
    numbers[asset, member, test] += 1
    weakness = raw.get("issue_cwe")
    number = int(weakness["id"]) if isinstance(weakness, dict) and "id" in weakness else 0
    return Finding(
        code="LF2560",
        rule=f"bandit:{test}",
        severity=_SEVERITIES[raw["issue_severity"]],
        confidence=_CONFIDENCES[raw["issue_confidence"]],
        asset=asset,
        message=_message(test, str(raw["test_name"]), str(raw["issue_text"])),
        fix=f"See `bandit` {test} in bandit's documentation.",
        location=Location(member=member, line=line),
        ids=(f"CWE-{number}",) if number else (),
        salt=f"{test}#{numbers[asset, member, test]}",
    )


def _message(test: str, name: str, text: str) -> str:
    """Bandit's words without what they quote, unless that is a plain name."""
    title = name if _NAME.match(name) else test
    if test in _QUOTE_SECRETS:
        return f"{title}: a password seems to stand in the code."

    def shown(match: re.Match[str]) -> str:
        return match[0] if _NAME.match(match[0][1:-1]) else "'…'"

    plain = "".join(char if char.isprintable() else " " for char in _QUOTED.sub(shown, text))
    return f"{title}: {plain[:300]}"


def _result(tool: Tool, copies: _Copies, *, judged: int) -> CheckResult:
    return CheckResult(
        status=Status.COMPLETE,
        tool=tool,
        findings=capped(copies.findings, code="LF2562", rule="bandit:more"),
        summary=severity_summary(copies.findings) | {"files": len(copies.places), "unknown": copies.unknown},
        coverage_ppm=PPM if judged == copies.total else judged * PPM // copies.total,
    )


def _incomplete(tool: Tool, reason: str) -> CheckResult:
    return CheckResult(status=Status.INCOMPLETE, tool=tool, reason=reason, coverage_ppm=0)
