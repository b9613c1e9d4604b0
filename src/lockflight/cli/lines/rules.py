"""What the gate's rules said: failed ones with their findings and the way out, passed ones as one line."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from lockflight.cli.common import quoted
from lockflight.cli.lines.findings import MOST, behind, finding_lines
from lockflight.cli.lines.waived import waived_lines
from lockflight.cli.style import clean, count, short
from lockflight.core.attest.check import Status
from lockflight.core.shape import array, obj, text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from lockflight.app.gate.judge import Judgement
    from lockflight.cli.style import Style
    from lockflight.core.canonical import JsonValue
    from lockflight.core.findings import Finding
    from lockflight.core.gate.ruling import RuleResult, Violation

_DIGEST = 64
#: Failures that end when the checks run (again).
_RUN_AGAIN = frozenset({"LF4102", "LF4103", "LF4104"})
#: Reasons of a check that lacks its tool, and those that lack a package.
_NOT_INSTALLED = frozenset({"LF5010", "LF5016"})
_PACKAGES = {
    "LF5018": "pip install kingfisher-secret-scanner",
    "LF5022": "pip install 'lockflight[data]'",
}
_TIMED = "LF4104"
_OPTIONAL = "LF4114"
_UNITS = ((172_800, 86_400, "days"), (7_200, 3_600, "hours"), (120, 60, "minutes"))
_SECONDS = re.compile(r"\b([0-9]+) seconds\b")


def rule_lines(
    environment: str, judgement: Judgement, folder: str, style: Style, *, verbose: bool
) -> Iterable[str]:
    """Lines about every rule of one judgement."""
    decision = judgement.decision
    failed = {(v.code, v.term): v for v in (*decision.violations, *decision.warnings)}
    found = behind(judgement)
    evidence = obj(judgement.facts["evidence"])
    told: set[str] = set()
    passed = [rule for rule in decision.rules if rule.passed]
    if verbose:
        for rule in passed:
            yield from _passed(rule, style)
    elif whole := {rule.code for rule in passed} - {code for code, _ in failed}:
        yield f"  {style.yes} {count(len(whole), 'rule')} passed (--verbose shows them)"
    results = {(rule.code, rule.term): rule for rule in decision.rules if not rule.passed}
    for place, violation in failed.items():
        rule_or_none = results.get(place)
        mark = style.look if violation in decision.warnings else style.no
        yield _headline(violation, style, mark, known=rule_or_none is not None)
        yield f"      {clean(human_ages(violation.msg))}"
        findings = found.get(place, [])
        new = [f for f in findings if f.fingerprint not in told]
        told.update(f.fingerprint for f in new)
        yield from finding_lines(new, style, most=None if verbose else MOST)
        if findings and not new:
            yield f"      {count(len(findings), 'finding')}, shown above"
        yield from _way_out(violation, new, style, command_for(violation, environment, folder, evidence))
    waived = {(row.code, row.term) for row in decision.waived}
    for place, rule in results.items():
        if place not in failed and place not in waived:
            yield f"  {style.look} {rule.code} {rule.rule} {clean(rule.term)}  {clean(human_ages(rule.msg))}"
    yield from waived_lines(judgement, style)


def _passed(rule: RuleResult, style: Style) -> Iterable[str]:
    yield f"  {style.yes} {rule.code} {rule.rule}{_term(rule.term)}: {clean(human_ages(rule.msg))}"
    yield style.dim(f"      {_measured(rule)}{_evidence(rule.evidence)}")


def _headline(violation: Violation, style: Style, mark: str, *, known: bool) -> str:
    if not known:
        return f"  {mark} {violation.code} {violation.rule}{_term(violation.term)}"
    proof = style.dim(_evidence(violation.evidence))
    return f"  {mark} {violation.code} {violation.rule}{_term(violation.term)}  {_measured(violation)}{proof}"


def _term(term: str) -> str:
    return f" {clean(term)}" if term else ""


def _measured(row: RuleResult | Violation) -> str:
    value, threshold = measured(row)
    return f"{clean(value)} (demanded: {clean(threshold)})"


def measured(row: RuleResult | Violation) -> tuple[str, str]:
    """What was measured and what is demanded, for people; the text may come from files."""
    value, threshold = row.value, row.threshold
    if row.code == _TIMED and isinstance(value, int) and isinstance(threshold, int):
        return duration(value), f"at most {duration(threshold)}"
    return _measure(value), _measure(threshold)


def _measure(value: int | str) -> str:
    """A value or threshold; a digest as people compare it."""
    word = str(value)
    return short(word) if len(word) == _DIGEST else word


def _evidence(digests: tuple[str, ...]) -> str:
    more = f" and {len(digests) - 3} more" if len(digests) > 3 else ""
    return f"  evidence {', '.join(short(d) for d in digests[:3])}{more}" if digests else ""


def duration(seconds: int) -> str:
    """Seconds in the largest unit that leaves more than one, rounded down."""
    for least, unit, word in _UNITS:
        if seconds >= least:
            return f"{seconds // unit} {word}"
    return count(seconds, "second")


def human_ages(said: str) -> str:
    """A policy's sentence with its seconds in units that people use: policies count in whole seconds only."""
    return _SECONDS.sub(lambda m: duration(int(m[1])), said)


def _way_out(violation: Violation, shown: list[Finding], style: Style, command: str) -> Iterable[str]:
    if violation.solution and {f.fix for f in shown} != {violation.solution}:
        yield f"      {style.dim('fix:')} {clean(violation.solution)}"
    if command:
        yield f"      {style.dim('do:')} {clean(command)}"


def command_for(
    violation: Violation, environment: str, folder: str, evidence: Mapping[str, JsonValue] | None = None
) -> str:
    """The command that belongs to a failed rule, ready to type; policies cannot know the folder.

    Args:
        violation: what failed.
        environment: where to.
        folder: the workspace, as it was typed.
        evidence: of the facts, by type and check; where a check lacks its tool, that comes first.
    """
    check = f"lockflight check {quoted(folder)}"
    if violation.code in _RUN_AGAIN:
        rows = array((evidence or {}).get(f"scan/{violation.term}", []))
        reasons = [text(r["reason"]) for r in map(obj, rows) if r.get("status") == Status.INCOMPLETE.value]
        return " && ".join([*first_steps(violation.term, reasons), f"{check} --env {environment}"])
    if violation.code == _OPTIONAL:
        return " && ".join([*_installs(violation.term), f"{check} --only {quoted(violation.term)}"])
    return "lockflight evidence list" if violation.code == "LF4113" else ""


def first_steps(check: str, reasons: Iterable[str]) -> list[str]:
    """Commands without which an unfinished check does not finish the next time either; none where that is not known.

    Args:
        check: its name.
        reasons: why it did not finish. Only the code at the start of each has a say: the words may be anybody's.
    """
    codes = {reason.partition(" ")[0] for reason in reasons}
    steps = _installs(check) if codes & _NOT_INSTALLED else []
    return steps + [_PACKAGES[code] for code in sorted(codes & _PACKAGES.keys())]


def _installs(check: str) -> list[str]:
    """Commands that install the foreign tools of a check; none for a check that is not known here."""
    from lockflight.scan.table import CHECKS, load

    return [f"lockflight tools install {tool}" for tool in load(check).info.tools] if check in CHECKS else []
