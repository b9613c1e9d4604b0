"""Files of proofs: what the specification shows is read, and nothing else is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockflight.core.log.merkle import inclusion_proof, leaf_hash, root
from lockflight.core.verify.log.note import checkpoint_text, format_note
from lockflight.core.verify.log.tlogproof import (
    HEADER,
    MAX_HASHES,
    MAX_PROOF_BYTES,
    TlogProof,
    check_included,
    read_proof,
)
from lockflight.errors import LockflightError, VerificationFailed
from tests.signed import mutate

LEAVES = [b"leaf %d" % i for i in range(13)]
HASHES = list(map(leaf_hash, LEAVES))
LINE = "\u2014 example.com/log AAAAAAAA\n"


def made(index=5, extra=b""):
    def read(level, place):
        return root(HASHES[place << level : (place + 1) << level])

    note = format_note(checkpoint_text("example.com/log", 13, root(HASHES)), [LINE])
    return TlogProof(index, tuple(inclusion_proof(read, index, 13)), note, extra)


GOOD = made(extra=b"something").encode()


def code_of(data):
    with pytest.raises(VerificationFailed) as caught:
        read_proof(data)
    return caught.value.code


@pytest.mark.parametrize("extra", [b"", b"\x00", b"x" * 65_535])
def test_what_is_written_is_read(extra):
    proof = made(extra=extra)
    assert read_proof(proof.encode()) == proof
    check_included(proof, LEAVES[5])


def test_the_form_is_that_of_the_specification():
    lines = GOOD.decode().split("\n")
    assert lines[0] == "c2sp.org/tlog-proof@v1"
    assert lines[1].startswith("extra ")
    assert lines[2] == "index 5"
    assert lines[2 + len(made().hashes) + 1] == ""
    assert lines[2 + len(made().hashes) + 2] == "example.com/log"


@pytest.mark.parametrize("index", range(13))
def test_only_its_own_leaf_is_proven(index):
    proof = read_proof(made(index).encode())
    check_included(proof, LEAVES[index])
    with pytest.raises(VerificationFailed):
        check_included(proof, LEAVES[index - 1])


@pytest.mark.parametrize(
    "change",
    [
        (HEADER, "c2sp.org/tlog-proof@v2"),
        (HEADER + "\n", ""),
        ("index 5", "index 05"),
        ("index 5", "index -5"),
        ("index 5", "index \u0665"),
        ("index 5\n", ""),
        ("index 5", "Index 5"),
        ("index 5", "index 5 "),
        ("index 5\n", "index 5\nindex 5\n"),
        ("extra ", "extra  "),
        ("extra c29tZXRoaW5n", "extra "),
        ("extra c29tZXRoaW5n", "extra c29tZXRoaW5n\nextra c29tZXRoaW5n"),
        ("extra c29tZXRoaW5n", "extra c29tZXRoaW5"),
        ("\n\n", "\n", 1),
        ("index 5\n", "index 5\nAAAA\n"),
        ("index 5\n", "index 5\r\n"),
    ],
)
def test_another_form_is_refused(change):
    assert code_of(GOOD.decode().replace(*change).encode()) in {"LF7218", "LF7202", "LF7203"}


def test_budgets():
    head = f"{HEADER}\nindex 0\n" + "A" * 43 + "=\n"
    assert code_of(head.encode() + b"A" * MAX_PROOF_BYTES) == "LF7218"
    many = f"{HEADER}\nindex 0\n" + ("A" * 43 + "=\n") * (MAX_HASHES + 1) + "\n" + made().checkpoint
    assert code_of(many.encode()) == "LF7218"
    assert code_of(GOOD + b"\xff") == "LF7218"


@given(st.data())
def test_changed_bytes_are_refused_or_prove_nothing_new(data):
    changed = mutate(GOOD, data.draw)
    try:
        proof = read_proof(changed)
        check_included(proof, LEAVES[5])
    except LockflightError:
        return
    assert proof.index == 5
    assert proof.hashes == made().hashes


@given(st.binary(max_size=400))
def test_any_bytes_are_refused(data):
    with pytest.raises(VerificationFailed):
        read_proof(data)
