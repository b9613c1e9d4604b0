"""`identity list`: who there is, with roles, owners and expiry."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockflight.cli.reply import Reply, Run
from lockflight.cli.style import clean, short, table

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable

    from lockflight.app.identity.principals import Identity
    from lockflight.cli.style import Style

#: More people than this who are gone are only counted, unless somebody asks for all.
_MOST_GONE = 10


def list_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `identity list`."""
    parser.add_argument("--all", action="store_true", help="those who are gone too, however many")


def list(args: argparse.Namespace, run: Run) -> Reply:  # noqa: A001 - verbs are named as they are typed
    """Who there is, with roles, owners and expiry."""
    from lockflight.app.identity.principals import GONE, identities
    from lockflight.app.realm.realm import Realm

    known = identities(Realm(run.home, run.realm, as_of=run.as_of), run.now)
    here = [row for row in known if row.state not in GONE]
    rows = known if args.all or len(known) - len(here) <= _MOST_GONE else here
    hidden = len(known) - len(rows)

    def human(style: Style) -> Iterable[str]:
        yield from table([_line(row, style) for row in rows])
        if hidden:
            yield f"  {hidden} who left or were revoked are not shown: lockflight identity list --all"
        waits = [row for row in rows if row.proposal]
        if waits:
            yield f"  next: lockflight review {short(waits[0].proposal)} --as NAME   (not who proposed it)"

    result = {"realm": run.realm, "identities": [_json(row) for row in rows], "hidden": hidden}
    return Reply("identity-list/v1", result, human)


def _json(row: Identity) -> dict[str, object]:
    return {
        "name": row.name,
        "principal": row.key.principal,
        "machine": row.machine,
        "roles": [*row.key.roles],
        "emails": [*row.emails],
        "owner": row.owner or None,
        "keyid": row.key.keyid,
        "expires": row.key.expires or None,
        "state": row.state,
        "here": row.here,
        "proposal": row.proposal or None,
        "totp": row.totp,
    }


def _line(row: Identity, style: Style) -> tuple[str, ...]:
    mark = {"active": style.yes, "waiting": style.look}.get(row.state, style.no)
    about = [row.state] if row.state != "active" else []
    about += [f"of {clean(row.owner)}"] if row.owner else []
    about += [f"until {row.key.expires}"] if row.key.expires else []
    about += ["a change waits"] if row.proposal and row.state != "waiting" else []
    about += ["with TOTP"] if row.totp else []
    about += ["key elsewhere"] if not row.here and row.state == "active" else []
    kind = "machine" if row.machine else "person"
    return (f"{mark} {clean(row.name)}", kind, ", ".join(row.key.roles), row.key.principal, ", ".join(about))
