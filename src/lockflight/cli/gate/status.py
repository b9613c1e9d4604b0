"""`status`: what is where, what stops it, and what waits for whom."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockflight.cli.common import quoted, time_json
from lockflight.cli.reply import Reply, Run
from lockflight.cli.style import clean, count, short, table
from lockflight.core.attest.acts import FULL_EXPOSURE
from lockflight.errors import PolicyDenied

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Iterator

    from lockflight.app.realm.view import RealmView
    from lockflight.app.registry.freeze import Frozen
    from lockflight.app.registry.status import Held, SlotStatus, Status
    from lockflight.cli.style import Style


def status_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `status`."""
    parser.add_argument("--project", default="", metavar="NAME", help="only this project")
    parser.add_argument("--history", action="store_true", help="also what each slot held before")


def status(args: argparse.Namespace, run: Run) -> Reply:
    """What every environment holds, folded from the log."""
    from lockflight.app.registry.status import status as read
    from lockflight.app.registry.waiting import releases
    from lockflight.cli.gate.review import proposal_rows, void_lines, void_rows
    from lockflight.cli.lines.people import separation_lines
    from lockflight.cli.lines.waiting import waiting_json, waiting_lines

    found = read(run.home, run.realm, project=args.project, as_of=run.as_of, now=run.now)
    view = found.view
    history = _history(view, args.project) if args.history else []
    waiting = proposal_rows(view, found.waiting)
    void = void_rows(view, found.void)
    next_steps = releases(view, run.now, args.project)
    revoked = [(slot, held) for slot, held in _rows(found) if held.revoked]
    result = {
        "realm": view.name,
        "kind": view.state.trust.kind.value,
        "checkpoint": {"size": view.size, "root": view.root_hash, "time": time_json(view.timestamp)},
        "slots": [_slot(slot, held) for slot, held in _rows(found)],
        "frozen": [frozen_json(each) for each in found.frozen],
        "break_glass": [
            {
                "digest": e.digest,
                "project": e.project,
                "release": f"sha256:{e.release}",
                "asked_by": e.asked_by,
            }
            for e in found.emergencies
        ],
        "waiting": waiting,
        "void": void,
        "next": waiting_json(next_steps),
        "history": history,
    }

    def human(style: Style) -> Iterable[str]:
        yield f"realm {style.bold(view.name)}, {view.size} log entries, {time_json(view.timestamp)}"
        if not found.slots:
            yield "No environment holds a release."
            yield "  next: lockflight promote PACKAGE --to development"
        yield from separation_lines(view.state, style)
        yield from table([_cells(slot, held) for slot, held in _rows(found)])
        yield from _marks(found, style)
        if waiting:
            yield f"{style.look} {count(len(waiting), 'proposal')} waiting for a second person: lockflight review"
        yield from void_lines(void, style)
        yield from waiting_lines(next_steps, view.names(), style)
        if args.history:
            yield ""
            yield from table([_history_cells(row) for row in history])

    error = _revoked(*revoked[0]) if revoked else None
    return Reply("status/v1", result, human, 0 if error is None else error.exit_code, error)


def percent(points: int) -> str:
    """Basis points for people."""
    return f"{points / 100:g}%"


def frozen_json(each: Frozen) -> dict[str, object]:
    """A freeze that stands."""
    return {
        "digest": each.digest,
        "project": each.project or None,
        "environment": each.environment or None,
        "since": time_json(each.since),
        "expires": each.expires or None,
        "by": each.by,
        "reason": each.reason or None,
    }


def _rows(found: Status) -> Iterator[tuple[SlotStatus, Held]]:
    for slot in found.slots:
        for held in slot.held:
            yield slot, held


def _cells(slot: SlotStatus, held: Held) -> list[str]:
    shared = len(slot.held) > 1
    part = f"{'candidate, ' if held.candidate else ''}{percent(held.exposure)}" if shared else ""
    approved = f"approved by {clean(', '.join(held.approvals))}" if held.approvals else ""
    return [
        slot.environment,
        f"{clean(slot.project)} {clean(held.version)}",
        short(held.release),
        f"since {time_json(held.since)}",
        f"by {clean(held.requester)}",
        "  ".join(word for word in (approved, part) if word),
    ]


def _marks(found: Status, style: Style) -> Iterable[str]:
    for slot, held in _rows(found):
        what = f"{slot.environment}: {clean(slot.project)} {clean(held.version)}"
        if held.revoked:
            yield f"{style.no} {what} is revoked ({held.revoked})"
        if held.denied:
            rules = ", ".join(held.rules)
            yield f"{style.no} {what} is at risk: decision {short(held.denied)} denies it ({rules})"
    for each in found.frozen:
        until = f"until {each.expires}" if each.expires else "until lifted"
        why = f": {clean(each.reason)}" if each.reason else ""
        yield f"{style.look} frozen: {clean(each.scope)}, {until}, by {clean(each.by)}{why}"
    for emergency in found.emergencies:
        yield (
            f"{style.look} break-glass {short(emergency.digest)} for {clean(emergency.project)} waits for its review: "
            f"lockflight review {short(emergency.digest)} --close"
        )


def _revoked(slot: SlotStatus, held: Held) -> PolicyDenied:
    return PolicyDenied(
        "LF4544",
        f"{slot.environment} still holds {slot.project} {held.version}, which is revoked ({held.revoked}).",
        hint=f"lockflight rollback --project {quoted(slot.project)} --env {slot.environment}",
    )


def _slot(slot: SlotStatus, held: Held) -> dict[str, object]:
    return {
        "project": slot.project,
        "environment": slot.environment,
        "slot": slot.slot,
        "release": f"sha256:{held.release}",
        "version": held.version,
        "candidate": held.candidate,
        "exposure": held.exposure,
        "since": time_json(held.since),
        "requester": held.requester,
        "approvals": list(held.approvals),
        "revoked": held.revoked or None,
        "at_risk": {"decision": held.denied, "rules": list(held.rules)} if held.denied else None,
    }


def _history(view: RealmView, project: str) -> list[dict[str, object]]:
    from lockflight.core.attest.acts import Promotion

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
            "exposure": record.fact.exposure,
            "requester": view.name_of(record.fact.requester),
        }
        for record in view.state.records
        if record.effective and isinstance(record.fact, Promotion) and project in {"", record.fact.project}
    ]


def _history_cells(row: dict[str, object]) -> list[str]:
    part = row["exposure"]
    shown = f" {percent(part)}" if isinstance(part, int) and 0 < part < FULL_EXPOSURE else ""
    return [
        str(row["time"]),
        str(row["environment"]),
        f"{row['action']}{shown}",
        clean(f"{row['project']} {row['version']}"),
        short(str(row["release"])),
        clean(f"by {row['requester']}"),
    ]
