"""Leaves of the log: exact bytes, and a code for each difference."""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from hypothesis import given
from hypothesis import strategies as st

from lockflight.core.attest.dsse import Envelope
from lockflight.core.canonical import dumps
from lockflight.core.verify.crypto.keys import ORDERS
from lockflight.core.verify.log.leaf import MAX_LEAF_BYTES, check_leaf, leaf_for, read_leaf
from lockflight.errors import LockflightError, VerificationFailed
from lockflight.signing.keys import ALGORITHMS
from lockflight.signing.oms import sign_payload
from tests.signed import mutate, signer


def code_of(call, *args):
    with pytest.raises(VerificationFailed) as caught:
        call(*args)
    return caught.value.code


ENVELOPE = sign_payload(b"{}", signer())
KEY = signer().public_key
LEAF = leaf_for(ENVELOPE, KEY)


def b64(data):
    return base64.b64encode(data).decode()


def test_the_bytes_are_those_of_rekor():
    digest = b64(hashlib.sha256(b"DSSEv1 28 application/vnd.in-toto+json 2 {}").digest())
    text = (
        '{"apiVersion":"0.0.2","kind":"hashedrekord","spec":{"hashedRekordV002":{'
        '"data":{"algorithm":"SHA2_256","digest":"DIGEST"},'
        '"signature":{"content":"SIGNATURE","verifier":{"keyDetails":"PKIX_ECDSA_P256_SHA_256",'
        '"publicKey":{"rawBytes":"KEY"}}}}}}'
    )
    for word, value in {"DIGEST": digest, "SIGNATURE": b64(ENVELOPE.signature), "KEY": b64(KEY.der)}.items():
        text = text.replace(f'"{word}"', f'"{value}"')
    assert LEAF.decode() == text


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_leaf_of_each_kind_of_key_checks(algorithm):
    one = signer(algorithm)
    envelope = sign_payload(b'{"a":1}', one)
    leaf = leaf_for(envelope, one.public_key)
    assert check_leaf(leaf, envelope) == one.public_key
    assert read_leaf(leaf).encode() == leaf


def test_another_envelope_is_refused():
    assert code_of(check_leaf, LEAF, sign_payload(b"{ }", signer())) == "LF7162"
    assert code_of(check_leaf, LEAF, replace(ENVELOPE, payload_type="text/plain")) == "LF7162"


def test_another_signature_is_refused():
    assert code_of(check_leaf, LEAF, replace(ENVELOPE, signature=signer().sign(b"x"))) == "LF7163"


def test_a_signature_that_does_not_hold_is_refused():
    bad = replace(ENVELOPE, signature=signer().sign(b"x"))
    assert code_of(check_leaf, leaf_for(bad, KEY), bad) == "LF7164"
    assert code_of(check_leaf, leaf_for(ENVELOPE, signer(number=1).public_key), ENVELOPE) == "LF7164"


@pytest.mark.parametrize("keyid", ["0" * 64, ""])
def test_an_envelope_whose_hint_could_be_changed_is_refused(keyid):
    assert code_of(check_leaf, LEAF, replace(ENVELOPE, keyid=keyid)) == "LF7165"


@pytest.mark.parametrize("algorithm", ["ecdsa-p256", "ecdsa-p384", "ecdsa-p521"])
def test_the_twin_of_a_signature_is_refused(algorithm):
    key = signer(algorithm).public_key
    envelope = sign_payload(ENVELOPE.payload, signer(algorithm))
    r, s = decode_dss_signature(envelope.signature)
    twin = replace(envelope, signature=encode_dss_signature(r, ORDERS[algorithm] - s))
    assert key.verify(twin.signed_bytes, twin.signature)
    assert code_of(check_leaf, leaf_for(twin, key), twin) == "LF7165"
    assert key.lower(twin.signature) == envelope.signature
    assert not key.lowest(b"no signature")


def changed(path, value):
    body = json.loads(LEAF)
    at = body
    for step in path[:-1]:
        at = at[step]
    if value is None:
        del at[path[-1]]
    else:
        at[path[-1]] = value
    return dumps(body)


SPEC = ("spec", "hashedRekordV002")
VERIFIER = (*SPEC, "signature", "verifier")


@pytest.mark.parametrize(
    ("path", "value", "code"),
    [
        (("apiVersion",), "0.0.1", "LF7160"),
        (("kind",), "dsse", "LF7160"),
        (("kind",), 1, "LF7160"),
        (("spec",), [], "LF7160"),
        (("spec",), None, "LF7160"),
        (("extra",), 1, "LF7160"),
        ((*SPEC, "extra"), 1, "LF7160"),
        ((*SPEC, "data", "algorithm"), "SHA2_512", "LF7160"),
        ((*SPEC, "data", "digest"), "AAAA", "LF7160"),
        ((*SPEC, "data", "digest"), "x", "LF7160"),
        ((*SPEC, "data", "digest"), None, "LF7160"),
        ((*SPEC, "signature", "content"), "AAA", "LF7160"),
        ((*VERIFIER, "keyDetails"), "PKIX_ED25519", "LF7160"),
        ((*VERIFIER, "publicKey", "rawBytes"), "AAAA", "LF7001"),
        ((*VERIFIER, "publicKey"), None, "LF7160"),
        ((*VERIFIER, "x509Certificate"), {"rawBytes": "AAAA"}, "LF7400"),
    ],
)
def test_what_is_no_leaf_is_refused(path, value, code):
    assert code_of(read_leaf, changed(path, value)) == code


def test_a_leaf_has_one_encoding():
    assert code_of(read_leaf, json.dumps(json.loads(LEAF)).encode()) == "LF7160"
    assert code_of(read_leaf, LEAF.replace(b'"kind"', b'"kind":"x","kind"')) == "LF7102"
    assert code_of(read_leaf, b"[]") == "LF7101"


def test_a_leaf_fits_into_two_bytes_of_length():
    long = Envelope(b"{}", bytes(MAX_LEAF_BYTES))
    assert code_of(leaf_for, long, KEY) == "LF7161"
    assert code_of(read_leaf, b" " * (MAX_LEAF_BYTES + 1)) == "LF7161"
    spare = (MAX_LEAF_BYTES - len(leaf_for(Envelope(b"{}", b""), KEY))) // 4 * 3
    assert MAX_LEAF_BYTES - 4 < len(leaf_for(Envelope(b"{}", bytes(spare)), KEY)) <= MAX_LEAF_BYTES
    assert code_of(leaf_for, Envelope(b"{}", bytes(spare + 3)), KEY) == "LF7161"


@given(st.data())
def test_changed_leaves_are_refused(data):
    leaf = mutate(LEAF, data.draw)
    try:
        key = check_leaf(leaf, ENVELOPE)
    except LockflightError:
        return
    assert (leaf, key) == (LEAF, KEY)
