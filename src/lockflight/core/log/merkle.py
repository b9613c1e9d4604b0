"""RFC 6962 Merkle trees: hashing, roots and proofs (making them; `core.verify.proofs` checks them)."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

#: Root of the tree without leaves (RFC 6962 §2.1).
EMPTY_ROOT = hashlib.sha256(b"").digest()


def leaf_hash(data: bytes) -> bytes:
    """SHA-256(0x00 || data), 32 bytes."""
    return hashlib.sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """SHA-256(0x01 || left || right), 32 bytes."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def root(leaf_hashes: Sequence[bytes]) -> bytes:
    """Root over leaf hashes in order; `EMPTY_ROOT` for none."""
    if not leaf_hashes:
        return EMPTY_ROOT
    stack: list[tuple[int, bytes]] = []
    for leaf in leaf_hashes:
        level, value = 0, leaf
        while stack and stack[-1][0] == level:
            value = node_hash(stack.pop()[1], value)
            level += 1
        stack.append((level, value))
    _, value = stack.pop()
    while stack:
        value = node_hash(stack.pop()[1], value)
    return value


class Accumulator:
    """`root` over leaves that come one after the other: it keeps the tree's unfinished edge only."""

    _BITS = 10

    def __init__(self) -> None:
        self._stack: list[tuple[int, bytes]] = []
        self._rest: list[bytes] = []
        self.size = 0

    def add(self, leaf_hashes: Sequence[bytes]) -> None:
        """The next leaf hashes, 32 bytes each."""
        self.size += len(leaf_hashes)
        self._rest += leaf_hashes
        block = 1 << self._BITS
        whole = len(self._rest) - len(self._rest) % block
        for start in range(0, whole, block):
            self._push(self._BITS, _complete(self._rest[start : start + block]))
        del self._rest[:whole]

    def root(self) -> bytes:
        """Root over all so far; `EMPTY_ROOT` for none."""
        if not self.size:
            return EMPTY_ROOT
        values = [value for _, value in self._stack]
        if self._rest:
            values.append(root(self._rest))
        result = values.pop()
        while values:
            result = node_hash(values.pop(), result)
        return result

    def _push(self, level: int, value: bytes) -> None:
        while self._stack and self._stack[-1][0] == level:
            value = node_hash(self._stack.pop()[1], value)
            level += 1
        self._stack.append((level, value))


def _complete(hashes: list[bytes]) -> bytes:
    """Root over as many leaves as a power of two."""
    sha = hashlib.sha256
    while len(hashes) > 1:
        pairs = iter(hashes)
        hashes = [sha(b"\x01" + left + right).digest() for left, right in zip(pairs, pairs, strict=True)]
    return hashes[0]


def range_root(read: Callable[[int, int], bytes], start: int, end: int) -> bytes:
    """Root over leaves `start` to `end` (exclusive) from stored complete subtrees.

    Args:
        read: returns the 32-byte hash of the complete subtree (level, index).
        start: first leaf; a multiple of the largest power of two that is at most `end - start`.
        end: one past the last leaf; greater than `start`.
    """
    size = end - start
    if size & (size - 1) == 0:
        level = size.bit_length() - 1
        return read(level, start >> level)
    split = 1 << ((size - 1).bit_length() - 1)
    return node_hash(range_root(read, start, start + split), range_root(read, start + split, end))


def inclusion_proof(
    read: Callable[[int, int], bytes],
    index: int,
    size: int,
    *,
    tail: Callable[[int, int], bytes] | None = None,
) -> list[bytes]:
    """Audit path of leaf `index` in the tree of `size` leaves, nearest sibling first (RFC 9162 §2.1.3).

    Args:
        read: returns the 32-byte hash of the complete subtree (level, index).
        index: the leaf.
        size: of the tree.
        tail: `range_root` with a memory, for whoever makes many proofs in one tree.

    Raises:
        ValueError: `index` is not below `size`.
    """
    if not 0 <= index < size:
        raise ValueError(f"leaf {index} is not in a tree of {size} leaves")
    proof: list[bytes] = []
    level, last = 0, size - 1
    while last:
        if index & 1:
            proof.append(read(level, index - 1))
        elif index + 1 < last or (index < last and size & ((1 << level) - 1) == 0):
            proof.append(read(level, index + 1))
        elif index < last:
            proof.append(tail(last << level, size) if tail else range_root(read, last << level, size))
        index, last, level = index >> 1, last >> 1, level + 1
    return proof


def consistency_proof(read: Callable[[int, int], bytes], old: int, new: int) -> list[bytes]:
    """Proof that the tree of `old` leaves is a prefix of the tree of `new` leaves (RFC 9162 §2.1.4).

    Raises:
        ValueError: unless 1 <= old <= new.
    """
    if not 1 <= old <= new:
        raise ValueError(f"no consistency proof from size {old} to {new}")

    def subproof(m: int, start: int, end: int, *, whole: bool) -> list[bytes]:
        if m == end - start:
            return [] if whole else [range_root(read, start, end)]
        split = 1 << ((end - start - 1).bit_length() - 1)
        if m <= split:
            return [
                *subproof(m, start, start + split, whole=whole),
                range_root(read, start + split, end),
            ]
        return [
            *subproof(m - split, start + split, end, whole=False),
            range_root(read, start, start + split),
        ]

    return [] if old == new else subproof(old, 0, new, whole=True)
