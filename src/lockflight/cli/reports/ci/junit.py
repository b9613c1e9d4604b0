"""A decision as JUnit XML: a test case for each rule and term, and for each subject of each check.

A rule that failed is a failure; what is missing, stale or unfinished is an error, since nothing is known about it; what
was waived or does not apply is skipped.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from lockflight.app.gate.judge import EVIDENCE_CODES
from lockflight.cli.lines.rules import human_ages, measured
from lockflight.cli.reports.visible import plain

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lockflight.cli.reports.record import EvidenceRow, Failure, Report
    from lockflight.core.findings import Finding

MOST_FINDINGS = 100


def junit(report: Report) -> str:
    """The whole document."""
    name = f"lockflight.{report.environment}"
    root = ET.Element("testsuites", {"name": f"{plain(report.release)} for {plain(report.environment)}"})
    _suite(root, f"{name}.rules", report.decided_at, _rules(report))
    _suite(root, f"{name}.checks", report.decided_at, [_check(row) for row in report.evidence])
    for key in ("tests", "failures", "errors", "skipped"):
        root.set(key, str(sum(int(suite.get(key, "0")) for suite in root)))
    root.set("time", "0")
    ET.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _suite(root: ET.Element, name: str, at: str, cases: Iterable[ET.Element]) -> None:
    suite = ET.SubElement(root, "testsuite", {"name": plain(name)})
    for case in cases:
        case.set(
            "classname", plain(name if case.get("classname") is None else f"{name}.{case.get('classname')}")
        )
        suite.append(case)
    suite.set("tests", str(len(suite)))
    for key, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        suite.set(key, str(sum(case.find(tag) is not None for case in suite)))
    suite.set("time", "0")
    suite.set("timestamp", at.removesuffix("Z"))


def _case(name: str, classname: str | None = None) -> ET.Element:
    case = ET.Element("testcase", {"name": plain(name), "time": "0"})
    if classname is not None:
        case.set("classname", classname)
    return case


def _rules(report: Report) -> Iterable[ET.Element]:
    for row in report.failures:
        case = _case(f"{row.said.code} {row.said.rule} {row.said.term}".strip())
        tag = "error" if row.said.code in EVIDENCE_CODES else "failure"
        said = ET.SubElement(case, tag, {"message": plain(human_ages(row.said.msg)), "type": row.said.code})
        said.text = "\n".join(_about(row))
        yield case
    for waived in report.waived:
        case = _case(f"{waived.code} {waived.title} {waived.term}".strip())
        until = f" until {waived.until}" if waived.until else ""
        ET.SubElement(case, "skipped", {"message": plain(f"waived by {waived.by or waived.waiver}{until}")})
        yield case
    for row in report.warnings:
        case = _case(f"{row.said.code} {row.said.rule} {row.said.term}".strip())
        ET.SubElement(case, "system-out").text = "\n".join((plain(human_ages(row.said.msg)), *_about(row)))
        yield case
    for passed in report.passed:
        yield _case(f"{passed.said.code} {passed.said.rule} {passed.said.term}".strip())
    for code in report.skipped:
        case = _case(code)
        ET.SubElement(case, "skipped", {"message": "does not apply here"})
        yield case


def _about(row: Failure) -> Iterable[str]:
    value, threshold = measured(row.said)
    yield plain(f"measured: {value}; demanded: {threshold}")
    if row.said.solution:
        yield plain(f"fix: {row.said.solution}")
    if row.command:
        yield plain(f"do: {row.command}")
    if row.said.evidence:
        yield f"evidence: {', '.join(row.said.evidence)}"
    yield from _listed(row.findings)


def _check(row: EvidenceRow) -> ET.Element:
    case = _case(f"{row.check} of {row.subject}", row.check)
    if not row.complete:
        ET.SubElement(case, "error", {"message": plain(row.reason), "type": "incomplete"})
    if row.findings:
        ET.SubElement(case, "system-out").text = "\n".join(_listed(row.findings))
    return case


def _listed(findings: tuple[Finding, ...]) -> Iterable[str]:
    for f in findings[:MOST_FINDINGS]:
        place = f.asset + (f":{f.location.line}" if f.location.line else "")
        yield plain(f"{f.severity.value} {f.code} {place} {f.message}")
    if len(findings) > MOST_FINDINGS:
        yield f"and {len(findings) - MOST_FINDINGS} more"
