"""`identity revoke`: an incident, so one person does it and it takes effect at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockflight.cli.arguments import choice
from lockflight.cli.common import said_json
from lockflight.cli.reply import Reply, Run
from lockflight.cli.style import clean
from lockflight.core.acts import REVOCATION_REASONS

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable

    from lockflight.cli.style import Style


def revoke_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `identity revoke`."""
    parser.add_argument("name", metavar="NAME", help="name or pseudonym: lockflight identity list")
    parser.add_argument(
        "--reason",
        required=True,
        type=choice("LF0106", "reason", REVOCATION_REASONS),
        metavar="WORD",
        help=", ".join(REVOCATION_REASONS),
    )
    parser.add_argument("--note", default="", metavar="TEXT", help="kept beside the log and erasable")


def revoke(args: argparse.Namespace, run: Run) -> Reply:
    """Take a person or machine back at once."""
    from lockflight.app import identity

    said, principal = identity.revoke(
        run.home, run.realm, args.name, reason=args.reason, note=args.note, actor=run.actor
    )
    result = {"name": args.name, "of": principal, "reason": args.reason, **said_json(said)}

    def human(style: Style) -> Iterable[str]:
        yield f"{style.no} revoked {style.bold(clean(args.name))}  ({args.reason})"
        yield f"  by {clean(said.name)}, entry {said.index} in the log of {run.realm}; effective now"
        yield "  their keys and machines sign nothing more; packages that they signed no longer verify"
        yield "  next: lockflight status shows what still holds their work"

    return Reply("identity-revoked/v1", result, human)
