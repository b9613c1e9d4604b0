"""`identity issuer`: whose identity tokens speak for which machine."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from lockflight.cli.arguments import choice
from lockflight.cli.common import said_json
from lockflight.cli.reply import Reply, Run
from lockflight.cli.style import clean, count, short
from lockflight.errors import UsageError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable

    from lockflight.app.realm.view import RealmView
    from lockflight.cli.style import Style
    from lockflight.core.state.issuers import TrustedIssuer

_ACTIONS = ["add", "list", "remove"]


def issuer_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `identity issuer`."""
    parser.add_argument(
        "action",
        type=choice("LF0106", "action", _ACTIONS),
        metavar="ACTION",
        help="add: propose one, or other keys and rules for it; list; remove: take one back at once",
    )
    parser.add_argument(
        "what", nargs="?", metavar="FILE|URL", help="add: file that describes it; remove: its address"
    )
    parser.add_argument("--jwks", metavar="FILE", help="add: the issuer's public keys, which are pinned")


def issuer(args: argparse.Namespace, run: Run) -> Reply:
    """Propose, list or take back an issuer of identity tokens."""
    if args.action == "list":
        if args.what is not None or args.jwks is not None:
            raise UsageError(
                "LF0107", "`list` shows all of them and takes nothing more.", hint="Leave the rest out."
            )
        return _list(run)
    if args.what is None:
        what = "the file that describes the issuer" if args.action == "add" else "the address of the issuer"
        raise UsageError("LF0107", f"Name {what}.", hint=f"lockflight identity issuer {args.action} --help")
    if (args.action == "add") != (args.jwks is not None):
        raise UsageError(
            "LF0107",
            "--jwks FILE goes with `add`: tokens are verified against pinned keys.",
            hint="lockflight identity issuer --help",
        )
    return _add(args, run) if args.action == "add" else _remove(args, run)


def issuer_json(view: RealmView, one: TrustedIssuer) -> dict[str, object]:
    """An issuer as results show it."""
    from lockflight.app.identity.issuers import told

    return {
        "url": one.url,
        "kind": one.kind.value if one.kind is not None else None,
        "audience": one.audience,
        "life_s": one.life_s,
        "keys": [{"kid": key.kid, "kty": key.kty, "algorithms": list(key.algorithms)} for key in one.keys],
        "rules": [
            {"machine": rule.name, "principal": rule.principal, "claims": dict(rule.claims)}
            for rule in told(view, one)
        ],
    }


def _lines(view: RealmView, one: TrustedIssuer) -> Iterable[str]:
    from lockflight.app.identity.issuers import told
    from lockflight.core.verify.crypto.jwks import plain

    kind = one.kind.value if one.kind is not None else ""
    yield f"  {kind}, for {clean(one.audience)}, tokens of at most {one.life_s} s"
    yield f"  {count(len(one.keys), 'key')}: {clean(', '.join(plain(key) for key in one.keys))}"
    for rule in told(view, one):
        yield f"  {clean(rule.name)} if"
        for name, value in rule.claims:
            yield f"    {clean(name)} = {clean(value)}"


def _add(args: argparse.Namespace, run: Run) -> Reply:
    from lockflight.app.identity.issuers import add
    from lockflight.app.realm.view import open_view

    said, one = add(run.home, run.realm, Path(args.what), Path(args.jwks), actor=run.actor)
    view = open_view(run.home, run.realm)
    result = {"action": "add", "effective": False, "issuer": issuer_json(view, one), **said_json(said)}

    def human(style: Style) -> Iterable[str]:
        yield f"{style.look} proposed: tokens of {style.bold(clean(one.url))} speak for machines of {run.realm}"
        yield from _lines(view, one)
        yield f"  by {clean(said.name)}, entry {said.index} in the log of {run.realm}"
        yield "  nothing has changed yet: it waits for a second person"
        yield f"  next: lockflight review {short(said.envelope)} --as NAME   (not {clean(said.name)})"

    return Reply("identity-issuer/v1", result, human)


def _remove(args: argparse.Namespace, run: Run) -> Reply:
    from lockflight.app.identity.issuers import remove
    from lockflight.app.realm.view import open_view

    said, one = remove(run.home, run.realm, args.what, actor=run.actor)
    view = open_view(run.home, run.realm)
    result = {"action": "remove", "effective": True, "issuer": issuer_json(view, one), **said_json(said)}

    def human(style: Style) -> Iterable[str]:
        yield f"{style.yes} tokens of {style.bold(clean(one.url))} count no more"
        yield f"  by {clean(said.name)}, entry {said.index} in the log of {run.realm}; effective now"
        yield "  certificates that were issued before end within ten minutes; what they signed stays signed"

    return Reply("identity-issuer/v1", result, human)


def _list(run: Run) -> Reply:
    from lockflight.app.identity.issuers import listed

    view, trusted, pending = listed(run.home, run.realm)
    result = {
        "realm": run.realm,
        "issuers": [issuer_json(view, one) for one in trusted],
        "waiting": [{"proposal": p.digest, "url": p.fact.url} for p in pending],  # type: ignore[attr-defined]
    }

    def human(style: Style) -> Iterable[str]:
        if not trusted:
            yield f"The realm {run.realm} trusts no issuer of identity tokens."
        for one in trusted:
            yield style.bold(clean(one.url))
            yield from _lines(view, one)
        for proposal in pending:
            yield f"waiting: {clean(proposal.fact.url)}: lockflight review {short(proposal.digest)}"  # type: ignore[attr-defined]

    return Reply("identity-issuers/v1", result, human)
