"""Bundles of releases: read strictly, verified before they are believed."""

from __future__ import annotations

import base64
import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockflight.core.verify.bundle import (
    MEDIA_TYPE,
    check_bundle,
    pem_hint,
    read_bundle,
    verify_bundle,
    verify_logged,
)
from lockflight.errors import LockflightError, VerificationFailed
from lockflight.signing.keys import ALGORITHMS
from lockflight.signing.oms import make_bundle, sign_payload, sign_release
from tests.signed import TIME, logged, mutate, release, signer, tiny_log

KEY = signer().public_key
ENVELOPE = sign_release(release(), signer())
TLOG = logged(ENVELOPE, KEY)
PLAIN = make_bundle(ENVELOPE, KEY.pem)
LOGGED = make_bundle(ENVELOPE, KEY.pem, TLOG)


def code_of(call, *args, **kwargs):
    with pytest.raises(VerificationFailed) as caught:
        call(*args, **kwargs)
    return caught.value.code


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_release_comes_out_as_it_went_in(algorithm):
    one = signer(algorithm)
    envelope = sign_release(release(), one)
    for tlog in (None, logged(envelope, one.public_key)):
        verified = verify_bundle(make_bundle(envelope, one.public_key.pem, tlog), one.public_key)
        assert verified.release == release()
        assert verified.envelope == envelope
        assert verified.key == one.public_key
        assert verified.tlog == tlog


def test_the_bundle_says_what_sigstore_says():
    raw = json.loads(LOGGED)
    assert raw["mediaType"] == MEDIA_TYPE
    assert raw["verificationMaterial"]["publicKey"] == {"hint": pem_hint(KEY)}
    entry = raw["verificationMaterial"]["tlogEntries"][0]
    assert entry["kindVersion"] == {"kind": "hashedrekord", "version": "0.0.2"}
    assert (entry["logIndex"], entry["inclusionProof"]["treeSize"]) == ("2", "5")
    assert json.loads(PLAIN)["verificationMaterial"]["tlogEntries"] == []


def test_white_space_and_order_of_the_bundle_do_not_matter():
    raw = json.loads(LOGGED)
    again = json.dumps(dict(reversed(raw.items())), indent=2).encode()
    assert verify_bundle(again, KEY) == verify_bundle(LOGGED, KEY)


def test_any_of_the_keys_may_have_signed_and_the_hint_is_only_a_hint():
    keys = [signer(number=n).public_key for n in (1, 2)]
    assert verify_bundle(PLAIN, [*keys, KEY]).key == KEY
    misled = PLAIN.replace(pem_hint(KEY).encode(), pem_hint(keys[0]).encode())
    assert verify_bundle(misled, [*keys, KEY]).key == KEY
    with pytest.raises(VerificationFailed) as caught:
        verify_bundle(PLAIN, keys)
    assert caught.value.code == "LF7143"
    assert "2 keys" in caught.value.message
    assert code_of(verify_bundle, PLAIN, []) == "LF7143"


def test_another_key_is_refused():
    with pytest.raises(VerificationFailed) as caught:
        verify_bundle(PLAIN, signer(number=1).public_key, what="model.sig")
    assert caught.value.code == "LF7143"
    assert "model.sig" in caught.value.message


def test_what_was_signed_must_be_a_release():
    other = make_bundle(sign_payload(b'{"a":1}', signer()), KEY.pem)
    assert code_of(verify_bundle, other, KEY) == "LF7110"
    spaced = make_bundle(sign_payload(release().payload + b" ", signer()), KEY.pem)
    assert code_of(verify_bundle, spaced, KEY) == "LF7113"


def altered(path, value, data=LOGGED):
    raw = json.loads(data)
    at = raw
    for step in path[:-1]:
        at = at[step]
    if value is ...:
        del at[path[-1]]
    else:
        at[path[-1]] = value
    return json.dumps(raw).encode()


MATERIAL = ("verificationMaterial",)
ENTRY = (*MATERIAL, "tlogEntries", 0)
PROOF = (*ENTRY, "inclusionProof")


