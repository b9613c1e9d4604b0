"""Making the derived tables of a log anew from its entries: `nodes` and `subjects`."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from sqlalchemy import delete, func, insert, select
from sqlalchemy.dialects.sqlite import dialect

from lockflight.core.dsse import decode
from lockflight.core.edge import Edge
from lockflight.core.merkle import leaf_hash
from lockflight.core.statement import parse
from lockflight.store.log_tables import TRIGGERS, nodes, subjects

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator

    from sqlalchemy import ClauseElement

    from lockflight.core.ports import LogEntry
    from lockflight.store.log_sqlite import SqliteStore

_PAGE = 512
_GUARD = "nodes_no_delete"


def _text(statement: ClauseElement) -> str:
    return str(statement.compile(dialect=dialect()))


_DERIVED: Final = {
    "nodes": _text(select(nodes).order_by(nodes.c.level, nodes.c.idx)),
    "subjects": _text(select(subjects).order_by(subjects.c.subject, subjects.c.type, subjects.c.idx)),
}
_COUNT: Final = {
    "nodes": _text(select(func.count()).select_from(nodes)),
    "subjects": _text(select(func.count()).select_from(subjects)),
}


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """What `rebuild` has made: numbers of rows, and whether any of them differs from what was there."""

    entries: int
    nodes: int
    subjects: int
    changed: bool


def rebuild(store: SqliteStore) -> Rebuilt:
    """Make the derived tables anew, in one transaction.

    Nothing here is believed because it was rebuilt: the next writer or verifier compares it with signed roots.

    Raises:
        VerificationFailed: LF7210 entries are missing, LF7101 to LF7130, LF7213 an envelope cannot be read.
        EnvironmentProblem: LF5030, LF5031 the log cannot be written.
    """
    edge = Edge()
    with store.exclusive(), store.transaction() as driver:
        before = snapshot(driver)
        driver.execute(f"DROP TRIGGER {_GUARD}")
        driver.execute(_text(delete(nodes)))
        driver.execute(_text(delete(subjects)))
        for page in _pages(store):
            fresh = [node for entry in page for node in edge.push(leaf_hash(entry.leaf))]
            driver.executemany(_text(insert(nodes)), sorted(fresh))
            driver.executemany(
                _text(insert(subjects)), [row for entry in page for row in _listed(store, entry)]
            )
        driver.execute(TRIGGERS[_GUARD])
        counts = {name: int(driver.execute(sql).fetchone()[0]) for name, sql in _COUNT.items()}
        changed = snapshot(driver) != before
    store.reader.forget()
    return Rebuilt(edge.size, counts["nodes"], counts["subjects"], changed)


def snapshot(driver: sqlite3.Connection) -> dict[str, str]:
    """Hex SHA-256 over all rows of each derived table, in key order."""
    found = {}
    for name, sql in _DERIVED.items():
        digest = hashlib.sha256()
        for row in driver.execute(sql):
            digest.update(f"{row!r}\n".encode())
        found[name] = digest.hexdigest()
    return found


def _pages(store: SqliteStore) -> Iterator[list[LogEntry]]:
    page: list[LogEntry] = []
    for source in (store.reader.entries(), store.reader.pending()):
        for entry in source:
            page.append(entry)
            if len(page) == _PAGE:
                yield page
                page = []
    yield page


def _listed(store: SqliteStore, entry: LogEntry) -> list[tuple[bytes, str, int]]:
    body = store.reader.envelope(entry.envelope)
    if body is None:
        return []
    statement = parse(decode(body).payload)
    found = dict.fromkeys(bytes.fromhex(subject.sha256) for subject in statement.subjects)
    return [(subject, statement.predicate_type, entry.index) for subject in found]
