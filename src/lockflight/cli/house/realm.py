"""`realm init` and `realm show`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from lockflight.cli.common import time_json
from lockflight.cli.passphrase import new_passphrase, passphrase_arguments
from lockflight.cli.reply import Reply, Run
from lockflight.cli.style import clean, count, short, table
from lockflight.core.words import INTAKE
from lockflight.errors import UsageError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable

    from lockflight.app.realm.realm import Member
    from lockflight.app.realm.view import RealmView
    from lockflight.cli.style import Style
    from lockflight.core.attest.trust import RealmKey
    from lockflight.core.state.state import State


def init_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `realm init`."""
    parser.add_argument("name", metavar="NAME", help="lower-case letters, digits and hyphens")
    parser.add_argument(
        "--member",
        action="append",
        required=True,
        metavar="NAME=ROLE[,ROLE]",
        help="a person and their roles (author, approver, releaser, risk-owner, realm-admin …); repeat it for each",
    )
    parser.add_argument(
        "--store",
        metavar="URL",
        help="keep the log in PostgreSQL: postgresql://USER@HOST/DATABASE (default: a file in the home)",
    )
    parser.add_argument(
        "--simulator",
        action="store_true",
        help="to rehearse alone with made-up people; nothing in it is real",
    )
    parser.add_argument(
        "--root-key-out",
        metavar="FILE",
        help="write the root key there instead of the home, to keep it offline",
    )
    passphrase_arguments(parser, "the root key in that file", new=True)


def init(args: argparse.Namespace, run: Run) -> Reply:
    """Make a team realm with local people."""
    from lockflight.app.realm.realm import create_realm
    from lockflight.core.attest.trust import RealmKind
    from lockflight.store.log.address import shown

    kind = RealmKind.SIMULATOR if args.simulator else RealmKind.TEAM
    root_key = Path(args.root_key_out) if args.root_key_out is not None else None
    passphrase = new_passphrase(args) if root_key is not None else None
    members = [_member(word) for word in args.member]
    store = run.settings["store"] if args.store is None else args.store
    view = create_realm(
        run.home,
        args.name,
        kind,
        members,
        root_key=root_key,
        passphrase=passphrase,
        store=store,
    ).view

    def human(style: Style) -> Iterable[str]:
        yield f"Made the {kind.value} realm {style.bold(args.name)} in {clean(str(view.folder))}"
        if store:
            yield f"Its log is in {clean(shown(store))}; keys and erasable texts stay in the folder."
        yield from _lines(view, style)
        yield ""
        if args.simulator:
            yield f"{style.look} A simulator: you play everybody, and nothing that it decides is real."
        if root_key is not None:
            how = "with a passphrase" if passphrase else "without a passphrase"
            yield f"The root key is in {clean(str(root_key))}, {how}. Take it off this machine."
        yield "Publish the root digest where your team reads it: it is what a verifier pins."
        yield f"Use this realm with --realm {args.name}, or: export LOCKFLIGHT_REALM={args.name}"

    return Reply("realm/v1", _result(view), human)


def _member(word: str) -> Member:
    from lockflight.app.realm.realm import Member

    name, _, roles = word.partition("=")
    if not name.strip() or not roles.strip():
        raise UsageError(
            "LF0116",
            f"--member {word!r} does not name a person with roles.",
            hint="--member alice=author --member bob=approver,risk-owner",
        )
    return Member(name.strip(), tuple(role.strip() for role in roles.split(",")))


def show_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `realm show`."""
    parser.add_argument("name", nargs="?", metavar="NAME", help="the realm (default: the one in force)")


def show(args: argparse.Namespace, run: Run) -> Reply:
    """Root, keys, people and checkpoint of a realm."""
    from lockflight.app.identity.proposals import waiting
    from lockflight.app.realm.asof import view_at

    view = view_at(run.home, args.name or run.realm, run.as_of)
    waits = len(waiting(view.state, run.now))
    return Reply("realm/v1", _result(view, waits), lambda style: _lines(view, style, waits))


def _result(view: RealmView, waits: int = 0) -> dict[str, object]:
    state = view.state
    return {
        "name": view.name,
        "kind": state.trust.kind.value,
        "folder": str(view.folder),
        "origin": state.trust.origin,
        "root": f"sha256:{state.root}",
        "expires": state.trust.expires or None,
        "environments": list(state.environments),
        "waiting": waits,
        "checkpoint": {"size": view.size, "root": view.root_hash, "time": time_json(view.timestamp)},
        "people": [
            {
                "name": view.name_of(p),
                "principal": p,
                "roles": list(key.roles),
                "keyid": key.keyid,
                "owner": key.owner or None,
                "expires": key.expires or None,
            }
            for p, key in sorted(state.people().items(), key=lambda item: view.name_of(item[0]))
        ],
        "keys": [
            {
                "duty": key.duty.value,
                "principal": key.principal,
                "roles": list(key.roles),
                "keyid": key.keyid,
                "owner": key.owner or None,
                "expires": key.expires or None,
            }
            for key in state.keys.values()
            if key.principal not in state.people()
        ],
    }


def _ladder(state: State) -> str:
    steps = [name for name in state.environments if name != INTAKE]
    return " -> ".join(steps) + (f", {INTAKE}" if INTAKE in state.environments else "")


def _lines(view: RealmView, style: Style, waits: int = 0) -> Iterable[str]:
    state = view.state
    yield from table(
        [
            ["realm", f"{view.name} ({state.trust.kind.value})"],
            ["root", style.bold(f"sha256:{state.root}")],
            ["log", f"{state.trust.origin}, {view.size} entries, {time_json(view.timestamp)}"],
            ["environments", _ladder(state)],
            *([["trust", f"until {state.trust.expires}"]] if state.trust.expires else []),
        ]
    )
    yield ""
    people = sorted(state.people().items(), key=lambda item: view.name_of(item[0]))
    rows = [[clean(view.name_of(p)), p, ", ".join(key.roles), _key(view, key)] for p, key in people]
    for key in state.keys.values():
        if key.principal not in state.people():
            named = key.principal and view.name_of(key.principal) != key.principal
            name = clean(view.name_of(key.principal)) if named else f"({key.duty.value})"
            rows.append([name, key.principal or "realm", ", ".join(key.roles), _key(view, key)])
    yield from table(rows)
    if waits:
        yield ""
        yield f"{style.look} {count(waits, 'proposal')} waiting for a second person: lockflight review"


def _key(view: RealmView, key: RealmKey) -> str:
    owner = f", of {clean(view.name_of(key.owner))}" if key.owner else ""
    return f"key {short(key.keyid)}{owner}" + (f", until {key.expires}" if key.expires else "")
