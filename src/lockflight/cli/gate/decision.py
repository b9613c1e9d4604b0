"""`policy explain`: a decision out of the log, for people."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from lockflight.cli.common import own_words
from lockflight.cli.reply import Reply, Run
from lockflight.cli.style import clean, count, short
from lockflight.errors import LockflightError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable

    from lockflight.app.gate.decision import Recorded
    from lockflight.app.gate.remedies import Remedies
    from lockflight.app.realm.view import RealmView
    from lockflight.cli.reports.record import Failure, Report
    from lockflight.cli.reports.waiverrows import WaivedRow
    from lockflight.cli.style import Style
    from lockflight.core.canonical import JsonObject


#: Changes of one failure that people are shown.
_MOST = 8
_LOST = "the facts or the policy of this decision were not kept here."


def explain_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `policy explain`."""
    parser.add_argument(
        "decision", metavar="DECISION", help="index in the log, or the start of its envelope's digest"
    )
    parser.add_argument("--html", metavar="FILE", help="also write it as a page that needs no network")
    parser.add_argument(
        "--seconds",
        type=_seconds,
        default=20,
        metavar="N",
        help="how long to look for what would have changed it (default 20; 0: do not look)",
    )


def _seconds(word: str) -> int:
    value = int(word)
    if not 0 <= value <= 3600:
        raise ValueError(word)
    return value


def explain(args: argparse.Namespace, run: Run) -> Reply:
    """Why a recorded decision is what it is, and what would change it."""
    from lockflight.app.gate.decision import recorded
    from lockflight.app.realm.asof import view_at
    from lockflight.cli.lines.checkjson import own_json
    from lockflight.cli.lines.people import held_json, obstacles_json
    from lockflight.cli.reports.build import report_of_record

    view = view_at(run.home, run.realm, run.as_of)
    found = recorded(view, args.decision, run.now)
    changes, why_not = _changes(view, found, args.seconds)
    report = report_of_record(view, found, run.now, changes)
    if why_not:
        report = replace(report, tried=(f"What would have changed it cannot be tried: {why_not}",))
    if args.html is not None:
        from lockflight.cli.gate.page import page
        from lockflight.cli.reports.write import write

        write(args.html, page(report), run)
    stored = found.stored
    result = {
        "realm": view.name,
        "index": found.record.index,
        "envelope": found.record.digest,
        "decided_at": stored.time_verified,
        "release": {
            "digest": f"sha256:{stored.release}",
            "name": stored.name,
            "version": found.version or None,
        },
        "environment": stored.environment,
        "verdict": report.verdict.value,
        "policy": {
            "name": report.proof.policy,
            "version": report.proof.version,
            "digest": stored.policy,
        },
        "own_policy": own_json(stored.own),
        "basis": stored.basis,
        "violations": [v.to_json() for v in stored.violations],
        "warnings": [w.to_json() for w in stored.warnings],
        "waived": [w.to_json() for w in stored.waived],
        "waivers": {standing: list(digests) for standing, digests in stored.waivers},
        "waivers_used": [_waived_json(row) for row in report.waived],
        "waivers_elsewhere": report.elsewhere,
        "changes": _changes_json(found, changes),
        "admitted": found.admission.admitted,
        "separation": stored.separation,
        "obstacles": obstacles_json(found.admission, found.held),
        "held": held_json(found.held),
    }
    return Reply("decision/v1", result, lambda style: _lines(report, style))


def _changes(view: RealmView, found: Recorded, seconds: int) -> tuple[Remedies | None, str]:
    """What was found, and why nothing could be; a decision is explained without an engine too."""
    from lockflight.app.gate.remedies import remedies

    stored = found.stored
    if not seconds or not (stored.violations or stored.warnings):
        return None, ""
    try:
        changes = remedies(view, found, seconds=seconds)
    except LockflightError as error:
        return None, f"{error.message} ({error.code})"
    return changes, "" if changes is not None or not stored.violations else _LOST


def _changes_json(found: Recorded, changes: Remedies | None) -> JsonObject | None:
    from lockflight.cli.reports.changes import changes_json

    return changes_json(changes, found.facts) if changes is not None and found.facts is not None else None


