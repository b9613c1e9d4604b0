"""Which rows of a table changed, by the digests that the release signs, and by counting where both are at hand."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from lockflight.app.files.rows import collect
from lockflight.core.records import dataclass
from lockflight.core.release.rows import record_hash

if TYPE_CHECKING:
    from lockflight.app.files.rows import Table
    from lockflight.core.canonical import JsonObject
    from lockflight.core.release.release import Asset
    from lockflight.core.source import ByteSource

#: Rows of either table up to which they are counted: each takes a hundred bytes of memory.
MAX_COUNTED: Final = 200_000


@dataclass(frozen=True, slots=True)
class RowDelta:
    """How the inside of a table changed.

    Attributes:
        asset: name of the file.
        old: number of rows before.
        new: number of rows after.
        same_set: they are the same rows in another order, or written in another way.
        columns: whether the columns changed.
        added: rows that the older table does not hold, equal ones counted; None where that was not counted.
        removed: rows that the newer table does not hold.
    """

    asset: str
    old: int
    new: int
    same_set: bool
    columns: bool
    added: int | None
    removed: int | None

    def to_json(self) -> JsonObject:
        """As replies tell it."""
        return {
            "asset": self.asset,
            "from": self.old,
            "to": self.new,
            "same_set": self.same_set,
            "columns": self.columns,
            "added": self.added,
            "removed": self.removed,
        }


def row_delta(
    old: Asset, new: Asset, before: ByteSource | None = None, after: ByteSource | None = None
) -> RowDelta:
    """Compare two states of a table whose rows are known.

    Args:
        old: as the older release says.
        new: as the newer one says.
        before: the older bytes, where at hand.
        after: the newer bytes.

    Raises:
        ValueError: the rows of one are not known.
        InvalidInput: as `rows.row_index`.
    """
    one, other = old.rows, new.rows
    if one is None or other is None:
        raise ValueError(f"the rows of {new.name} are not known")
    same = one.unordered == other.unordered
    added = removed = 0 if same else None
    few = max(one.head.rows, other.head.rows) <= MAX_COUNTED
    if not same and few and before is not None and after is not None:
        mine, theirs = _counted(before, old.name), _counted(after, new.name)
        added, removed = (theirs - mine).total(), (mine - theirs).total()
    columns = (one.head.columns, one.head.types) != (other.head.columns, other.head.types)
    return RowDelta(new.name, one.head.rows, other.head.rows, same, columns, added, removed)


def _counted(source: ByteSource, name: str) -> Counter[bytes]:
    counter = _Counter()
    collect(source, name=name, find=counter)
    return counter.rows


class _Counter:
    def __init__(self) -> None:
        self.rows: Counter[bytes] = Counter()

    def look(self, table: Table, first: int, batch: list[bytes]) -> None:
        """See `rows.Finder`."""
        del first
        self.rows.update(record_hash(table.form, row) for row in batch)
