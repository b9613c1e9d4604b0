"""Reading a log in SQLite with the standard library alone; nothing is ever written.

What is read is believed by nobody: `core.verify` checks it. Only its shape is checked here.
"""

from __future__ import annotations

import hashlib
import os
import re
import sqlite3
import threading
from contextlib import contextmanager
from heapq import merge
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from lockflight.core.merkle import consistency_proof, inclusion_proof
from lockflight.core.ports import LogEntry
from lockflight.errors import (
    EnvironmentProblem,
    InvalidInput,
    LockflightError,
    NotFound,
    VerificationFailed,
)
from lockflight.store.blobs import MAX_BLOB_BYTES, BlobStore
from lockflight.store.layout import BLOBS, DATABASE, SCHEMA, TABLES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

BUSY_SECONDS: Final = 30.0

_DIGEST = re.compile(r"[0-9a-f]{64}", re.ASCII)
_HASH_BYTES = 32
_PAGE = 512
_NODE_PAGE = 4096
_CACHED_NODES = 1 << 17
#: SQLITE_CORRUPT, SQLITE_TOOBIG, SQLITE_MISMATCH and SQLITE_NOTADB: the file is not what was written.
_DAMAGED_CODES = frozenset({11, 18, 20, 26})
_CANNOT_OPEN = 14

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
    "SELECT DISTINCT e.idx, e.leaf, e.envelope FROM subjects s JOIN entries e ON e.idx = s.idx"
    " WHERE s.type = ? AND s.idx > ? AND s.idx < ? ORDER BY s.idx LIMIT ?"
)


class SqliteReader:
    """The `AuditReader` of a log in `folder`; safe for threads, not to be carried over a fork.

    Raises:
        NotFound: LF5035 there is no log.
        EnvironmentProblem: LF5034 written by another version, LF5036 it cannot be read.
        VerificationFailed: LF7210 it is damaged.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / DATABASE
        self._blobs = BlobStore(folder / BLOBS)
        self._turn = threading.RLock()
        self._cache: dict[tuple[int, int], bytes] = {}
        self._open_snapshots = 0
        if not self._path.is_file():
            raise _no_log(self._path)
        try:
            self._connection = _connect(self._path, writable=os.access(folder, os.W_OK))
        except sqlite3.Error as error:
            raise translated(error, self._path) from error
        self.origin = self._check_schema()

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()

    def forget(self) -> None:
        """Drop what is remembered of the nodes, after they were rebuilt."""
        self._cache.clear()

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """See `AuditReader.snapshot`."""
        with self._turn:
            if not self._open_snapshots:
                self._rows("BEGIN")
                self._rows("SELECT count(*) FROM meta")
            self._open_snapshots += 1
        try:
            yield
        finally:
            with self._turn:
                self._open_snapshots -= 1
                if not self._open_snapshots:
                    self._rows("COMMIT")

    def checkpoint(self) -> str:
        """See `LogReader.checkpoint`."""
        rows = self._rows("SELECT note FROM checkpoints ORDER BY seq DESC LIMIT 1")
        return self._text(rows[0][0]) if rows else ""

    def checkpoints(self) -> Iterator[str]:
        """See `AuditReader.checkpoints`."""
        after = -1
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
            return self._blobs.get(digest)
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
            return inclusion_proof(self.node, index, size)
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
        found = self._cache.get((level, index))
        if found is None:
            rows = self._rows("SELECT hash FROM nodes WHERE level = ? AND idx = ?", level, index)
            if not rows:
                raise damaged(self._path, f"the hash of subtree {index} at level {level} is missing")
            found = self._hash(rows[0][0])
            if len(self._cache) >= _CACHED_NODES:
                self._cache.clear()
            self._cache[level, index] = found
        return found

    def nodes(self, level: int) -> Iterator[bytes]:
        """See `AuditReader.nodes`."""
        after = -1
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
            raise damaged(self._path, f"entry {after + 1} is missing")

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
        if size > self.size():
            raise NotFound("LF7216", f"The log has no size {size}; it has {self.size()} entries.")

    def _check_schema(self) -> str:
        objects = {
            (str(kind), str(name)) for kind, name in self._rows("SELECT type, name FROM sqlite_schema")
        }
        tables = {name for kind, name in objects if kind == "table"}
        if "meta" not in tables:
            raise damaged(self._path, "it is not the database of a log")
        found = {str(key): value for key, value in self._rows("SELECT key, value FROM meta")}
        if found.get("schema") != SCHEMA:
            raise EnvironmentProblem(
                "LF5034",
                f"{self._path} has tables of version {str(found.get('schema'))[:20]!r}; "
                f"this Lockflight reads version {SCHEMA}.",
                hint="pip install --upgrade lockflight",
            )
        if tables != TABLES or any(kind == "view" for kind, _ in objects):
            raise damaged(self._path, "it has other tables than a log has")
        return self._text(found.get("origin"))

    def _rows(self, sql: str, *values: object) -> list[tuple[object, ...]]:
        try:
            with self._turn:
                return self._connection.execute(sql, values).fetchall()
        except UnicodeError as error:
            raise damaged(self._path, "a text in it is not UTF-8") from error
        except sqlite3.Error as error:
            raise translated(error, self._path) from error

    def _bytes(self, value: object) -> bytes:
        if not isinstance(value, bytes):
            raise damaged(self._path, "a row holds a value of the wrong type")
        return value

    def _hash(self, value: object) -> bytes:
        found = self._bytes(value)
        if len(found) != _HASH_BYTES:
            raise damaged(self._path, f"a hash is {len(found)} bytes long")
        return found

    def _text(self, value: object) -> str:
        if not isinstance(value, str):
            raise damaged(self._path, "a row holds a value of the wrong type")
        return value

    def _natural(self, value: object) -> int:
        if not isinstance(value, int) or value < 0:
            raise damaged(self._path, "a row holds a value of the wrong type")
        return value


def open_reader(folder: Path) -> SqliteReader:
    """Open the log of a realm's folder for reading; see `SqliteReader`."""
    return SqliteReader(folder)


