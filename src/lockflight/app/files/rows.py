"""The rows of a file: which reader takes it, and what identifies them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from lockflight.core.release.manifest import Notice
from lockflight.core.release.release import SIGNATURE_NAME, parse_release
from lockflight.core.release.rows import JSON, MAX_ROWS, TEXT, TYPED, Head
from lockflight.core.source import BytesSource
from lockflight.core.verify.bundle import MAX_BUNDLE_BYTES, read_bundle
from lockflight.errors import InvalidInput, LockflightError, VerificationFailed
from lockflight.infra.progress import SILENT

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from lockflight.app.files.package import Package
    from lockflight.app.files.remembered import Remembered
    from lockflight.core.release.release import Release
    from lockflight.core.release.rows import RowIndex
    from lockflight.core.release.rowtree import Collector
    from lockflight.core.source import ByteSource
    from lockflight.infra.files import Folder
    from lockflight.infra.progress import Progress

#: Ending of a name -> how its rows are read.
COMMAS = (".csv",)
TABS = (".tsv", ".tab")
JSON_LINES = (".jsonl", ".ndjson")
ENDINGS = (*COMMAS, *TABS, *JSON_LINES)
#: Read where pyarrow is installed; so releases, which must be the same on every host, do not tell their rows.
PARQUET = (".parquet",)


class Table(Protocol):
    """A file of rows, read once from its start to its end."""

    form: str
    types: tuple[str, ...]
    named: bool

    def __iter__(self) -> Iterator[list[bytes]]:
        """Batches of rows, each in its one spelling."""
        ...

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns; complete after the last row."""
        ...

    @property
    def header(self) -> bytes:
        """The row that names the columns; empty where none can."""
        ...

    def row_of(self, data: bytes) -> bytes:
        """The one spelling of a row that somebody wrote down."""
        ...


def has_rows(name: str) -> bool:
    """Whether files of this name are read as tables on every host."""
    return name.lower().endswith(ENDINGS)


def open_table(source: ByteSource, *, name: str = "") -> Table:
    """The reader for a file, chosen by its name.

    Raises:
        InvalidInput: LF1027 files of that name have no rows.
    """
    ending = (name or source.name).lower()
    if ending.endswith(JSON_LINES):
        from lockflight.formats.rows.jsonlines import JsonTable

        return JsonTable(source)
    if ending.endswith((*COMMAS, *TABS)):
        from lockflight.formats.rows.tables import TextTable

        return TextTable(source, tabs=ending.endswith(TABS))
    if ending.endswith(PARQUET):
        from lockflight.infra.parquet import ParquetTable

        return ParquetTable(source)
    raise InvalidInput(
        "LF1027",
        f"{source.name!a} is not read as a table.",
        hint=f"Tables are files whose names end in {', '.join((*ENDINGS, *PARQUET))}.",
    )


def row_index(source: ByteSource, *, name: str = "", progress: Progress = SILENT) -> RowIndex:
    """What identifies the rows of a file.

    Args:
        source: its bytes.
        name: what chooses the reader, where it is not the name of the source.
        progress: told about bytes.

    Raises:
        InvalidInput: LF1024 its rows cannot be told for sure, LF1025 over budget, LF1027 it has none.
    """
    table, rows = collect(source, name=name, progress=progress)
    return rows.index(table.columns, table.types)


def collect(
    source: ByteSource, *, name: str = "", progress: Progress = SILENT, find: Finder | None = None
) -> tuple[Table, Collector]:
    """Read a file to its end.

    Args:
        source: its bytes.
        name: what chooses the reader, where it is not the name of the source.
        progress: told about bytes.
        find: looks at each batch.

    Raises:
        InvalidInput: as `row_index`.
    """
    from lockflight.core.release.rowtree import Collector
    from lockflight.formats.rows.lines import Unreadable

    table = open_table(_Watched(source, progress), name=name)
    rows = Collector(table.form)
    progress.begin("reading rows", source.size)
    try:
        for batch in table:
            if find is not None:
                find.look(table, rows.rows, batch)
            rows.add(batch)
            if rows.rows > MAX_ROWS:
                raise Unreadable(f"it has more than {MAX_ROWS} rows", budget=True)
        if not table.columns and table.form == TEXT:
            raise Unreadable("it has no row at all")
    except Unreadable as error:
        raise unreadable(source.name, error) from None
    finally:
        progress.end()
    return table, rows