def _waived_json(row: WaivedRow) -> JsonObject:
    return {
        "code": row.code,
        "term": row.term,
        "waiver": row.waiver,
        "reason": row.reason or None,
        "control": row.control or None,
        "kept": row.kept,
        "ticket": row.ticket or None,
        "requester": row.requester or None,
        "approver": row.by or None,
        "not_before": row.since or None,
        "expires": row.until or None,
        "renewals": row.renewals,
        "emergency": row.emergency,
    }


def _lines(report: Report, style: Style) -> Iterable[str]:
    from lockflight.cli.lines.people import SEPARATION, held_words
    from lockflight.cli.reports.phrases import headline, sentence

    word = headline(report)
    good = report.verdict.value == "allowed"
    yield f"{(style.good if good else style.bad)(word.upper())} for {style.bold(report.environment)}"
    yield f"  {clean(sentence(report))}"
    for failure in (*report.failures, *report.warnings):
        yield from _failure(failure, style, warns=failure in report.warnings)
    for line in report.tried:
        yield style.dim(f"  {line}")
    for waived in report.waived:
        yield from _waived(waived, style)
    for idle in report.idle:
        yield style.dim(
            f"  waiver {short(idle.waiver)} of {clean(f'{idle.code} {idle.term}'.strip())}: {idle.state}, {idle.why}"
        )
    if report.elsewhere:
        more = count(report.elsewhere, "more waiver")
        yield style.dim(f"  {more} of the project not about this release here: lockflight waiver list")
    for obstacle in report.people.todo:
        yield f"  {style.look} {obstacle.code} {clean(obstacle.message)}"
        yield f"      {style.dim('do:')} {clean(obstacle.fix)}"
    if report.people.held is not None and not good:
        yield f"  {style.yes} {held_words(report.environment, report.people.held)}"
    if report.people.separation in SEPARATION:
        yield style.dim(f"  {SEPARATION[report.people.separation]}")
    proof = report.proof
    yield style.dim(
        f"  entry {proof.index} of {proof.realm}, decided {report.decided_at}, policy"
        f" {clean(proof.policy)} {clean(proof.version)} sha256:{short(proof.policy_digest)},"
        f" basis {short(proof.basis)}"
    )
    if proof.own is not None:
        yield style.dim(f"  {own_words(*proof.own)}")


def _waived(row: WaivedRow, style: Style) -> Iterable[str]:
    until = f" until {row.until}" if row.until else ""
    yield f"  {style.look} {row.code} {clean(row.term)} waived by {short(row.waiver)}{until}"
    if row.until:
        again = f", renewal {row.renewals}" if row.renewals else ""
        by = f", consented by {clean(row.by)}" if row.by else ""
        yield f"      asked by {clean(row.requester)}{by}, ticket {clean(row.ticket)}{again}"
    if row.kept:
        yield f"      because: {clean(row.reason)}"
        yield f"      meanwhile: {clean(row.control)}"
    elif row.until:
        yield "      why: erased, or never in this copy of the realm"


def _failure(failure: Failure, style: Style, *, warns: bool) -> Iterable[str]:
    from lockflight.cli.lines.rules import human_ages, measured

    said = failure.said
    value, threshold = measured(said)
    term = f" {clean(said.term)}" if said.term else ""
    yield (
        f"  {style.look if warns else style.no} {said.code} {clean(said.rule)}{term}"
        f"  {clean(value)} (demanded: {clean(threshold)})"
    )
    yield f"      {clean(human_ages(said.msg))}"
    if failure.change is not None:
        for line in failure.change.lines[:_MOST]:
            yield f"      {style.dim('change:')} {clean(line)}"
        if len(failure.change.lines) > _MOST:
            yield style.dim(
                f"      and {count(len(failure.change.lines) - _MOST, 'more change')} (--json lists them)"
            )
        if failure.change.note:
            yield f"      {clean(failure.change.note)}"
    if said.solution:
        yield f"      {style.dim('fix:')} {clean(said.solution)}"
    if failure.command:
        yield f"      {style.dim('do:')} {clean(failure.command)}"
