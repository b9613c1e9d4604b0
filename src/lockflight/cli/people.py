"""Statements by people: `approve`, `deny`, `revoke`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockflight.cli.arguments import choice
from lockflight.cli.common import folder_of, quoted, release_json, release_line, said_json
from lockflight.cli.reply import Reply, Run
from lockflight.cli.style import clean, short
from lockflight.core.acts import REVOCATION_REASONS, Scope
from lockflight.errors import UsageError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable

    from lockflight.cli.style import Style


def approve_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `approve`."""
    _arguments(parser)


def deny_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `deny`."""
    _arguments(parser)


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("package", metavar="PACKAGE", help="the signed package (a folder)")
    parser.add_argument("--env", required=True, metavar="ENVIRONMENT", help="where to")
    parser.add_argument("--reason", default="", metavar="TEXT", help="kept beside the log and erasable")
    parser.add_argument("--hours", type=int, default=72, metavar="N", help="how long it counts (default 72)")


def approve(args: argparse.Namespace, run: Run) -> Reply:
    """Say yes to a release for an environment."""
    return _say(args, run, "approve")


def deny(args: argparse.Namespace, run: Run) -> Reply:
    """Say no to a release for an environment."""
    return _say(args, run, "deny")


def _say(args: argparse.Namespace, run: Run, verdict: str) -> Reply:
    from lockflight.app.people import approve as say
    from lockflight.core.times import rfc3339

    said, release, judgement = say(
        run.home,
        run.realm,
        folder_of(args.package),
        environment=args.env,
        actor=run.actor,
        verdict=verdict,
        reason=args.reason,
        now=run.now,
        hours=args.hours,
    )
    expires = rfc3339(run.now + args.hours * 3600)
    result = {
        "release": release_json(release),
        "environment": args.env,
        "verdict": verdict,
        "basis": judgement.decision.basis,
        "expires": expires,
        **said_json(said),
    }

    def human(style: Style) -> Iterable[str]:
        mark, word = (style.yes, "approved") if verdict == "approve" else (style.no, "denied")
        yield f"{mark} {word} for {style.bold(args.env)}: {release_line(release, style)}"
        yield f"  by {clean(said.name)}, until {expires}, entry {said.index} in the log of {run.realm}"
        yield f"  bound to the decision's basis {short(judgement.decision.basis)}: another outcome voids it"
        if verdict == "approve":
            yield f"  next: lockflight promote {clean(quoted(args.package))} --to {args.env}"

    return Reply("approval/v1", result, human)


def revoke_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `revoke`."""
    parser.add_argument("package", nargs="?", metavar="PACKAGE", help="the package whose release is revoked")
    parser.add_argument(
        "--digest", metavar="DIGEST", help="instead of a package; the start is enough if known here"
    )
    parser.add_argument(
        "--scope",
        type=choice("LF0106", "scope", [scope.value for scope in Scope]),
        metavar="SCOPE",
        help="what the digest is: release, asset (hits every release that holds it) or key",
    )
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
    """Take a release, an asset or a key back."""
    if (args.package is None) == (args.digest is None):
        raise UsageError("LF0107", "Name either a package or --digest.", hint="lockflight revoke --help")
    if args.digest is not None and args.scope is None:
        raise UsageError(
            "LF0107", "--digest needs --scope, which says what it is the digest of.", hint="--scope release"
        )
    if args.package is not None and args.scope not in {None, Scope.RELEASE.value}:
        raise UsageError(
            "LF0107",
            "A package names its release; for an asset or key give --digest.",
            hint="--digest DIGEST",
        )
    from lockflight.app.people import revoke as say
    from lockflight.app.realm import open_realm
    from lockflight.app.resolve import digest_of, known
    from lockflight.app.verify import signed_release

    scope = Scope(args.scope or Scope.RELEASE.value)
    if args.package is not None:
        release = signed_release(folder_of(args.package))
        digest, name = release.digest, f"{release.name} {release.version}"
    else:
        state = open_realm(run.home, run.realm).state
        digest, name = digest_of(args.digest, known(state, scope), scope.value)
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
    result = {"scope": scope.value, "digest": digest, "name": name, "reason": args.reason, **said_json(said)}

    def human(style: Style) -> Iterable[str]:
        yield f"{style.no} revoked the {scope.value} {style.bold(clean(name))}  sha256:{short(digest)}  ({args.reason})"
        yield f"  by {clean(said.name)}, entry {said.index} in the log of {run.realm}; effective now"
        yield "  next: lockflight status shows what still holds it"

    return Reply("revocation/v1", result, human)
