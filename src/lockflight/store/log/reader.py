"""What every reader of a log has in common, whatever database the rows lie in. Imports no database library.

What is read is believed by nobody: `core.verify` checks it. Only its shape is checked here.
"""

from __future__ import annotations

import hashlib
import re
import threading
from abc import ABC, abstractmethod
from contextlib import contextmanager
from heapq import merge
from typing import TYPE_CHECKING

from lockflight.core.log.merkle import consistency_proof, inclusion_proof, range_root
from lockflight.core.ports import LogEntry
from lockflight.errors import EnvironmentProblem, InvalidInput, NotFound, VerificationFailed
from lockflight.store.log.layout import SCHEMA, TABLES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

_DIGEST = re.compile(r"[0-9a-f]{64}", re.ASCII)
_HASH_BYTES = 32
_PAGE = 512
_NODE_PAGE = 4096
#: Subtrees of one level are remembered in blocks of 256, as in a tile: 32 bytes for each, and one query for all.
_BLOCK_BITS = 8
_IN_BLOCK = (1 << _BLOCK_BITS) - 1
_CACHED_BLOCKS = 4096
_CACHED_TAILS = 1024

# An entry has one type, so it stands once under a subject, but under its type once for each subject.
_OF_SUBJECT = (
    "SELECT e.idx, e.leaf, e.envelope FROM subjects s JOIN entries e ON e.idx = s.idx"
    " WHERE s.subject = ? AND s.idx > ? AND s.idx < ? ORDER BY s.idx LIMIT ?"
)
_OF_BOTH = (
    "SELECT e.idx, e.leaf, e.envelope FROM subjects s JOIN entries e ON e.idx = s.idx"
    " WHERE s.subject = ? AND s.type = ? AND s.idx > ? AND s.idx < ? ORDER BY s.idx LIMIT ?"
)
_OF_TYPE = (
    "SELECT DISTINCT s.idx, e.leaf, e.envelope FROM subjects s JOIN entries e ON e.idx = s.idx"
    " WHERE s.type = ? AND s.idx > ? AND s.idx < ? ORDER BY s.idx LIMIT ?"
)


