"""`dataset show|prove|proven`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from lockflight.cli.reply import Reply, Run
from lockflight.cli.style import clean, count, table
from lockflight.errors import UsageError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable

    from lockflight.app.dataset import RowProven
    from lockflight.cli.style import Style
    from lockflight.core.rows import RowIndex

#: Columns that people are shown by name; `--json` names all.
_SHOWN = 6
#: Characters of a row that people are shown.
_WIDTH = 120


def show_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `dataset show`."""
    parser.add_argument("path", metavar="PATH", help="a table: CSV, TSV or JSON lines")


def show(args: argparse.Namespace, run: Run) -> Reply:
    """What identifies a table: its bytes, its rows in their order, and the same rows in any order."""
    from lockflight.app.dataset import show_file

    done = show_file(Path(args.path), progress=run.progress())
    result = {
        "name": done.name,
        "size": done.size,
        "sha256": done.digests.sha256,
        "blake3": done.digests.blake3,
        "rows": rows_json(done.index),
    }

    def human(style: Style) -> Iterable[str]:
        yield style.bold(clean(done.name))
        yield from table(
            [
                ["file", f"sha256:{done.digests.sha256}"],
                *rows_lines(done.index, style),
            ]
        )

    return Reply("dataset/v1", result, human)


def rows_json(index: RowIndex) -> dict[str, object]:
    """How replies tell the rows of a file."""
    head = index.head
    return {
        "form": head.form,
        "rows": head.rows,
        "columns": list(head.columns),
        "types": list(head.types),
        "ordered": f"sha256:{index.ordered}",
        "set": f"sha256:{index.unordered}",
    }


def rows_lines(index: RowIndex, style: Style) -> list[list[str]]:
    """The same for people."""
    head = index.head
    named = ", ".join(clean(name) for name in head.columns[:_SHOWN])
    more = f" and {len(head.columns) - _SHOWN} more" if len(head.columns) > _SHOWN else ""
    return [
        ["rows", f"{head.rows} ({head.form}), {count(len(head.columns), 'column')}: {named}{more}"],
        ["in order", style.bold(f"sha256:{index.ordered}")],
        ["as a set", style.bold(f"sha256:{index.unordered}")],
    ]


def prove_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `dataset prove`."""
    parser.add_argument("path", metavar="PATH", help="the table")
    parser.add_argument(
        "--row", type=int, default=0, metavar="N", help="the row of this number, counted from 1"
    )
    parser.add_argument(
        "--match", metavar="FILE", help="a record as the table would write it, - for standard input"
    )
    parser.add_argument("--out", required=True, metavar="FILE", help="where to write the proof")


def prove(args: argparse.Namespace, run: Run) -> Reply:
    """Write the proof that a row is in a table, or that a record is not."""
    from lockflight.app.dataset import prove_row

    if bool(args.row) == (args.match is not None):
        raise UsageError(
            "LF0174",
            "Either the number of a row or a record is needed, and not both.",
            hint="--row N, or --match FILE",
        )
    match = _record(args.match) if args.match is not None else None
    done = prove_row(Path(args.path), Path(args.out), row=args.row, match=match, progress=run.progress())
    result = {**_result(done), "times": done.times, "file": args.out}

    def human(style: Style) -> Iterable[str]:
        head, place = done.proof.head, done.proof.place
        if place is not None:
            again = f", the first of {done.times} like it" if done.times > 1 else ""
            yield f"{style.yes} it is row {place.index + 1} of {head.rows} of {clean(args.path)}{again}"
        else:
            yield f"{style.yes} it is none of the {count(head.rows, 'row')} of {clean(args.path)}"
        yield f"  {done.bytes} bytes in {clean(args.out)}, to be checked with"
        yield f"  lockflight dataset proven {clean(args.out)} --root sha256:{done.digest}"
        if place is None:
            yield (
                f"{style.look} it holds the key of the table's salts: who has it can find out by trying whether "
                "a guess is the record beside the gap"
            )

    return Reply("dataset-prove/v1", result, human)


def proven_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `dataset proven`."""
    parser.add_argument("proof", metavar="PROOF", help="file from dataset prove")
    parser.add_argument(
        "--root", required=True, metavar="DIGEST", help="digest of the table, as signed with a release"
    )
    parser.add_argument(
        "--match", metavar="FILE", help="the record that it must be about, - for standard input"
    )


def proven(args: argparse.Namespace, run: Run) -> Reply:
    """Check such a proof, offline."""
    from lockflight.app.dataset import proven_row
    from lockflight.app.logexport import root_of

    del run
    match = _record(args.match) if args.match is not None else None
    done = proven_row(Path(args.proof), root_of(args.root), match=match)
    result = {**_result(done), "row": done.proof.row, "match": args.match}

    def human(style: Style) -> Iterable[str]:
        head, place, row = done.proof.head, done.proof.place, clean(done.proof.row)
        shown = row if len(row) <= _WIDTH else row[:_WIDTH] + "…"
        if place is not None:
            yield f"{style.yes} row {place.index + 1} of {head.rows}: {shown}"
        else:
            yield f"{style.yes} none of the {count(head.rows, 'row')}: {shown}"
        named = ", ".join(clean(name) for name in head.columns[:_SHOWN])
        more = f" and {len(head.columns) - _SHOWN} more" if len(head.columns) > _SHOWN else ""
        yield f"  table sha256:{done.digest}, columns {named}{more}"
        yield "  that is worth what the digest is worth: lockflight verify says who signed it with a release"

    return Reply("dataset-proven/v1", result, human)


def _result(done: RowProven) -> dict[str, object]:
    head, place = done.proof.head, done.proof.place
    return {
        "present": done.proof.present,
        "index": place.index if place is not None else None,
        "rows": head.rows,
        "form": head.form,
        "columns": list(head.columns),
        "order": done.proof.order,
        "digest": f"sha256:{done.digest}",
        "bytes": done.bytes,
    }


def _record(name: str) -> bytes:
    from lockflight.app.cosign import read_in
    from lockflight.formats.lines import MAX_ROW

    if name == "-" and sys.stdin is not None:
        return sys.stdin.buffer.read(MAX_ROW + 1)
    return read_in(Path(name), MAX_ROW)
