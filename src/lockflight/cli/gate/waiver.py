"""Waivers: `waiver request` and `waiver list`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockflight.cli.common import said_json
from lockflight.cli.reply import Reply, Run
from lockflight.cli.style import clean, short
from lockflight.errors import UsageError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable

    from lockflight.app.gate.waivers import Standing
    from lockflight.cli.style import Style
    from lockflight.core.attest.changes import Scope
    from lockflight.core.state.state import State


def request_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `waiver request`."""
    parser.add_argument("--rule", required=True, metavar="CODE", help="code of the rule that fails")
    parser.add_argument(
        "--term", default="", metavar="TERM", help="what it was applied to, exactly as the decision says"
    )
    group = parser.add_mutually_exclusive_group(required=True)
    group.add_argument("--asset", metavar="DIGEST", help="for one file, in every release that holds it")
    group.add_argument("--release", metavar="PACKAGE|DIGEST", help="for one release")
    group.add_argument("--project", metavar="NAME", help="for every release of a project; needs --env")
    parser.add_argument("--env", default="", metavar="ENVIRONMENT", help="only there")
    parser.add_argument("--reason", required=True, metavar="TEXT", help="kept beside the log and erasable")
    parser.add_argument("--control", required=True, metavar="TEXT", help="what protects meanwhile; the same")
    parser.add_argument("--ticket", required=True, metavar="ID", help="where it is tracked")
    parser.add_argument("--days", required=True, type=int, metavar="N", help="how long, at most 90")
    parser.add_argument("--from", dest="start", metavar="TIME", help="when it begins (default: now)")
    parser.add_argument("--renews", default="", metavar="DIGEST", help="the waiver that it follows")


def request(args: argparse.Namespace, run: Run) -> Reply:
    """Ask that a failed rule be put up with for a while."""
    from lockflight.app.gate.waivers import Wish
    from lockflight.app.gate.waivers import request as ask
    from lockflight.app.realm.realm import open_realm

    scope, name = _scope(args, open_realm(run.home, run.realm).state)
    wish = Wish(
        rule=args.rule,
        term=args.term,
        scope=scope,
        name=name,
        reason=args.reason,
        control=args.control,
        ticket=args.ticket,
        days=args.days,
        starts=_start(args, run),
        renews=args.renews,
    )
    said, made = ask(run.home, run.realm, wish, actor=run.actor, now=run.now)

    def human(style: Style) -> Iterable[str]:
        yield f"{style.look if made.status == 'pending' else style.yes} {what(made)}"
        yield f"  {window(made)}; entry {said.index} in the log of {run.realm}"
        if made.status == "pending":
            yield "  it counts when a risk owner consents:"
            yield f"  next: lockflight review {short(said.envelope)} --as NAME"

    return Reply("waiver/v1", {**waiver_json(made), **said_json(said)}, human)


def _scope(args: argparse.Namespace, state: State) -> tuple[Scope, str]:
    from lockflight.app.release.resolve import digest_of, known, release_of
    from lockflight.core.attest.acts import Scope as Kind
    from lockflight.core.attest.changes import Reach, Scope

    if args.project is not None:
        from lockflight.app.realm.view import need_project

        if not args.env:
            raise UsageError(
                "LF0107",
                "A waiver for a project names its environment.",
                hint="--project NAME --env ENVIRONMENT",
            )
        need_project(state, args.project)
        return Scope(Reach.PROJECT, project=args.project, environment=args.env), args.project
    if args.asset is not None:
        digest, name = digest_of(args.asset, known(state, Kind.ASSET), "asset")
        return Scope(Reach.ASSET, digest, environment=args.env), name
    digest, name = release_of(args.release, state)
    return Scope(Reach.RELEASE, digest, environment=args.env), name


def _start(args: argparse.Namespace, run: Run) -> int:
    from lockflight.core.times import unix

    if args.start is None:
        return run.now
    try:
        return unix(args.start)
    except ValueError as error:
        raise UsageError(
            "LF0105", f"--from: {error}.", hint="Write it in UTC, like --from 2026-01-31T12:00:00Z."
        ) from error


def list_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `waiver list`."""
    parser.add_argument("--project", default="", metavar="NAME", help="only what can touch its releases")


def list(args: argparse.Namespace, run: Run) -> Reply:  # noqa: A001 - verbs are named as they are typed
    """Every waiver and break-glass, with where it stands."""
    from lockflight.app.gate.waivers import listed

    _, rows = listed(run.home, run.realm, project=args.project, as_of=run.as_of, now=run.now)

    def human(style: Style) -> Iterable[str]:
        if not rows:
            yield f"No waivers in {run.realm}."
        for row in rows:
            mark = {"active": style.yes, "pending": style.look, "not-yet": style.look}.get(
                row.status, style.no
            )
            yield f"{mark} {row.status:<8} {short(row.digest)}  {what(row)}"
            yield f"    {window(row)}"
            yield f"    asked by {clean(row.requester)}{_answered(row)}"
            if row.reason:
                yield f"    because: {clean(row.reason)}"
            if row.control:
                yield f"    meanwhile: {clean(row.control)}"

    return Reply("waivers/v1", {"waivers": [waiver_json(row) for row in rows]}, human)


def _answered(row: Standing) -> str:
    if not row.approver:
        return ""
    return f", {'rejected' if row.status == 'rejected' else 'consented'} by {clean(row.approver)}"


def what(row: Standing) -> str:
    """A waiver in one line."""
    waiver = row.waiver
    where = f" in {waiver.scope.environment}" if waiver.scope.environment else ""
    term = f" {waiver.term}" if waiver.term else ""
    return clean(f"{waiver.kind} of {waiver.rule}{term} for the {waiver.scope.kind} {waiver.name}{where}")


def window(row: Standing) -> str:
    """From when to when, ticket and renewals."""
    again = f", renewal {row.renewals}" if row.renewals else ""
    return f"{row.waiver.not_before} to {row.waiver.expires}, ticket {clean(row.waiver.ticket)}{again}"


def waiver_json(row: Standing) -> dict[str, object]:
    """A waiver with where it stands."""
    waiver = row.waiver
    return {
        "digest": row.digest,
        "kind": waiver.kind.value,
        "rule": waiver.rule,
        "term": waiver.term,
        "scope": waiver.scope.to_json(),
        "name": waiver.name,
        "status": row.status,
        "not_before": waiver.not_before,
        "expires": waiver.expires,
        "ticket": waiver.ticket,
        "requester": row.requester,
        "approver": row.approver or None,
        "renews": waiver.renews or None,
        "renewals": row.renewals,
        "reason": row.reason or None,
        "control": row.control or None,
    }
