"""Statements by people: `approve`, `deny`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockflight.cli.common import folder_of, quoted, release_json, release_line, said_json
from lockflight.cli.reply import Reply, Run
from lockflight.cli.style import clean, short

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable

    from lockflight.cli.style import Style


def approve_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `approve`."""
    _arguments(parser)


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
    from lockflight.app.people import approve as say
    from lockflight.core.times import rfc3339

    said, release, judgement = say(
        run.home,
        run.realm,
        folder_of(args.package),
        environment=args.env,
        actor=run.actor,
        verdict=verdict,
        reason=args.reason,
        now=run.now,
        hours=args.hours,
    )
    expires = rfc3339(run.now + args.hours * 3600)
    result = {
        "release": release_json(release),
        "environment": args.env,
        "verdict": verdict,
        "basis": judgement.decision.basis,
        "expires": expires,
        **said_json(said),
    }

    def human(style: Style) -> Iterable[str]:
        mark, word = (style.yes, "approved") if verdict == "approve" else (style.no, "denied")
        yield f"{mark} {word} for {style.bold(args.env)}: {release_line(release, style)}"
        yield f"  by {clean(said.name)}, until {expires}, entry {said.index} in the log of {run.realm}"
        yield f"  bound to the decision's basis {short(judgement.decision.basis)}: another outcome voids it"
        if verdict == "approve":
            yield f"  next: lockflight promote {clean(quoted(args.package))} --to {args.env}"

    return Reply("approval/v1", result, human)
