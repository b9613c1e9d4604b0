"""Open descriptors of a job's assets, for check processes: those that were hashed, or the same file opened again."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from lockflight.infra.files import FdSource, ReopenedSource

if TYPE_CHECKING:
    from lockflight.core.source import ByteSource

_CHUNK = 1024 * 1024


class Descriptors(Mapping[str, int]):
    """Asset name to an open descriptor, opened when it is first asked for; `close` gives back what was opened here.

    Args:
        sources: asset name to its bytes, as `Described.sources`.
        names: the assets that the job may see.
    """

    def __init__(self, sources: Mapping[str, ByteSource], names: list[str]) -> None:
        self._sources = sources
        self._names = names
        self._opened: dict[str, int] = {}
        self._again: list[FdSource] = []

    def __getitem__(self, name: str) -> int:
        if name not in self._names:
            raise KeyError(name)
        source = self._sources[name]
        if isinstance(source, FdSource):
            return source.fileno()
        if name not in self._opened:
            if isinstance(source, ReopenedSource):
                again = source.reopen()
                self._again.append(again)
                self._opened[name] = again.fileno()
            else:
                self._opened[name] = _in_memory(source)
        return self._opened[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def close(self) -> None:
        """Give back what was opened here; descriptors of the description itself stay open."""
        again = {source.fileno() for source in self._again}
        for source in self._again:
            source.close()
        for fd in self._opened.values():
            if fd not in again:
                os.close(fd)
        self._again.clear()
        self._opened.clear()


def _in_memory(source: ByteSource) -> int:
    """A descriptor over bytes that are in no file, such as a guessed manifest."""
    fd = os.memfd_create("lockflight", os.MFD_CLOEXEC)
    offset = 0
    while offset < source.size:
        offset += os.write(fd, source.read_at(offset, _CHUNK))
    return fd
