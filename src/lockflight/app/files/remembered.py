"""What a home remembers of the files that it has hashed, as `hash_files` asks for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import lockflight
from lockflight.app.files.tensors import tensor_index
from lockflight.infra.hashing import HashedFile
from lockflight.store.hashcache import Found, HashCache

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path
    from typing import Self

    from lockflight.core.release.rows import RowIndex
    from lockflight.core.release.tensors import TensorIndex
    from lockflight.infra.files import FdSource


class Remembered:
    """A home's memory of one folder; see `store.hashcache` for when it is asked, and when it may answer.

    Args:
        cache: what is kept.
    """

    def __init__(self, cache: HashCache) -> None:
        self._cache = cache
        self._never: frozenset[str] = frozenset()
        self.recalled: dict[str, int] = {}
        self._rows: dict[str, RowIndex | str] = {}

    @classmethod
    def of(cls, home: Path, folder: Path) -> Self | None:
        """The memory for a folder; None where none would be sound."""
        cache = HashCache.open(home, folder, version=lockflight.__version__)
        return cls(cache) if cache is not None else None

    def begin(self, never: Iterable[str]) -> None:
        """A description starts; files of these names are read whatever is known of them."""
        self._never = frozenset(never)
        self.recalled = {}
        self._rows = {}

    def recall(self, source: FdSource) -> HashedFile[str] | None:
        """See `hashing.Memory`; `recalled` holds names and sizes of what was not read."""
        found = self._cache.recall(source) if source.name not in self._never else None
        if found is None:
            return None
        self.recalled[source.name] = source.size
        if found.rows is not None:
            self._rows[source.name] = found.rows
        tap = _Known(found.tensors) if found.tensors is not None else None
        return HashedFile(source, found.digests, found.media_type, tap)

    def settle(self, source: FdSource) -> bool:
        """See `hashing.Memory`."""
        return source.name not in self._never and self._cache.settle(source)

    def keep(self, file: HashedFile[str]) -> None:
        """See `hashing.Memory`."""
        self._cache.keep(file.source, Found(file.digests, file.seen, tensor_index(file)))

    def rows_of(self, name: str) -> RowIndex | str | None:
        """The rows of a file that was not read, or in words why they are unknown; None where it must be read."""
        return self._rows.get(name)

    def keep_rows(self, name: str, rows: RowIndex | str) -> None:
        """Keep what `rows_of` will be asked, where the file itself is kept."""
        self._cache.keep_rows(name, rows)

    def save(self) -> None:
        """The description is done."""
        self._cache.save()

    def forget(self) -> None:
        """Something in it did not hold."""
        self._cache.forget()


class _Known:
    """Stands where the tap of a read would be."""

    def __init__(self, index: TensorIndex) -> None:
        self._index = index

    def update(self, part: bytes | memoryview) -> None:
        """Nothing is read."""

    def index(self) -> TensorIndex:
        """As it was found."""
        return self._index
