"""Checking Merkle proofs: inclusion (RFC 9162 §2.1.3.2) and consistency (§2.1.4.2).

Degenerate sizes are errors: nothing is included in an empty tree, and a proof from it proves nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockflight.core.log.merkle import node_hash
from lockflight.errors import VerificationFailed

if TYPE_CHECKING:
    from collections.abc import Sequence

HASH_BYTES = 32
#: Sizes are below 2^63, so no honest proof is longer (C2SP tlog-witness allows at most 63 lines).
MAX_SIZE = 2**63
MAX_PROOF = 128


def verify_inclusion(leaf_hash: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> None:
    """Check that `leaf_hash` is leaf `index` of the tree of `size` leaves with that `root`.

    Hashes are of 32 bytes; `proof` starts with the nearest sibling.

    Raises:
        VerificationFailed: LF7200 the proof does not hold, LF7209 sizes or hashes for which there is no
            proof.
    """
    if not 0 <= index < size < MAX_SIZE:
        raise VerificationFailed("LF7209", f"There is no leaf {index} in a tree of {size} leaves.")
    _check_hashes(leaf_hash, root, *_bounded(proof))
    value, fn, sn = leaf_hash, index, size - 1
    for sibling in proof:
        if sn == 0:
            raise _no_inclusion(index, size, "its proof is too long")
        if fn & 1 or fn == sn:
            value = node_hash(sibling, value)
            while not fn & 1 and fn:
                fn >>= 1
                sn >>= 1
        else:
            value = node_hash(value, sibling)
        fn >>= 1
        sn >>= 1
    if sn != 0:
        raise _no_inclusion(index, size, "its proof is too short")
    if value != root:
        raise _no_inclusion(index, size, "its proof leads to another root")


def verify_consistency(old: int, new: int, proof: Sequence[bytes], old_root: bytes, new_root: bytes) -> None:
    """Check that the tree of `old` leaves is a prefix of the tree of `new` leaves.

    Equal sizes allow only the empty proof and equal roots.

    Raises:
        VerificationFailed: LF7201 the proof does not hold, LF7209 sizes or hashes for which there is no
            proof.
    """
    if not 0 < old <= new < MAX_SIZE:
        raise VerificationFailed("LF7209", f"There is no consistency proof from size {old} to size {new}.")
    if old == new:
        if proof or old_root != new_root:
            raise _not_consistent(old, new)
        return
    _check_hashes(old_root, new_root, *_bounded(proof))
    path = list(proof)
    if old & (old - 1) == 0:
        # A complete old tree is a node of the new one: its root is the first hash, left out of the proof.
        path.insert(0, old_root)
    if not path:
        raise _not_consistent(old, new)
    fn, sn = old - 1, new - 1
    while fn & 1:
        fn >>= 1
        sn >>= 1
    old_value = new_value = path[0]
    for sibling in path[1:]:
        if sn == 0:
            raise _not_consistent(old, new)
        if fn & 1 or fn == sn:
            old_value = node_hash(sibling, old_value)
            new_value = node_hash(sibling, new_value)
            while not fn & 1 and fn:
                fn >>= 1
                sn >>= 1
        else:
            new_value = node_hash(new_value, sibling)
        fn >>= 1
        sn >>= 1
    if sn != 0 or old_value != old_root or new_value != new_root:
        raise _not_consistent(old, new)


def _bounded(proof: Sequence[bytes]) -> Sequence[bytes]:
    if len(proof) > MAX_PROOF:
        raise VerificationFailed(
            "LF7209", f"A Merkle proof of {len(proof)} hashes is longer than any real one."
        )
    return proof


def _check_hashes(*hashes: bytes) -> None:
    if any(len(value) != HASH_BYTES for value in hashes):
        raise VerificationFailed(
            "LF7209", f"A Merkle proof holds a hash that is not {HASH_BYTES} bytes long."
        )


def _no_inclusion(index: int, size: int, why: str) -> VerificationFailed:
    return VerificationFailed(
        "LF7200",
        f"Entry {index} is not proven to be in the log of size {size}: {why}.",
        hint="Fetch the entry and its proof again; if it still fails, do not trust this log.",
    )


def _not_consistent(old: int, new: int) -> VerificationFailed:
    return VerificationFailed(
        "LF7201",
        f"The log of size {new} is not proven to continue the log of size {old}: its history may be "
        f"rewritten.",
        hint="Do not trust this log before its operator explains; compare checkpoints with another holder.",
    )
