"""What somebody does who can write the tables of a log, but holds no key."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing

from lockflight.store.log.address import read_address
from lockflight.store.log.tables import NAMESPACE, TRIGGERS


def tamper(home, *statements, folder="realm"):
    """Run SQL statements (text, or text and values) on the tables, past their triggers."""
    url = read_address(home / folder)
    with closing(_postgres(url) if url else _sqlite(home / folder)) as database:
        _unguarded(database, url)
        for statement in statements:
            text, *values = (statement,) if isinstance(statement, str) else statement
            assert database.execute(_spoken(text, url), values).rowcount, f"{text} changed nothing"
        if not url:
            for text in TRIGGERS.values():
                database.execute(text)


def rows(home, text, *values, folder="realm"):
    """What a query finds in the tables."""
    url = read_address(home / folder)
    with closing(_postgres(url) if url else _sqlite(home / folder)) as database:
        return database.execute(_spoken(text, url), values).fetchall()


def guards(home, folder="realm"):
    """Names of the triggers that are in force."""
    url = read_address(home / folder)
    if url:
        return {
            name
            for (name,) in rows(
                home, "SELECT tgname FROM pg_trigger WHERE NOT tgisinternal AND tgenabled = 'O'"
            )
        }
    return {name for (name,) in rows(home, "SELECT name FROM sqlite_schema WHERE type = 'trigger'")}


def act(home, text, folder="realm"):
    """Run one statement as the owner of the tables, their triggers in force."""
    url = read_address(home / folder)
    with closing(_postgres(url) if url else _sqlite(home / folder)) as database:
        database.execute(_spoken(text, url))


def _sqlite(folder):
    return sqlite3.connect(folder / "log.db", isolation_level=None)


def _postgres(url):
    import psycopg

    return psycopg.connect(url, autocommit=True, options=f"-c search_path={NAMESPACE}")


def _unguarded(database, url):
    if url:
        database.execute("SET session_replication_role = replica")
        return
    for name in TRIGGERS:
        database.execute(f"DROP TRIGGER IF EXISTS {name}")


def _spoken(text, url):
    """The dialect of SQLite, in that of the database."""
    if not url:
        return text
    return re.sub(r"x'([0-9a-f]*)'", r"'\\x\1'::bytea", text).replace("?", "%s")
