"""Merkle proofs: the vectors of transparency-dev/merkle, and that every change of a proof is refused."""

from __future__ import annotations

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockflight.core.log.merkle import EMPTY_ROOT, consistency_proof, inclusion_proof, leaf_hash, root
from lockflight.core.verify.log.proofs import MAX_PROOF, verify_consistency, verify_inclusion
from lockflight.errors import VerificationFailed

HASHES = [leaf_hash(bytes([i])) for i in range(40)]


def read(level, index):
    return root(HASHES[index << level : (index + 1) << level])


def accepted(call, *args):
    # Another code would count as accepted, and so fail the test.
    try:
        call(*args)
    except VerificationFailed as error:
        return error.code not in {"LF7200", "LF7201", "LF7209"}
    return True


def raw(text):
    return base64.b64decode(text or "")


def vectors(shared_data, kind):
    files = sorted((shared_data / "data" / "merkle" / "testdata" / kind).rglob("*.json"))
    assert len(files) == 98
    return [(file, json.loads(file.read_text(encoding="utf-8"))) for file in files]


def test_inclusion_vectors_are_judged_as_published(shared_data):
    wrong = []
    for file, case in vectors(shared_data, "inclusion"):
        proof = [raw(h) for h in case["proof"] or []]
        verdict = accepted(
            verify_inclusion,
            raw(case["leafHash"]),
            case["leafIdx"],
            case["treeSize"],
            proof,
            raw(case["root"]),
        )
        if verdict is case["wantErr"]:
            wrong.append(file.name)
    assert not wrong


def test_consistency_vectors_are_judged_as_published(shared_data):
    wrong = []
    for file, case in vectors(shared_data, "consistency"):
        proof = [raw(h) for h in case["proof"] or []]
        verdict = accepted(
            verify_consistency, case["size1"], case["size2"], proof, raw(case["root1"]), raw(case["root2"])
        )
        if verdict is case["wantErr"]:
            wrong.append(file.name)
    assert not wrong


def change(hashes, data):
    """Another list of hashes."""
    kind = data.draw(st.sampled_from(["flip", "drop", "add", "swap"]))
    hashes = list(hashes)
    if kind == "add" or not hashes:
        hashes.insert(data.draw(st.integers(0, len(hashes))), data.draw(st.binary(min_size=32, max_size=32)))
    elif kind == "drop":
        del hashes[data.draw(st.integers(0, len(hashes) - 1))]
    elif kind == "flip":
        at, byte, bit = (data.draw(st.integers(0, n)) for n in (len(hashes) - 1, 31, 7))
        value = bytearray(hashes[at])
        value[byte] ^= 1 << bit
        hashes[at] = bytes(value)
    else:
        hashes.reverse()
    return hashes


@given(st.integers(1, 40), st.data())
def test_a_changed_inclusion_proof_is_refused(size, data):
    index = data.draw(st.integers(0, size - 1))
    proof = inclusion_proof(read, index, size)
    top = root(HASHES[:size])
    changed = change(proof, data)
    if changed != proof:
        assert not accepted(verify_inclusion, HASHES[index], index, size, changed, top)
    other = data.draw(st.integers(0, size - 1))
    if other != index:
        assert not accepted(verify_inclusion, HASHES[index], other, size, proof, top)
    assert not accepted(verify_inclusion, HASHES[index], index, size, proof, HASHES[0][::-1])


@given(st.integers(1, 40), st.data())
def test_a_changed_consistency_proof_is_refused(new, data):
    old = data.draw(st.integers(1, new))
    proof = consistency_proof(read, old, new)
    before, after = root(HASHES[:old]), root(HASHES[:new])
    changed = change(proof, data)
    if changed != proof:
        assert not accepted(verify_consistency, old, new, changed, before, after)
    assert not accepted(verify_consistency, old, new, proof, before[::-1], after)
    assert not accepted(verify_consistency, old, new, proof, before, after[::-1])


@given(st.integers(2, 40), st.data())
def test_a_rewritten_history_is_refused(new, data):
    old = data.draw(st.integers(1, new - 1))
    rewritten = [leaf_hash(b"other"), *HASHES[1:old]]
    proof = consistency_proof(read, old, new)
    assert not accepted(verify_consistency, old, new, proof, root(rewritten), root(HASHES[:new]))


@pytest.mark.parametrize(("index", "size"), [(0, 0), (1, 1), (-1, 1), (0, -1), (0, 2**63), (2**63, 2**64)])
def test_degenerate_sizes_are_errors_for_inclusion(index, size):
    with pytest.raises(VerificationFailed) as caught:
        verify_inclusion(HASHES[0], index, size, [], HASHES[0])
    assert caught.value.code == "LF7209"


@pytest.mark.parametrize(("old", "new"), [(0, 0), (0, 1), (2, 1), (-1, 1), (1, 2**63)])
def test_degenerate_sizes_are_errors_for_consistency(old, new):
    with pytest.raises(VerificationFailed) as caught:
        verify_consistency(old, new, [], EMPTY_ROOT, EMPTY_ROOT)
    assert caught.value.code == "LF7209"


def test_hashes_of_another_length_are_errors():
    good = inclusion_proof(read, 0, 2)
    for leaf, proof, top in (
        (b"x", good, root(HASHES[:2])),
        (HASHES[0], [b"x"], root(HASHES[:2])),
        (HASHES[0], good, b"x"),
    ):
        with pytest.raises(VerificationFailed) as caught:
            verify_inclusion(leaf, 0, 2, proof, top)
        assert caught.value.code == "LF7209"


def test_a_proof_longer_than_any_is_refused_before_it_is_hashed():
    proof = [HASHES[0]] * (MAX_PROOF + 1)
    with pytest.raises(VerificationFailed) as caught:
        verify_inclusion(HASHES[0], 0, 2, proof, HASHES[0])
    assert caught.value.code == "LF7209"
    with pytest.raises(VerificationFailed) as caught:
        verify_consistency(1, 2, proof, HASHES[0], HASHES[0])
    assert caught.value.code == "LF7209"


def test_an_empty_proof_from_no_power_of_two_is_refused():
    with pytest.raises(VerificationFailed) as caught:
        verify_consistency(3, 5, [], root(HASHES[:3]), root(HASHES[:5]))
    assert caught.value.code == "LF7201"
