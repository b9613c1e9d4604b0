"""`log show`, `log rebuild`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockflight.cli.common import time_json
from lockflight.cli.reply import Reply, Run
from lockflight.cli.style import clean, count, short, table
from lockflight.errors import UsageError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable

    from lockflight.app.realm.view import RealmView
    from lockflight.cli.style import Style
    from lockflight.core.state.state import Record


def show_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `log show`."""
    parser.add_argument("--last", type=int, default=20, metavar="N", help="the newest N entries (default 20)")
    parser.add_argument("--all", action="store_true", help="every entry")


def show(args: argparse.Namespace, run: Run) -> Reply:
    """Entries and the newest checkpoint."""
    from lockflight.app.log.demands import identity
    from lockflight.app.realm.asof import view_at

    if args.last < 1:
        raise UsageError(
            "LF0108", f"--last is {args.last}; it must be at least 1.", hint="lockflight log show --last 10"
        )
    view = view_at(run.home, run.realm, run.as_of)
    log_vkey, clock_vkey = identity(view).vkeys
    records = view.state.records if args.all else view.state.records[-args.last :]
    result = {
        "realm": view.name,
        "origin": view.state.trust.origin,
        "size": view.size,
        "root": view.root_hash,
        "time": time_json(view.timestamp),
        "checkpoint": view.reader.checkpoint() if run.as_of is None else None,
        "keys": {"log": log_vkey, "clock": clock_vkey},
        "ineffective": len(view.state.ineffective),
        "entries": [record_json(view, record) for record in records],
    }

    def human(style: Style) -> Iterable[str]:
        yield f"log {style.bold(view.state.trust.origin)}, {count(view.size, 'entry', 'entries')}"
        yield f"root {view.root_hash} at {time_json(view.timestamp)}"
        yield style.dim(f"keys {log_vkey} {clock_vkey}")
        left = len(view.state.records) - len(records)
        if left:
            yield style.dim(f"{count(left, 'older entry', 'older entries')} not shown (--all)")
        yield from record_lines(view, records, style)

    return Reply("log/v1", result, human)


def record_json(view: RealmView, record: Record) -> dict[str, object]:
    """One entry for `--json`."""
    return {
        "index": record.index,
        "time": time_json(record.logged_at),
        "type": record.type or None,
        "check": check_of(record) or None,
        "name": record.name,
        "subject": record.subject or None,
        "envelope": record.digest,
        "signer": {
            "keyid": record.signer or None,
            "duty": record.key.duty.value if record.key is not None else None,
            "name": signer_name(view, record),
        },
        "effective": record.effective,
        "code": record.code or None,
        "reason": record.reason or None,
    }


def kind_of(record: Record) -> str:
    """The type in words; for a check's result with the name of the check."""
    check = check_of(record)
    return f"{record.type}/{check}" if check else record.type.rsplit("://", 1)[-1] or "unreadable"


def check_of(record: Record) -> str:
    """The check whose result the entry is; empty for anything else."""
    from lockflight.core.attest.scanfact import ScanFact

    return record.fact.check if isinstance(record.fact, ScanFact) else ""


def signer_name(view: RealmView, record: Record) -> str | None:
    """Who signed: a person's name, the realm's duty, or nobody that the realm knows."""
    if record.key is None:
        return None
    return view.name_of(record.key.principal) if record.key.principal else record.key.duty.value


def record_lines(view: RealmView, records: list[Record], style: Style) -> Iterable[str]:
    """Entries for people; those without effect with their reason."""
    rows = [
        [
            f"{style.yes if record.effective else style.no} {record.index}",
            str(time_json(record.logged_at)),
            kind_of(record),
            clean(view.name_of(record.name)),
            clean(signer_name(view, record) or "a stranger"),
            short(record.digest),
            "" if record.effective else f"{record.code} {clean(record.reason)}",
        ]
        for record in records
    ]
    return table(rows)


def rebuild_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `log rebuild`: none of its own."""


def rebuild(args: argparse.Namespace, run: Run) -> Reply:
    """Derive the indexes again and compare."""
    from lockflight.app.log.logbook import rebuild as derive

    view, done = derive(run.home, run.realm)
    result = {
        "realm": view.name,
        "entries": done.entries,
        "nodes": done.nodes,
        "subjects": done.subjects,
        "changed": done.changed,
    }

    def human(style: Style) -> Iterable[str]:
        word = "differed and were replaced" if done.changed else "were what they should be"
        yield f"{style.look if done.changed else style.yes} the indexes of {view.name} {word}"
        yield f"  {done.nodes} nodes and {done.subjects} subjects from {count(done.entries, 'entry', 'entries')}"

    return Reply("log-rebuild/v1", result, human)
