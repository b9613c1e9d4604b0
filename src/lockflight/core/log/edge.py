"""The right edge of a growing Merkle tree: all that is needed to add leaves and to know the root (RFC 6962)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockflight.core.log.merkle import EMPTY_ROOT, node_hash

if TYPE_CHECKING:
    from collections.abc import Callable


class Edge:
    """The roots of the complete subtrees of a tree of `size` leaves, largest first.

    Their levels are the bits that are set in `size`. An edge changes only by `push`.
    """

    __slots__ = ("_roots", "size")

    def __init__(self) -> None:
        self.size = 0
        self._roots: list[bytes] = []

    def __eq__(self, other: object) -> bool:
        """Whether both have the same subtrees."""
        return isinstance(other, Edge) and (self.size, self._roots) == (other.size, other._roots)

    __hash__ = None  # type: ignore[assignment]  # it grows

    @classmethod
    def load(cls, read: Callable[[int, int], bytes], size: int) -> Edge:
        """The edge of a stored tree; `read` returns the hash of the complete subtree (level, index)."""
        edge = cls()
        start = 0
        for level in reversed(range(size.bit_length())):
            if size >> level & 1:
                edge._roots.append(read(level, start >> level))
                start += 1 << level
        edge.size = size
        return edge

    def copy(self) -> Edge:
        """Another edge with the same leaves."""
        edge = Edge()
        edge.size = self.size
        edge._roots = self._roots.copy()
        return edge

    def push(self, leaf_hash: bytes) -> list[tuple[int, int, bytes]]:
        """Add a leaf by its hash.

        Returns:
            (level, index, hash) of each subtree that it completes, lowest first; the leaf itself is level 0.
        """
        level, index, value = 0, self.size, leaf_hash
        done = [(level, index, value)]
        while index & 1:
            value = node_hash(self._roots.pop(), value)
            level += 1
            index >>= 1
            done.append((level, index, value))
        self._roots.append(value)
        self.size += 1
        return done

    def root(self) -> bytes:
        """Root of the tree, 32 bytes."""
        if not self._roots:
            return EMPTY_ROOT
        value = self._roots[-1]
        for left in reversed(self._roots[:-1]):
            value = node_hash(left, value)
        return value
