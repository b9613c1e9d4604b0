"""Model signatures of other tools: what their signers may decide is capped."""

from __future__ import annotations

import hashlib
import json

import pytest
from blake3 import blake3
from hypothesis import given
from hypothesis import strategies as st

from lockflight.core.verify.bundle import read_bundle
from lockflight.core.verify.foreign import MAX_IGNORES, ForeignFile, Mode
from lockflight.core.verify.maker import verify_foreign
from lockflight.errors import LockflightError, VerificationFailed
from lockflight.signing.oms import make_bundle, sign_payload, sign_release
from tests.signed import FILES, mutate, release, signer

KEY = signer().public_key
BY_PATH = sorted(FILES, key=lambda n: n.split("/"))
BY_CODE_POINT = sorted(FILES)


def statement(names=BY_PATH, *, hash_type="sha256", **changes):
    """As the reference implementation writes it: pretty, in path order, with the paths that it ignores."""
    digests = {
        n: {"sha256": hashlib.sha256(b).hexdigest(), "blake3": blake3(b).hexdigest()}[hash_type]
        for n, b in {n: FILES.get(n, b"?") for n in names}.items()
    }
    root = hashlib.sha256(b"".join(bytes.fromhex(digests[n]) for n in names)).hexdigest()
    raw = {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": "model", "digest": {"sha256": root}}],
        "predicateType": "https://model_signing/signature/v1.0",
        "predicate": {
            "serialization": {
                "method": "files",
                "ignore_paths": [".git", ".github"],
                "allow_symlinks": False,
                "hash_type": hash_type,
            },
            "resources": [{"name": n, "algorithm": hash_type, "digest": digests[n]} for n in names],
        },
    }
    return {**raw, **changes}


def bundle(raw):
    payload = json.dumps(raw, indent=2).encode() if isinstance(raw, dict) else raw
    return make_bundle(sign_payload(payload, signer()), KEY.pem)


def code_of(raw):
    with pytest.raises(VerificationFailed) as caught:
        verify_foreign(bundle(raw), KEY)
    return caught.value.code


@pytest.mark.parametrize("names", [BY_PATH, BY_CODE_POINT], ids=["by path", "by code point"])
@pytest.mark.parametrize("hash_type", ["sha256", "blake3"])
def test_both_orders_and_both_hashes_are_read(names, hash_type):
    raw = statement(names, hash_type=hash_type)
    manifest = verify_foreign(bundle(raw), KEY)
    assert [f.name for f in manifest.resources] == names
    assert manifest.hash_type == hash_type
    assert manifest.root == raw["subject"][0]["digest"]["sha256"]
    assert manifest.name == "model"
    assert manifest.ignore_paths == (".git", ".github")
    assert manifest.allow_symlinks is False
    assert manifest.key == KEY
    assert manifest.payload_digest == hashlib.sha256(json.dumps(raw, indent=2).encode()).hexdigest()
    assert BY_PATH != BY_CODE_POINT


def test_our_own_bundles_are_model_signatures_too():
    own = release()
    manifest = verify_foreign(make_bundle(sign_release(own, signer()), KEY.pem), KEY)
    assert manifest.resources == tuple(
        ForeignFile(a.name, a.sha256) for a in sorted(own.assets, key=lambda a: a.name)
    )
    assert manifest.payload_digest == own.digest
    assert manifest.root == own.oms_root


def test_the_key_counts():
    with pytest.raises(VerificationFailed) as caught:
        verify_foreign(bundle(statement()), signer(number=1).public_key)
    assert caught.value.code == "LF7143"


def changed(change, names=BY_PATH):
    raw = statement(names)
    change(raw, raw["predicate"], raw["predicate"]["serialization"], raw["predicate"]["resources"])
    return raw


def test_what_the_signer_chose_is_reported():
    raw = changed(lambda _r, _p, s, _f: s.update(allow_symlinks=True, ignore_paths=["evil.py"]))
    assert code_of(raw) == "LF7156"
    manifest = verify_foreign(bundle(raw), KEY, mode=Mode.COMPAT)
    assert [one.name for one in manifest.relaxations] == ["followed-links"]
    assert manifest.allow_symlinks is True
    assert manifest.ignore_paths == ("evil.py",)
    raw = changed(lambda _r, _p, s, _f: s.pop("ignore_paths"))
    assert verify_foreign(bundle(raw), KEY).ignore_paths == ()


