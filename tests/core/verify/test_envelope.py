"""Opening envelopes: each refusal has its own code."""

from __future__ import annotations

import base64
import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockflight.core.attest.dsse import Envelope
from lockflight.core.attest.statement import SCAN, Statement, SubjectRef
from lockflight.core.verify.envelope import check_signature, open_envelope, verify_envelope
from lockflight.errors import LockflightError, VerificationFailed
from lockflight.signing.keys import ALGORITHMS
from lockflight.signing.oms import sign_payload, sign_statement
from tests.signed import mutate, signer

STATEMENT = Statement(SCAN, (SubjectRef("a", "0" * 64),), {"n": 1})
KEY = signer().public_key
DATA = sign_statement(STATEMENT, signer()).encode()


def code_of(call, *args):
    with pytest.raises(VerificationFailed) as caught:
        call(*args)
    return caught.value.code


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_statement_comes_out_as_it_went_in(algorithm):
    one = signer(algorithm)
    envelope = sign_statement(STATEMENT, one)
    assert envelope.keyid == one.keyid
    assert verify_envelope(envelope.encode(), one.public_key) == STATEMENT
    assert open_envelope(envelope, one.public_key) == STATEMENT


def test_another_key_is_refused():
    with pytest.raises(VerificationFailed) as caught:
        verify_envelope(DATA, signer(number=1).public_key, what="letter")
    assert caught.value.code == "LF7123"
    assert "letter" in caught.value.message
    assert caught.value.details == {"keyid": signer(number=1).keyid}


def test_another_payload_is_refused():
    envelope = sign_statement(STATEMENT, signer())
    other = replace(envelope, payload=envelope.payload.replace(b'"n":1', b'"n":2'))
    assert code_of(check_signature, other, KEY) == "LF7123"


def test_the_signature_counts_before_the_content():
    assert code_of(verify_envelope, Envelope(b"not json", b"x").encode(), KEY) == "LF7123"


def test_the_hint_decides_nothing():
    assert open_envelope(replace(sign_statement(STATEMENT, signer()), keyid="x"), KEY) == STATEMENT


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        (b"not json", "LF7101"),
        (b'{"a":1,"a":2}', "LF7102"),
        (b"[" * 100 + b"]" * 100, "LF7103"),
        (b"{}", "LF7130"),
    ],
)
def test_what_is_signed_must_be_a_statement(payload, code):
    assert code_of(verify_envelope, sign_payload(payload, signer()).encode(), KEY) == code


def test_the_form_counts_before_the_signature():
    body = json.loads(DATA)
    assert code_of(verify_envelope, json.dumps(body).encode(), KEY) == "LF7122"
    two = {**body, "signatures": body["signatures"] * 2}
    assert code_of(verify_envelope, json.dumps(two).encode(), KEY) == "LF7121"
    other = {**body, "payloadType": "text/plain"}
    assert code_of(verify_envelope, json.dumps(other).encode(), KEY) == "LF7120"


def test_a_second_spelling_of_the_payload_is_refused():
    body = json.loads(DATA)
    spelled = base64.urlsafe_b64encode(base64.b64decode(body["payload"])).decode().rstrip("=")
    if spelled != body["payload"]:
        assert code_of(verify_envelope, json.dumps({**body, "payload": spelled}).encode(), KEY) == "LF7120"


@given(st.data())
def test_changed_envelopes_are_refused(data):
    changed = mutate(DATA, data.draw)
    try:
        statement = verify_envelope(changed, KEY)
    except LockflightError:
        return
    # Only the hint is outside the signature.
    assert statement == STATEMENT
    assert json.loads(changed)["payload"] == json.loads(DATA)["payload"]