@pytest.mark.parametrize(
    ("path", "value", "code"),
    [
        (("mediaType",), "application/vnd.dev.sigstore.bundle+json;version=0.2", "LF7141"),
        (("mediaType",), None, "LF7141"),
        (("mediaType",), ..., "LF7140"),
        (("extra",), 1, "LF7140"),
        (("messageSignature",), {}, "LF7140"),
        (("dsseEnvelope",), ..., "LF7140"),
        (("dsseEnvelope",), [], "LF7120"),
        (("dsseEnvelope", "signatures"), [], "LF7121"),
        (("dsseEnvelope", "signatures"), [{"sig": "AA=="}, {"sig": "AA=="}], "LF7121"),
        (("dsseEnvelope", "signatures"), [1], "LF7120"),
        (("dsseEnvelope", "payloadType"), "text/plain", "LF7120"),
        (MATERIAL, ..., "LF7140"),
        (MATERIAL, [], "LF7140"),
        ((*MATERIAL, "extra"), 1, "LF7140"),
        ((*MATERIAL, "publicKey"), ..., "LF7140"),
        ((*MATERIAL, "publicKey"), {"rawBytes": "AA=="}, "LF7140"),
        ((*MATERIAL, "publicKey", "hint"), 1, "LF7140"),
        ((*MATERIAL, "certificate"), {"rawBytes": "AA=="}, "LF7140"),
        ((*MATERIAL, "x509CertificateChain"), {"certificates": []}, "LF7142"),
        ((*MATERIAL, "tlogEntries"), {}, "LF7140"),
        ((*MATERIAL, "tlogEntries"), [1, 2], "LF7140"),
        ((*MATERIAL, "timestampVerificationData"), {"rfc3161Timestamps": [{}]}, "LF7140"),
        ((*MATERIAL, "timestampVerificationData"), {"other": []}, "LF7140"),
        ((*MATERIAL, "timestampVerificationData"), None, "LF7140"),
        (ENTRY, 1, "LF7144"),
        ((*ENTRY, "extra"), 1, "LF7144"),
        ((*ENTRY, "integratedTime"), "1", "LF7144"),
        ((*ENTRY, "inclusionPromise"), {}, "LF7144"),
        ((*ENTRY, "kindVersion"), {"kind": "dsse", "version": "0.0.1"}, "LF7144"),
        ((*ENTRY, "kindVersion"), ..., "LF7144"),
        ((*ENTRY, "logId"), {"keyId": "AA==", "extra": 1}, "LF7144"),
        ((*ENTRY, "logIndex"), 2, "LF7144"),
        ((*ENTRY, "logIndex"), "02", "LF7144"),
        ((*ENTRY, "logIndex"), "-1", "LF7144"),
        ((*ENTRY, "logIndex"), "1", "LF7144"),
        ((*ENTRY, "logIndex"), "9" * 30, "LF7144"),
        ((*PROOF, "logIndex"), "1", "LF7144"),
        ((*PROOF, "treeSize"), 5, "LF7144"),
        ((*PROOF, "rootHash"), "x", "LF7144"),
        ((*PROOF, "hashes"), None, "LF7144"),
        ((*PROOF, "hashes"), [1], "LF7144"),
        ((*PROOF, "checkpoint"), {}, "LF7144"),
        ((*PROOF, "checkpoint", "extra"), 1, "LF7144"),
        ((*ENTRY, "canonicalizedBody"), "x", "LF7144"),
    ],
)
def test_a_malformed_bundle_is_refused(path, value, code):
    assert code_of(read_bundle, altered(path, value)) == code


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ((*MATERIAL, "tlogEntries"), ...),
        ((*MATERIAL, "timestampVerificationData"), {}),
        ((*MATERIAL, "timestampVerificationData"), {"rfc3161Timestamps": []}),
        (("dsseEnvelope", "signatures", 0, "keyid"), None),
        (("dsseEnvelope", "signatures", 0, "keyid"), ""),
        (("dsseEnvelope", "signatures", 0, "keyid"), ...),
    ],
)
def test_ways_to_say_nothing_are_accepted(path, value):
    assert verify_bundle(altered(path, value, PLAIN), KEY).release == release()


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "LF7101"),
        (b"[]", "LF7101"),
        (b'{"mediaType":1,"mediaType":2}', "LF7102"),
        (b"[" + b"1," * 2000 + b"1]", "LF7103"),
    ],
)
def test_what_is_no_json_object_is_refused(data, code):
    assert code_of(read_bundle, data) == code


def with_tlog(**changes):
    return make_bundle(ENVELOPE, KEY.pem, replace(TLOG, **changes))


def test_the_log_entry_must_be_of_this_envelope():
    other = sign_release(release({"lockflight.toml": b"", "x": b""}), signer())
    assert code_of(verify_bundle, make_bundle(ENVELOPE, KEY.pem, logged(other, KEY)), KEY) == "LF7162"
    again = sign_release(release(), signer())
    assert again != ENVELOPE
    assert code_of(verify_bundle, make_bundle(ENVELOPE, KEY.pem, logged(again, KEY)), KEY) == "LF7163"


def test_the_log_entry_must_be_of_this_key(monkeypatch):
    stranger = signer(number=1).public_key
    tlog = logged(ENVELOPE, stranger)
    assert code_of(verify_bundle, make_bundle(ENVELOPE, KEY.pem, tlog), KEY) == "LF7164"
    # A second key under which the same signature holds can be computed for ECDSA; here it is played.
    monkeypatch.setattr(type(KEY), "verify", lambda *_: True)
    assert code_of(verify_bundle, make_bundle(ENVELOPE, KEY.pem, tlog), KEY) == "LF7165"
    renamed = replace(ENVELOPE, keyid=stranger.keyid)
    tlog = logged(renamed, stranger)
    assert code_of(verify_bundle, make_bundle(renamed, KEY.pem, tlog), KEY) == "LF7145"