CHANGES = {
    "another predicate": (lambda r, p, s, files: r.update(predicateType="x"), "LF7150"),
    "old predicate": (
        lambda r, p, s, files: r.update(predicateType="https://model_signing/Digests/v0.1"),
        "LF7166",
    ),
    "another type": (lambda r, p, s, files: r.update(_type="x"), "LF7150"),
    "extra field": (lambda r, p, s, files: r.update(extra=1), "LF7150"),
    "no subject": (lambda r, p, s, files: r.update(subject=[]), "LF7150"),
    "two subjects": (lambda r, p, s, files: r["subject"].append(r["subject"][0]), "LF7150"),
    "subject with more": (lambda r, p, s, files: r["subject"][0].update(extra=1), "LF7150"),
    "second digest of the subject": (
        lambda r, p, s, files: r["subject"][0]["digest"].update(sha512="0"),
        "LF7150",
    ),
    "name no text": (lambda r, p, s, files: r["subject"][0].update(name=1), "LF7150"),
    "another subject": (lambda r, p, s, files: r["subject"][0]["digest"].update(sha256="0" * 64), "LF7153"),
    "extra field of the predicate": (lambda r, p, s, files: p.update(extra=1), "LF7150"),
    "no resources": (lambda r, p, s, files: p.pop("resources"), "LF7150"),
    "empty": (lambda r, p, s, files: files.clear(), "LF7157"),
    "extra field of the serialization": (lambda r, p, s, files: s.update(shard_size=4), "LF7150"),
    "shards": (lambda r, p, s, files: s.update(method="shards"), "LF7155"),
    "blake2b": (lambda r, p, s, files: s.update(hash_type="blake2b"), "LF7154"),
    "method no text": (lambda r, p, s, files: s.update(method=1), "LF7150"),
    "no allow_symlinks": (lambda r, p, s, files: s.pop("allow_symlinks"), "LF7150"),
    "allow_symlinks a number": (lambda r, p, s, files: s.update(allow_symlinks=0), "LF7150"),
    "ignores no texts": (lambda r, p, s, files: s.update(ignore_paths=[1]), "LF7150"),
    "ignores too many": (lambda r, p, s, files: s.update(ignore_paths=["x"] * (MAX_IGNORES + 1)), "LF7150"),
    "resource no object": (lambda r, p, s, files: files.append(1), "LF7150"),
    "resource with more": (lambda r, p, s, files: files[0].update(extra=1), "LF7150"),
    "resource with less": (lambda r, p, s, files: files[0].pop("digest"), "LF7150"),
    "another algorithm": (lambda r, p, s, files: files[0].update(algorithm="blake3"), "LF7150"),
    "digest in capitals": (
        lambda r, p, s, files: files[0].update(digest=files[0]["digest"].upper()),
        "LF7159",
    ),
    "duplicate": (lambda r, p, s, files: files.append(files[-1]), "LF7158"),
    "leaves the folder": (lambda r, p, s, files: files[0].update(name="../x"), "LF7151"),
    "single file without a name": (lambda r, p, s, files: files[0].update(name="."), "LF7151"),
    "plain dot": (lambda r, p, s, files: files[0].update(name="./a"), "LF7151"),
    "absolute": (lambda r, p, s, files: files[0].update(name="/etc/passwd"), "LF7151"),
    "order": (lambda r, p, s, files: files.reverse(), "LF7152"),
}


@pytest.mark.parametrize(("change", "code"), CHANGES.values(), ids=CHANGES)
def test_what_is_not_strict_is_refused(change, code):
    assert code_of(changed(change)) == code


@pytest.mark.parametrize(
    ("payload", "code"), [(b"", "LF7101"), (b"[]", "LF7101"), (b'{"a":1,"a":1}', "LF7102"), (b"{}", "LF7150")]
)
def test_what_is_no_statement_is_refused(payload, code):
    assert code_of(payload) == code


def test_published_payloads_are_judged_as_published(shared_data):
    folder = shared_data / "data" / "oms" / "test-vectors" / "v1.0"
    good = read_bundle((folder / "valid" / "key.bundle.json").read_bytes()).envelope.payload
    assert verify_foreign(bundle(good), KEY).resources
    bad = read_bundle(
        (folder / "invalid-payload" / "wrong-predicate.bundle.json").read_bytes()
    ).envelope.payload
    assert code_of(bad) == "LF7150"


@given(st.data())
def test_changed_payloads_are_refused_or_other_manifests(data):
    original = json.dumps(statement(), indent=2).encode()
    payload = mutate(original, data.draw)
    try:
        manifest = verify_foreign(bundle(payload), KEY)
    except LockflightError:
        return
    assert manifest.payload_digest == hashlib.sha256(payload).hexdigest()
    digests = b"".join(bytes.fromhex(f.digest) for f in manifest.resources)
    assert hashlib.sha256(digests).hexdigest() == manifest.root
