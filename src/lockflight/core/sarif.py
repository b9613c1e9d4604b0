"""Findings as SARIF 2.1.0 (OASIS Static Analysis Results Interchange Format), for code hosts and editors. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from lockflight.core.findings import Severity
from lockflight.core.records import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from lockflight.core.canonical import JsonObject, JsonValue
    from lockflight.core.findings import Finding

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
HOME = "https://lockflight.dev/"

_LEVELS = {
    Severity.CRITICAL: "error",
    Severity.HIGH: "error",
    Severity.MEDIUM: "warning",
    Severity.LOW: "note",
    Severity.INFO: "note",
}
#: What code hosts sort by: a number from 0 to 10 as text, after the bands of CVSS.
_SCORES = {
    Severity.CRITICAL: "9.5",
    Severity.HIGH: "8.0",
    Severity.MEDIUM: "5.5",
    Severity.LOW: "2.0",
    Severity.INFO: "0.0",
}


@dataclass(frozen=True, slots=True)
class RuleText:
    """What is said about a code: a title, why it matters, what to do."""

    title: str
    why: str
    fix: str


@dataclass(frozen=True, slots=True)
class Unread:
    """A file that was not analysed, and why."""

    name: str
    reason: str


def sarif(
    findings: Iterable[Finding],
    *,
    version: str,
    rules: Mapping[str, RuleText],
    unread: Sequence[Unread] = (),
) -> JsonObject:
    """One run with one result for each finding; files that were not analysed make the run unsuccessful.

    Args:
        findings: their assets are paths relative to the folder that was scanned.
        version: of Lockflight.
        rules: code to its text.
        unread: what was not analysed.
    """
    found = list(findings)
    codes = sorted({f.code for f in found})
    return {
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "lockflight",
                        "version": version,
                        "informationUri": HOME,
                        "rules": [_rule(code, rules.get(code), found) for code in codes],
                    }
                },
                "columnKind": "unicodeCodePoints",
                "invocations": [
                    {
                        "executionSuccessful": not unread,
                        "toolExecutionNotifications": [_notification(item) for item in unread],
                    }
                ],
                "results": [_result(f, codes.index(f.code)) for f in found],
            }
        ],
    }


def _rule(code: str, text: RuleText | None, findings: Iterable[Finding]) -> JsonObject:
    order = tuple(Severity)
    worst = min((f.severity for f in findings if f.code == code), key=order.index)
    ids = sorted({i for f in findings if f.code == code for i in f.ids})
    rule: JsonObject = {
        "id": code,
        "helpUri": f"{HOME}docs/errors#{code.lower()}",
        "defaultConfiguration": {"level": _LEVELS[worst]},
        "properties": {"security-severity": _SCORES[worst], "tags": ["security", *ids]},
    }
    if text is not None:
        rule["shortDescription"] = {"text": text.title}
        rule["fullDescription"] = {"text": text.why}
        rule["help"] = {"text": text.fix}
    return rule


def _result(finding: Finding, rule_index: int) -> JsonObject:
    message = finding.message if not finding.fix else f"{finding.message} {finding.fix}"
    properties: JsonObject = {
        "severity": finding.severity.value,
        "confidence": finding.confidence.value,
        "rule": finding.rule,
        "ids": list(finding.ids),
    }
    if finding.location.offset >= 0:
        properties["offset"] = finding.location.offset
    return {
        "ruleId": finding.code,
        "ruleIndex": rule_index,
        "level": _LEVELS[finding.severity],
        "message": {"text": message},
        "locations": [_location(finding)],
        "partialFingerprints": {"lockflight/v1": finding.fingerprint},
        "properties": properties,
    }


def _location(finding: Finding) -> JsonObject:
    # Code hosts want a line; the offset into a file without lines stands in the properties of the result.
    region: JsonObject = {"startLine": max(1, finding.location.line)}
    place: JsonObject = {
        "physicalLocation": {"artifactLocation": {"uri": uri(finding.asset)}, "region": region}
    }
    if finding.location.member:
        logical: list[JsonValue] = [{"fullyQualifiedName": finding.location.member, "kind": "member"}]
        place["logicalLocations"] = logical
    return place


def _notification(item: Unread) -> JsonObject:
    return {
        "level": "error",
        "message": {"text": f"{item.name} was not analysed: {item.reason}"},
        "locations": [{"physicalLocation": {"artifactLocation": {"uri": uri(item.name)}}}],
    }


def uri(name: str) -> str:
    """A path as a relative or absolute URI reference (RFC 3986); a colon in its first part is escaped too."""
    escaped = quote(name.encode("utf-8", "surrogateescape"), safe="/~!$&'()*+,;=@-._")
    return f"file://{escaped}" if escaped.startswith("/") else escaped
