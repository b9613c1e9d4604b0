"""The rows of tables of text, each in its one spelling: CSV (RFC 4180) and TSV (IANA), strictly and as a stream.

A row is its fields as RFC 4180 writes them with the fewest quotes, joined by commas, without the end of the line: so
equal fields are equal bytes, whatever quotes, line ends or separators the file has. Where two readers could see two
rows, the table is refused: a quote inside a plain field, text behind a closing quote, a bare carriage return, rows of
different length, an empty line in a table of one column, anything but UTF-8.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from lockflight.core.release.rows import TEXT, fits
from lockflight.core.source import BytesSource
from lockflight.formats.rows.lines import MAX_ROW, Unreadable, blocks_of_lines

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lockflight.core.source import ByteSource

#: A first row that holds one of these names no columns.
_NUMBER: Final = re.compile(
    rb"\s*[-+]?(?:[0-9]+\.?[0-9]*(?:e[-+]?[0-9]+)?|\.[0-9]+(?:e[-+]?[0-9]+)?|nan|inf|infinity)\s*",
    re.IGNORECASE,
)
_SPECIAL: Final = re.compile(rb'[",\r\n]')
_QUOTED: Final = re.compile(rb'"[^"]*(?:""[^"]*)*"')
_PLAIN: Final = re.compile(rb"[^,]*")


class TextTable:
    """A table of text; iterating gives its rows in batches, and raises `Unreadable` where there is no telling.

    Args:
        source: the bytes.
        tabs: whether fields are separated by tabs, and quotes mean nothing (TSV).

    Attributes:
        columns: their names, once the first row was read.
        named: whether the first row of the file gave the names; else they are `1`, `2` and so on.
    """

    form = TEXT
    types: tuple[str, ...] = ()

    def __init__(self, source: ByteSource, *, tabs: bool = False) -> None:
        self._source = source
        self._tabs = tabs
        self._row = 0
        #: Fields of those rows of a batch in which commas do not tell.
        self._fields: dict[int, int] = {}
        self.columns: tuple[str, ...] = ()
        self.named = False

    def __iter__(self) -> Iterator[list[bytes]]:
        for batch in self._tabbed() if self._tabs else self._records():
            rows = self._counted(batch)
            self._row += sum(row is not None for row in batch)
            if rows:
                yield rows

    def row_of(self, data: bytes) -> bytes:
        """The spelling of one row, given as the file would write it, perhaps below the file's header.

        Raises:
            Unreadable: it is no row of this table, or several.
        """
        again = TextTable(BytesSource(data, "the record"), tabs=self._tabs)
        again.columns = self.columns
        rows = [row for batch in again for row in batch]
        if len(rows) == 2 and self.named and rows[0] == self.header:
            del rows[0]
        if len(rows) != 1:
            raise Unreadable(f"one record is expected, and {len(rows)} were given")
        return rows[0]

    @property
    def header(self) -> bytes:
        """The row that names the columns."""
        return spelled([name.encode() for name in self.columns])

    def _counted(self, batch: list[bytes | None]) -> list[bytes]:
        """The rows of a batch, all of one length; an empty line is none where rows have several fields."""
        rows = [row for row in batch if row is not None]
        if not rows:
            return rows
        names = 0
        if not self.columns:
            names, rows = len(rows), self._begin(rows)
            names -= len(rows)
        width = len(self.columns)
        if width == 1 and None in batch:
            raise self._bad(batch.index(None), "is empty, which some readers take for a row and some do not")
        fields = self._fields
        wrong = [i for i, row in enumerate(rows) if row.count(b",") + 1 != width or i in fields]
        for i in wrong:
            found = fields.get(i) or rows[i].count(b",") + 1
            if found != width:
                raise self._bad(i + names, f"has {found} fields and not {width}")
        self._fields = {}
        return rows

    def _begin(self, rows: list[bytes]) -> list[bytes]:
        """Names of the columns from the first row, where it holds names: all different, and none of them a number."""
        first = split(rows[0])
        self.named = len(set(first)) == len(first) and not any(map(_NUMBER.fullmatch, first)) and any(first)
        names = tuple(field.decode() if self.named else str(i) for i, field in enumerate(first, start=1))
        if not fits(names):
            raise Unreadable("it has more columns than are read", budget=True)
        self.columns = names
        if not self.named:
            return rows
        self._fields = {i - 1: n for i, n in self._fields.items() if i}
        return rows[1:]

    def _tabbed(self) -> Iterator[list[bytes | None]]:
        for lines in blocks_of_lines(self._source):
            batch: list[bytes | None] = []
            at = 0
            for line in lines:
                row = line.removesuffix(b"\r")
                if not row:
                    batch.append(None)
                    continue
                plain = not _SPECIAL.search(row)
                batch.append(row.replace(b"\t", b",") if plain else self._tabs_and_quotes(row, at))
                at += 1
            yield batch

    def _tabs_and_quotes(self, row: bytes, at: int) -> bytes:
        fields = row.split(b"\t")
        if b"\r" in row:
            raise self._bad(at, "holds a bare carriage return")
        if any(field.startswith(b'"') for field in fields):
            raise self._bad(at, "has a field that starts with a quote, which readers take in two ways")
        self._fields[at] = len(fields)
        return spelled(fields)

    def _records(self) -> Iterator[list[bytes | None]]:
        held: list[bytes] = []
        size = at = 0
        for lines in blocks_of_lines(self._source):
            batch: list[bytes | None] = []
            at = 0
            for line in lines:
                if not held and b'"' not in line:
                    row = line.removesuffix(b"\r") if b"\r" in line else line
                    if b"\r" in row:
                        raise self._bad(at, "holds a bare carriage return")
                    batch.append(row or None)
                    at += bool(row)
                    continue
                size += len(line) + 1
                if size > MAX_ROW:
                    raise Unreadable(f"a row is longer than {MAX_ROW} bytes", budget=True)
                # Quotes come in pairs: a record ends with the line that closes the last one.
                open_now = bool(held) != bool(line.count(b'"') % 2)
                held.append(line)
                if not open_now:
                    batch.append(self._quoted(b"\n".join(held).removesuffix(b"\r"), at))
                    held, size, at = [], 0, at + 1
            yield batch
        if held:
            raise self._bad(at, "has a quote that is never closed")

    def _quoted(self, record: bytes, at: int) -> bytes:
        """A record with quotes, spelt with the fewest."""
        fields = []
        start = 0
        while True:
            found = _QUOTED.match(record, start)
            if found is not None:
                fields.append(found.group()[1:-1].replace(b'""', b'"'))
                end = found.end()
            else:
                end = record.find(b",", start)
                end = len(record) if end < 0 else end
                field = record[start:end]
                if _SPECIAL.search(field):
                    raise self._bad(at, "has a quote or an end of line in a field that is not quoted")
                fields.append(field)
            if end == len(record):
                break
            if record[end : end + 1] != b",":
                raise self._bad(at, "has text behind a closing quote")
            start = end + 1
        self._fields[at] = len(fields)
        return spelled(fields)

    def _bad(self, at: int, what: str) -> Unreadable:
        return Unreadable(f"record {self._row + at + 1} of the file {what}")


def spelled(fields: list[bytes]) -> bytes:
    """The one spelling of a row."""
    return b",".join(
        b'"' + field.replace(b'"', b'""') + b'"' if _SPECIAL.search(field) else field for field in fields
    )


def split(row: bytes) -> list[bytes]:
    """The fields of a row in its one spelling."""
    if b'"' not in row:
        return row.split(b",")
    fields, at = [], 0
    while at <= len(row):
        found = _QUOTED.match(row, at) or _PLAIN.match(row, at)
        end = found.end() if found is not None else len(row)
        field = row[at:end]
        fields.append(field[1:-1].replace(b'""', b'"') if field.startswith(b'"') else field)
        at = end + 1
    return fields
