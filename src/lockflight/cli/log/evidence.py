"""`evidence add|list|show|export|import`."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from lockflight.cli.common import quoted
from lockflight.cli.log.logs import kind_of, record_json, record_lines, signer_name
from lockflight.cli.reply import Reply, Run
from lockflight.cli.style import clean, count, short
from lockflight.errors import EnvironmentProblem, NotFound, UsageError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Iterator
    from typing import BinaryIO

    from lockflight.app.realm.view import RealmView
    from lockflight.cli.style import Style
    from lockflight.core.state.state import Record

#: Types of entries that are evidence; the rest is what people and the gate said.
_NOT_EVIDENCE = frozenset(
    {"trust", "grant", "approval", "promotion", "revocation", "registration", "decision", "signature"}
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `evidence add`."""
    parser.add_argument(
        "files", nargs="+", metavar="FILE", help="in-toto statements (JSON) of other tools; - for stdin"
    )


def add(args: argparse.Namespace, run: Run) -> Reply:
    """Record statements that this home's producer signs."""
    from lockflight.app.registry.evidence import MAX_STATEMENT_BYTES
    from lockflight.app.registry.evidence import add as record

    data = []
    for name in args.files:
        with _reading(name) as stream:
            data.append((name, stream.read(MAX_STATEMENT_BYTES + 1)))
    done = record(run.home, run.realm, data, actor=run.actor)
    rows = [
        {"type": s.predicate_type, "subject": s.subjects[0].sha256, "envelope": r.envelope, "index": r.index}
        for s, r in done
    ]

    def human(style: Style) -> Iterable[str]:
        for statement, receipt in done:
            yield (
                f"{style.yes} recorded {statement.predicate_type} about {short(statement.subjects[0].sha256)}"
                f" as {short(receipt.envelope)}, entry {receipt.index}"
            )

    return Reply("evidence-add/v1", {"realm": run.realm, "recorded": rows}, human)


@contextlib.contextmanager
def _reading(name: str) -> Iterator[BinaryIO]:
    if name == "-" and sys.stdin is not None:
        yield sys.stdin.buffer
        return
    path = Path(name)
    if not path.is_file():
        raise NotFound(
            "LF0117", f"{name} is not there, or no file.", hint="Name a file, or - for standard input."
        )
    try:
        with path.open("rb") as stream:
            yield stream
    except PermissionError as error:
        raise EnvironmentProblem(
            "LF0905", f"{name} cannot be read: {error.strerror}.", hint=f"ls -l {quoted(name)}"
        ) from error


def list_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `evidence list`."""
    _selection(parser)
    parser.add_argument("--type", default="", metavar="TYPE", help="only this type, such as scan")
    parser.add_argument("--all", action="store_true", help="also what people and the gate said")


def _selection(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--release", metavar="DIR", help="only about this folder or package: its files, views, itself"
    )


def list(args: argparse.Namespace, run: Run) -> Reply:  # noqa: A001 - verbs are named as they are typed
    """Evidence in the log, ineffective entries too."""
    from lockflight.app.realm.asof import view_at

    view = view_at(run.home, run.realm, run.as_of)
    subjects = _subjects(args)
    records = [
        record
        for record in view.state.records
        if (args.all or args.type or record.type not in _NOT_EVIDENCE)
        and (not args.type or args.type in {record.type, kind_of(record)})
        and (subjects is None or record.subject in subjects)
    ]
    result = {"realm": view.name, "evidence": [record_json(view, record) for record in records]}

    def human(style: Style) -> Iterable[str]:
        if not records:
            yield "No evidence."
        yield from record_lines(view, records, style)

    return Reply("evidence-list/v1", result, human)


def _subjects(args: argparse.Namespace) -> frozenset[str] | None:
    if args.release is None:
        return None
    from lockflight.app.release.show import opened

    with opened(Path(args.release)) as described:
        release = described.release
    return frozenset({release.digest, *(a.sha256 for a in release.assets), *release.views().values()})


def show_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `evidence show`."""
    parser.add_argument(
        "entry", metavar="ENTRY", help="index in the log, or the start of an envelope's digest"
    )


