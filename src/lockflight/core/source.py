"""ByteSource: the only way in which pure code sees bytes.

A source has a size, a name for messages, and random access. Files, archive members and plain bytes look the same,
so a parser never learns a path and never reads a whole file by accident.
"""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from lockflight.core.records import dataclass


@runtime_checkable
class ByteSource(Protocol):
    """Random access to immutable bytes."""

    @property
    def name(self) -> str:
        """The asset's name, for messages and findings."""
        ...

    @property
    def size(self) -> int:
        """Length in bytes."""
        ...

    def read_at(self, offset: int, n: int) -> bytes:
        """At most `n` bytes from `offset`; fewer only at the end, empty past it.

        Raises:
            ValueError: `offset` or `n` is negative.
        """
        ...


@dataclass(frozen=True, slots=True)
class BytesSource:
    """A source over bytes in memory."""

    data: bytes
    name: str = "<bytes>"

    @property
    def size(self) -> int:
        """Length in bytes."""
        return len(self.data)

    def read_at(self, offset: int, n: int) -> bytes:
        """See `ByteSource.read_at`."""
        _check(offset, n)
        return self.data[offset : offset + n]


@dataclass(frozen=True, slots=True)
class Window:
    """A part of another source, such as a stored archive member."""

    parent: ByteSource
    start: int
    size: int
    name: str

    def read_at(self, offset: int, n: int) -> bytes:
        """See `ByteSource.read_at`; never reads outside the window."""
        _check(offset, n)
        return self.parent.read_at(self.start + offset, max(0, min(n, self.size - offset)))


def _check(offset: int, n: int) -> None:
    if offset < 0 or n < 0:
        raise ValueError("offset and length must not be negative")
