"""How the outcome of `check` reads: what ran, what each rule measured, what would make it pass, who must act."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from lockflight.cli.common import release_line
from lockflight.cli.style import clean, count, short, table
from lockflight.core.check import Status

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lockflight.app.check import CheckOutcome, Ran
    from lockflight.app.gate import Judgement
    from lockflight.cli.style import Style
    from lockflight.core.ruling import RuleResult, Violation

_MOST_FINDINGS = 12
_MOST_NAMES = 5
_DIGEST = 64
_PSEUDONYM = re.compile(r"\bp-[0-9a-f]{16}\b")
#: What people do before anything else: sign.
_FIRST = frozenset({"LF4502"})


def outcome_lines(
    outcome: CheckOutcome, folder: str, style: Style, *, planned: bool, verbose: bool, earlier: bool
) -> Iterable[str]:
    """Lines about a whole run of `check`."""
    yield release_line(outcome.release, style)
    for notice in outcome.notices:
        yield f"{style.look} {clean(notice)}"
    if outcome.guessed:
        yield f"{style.look} There is no lockflight.toml here: the role of every file was guessed."
        yield f"  next: lockflight init {clean(folder)} --write"
    if outcome.skipped:
        names = ", ".join(clean(name) for name in outcome.skipped[:_MOST_NAMES])
        rest = len(outcome.skipped) - _MOST_NAMES
        more = f" and {rest} more" if rest > 0 else ""
        yield style.dim(f"never part of a release: {names}{more}")
    if planned:
        yield from _plan(outcome)
        return
    yield from _ran(outcome, style)
    if len(outcome.judgements) == 1:
        (environment, judgement), *_ = outcome.judgements.items()
        yield ""
        for line in _one(environment, judgement, style, verbose=verbose):
            yield _PSEUDONYM.sub(lambda m: clean(outcome.names.get(m[0], m[0])), line)
    else:
        yield ""
        yield from _ladder(outcome, folder, style)
    if outcome.rehearsal and not earlier:
        yield ""
        yield style.dim(f"A rehearsal: nothing was put into the realm {outcome.realm}; --record does.")


def _plan(outcome: CheckOutcome) -> Iterable[str]:
    if not outcome.planned:
        yield "Nothing would run: all evidence that is demanded is there and fresh."
        return
    yield f"{count(len(outcome.planned), 'check')} would run:"
    yield from table([["  " + name, grain, clean(subject)] for name, grain, subject in outcome.planned])


def _ran(outcome: CheckOutcome, style: Style) -> Iterable[str]:
    if outcome.planned:
        names = ", ".join(dict.fromkeys(name for name, _, _ in outcome.planned))
        yield f"{style.look} {count(len(outcome.planned), 'check')} did not run: {names}"
    if not outcome.ran:
        return
    groups: dict[str, list[Ran]] = {}
    for ran in outcome.ran:
        groups.setdefault(ran.check, []).append(ran)
    yield f"Ran {count(len(outcome.ran), 'check')}:"
    for name, rows in groups.items():
        unfinished = [r for r in rows if r.result.status is Status.INCOMPLETE]
        found = [f for r in rows for f in r.result.findings]
        mark = style.look if unfinished or found else style.yes
        said = f"{count(len(found), 'finding')}" if found else "nothing found"
        yield f"  {mark} {style.bold(name)}  {count(len(rows), 'subject')}, {said}"
        for ran in unfinished:
            yield f"      {style.no} {clean(ran.subject)}: incomplete, {clean(ran.result.reason)}"
        for finding in found[:_MOST_FINDINGS]:
            place = finding.asset + (f":{finding.location.line}" if finding.location.line else "")
            yield (
                f"      {_severity(finding.severity.value, style)} {finding.code} {clean(place)}"
                f"  {clean(finding.message)}"
            )
        if len(found) > _MOST_FINDINGS:
            yield f"      and {len(found) - _MOST_FINDINGS} more (--json shows them all)"


def _severity(word: str, style: Style) -> str:
    paint = style.bad if word in {"critical", "high"} else style.warn if word == "medium" else style.dim
    return paint(word.ljust(8))


def _headline(environment: str, judgement: Judgement, style: Style) -> str:
    if judgement.exit_code == 0:
        return f"{style.good('ALLOWED')} for {style.bold(environment)}"
    word = "DENIED" if judgement.exit_code == 10 else "EVIDENCE MISSING"
    return f"{style.bad(word)} for {style.bold(environment)}"


def _one(environment: str, judgement: Judgement, style: Style, *, verbose: bool) -> Iterable[str]:
    decision = judgement.decision
    policy = decision.policy
    yield _headline(environment, judgement, style)
    by_place = {(v.code, v.term): v for v in (*decision.violations, *decision.warnings)}
    told = {(rule.code, rule.term) for rule in decision.rules}
    groups: dict[tuple[str, bool], list[RuleResult]] = {}
    for rule in decision.rules:
        groups.setdefault((rule.code, rule.passed), []).append(rule)
    for (_, passed), rules in groups.items():
        if passed and not verbose:
            yield _passed(rules, style)
            continue
        for rule in rules:
            violation = by_place.get((rule.code, rule.term))
            yield from _rule(rule, violation, style, warned=violation in decision.warnings)
    for violation in decision.violations:
        if (violation.code, violation.term) not in told:
            yield f"  {style.no} {violation.code} {clean(violation.msg)}"
            yield from _fix(violation, style)
    for waived in decision.waived:
        yield f"  {style.look} {waived.code} {clean(waived.term)} waived by {short(waived.waiver)}"
    yield style.dim(
        f"  policy {policy.name} {policy.version} sha256:{short(policy.digest)}, basis {short(decision.basis)}"
    )
    yield ""
    yield from _people(environment, judgement, style)
    if judgement.recorded:
        yield style.dim(f"  decision recorded as {short(judgement.recorded)}")


def _passed(rules: list[RuleResult], style: Style) -> str:
    """One line for everything that passed one rule: the worst value, what is demanded, how much evidence."""
    numbers = [rule.value for rule in rules if isinstance(rule.value, int)]
    value = str(max(numbers)) if len(numbers) == len(rules) else _measure(rules[0].value)
    terms = ", ".join(clean(rule.term) for rule in rules if rule.term)
    evidence = sorted({digest for rule in rules for digest in rule.evidence})
    said = f"  {value} (demanded: {_measure(rules[0].threshold)})"
    proof = f"  evidence {short(evidence[0])}" if evidence else ""
    proof += f" and {len(evidence) - 1} more" if len(evidence) > 1 else ""
    return f"  {style.yes} {rules[0].code} {rules[0].rule}{said}{f'  {terms}' if terms else ''}{style.dim(proof)}"


def _measure(value: int | str) -> str:
    """A value or threshold; a digest as people compare it."""
    text = clean(str(value))
    return short(text) if len(text) == _DIGEST else text


def _rule(rule: RuleResult, violation: Violation | None, style: Style, *, warned: bool) -> Iterable[str]:
    mark = style.yes if rule.passed else style.look if warned else style.no
    measured = f"  {_measure(rule.value)} (demanded: {_measure(rule.threshold)})"
    evidence = f"  evidence {', '.join(short(d) for d in rule.evidence[:3])}" if rule.evidence else ""
    term = f" {clean(rule.term)}" if rule.term else ""
    yield f"  {mark} {rule.code} {rule.rule}{term}{measured}{style.dim(evidence)}"
    if not rule.passed:
        yield f"      {clean(violation.msg if violation is not None else rule.msg)}"
        if violation is not None:
            yield from _fix(violation, style)


def _fix(violation: Violation, style: Style) -> Iterable[str]:
    if violation.solution:
        yield f"      {style.dim('fix:')} {clean(violation.solution)}"


def _people(environment: str, judgement: Judgement, style: Style) -> Iterable[str]:
    admission = judgement.admission
    if admission.admitted:
        yield f"{style.yes} people have done their part"
        yield f"  next: lockflight promote PACKAGE --to {environment}"
    else:
        rest = sorted(
            (o for o in admission.obstacles if o.code != "LF4501"), key=lambda o: o.code not in _FIRST
        )
        yield (
            "What people still have to do:"
            if rest
            else "Nothing is left for people to do before the gate allows it."
        )
        for obstacle in rest:
            yield f"  {style.look} {obstacle.code} {clean(obstacle.message)}"
            yield f"      {style.dim('do:')} {clean(obstacle.fix)}"
    if admission.separation == "none":
        yield style.dim("  separation: none (a personal realm counts for development only)")


def _ladder(outcome: CheckOutcome, folder: str, style: Style) -> Iterable[str]:
    rows = []
    for environment, judgement in outcome.judgements.items():
        decision, admission = judgement.decision, judgement.admission
        failed = sorted({v.code for v in decision.violations})
        people = sorted(
            (o for o in admission.obstacles if o.code != "LF4501"), key=lambda o: o.code not in _FIRST
        )
        parts = []
        if failed:
            parts.append(f"{count(len(decision.violations), 'rule')} failed: {', '.join(failed)}")
        if people:
            parts.append("people: " + ", ".join(o.code for o in people))
        mark = style.yes if admission.admitted else style.look if decision.allow else style.no
        word = {0: "allowed", 10: "denied"}.get(judgement.exit_code, "evidence missing")
        rows.append([f"{mark} {environment}", word, "; ".join(parts) or "nothing missing"])
    yield from table(rows)
    yield f"  next: lockflight check {clean(folder)} --env {_next_step(outcome)}"


def _next_step(outcome: CheckOutcome) -> str:
    names = [name for name, judgement in outcome.judgements.items() if not judgement.admission.admitted]
    return names[0] if names else next(iter(outcome.judgements))