def show(args: argparse.Namespace, run: Run) -> Reply:
    """One statement, with signer and place in the log."""
    from lockflight.app.realm.asof import view_at
    from lockflight.app.release.resolve import entry_of

    view = view_at(run.home, run.realm, run.as_of)
    record = entry_of(args.entry, view.state)
    result = {**record_json(view, record), "statement": _statement(record)}
    return Reply("evidence/v1", result, lambda style: _show_lines(view, record, style))


def _statement(record: Record) -> object:
    import json

    return None if record.statement is None else json.loads(record.statement.payload())


def _show_lines(view: RealmView, record: Record, style: Style) -> Iterable[str]:
    import json

    yield from record_lines(view, [record], style)
    yield f"signed by {clean(signer_name(view, record) or 'a stranger')}, key {record.signer or 'unknown'}"
    if not record.effective:
        yield f"{style.no} no effect: {record.code} {clean(record.reason)}"
    if record.statement is not None:
        yield from (clean(line) for line in json.dumps(_statement(record), indent=2).split("\n"))


def export_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `evidence export`."""
    _selection(parser)
    parser.add_argument(
        "--out", required=True, metavar="FILE", help="the file to write; - for standard output"
    )


def export(args: argparse.Namespace, run: Run) -> Reply:
    """Write evidence to a file for another home."""
    from lockflight.app.realm.view import open_view
    from lockflight.app.registry.evidence import export as lines
    from lockflight.app.registry.evidence import exportable

    if args.out == "-" and run.json:
        raise UsageError("LF0107", "--out - and --json both want standard output.", hint="--out FILE")
    view = open_view(run.home, run.realm)
    records = exportable(view, _subjects(args))
    if not records:
        raise NotFound("LF4566", "There is no evidence to export.", hint="lockflight check DIR")
    keys = sorted({record.signer for record in records})
    result = {"realm": view.name, "file": args.out, "entries": len(records), "producers": keys}
    if args.out == "-":
        run.say(f"signed by the producer keys {', '.join(keys)}")
        return Reply("evidence-exported/v1", result, lambda style: (), raw=b"".join(lines(view, records)))
    try:
        stream = Path(args.out).open("xb")  # noqa: SIM115 - closed below, whatever happens
    except FileExistsError as error:
        raise UsageError(
            "LF0131", f"{args.out} exists already.", hint="Choose a new file with --out."
        ) from error
    try:
        with stream:
            stream.writelines(lines(view, records))
    except BaseException:
        Path(args.out).unlink()  # half an export would be taken for all of it
        raise

    def human(style: Style) -> Iterable[str]:
        yield f"{style.yes} wrote {count(len(records), 'entry', 'entries')} to {clean(args.out)}"
        for key in keys:
            yield f"  producer key {style.bold(key)}"
        yield "Tell the importing side these ids over another channel; there:"
        yield f"  lockflight evidence import {clean(args.out)} --trust-producer {keys[0][:16]}"

    return Reply("evidence-exported/v1", result, human)


def import_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `evidence import`."""
    parser.add_argument("file", metavar="FILE", help="what `evidence export` wrote; - for standard input")
    parser.add_argument(
        "--trust-producer",
        action="append",
        default=[],
        metavar="KEYID",
        help="grant this key of the export the duty of a producer (at least 16 digits); repeatable",
    )


def import_(args: argparse.Namespace, run: Run) -> Reply:
    """Record evidence that another home exported."""
    from lockflight.app.registry.evidence import import_ as take

    with _reading(args.file) as stream:
        done = take(run.home, run.realm, stream, trust=args.trust_producer, actor=run.actor)
    result = {
        "realm": run.realm,
        "recorded": [{"envelope": r.envelope, "index": r.index} for r in done.recorded],
        "known": done.known,
        "trusted": [*done.trusted],
    }

    def human(style: Style) -> Iterable[str]:
        yield f"{style.yes} recorded {count(len(done.recorded), 'entry', 'entries')} in {run.realm}; {done.known} known"
        for key in done.trusted:
            yield f"  {style.look} granted the duty of a producer to the key {key}"

    return Reply("evidence-import/v1", result, human)
