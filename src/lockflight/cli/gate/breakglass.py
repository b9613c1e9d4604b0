"""`break-glass`: an emergency, with two people, for a day at most."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockflight.cli.common import quoted, said_json
from lockflight.cli.reply import Reply, Run
from lockflight.cli.style import clean, short

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable

    from lockflight.cli.style import Style


def break_glass_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `break-glass`."""
    parser.add_argument("package", metavar="PACKAGE", help="the signed package, or its release's digest")
    parser.add_argument("--env", required=True, metavar="ENVIRONMENT", help="where to")
    parser.add_argument("--incident", required=True, metavar="ID", help="where the incident is tracked")
    parser.add_argument("--reason", required=True, metavar="TEXT", help="kept beside the log and erasable")
    parser.add_argument("--hours", type=int, default=4, metavar="N", help="how long, at most 24 (default 4)")


def break_glass(args: argparse.Namespace, run: Run) -> Reply:
    """Ask to let a release in without the usual approvals."""
    from lockflight.app.gate.breakglass import break_glass as ask
    from lockflight.cli.gate.waiver import waiver_json

    said, made = ask(
        run.home,
        run.realm,
        args.package,
        environment=args.env,
        incident=args.incident,
        reason=args.reason,
        hours=args.hours,
        actor=run.actor,
        now=run.now,
    )

    def human(style: Style) -> Iterable[str]:
        where = f"{style.bold(clean(made.waiver.name))} into {style.bold(args.env)}"
        yield f"{style.look} break-glass {short(said.envelope)}: {where}, until {made.waiver.expires}"
        yield f"  incident {clean(made.waiver.ticket)}; entry {said.index} in the log of {run.realm}"
        if made.status == "pending":
            yield "  it counts when a second person consents:"
            yield f"  next: lockflight review {short(said.envelope)} --as NAME"
        package = clean(quoted(args.package))
        yield f"  then: lockflight promote {package} --to {args.env} --break-glass {short(said.envelope)}"

    return Reply("waiver/v1", {**waiver_json(made), **said_json(said)}, human)
