"""What we sign has the form of the OpenSSF Model Signing and in-toto schemas; their published bundles are judged."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING

import jsonschema
import pytest
from referencing import Registry, Resource

from lockflight.core.verify.crypto.certificate import identity_of
from lockflight.core.verify.foreign import Maker, Mode, Reading, read_manifest
from lockflight.core.verify.public.sigstore import read_sigstore
from lockflight.errors import VerificationFailed
from lockflight.signing.oms import make_bundle, sign_release
from tests.signed import logged, release, signer
from tests.sovereign import sovereign

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def schemas(shared_data: Path) -> dict[str, jsonschema.Draft202012Validator]:
    """The published schemas by name; the test is skipped where they are not beside the checkout."""
    folder = shared_data / "data" / "oms" / "schemas" / "v1.0"
    if not folder.is_dir():
        pytest.skip(f"the schemas of OpenSSF Model Signing are not in {folder}")
    found = {file.name.split(".")[0]: json.loads(file.read_text()) for file in folder.iterdir()}
    registry = Registry().with_resources(
        [(one["$id"], Resource.from_contents(one)) for one in found.values()]
    )
    return {name: jsonschema.Draft202012Validator(one, registry=registry) for name, one in found.items()}


def ours() -> dict[str, bytes]:
    envelope = sign_release(release(), signer())
    return {
        "key": make_bundle(envelope, signer().public_key.pem),
        "key in a log": make_bundle(envelope, signer().public_key.pem, logged(envelope, signer().public_key)),
        "keyless": sovereign().sign(),
        "keyless, witnessed": sovereign().sign(witness=True),
    }


@pytest.mark.parametrize("name", ours())
def test_our_bundles_have_the_form_of_the_schemas(schemas, name: str) -> None:
    bundle = json.loads(ours()[name])
    schemas["bundle"].validate(bundle)
    statement = json.loads(base64.b64decode(bundle["dsseEnvelope"]["payload"]))
    schemas["statement"].validate(statement)
    schemas["predicate"].validate(statement["predicate"])


def published(shared_data: Path) -> dict[str, bytes]:
    folder = shared_data / "data" / "oms" / "test-vectors" / "v1.0"
    if not folder.is_dir():
        pytest.skip(f"the test vectors of OpenSSF Model Signing are not in {folder}")
    return {file.relative_to(folder).as_posix(): file.read_bytes() for file in sorted(folder.rglob("*.json"))}


#: With which code each is refused; their keys and roots are not published, so signatures are not what is asked here.
VERDICTS = {
    "invalid-payload/wrong-predicate.bundle.json": "LF7150",
    "invalid/empty.bundle.json": "LF7101",
    "invalid/missing-envelope.bundle.json": "LF7440",
    "invalid/missing-tlog-entries.bundle.json": "LF7445",
    "invalid/missing-verification-material.bundle.json": "LF7440",
    "valid/certificate.bundle.json": "",
    "valid/key.bundle.json": "",
    "valid/sigstore.bundle.json": "",
}


@pytest.mark.parametrize("name", VERDICTS)
@pytest.mark.parametrize("mode", Mode)
def test_published_bundles_are_judged_as_published(shared_data: Path, name: str, mode: Mode) -> None:
    data = published(shared_data)[name]
    try:
        bundle = read_sigstore(data)
        assert bundle.envelope is not None
        if bundle.certificates and not bundle.chained:
            _identity(data)
        manifest = read_manifest(bundle.envelope.payload, Maker("key", signer().public_key), Reading(mode))
        code = ""
        assert [f.name for f in manifest.resources] == ["signme-1", "signme-2"]
    except VerificationFailed as error:
        code = error.code
    assert code == VERDICTS[name]


def _identity(data: bytes) -> None:
    """The public good instance of sigstore signed it, as its trust root in the corpus says."""
    from lockflight.core.verify.public.keyless import Wanted, verify_identity
    from lockflight.core.verify.public.trustroot import read_trust_root
    from tests.core.verify.test_sigstore_corpus import corpus

    who = identity_of(read_sigstore(data).certificates[0])
    verify_identity(data, read_trust_root(corpus()["trusted_root.json"]), Wanted(who.name, who.issuer))
