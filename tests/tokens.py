"""Identity tokens as issuers make them: real keys, real signatures, and every way to get one wrong.

Nothing of the code under test is used to make them.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
from dataclasses import dataclass
from functools import cache
from typing import Any

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

AUDIENCE = "https://realm.acme.example"
GITHUB = "https://token.actions.githubusercontent.com"
GITLAB = "https://gitlab.acme.example"
CLUSTER = "https://kubernetes.default.svc.cluster.local"
SPIFFE = "https://spire.acme.example"
OTHER = "https://id.acme.example/realms/build"

_CURVES = {"ES256": ec.SECP256R1, "ES384": ec.SECP384R1, "ES512": ec.SECP521R1}
_NAMES = {"ES256": "P-256", "ES384": "P-384", "ES512": "P-521"}
_HASHES = {"256": hashes.SHA256, "384": hashes.SHA384, "512": hashes.SHA512}


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def number(value: int) -> str:
    return b64(value.to_bytes((value.bit_length() + 7) // 8, "big"))


@cache
def key(name: str) -> Any:
    """A private key by name: `rsa`, `rsa-2`, `rsa-1024`, `ES256`, `EdDSA` …; the same within one run."""
    kind = name.partition("+")[0]
    if kind in _CURVES:
        return ec.generate_private_key(_CURVES[kind]())
    if kind == "EdDSA":
        return ed25519.Ed25519PrivateKey.generate()
    bits = int(kind.partition("-")[2] or 2048) // 8 * 8
    return rsa.generate_private_key(65_537, bits)


def jwk(name: str, kid: str, **more: Any) -> dict[str, Any]:
    """The public key as an issuer publishes it."""
    public = key(name).public_key()
    kind = name.partition("+")[0]
    if kind in _CURVES:
        numbers, size = public.public_numbers(), (public.key_size + 7) // 8
        point = {"x": b64(numbers.x.to_bytes(size, "big")), "y": b64(numbers.y.to_bytes(size, "big"))}
        return {"kty": "EC", "crv": _NAMES[kind], "kid": kid, **point, **more}
    if kind == "EdDSA":
        raw = public.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
        return {"kty": "OKP", "crv": "Ed25519", "kid": kid, "x": b64(raw), **more}
    numbers = public.public_numbers()
    return {"kty": "RSA", "kid": kid, "n": number(numbers.n), "e": number(numbers.e), **more}


def pem(name: str) -> bytes:
    return (
        key(name)
        .public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )


def signature(name: str, algorithm: str, signed: bytes) -> bytes:
    """As RFC 7518 and RFC 8037 say."""
    private = key(name)
    if algorithm.startswith("HS"):
        raise ValueError("secrets have no name: use `hs`")
    if algorithm == "EdDSA":
        return private.sign(signed)
    digest = _HASHES[algorithm[2:]]()
    if algorithm.startswith("ES"):
        r, s = decode_dss_signature(private.sign(signed, ec.ECDSA(digest)))
        size = (private.curve.key_size + 7) // 8
        return r.to_bytes(size, "big") + s.to_bytes(size, "big")
    if algorithm.startswith("PS"):
        return private.sign(signed, padding.PSS(padding.MGF1(digest), digest.digest_size), digest)
    return private.sign(signed, padding.PKCS1v15(), digest)


def parts(header: Any, claims: Any) -> str:
    """The first two parts; bytes are taken as they are."""
    raw = [part if isinstance(part, bytes) else json.dumps(part).encode() for part in (header, claims)]
    return ".".join(map(b64, raw))


def sealed(name: str, header: Any, claims: Any, algorithm: str = "") -> bytes:
    """A token; `algorithm` is what really signs, where the header lies."""
    algorithm = algorithm or header["alg"]
    signed = parts(header, claims)
    return f"{signed}.{b64(signature(name, algorithm, signed.encode()))}".encode()


def hs(header: Any, claims: Any, secret: bytes) -> bytes:
    """A token under a shared secret."""
    signed = parts(header, claims)
    digest = {"256": hashlib.sha256, "384": hashlib.sha384, "512": hashlib.sha512}[header["alg"][2:]]
    return f"{signed}.{b64(hmac.new(secret, signed.encode(), digest).digest())}".encode()


@dataclass(frozen=True)
class Maker:
    """An issuer of tests.

    Attributes:
        kind, url: as the realm knows it.
        signer: name of its key, whose kid is `k1`; `k2` is another of the same type.
        algorithm: with which it signs.
        claims: what a good token says beside times, issuer and audience.
        rule: exact values that a rule demands.
        with_id: whether its tokens have a `jti`.
    """

    kind: str
    url: str
    signer: str
    algorithm: str
    claims: dict[str, Any]
    rule: dict[str, str]
    with_id: bool

    @property
    def second(self) -> str:
        return f"{self.signer}+2"

    def keys(self) -> dict[str, Any]:
        return {"keys": [jwk(self.signer, "k1", use="sig"), jwk(self.second, "k2")]}

    def header(self, **more: Any) -> dict[str, Any]:
        return {"alg": self.algorithm, "typ": "JWT", "kid": "k1", **more}

    def good(self, now: int, **more: Any) -> dict[str, Any]:
        """Claims of a token that counts; None takes one away."""
        times = {"iat": now - 5, "nbf": now - 5, "exp": now + 295}
        once = {"jti": secrets.token_hex(16)} if self.with_id else {"nonce": secrets.token_hex(16)}
        every = {**self.claims, **once, **times, "iss": self.url, "aud": AUDIENCE, **more}
        return {name: value for name, value in every.items() if value is not None}

    def token(self, now: int, *, head: dict[str, Any] | None = None, **more: Any) -> bytes:
        return sealed(self.signer, self.header(**head or {}), self.good(now, **more))


SHA = "3f" * 20
WORKFLOW = "acme/five/.github/workflows/release.yml@refs/heads/main"
PIPELINE = "gitlab.acme.example/acme/five//.gitlab-ci.yml@refs/heads/main"
UID = "8b1f6c6e-0a0e-4f0b-9c55-0f6a1d2b3c4d"

MAKERS = {
    maker.kind: maker
    for maker in (
        Maker(
            "github",
            GITHUB,
            "rsa",
            "RS256",
            {
                "sub": "repo:acme/five:ref:refs/heads/main",
                "repository": "acme/five",
                "repository_id": "74",
                "repository_owner": "acme",
                "repository_owner_id": "1001",
                "repository_visibility": "private",
                "job_workflow_ref": WORKFLOW,
                "job_workflow_sha": SHA,
                "workflow_ref": WORKFLOW,
                "workflow_sha": SHA,
                "workflow": "release",
                "ref": "refs/heads/main",
                "ref_type": "branch",
                "ref_protected": "true",
                "head_ref": "",
                "base_ref": "",
                "sha": SHA,
                "event_name": "push",
                "run_id": "30433642",
                "run_number": "7",
                "run_attempt": "1",
                "runner_environment": "github-hosted",
                "actor": "octocat",
                "actor_id": "12",
            },
            {"repository_id": "74", "repository_owner_id": "1001", "job_workflow_ref": WORKFLOW},
            True,
        ),
        Maker(
            "gitlab",
            GITLAB,
            "rsa-3072",
            "RS256",
            {
                "sub": "project_path:acme/five:ref_type:branch:ref:main",
                "project_id": "22",
                "project_path": "acme/five",
                "namespace_id": "72",
                "namespace_path": "acme",
                "user_login": "dana",
                "user_email": "dana@acme.example",
                "pipeline_id": "1212",
                "pipeline_source": "push",
                "job_id": "1034",
                "ref": "main",
                "ref_type": "branch",
                "ref_path": "refs/heads/main",
                "ref_protected": "true",
                "runner_environment": "self-hosted",
                "sha": SHA,
                "ci_config_ref_uri": PIPELINE,
                "ci_config_sha": SHA,
            },
            {
                "project_id": "22",
                "namespace_id": "72",
                "ref_protected": "true",
                "ci_config_ref_uri": PIPELINE,
            },
            True,
        ),
        Maker(
            "kubernetes",
            CLUSTER,
            "rsa-2049",
            "RS256",
            {
                "sub": "system:serviceaccount:build:signer",
                "kubernetes.io": {
                    "namespace": "build",
                    "pod": {"name": "signer-1", "uid": "5e0bd49b-f040-43b0-99b7-22765a53f7f3"},
                    "serviceaccount": {"name": "signer", "uid": UID},
                },
            },
            {"kubernetes.io/namespace": "build", "kubernetes.io/serviceaccount/uid": UID},
            False,
        ),
        Maker(
            "spiffe",
            SPIFFE,
            "ES256",
            "ES256",
            {"sub": "spiffe://acme.example/ns/build/sa/signer"},
            {"sub": "spiffe://acme.example/ns/build/sa/signer"},
            False,
        ),
        Maker(
            "oidc",
            OTHER,
            "EdDSA",
            "EdDSA",
            {"sub": "service-account-signer", "azp": "signer"},
            {"sub": "service-account-signer", "azp": "signer"},
            True,
        ),
    )
}
