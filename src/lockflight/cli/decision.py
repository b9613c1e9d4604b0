"""`policy explain`: a decision out of the log, for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockflight.cli.common import own_words
from lockflight.cli.reply import Reply, Run
from lockflight.cli.style import clean, short

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable

    from lockflight.cli.reports.record import Failure, Report
    from lockflight.cli.style import Style


def explain_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `policy explain`."""
    parser.add_argument(
        "decision", metavar="DECISION", help="index in the log, or the start of its envelope's digest"
    )
    parser.add_argument("--html", metavar="FILE", help="also write it as a page that needs no network")


def explain(args: argparse.Namespace, run: Run) -> Reply:
    """Why a recorded decision is what it is, and what would change it."""
    from lockflight.app.asof import view_at
    from lockflight.app.decision import recorded
    from lockflight.cli.checkjson import own_json
    from lockflight.cli.reports.build import report_of_record

    view = view_at(run.home, run.realm, run.as_of)
    found = recorded(view, args.decision, run.now)
    report = report_of_record(view, found, run.now)
    if args.html is not None:
        from lockflight.cli.page import page
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
        "admitted": found.admission.admitted,
        "obstacles": [
            {"code": o.code, "message": o.message, "fix": o.fix} for o in found.admission.obstacles
        ],
    }
    return Reply("decision/v1", result, lambda style: _lines(report, style))


def _lines(report: Report, style: Style) -> Iterable[str]:
    from lockflight.cli.reports.phrases import headline, sentence

    word = headline(report)
    good = report.verdict.value == "allowed"
    yield f"{(style.good if good else style.bad)(word.upper())} for {style.bold(report.environment)}"
    yield f"  {clean(sentence(report))}"
    for failure in (*report.failures, *report.warnings):
        yield from _failure(failure, style, warns=failure in report.warnings)
    for waived in report.waived:
        yield f"  {style.look} {waived.code} {clean(waived.term)} waived by {short(waived.waiver)}"
    for obstacle in report.people.todo:
        yield f"  {style.look} {obstacle.code} {clean(obstacle.message)}"
        yield f"      {style.dim('do:')} {clean(obstacle.fix)}"
    proof = report.proof
    yield style.dim(
        f"  entry {proof.index} of {proof.realm}, decided {report.decided_at}, policy"
        f" {clean(proof.policy)} {clean(proof.version)} sha256:{short(proof.policy_digest)},"
        f" basis {short(proof.basis)}"
    )
    if proof.own is not None:
        yield style.dim(f"  {own_words(*proof.own)}")


def _failure(failure: Failure, style: Style, *, warns: bool) -> Iterable[str]:
    from lockflight.cli.rules import human_ages, measured

    said = failure.said
    value, threshold = measured(said)
    term = f" {clean(said.term)}" if said.term else ""
    yield (
        f"  {style.look if warns else style.no} {said.code} {clean(said.rule)}{term}"
        f"  {clean(value)} (demanded: {clean(threshold)})"
    )
    yield f"      {clean(human_ages(said.msg))}"
    if said.solution:
        yield f"      {style.dim('fix:')} {clean(said.solution)}"
    if failure.command:
        yield f"      {style.dim('do:')} {clean(failure.command)}"
