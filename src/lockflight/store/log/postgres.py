"""A log in PostgreSQL: the tables of `log_tables` in a schema of their own, one log in one database.

Connections come from one pool per address and process, and go back after each call. A writer holds an advisory lock of
the session in which it also writes: whoever loses the connection loses lock and transaction together. Envelopes of
any length are rows, so that one backup of the database has all that was acknowledged.
"""

from __future__ import annotations

import atexit
import hashlib
import threading
from contextlib import contextmanager, suppress
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, cast
from urllib.parse import parse_qsl, unquote, urlsplit

from sqlalchemy import URL, create_engine, delete, insert, select
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.schema import CreateSchema

from lockflight.errors import EnvironmentProblem, LockflightError, NotFound
from lockflight.store.log.address import shown
from lockflight.store.log.layout import SCHEMA
from lockflight.store.log.reader import RowReader, damaged
from lockflight.store.log.tables import (
    NAMESPACE,
    POSTGRES_GUARDS,
    checkpoints,
    entries,
    envelopes,
    meta,
    metadata,
    nodes,
    subjects,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from sqlalchemy import ClauseElement, Connection, Engine, Executable

    from lockflight.core.ports import NewEntry

#: How long a writer waits for another one; the server lets writers in in the order in which they came.
PATIENCE_SECONDS: Final = 30
_CONNECT_SECONDS: Final = 10
_LOOKUP = 256
#: Said to the server at the start of each connection. A host that vanished lets go of its lock within two minutes.
_SESSION: Final = {
    "search_path": NAMESPACE,
    "synchronous_commit": "on",
    "lock_timeout": f"{PATIENCE_SECONDS}s",
    "tcp_keepalives_idle": "30",
    "tcp_keepalives_interval": "10",
    "tcp_keepalives_count": "6",
}
_TABLES = "SELECT table_name, table_type FROM information_schema.tables WHERE table_schema = ?"

_LOCKED, _RACED, _DEADLOCK = "55P03", "40001", "40P01"
#: Classes of SQLSTATE: connection lost or refused, operator's intervention; no such table or column, bad data.
_GONE = frozenset({"08", "28", "3D", "57"})
_NOT_OURS = frozenset({"42P01", "42703", "22P02", "22021"})


class PostgresReader(RowReader):
    """The `AuditReader` of a log in a database; safe for threads.

    Args:
        url: `postgresql://…`, as `store.address` lets it through.

    Raises:
        NotFound: LF5035 there is no log.
        EnvironmentProblem: LF5034 written by another version, LF5036 it cannot be read, LF5046 no driver, LF5047 the
            server cannot be reached.
        VerificationFailed: LF7210 it is damaged.
    """

    def __init__(self, url: str) -> None:
        super().__init__(shown(url))
        self._engine = _engine(url)
        self._held: Connection | None = None
        found = [(str(name), str(kind)) for name, kind in self._rows(_TABLES, NAMESPACE)]
        if not found:
            raise NotFound("LF5035", f"There is no log at {self._where}.", hint="lockflight realm init")
        self._check_tables((name for name, _ in found), views=any(kind != "BASE TABLE" for _, kind in found))

    def close(self) -> None:
        """Nothing is held between calls."""

    def _begin(self) -> None:
        with _told(self._where):
            self._held = self._engine.connect()
            self._held.exec_driver_sql("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            # The snapshot is taken by the first query, not by BEGIN.
            self._held.exec_driver_sql("SELECT count(*) FROM meta")

    def _end(self) -> None:
        held, self._held = self._held, None
        if held is not None:
            with _told(self._where), held:
                held.exec_driver_sql("COMMIT")

    def _elsewhere(self, digest: str) -> bytes | None:  # noqa: ARG002 - every envelope is a row here
        return None

    def _rows(self, sql: str, *values: object) -> Sequence[Sequence[object]]:
        text = sql.replace("?", "%s")
        with _told(self._where):
            if self._open_snapshots or self._held is not None:
                with self._turn:
                    if self._held is not None:
                        return self._held.exec_driver_sql(text, values).fetchall()
            with self._engine.connect() as connection:
                return connection.exec_driver_sql(text, values).fetchall()


class PostgresStore:
    """The `LogStore` in a database; made by `open_store`, used by one `LogWriter`.

    Attributes:
        reader: reads what is committed, through connections of its own.
    """

    def __init__(self, url: str, reader: PostgresReader) -> None:
        self.reader = reader
        self._where = shown(url)
        self._engine = _engine(url)
        self._turn = threading.Lock()
        self._writer: Connection | None = None

    def close(self) -> None:
        """Nothing is held between calls."""

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """See `LogStore.exclusive`."""
        if not self._turn.acquire(timeout=PATIENCE_SECONDS):
            raise _busy(self._where)
        try:
            with _locked(self._engine, self._where) as connection:
                self._writer = connection
                try:
                    yield
                finally:
                    self._writer = None
        finally:
            self._turn.release()

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """A write transaction, durable when it ends; undone by any exception.

        Raises:
            EnvironmentProblem: LF5030 it cannot be written, LF5031 another writer came first, LF5047.
            VerificationFailed: LF7210 the database is damaged.
        """
        with _told(self._where, writing=True), self._connection() as connection, _commit(connection):
            yield connection

    def execute(
        self, connection: Connection, statement: ClauseElement, rows: Sequence[Mapping[str, object]] = ()
    ) -> list[tuple[object, ...]]:
        """Run a statement inside a transaction, once or for each of `rows`; what a query finds."""
        done = connection.execute(cast("Executable", statement), [dict(row) for row in rows] or None)
        return [tuple(row) for row in done] if done.returns_rows else []

    @contextmanager
    def unguarded(self, connection: Connection) -> Iterator[None]:
        """Inside a transaction: let the derived tables be emptied, which only their owner may do."""
        connection.exec_driver_sql("ALTER TABLE nodes DISABLE TRIGGER USER")
        yield
        connection.exec_driver_sql("ALTER TABLE nodes ENABLE TRIGGER USER")

    def size(self) -> int:
        """See `LogStore.size`."""
        return self.reader.size()

    def covering(self, index: int) -> tuple[int, int] | None:
        """See `LogStore.covering`."""
        return self.reader.covering(index)

    def places(self, wanted: Sequence[bytes]) -> Mapping[bytes, Sequence[tuple[int, bytes]]]:
        """See `LogStore.places`."""
        found: dict[bytes, list[tuple[int, bytes]]] = {}
        columns = select(entries.c.envelope, entries.c.idx, entries.c.leaf)
        with _told(self._where), self._connection() as connection:
            for start in range(0, len(wanted), _LOOKUP):
                some = entries.c.envelope.in_(list(wanted[start : start + _LOOKUP]))
                for envelope, index, leaf in connection.execute(columns.where(some).order_by(entries.c.idx)):
                    found.setdefault(envelope, []).append((index, leaf))
        return found

    def stage(self, entry: NewEntry) -> None:
        """See `LogStore.stage`; a row takes every length."""

    def add_entries(
        self, first: int, fresh: Sequence[NewEntry], complete: Sequence[tuple[int, int, bytes]]
    ) -> None:
        """See `LogStore.add_entries`."""
        numbered = list(enumerate(fresh, first))
        with self.transaction() as connection:
            rows: list[tuple[Any, list[dict[str, object]]]] = [
                (entries, [{"idx": i, "leaf": e.leaf, "envelope": e.envelope} for i, e in numbered]),
                (envelopes, [{"idx": i, "body": e.body} for i, e in numbered]),
                (nodes, [{"level": level, "idx": i, "hash": value} for level, i, value in sorted(complete)]),
                (
                    subjects,
                    [
                        {"subject": subject, "type": e.predicate_type, "idx": i}
                        for i, e in numbered
                        for subject in e.subjects
                    ],
                ),
            ]
            for table, values in rows:
                if values:
                    connection.execute(insert(table), values)

    def add_checkpoint(self, size: int, timestamp: int, note: str) -> None:
        """See `LogStore.add_checkpoint`."""
        newest = select(checkpoints.c.seq).order_by(checkpoints.c.seq.desc()).limit(1)
        with self.transaction() as connection:
            last = connection.execute(newest).scalar()
            row = {"seq": 0 if last is None else last + 1, "size": size, "timestamp": timestamp, "note": note}
            connection.execute(insert(checkpoints), row)

    def erase(self, envelope: str) -> None:
        """Forget the body of an envelope and its lines in the index; its entry and all proofs stay.

        The server's own write-ahead log and backups are for its operator to expire.

        Raises:
            NotFound: LF7216 no entry records it.
            InvalidInput: LF7215 not a digest.
            EnvironmentProblem: LF5030, LF5031, LF5047 the log cannot be written.
        """
        if self.reader.find(envelope) is None:
            raise NotFound(
                "LF7216", f"The log has no entry for the envelope {envelope}.", hint="lockflight log show"
            )
        where = select(entries.c.idx).where(entries.c.envelope == bytes.fromhex(envelope))
        with self.exclusive():
            with self.transaction() as connection:
                for table in (envelopes, subjects):
                    connection.execute(delete(table).where(table.c.idx.in_(where)))
            with _told(self._where, writing=True), self._connection() as connection:
                connection.exec_driver_sql("VACUUM envelopes")

    @contextmanager
    def _connection(self) -> Iterator[Connection]:
        """The connection that holds the lock, where one does."""
        if self._writer is not None:
            yield self._writer
        else:
            with self._engine.connect() as connection:
                yield connection


def open_store(url: str, origin: str) -> PostgresStore:
    """Open the log in a database for writing; an absent one is made, empty.

    Args:
        url: `postgresql://…`, as `store.address` lets it through.
        origin: name of the log.

    Raises:
        EnvironmentProblem: LF5030, LF5031 it cannot be written, LF5034 of another version, LF5039 of another origin,
            LF5046 no driver, LF5047 the server cannot be reached.
        VerificationFailed: LF7210 it is damaged.
    """
    where, engine = shown(url), _engine(url)
    with _locked(engine, where) as connection, _told(where, writing=True):
        if connection.exec_driver_sql("SHOW fsync").scalar() != "on":
            raise EnvironmentProblem(
                "LF5030",
                f"The server of the log at {where} runs with fsync off: it would lose what it has confirmed.",
                hint="Set fsync = on in postgresql.conf, or keep the log elsewhere.",
            )
        known = connection.exec_driver_sql("SELECT 1 FROM pg_namespace WHERE nspname = %s", (NAMESPACE,))
        if known.first() is None:
            with _commit(connection):
                _create(connection, origin)
    reader = PostgresReader(url)
    if reader.origin != origin:
        raise EnvironmentProblem(
            "LF5039",
            f"The log at {where} is {reader.origin!r}, not {origin!r}.",
            hint="lockflight realm show; one database holds one log: createdb another one",
        )
    return PostgresStore(url, reader)


def _create(connection: Connection, origin: str) -> None:
    connection.execute(CreateSchema(NAMESPACE))
    metadata.create_all(connection, checkfirst=False)
    for text in POSTGRES_GUARDS:
        connection.exec_driver_sql(text)
    connection.execute(insert(meta), [{"key": "schema", "value": SCHEMA}, {"key": "origin", "value": origin}])


@contextmanager
def _commit(connection: Connection) -> Iterator[None]:
    connection.exec_driver_sql("BEGIN ISOLATION LEVEL SERIALIZABLE")
    try:
        yield
        connection.exec_driver_sql("COMMIT")
    except BaseException:
        with suppress(SQLAlchemyError):
            connection.exec_driver_sql("ROLLBACK")
        raise


@contextmanager
def _locked(engine: Engine, where: str) -> Iterator[Connection]:
    """A connection that holds the advisory lock of the log."""
    key = int.from_bytes(hashlib.sha256(b"lockflight log").digest()[:8], "big", signed=True)
    with _connected(engine, where) as connection:
        with _told(where, writing=True):
            connection.exec_driver_sql("SELECT pg_advisory_lock(%s)", (key,))
        try:
            yield connection
        finally:
            try:
                connection.exec_driver_sql("SELECT pg_advisory_unlock(%s)", (key,))
            except SQLAlchemyError:
                # The session is lost, and its lock with it; never hand it to the next caller.
                connection.invalidate()


@contextmanager
def _connected(engine: Engine, where: str) -> Iterator[Connection]:
    with _told(where, writing=True):
        connection = engine.connect()
    with connection:
        yield connection


@lru_cache(maxsize=32)
def _engine(url: str) -> Engine:
    """The pool of connections to an address."""
    try:
        import psycopg  # noqa: F401  # SQLAlchemy would say it in words that name no extra
    except ImportError as error:
        raise EnvironmentProblem(
            "LF5046",
            "The realm's log is in PostgreSQL, and the driver psycopg is not installed.",
            hint="pip install 'lockflight[postgres]'",
        ) from error
    parts = urlsplit(url)
    options = dict(parse_qsl(parts.query))
    options.setdefault("connect_timeout", str(_CONNECT_SECONDS))
    options.setdefault("application_name", "lockflight")
    options["options"] = " ".join(f"-c {name}={value}" for name, value in _SESSION.items())
    engine = create_engine(
        URL.create(
            "postgresql+psycopg",
            username=unquote(parts.username) if parts.username else None,
            password=unquote(parts.password) if parts.password else None,
            host=parts.hostname,
            port=parts.port,
            database=unquote(parts.path.removeprefix("/")),
            query=options,
        ),
        isolation_level="AUTOCOMMIT",
        pool_pre_ping=True,
        hide_parameters=True,
    )
    atexit.register(engine.dispose)
    return engine


def _busy(where: str) -> EnvironmentProblem:
    return EnvironmentProblem(
        "LF5031",
        f"Another process holds the log at {where} and does not let go, so it cannot be written.",
        hint="Run the command again. SELECT pid FROM pg_locks WHERE locktype = 'advisory' says who holds it.",
    )


@contextmanager
def _told(where: str, *, writing: bool = False) -> Iterator[None]:
    """Errors of the database in our words."""
    try:
        yield
    except SQLAlchemyError as error:
        raise _translated(error, where, writing=writing) from error


def _translated(error: SQLAlchemyError, where: str, *, writing: bool) -> LockflightError:
    cause = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    state = str(getattr(cause, "sqlstate", None) or "")
    why = (str(cause).strip().splitlines() or ["no reason given"])[0].rstrip(".")
    if state in {_LOCKED, _RACED, _DEADLOCK}:
        return _busy(where)
    if state in _NOT_OURS:
        return damaged(where, why)
    if state[:2] in _GONE or (isinstance(error, DBAPIError) and not state):
        return EnvironmentProblem(
            "LF5047",
            f"The database of the log at {where} cannot be reached: {why}.",
            hint=f"psql {where}",
        )
    if writing:
        return EnvironmentProblem(
            "LF5030", f"The log at {where} cannot be written: {why}.", hint=f"psql {where}"
        )
    return EnvironmentProblem("LF5036", f"The log at {where} cannot be read: {why}.", hint=f"psql {where}")
