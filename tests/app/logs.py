"""What an attacker with write access to a realm's folder could do to its database."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def truncate(folder: Path, *, keep: int) -> None:
    """Cut a log's database down to its first entries and the checkpoint over just them."""
    database = sqlite3.connect(folder / "log.db")
    for trigger in [r[0] for r in database.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'")]:
        database.execute(f'DROP TRIGGER "{trigger}"')
    database.execute("DELETE FROM entries WHERE idx >= ?", (keep,))
    database.execute("DELETE FROM checkpoints WHERE size > ?", (keep,))
    database.commit()
    database.close()
