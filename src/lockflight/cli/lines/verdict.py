"""How the outcome of `check` reads: what ran, what each rule measured, what would make it pass, who must act."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockflight.cli.common import left_to_people, own_words, quoted, release_line, typeable
from lockflight.cli.lines.findings import MOST, behind, finding_lines
from lockflight.cli.lines.people import SEPARATION, held_words
from lockflight.cli.lines.rules import rule_lines
from lockflight.cli.style import clean, count, short, table
from lockflight.core.attest.check import Status
from lockflight.core.text.persons import with_names
from lockflight.core.times import rfc3339

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lockflight.app.gate.check import CheckOutcome, Ran
    from lockflight.app.gate.judge import Judgement
    from lockflight.cli.style import Style

_MOST_NAMES = 5


def outcome_lines(
    outcome: CheckOutcome,
    folder: str,
    style: Style,
    *,
    planned: bool,
    verbose: bool,
    earlier: bool,
    failed: bool = False,
) -> Iterable[str]:
    """Lines about a whole run of `check`; after a failure the error says what comes next."""
    single = len(outcome.judgements) == 1
    yield release_line(outcome.release, style)
    for notice in outcome.notices:
        yield f"{style.look} {clean(notice)}"
    if outcome.guessed:
        yield f"{style.look} There is no lockflight.toml here: the role of every file was guessed."
        if single or planned:
            yield f"      {style.dim('do:')} {clean(f'lockflight init {quoted(folder)} --write')}"
    if outcome.skipped:
        names = ", ".join(clean(name) for name in outcome.skipped[:_MOST_NAMES])
        rest = len(outcome.skipped) - _MOST_NAMES
        more = f" and {rest} more" if rest > 0 else ""
        yield style.dim(f"never part of a release: {names}{more}")
    if planned:
        yield from _plan(outcome)
        return
    told = {
        f.fingerprint
        for judgement in (outcome.judgements.values() if single else ())
        for findings in behind(judgement).values()
        for f in findings
    }
    yield from _ran(outcome, style, told, verbose=verbose)
    if single:
        (environment, judgement), *_ = outcome.judgements.items()
        yield ""
        for line in _one(environment, judgement, folder, style, verbose=verbose, local=outcome.rehearsal):
            yield with_names(line, {k: clean(v) for k, v in outcome.names.items()})
    else:
        yield ""
        yield from _ladder(outcome, folder, style, failed=failed)
    if outcome.rehearsal and not earlier:
        yield ""
        yield style.dim(f"A rehearsal: nothing was put into the realm {outcome.realm}; --record does.")


def _plan(outcome: CheckOutcome) -> Iterable[str]:
    if not outcome.planned:
        yield "Nothing would run: all evidence that is demanded is there and fresh."
        return
    yield f"{count(len(outcome.planned), 'check')} would run:"
    yield from table([["  " + name, grain, clean(subject)] for name, grain, subject in outcome.planned])


def _ran(outcome: CheckOutcome, style: Style, told: set[str], *, verbose: bool) -> Iterable[str]:
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
        told_below = found and told.issuperset(f.fingerprint for f in found)
        said = _found(len(found), len(rows), len(unfinished), " (below)" if told_below else "")
        yield f"  {mark} {style.bold(name)}  {count(len(rows), 'subject')}, {said}"
        for ran in unfinished:
            yield f"      {style.no} {clean(ran.subject)}: incomplete, {clean(ran.result.reason)}"
        unsaid = [f for f in found if f.fingerprint not in told]
        yield from finding_lines(unsaid, style, most=None if verbose else MOST)


def _found(findings: int, subjects: int, unfinished: int, where: str) -> str:
    """What a check found; of what it did not look at, nothing is known."""
    if not unfinished:
        return f"{count(findings, 'finding')}{where}" if findings else "nothing found"
    lost = f"{unfinished} did not finish" if subjects > 1 else "did not finish"
    if findings:
        return f"{count(findings, 'finding')}{where}, {lost}"
    return (
        lost
        if unfinished == subjects
        else f"{lost}, nothing found in {count(subjects - unfinished, 'subject')}"
    )


def _headline(environment: str, judgement: Judgement, style: Style) -> str:
    if judgement.exit_code == 0:
        return f"{style.good('ALLOWED')} for {style.bold(environment)}"
    word = "DENIED" if judgement.exit_code == 10 else "EVIDENCE MISSING"
    return f"{style.bad(word)} for {style.bold(environment)}"


def _one(
    environment: str, judgement: Judgement, folder: str, style: Style, *, verbose: bool, local: bool
) -> Iterable[str]:
    decision = judgement.decision
    policy = decision.policy
    yield _headline(environment, judgement, style)
    yield from rule_lines(environment, judgement, folder, style, verbose=verbose)
    yield style.dim(
        f"  policy {policy.name} {policy.version} sha256:{short(policy.digest)}, basis {short(decision.basis)}"
    )
    if decision.own is not None:
        yield style.dim(f"  {own_words(decision.own.name, decision.own.version, decision.own.digest)}")
    yield ""
    yield from _people(environment, judgement, folder, style, local=local)
    if judgement.recorded:
        yield style.dim(f"  decision recorded as {short(judgement.recorded)}")


def _people(
    environment: str, judgement: Judgement, folder: str, style: Style, *, local: bool
) -> Iterable[str]:
    admission, held = judgement.admission, judgement.held
    if held is not None:
        yield f"{style.yes} {held_words(environment, held)}"
    if not judgement.decision.allow and not admission.admitted:
        yield "The failed rules above remain; nobody can approve them away."
    if held is None and admission.admitted:
        yield f"{style.yes} people have done their part"
        # What was only rehearsed is not in the realm, and `promote` looks there.
        record = f"lockflight check {clean(quoted(folder))} --env {environment} --record"
        yield f"  next: {record if local else f'lockflight promote PACKAGE --to {environment}'}"
    else:
        rest = left_to_people(admission, held)
        if rest:
            yield "What people still have to do:"
        for obstacle in rest:
            yield f"  {style.look} {obstacle.code} {clean(obstacle.message)}"
            yield f"      {style.dim('do:')} {clean(typeable(obstacle.fix, DIR=folder))}"
    if admission.separation in SEPARATION:
        yield style.dim(f"  {SEPARATION[admission.separation]}")


def _ladder(outcome: CheckOutcome, folder: str, style: Style, *, failed: bool) -> Iterable[str]:
    rows = []
    for environment, judgement in outcome.judgements.items():
        decision, admission = judgement.decision, judgement.admission
        codes = sorted({v.code for v in decision.violations})
        people = left_to_people(admission, judgement.held)
        parts = []
        if codes:
            parts.append(f"{count(len(decision.violations), 'rule')} failed: {', '.join(codes)}")
        if people:
            parts.append("people: " + ", ".join(o.code for o in people))
        if judgement.held is not None:
            parts.append(f"in since {rfc3339(judgement.held.since)}")
        there = judgement.held is not None and decision.allow and not people
        mark = style.yes if admission.admitted or there else style.look if decision.allow else style.no
        word = {0: "allowed", 10: "denied"}.get(judgement.exit_code, "evidence missing")
        rows.append([f"{mark} {environment}", word, "; ".join(parts) or "nothing missing"])
    yield from table(rows)
    if not failed:
        yield f"  next: {clean(ladder_next(outcome, folder))}"


def ladder_next(outcome: CheckOutcome, folder: str) -> str:
    """The one command that comes next after the ladder of all environments."""
    if outcome.guessed:
        return f"lockflight init {quoted(folder)} --write"
    return f"lockflight check {quoted(folder)} --env {_next_step(outcome)}"


def _next_step(outcome: CheckOutcome) -> str:
    names = [
        name
        for name, j in outcome.judgements.items()
        if not (j.admission.admitted or (j.held and j.decision.allow))
    ]
    return names[0] if names else next(iter(outcome.judgements))
