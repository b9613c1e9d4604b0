"""Slots of environments: `promote`, `status`, `rollback`, `retire`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockflight.cli.common import folder_of, quoted, time_json
from lockflight.cli.reply import Reply, Run
from lockflight.cli.style import clean, short, table
from lockflight.errors import PolicyDenied

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable

    from lockflight.app.promote import Moved, SlotStatus
    from lockflight.app.view import RealmView
    from lockflight.cli.style import Style

_VERBS = {"promote": "now holds", "rollback": "holds again", "retire": "no longer holds"}


def promote_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `promote`."""
    parser.add_argument("package", metavar="PACKAGE", help="the signed package (a folder)")
    parser.add_argument("--to", required=True, metavar="ENVIRONMENT", help="where to")


def promote(args: argparse.Namespace, run: Run) -> Reply:
    """Move a verified package into an environment."""
    from lockflight.app.promote import promote as move

    folder = folder_of(args.package)
    return _moved(move(run.home, run.realm, folder, environment=args.to, actor=run.actor, now=run.now), run)


def rollback_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `rollback`."""
    _slot_arguments(parser)
    parser.add_argument(
        "--to", default="", metavar="VERSION", help="version or start of a digest (default: the one before)"
    )


def rollback(args: argparse.Namespace, run: Run) -> Reply:
    """Put back a release that the slot held before."""
    from lockflight.app.promote import rollback as back

    done = back(
        run.home,
        run.realm,
        project=args.project,
        environment=args.env,
        to=args.to,
        actor=run.actor,
        now=run.now,
    )
    return _moved(done, run)


def retire_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `retire`."""
    _slot_arguments(parser)


def retire(args: argparse.Namespace, run: Run) -> Reply:
    """Empty a slot."""
    from lockflight.app.promote import retire as empty

    done = empty(run.home, run.realm, project=args.project, environment=args.env, actor=run.actor)
    return _moved(done, run)


def _slot_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--project", required=True, metavar="NAME", help="whose slot: the release's name")
    parser.add_argument("--env", required=True, metavar="ENVIRONMENT", help="whose slot")


def _moved(moved: Moved, run: Run) -> Reply:
    act = moved.promotion
    result = {
        "action": act.action.value,
        "project": act.project,
        "environment": act.environment,
        "slot": act.slot,
        "release": {"digest": f"sha256:{act.release}", "name": act.name, "version": act.version},
        "exposure": act.exposure,
        "decision": act.decision or None,
        "approvals": list(act.approvals),
        "requester": act.requester,
        "envelope": moved.envelope,
        "index": moved.index,
        "separation": None if moved.judgement is None else moved.judgement.admission.separation,
    }

    def human(style: Style) -> Iterable[str]:
        what = f"{clean(act.name)} {clean(act.version)}"
        verb = "holds already" if moved.again else _VERBS[act.action.value]
        yield (
            f"{style.yes} {style.bold(act.environment)} {verb} {style.bold(what)}"
            f"  sha256:{short(act.release)}"
        )
        yield f"  entry {moved.index} in the log of {run.realm}"
        if act.decision:
            yield f"  allowed by the decision {short(act.decision)}"
        if act.approvals:
            yield f"  approved by {', '.join(short(a) for a in act.approvals)}"
        if moved.judgement is not None and moved.judgement.admission.separation == "none":
            yield f"  {style.look} separation: none (a personal realm; this counts for development only)"

    return Reply("promotion/v1", result, human)


def status_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `status`."""
    parser.add_argument("--project", default="", metavar="NAME", help="only this project")
    parser.add_argument("--history", action="store_true", help="also what each slot held before")


def status(args: argparse.Namespace, run: Run) -> Reply:
    """What every environment holds, folded from the log."""
    from lockflight.app.promote import status as read

    view, rows = read(run.home, run.realm, project=args.project, as_of=run.as_of)
    history = _history(view, args.project) if args.history else []
    revoked = [row for row in rows if row.revoked]
    result = {
        "realm": view.name,
        "kind": view.state.trust.kind.value,
        "checkpoint": {"size": view.size, "root": view.root_hash, "time": time_json(view.timestamp)},
        "slots": [_slot(row) for row in rows],
        "history": history,
    }

    def human(style: Style) -> Iterable[str]:
        yield f"realm {style.bold(view.name)}, {view.size} log entries, {time_json(view.timestamp)}"
        if not rows:
            yield "No environment holds a release."
            yield "  next: lockflight promote PACKAGE --to development"
        yield from table(
            [
                [
                    row.environment,
                    f"{clean(row.project)} {clean(row.version)}",
                    short(row.release),
                    f"since {time_json(row.since)}",
                    f"by {clean(row.requester)}",
                    f"approved by {clean(', '.join(row.approvals))}" if row.approvals else "",
                ]
                for row in rows
            ]
        )
        for row in revoked:
            what = f"{clean(row.project)} {clean(row.version)}"
            yield f"{style.no} {row.environment}: {what} is revoked ({row.revoked})"
        if args.history:
            yield ""
            yield from table(
                [
                    [
                        str(h["time"]),
                        str(h["environment"]),
                        str(h["action"]),
                        clean(f"{h['project']} {h['version']}"),
                        short(str(h["release"])),
                        clean(f"by {h['requester']}"),
                    ]
                    for h in history
                ]
            )

    error = _revoked(revoked[0]) if revoked else None
    return Reply("status/v1", result, human, 0 if error is None else error.exit_code, error)


def _revoked(row: SlotStatus) -> PolicyDenied:
    return PolicyDenied(
        "LF4544",
        f"{row.environment} still holds {row.project} {row.version}, which is revoked ({row.revoked}).",
        hint=f"lockflight rollback --project {quoted(row.project)} --env {row.environment}",
    )


def _slot(row: SlotStatus) -> dict[str, object]:
    return {
        "project": row.project,
        "environment": row.environment,
        "slot": row.slot,
        "release": f"sha256:{row.release}",
        "version": row.version,
        "since": time_json(row.since),
        "requester": row.requester,
        "approvals": list(row.approvals),
        "revoked": row.revoked or None,
    }


def _history(view: RealmView, project: str) -> list[dict[str, object]]:
    from lockflight.core.acts import Promotion

    return [
        {
            "index": record.index,
            "time": time_json(record.logged_at),
            "action": record.fact.action.value,
            "project": record.fact.project,
            "environment": record.fact.environment,
            "slot": record.fact.slot,
            "release": f"sha256:{record.fact.release}",
            "version": record.fact.version,
            "requester": view.name_of(record.fact.requester),
        }
        for record in view.state.records
        if record.effective and isinstance(record.fact, Promotion) and project in {"", record.fact.project}
    ]
