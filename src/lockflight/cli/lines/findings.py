"""The findings behind the rules that failed: out of the facts that were judged, whether a check ran now or long ago."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockflight.cli.style import clean
from lockflight.core.attest.check import finding_from_json
from lockflight.core.shape import array, obj

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from lockflight.app.gate.judge import Judgement
    from lockflight.cli.style import Style
    from lockflight.core.canonical import JsonObject
    from lockflight.core.findings import Finding
    from lockflight.core.gate.gate import Decision
    from lockflight.core.gate.ruling import Violation
    from lockflight.core.gate.vsa import StoredDecision

MOST = 10
_ORDER = ("critical", "high", "medium", "low", "info")
#: Rules about evidence itself: what it found is not why they failed.
_ABOUT_EVIDENCE = frozenset({"LF4102", "LF4103", "LF4104", "LF4113", "LF4114"})
#: Rules that count findings of one code, and rules whose value counts the worst findings.
_ONE_CODE = {"LF4107": "LF2540"}
_COUNTED = frozenset({"LF4106"})


def behind(judgement: Judgement) -> dict[tuple[str, str], list[Finding]]:
    """Code and term of each failed rule to the findings in the evidence that it read, worst first, each once."""
    return behind_rules(obj(judgement.facts["evidence"]), judgement.decision)


def behind_rules(
    evidence: JsonObject, decision: Decision | StoredDecision
) -> dict[tuple[str, str], list[Finding]]:
    """As `behind`, out of the evidence of facts and what was decided on it."""
    by_envelope: dict[str, list[Finding]] = {}
    for rows in evidence.values():
        for row in map(obj, array(rows)):
            findings = [finding_from_json(obj(f)) for f in array(row.get("findings", []))]
            by_envelope.setdefault(str(row.get("digest", "")), []).extend(findings)
    return {
        (failed.code, failed.term): _of(failed, by_envelope)
        for failed in (*decision.violations, *decision.warnings)
        if failed.code not in _ABOUT_EVIDENCE
    }


def _of(failed: Violation, by_envelope: dict[str, list[Finding]]) -> list[Finding]:
    found = {f.fingerprint: f for digest in failed.evidence for f in by_envelope.get(digest, [])}
    only = _ONE_CODE.get(failed.code)
    listed = sorted(
        (f for f in found.values() if only in {None, f.code}),
        key=lambda f: (_ORDER.index(f.severity.value), f.asset, f.location.line, f.code),
    )
    return listed[: failed.value] if failed.code in _COUNTED and isinstance(failed.value, int) else listed


def finding_lines(
    findings: Sequence[Finding], style: Style, *, most: int | None = MOST, indent: str = "      "
) -> Iterable[str]:
    """Lines about findings: severity, code, place, message, and what to do about each."""
    shown = findings if most is None else findings[:most]
    for i, finding in enumerate(shown):
        place = finding.asset + (f":{finding.location.line}" if finding.location.line else "")
        word = _severity(finding.severity.value, style)
        yield f"{indent}{word} {finding.code} {clean(place)}  {clean(finding.message)}"
        last = i + 1 == len(shown) or shown[i + 1].fix != finding.fix
        if finding.fix and last:  # neighbours that share their fix share its line
            yield f"{indent}  {style.dim('fix:')} {clean(finding.fix)}"
    if len(findings) > len(shown):
        yield f"{indent}and {len(findings) - len(shown)} more (--verbose)"


def _severity(word: str, style: Style) -> str:
    paint = style.bad if word in {"critical", "high"} else style.warn if word == "medium" else style.dim
    return paint(word.ljust(8))
