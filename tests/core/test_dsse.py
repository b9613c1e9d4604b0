"""DSSE envelopes: one signature, one encoding."""

from __future__ import annotations

import base64
import hashlib
import json

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from lockflight.core.attest.dsse import Envelope, b64, decode, from_json, pae
from lockflight.core.verify.crypto.keys import load_der
from lockflight.errors import VerificationFailed
from tests.signed import vectors


def test_the_published_vector_verifies():
    vector = vectors("dsse.json")
    message = pae(vector["payload_type"], vector["payload"].encode())
    assert message == vector["pae"].encode()
    numbers = ec.EllipticCurvePublicNumbers(int(vector["key"]["x"]), int(vector["key"]["y"]), ec.SECP256R1())
    key = load_der(numbers.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))
    raw = base64.b64decode(vector["signature_r_s"])
    signature = encode_dss_signature(int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big"))
    assert key.verify(message, signature)
    assert not key.verify(message + b"!", signature)


def test_lengths_are_of_bytes_not_characters():
    assert pae("é", "ü".encode()) == b"DSSEv1 2 \xc3\xa9 2 \xc3\xbc"


@given(st.text(max_size=9), st.binary(max_size=9), st.text(max_size=9), st.binary(max_size=9))
def test_two_messages_never_share_their_encoding(kind, body, other_kind, other_body):
    same = (kind, body) == (other_kind, other_body)
    assert (pae(kind, body) == pae(other_kind, other_body)) == same


@given(st.binary(max_size=60), st.binary(max_size=60), st.text(st.characters(codec="ascii"), max_size=10))
def test_an_envelope_survives_the_trip(payload, signature, keyid):
    envelope = Envelope(payload, signature, keyid)
    data = envelope.encode()
    assert decode(data) == envelope
    assert envelope.digest == hashlib.sha256(data).hexdigest()
    assert envelope.signed_bytes == pae("application/vnd.in-toto+json", payload)
    assert decode(json.dumps(json.loads(data), indent=1).encode(), canonical=False) == envelope


def test_an_envelope_has_one_encoding():
    data = Envelope(b"x", b"y", "k").encode()
    with pytest.raises(VerificationFailed) as caught:
        decode(data + b"\n", what="letter")
    assert caught.value.code == "LF7122"
    assert "letter" in caught.value.message


GOOD = {
    "payload": "eA==",
    "payloadType": "application/vnd.in-toto+json",
    "signatures": [{"sig": "eQ==", "keyid": "k"}],
}


def test_the_good_one_is_read():
    assert from_json(GOOD) == Envelope(b"x", b"y", "k")
    assert from_json({**GOOD, "signatures": [{"sig": "eQ=="}]}) == Envelope(b"x", b"y")


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"payloadType": "text/plain"}, "LF7120"),
        ({"payloadType": None}, "LF7120"),
        ({"payload": None}, "LF7120"),
        ({"payload": "eA"}, "LF7120"),
        ({"payload": "e A=="}, "LF7120"),
        ({"payload": "eB=="}, "LF7120"),
        ({"payload": "-_=="}, "LF7120"),
        ({"payload": "é"}, "LF7120"),
        ({"signatures": None}, "LF7120"),
        ({"signatures": [None]}, "LF7120"),
        ({"signatures": [{"keyid": "k"}]}, "LF7120"),
        ({"signatures": [{"sig": "eQ==", "keyid": 1}]}, "LF7120"),
        ({"signatures": [{"sig": "eQ==", "extra": 1}]}, "LF7120"),
        ({"signatures": []}, "LF7121"),
        ({"signatures": [{"sig": "eQ=="}, {"sig": "eQ=="}]}, "LF7121"),
        ({"extra": 1}, "LF7120"),
    ],
)
def test_what_is_not_an_envelope_is_refused(change, code):
    with pytest.raises(VerificationFailed) as caught:
        from_json({**GOOD, **change})
    assert caught.value.code == code


@pytest.mark.parametrize("raw", [None, [], "x", {}, 1])
def test_what_is_no_object_is_refused(raw):
    with pytest.raises(VerificationFailed) as caught:
        from_json(raw)
    assert caught.value.code == "LF7120"


@given(st.binary(max_size=40))
def test_base64_has_one_spelling(data):
    text = base64.b64encode(data).decode()
    assert b64(text) == data
    with pytest.raises(ValueError):
        b64(text + "=")


def test_the_budget_of_values_holds():
    with pytest.raises(VerificationFailed) as caught:
        decode(b"[" + b"1," * 200 + b"1]")
    assert caught.value.code == "LF7103"
