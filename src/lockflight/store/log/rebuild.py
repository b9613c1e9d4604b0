"""Making the derived tables of a log anew from its entries: `nodes` and `subjects`."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final, Protocol, TypeVar

from sqlalchemy import delete, func, insert, select

from lockflight.core.attest.dsse import decode
from lockflight.core.attest.statement import parse
from lockflight.core.log.edge import Edge
from lockflight.core.log.merkle import leaf_hash
from lockflight.core.records import dataclass
from lockflight.store.log.tables import nodes, subjects

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

    from sqlalchemy import ClauseElement

    from lockflight.core.ports import LogEntry
    from lockflight.store.log.reader import RowReader

W = TypeVar("W")


class Derivable(Protocol[W]):
    """What a store of tables offers beyond `LogStore`; W is its kind of transaction."""

    reader: RowReader

    def exclusive(self) -> AbstractContextManager[None]:
        """See `LogStore.exclusive`."""
        ...

    def transaction(self) -> AbstractContextManager[W]:
        """A write transaction, durable when it ends; undone by any exception."""
        ...

    def execute(
        self, work: W, statement: ClauseElement, rows: Sequence[Mapping[str, object]] = (), /
    ) -> list[tuple[object, ...]]:
        """Run a statement inside a transaction, once or for each of `rows`; what a query finds."""
        ...

    def unguarded(self, work: W, /) -> AbstractContextManager[None]:
        """Inside a transaction: let the derived tables be emptied."""
        ...


_PAGE = 512
_DERIVED: Final = {"nodes": nodes, "subjects": subjects}


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """What `rebuild` has made: numbers of rows, and whether any of them differs from what was there."""

    entries: int
    nodes: int
    subjects: int
    changed: bool


def rebuild(store: Derivable[W]) -> Rebuilt:
    """Make the derived tables anew, in one transaction.

    Nothing here is believed because it was rebuilt: the next writer or verifier compares it with signed roots.

    Raises:
        VerificationFailed: LF7210 entries are missing, LF7101 to LF7130, LF7213 an envelope cannot be read.
        EnvironmentProblem: LF5030, LF5031 the log cannot be written.
    """
    edge = Edge()
    with store.exclusive(), store.transaction() as work:
        before = snapshot(store, work)
        with store.unguarded(work):
            for table in _DERIVED.values():
                store.execute(work, delete(table))
        for page in _pages(store):
            fresh = sorted(node for entry in page for node in edge.push(leaf_hash(entry.leaf)))
            for table, rows in (
                (nodes, fresh),
                (subjects, [row for entry in page for row in _listed(store, entry)]),
            ):
                names = table.columns.keys()
                named = [dict(zip(names, row, strict=True)) for row in rows]
                if named:
                    store.execute(work, insert(table), named)
        counts = {
            name: store.execute(work, select(func.count()).select_from(table))[0][0]
            for name, table in _DERIVED.items()
        }
        changed = snapshot(store, work) != before
    store.reader.forget()
    return Rebuilt(edge.size, int(str(counts["nodes"])), int(str(counts["subjects"])), changed)


def snapshot(store: Derivable[W], work: W) -> dict[str, str]:
    """Hex SHA-256 over all rows of each derived table, in key order, inside a transaction of the store."""
    found = {}
    for name, table in _DERIVED.items():
        digest = hashlib.sha256()
        for row in store.execute(work, select(table).order_by(*table.primary_key)):
            digest.update(f"{row!r}\n".encode())
        found[name] = digest.hexdigest()
    return found


def _pages(store: Derivable[W]) -> Iterator[list[LogEntry]]:
    page: list[LogEntry] = []
    for source in (store.reader.entries(), store.reader.pending()):
        for entry in source:
            page.append(entry)
            if len(page) == _PAGE:
                yield page
                page = []
    yield page


def _listed(store: Derivable[W], entry: LogEntry) -> list[tuple[bytes, str, int]]:
    body = store.reader.envelope(entry.envelope)
    if body is None:
        return []
    statement = parse(decode(body).payload)
    found = dict.fromkeys(bytes.fromhex(subject.sha256) for subject in statement.subjects)
    return [(subject, statement.predicate_type, entry.index) for subject in found]
