"""`dataset show|prove|proven|croissant`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from lockflight.cli.common import folder_of, release_json, release_line
from lockflight.cli.lines.datalines import card_lines, columns_words, rows_json, rows_lines
from lockflight.cli.reply import Reply, Run
from lockflight.cli.style import clean, count, table
from lockflight.core.release.datacard import UNKNOWN
from lockflight.errors import UsageError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable

    from lockflight.app.data.dataset import RowProven
    from lockflight.app.release.verify import Verified
    from lockflight.cli.style import Style
    from lockflight.core.release.rows import RowIndex

#: Characters of a row that people are shown.
_WIDTH = 120


def show_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `dataset show`."""
    parser.add_argument("path", metavar="PATH", help="a table: CSV, TSV, JSON lines, or Parquet (extra data)")


def show(args: argparse.Namespace, run: Run) -> Reply:
    """What identifies a table: its bytes, its rows in their order, and the same rows in any order."""
    from lockflight.app.data.dataset import show_file

    done = show_file(Path(args.path), progress=run.progress())
    result = {
        "name": done.name,
        "size": done.size,
        "sha256": done.digests.sha256,
        "blake3": done.digests.blake3,
        "rows": rows_json(done.index),
        "data": done.card.to_json() if done.card is not None else None,
    }

    def human(style: Style) -> Iterable[str]:
        yield style.bold(clean(done.name))
        yield from table(
            [
                ["file", f"sha256:{done.digests.sha256}"],
                *rows_lines(done.index, style),
            ]
        )
        yield from card_lines(done.card, style)

    return Reply("dataset/v1", result, human)


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
    from lockflight.app.data.dataset import prove_row

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
    parser.add_argument("--root", metavar="DIGEST", help="digest of the table, as signed with a release")
    parser.add_argument(
        "--release", metavar="PACKAGE", help="instead: a package; verified, and one of its tables must be it"
    )
    parser.add_argument(
        "--match", metavar="FILE", help="the record that it must be about, - for standard input"
    )


def proven(args: argparse.Namespace, run: Run) -> Reply:
    """Check such a proof, offline."""
    from lockflight.app.data.dataset import proven_row
    from lockflight.app.log.logexport import root_of

    if bool(args.root) == bool(args.release):
        raise UsageError(
            "LF0176",
            "A proof leads to a digest; it needs to be told which one counts.",
            hint="--root sha256:… of dataset show, or --release PACKAGE",
        )
    match = _record(args.match) if args.match is not None else None
    found = _signed(args, run) if args.release else None
    done = proven_row(
        Path(args.proof),
        root_of(args.root) if found is None else "",
        tables=found[1] if found is not None else {},
        match=match,
    )
    release = None
    if found is not None:
        release = {**release_json(found[0].release), "asset": done.asset, "signer": found[0].signer}
    result = {**_result(done), "row": done.proof.row, "match": args.match, "release": release}

    def human(style: Style) -> Iterable[str]:
        head, place, row = done.proof.head, done.proof.place, clean(done.proof.row)
        shown = row if len(row) <= _WIDTH else row[:_WIDTH] + "…"
        if place is not None:
            yield f"{style.yes} row {place.index + 1} of {head.rows}: {shown}"
        else:
            yield f"{style.yes} none of the {count(head.rows, 'row')}: {shown}"
        yield f"  table sha256:{done.digest}, columns {columns_words(head)}"
        if found is None:
            yield "  that is worth what the digest is worth: --release PACKAGE says who signed it"
        else:
            yield f"  that is {clean(done.asset)} of {release_line(found[0].release, style)}"
            yield f"  signed by {clean(found[0].signer)}"

    return Reply("dataset-proven/v1", result, human)


def croissant_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `dataset croissant`."""
    parser.add_argument("path", metavar="PATH", help="croissant.json, or the folder in which it lies")
    parser.add_argument(
        "--write", action="store_true", help="make it first, from the lockflight.toml of that folder"
    )


def croissant(args: argparse.Namespace, run: Run) -> Reply:
    """Check a description of data and the files that it names, or write one."""
    from lockflight.app.data.croissant import check_croissant, write_croissant

    path = Path(args.path)
    if args.write:
        done = write_croissant(folder_of(args.path), progress=run.progress())
        run.say(f"wrote {clean(str(done.path))}; give it a role in lockflight.toml, such as documentation")
    else:
        done = check_croissant(path, progress=run.progress())
    found = done.croissant
    result = {
        "path": str(done.path),
        "name": found.name,
        "version": found.version,
        "licence": found.licence,
        "files": [
            {"id": f.id, "path": f.path, "sha256": f.sha256, "encoding": f.encoding} for f in found.files
        ],
        "records": [{"name": name, "fields": fields} for name, fields in found.records],
        "checked": done.checked,
        "written": args.write,
    }

    def human(style: Style) -> Iterable[str]:
        yield f"{style.yes} {clean(str(done.path))} describes {clean(found.name)} (Croissant {found.version})"
        files = count(len(found.files), "file")
        yield f"  {files}, {done.checked} compared by sha256; {count(len(found.records), 'record set')}"
        mark = f"{style.look} " if found.licence == UNKNOWN else ""
        yield f"  {mark}licence {clean(found.licence)}"

    return Reply("dataset-croissant/v1", result, human)


def _signed(args: argparse.Namespace, run: Run) -> tuple[Verified, dict[str, RowIndex]]:
    """A verified package, and the rows that it tells by name."""
    from lockflight.app.release.verify import verify_package

    verified = verify_package(run.home, run.realm, folder_of(args.release), progress=run.progress())
    return verified, {a.name: a.rows for a in verified.release.assets if a.rows is not None}


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
    from lockflight.app.log.cosign import read_in
    from lockflight.formats.rows.lines import MAX_ROW

    if name == "-" and sys.stdin is not None:
        return sys.stdin.buffer.read(MAX_ROW + 1)
    return read_in(Path(name), MAX_ROW)
