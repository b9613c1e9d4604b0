"""Copies of a realm's log: consistent ones of our own, and copies of what others hand over, which may be hostile."""

from __future__ import annotations

import os
import re
import sqlite3
import stat
from typing import TYPE_CHECKING
from urllib.parse import quote

from lockflight.errors import InvalidInput, NotFound
from lockflight.store.blobs import BlobStore
from lockflight.store.files import FILE_MODE, sync_folder
from lockflight.store.log.layout import BLOBS, DATABASE
from lockflight.store.log.reader import damaged
from lockflight.store.log.readonly import translated
from lockflight.store.log.tables import TRIGGERS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MAX_LOG_BYTES = 8 * 1024**3
MAX_BLOBS = 200_000
MAX_BLOB_TOTAL = 8 * 1024**3
_CHUNK = 1024 * 1024
_PREFIX = re.compile(r"[0-9a-f]{2}", re.ASCII)
_DIGEST = re.compile(r"[0-9a-f]{64}", re.ASCII)


def copy_log(source: Path, target: Path) -> None:
    """Copy `log.db` of a folder into another one, as it is between two commits, in one file.

    Raises:
        VerificationFailed: LF7210 it is no database of a log.
        EnvironmentProblem: LF5036 it cannot be read.
        OSError: it cannot be written.
    """
    path = target / DATABASE
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, FILE_MODE))
    origin = source / DATABASE
    try:
        reading = sqlite3.connect(
            f"file:{quote(str(origin.absolute()))}?mode=ro", uri=True, isolation_level=None
        )
        writing = sqlite3.connect(path, isolation_level=None)
        try:
            for connection in (reading, writing):
                connection.execute("PRAGMA trusted_schema=OFF")
                connection.execute("PRAGMA cell_size_check=ON")
            reading.backup(writing)
            writing.execute("PRAGMA journal_mode=DELETE")
            _no_strange_triggers(writing, origin)
        finally:
            reading.close()
            writing.close()
    except (sqlite3.Error, UnicodeError) as error:
        if isinstance(error, UnicodeError):
            raise damaged(origin, "a text in it is not UTF-8") from error
        raise translated(error, origin) from error
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
    sync_folder(target)


def _no_strange_triggers(connection: sqlite3.Connection, path: Path) -> None:
    """A trigger is a program that runs when a log is written; only those that refuse are ours."""
    ours = {*TRIGGERS.values()}
    for (sql,) in connection.execute("SELECT sql FROM sqlite_schema WHERE type = 'trigger' LIMIT 1000"):
        if sql not in ours:
            raise damaged(path, "it holds a program that a log does not have")


def take_log(source: Path, target: Path) -> None:
    """Copy the bytes of a log that somebody else made, its write-ahead part too; nothing of it is opened in place.

    Raises:
        NotFound: LF5035 there is none.
        InvalidInput: LF4621 it is a link, no regular file, or too long.
        OSError: it cannot be read or written.
    """
    for name in (DATABASE, f"{DATABASE}-wal"):
        try:
            handle = os.open(source / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except FileNotFoundError:
            if name == DATABASE:
                raise NotFound(
                    "LF5035",
                    f"There is no log at {source / name}.",
                    hint="Name the folder of a realm or backup.",
                ) from None
            continue
        except OSError as error:
            raise _strange(source / name, error.strerror or "it cannot be opened") from error
        try:
            found = os.fstat(handle)
            if not stat.S_ISREG(found.st_mode) or found.st_size > MAX_LOG_BYTES:
                raise _strange(source / name, "it is no regular file of a sensible size")
            _pour(handle, target / name, found.st_size)
        finally:
            os.close(handle)


def _pour(handle: int, target: Path, size: int) -> None:
    made = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, FILE_MODE)
    with os.fdopen(made, "wb") as out:
        left = size
        while left and (chunk := os.read(handle, min(left, _CHUNK))):
            out.write(chunk)
            left -= len(chunk)


def take_blobs(source: Path, target: Path) -> int:
    """Copy every blob whose bytes have the digest that names them; how many there were.

    Raises:
        InvalidInput: LF4621 there are more than a realm has.
        VerificationFailed: LF7223 a file holds other bytes than its name says.
    """
    reading, writing = BlobStore(source / BLOBS), BlobStore(target / BLOBS)
    count = total = 0
    for digest in _digests(source / BLOBS):
        data = reading.get(digest)
        if data is None:
            continue
        count += 1
        total += len(data)
        if count > MAX_BLOBS or total > MAX_BLOB_TOTAL:
            raise _strange(source / BLOBS, "it holds more than a realm has")
        writing.put(data)
    return count


def _digests(folder: Path) -> Iterator[str]:
    """Names of blobs, as the system lists them: however many there are, they are not all held at once."""
    if folder.is_symlink() or not folder.is_dir():
        return
    with os.scandir(folder) as prefixes:
        for prefix in prefixes:
            if not _PREFIX.fullmatch(prefix.name) or not prefix.is_dir(follow_symlinks=False):
                continue
            with os.scandir(prefix.path) as files:
                for file in files:
                    if _DIGEST.fullmatch(file.name) and file.name.startswith(prefix.name):
                        yield file.name


def _strange(path: Path, why: str) -> InvalidInput:
    return InvalidInput(
        "LF4621", f"{path} is not taken over: {why}.", hint="lockflight realm backup makes what can be taken."
    )
