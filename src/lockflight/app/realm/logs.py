"""Opening the log of a realm's folder: the one place where the log meets its store.

The log is in the folder itself, or in the database whose address the folder holds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockflight.store.log.address import read_address
from lockflight.store.log.readonly import SqliteReader

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from lockflight.core.ports import Pins, Signer
    from lockflight.log.writer import LogWriter
    from lockflight.store.log.postgres import PostgresStore
    from lockflight.store.log.reader import RowReader
    from lockflight.store.log.sqlite import SqliteStore


def open_reader(folder: Path) -> RowReader:
    """Open a log for reading; the caller closes it.

    Args:
        folder: the realm's folder, which holds `log.db` or `store.toml`.

    Raises:
        NotFound: LF5035 there is no log.
        EnvironmentProblem: LF5034 written by another version, LF5036 it cannot be read, LF5046 to LF5048 the database
            that holds it cannot be used.
        VerificationFailed: LF7210 it is damaged.
    """
    url = read_address(folder)
    if not url:
        return SqliteReader(folder)
    from lockflight.store.log.postgres import PostgresReader

    return PostgresReader(url)


def open_store(folder: Path, origin: str) -> SqliteStore | PostgresStore:
    """Open the tables of a log for writing; absent ones are made, empty. The caller closes them.

    Args:
        folder: the realm's folder.
        origin: name of the log.

    Raises:
        EnvironmentProblem, VerificationFailed: as `open_log`.
    """
    # SQLAlchemy is loaded only where the tables of a log are made, or lie in a database server.
    url = read_address(folder)
    if url:
        from lockflight.store.log import postgres as log_postgres

        return log_postgres.open_store(url, origin)
    from lockflight.store.log import sqlite as log_sqlite

    return log_sqlite.open_store(folder, origin)


def open_log(
    folder: Path,
    *,
    origin: str,
    log_signer: Signer,
    clock_signer: Signer,
    clock: Callable[[], int],
    pins: Pins | None,
) -> LogWriter:
    """Open a log for writing and finish what a crash left unfinished; an absent one is made. The caller closes it.

    Args:
        folder: the realm's folder; made as needed.
        origin: name of the log, one word.
        log_signer: Ed25519 key that signs checkpoints.
        clock_signer: Ed25519 key that cosigns them with the time; never the log's.
        clock: Unix seconds.
        pins: what this machine has seen of each log; None for a log that nobody has seen yet.

    Raises:
        EnvironmentProblem: LF5030 to LF5032, LF5034, LF5037, LF5039, LF5046 to LF5048.
        VerificationFailed: LF7202 to LF7207, LF7210, LF7220 to LF7222.
    """
    from lockflight.log.writer import LogWriter

    store = open_store(folder, origin)
    try:
        return LogWriter(
            store, origin=origin, log_signer=log_signer, clock_signer=clock_signer, clock=clock, pins=pins
        )
    except BaseException:
        store.close()
        raise
