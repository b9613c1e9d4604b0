"""Bundles that we emit: valid under the published schemas, equal in content to the envelope."""

from __future__ import annotations

import hashlib
import json

import pytest
from jsonschema import Draft202012Validator
from referencing import Registry, Resource

from lockflight.core.attest.dsse import Envelope, decode
from lockflight.core.attest.statement import SCAN, Statement, SubjectRef
from lockflight.core.verify.bundle import read_bundle
from lockflight.errors import VerificationFailed
from lockflight.signing.keys import ALGORITHMS
from lockflight.signing.oms import make_bundle, sign_payload, sign_release, sign_statement
from tests.signed import logged, release, signer


@pytest.fixture(scope="module")
def schemas(shared_data):
    folder = shared_data / "data" / "oms" / "schemas" / "v1.0"
    found = {f.name.split(".")[0]: json.loads(f.read_text(encoding="utf-8")) for f in folder.glob("*.json")}
    registry = Registry().with_resources((s["$id"], Resource.from_contents(s)) for s in found.values())
    return {name: Draft202012Validator(schema, registry=registry) for name, schema in found.items()}


def problems(schemas, data):
    raw = json.loads(data)
    statement = read_bundle(data).envelope.payload
    return [
        e.message
        for name, value in (("bundle", raw), ("statement", json.loads(statement)))
        for e in schemas[name].iter_errors(value)
    ]


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_every_bundle_is_valid_under_the_schemas(schemas, algorithm):
    one = signer(algorithm)
    envelope = sign_release(release(), one)
    for tlog in (None, logged(envelope, one.public_key)):
        assert problems(schemas, make_bundle(envelope, one.public_key.pem, tlog)) == []


def test_the_schemas_do_refuse(schemas):
    payload = release().payload.replace(b'"allow_symlinks"', b'"allow_links"')
    assert problems(schemas, make_bundle(sign_payload(payload, signer()), signer().public_key.pem))


def test_the_bundle_is_compact_ascii_with_a_newline():
    envelope = sign_release(release(), signer())
    data = make_bundle(envelope, signer().public_key.pem)
    assert data.isascii()
    assert data.endswith(b"}\n")
    assert json.dumps(json.loads(data), separators=(",", ":")).encode() + b"\n" == data
    assert read_bundle(data).envelope == envelope


def test_the_hint_is_the_hash_of_the_pem_text():
    pem = signer().public_key.pem
    expected = hashlib.sha256(pem.encode()).hexdigest()
    for text in (pem, pem.strip(), pem.replace("\n", "\r\n")):
        assert read_bundle(make_bundle(Envelope(b"{}", b"s"), text)).hint == expected


def test_an_envelope_without_a_hint_stays_without():
    data = make_bundle(Envelope(b"{}", b"s"), signer().public_key.pem)
    assert json.loads(data)["dsseEnvelope"]["signatures"] == [{"sig": "cw=="}]


def test_a_bundle_names_a_real_key():
    with pytest.raises(VerificationFailed) as caught:
        make_bundle(Envelope(b"{}", b"s"), "no key")
    assert caught.value.code == "LF7001"


def test_releases_and_statements_are_signed_over_their_own_payload():
    statement = Statement(SCAN, (SubjectRef("a", "0" * 64),), {})
    for envelope, payload in (
        (sign_release(release(), signer()), release().payload),
        (sign_statement(statement, signer()), statement.payload()),
    ):
        assert envelope.payload == payload
        assert envelope.keyid == signer().keyid
        assert signer().public_key.verify(envelope.signed_bytes, envelope.signature)
        assert decode(envelope.encode()) == envelope
