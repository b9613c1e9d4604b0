"""`identity totp`: the second factor of a person in this home."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockflight.cli.arguments import choice
from lockflight.cli.reply import Reply, Run
from lockflight.cli.style import clean

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable

    from lockflight.cli.style import Style


def totp_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `identity totp`."""
    parser.add_argument(
        "action", type=choice("LF0106", "action", ["enrol"]), metavar="ACTION", help="enrol: make a secret"
    )
    parser.add_argument("--replace", action="store_true", help="throw the secret away that there is")


def totp(args: argparse.Namespace, run: Run) -> Reply:
    """Make a secret for one-time codes; it is shown once."""
    from lockflight.app.identity.totp import enrol

    person, uri, secret = enrol(run.home, run.realm, actor=run.actor, replace=args.replace)
    result = {"person": person.name, "principal": person.principal, "uri": uri, "secret": secret}

    def human(style: Style) -> Iterable[str]:
        yield f"{style.yes} a second factor for {style.bold(clean(person.name))}; the secret is shown this once"
        yield f"  {uri}"
        yield f"  or type it: {' '.join(secret[i : i + 4] for i in range(0, len(secret), 4))}"
        yield "  next: lockflight approve PACKAGE --env ENVIRONMENT --totp CODE"

    return Reply("identity-totp/v1", result, human)
