"""Merkle trees after RFC 6962: the recursive definition of the standard is the yardstick."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockflight.core.log.merkle import (
    EMPTY_ROOT,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    node_hash,
    range_root,
    root,
)
from lockflight.core.verify.log.proofs import verify_consistency, verify_inclusion

sizes = st.integers(1, 70)


def leaves(n):
    return [leaf_hash(bytes([i])) for i in range(n)]


def by_definition(hashes):
    """MTH of RFC 6962 §2.1."""
    if not hashes:
        return hashlib.sha256(b"").digest()
    if len(hashes) == 1:
        return hashes[0]
    k = 1
    while k * 2 < len(hashes):
        k *= 2
    return node_hash(by_definition(hashes[:k]), by_definition(hashes[k:]))


def reader(hashes):
    def read(level, index):
        part = hashes[index << level : (index + 1) << level]
        assert len(part) == 1 << level, "only complete subtrees are stored"
        return by_definition(part)

    return read


def test_the_hashes_are_those_of_the_standard():
    # RFC 6962 §2.1; the empty root and the leaf of the empty string are published in the CT test vectors.
    assert EMPTY_ROOT.hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert leaf_hash(b"").hex() == "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"
    assert node_hash(b"a", b"b") == hashlib.sha256(b"\x01ab").digest()
    assert root([]) == EMPTY_ROOT


@given(sizes)
def test_the_root_follows_the_definition(n):
    assert root(leaves(n)) == by_definition(leaves(n))
    assert range_root(reader(leaves(n)), 0, n) == by_definition(leaves(n))


@given(sizes, st.data())
def test_every_inclusion_proof_verifies(n, data):
    index = data.draw(st.integers(0, n - 1))
    hashes = leaves(n)
    proof = inclusion_proof(reader(hashes), index, n)
    verify_inclusion(hashes[index], index, n, proof, root(hashes))


@given(sizes, st.data())
def test_every_consistency_proof_verifies(n, data):
    old = data.draw(st.integers(1, n))
    hashes = leaves(n)
    proof = consistency_proof(reader(hashes), old, n)
    verify_consistency(old, n, proof, root(hashes[:old]), root(hashes))


@pytest.mark.parametrize(("index", "size"), [(0, 0), (1, 1), (-1, 3)])
def test_no_inclusion_proof_of_what_is_not_there(index, size):
    with pytest.raises(ValueError):
        inclusion_proof(reader(leaves(4)), index, size)


@pytest.mark.parametrize(("old", "new"), [(0, 0), (0, 3), (4, 3)])
def test_no_consistency_proof_of_degenerate_sizes(old, new):
    with pytest.raises(ValueError):
        consistency_proof(reader(leaves(4)), old, new)
