"""Signed certificate timestamps inside of certificates (RFC 6962 §3.2, §3.3): promises to show them in a log."""

from __future__ import annotations

import hashlib
import struct
from typing import TYPE_CHECKING

from lockflight.core.records import dataclass
from lockflight.core.verify.crypto.certificate import SCT_LIST
from lockflight.core.verify.crypto.der import OCTET_STRING, read
from lockflight.errors import VerificationFailed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lockflight.core.verify.crypto.certificate import Certificate
    from lockflight.core.verify.crypto.keys import PublicKey

MAX_SCTS = 8
_V1 = 0
_PRECERTIFICATE = 1
#: SignatureAndHashAlgorithm (RFC 5246 §7.4.1.4.1): SHA-256 with ECDSA; Ed25519 as in RFC 8446.
_SCHEMES = {b"\x04\x03", b"\x08\x07"}


@dataclass(frozen=True, slots=True)
class Sct:
    """One timestamp of a certificate.

    Attributes:
        log_id: SHA-256 of the log's public key (32 bytes).
        time_ms: Unix milliseconds.
        extensions: as they are signed.
        signature: over the precertificate.
    """

    log_id: bytes
    time_ms: int
    extensions: bytes
    signature: bytes


def precertificate_bytes(tbs: bytes, issuer_der: bytes, time_ms: int, extensions: bytes = b"") -> bytes:
    """What an SCT signs.

    Args:
        tbs: the certificate's TBSCertificate without the SCT extension.
        issuer_der: SubjectPublicKeyInfo of the authority that issues it.
        time_ms: Unix milliseconds.
        extensions: of the SCT.
    """
    return (
        struct.pack("!BBQH", _V1, 0, time_ms, _PRECERTIFICATE)
        + hashlib.sha256(issuer_der).digest()
        + len(tbs).to_bytes(3, "big")
        + tbs
        + struct.pack("!H", len(extensions))
        + extensions
    )


def scts_of(certificate: Certificate) -> tuple[Sct, ...]:
    """The timestamps in a certificate; empty where it has none.

    Raises:
        VerificationFailed: LF7410 they do not read.
    """
    body = certificate.extension(SCT_LIST)
    if body is None:
        return ()
    try:
        # cryptography hands the list over with its OCTET STRING still around it.
        return tuple(_read(item) for item in _list(read(body).need(OCTET_STRING).content))
    except (ValueError, struct.error) as error:
        raise VerificationFailed(
            "LF7410", f"The timestamps in the certificate do not read: {error}."
        ) from error


def _list(data: bytes) -> list[bytes]:
    (length,) = struct.unpack_from("!H", data)
    if length != len(data) - 2 or not length:
        raise ValueError("their list has another length than it says")
    items: list[bytes] = []
    at = 2
    while at < len(data):
        (size,) = struct.unpack_from("!H", data, at)
        item = data[at + 2 : at + 2 + size]
        if len(item) != size or len(items) >= MAX_SCTS:
            raise ValueError("one is cut off, or there are too many")
        items.append(item)
        at += 2 + size
    return items


def _read(item: bytes) -> Sct:
    version, log_id, time_ms, count = struct.unpack_from("!B32sQH", item)
    at = 43
    extensions = item[at : at + count]
    at += count
    scheme, (length,) = item[at : at + 2], struct.unpack_from("!H", item, at + 2)
    signature = item[at + 4 :]
    if version != _V1 or len(extensions) != count or scheme not in _SCHEMES or len(signature) != length:
        raise ValueError("one is of another version or algorithm, or has another length than it says")
    return Sct(log_id, time_ms, extensions, signature)


def verify_scts(
    certificate: Certificate, issuer: Certificate, logs: Mapping[bytes, tuple[PublicKey, int, int]]
) -> Sct:
    """See that a trusted certificate log has promised to show a certificate.

    Args:
        certificate: the signer's.
        issuer: the authority's, which issued it.
        logs: log id (SHA-256 of the public key) to key and validity (Unix seconds, both included).

    Returns:
        The first timestamp that verifies.

    Raises:
        VerificationFailed: LF7410 they do not read, LF7411 there is none of a log that is trusted here, LF7412 one
            of such a log does not verify.
    """
    found = [sct for sct in scts_of(certificate) if sct.log_id in logs]
    if not found:
        raise VerificationFailed(
            "LF7411",
            "No certificate log that is trusted here has seen the certificate.",
            hint="Check which trust root belongs to this signer.",
        )
    tbs = certificate.x509.tbs_precertificate_bytes
    for sct in found:
        key, begins, ends = logs[sct.log_id]
        signed = precertificate_bytes(tbs, issuer.public_der, sct.time_ms, sct.extensions)
        if not begins <= sct.time_ms // 1000 <= ends or not key.verify(signed, sct.signature):
            raise VerificationFailed(
                "LF7412", "A timestamp of the certificate is not of the certificate log that it names."
            )
    return found[0]
