"""`key new`, `key show` and `key rotate`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from lockflight.cli.arguments import choice
from lockflight.cli.common import said_json
from lockflight.cli.passphrase import asker, new_passphrase, passphrase_arguments, root_arguments
from lockflight.cli.reply import Reply, Run
from lockflight.cli.style import clean, short, table
from lockflight.errors import UsageError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable

    from lockflight.app.identity.principals import Proposed
    from lockflight.app.registry.keys import Rotated, Shown
    from lockflight.cli.style import Style
    from lockflight.core.attest.trust import Duty

#: As people type them; those on curves of NIST are called `ecdsa-…` elsewhere.
_ALGORITHMS = ("p256", "p384", "p521", "ed25519")
_DUTIES = ("root", "log", "clock", "gate", "producer", "person")


def new_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `key new`."""
    parser.add_argument(
        "--out", required=True, metavar="FILE", help="new key file (0600); the public key goes to FILE.pub"
    )
    parser.add_argument(
        "--algorithm",
        default="p256",
        type=choice("LF7010", "algorithm", _ALGORITHMS),
        metavar="NAME",
        help="p256 (default), p384, p521 or ed25519; stock verifiers of models read the first three",
    )
    parser.add_argument(
        "--ask-passphrase", action="store_true", help="ask for one on the terminal, where none is given"
    )
    passphrase_arguments(parser, "the new key", new=True)


def new(args: argparse.Namespace, run: Run) -> Reply:
    """Make a key file and its public key."""
    from lockflight.app.registry.keys import new as make

    passphrase = new_passphrase(args, ask=args.ask_passphrase)
    name: str = args.algorithm
    made = make(Path(args.out), f"ecdsa-{name}" if name.startswith("p") else name, passphrase)
    result = {
        "file": str(made.path),
        "public": str(made.public),
        "keyid": made.keyid,
        "algorithm": made.algorithm,
        "protected": made.protected,
    }

    def human(style: Style) -> Iterable[str]:
        how = "with a passphrase" if made.protected else "without a passphrase"
        yield f"{style.yes} made the {made.algorithm} key {style.bold(short(made.keyid))}, {how}"
        yield f"  private {clean(str(made.path))}, public {clean(str(made.public))}"
        yield f"  id sha256:{made.keyid}"

    return Reply("key-new/v1", result, human)


def show_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `key show`."""
    parser.add_argument(
        "key", nargs="?", metavar="KEY", help="a key file, URI or public key, or the start of an id"
    )
    parser.add_argument("--person", default="", metavar="NAME", help="the keys of a person or machine")
    parser.add_argument(
        "--duty",
        type=choice("LF0106", "duty", _DUTIES),
        metavar="DUTY",
        help="the keys of a duty: " + ", ".join(_DUTIES),
    )
    parser.add_argument("--all", action="store_true", help="those that were replaced or revoked too")
    passphrase_arguments(parser, "a key without a public key beside it")


def show(args: argparse.Namespace, run: Run) -> Reply:
    """Keys, and what the realm knows of them."""
    from lockflight.app.registry import keys

    if args.key is not None and (args.person or args.duty or args.all):
        raise UsageError(
            "LF0107", "One key was named, so there is nothing to choose from.", hint="lockflight key show KEY"
        )
    if args.key is not None:
        rows = [keys.show_one(run.home, run.realm, args.key, now=run.now, ask=asker(args))]
    else:
        rows = keys.show(
            run.home, run.realm, now=run.now, former=args.all, person=args.person, duty=args.duty or ""
        )

    def human(style: Style) -> Iterable[str]:
        if not rows:
            yield "No key of that kind counts now; --all shows those that did."
        yield from table([_row(row) for row in rows])
        if len(rows) == 1:
            yield f"  id sha256:{rows[0].keyid}"

    return Reply("key/v1", {"realm": run.realm, "keys": [_json(row) for row in rows]}, human)


def _json(row: Shown) -> dict[str, object]:
    return {
        "keyid": row.keyid,
        "algorithm": row.algorithm,
        "duty": row.duty or None,
        "principal": row.principal or None,
        "name": row.name or None,
        "roles": list(row.roles),
        "expires": row.expires or None,
        "state": row.state,
        "since": row.since if row.since >= 0 else None,
        "revoked": row.revoked if row.revoked >= 0 else None,
        "here": row.here,
    }


def _row(row: Shown) -> list[str]:
    where = "key here" if row.here else "key elsewhere"
    if row.state == "unknown":
        return [short(row.keyid), row.algorithm, "the realm does not know it"]
    state = row.state if row.revoked < 0 else f"revoked by entry {row.revoked}"
    until = f", until {row.expires}" if row.expires else ""
    who = clean(row.name) if row.name else "the realm"
    return [
        row.duty,
        who,
        short(row.keyid),
        row.algorithm,
        f"{state}{until}",
        f"since entry {row.since}",
        where,
    ]


def rotate_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `key rotate`."""
    parser.add_argument(
        "--duty",
        default="person",
        type=choice("LF0106", "duty", _DUTIES),
        metavar="DUTY",
        help="gate, producer or root: the realm's own key (default: that of the person who acts)",
    )
    parser.add_argument("--out", metavar="FILE", help="where the new root key goes, to keep it offline")
    root_arguments(parser)
    passphrase_arguments(parser, "the new root key", "out-", new=True)