def table_indexes(
    sources: Iterable[ByteSource], *, progress: Progress = SILENT, memory: Remembered | None = None
) -> tuple[dict[str, RowIndex], tuple[Notice, ...]]:
    """The rows of those files that are tables, by name; and a notice (LF1033) for each table that does not read.

    Args:
        sources: files in a role of tables.
        progress: told about bytes.
        memory: what is known of large files.
    """
    found: dict[str, RowIndex] = {}
    unread = []
    for source in sources:
        if not has_rows(source.name):
            continue
        rows = memory.rows_of(source.name) if memory is not None else None
        if rows is None:
            rows = _rows_or_why(source, progress)
            if memory is not None:
                memory.keep_rows(source.name, rows)
        if isinstance(rows, str):
            unread.append(Notice("LF1033", rows, 0))
        else:
            found[source.name] = rows
    return found, tuple(unread)


def _rows_or_why(source: ByteSource, progress: Progress) -> RowIndex | str:
    try:
        return row_index(source, progress=progress)
    except InvalidInput as error:
        if error.code not in {"LF1024", "LF1025"}:
            raise
        return f"The rows of {source.name!a} are unknown ({error.code}): {error.message}"


def signed_rows(folder: Folder) -> frozenset[str] | None:
    """Names of the files of a package of which its signature tells rows; None where it has none that reads.

    Nothing is verified. Packages of older versions tell of none, and only without them have they the digest that was
    signed.
    """
    try:
        source = folder.open(SIGNATURE_NAME)
        try:
            data = source.read_at(0, MAX_BUNDLE_BYTES + 1)
        finally:
            source.close()
        return with_rows(parse_release(read_bundle(data, what=SIGNATURE_NAME).envelope.payload))
    except LockflightError:
        return None


def with_rows(release: Release) -> frozenset[str]:
    """Names of the assets of which a release tells the rows."""
    return frozenset(asset.name for asset in release.assets if asset.rows is not None)


def require_rows(release: Release, package: Package, *, progress: Progress = SILENT) -> None:
    """Refuse a signed release that tells other rows than its files have.

    Raises:
        VerificationFailed: LF7350 they are others, or do not read.
        InvalidInput: LF1003 a file changed meanwhile.
    """
    if not with_rows(release):
        return
    for asset in release.assets:
        if asset.rows is None:
            continue
        try:
            found: RowIndex | None = row_index(
                package.sources[asset.name], name=asset.name, progress=progress
            )
        except InvalidInput:
            found = None
        if found != asset.rows:
            raise VerificationFailed(
                "LF7350",
                f"The rows that were signed for {asset.name!a} are not those of the file.",
                hint="Do not rely on proofs about it. Its signer makes an honest statement with: "
                "lockflight sign DIR --out PACKAGE",
            )
    package.recheck()


class Finder(Protocol):
    """Looks for rows while a table is read."""

    def look(self, table: Table, first: int, batch: list[bytes]) -> None:
        """The next rows; `first` is the index of the first of them."""
        ...


def table_like(head: Head, *, tabs: bool = False) -> Table:
    """A reader for single rows of a table of which only the head is at hand.

    Raises:
        InvalidInput: LF1027 rows of that form cannot be read here.
    """
    nothing = BytesSource(b"", "the record")
    if head.form == JSON:
        from lockflight.formats.rows.jsonlines import JsonTable

        return JsonTable(nothing)
    if head.form == TYPED:
        from lockflight.formats.rows.typedrows import TypedRows

        return TypedRows(head.columns, head.types)
    from lockflight.formats.rows.tables import TextTable

    table = TextTable(nothing, tabs=tabs)
    table.columns = head.columns
    table.named = head.columns != tuple(str(i + 1) for i in range(len(head.columns)))
    return table


def unreadable(name: str, error: ValueError) -> InvalidInput:
    """What a reader refused, as an error of the house."""
    if getattr(error, "budget", False):
        return InvalidInput(
            "LF1025",
            f"{name!a} cannot be read as a table: {error}.",
            hint="Split it, or sign it as one file.",
        )
    return InvalidInput(
        "LF1024",
        f"{name!a} cannot be read as a table: {error}.",
        hint="Write it again with a library for CSV or JSON lines, so that all readers see the same rows.",
    )


class _Watched:
    """A source that tells how far it was read."""

    def __init__(self, source: ByteSource, progress: Progress) -> None:
        self._source = source
        self._progress = progress
        self._told = 0
        self.name = source.name
        self.size = source.size

    def read_at(self, offset: int, n: int) -> bytes:
        """See `ByteSource.read_at`."""
        data = self._source.read_at(offset, n)
        end = offset + len(data)
        if end > self._told:
            self._progress.advance(end - self._told)
            self._told = end
        return data
