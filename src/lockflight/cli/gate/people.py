"""Statements by people: `approve`, `deny`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockflight.cli.common import folder_of, quoted, release_json, release_line, said_json
from lockflight.cli.lines.people import SEPARATION
from lockflight.cli.reply import Reply, Run
from lockflight.cli.style import clean, short

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable

    from lockflight.cli.style import Style


def approve_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `approve`."""
    _arguments(parser)
    parser.add_argument("--totp", metavar="CODE", help="a one-time code as a second factor; it counts once")


def deny_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `deny`."""
    _arguments(parser)


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("package", metavar="PACKAGE", help="the signed package (a folder)")
    parser.add_argument("--env", required=True, metavar="ENVIRONMENT", help="where to")
    parser.add_argument("--reason", default="", metavar="TEXT", help="kept beside the log and erasable")
    parser.add_argument("--hours", type=int, default=72, metavar="N", help="how long it counts (default 72)")


def approve(args: argparse.Namespace, run: Run) -> Reply:
    """Say yes to a release for an environment."""
    return _say(args, run, "approve")


def deny(args: argparse.Namespace, run: Run) -> Reply:
    """Say no to a release for an environment."""
    return _say(args, run, "deny")


def _say(args: argparse.Namespace, run: Run, verdict: str) -> Reply:
    from lockflight.app.gate.approvals import approve as say
    from lockflight.core.times import rfc3339

    done = say(
        run.home,
        run.realm,
        folder_of(args.package),
        environment=args.env,
        actor=run.actor,
        verdict=verdict,
        reason=args.reason,
        now=run.now,
        hours=args.hours,
        totp=getattr(args, "totp", None),
    )
    approval = done.approval
    result = {
        "release": release_json(done.release),
        "environment": args.env,
        "verdict": verdict,
        "basis": approval.basis,
        "factor": approval.factor,
        "proved": approval.proved or None,
        "counts_from": rfc3339(done.since),
        "expires": approval.expires,
        "notices": list(done.notices),
        **said_json(done.said),
    }

    def human(style: Style) -> Iterable[str]:
        mark, word = (style.yes, "approved") if verdict == "approve" else (style.no, "denied")
        yield f"{mark} {word} for {style.bold(args.env)}: {release_line(done.release, style)}"
        said = done.said
        yield f"  by {clean(said.name)}, until {approval.expires}, entry {said.index} in the log of {run.realm}"
        yield f"  bound to the decision's basis {short(approval.basis)}: another outcome voids it"
        if approval.factor != "key":
            yield f"  with the factor {approval.factor}, shown at {approval.proved}"
        if done.since > run.now:
            yield f"  {style.look} made by an author, so it counts only from {rfc3339(done.since)} on (small team)"
        separation = done.judgement.admission.separation
        if separation in SEPARATION:
            yield f"  {style.look} {SEPARATION[separation]}"
        for notice in done.notices:
            yield f"  {style.look} {clean(notice)}"
        if verdict == "approve":
            yield f"  next: lockflight promote {clean(quoted(args.package))} --to {args.env}"

    return Reply("approval/v1", result, human)
