"""`freeze`: stop what moves in, and let it go again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockflight.cli.common import said_json
from lockflight.cli.reply import Reply, Run
from lockflight.cli.style import clean
from lockflight.errors import UsageError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable

    from lockflight.cli.style import Style


def freeze_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `freeze`."""
    parser.add_argument("--project", default="", metavar="NAME", help="only this project (default: all)")
    parser.add_argument("--env", default="", metavar="ENVIRONMENT", help="only there (default: everywhere)")
    parser.add_argument("--reason", default="", metavar="TEXT", help="kept beside the log and erasable")
    parser.add_argument("--hours", type=int, metavar="N", help="how long (default: until it is lifted)")
    parser.add_argument("--lift", action="store_true", help="end that freeze instead")


def freeze(args: argparse.Namespace, run: Run) -> Reply:
    """Stop what moves in; rollback and retirement stay possible."""
    from lockflight.app.registry.freeze import freeze as stop
    from lockflight.app.registry.freeze import lift, scope_of

    if args.lift and args.hours is not None:
        raise UsageError(
            "LF0107", "--lift ends a freeze now; --hours is for a new one.", hint="Leave one out."
        )
    if not args.lift and not args.reason.strip():
        raise UsageError("LF0141", "A freeze says why: --reason is missing or empty.", hint="--reason TEXT")
    if args.lift:
        said, fact = lift(
            run.home,
            run.realm,
            project=args.project,
            environment=args.env,
            reason=args.reason,
            actor=run.actor,
        )
    else:
        said, fact = stop(
            run.home,
            run.realm,
            project=args.project,
            environment=args.env,
            reason=args.reason,
            hours=args.hours,
            actor=run.actor,
            now=run.now,
        )
    result = {
        "action": "lift" if fact.lift else "freeze",
        "project": fact.project or None,
        "environment": fact.environment or None,
        "expires": fact.expires or None,
        **said_json(said),
    }

    def human(style: Style) -> Iterable[str]:
        scope = style.bold(clean(scope_of(fact.project, fact.environment)))
        until = f"until {fact.expires}" if fact.expires else "until it is lifted"
        yield (
            f"{style.yes} lifted the freeze of {scope}"
            if fact.lift
            else f"{style.look} froze {scope} {until}"
        )
        yield f"  by {clean(said.name)}, entry {said.index} in the log of {run.realm}; effective now"
        if not fact.lift:
            yield "  nothing moves in; rollback and retire stay possible"

    return Reply("freeze/v1", result, human)
