"""The public corpus of sigstore bundles: what must verify does, what must not is refused with a code.

Each case is a folder; its name ends in `_fail` where a verifier must refuse. See tests/vectors/README.md.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
from functools import cache

import pytest

from lockflight.core.verify.crypto.keys import load_pem
from lockflight.core.verify.public.keyless import Wanted, verify_identity, verify_key
from lockflight.core.verify.public.trustroot import read_trust_root
from lockflight.errors import VerificationFailed
from tests.signed import VECTORS

IDENTITY = (
    "https://github.com/sigstore-conformance/extremely-dangerous-public-oidc-beacon"
    "/.github/workflows/extremely-dangerous-oidc-beacon.yml@refs/heads/main"
)
ISSUER = "https://token.actions.githubusercontent.com"

#: Why each case must fail, as a code; several cases carry a second fault that is met first.
CODES = {
    "bundle-empty-certificate-chain_fail": "LF7440",
    "bundle-from-wrong-instance_fail": "LF7442",
    "bundle-invalid-base64-signature_fail": "LF7440",
    "bundle-malformed-json_fail": "LF7101",
    "bundle-negative-log-index_fail": "LF7440",
    "bundle-unknown-version_fail": "LF7141",
    "checkpoint-bad-keyhint_fail": "LF7443",
    "checkpoint-wrong-roothash_fail": "LF7146",
    "dsse-mismatch-envelope_fail": "LF7441",
    "dsse-mismatch-sig_fail": "LF7441",
    "inclusion-proof-corrupted-hash_fail": "LF7200",
    "incorrect-public-key_fail": "LF7441",
    "integrated-time-in-future_fail": "LF7402",
    "intoto-expired-certificate_fail": "LF7402",
    "intoto-missing-inclusion-proof_fail": "LF7440",
    "intoto-set-outside-signing-cert-validity_fail": "LF7402",
    "intoto-tsa-timestamp-outside-cert-validity_fail": "LF7402",
    "invalid-checkpoint-signature_fail": "LF7443",
    "invalid-ct-key_fail": "LF7411",
    "managed-key-no-key_fail": "LF7407",
    "message-digest-mismatch_fail": "LF7447",
    "rekor2-checkpoint-no-matching-signature_fail": "LF7443",
    "rekor2-dsse-mismatch-envelope_fail": "LF7441",
    "rekor2-no-inclusion-proof_fail": "LF7440",
    "rekor2-no-timestamp_fail": "LF7425",
    "rekor2-timestamp-outside-trust-root-tsa-validity_fail": "LF7424",
    "rekor2-timestamp-outside-tsa-cert-validity_fail": "LF7402",
    "rekor2-timestamp-payload-mismatch_fail": "LF7421",
    "rekor2-timestamp-untrusted-tsa-with-embedded-cert_fail": "LF7422",
    "rekor2-timestamp-untrusted-tsa-without-embedded-cert_fail": "LF7422",
    "set-invalid-signature_fail": "LF7443",
    "trust-root-tlog-missing-validity-start_fail": "LF7430",
    "wrong-hashedrekord-artifact_fail": "LF7441",
    "wrong-hashedrekord-entry_fail": "LF7441",
}


@cache
def corpus() -> dict[str, bytes]:
    with zipfile.ZipFile(VECTORS / "sigstore-bundles.zip") as archive:
        return {name: archive.read(name) for name in archive.namelist()}


CASES = sorted({name.split("/")[0] for name in corpus() if "/" in name})


def judged(case: str) -> None:
    """Verify one case as the corpus asks; raises where it does not verify."""
    files = corpus()
    artifact = files.get(f"{case}/artifact", files["a.txt"])
    digest = hashlib.sha256(artifact).digest()
    root = read_trust_root(files.get(f"{case}/trusted_root.json", files["trusted_root.json"]))
    bundle = files[f"{case}/bundle.sigstore.json"]
    if f"{case}/key.pub" in files:
        done = verify_key(bundle, load_pem(files[f"{case}/key.pub"]), root=root, digest=digest)
    else:
        wanted = Wanted(
            files.get(f"{case}/identity", IDENTITY.encode()).decode().strip(),
            files.get(f"{case}/issuer", ISSUER.encode()).decode().strip(),
        )
        done = verify_identity(bundle, root, wanted, digest=digest)
    if done.envelope is not None:
        subjects = json.loads(done.envelope.payload)["subject"]
        assert digest.hex() in {one["digest"]["sha256"] for one in subjects}


@pytest.mark.parametrize("case", [c for c in CASES if not c.endswith("_fail")])
def test_what_must_verify_does(case: str) -> None:
    judged(case)


@pytest.mark.parametrize("case", [c for c in CASES if c.endswith("_fail")])
def test_what_must_not_is_refused(case: str) -> None:
    with pytest.raises(VerificationFailed) as caught:
        judged(case)
    if case in CODES:
        assert caught.value.code == CODES[case], caught.value


def test_the_corpus_is_whole() -> None:
    assert len(CASES) == 70
    assert set(CODES) <= set(CASES)
