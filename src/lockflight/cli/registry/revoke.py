"""`revoke`: a release, assets, a key or a person are taken back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockflight.cli.arguments import choice
from lockflight.cli.common import folder_of, said_json
from lockflight.cli.reply import Reply, Run
from lockflight.cli.style import clean, count, short
from lockflight.core.attest.acts import REVOCATION_REASONS, Scope
from lockflight.errors import UsageError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable

    from lockflight.app.realm.speak import Said
    from lockflight.cli.style import Style

#: What `--digest` may be the digest of; a person is named, not counted out in digits.
_SCOPES = (Scope.RELEASE, Scope.ASSET, Scope.KEY)


def revoke_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `revoke`."""
    parser.add_argument("package", nargs="?", metavar="PACKAGE", help="the package whose release is revoked")
    parser.add_argument(
        "--digest", metavar="DIGEST", help="instead of a package; the start is enough if known here"
    )
    parser.add_argument(
        "--scope",
        type=choice("LF0106", "scope", [scope.value for scope in _SCOPES]),
        metavar="SCOPE",
        help="what the digest is: release, asset (hits every release that holds it) or key",
    )
    parser.add_argument(
        "--where", metavar="QUERY", help="instead: every asset that `lockflight find QUERY` finds"
    )
    parser.add_argument(
        "--identity", metavar="NAME", help="instead: a person or machine, with all their keys"
    )
    parser.add_argument("--yes", action="store_true", help="revoke all that --where finds, not only one")
    _why(parser)


def person_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `identity revoke`."""
    parser.add_argument(
        "identity", metavar="NAME", help="name or pseudonym of a person or machine: lockflight identity list"
    )
    _why(parser)


def person(args: argparse.Namespace, run: Run) -> Reply:
    """Take a person or machine back, with all their keys: `revoke --identity NAME`."""
    return _identity(args, run)


def _why(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--reason",
        required=True,
        type=choice("LF0106", "reason", REVOCATION_REASONS),
        metavar="WORD",
        help=", ".join(REVOCATION_REASONS),
    )
    parser.add_argument(
        "--note", default="", metavar="TEXT", help="free text, kept beside the log and erasable"
    )


def revoke(args: argparse.Namespace, run: Run) -> Reply:
    """Take a release, assets, a key or a person back."""
    _refuse_clashes(args)
    if args.where is not None:
        return _where(args, run)
    if args.identity is not None:
        return _identity(args, run)
    from lockflight.app.gate.approvals import revoke as say

    scope, digest, name = _target(args, run)
    said = say(
        run.home,
        run.realm,
        scope=scope,
        digest=digest,
        name=name,
        reason=args.reason,
        note=args.note,
        actor=run.actor,
    )
    after = ("next: lockflight status shows what still holds it",)
    return _revoked(args, run, said, scope=scope, digest=digest, name=name, shown=name, after=after)


def _revoked(
    args: argparse.Namespace,
    run: Run,
    said: Said,
    *,
    scope: Scope,
    digest: str,
    name: str,
    shown: str,
    after: tuple[str, ...],
) -> Reply:
    result = {"scope": scope.value, "digest": digest, "name": name, "reason": args.reason, **said_json(said)}

    def human(style: Style) -> Iterable[str]:
        what = f"the {scope.value} {style.bold(clean(shown))}"
        yield f"{style.no} revoked {what}  sha256:{short(digest)}  ({args.reason})"
        yield f"  by {clean(said.name)}, entry {said.index} in the log of {run.realm}; effective now"
        yield from (f"  {line}" for line in after)

    return Reply("revocation/v1", result, human)


def _identity(args: argparse.Namespace, run: Run) -> Reply:
    from lockflight.app.identity.principals import revoke as say
    from lockflight.core.attest.acts import identity_digest

    said, principal = say(
        run.home, run.realm, args.identity, reason=args.reason, note=args.note, actor=run.actor
    )
    digest = identity_digest(principal)
    after = (
        "their keys and machines sign nothing more; packages that they signed no longer verify",
        "next: lockflight status shows what still holds their work",
    )
    return _revoked(
        args,
        run,
        said,
        scope=Scope.IDENTITY,
        digest=digest,
        name=principal,
        shown=args.identity,
        after=after,
    )


def _refuse_clashes(args: argparse.Namespace) -> None:
    given = [args.package, args.digest, args.where, args.identity]
    if sum(value is not None for value in given) != 1:
        raise UsageError(
            "LF0107",
            "Name one thing: a package, --digest, --where or --identity.",
            hint="lockflight revoke --help",
        )
    if args.digest is not None and args.scope is None:
        raise UsageError(
            "LF0107", "--digest needs --scope, which says what it is the digest of.", hint="--scope release"
        )
    if args.digest is None and args.scope is not None and (args.package is None or args.scope != "release"):
        raise UsageError(
            "LF0107",
            "A package names its release; for an asset or key give --digest.",
            hint="--digest DIGEST",
        )


def _target(args: argparse.Namespace, run: Run) -> tuple[Scope, str, str]:
    """Scope, digest and name."""
    if args.package is not None:
        from lockflight.app.release.verify import signed_release

        release = signed_release(folder_of(args.package))
        return Scope.RELEASE, release.digest, f"{release.name} {release.version}"
    from lockflight.app.realm.realm import open_realm
    from lockflight.app.release.resolve import digest_of, known

    scope = Scope(args.scope)
    state = open_realm(run.home, run.realm).state
    return scope, *digest_of(args.digest, known(state, scope), scope.value)


def _where(args: argparse.Namespace, run: Run) -> Reply:
    from lockflight.app.registry.find import assets_of, find, revoke_where
    from lockflight.cli.registry.find import match_lines
    from lockflight.cli.style import Style as Plain

    _, found = find(run.home, run.realm, args.where)
    for line in match_lines(found, Plain()):
        run.say(line)
    assets = assets_of(found)
    said = revoke_where(
        run.home, run.realm, assets, reason=args.reason, note=args.note, actor=run.actor, sure=args.yes
    )
    result = {
        "query": args.where,
        "reason": args.reason,
        "revoked": [
            {"digest": digest, "name": name, "envelope": each.envelope, "index": each.index}
            for (digest, name), each in zip(assets.items(), said, strict=True)
        ],
        "person": said[0].name,
        "principal": said[0].principal,
    }

    def human(style: Style) -> Iterable[str]:
        for (digest, name), each in zip(assets.items(), said, strict=True):
            what = f"the asset {style.bold(clean(name))}  sha256:{short(digest)}"
            yield f"{style.no} revoked {what}  ({args.reason}), entry {each.index}"
        releases = count(len({match.release for match in found}), "release")
        yield f"  by {clean(said[0].name)} in the log of {run.realm}; effective now, in {releases}"
        yield "  next: lockflight status shows what still holds it"

    return Reply("revocations/v1", result, human)