def test_the_proof_must_lead_to_the_root():
    assert code_of(verify_bundle, with_tlog(hashes=TLOG.hashes[:-1]), KEY) == "LF7200"
    assert code_of(verify_bundle, with_tlog(index=1), KEY) == "LF7200"
    assert code_of(verify_bundle, with_tlog(root=bytes(32)), KEY) == "LF7200"
    assert code_of(verify_bundle, with_tlog(root=b""), KEY) == "LF7209"
    assert code_of(verify_bundle, with_tlog(size=2), KEY) == "LF7209"


def test_the_checkpoint_must_be_of_that_tree():
    log = tiny_log()
    for checkpoint in (log.checkpoint([b"other"] * 5), log.checkpoint([b"one"])):
        assert code_of(verify_bundle, with_tlog(checkpoint=checkpoint), KEY) == "LF7146"
    assert code_of(verify_bundle, with_tlog(checkpoint="x"), KEY) == "LF7202"
    assert code_of(verify_bundle, with_tlog(checkpoint="x\n\n\u2014 k AAAAAAA=\n"), KEY) == "LF7203"


def test_a_logged_bundle_has_a_time():
    entry = verify_bundle(LOGGED, KEY).tlog
    point = verify_logged(entry, **tiny_log().trust)
    assert (point.size, point.root, point.timestamp) == (5, TLOG.root, TIME)


def test_the_log_must_be_the_trusted_one():
    trust = tiny_log().trust
    assert code_of(verify_logged, TLOG, **{**trust, "origin": "example.com/other"}) == "LF7147"
    assert code_of(verify_logged, TLOG, **{**trust, "log_key": trust["clock_key"]}) == "LF7147"
    assert code_of(verify_logged, replace(TLOG, log_id=TLOG.log_id[:4]), **trust) == "LF7147"
    assert code_of(verify_logged, replace(TLOG, root=bytes(32)), **trust) == "LF7146"
    assert code_of(verify_logged, replace(TLOG, size=6), **trust) == "LF7146"
    assert code_of(verify_logged, TLOG, **{**trust, "clock_name": "x"}) == "LF7207"


def test_the_payload_is_not_read_before_the_signature_holds():
    bundle = replace(read_bundle(PLAIN), envelope=replace(ENVELOPE, payload=b"\xff"))
    assert code_of(check_bundle, bundle, KEY) == "LF7143"


@given(st.data())
def test_changed_bundles_are_refused_or_say_the_same(data):
    original = data.draw(st.sampled_from([PLAIN, LOGGED]))
    changed = mutate(original, data.draw)
    try:
        verified = verify_bundle(changed, KEY)
    except LockflightError:
        return
    expected = verify_bundle(original, KEY)
    assert verified.release == expected.release
    assert replace(verified.envelope, keyid="") == replace(expected.envelope, keyid="")
    if verified.tlog is not None:
        assert replace(verified.tlog, checkpoint="", log_id=b"") == replace(TLOG, checkpoint="", log_id=b"")


@given(st.data())
def test_changed_log_entries_never_get_a_time_of_their_own(data):
    changed = mutate(LOGGED, data.draw)
    try:
        tlog = verify_bundle(changed, KEY).tlog
        point = verify_logged(tlog, **tiny_log().trust) if tlog else None
    except LockflightError:
        return
    assert point is None or point.timestamp == TIME


def test_published_vectors_are_read_as_far_as_a_key_method_goes(shared_data):
    folder = shared_data / "data" / "oms" / "test-vectors" / "v1.0"
    verdicts = {}
    for file in sorted(folder.rglob("*.json")):
        try:
            read_bundle(file.read_bytes())
            verdicts[file.name] = "read"
        except VerificationFailed as error:
            verdicts[file.name] = error.code
    assert verdicts == {
        "key.bundle.json": "read",
        "certificate.bundle.json": "LF7142",
        "sigstore.bundle.json": "LF7144",
        "empty.bundle.json": "LF7101",
        "missing-envelope.bundle.json": "LF7140",
        "missing-verification-material.bundle.json": "LF7140",
        "missing-tlog-entries.bundle.json": "LF7140",
        "wrong-predicate.bundle.json": "read",
    }


def test_base64_of_the_payload_has_one_spelling():
    raw = json.loads(PLAIN)
    spelled = raw["dsseEnvelope"]["payload"]
    assert base64.b64decode(spelled) == release().payload
    raw["dsseEnvelope"]["payload"] = spelled + "\n"
    assert code_of(read_bundle, json.dumps(raw).encode()) == "LF7120"
