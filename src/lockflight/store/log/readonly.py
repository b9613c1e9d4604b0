"""Reading a log in SQLite with the standard library alone; nothing is ever written."""

from __future__ import annotations

import os
import sqlite3
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from lockflight.errors import EnvironmentProblem, LockflightError, NotFound
from lockflight.store.blobs import MAX_BLOB_BYTES, BlobStore
from lockflight.store.log.layout import BLOBS, DATABASE
from lockflight.store.log.reader import RowReader, damaged

if TYPE_CHECKING:
    from pathlib import Path

BUSY_SECONDS: Final = 30.0

#: SQLITE_CORRUPT, SQLITE_TOOBIG, SQLITE_MISMATCH and SQLITE_NOTADB: the file is not what was written.
_DAMAGED_CODES = frozenset({11, 18, 20, 26})
_CANNOT_OPEN = 14


class SqliteReader(RowReader):
    """The `AuditReader` of a log in `folder`; safe for threads, not to be carried over a fork.

    Raises:
        NotFound: LF5035 there is no log.
        EnvironmentProblem: LF5034 written by another version, LF5036 it cannot be read.
        VerificationFailed: LF7210 it is damaged.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(str(folder / DATABASE))
        self._path = folder / DATABASE
        self._blobs = BlobStore(folder / BLOBS)
        if not self._path.is_file():
            raise _no_log(self._path)
        try:
            self._connection = _connect(self._path, writable=os.access(folder, os.W_OK))
        except sqlite3.Error as error:
            raise translated(error, self._path) from error
        objects = [
            (str(kind), str(name)) for kind, name in self._rows("SELECT type, name FROM sqlite_schema")
        ]
        self._check_tables(
            (name for kind, name in objects if kind == "table"),
            views=any(kind == "view" for kind, _ in objects),
        )

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()

    def _begin(self) -> None:
        self._rows("BEGIN")
        self._rows("SELECT count(*) FROM meta")

    def _end(self) -> None:
        self._rows("COMMIT")

    def _elsewhere(self, digest: str) -> bytes | None:
        return self._blobs.get(digest)

    def _rows(self, sql: str, *values: object) -> list[tuple[object, ...]]:
        try:
            with self._turn:
                return self._connection.execute(sql, values).fetchall()
        except UnicodeError as error:
            raise damaged(self._where, "a text in it is not UTF-8") from error
        except sqlite3.Error as error:
            raise translated(error, self._path) from error


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


def _no_log(path: Path) -> NotFound:
    return NotFound("LF5035", f"There is no log at {path}.", hint="lockflight realm init")


def translated(error: sqlite3.Error, path: Path) -> LockflightError:
    """What a user is told about an error of SQLite while reading."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in _DAMAGED_CODES:
        return damaged(path, f"{error}")
    hint = f"ls -l {path}*"
    if code == _CANNOT_OPEN:
        hint += "; copy the realm to a folder that you may write, its -wal file included"
    return EnvironmentProblem("LF5036", f"The log at {path} cannot be read: {error}.", hint=hint)