def _connect(path: Path, *, writable: bool) -> sqlite3.Connection:
    # A reader shares the write-ahead log through a small file beside the database. Where it can create none,
    # and no writer has left one, the database alone is the whole log and nobody changes it.
    immutable = not writable and not path.with_name(path.name + "-wal").exists()
    query = "mode=ro&immutable=1" if immutable else "mode=ro"
    connection = sqlite3.connect(
        f"file:{quote(str(path.absolute()))}?{query}",
        uri=True,
        timeout=BUSY_SECONDS,
        isolation_level=None,
        check_same_thread=False,
    )
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MAX_BLOB_BYTES)
    for pragma in ("query_only=ON", "trusted_schema=OFF", "cell_size_check=ON"):
        connection.execute(f"PRAGMA {pragma}")
    return connection


def _key(digest: str) -> bytes:
    if not _DIGEST.fullmatch(digest):
        raise InvalidInput(
            "LF7215", f"{digest[:80]!r} is not a SHA-256: 64 lower-case hex digits are expected."
        )
    return bytes.fromhex(digest)


def _no_log(path: Path) -> NotFound:
    return NotFound("LF5035", f"There is no log at {path}.", hint="lockflight realm init")


def damaged(path: Path, why: str) -> VerificationFailed:
    """LF7210 for a database that cannot be the one that was written."""
    return VerificationFailed(
        "LF7210",
        f"The log at {path} contradicts itself: {why}.",
        hint="lockflight log verify; then restore the newest backup, and keep this file as evidence",
    )


def translated(error: sqlite3.Error, path: Path) -> LockflightError:
    """What a user is told about an error of SQLite while reading."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in _DAMAGED_CODES:
        return damaged(path, f"{error}")
    hint = f"ls -l {path}*"
    if code == _CANNOT_OPEN:
        hint += "; copy the realm to a folder that you may write, its -wal file included"
    return EnvironmentProblem("LF5036", f"The log at {path} cannot be read: {error}.", hint=hint)
