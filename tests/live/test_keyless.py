"""Stock verifiers accept our keyless packages without a network, and refuse what we refuse: three that share no code.

model_signing (the reference of OpenSSF Model Signing), sigstore-python below it, and sigstore-js.
"""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
from pathlib import Path

import pytest

from lockflight.core.verify.crypto.certificate import Identity
from lockflight.core.verify.public.keyless import Wanted, verify_identity
from lockflight.errors import VerificationFailed
from tests.signed import write
from tests.sovereign import ALICE, ISSUER, sovereign

pytestmark = pytest.mark.live

PYTHON = """\
import sys
from sigstore.models import Bundle, TrustedRoot
from sigstore.verify import Verifier, policy
root, bundle, name, issuer = sys.argv[1:]
verifier = Verifier(trusted_root=TrustedRoot.from_file(root))
verifier.verify_dsse(Bundle.from_json(open(bundle).read()), policy.Identity(identity=name, issuer=issuer))
"""
NODE = """\
const fs = require('fs');
const { Verifier, toTrustMaterial, toSignedEntity } = require('@sigstore/verify');
const { bundleFromJSON } = require('@sigstore/bundle');
const { TrustedRoot } = require('@sigstore/protobuf-specs');
const [, , root, bundle, name, issuer] = process.argv;
const read = (file) => JSON.parse(fs.readFileSync(file));
const material = toTrustMaterial(TrustedRoot.fromJSON(read(root)));
const verifier = new Verifier(material, { ctlogThreshold: 1, tlogThreshold: 1, timestampThreshold: 1 });
const policy = { subjectAlternativeName: name, extensions: { issuer } };
verifier.verify(toSignedEntity(bundleFromJSON(read(bundle))), policy);
"""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "config.json").write_bytes(sovereign().config())
    (tmp_path / "root.json").write_text(json.dumps(sovereign().trust.to_json()))
    (tmp_path / "verify.py").write_text(PYTHON)
    (tmp_path / "verify.cjs").write_text(NODE)
    (tmp_path / "model").mkdir()
    write(tmp_path / "model")
    return tmp_path


@pytest.fixture(params=["model_signing", "sigstore-python", "sigstore-js"])
def stock(request: pytest.FixtureRequest, place: Path, peers_python: Path):
    """Whether a stock verifier accepts a bundle of the model in `place`, and what it says."""
    node = shutil.which("node")
    folder = request.getfixturevalue("peers_node") if request.param == "sigstore-js" else place

    def accepts(bundle: bytes, name: str = ALICE.name, issuer: str = ISSUER) -> tuple[bool, str]:
        signature = place / "model.sig"
        signature.write_bytes(bundle)
        words: list[object]
        if request.param == "model_signing":
            words = [peers_python, "-m", "model_signing", "verify", "sigstore"]
            words += ["--trust_config", place / "config.json", "--identity", name]
            words += ["--identity_provider", issuer, "--signature", signature, place / "model"]
        elif request.param == "sigstore-python":
            words = [peers_python, place / "verify.py", place / "root.json", signature, name, issuer]
        else:
            script = folder / "verify.cjs"
            script.write_text(NODE)
            words = [node, script, place / "root.json", signature, name, issuer]
        done = subprocess.run([str(w) for w in words], capture_output=True, text=True, check=False)
        return done.returncode == 0, done.stdout + done.stderr

    return accepts


def ours(bundle: bytes, name: str = ALICE.name) -> str:
    """The code with which we refuse; empty where we accept."""
    try:
        verify_identity(bundle, sovereign().trust, Wanted(name, ISSUER))
    except VerificationFailed as error:
        return error.code
    return ""


@pytest.mark.parametrize("witness", [False, True], ids=["plain", "witnessed"])
def test_everybody_accepts_ours(stock, witness: bool) -> None:
    bundle = sovereign().sign(witness=witness)
    assert ours(bundle) == ""
    accepted, output = stock(bundle)
    assert accepted, output


def altered(bundle: bytes, change) -> bytes:
    document = json.loads(bundle)
    change(document)
    return json.dumps(document).encode()


def without_stamp(document: dict) -> None:
    del document["verificationMaterial"]["timestampVerificationData"]


def other_proof(document: dict) -> None:
    hashes = document["verificationMaterial"]["tlogEntries"][0]["inclusionProof"]["hashes"]
    raw = bytearray(base64.b64decode(hashes[0]))
    raw[0] ^= 1
    hashes[0] = base64.b64encode(bytes(raw)).decode()


def other_payload(document: dict) -> None:
    payload = base64.b64decode(document["dsseEnvelope"]["payload"])
    changed = payload.replace(b'"name":"weights', b'"name":"weightz', 1)
    assert changed != payload
    document["dsseEnvelope"]["payload"] = base64.b64encode(changed).decode()


CHANGES = [(without_stamp, "LF7425"), (other_proof, "LF7200"), (other_payload, "LF7441")]


@pytest.mark.parametrize(("change", "code"), CHANGES, ids=[c[0].__name__ for c in CHANGES])
def test_everybody_refuses_what_was_changed(stock, change, code: str) -> None:
    bundle = altered(sovereign().sign(), change)
    assert ours(bundle) == code
    accepted, output = stock(bundle)
    assert not accepted, output


def test_everybody_refuses_a_stamp_outside_of_the_certificates_time(stock) -> None:
    bundle = sovereign().sign(at=3600)
    assert ours(bundle) == "LF7402"
    accepted, output = stock(bundle)
    assert not accepted, output


def test_everybody_refuses_another_identity(stock) -> None:
    bundle = sovereign().sign(identity=Identity("https://realm.acme.example/people/p-2", "uri", ISSUER))
    assert ours(bundle) == "LF7406"
    accepted, output = stock(bundle)
    assert not accepted, output


def test_everybody_refuses_another_realm(stock) -> None:
    bundle = sovereign(1).sign()
    assert ours(bundle) != ""
    accepted, output = stock(bundle)
    assert not accepted, output


def test_the_reference_refuses_a_changed_file(place: Path, peers_python: Path) -> None:
    signature = place / "model.sig"
    signature.write_bytes(sovereign().sign())
    weights = place / "model" / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\t")
    words = ["verify", "sigstore", "--trust_config", place / "config.json", "--identity", ALICE.name]
    words += ["--identity_provider", ISSUER, "--signature", signature, place / "model"]
    done = subprocess.run(
        [peers_python, "-m", "model_signing", *map(str, words)], capture_output=True, text=True, check=False
    )
    assert done.returncode != 0
    assert "weights.safetensors" in done.stdout + done.stderr


def test_openssl_reads_our_time_stamps(tmp_path: Path) -> None:
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl is not installed")
    from cryptography.hazmat.primitives.serialization import Encoding

    realm = sovereign()
    (tmp_path / "ca.pem").write_bytes(realm.time_root.x509.public_bytes(Encoding.PEM))
    (tmp_path / "stamp").write_bytes(realm.stamper.stamp(b"the signature", realm.now))

    def verify(data: bytes) -> subprocess.CompletedProcess[str]:
        (tmp_path / "data").write_bytes(data)
        words = ["ts", "-verify", "-in", "stamp", "-data", "data", "-CAfile", "ca.pem"]
        return subprocess.run([openssl, *words], cwd=tmp_path, capture_output=True, text=True, check=False)

    assert verify(b"the signature").returncode == 0
    refused = verify(b"the signatura")
    assert refused.returncode != 0
    assert "imprint" in refused.stderr
