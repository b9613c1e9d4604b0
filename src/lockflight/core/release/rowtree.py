"""The two trees over the rows of a table, in 32 bytes of memory for each row. Pure.

Digests lie in byte arrays, never as millions of objects; the tree in the order of the file keeps only its unfinished
edge, and the sorted one falls into parts by the digests' first bytes, each sorted by itself.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_left
from collections import deque
from typing import TYPE_CHECKING, Final

from lockflight.core.log.merkle import Accumulator, inclusion_proof
from lockflight.core.records import dataclass
from lockflight.core.release.rows import (
    FILE_ORDER,
    SET_ORDER,
    Head,
    RowIndex,
    key_id,
    leaves_of,
    record_prefix,
    table_key,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_SIZE: Final = 32
_BLOCK: Final = (1 << 15) * _SIZE
#: Rows that are sorted as objects at once.
_SORTED: Final = 1 << 17


class Digests:
    """Many digests of 32 bytes as one sequence; a slice is a view."""

    def __init__(self, data: bytes | bytearray | memoryview) -> None:
        self.data = memoryview(data)

    def __len__(self) -> int:
        return len(self.data) // _SIZE

    def __getitem__(self, at: int) -> bytes:
        if not 0 <= at < len(self):
            raise IndexError(at)
        return bytes(self.data[at * _SIZE : (at + 1) * _SIZE])

    def root(self, start: int, end: int) -> bytes:
        """Root (RFC 6962) over the digests from `start` to `end` as leaves."""
        tree = Accumulator()
        for at in range(start * _SIZE, min(end, len(self)) * _SIZE, _BLOCK):
            block = self.data[at : min(at + _BLOCK, end * _SIZE)]
            tree.add([bytes(block[i : i + _SIZE]) for i in range(0, len(block), _SIZE)])
        return tree.root()

    def path(self, at: int) -> tuple[bytes, ...]:
        """Audit path of one leaf, nearest sibling first."""
        return tuple(inclusion_proof(lambda level, i: self.root(i << level, (i + 1) << level), at, len(self)))

    def place(self, digest: bytes) -> int:
        """Index of the first that is not below `digest`, where these are sorted."""
        return bisect_left(self, digest)


@dataclass(frozen=True, slots=True)
class Trees:
    """Both trees of a table, for proofs.

    Attributes:
        head: what both bind.
        key: of the salts, 32 bytes; not to be published.
        leaves: leaf hashes in the order of the file.
    """

    head: Head
    key: bytes
    leaves: Digests

    def sorted(self) -> Digests:
        """The same leaves by their value."""
        return Digests(b"".join(_sorted(self.leaves.data, 0)))


class Collector:
    """Takes the rows of a table, then makes its identity.

    Args:
        form: of the rows.
    """

    def __init__(self, form: str) -> None:
        self._form = form
        self._prefix = record_prefix(form)
        self._blocks: deque[bytes | bytearray] = deque()
        self._open = bytearray()
        self._total = 0
        self.rows = 0

    def add(self, rows: Sequence[bytes]) -> None:
        """The next rows, each as `formats` spells it."""
        sha, prefix = hashlib.sha256, self._prefix
        records = [sha(prefix + row).digest() for row in rows]
        self.add_records(records)

    def add_records(self, records: Sequence[bytes]) -> None:
        """The record hashes of the next rows instead."""
        self._total = (self._total + sum(map(int.from_bytes, records))) % 2**256
        self._open += b"".join(records)
        self.rows += len(records)
        while len(self._open) >= _BLOCK:
            self._blocks.append(bytes(self._open[:_BLOCK]))
            del self._open[:_BLOCK]

    def index(self, columns: tuple[str, ...], types: tuple[str, ...] = ()) -> RowIndex:
        """The identity; the collector is empty afterwards."""
        head, key = self._head(columns, types)
        ordered = Accumulator()
        parts = [bytearray() for _ in range(256)]
        for block in self._drain():
            leaves = leaves_of(key, block)
            ordered.add(leaves)
            for leaf in leaves:
                parts[leaf[0]] += leaf
        unordered = Accumulator()
        for at, part in enumerate(parts):
            parts[at] = bytearray()
            for piece in _sorted(part, 1):
                unordered.add([piece[i : i + _SIZE] for i in range(0, len(piece), _SIZE)])
        return RowIndex(
            head, head.digest(FILE_ORDER, ordered.root()), head.digest(SET_ORDER, unordered.root())
        )

    def trees(self, columns: tuple[str, ...], types: tuple[str, ...] = ()) -> Trees:
        """The trees themselves, for proofs; the collector is empty afterwards."""
        head, key = self._head(columns, types)
        leaves = bytearray()
        for block in self._drain():
            leaves += b"".join(leaves_of(key, block))
        return Trees(head, key, Digests(leaves))

    def _head(self, columns: tuple[str, ...], types: tuple[str, ...]) -> tuple[Head, bytes]:
        key = table_key(self._total, self.rows)
        return Head(self._form, columns, types, self.rows, key_id(key)), key

    def _drain(self) -> Iterator[bytes | bytearray]:
        """What was taken, block by block, each let go as it is handed out."""
        self._blocks.append(self._open)
        self._open = bytearray()
        while self._blocks:
            yield self._blocks.popleft()


def _sorted(whole: bytes | bytearray | memoryview, depth: int) -> Iterator[bytes]:
    """Digests in order, in pieces; all of them are equal in their first `depth` bytes."""
    rows = len(whole) // _SIZE
    if rows <= _SORTED:
        yield b"".join(sorted(bytes(whole[i : i + _SIZE]) for i in range(0, len(whole), _SIZE)))
        return
    with memoryview(whole) as view, view[_SIZE:] as after, view[:-_SIZE] as before:
        alike = after == before
    if alike:  # one row, again and again
        yield bytes(whole)
        return
    parts = [bytearray() for _ in range(256)]
    for at in range(0, len(whole), _SIZE):
        parts[whole[at + depth]] += whole[at : at + _SIZE]
    del whole
    for at, part in enumerate(parts):
        parts[at] = bytearray()
        if part:
            yield from _sorted(part, depth + 1)