class RowReader(ABC):
    """The `AuditReader` of a log in tables; safe for threads.

    Texts of queries have `?` for each value, and no other question mark.

    Args:
        where: path or address of the log, for messages.
    """

    def __init__(self, where: str) -> None:
        self._where = where
        self._turn = threading.RLock()
        self._cache: dict[tuple[int, int], bytes] = {}
        self._tails: dict[tuple[int, int], bytes] = {}
        self._longest = 0
        self._open_snapshots = 0
        self.origin = ""

    @abstractmethod
    def close(self) -> None:
        """Let go of files and connections."""

    @abstractmethod
    def _rows(self, sql: str, *values: object) -> Sequence[Sequence[object]]:
        """All rows of a query, in the open snapshot if there is one."""

    @abstractmethod
    def _begin(self) -> None:
        """Begin a snapshot: what is read from now on does not change."""

    @abstractmethod
    def _end(self) -> None:
        """End it."""

    @abstractmethod
    def _elsewhere(self, digest: str) -> bytes | None:
        """An envelope that is in no row."""

    def forget(self) -> None:
        """Drop what is remembered of the nodes, after they were rebuilt."""
        self._cache.clear()
        self._tails.clear()
        self._longest = 0

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """See `AuditReader.snapshot`."""
        with self._turn:
            if not self._open_snapshots:
                self._begin()
            self._open_snapshots += 1
        try:
            yield
        finally:
            with self._turn:
                self._open_snapshots -= 1
                if not self._open_snapshots:
                    self._end()

    def checkpoint(self) -> str:
        """See `LogReader.checkpoint`."""
        rows = self._rows("SELECT note FROM checkpoints ORDER BY seq DESC LIMIT 1")
        return self._text(rows[0][0]) if rows else ""

    def checkpoints(self, start: int = 0) -> Iterator[str]:
        """See `AuditReader.checkpoints`."""
        after = start - 1
        while rows := self._rows(
            "SELECT seq, note FROM checkpoints WHERE seq > ? ORDER BY seq LIMIT ?", after, _PAGE
        ):
            for row in rows:
                after = self._natural(row[0])
                yield self._text(row[1])

    def entries(self, start: int = 0, end: int | None = None) -> Iterator[LogEntry]:
        """See `LogReader.entries`."""
        size = self._published()
        return self._range(start, size if end is None else min(end, size))

    def pending(self) -> Iterator[LogEntry]:
        """See `AuditReader.pending`."""
        return self._range(self._published(), self.size())

    def size(self) -> int:
        """Number of entries, pending ones included."""
        rows = self._rows("SELECT max(idx) FROM entries")
        return 0 if rows[0][0] is None else self._natural(rows[0][0]) + 1

    def envelope(self, digest: str) -> bytes | None:
        """See `LogReader.envelope`.

        Raises:
            InvalidInput: LF7215 not a digest.
            VerificationFailed: LF7213, LF7223 what is kept under the digest are other bytes.
        """
        rows = self._rows(
            "SELECT v.body FROM entries e JOIN envelopes v ON v.idx = e.idx WHERE e.envelope = ? LIMIT 1",
            _key(digest),
        )
        if not rows:
            return self._elsewhere(digest)
        body = self._bytes(rows[0][0])
        if hashlib.sha256(body).hexdigest() != digest:
            raise VerificationFailed(
                "LF7213",
                f"The log keeps other bytes under the envelope {digest[:16]}… than those that were recorded.",
                hint="lockflight log verify",
            )
        return body

    def find(self, envelope: str) -> LogEntry | None:
        """See `LogReader.find`.

        Raises:
            InvalidInput: LF7215 not a digest.
        """
        rows = self._rows(
            "SELECT idx, leaf, envelope FROM entries WHERE envelope = ? AND idx < ? ORDER BY idx LIMIT 1",
            _key(envelope),
            self._published(),
        )
        return next(self._entries(rows), None)

    def inclusion(self, index: int, size: int) -> list[bytes]:
        """See `LogReader.inclusion`.

        Raises:
            NotFound: LF7216 there is no such entry, or the log is not that long.
        """
        self._check_size(size)
        try:
            return inclusion_proof(self.node, index, size, tail=self._tail)
        except ValueError as error:
            raise NotFound("LF7216", f"The log has no entry {index} under size {size}.") from error

    def consistency(self, old: int, new: int) -> list[bytes]:
        """See `LogReader.consistency`.

        Raises:
            NotFound: LF7216 the log is not that long, or the sizes are not in order.
        """
        self._check_size(new)
        try:
            return consistency_proof(self.node, old, new)
        except ValueError as error:
            raise NotFound(
                "LF7216", f"There is no proof from size {old} to size {new} of the log."
            ) from error

    def node(self, level: int, index: int) -> bytes:
        """See `AuditReader.node`."""
        start = (index & _IN_BLOCK) * _HASH_BYTES
        held = self._cache.get((level, index >> _BLOCK_BITS), b"")
        if len(held) <= start:
            held = self._block(level, index, held)
        return held[start : start + _HASH_BYTES]

    def _tail(self, start: int, end: int) -> bytes:
        """The root of the leaves that end the tree; every proof in a tree needs one of few."""
        found = self._tails.get((start, end))
        if found is None:
            found = range_root(self.node, start, end)
            if len(self._tails) >= _CACHED_TAILS:
                self._tails.clear()
            self._tails[start, end] = found
        return found

    def _block(self, level: int, index: int, held: bytes) -> bytes:
        """The hashes of the block that holds a subtree: what is remembered of it, and what has come since."""
        block = index >> _BLOCK_BITS
        first = (block << _BLOCK_BITS) + len(held) // _HASH_BYTES
        rows = self._rows(
            "SELECT idx, hash FROM nodes WHERE level = ? AND idx >= ? AND idx < ? ORDER BY idx",
            level,
            first,
            (block + 1) << _BLOCK_BITS,
        )
        found = [self._hash(value) for place, (idx, value) in enumerate(rows, first) if idx == place]
        if first + len(found) <= index:
            raise damaged(self._where, f"the hash of subtree {index} at level {level} is missing")
        if len(self._cache) >= _CACHED_BLOCKS:
            self._cache.clear()
        held += b"".join(found)
        self._cache[level, block] = held
        return held

    def nodes(self, level: int, start: int = 0) -> Iterator[bytes]:
        """See `AuditReader.nodes`."""
        after = start - 1
        while rows := self._rows(
            "SELECT idx, hash FROM nodes WHERE level = ? AND idx > ? ORDER BY idx LIMIT ?",
            level,
            after,
            _NODE_PAGE,
        ):
            for row in rows:
                after = self._natural(row[0])
                yield self._hash(row[1])

    def query(self, subject: str | None = None, types: Iterable[str] = ()) -> Iterator[LogEntry]:
        """See `LogReader.query`.

        Raises:
            InvalidInput: LF7215 not a digest.
        """
        wanted = None if subject is None else _key(subject)
        kinds = sorted(set(types))
        size = self._published()
        if wanted is not None and not kinds:
            return self._matches(_OF_SUBJECT, (wanted,), size)
        if wanted is not None:
            found = [self._matches(_OF_BOTH, (wanted, kind), size) for kind in kinds]
        elif kinds:
            found = [self._matches(_OF_TYPE, (kind,), size) for kind in kinds]
        else:
            return self.entries()
        return merge(*found, key=lambda entry: entry.index)

    def indexed(self, subject: bytes, predicate_type: str, index: int) -> bool:
        """See `AuditReader.indexed`."""
        sql = "SELECT 1 FROM subjects WHERE subject = ? AND type = ? AND idx = ?"
        return bool(self._rows(sql, subject, predicate_type, index))

    def indexed_rows(self) -> int:
        """See `AuditReader.indexed_rows`."""
        return self._natural(self._rows("SELECT count(*) FROM subjects")[0][0])

    def covering(self, index: int) -> tuple[int, int] | None:
        """(size, timestamp) of the first checkpoint that includes the entry; None while none does."""
        rows = self._rows(
            "SELECT size, timestamp FROM checkpoints WHERE size > ? ORDER BY size, seq LIMIT 1", index
        )
        return (self._natural(rows[0][0]), self._natural(rows[0][1])) if rows else None

    def _matches(self, sql: str, wanted: tuple[object, ...], size: int) -> Iterator[LogEntry]:
        after = -1
        while rows := self._rows(sql, *wanted, after, size, _PAGE):
            for entry in self._entries(rows):
                after = entry.index
                yield entry

    def _range(self, start: int, end: int) -> Iterator[LogEntry]:
        after = max(start, 0) - 1
        while after + 1 < end:
            rows = self._rows(
                "SELECT idx, leaf, envelope FROM entries WHERE idx > ? AND idx < ? ORDER BY idx LIMIT ?",
                after,
                end,
                _PAGE,
            )
            for entry in self._entries(rows):
                if entry.index != after + 1:
                    break
                after = entry.index
                yield entry
            else:
                if rows:
                    continue
            raise damaged(self._where, f"entry {after + 1} is missing")

    def _entries(self, rows: Iterable[Sequence[object]]) -> Iterator[LogEntry]:
        cover: tuple[int, int] | None = (0, -1)
        for row in rows:
            index = self._natural(row[0])
            if cover is not None and index >= cover[0]:
                cover = self.covering(index)
            logged_at = -1 if cover is None else cover[1]
            yield LogEntry(index, self._bytes(row[1]), self._hash(row[2]).hex(), logged_at)

    def _published(self) -> int:
        rows = self._rows("SELECT size FROM checkpoints ORDER BY seq DESC LIMIT 1")
        return self._natural(rows[0][0]) if rows else 0

    def _check_size(self, size: int) -> None:
        # A log only grows, so what it was long enough for once needs no second look.
        if size > self._longest:
            self._longest = self.size()
        if size > self._longest:
            raise NotFound("LF7216", f"The log has no size {size}; it has {self._longest} entries.")

    def _check_tables(self, tables: Iterable[str], *, views: bool) -> None:
        """See that these are the tables of a log, and learn its name."""
        present = set(tables)
        if "meta" not in present:
            raise damaged(self._where, "it is not the database of a log")
        found = {str(key): value for key, value in self._rows("SELECT key, value FROM meta")}
        if found.get("schema") != SCHEMA:
            raise EnvironmentProblem(
                "LF5034",
                f"{self._where} has tables of version {str(found.get('schema'))[:20]!r}; "
                f"this Lockflight reads version {SCHEMA}.",
                hint="pip install --upgrade lockflight",
            )
        if present != TABLES or views:
            raise damaged(self._where, "it has other tables than a log has")
        self.origin = self._text(found.get("origin"))

    def _bytes(self, value: object) -> bytes:
        if not isinstance(value, bytes):
            raise damaged(self._where, "a row holds a value of the wrong type")
        return value

    def _hash(self, value: object) -> bytes:
        found = self._bytes(value)
        if len(found) != _HASH_BYTES:
            raise damaged(self._where, f"a hash is {len(found)} bytes long")
        return found

    def _text(self, value: object) -> str:
        if not isinstance(value, str):
            raise damaged(self._where, "a row holds a value of the wrong type")
        return value

    def _natural(self, value: object) -> int:
        if not isinstance(value, int) or value < 0:
            raise damaged(self._where, "a row holds a value of the wrong type")
        return value


def _key(digest: str) -> bytes:
    if not _DIGEST.fullmatch(digest):
        raise InvalidInput(
            "LF7215", f"{digest[:80]!r} is not a SHA-256: 64 lower-case hex digits are expected."
        )
    return bytes.fromhex(digest)


def damaged(where: object, why: str) -> VerificationFailed:
    """LF7210 for a database that cannot be the one that was written."""
    return VerificationFailed(
        "LF7210",
        f"The log at {where} contradicts itself: {why}.",
        hint="lockflight log verify; then restore the newest backup, and keep this file as evidence",
    )
