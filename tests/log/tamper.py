"""What somebody does who can write the files of a log, but holds no key."""

from __future__ import annotations

import sqlite3

from lockflight.store.log_tables import TRIGGERS


def tamper(home, *statements, folder="realm"):
    """Run SQL statements (text, or text and values) on the database, past its triggers."""
    database = sqlite3.connect(home / folder / "log.db", isolation_level=None)
    for name in TRIGGERS:
        database.execute(f"DROP TRIGGER IF EXISTS {name}")
    for statement in statements:
        text, *values = (statement,) if isinstance(statement, str) else statement
        assert database.execute(text, values).rowcount, f"{text} changed nothing"
    for text in TRIGGERS.values():
        database.execute(text)
    database.close()


def rows(home, text, *values, folder="realm"):
    """What a query finds in the database."""
    database = sqlite3.connect(home / folder / "log.db")
    found = database.execute(text, values).fetchall()
    database.close()
    return found
