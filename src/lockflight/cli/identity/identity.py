"""People and machines of a realm: what is proposed, and by whom it must be consented to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockflight.cli.common import said_json
from lockflight.cli.reply import Reply, Run
from lockflight.cli.style import clean, short

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable

    from lockflight.app.identity.principals import Proposed
    from lockflight.cli.style import Style

_ROLE = (
    "what they may do: author, builder, evaluator, risk-owner, approver, releaser, auditor, realm-admin; "
    "several with commas, or repeat it"
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `identity add`."""
    parser.add_argument(
        "name", metavar="NAME", help="what people call them; kept beside the log and erasable"
    )
    parser.add_argument("--role", action="append", required=True, metavar="ROLE[,ROLE]", help=_ROLE)
    _email(parser)
    parser.add_argument("--machine", action="store_true", help="no human: it signs evidence and nothing else")
    parser.add_argument(
        "--owner", default="", metavar="NAME", help="the human behind a machine or a second account"
    )
    parser.add_argument(
        "--no-key",
        action="store_true",
        help="a machine without a key: tokens of a trusted issuer identify it (identity issuer)",
    )
    parser.add_argument(
        "--same-name",
        action="store_true",
        help="give out the name of somebody who was revoked or has left; to the realm it is another person",
    )
    _hours(parser)


def grant_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `identity grant`."""
    _who(parser)
    parser.add_argument(
        "--role", action="append", required=True, metavar="ROLE[,ROLE]", help="all roles from now on"
    )
    _email(parser)


def renew_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `identity renew`."""
    _who(parser)
    _hours(parser)


def withdraw_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `identity withdraw`."""
    _who(parser)


def _who(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", help="name or pseudonym: lockflight identity list")


def _email(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--email",
        action="append",
        metavar="ADDRESS",
        help="under which they commit, so that `record` knows whose work it is; erasable like the name; repeat it",
    )


def _hours(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--hours",
        type=int,
        metavar="N",
        help="life of the key (default: 24 for machines, no end for people; at most 720)",
    )


def _roles(args: argparse.Namespace) -> list[str]:
    return [role.strip() for word in args.role for role in word.split(",") if role.strip()]


def add(args: argparse.Namespace, run: Run) -> Reply:
    """Propose a new person or machine with a key."""
    from lockflight.app.identity import principals as identity

    done = identity.add(
        run.home,
        run.realm,
        args.name,
        roles=_roles(args),
        emails=args.email or (),
        machine=args.machine,
        owner=args.owner,
        hours=args.hours,
        no_key=args.no_key,
        same_name=args.same_name,
        actor=run.actor,
        now=run.now,
    )
    return _proposed(done, "add", run)


def grant(args: argparse.Namespace, run: Run) -> Reply:
    """Propose other roles for somebody."""
    from lockflight.app.identity import principals as identity

    done = identity.grant(
        run.home, run.realm, args.name, roles=_roles(args), emails=args.email, actor=run.actor
    )
    return _proposed(done, "grant", run)


def renew(args: argparse.Namespace, run: Run) -> Reply:
    """Propose a new key for a machine or person."""
    from lockflight.app.identity import principals as identity

    done = identity.renew(run.home, run.realm, args.name, hours=args.hours, actor=run.actor, now=run.now)
    return _proposed(done, "renew", run)


def withdraw(args: argparse.Namespace, run: Run) -> Reply:
    """Propose that somebody leaves."""
    from lockflight.app.identity import principals as identity

    return _proposed(identity.withdraw(run.home, run.realm, args.name, actor=run.actor), "withdraw", run)


def _proposed(done: Proposed, action: str, run: Run) -> Reply:
    from lockflight.core.attest.trust import Duty

    key = done.grant.key
    machine = key.duty is Duty.PRODUCER
    result = {
        "action": action,
        "effective": False,
        "name": done.name,
        "of": key.principal,
        "machine": machine,
        "roles": list(key.roles),
        "keyid": key.keyid,
        "owner": key.owner or None,
        "expires": key.expires or None,
        "key_file": str(done.key_file) if done.key_file is not None else None,
        "namesakes": list(done.namesakes),
        **said_json(done.said),
    }

    def human(style: Style) -> Iterable[str]:
        kind = "machine" if machine else "person"
        words = {
            "add": f"the new {kind} {style.bold(clean(done.name))} with the roles {', '.join(key.roles)}",
            "grant": f"the roles {', '.join(key.roles)} for {style.bold(clean(done.name))}",
            "renew": f"a new key for the {kind} {style.bold(clean(done.name))}",
            "withdraw": f"that the {kind} {style.bold(clean(done.name))} leaves",
        }
        yield f"{style.look} proposed: {words[action]}"
        yield f"  by {clean(done.said.name)}, entry {done.said.index} in the log of {run.realm}"
        if action != "withdraw":
            until = f", until {key.expires}" if key.expires else ""
            held = (
                "no key: tokens of a trusted issuer identify it" if key.keyless else f"key {short(key.keyid)}"
            )
            yield f"  {held}{until}" + (f"  {done.key_file}" if done.key_file is not None else "")
        if done.namesakes:
            yield (
                f"{style.look} {', '.join(done.namesakes)} had this name before and stays out; to the realm this is "
                "another person, who could approve what the first one made"
            )
        yield "  nothing has changed yet: it waits for a second person"
        yield f"  next: lockflight review {short(done.said.envelope)} --as NAME   (not {clean(done.said.name)})"

    return Reply("identity-proposed/v1", result, human)
