"""Strict Ed25519: the edge cases of C2SP/CCTV, and that every path of the product goes through it."""

from __future__ import annotations

import json

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from lockflight.core.attest.dsse import Envelope
from lockflight.core.verify.crypto import ed25519
from lockflight.core.verify.crypto.keys import ED25519, PublicKey, from_ed25519
from lockflight.core.verify.log import note
from lockflight.errors import VerificationFailed
from tests.signed import signer

REFUSED = {"low_order_A", "low_order_R", "non_canonical_A", "non_canonical_R", "low_order_residue"}
ORDER = 2**252 + 27742317777372353535851937790883648493


@pytest.fixture(scope="module")
def cases(shared_data):
    raw = json.loads((shared_data / "data" / "ed25519" / "ed25519vectors.json").read_text(encoding="utf-8"))
    assert len(raw) == 914
    return [
        (
            case["number"],
            bytes.fromhex(case["key"]),
            bytes.fromhex(case["sig"]),
            case["msg"].encode(),
            not REFUSED & set(case["flags"] or []),
        )
        for case in raw
    ]


def test_the_vectors_are_judged_as_their_flags_say(cases):
    wrong = [n for n, key, sig, msg, good in cases if ed25519.verify(key, sig, msg) is not good]
    assert not wrong
    assert sum(good for *_, good in cases) == 43


def test_public_keys_judge_them_the_same(cases):
    def verdict(key, sig, msg):
        # Another code would count as accepted, and so fail the test.
        try:
            return from_ed25519(key).verify(msg, sig)
        except VerificationFailed as error:
            return error.code != "LF7003"

    wrong = [n for n, key, sig, msg, good in cases if verdict(key, sig, msg) is not good]
    assert not wrong


def test_a_public_key_that_was_not_loaded_is_judged_the_same(cases):
    head = signer(ED25519).public_der[:12]
    wrong = [
        n
        for n, key, sig, msg, good in cases
        if PublicKey(head + key, "", ED25519).verify(msg, sig) is not good
    ]
    assert not wrong


def test_notes_judge_them_the_same(cases):
    def verdict(key, sig, msg):
        known = note.NoteKey("k", note.KIND_ED25519, key)
        parsed = note.Note(msg.decode(), (note.NoteSignature("k", known.keyid, sig),))
        try:
            return note.check_signature(parsed, known) == 0
        except VerificationFailed as error:
            return error.code != "LF7206"

    assert not [n for n, key, sig, msg, good in cases if verdict(key, sig, msg) is not good]


def test_cosignatures_and_envelopes_pass_the_message_through(cases, monkeypatch):
    """Their messages have a fixed head, so no vector fits; what they hand on is watched."""
    seen = []
    monkeypatch.setattr(ed25519, "verify", lambda *given: seen.append(given) is None)
    _, key, sig, _, _ = cases[0]
    known = note.NoteKey("k", note.KIND_COSIGNATURE, key)
    line = note.NoteSignature("k", known.keyid, note.timestamped(7, sig))
    assert note.check_signature(note.Note("text\n", (line,)), known) == 7
    envelope = Envelope(b"{}", sig)
    assert PublicKey(bytes(12) + key, "", ED25519).verify(envelope.signed_bytes, sig)
    assert seen == [
        (key, sig, b"cosignature/v1\ntime 7\ntext\n"),
        (key, sig, b"DSSEv1 28 application/vnd.in-toto+json 2 {}"),
    ]


@given(st.binary(max_size=50))
def test_what_is_signed_verifies_and_nothing_else_does(message):
    key = signer(ED25519)
    public, signature = key.public_key.raw, key.sign(message)
    assert ed25519.verify(public, signature, message)
    assert not ed25519.verify(public, signature, message + b"x")
    assert not ed25519.verify(signer(ED25519, 1).public_key.raw, signature, message)


@given(st.integers(0, 511))
def test_every_bit_of_the_signature_counts(bit):
    key = signer(ED25519)
    signature = bytearray(key.sign(b"m"))
    signature[bit // 8] ^= 1 << (bit % 8)
    assert not ed25519.verify(key.public_key.raw, bytes(signature), b"m")


def test_a_scalar_outside_the_order_is_refused():
    key = signer(ED25519)
    signature = key.sign(b"m")
    scalar = int.from_bytes(signature[32:], "little") + ORDER
    assert not ed25519.verify(key.public_key.raw, signature[:32] + scalar.to_bytes(32, "little"), b"m")


@pytest.mark.parametrize(("public", "signature"), [(31, 64), (33, 64), (32, 63), (32, 65), (0, 0)])
def test_wrong_lengths_are_refused(public, signature):
    assert not ed25519.verify(b"\x05" * public, b"\x05" * signature, b"")


def test_a_point_off_the_curve_verifies_nothing():
    # y = 2 has no x on the curve.
    public = (2).to_bytes(32, "little")
    assert ed25519.sound_point(public)
    assert not ed25519.verify(public, Ed25519PrivateKey.generate().sign(b"m"), b"m")
