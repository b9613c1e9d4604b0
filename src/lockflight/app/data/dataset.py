"""`dataset show`, `prove` and `proven`: what identifies a table, and whether a record is in it."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from lockflight.app.files.rows import collect, row_index, table_like, unreadable
from lockflight.app.log.cosign import read_in, write_out
from lockflight.core.records import dataclass
from lockflight.core.release.manifest import parse_manifest
from lockflight.core.release.release import MANIFEST_NAME
from lockflight.core.release.rows import FILE_ORDER, SET_ORDER, TEXT, record_hash, salt_of, salted_leaf
from lockflight.core.text.toml_lines import MAX_BYTES as MANIFEST_BYTES
from lockflight.core.verify.rowproof import MAX_BYTES, Place, RowProof, read_row_proof, verify_row
from lockflight.errors import NotFound, VerificationFailed
from lockflight.formats.rows.lines import Unreadable
from lockflight.infra.files import Folder
from lockflight.infra.hashing import hash_source
from lockflight.infra.progress import SILENT

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from lockflight.app.files.rows import Table
    from lockflight.core.release.datacard import DataCard
    from lockflight.core.release.rows import RowIndex
    from lockflight.core.release.rowtree import Trees
    from lockflight.infra.files import FdSource
    from lockflight.infra.hashing import Digests
    from lockflight.infra.progress import Progress


#: Folders above a file in which its manifest is looked for.
_ABOVE = 32


@dataclass(frozen=True, slots=True)
class Shown:
    """One file of data.

    Attributes:
        name: as it was named.
        size: bytes.
        digests: of the file.
        index: of its rows.
        card: what the manifest of its workspace says about it, if there is one.
    """

    name: str
    size: int
    digests: Digests
    index: RowIndex
    card: DataCard | None = None


@dataclass(frozen=True, slots=True)
class RowProven:
    """A proof that was written, or that holds.

    Attributes:
        proof: what it says.
        digest: of the table, in the proof's order.
        times: how often the table holds the row; 0 where it does not, -1 where the proof does not say.
        bytes: of the proof's file.
        asset: name of the table in the release that was asked.
    """

    proof: RowProof
    digest: str
    times: int
    bytes: int
    asset: str = ""


def show_file(path: Path, *, progress: Progress = SILENT) -> Shown:
    """What identifies a file of data.

    Raises:
        NotFound: LF5035 there is no such file.
        InvalidInput: LF1001 to LF1003 for the file; LF1024, LF1025, LF1027 for its rows; LF0151 to LF0175 for the
            manifest above it.
    """
    with opened_file(path) as source:
        progress.begin("hashing", source.size)
        try:
            digests = hash_source(source, progress)
        finally:
            progress.end()
        index = row_index(source, progress=progress)
        source.check()
        return Shown(str(path), source.size, digests, index, _card(path))


def prove_row(
    path: Path, out: Path, *, row: int = 0, match: bytes | None = None, progress: Progress = SILENT
) -> RowProven:
    """Write the proof that a row is in a table, or that it is not.

    Args:
        path: the table.
        out: the file of the proof.
        row: number of the row, from 1; 0 to look for `match`.
        match: a record as the table would write it.
        progress: told about bytes.

    Raises:
        NotFound: LF5035 no such file, LF1026 the table has no such row.
        InvalidInput: LF1001 to LF1003 for the file; LF1024, LF1025, LF1027 for its rows or the record.
        VerificationFailed: LF7348 the record is the line that names the columns.
        EnvironmentProblem: LF5052 it cannot be written.
    """
    finder = _Finder(row - 1, match)
    with opened_file(path) as source:
        table, rows = collect(source, progress=progress, find=finder)
        source.check()
    trees = rows.trees(table.columns, table.types)
    if match is not None:
        finder.want(table)  # the table may have had no row at all
    if match is None and not 0 < row <= trees.head.rows:
        raise NotFound(
            "LF1026",
            f"{str(path)!a} has no row {row}; its rows are 1 to {trees.head.rows}.",
            hint="The line that names the columns is no row.",
        )
    proof = _present(trees, finder) if finder.found else _absent(trees, finder.row)
    _spelled(proof)
    verify_row(proof, proof.digest)  # what leaves is what holds
    data = proof.encode()
    write_out(out, data)
    return RowProven(proof, proof.digest, finder.found, len(data))


def proven_row(
    path: Path, digest: str, *, tables: Mapping[str, RowIndex] | None = None, match: bytes | None = None
) -> RowProven:
    """Check a proof, offline.

    Args:
        path: the proof.
        digest: of the table (64 hex), as signed; empty where `tables` are given.
        tables: those that a release tells, by name; the proof must be about one of them.
        match: the record that it must be about.

    Raises:
        NotFound: LF5035 there is no such file.
        InvalidInput: LF1024 the record does not read.
        VerificationFailed: LF7346 to LF7349.
    """
    data = read_in(path, MAX_BYTES)
    proof = read_row_proof(data)
    asset = ""
    if tables is not None and not digest:
        digest = proof.digest
        asset = next((n for n, t in tables.items() if digest in {t.ordered, t.unordered}), "")
        if not asset:
            raise VerificationFailed(
                "LF7347",
                f"The proof is about the table sha256:{digest}, which is none of the {len(tables)} of the release.",
                hint="lockflight release show PACKAGE --json tells the rows of its tables.",
            )
    verify_row(proof, digest)
    _spelled(proof)
    if match is not None and not _same(proof, match):
        raise VerificationFailed(
            "LF7349",
            "The proof is about another record than the one that was given.",
            hint="Every character counts: `1` and `1.0` are two records. dataset proven without --match shows the row.",
        )
    return RowProven(proof, digest, -1, len(data), asset)


@contextmanager
def opened_file(path: Path) -> Iterator[FdSource]:
    """A file that the caller named, opened once.

    Raises:
        NotFound: LF5035 there is none.
        InvalidInput: LF1001, LF1002 it is a link, or no regular file.
    """
    if not path.is_file():
        raise NotFound("LF5035", f"There is no file {path}.", hint="Check the path.")
    with Folder(path.parent) as folder:
        source = folder.open(path.name)
        try:
            yield source
        finally:
            source.close()


def _card(path: Path) -> DataCard | None:
    """What the nearest manifest above a file says about it."""
    whole = path.absolute()
    for folder in list(whole.parents)[:_ABOVE]:
        manifest = folder / MANIFEST_NAME
        if manifest.is_file():
            name = whole.relative_to(folder).as_posix()
            rules = parse_manifest(read_in(manifest, MANIFEST_BYTES)).assets
            cards = (rule.data for rule in rules if any(glob.matches(name) for glob in rule.globs))
            return next((card for card in cards if card is not None), None)
    return None


class _Finder:
    """Remembers one row while a table is read: that of an index, or one that is equal to a record."""

    def __init__(self, index: int, match: bytes | None) -> None:
        self._match = match
        self._ready = match is None
        self.index = index
        self.row = b""
        self.found = 0

    def want(self, table: Table) -> None:
        """Spell the record as the table does."""
        if self._ready or self._match is None:
            return
        try:
            self.row = table.row_of(self._match)
        except Unreadable as error:
            raise unreadable("the record", error) from None
        self._ready = True

    def look(self, table: Table, first: int, batch: list[bytes]) -> None:
        """See `rows.Finder`."""
        if self._match is None:
            if first <= self.index < first + len(batch):
                self.row, self.found = batch[self.index - first], 1
            return
        self.want(table)
        times = batch.count(self.row)
        if times and not self.found:
            self.index = first + batch.index(self.row)
        self.found += times


def _present(trees: Trees, finder: _Finder) -> RowProof:
    record = record_hash(trees.head.form, finder.row)
    leaves = trees.leaves
    return RowProof(
        trees.head,
        FILE_ORDER,
        leaves.root(0, len(leaves)),
        finder.row.decode(),
        salt=salt_of(trees.key, record),
        place=Place(finder.index, leaves.path(finder.index)),
    )


def _absent(trees: Trees, row: bytes) -> RowProof:
    record = record_hash(trees.head.form, row)
    leaf = salted_leaf(salt_of(trees.key, record), record)
    leaves = trees.sorted()
    at = leaves.place(leaf)
    neighbours = [Place(i, leaves.path(i), leaves[i]) if 0 <= i < len(leaves) else None for i in (at - 1, at)]
    return RowProof(
        trees.head,
        SET_ORDER,
        leaves.root(0, len(leaves)),
        row.decode(),
        key=trees.key,
        before=neighbours[0],
        after=neighbours[1],
    )


def _spelled(proof: RowProof) -> None:
    """A row in another spelling, or the line of the names, is trivially not among the rows: that shows nothing."""
    table, row = table_like(proof.head), proof.row.encode()
    try:
        same = table.row_of(row) == row
    except Unreadable:
        same = False
    if not same:
        raise VerificationFailed(
            "LF7348",
            "The proof does not show what it claims: its row is not in the one spelling that rows have.",
            hint="Do not rely on it; ask whoever holds the table for another one.",
        )
    if not proof.present and proof.head.form == TEXT and row == table.header:
        raise VerificationFailed(
            "LF7348",
            "The record is the first line of the table, which is taken for the names of its columns.",
            hint="If it is a record, the table has no such line: add one, and describe the table again.",
        )


def _same(proof: RowProof, match: bytes) -> bool:
    rows = set()
    for tabs in (False, True) if proof.head.form == TEXT else (False,):
        try:
            rows.add(table_like(proof.head, tabs=tabs).row_of(match))
        except Unreadable as error:
            refused = error
    if not rows:
        raise unreadable("the record", refused)
    return proof.row.encode() in rows