def rotate(args: argparse.Namespace, run: Run) -> Reply:
    """Replace a key: a person's by a grant, the realm's own by the root key."""
    from lockflight.core.attest.trust import Duty

    duty = Duty(args.duty)
    if duty is not Duty.PERSON:
        return _own(args, run, duty)
    if args.root_key or args.out:
        raise UsageError(
            "LF0107", "The root key replaces no person's key.", hint="lockflight key rotate --as NAME"
        )
    from lockflight.app.identity.principals import renew

    done = renew(run.home, run.realm, "", actor=run.actor, now=run.now, own=True)
    return Reply("key-rotated/v1", _person_json(done), lambda style: _person(done, style))


def _own(args: argparse.Namespace, run: Run, duty: Duty) -> Reply:
    from lockflight.app.registry.keys import rotate as replace

    opened: list[str] = []
    answer = asker(args)

    def ask(name: str) -> bytes | None:
        opened.append(name)
        return answer(name)

    done = replace(
        run.home,
        run.realm,
        duty,
        root_key=args.root_key,
        ask=ask,
        out=Path(args.out) if args.out is not None else None,
        # What was protected stays so.
        protect=lambda: new_passphrase(args, "out-", ask=bool(opened)),
    )
    result = {
        "duty": done.duty.value,
        "principal": None,
        "old": done.old or None,
        "new": done.new,
        "file": str(done.file),
        "index": done.index,
        "waits": False,
        "proposal": None,
        "removed": [str(path) for path in done.removed],
    }
    return Reply("key-rotated/v1", result, lambda style: _rotated(args, done, style))


def _rotated(args: argparse.Namespace, done: Rotated, style: Style) -> Iterable[str]:
    duty = done.duty.value
    yield f"{style.yes} the {duty} key is {style.bold(short(done.new))} from entry {done.index} on"
    yield f"  in {clean(str(done.file))}"
    if done.old:
        gone = ", and is deleted here" if done.removed else ""
        yield f"  {short(done.old)} signs nothing more{gone}; what it signed counts as before"
    if duty == "root" and args.out is not None:
        yield "  Take the new key off this machine, and destroy every copy of the old one."
    elif done.old and duty != "root":
        yield (
            "  if it was stolen, take back what it signed: "
            f"lockflight revoke --digest {short(done.old)} --scope key --reason compromised"
        )


def _person_json(done: Proposed) -> dict[str, object]:
    return {
        "duty": done.grant.key.duty.value,
        "principal": done.grant.key.principal,
        "old": done.replaced,
        "new": done.grant.key.keyid,
        "file": str(done.key_file) if done.key_file is not None else None,
        "index": done.said.index,
        "waits": done.waits,
        "proposal": said_json(done.said)["envelope"] if done.waits else None,
        "removed": [],
    }


def _person(done: Proposed, style: Style) -> Iterable[str]:
    key = f"{short(done.grant.key.keyid)}  {clean(str(done.key_file))}"
    if not done.waits:
        yield f"{style.yes} {style.bold(clean(done.name))} has a new key: {key}"
        return
    yield f"{style.look} proposed: a new key for {style.bold(clean(done.name))}"
    yield f"  {key}, entry {done.said.index} in the log"
    yield "  the old key counts until a second person consents"
    yield f"  next: lockflight review {short(done.said.envelope)} --as NAME   (not {clean(done.said.name)})"
