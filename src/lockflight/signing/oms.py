"""Signing releases and statements; bundles that stock OMS verifiers accept.

A bundle is a sigstore bundle v0.3 around a DSSE envelope (OpenSSF Model Signing v1.0, method `key`).
"""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING

from lockflight.core.attest.dsse import PAYLOAD_TYPE, Envelope, pae
from lockflight.core.verify.bundle import MEDIA_TYPE, TlogEntry, pem_hint
from lockflight.core.verify.crypto.keys import load_pem

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lockflight.core.attest.statement import Statement
    from lockflight.core.canonical import JsonObject, JsonValue
    from lockflight.core.ports import Signer
    from lockflight.core.release.release import Release


def sign_payload(payload: bytes, signer: Signer) -> Envelope:
    """An envelope over `payload`, with the id of the signer's key as the hint."""
    return Envelope(payload, signer.sign(pae(PAYLOAD_TYPE, payload)), signer.keyid)


def sign_release(release: Release, signer: Signer) -> Envelope:
    """The envelope that signs a release: its payload is the release's own."""
    return sign_payload(release.payload, signer)


def sign_statement(statement: Statement, signer: Signer) -> Envelope:
    """The envelope over a statement in canonical form."""
    return sign_payload(statement.payload(), signer)


def make_bundle(envelope: Envelope, public_pem: str, tlog: TlogEntry | None = None) -> bytes:
    """The bundle (`model.sig`) of a signed release: compact JSON, a newline at the end.

    Args:
        envelope: the signed statement.
        public_pem: the signer's public key; stock verifiers compare the hint with the SHA-256 of this very
            text.
        tlog: where the log holds the envelope, if it does.

    Raises:
        VerificationFailed: LF7001 to LF7003 not a public key.
    """
    return _bundle(envelope, {"publicKey": {"hint": pem_hint(load_pem(public_pem))}}, tlog, b"")


def make_identity_bundle(envelope: Envelope, certificate: bytes, tlog: TlogEntry, stamp: bytes) -> bytes:
    """The bundle of a release that was signed under a short-lived certificate.

    Args:
        envelope: the signed statement.
        certificate: the leaf, DER; its authority is in the verifier's trust root.
        tlog: where the log holds the envelope.
        stamp: TimeStampResp (DER) over the signature.
    """
    return _bundle(envelope, {"certificate": {"rawBytes": _b64(certificate)}}, tlog, stamp)


def make_chain_bundle(envelope: Envelope, chain: Sequence[bytes], stamp: bytes = b"") -> bytes:
    """The bundle of a release signed under a certificate of somebody's own authority: OMS method `certificate`.

    Args:
        envelope: the signed statement.
        chain: certificates, DER: the signer's first, then those above, without the root that verifiers trust.
        stamp: TimeStampResp (DER) over the signature; empty for none.
    """
    certificates: JsonValue = [{"rawBytes": _b64(one)} for one in chain]
    return _bundle(envelope, {"x509CertificateChain": {"certificates": certificates}}, None, stamp)


def _bundle(envelope: Envelope, signer: JsonObject, tlog: TlogEntry | None, stamp: bytes) -> bytes:
    signature = {"sig": _b64(envelope.signature)}
    if envelope.keyid:
        signature["keyid"] = envelope.keyid
    stamps = {"timestampVerificationData": {"rfc3161Timestamps": [{"signedTimestamp": _b64(stamp)}]}}
    bundle = {
        "mediaType": MEDIA_TYPE,
        "verificationMaterial": {
            **signer,
            "tlogEntries": [tlog.to_json()] if tlog else [],
            **(stamps if stamp else {}),
        },
        "dsseEnvelope": {
            "payload": _b64(envelope.payload),
            "payloadType": envelope.payload_type,
            "signatures": [signature],
        },
    }
    return json.dumps(bundle, separators=(",", ":"), ensure_ascii=True).encode() + b"\n"


def _b64(data: bytes) -> str:
    return base64.b64encode(data).decode()
