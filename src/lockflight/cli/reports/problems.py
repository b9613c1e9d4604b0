"""What CI systems mark in a change: one problem for each finding, failed rule and unfinished check."""

from __future__ import annotations

import hashlib
from enum import StrEnum
from typing import TYPE_CHECKING

from lockflight.cli.lines.rules import first_steps, human_ages
from lockflight.core.findings import Finding, Location, Severity
from lockflight.core.records import dataclass
from lockflight.core.release.release import MANIFEST_NAME

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lockflight.cli.reports.record import EvidenceRow, Failure, Report


class Level(StrEnum):
    """How a problem is marked; an error is one that the verdict rests on."""

    ERROR = "error"
    WARNING = "warning"
    NOTICE = "notice"


@dataclass(frozen=True, slots=True)
class Problem:
    """One problem.

    Attributes:
        level: how it is marked.
        finding: what and where; for a rule without findings and a check that did not finish, the manifest stands
            for the release.
        fingerprint: stable across runs, and of no other problem of the report.
        unfinished: a check that did not finish, of which nothing is known.
    """

    level: Level
    finding: Finding
    fingerprint: str
    unfinished: bool = False


def problems(report: Report) -> list[Problem]:
    """Every problem of a report, those first that the verdict rests on, each once."""
    found: dict[str, Problem] = {}
    rows = (
        *_of_rules(report.failures, Level.ERROR),
        *_unfinished(report),
        *_of_rules(report.warnings, Level.WARNING),
        *_others(report),
    )
    for problem in rows:
        found.setdefault(problem.fingerprint, problem)
    return list(found.values())


def _of_rules(rows: Iterable[Failure], level: Level) -> Iterable[Problem]:
    told: set[str] = set()
    for row in rows:
        new = [f for f in row.findings if f.fingerprint not in told]
        told.update(f.fingerprint for f in new)
        for finding in new:
            yield Problem(level, finding, finding.fingerprint)
        if not row.findings:
            said = row.said
            yield _about_release(
                level,
                said.code,
                said.severity,
                f"{row.title}: {human_ages(said.msg)}",
                said.solution,
                said.term,
            )


def _unfinished(report: Report) -> Iterable[Problem]:
    names = {asset.name for asset in report.assets}
    for row in report.evidence:
        if not row.complete:
            finding = Finding(
                "LF4103",
                row.check,
                Severity.HIGH,
                row.subject if row.subject in names else MANIFEST_NAME,
                f"The check {row.check} of {row.subject} did not finish: {row.reason}.",
                _again(row),
            )
            key = _key("unfinished", row.check, row.subject)
            yield Problem(Level.ERROR, finding, key, unfinished=True)


def _again(row: EvidenceRow) -> str:
    first = " && ".join(first_steps(row.check, [row.reason]))
    return f"{f'First: {first}. ' if first else ''}Run it again; what a check did not look at is not known to be good."


def _others(report: Report) -> Iterable[Problem]:
    for row in report.evidence:
        for finding in row.findings:
            loud = finding.severity in {Severity.CRITICAL, Severity.HIGH, Severity.MEDIUM}
            yield Problem(Level.WARNING if loud else Level.NOTICE, finding, finding.fingerprint)


def _about_release(level: Level, code: str, severity: Severity, message: str, fix: str, term: str) -> Problem:
    finding = Finding(code, code, severity, MANIFEST_NAME, message, fix, location=Location(line=1))
    return Problem(level, finding, _key("rule", code, term))


def _key(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode("utf-8", "backslashreplace")).hexdigest()[:32]
