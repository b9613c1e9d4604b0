"""Writing a log into SQLite: write-ahead log, each commit on disk when it returns, one writer at a time.

Rows go to the driver itself, in texts that a test compares with the tables. SQLAlchemy is loaded only where tables
are made or rebuilt: it costs more than all else that an append does.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Final, cast

from lockflight.errors import EnvironmentProblem, LockflightError, NotFound
from lockflight.store.blobs import BlobStore
from lockflight.store.files import FILE_MODE, locked, make_folder, sync_folder
from lockflight.store.log.layout import BLOBS, DATABASE, INLINE_BYTES, LOCK, SCHEMA
from lockflight.store.log.readonly import BUSY_SECONDS, SqliteReader, translated

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from sqlalchemy import ClauseElement
    from sqlalchemy.sql.compiler import SQLCompiler

    from lockflight.core.ports import NewEntry

#: Pages (4 KiB) in the write-ahead log before it is folded back into the database.
_FOLD_PAGES = 4000
_LOOKUP = 64
_GUARD = "nodes_no_delete"


_ADD_ENTRY: Final = "INSERT INTO entries (idx, leaf, envelope) VALUES (?, ?, ?)"
_ADD_NODE: Final = "INSERT INTO nodes (level, idx, hash) VALUES (?, ?, ?)"
_ADD_CHECKPOINT: Final = "INSERT INTO checkpoints (seq, size, timestamp, note) VALUES (?, ?, ?, ?)"
_ADD_ENVELOPE: Final = "INSERT INTO envelopes (idx, body) VALUES (?, ?)"
_ADD_SUBJECT: Final = "INSERT INTO subjects (subject, type, idx) VALUES (?, ?, ?)"
_MARKS: Final = ", ".join("?" * _LOOKUP)
_FIND: Final = f"SELECT envelope, idx, leaf FROM entries WHERE envelope IN ({_MARKS}) ORDER BY idx"  # noqa: S608 - marks
_LAST_SEQ: Final = "SELECT seq FROM checkpoints ORDER BY seq DESC LIMIT 1"
_PLACES_OF: Final = "SELECT idx FROM entries WHERE envelope = ?"
_DROP_ENVELOPE: Final = "DELETE FROM envelopes WHERE idx = ?"
_DROP_SUBJECTS: Final = "DELETE FROM subjects WHERE idx = ?"


class SqliteStore:
    """The `LogStore` in a realm's folder; made by `open_store`, used by one `LogWriter`.

    Attributes:
        reader: reads what is committed, through a connection of its own.
        path: the database.
    """

    def __init__(self, folder: Path, driver: sqlite3.Connection, reader: SqliteReader) -> None:
        self.reader = reader
        self.path = folder / DATABASE
        self._lock = folder / LOCK
        self._blobs = BlobStore(folder / BLOBS)
        self._driver = driver

    def close(self) -> None:
        """Let go of the files."""
        self.reader.close()
        self._driver.close()

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """See `LogStore.exclusive`."""
        with ExitStack() as held:
            try:
                held.enter_context(locked(self._lock, f"the log at {self.path}"))
            except OSError as error:
                raise _unwritable(self.path, f"{error.strerror}") from error
            yield

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """A write transaction, durable when it ends; undone by any exception.

        Raises:
            EnvironmentProblem: LF5030 it cannot be written.
            VerificationFailed: LF7210 the database is damaged.
        """
        driver = self._driver
        try:
            driver.execute("BEGIN IMMEDIATE")
            try:
                yield driver
                driver.execute("COMMIT")
            finally:
                if driver.in_transaction:
                    driver.execute("ROLLBACK")
        except sqlite3.Error as error:
            raise _failed(error, self.path) from error

    def execute(
        self, driver: sqlite3.Connection, statement: ClauseElement, rows: Sequence[Mapping[str, object]] = ()
    ) -> list[tuple[object, ...]]:
        """Run a statement inside a transaction, once or for each of `rows`; what a query finds."""
        from sqlalchemy.dialects.sqlite import dialect

        done = cast("SQLCompiler", statement.compile(dialect=dialect()))
        if not rows:
            return driver.execute(str(done)).fetchall()
        order = done.positiontup or ()
        driver.executemany(str(done), [[row[name] for name in order] for row in rows])
        return []

    @contextmanager
    def unguarded(self, driver: sqlite3.Connection) -> Iterator[None]:
        """Inside a transaction: let the derived tables be emptied."""
        from lockflight.store.log.tables import TRIGGERS

        driver.execute(f"DROP TRIGGER {_GUARD}")
        yield
        driver.execute(TRIGGERS[_GUARD])

    def size(self) -> int:
        """See `LogStore.size`."""
        return self.reader.size()

    def covering(self, index: int) -> tuple[int, int] | None:
        """See `LogStore.covering`."""
        return self.reader.covering(index)

    def places(self, envelopes: Sequence[bytes]) -> Mapping[bytes, Sequence[tuple[int, bytes]]]:
        """See `LogStore.places`."""
        found: dict[bytes, list[tuple[int, bytes]]] = {}
        try:
            for start in range(0, len(envelopes), _LOOKUP):
                wanted = list(envelopes[start : start + _LOOKUP])
                # The text has a fixed number of marks; no digest is empty.
                wanted += [b""] * (_LOOKUP - len(wanted))
                for envelope, index, leaf in self._driver.execute(_FIND, wanted):
                    found.setdefault(envelope, []).append((index, leaf))
        except sqlite3.Error as error:
            raise _failed(error, self.path) from error
        return found

    def stage(self, entry: NewEntry) -> None:
        """See `LogStore.stage`."""
        if len(entry.body) > INLINE_BYTES:
            self._blobs.put(entry.body)

    def add_entries(
        self, first: int, entries: Sequence[NewEntry], nodes: Sequence[tuple[int, int, bytes]]
    ) -> None:
        """See `LogStore.add_entries`."""
        numbered = list(enumerate(entries, first))
        with self.transaction() as driver:
            driver.executemany(_ADD_ENTRY, [(i, entry.leaf, entry.envelope) for i, entry in numbered])
            driver.executemany(
                _ADD_ENVELOPE, [(i, entry.body) for i, entry in numbered if len(entry.body) <= INLINE_BYTES]
            )
            # In key order, which appends to the tree of each level instead of searching it.
            driver.executemany(_ADD_NODE, sorted(nodes))
            self.add_subjects(driver, numbered)

    def add_subjects(self, driver: sqlite3.Connection, numbered: Sequence[tuple[int, NewEntry]]) -> None:
        """List entries under their subjects, inside a transaction."""
        rows = [(subject, entry.predicate_type, i) for i, entry in numbered for subject in entry.subjects]
        driver.executemany(_ADD_SUBJECT, rows)

    def add_checkpoint(self, size: int, timestamp: int, note: str) -> None:
        """See `LogStore.add_checkpoint`."""
        with self.transaction() as driver:
            last = driver.execute(_LAST_SEQ).fetchone()
            driver.execute(_ADD_CHECKPOINT, (last[0] + 1 if last else 0, size, timestamp, note))

    def erase(self, envelope: str) -> None:
        """Forget the body of an envelope and its lines in the index; its entry and all proofs stay.

        Raises:
            NotFound: LF7216 no entry records it.
            InvalidInput: LF7215 not a digest.
            EnvironmentProblem: LF5030, LF5031 the log cannot be written.
        """
        if self.reader.find(envelope) is None:
            raise NotFound(
                "LF7216", f"The log has no entry for the envelope {envelope}.", hint="lockflight log show"
            )
        with self.exclusive():
            with self.transaction() as driver:
                places = driver.execute(_PLACES_OF, (bytes.fromhex(envelope),)).fetchall()
                driver.executemany(_DROP_ENVELOPE, places)
                driver.executemany(_DROP_SUBJECTS, places)
            self._blobs.erase(envelope)
            # The bytes are overwritten in the database; the write-ahead log may still hold them.
            self._driver.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def open_store(folder: Path, origin: str) -> SqliteStore:
    """Open the log in a realm's folder for writing; an absent one is made, empty.

    Args:
        folder: holds `log.db` and `blobs/`; made as needed (0700; files 0600).
        origin: name of the log.

    Raises:
        EnvironmentProblem: LF5030, LF5031 it cannot be written, LF5034 of another version, LF5039 of another origin.
        VerificationFailed: LF7210 it is damaged.
    """
    path = folder / DATABASE
    try:
        make_folder(folder)
        with locked(folder / LOCK, f"the log at {path}"):
            if not path.exists():
                _create(path, origin)
            # Also for a log that is there: whoever made it may have died before its name was durable.
            sync_folder(folder)
            sync_folder(folder.parent)
            driver = _connect(path)
            try:
                reader = SqliteReader(folder)
            except BaseException:
                driver.close()
                raise
    except OSError as error:
        raise _unwritable(path, f"{error.strerror}") from error
    except sqlite3.Error as error:
        raise _failed(error, path) from error
    if reader.origin != origin:
        found = reader.origin
        SqliteStore(folder, driver, reader).close()
        raise EnvironmentProblem(
            "LF5039",
            f"The log at {path} is {found!r}, not {origin!r}.",
            hint="lockflight realm show",
        )
    return SqliteStore(folder, driver, reader)


def _connect(path: Path) -> sqlite3.Connection:
    driver = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",
        "trusted_schema=OFF",
        "cell_size_check=ON",
        "secure_delete=ON",
        f"wal_autocheckpoint={_FOLD_PAGES}",
    ):
        driver.execute(f"PRAGMA {pragma}")
    return driver


def _create(path: Path, origin: str) -> None:
    """Make an empty log aside and rename it into place: a half-made one is never seen."""
    from sqlalchemy import create_engine, insert
    from sqlalchemy.exc import DBAPIError
    from sqlalchemy.pool import NullPool

    from lockflight.store.log.tables import TRIGGERS, meta, metadata

    aside = path.with_name(path.name + ".new")
    for litter in ("", "-journal", "-wal", "-shm"):
        aside.with_name(aside.name + litter).unlink(missing_ok=True)
    handle = os.open(aside, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, FILE_MODE)
    try:
        engine = create_engine("sqlite://", creator=lambda: _connect(aside), poolclass=NullPool)
        with engine.connect() as connection:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            metadata.create_all(connection, checkfirst=False)
            for trigger in TRIGGERS.values():
                connection.exec_driver_sql(trigger)
            rows = [{"key": "schema", "value": SCHEMA}, {"key": "origin", "value": origin}]
            connection.execute(insert(meta), rows)
            connection.commit()
        # Closing has folded the write-ahead log into the file.
        os.fsync(handle)
    except DBAPIError as error:
        # What the driver raised, which `open_store` tells about.
        raise error.orig or error from None
    finally:
        os.close(handle)
    aside.rename(path)


def _unwritable(path: Path, why: str) -> EnvironmentProblem:
    return EnvironmentProblem(
        "LF5030",
        f"The log at {path} cannot be written: {why}.",
        hint=f"df -h {path.parent}; ls -ld {path.parent}",
    )


def _failed(error: sqlite3.Error, path: Path) -> LockflightError:
    told = translated(error, path)
    return _unwritable(path, f"{error}") if told.code == "LF5036" else told
