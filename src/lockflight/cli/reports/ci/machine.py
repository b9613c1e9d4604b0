"""Findings of a decision in the forms that code hosts read: GitLab's Code Quality report, and SARIF."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import lockflight
from lockflight.app.explain import entries
from lockflight.cli.reports.problems import problems
from lockflight.cli.reports.visible import plain
from lockflight.cli.style import json_text
from lockflight.core.findings import Severity
from lockflight.core.sarif import RuleText, Unread, sarif

if TYPE_CHECKING:
    from lockflight.cli.reports.record import Report

_SEVERITIES = {
    Severity.CRITICAL: "blocker",
    Severity.HIGH: "critical",
    Severity.MEDIUM: "major",
    Severity.LOW: "minor",
    Severity.INFO: "info",
}


def code_quality(report: Report, prefix: str) -> str:
    """GitLab's Code Quality report: a list of issues.

    Args:
        report: the decision.
        prefix: what stands before the name of an asset in the repository, such as `models/`.
    """
    return json_text(
        [
            {
                "description": plain(" ".join(filter(None, (p.finding.message, p.finding.fix)))),
                "check_name": p.finding.code,
                "fingerprint": p.fingerprint,
                "severity": _SEVERITIES[p.finding.severity],
                "location": {
                    "path": prefix + p.finding.asset,
                    "lines": {"begin": max(1, p.finding.location.line)},
                },
            }
            for p in problems(report)
        ]
    )


def sarif_text(report: Report, prefix: str) -> str:
    """SARIF 2.1.0; rules that failed without a finding stand at the manifest, unfinished checks are notifications."""
    found = problems(report)
    rules = {
        code: RuleText(e.title, e.why, e.fix) for code, e in (*entries("2").items(), *entries("4").items())
    }
    document = sarif(
        [replace(p.finding, asset=prefix + p.finding.asset) for p in found if not p.unfinished],
        version=lockflight.__version__,
        rules=rules,
        unread=[Unread(prefix + p.finding.asset, p.finding.message) for p in found if p.unfinished],
    )
    return json_text(document)
