"""A time-stamp authority (RFC 3161) in this process: it says when something was signed, under a key of its own."""

from __future__ import annotations

import hashlib
import secrets
from typing import TYPE_CHECKING, Final

from lockflight.core.records import dataclass
from lockflight.core.verify.crypto import der
from lockflight.core.verify.crypto.keys import P256, P384, P521
from lockflight.core.verify.crypto.timestamp import (
    CONTENT_TYPE,
    MESSAGE_DIGEST,
    SIGNED_DATA,
    SIGNING_CERTIFICATE_V2,
    TST_INFO,
)

if TYPE_CHECKING:
    from lockflight.core.verify.crypto.certificate import Certificate
    from lockflight.signing.keys import FileSigner

#: Under which rules the time is given: an arc of ours (UUID-based, ITU-T X.667).
POLICY: Final = "2.25.212345678901234567890123456789012345678"
_SHA256: Final = "2.16.840.1.101.3.4.2.1"
_HASHES: Final = {
    P256: (_SHA256, "sha256", "1.2.840.10045.4.3.2"),
    P384: ("2.16.840.1.101.3.4.2.2", "sha384", "1.2.840.10045.4.3.3"),
    P521: ("2.16.840.1.101.3.4.2.3", "sha512", "1.2.840.10045.4.3.4"),
}


@dataclass(frozen=True, slots=True)
class Stamper:
    """A time-stamp authority.

    Attributes:
        certificate: its own, for time stamps alone.
        signer: its key: ECDSA.
    """

    certificate: Certificate
    signer: FileSigner

    def stamp(self, data: bytes, now: int) -> bytes:
        """A TimeStampResp (DER) that `data` existed at `now` (Unix seconds)."""
        return self.respond(hashlib.sha256(data).digest(), now)

    def respond(self, digest: bytes, now: int, *, nonce: int | None = None) -> bytes:
        """The answer to a request about a SHA-256 (32 bytes).

        Args:
            digest: of what is stamped.
            now: Unix seconds.
            nonce: as asked; None for none.
        """
        digest_oid, digest_name, scheme = _HASHES[self.signer.public_key.algorithm]
        info = der.sequence(
            der.integer(1),
            der.oid(POLICY),
            der.sequence(_algorithm(_SHA256), der.tlv(der.OCTET_STRING, digest)),
            der.integer(secrets.randbits(63) | 1 << 62),
            der.generalized_time(now),
            *([der.integer(nonce)] if nonce is not None else []),
        )
        attributes = der.set_of(
            _attribute(CONTENT_TYPE, der.oid(TST_INFO)),
            _attribute(MESSAGE_DIGEST, der.tlv(der.OCTET_STRING, hashlib.new(digest_name, info).digest())),
            _attribute(
                SIGNING_CERTIFICATE_V2,
                der.sequence(
                    der.sequence(
                        # SHA-256 is the default of ESSCertIDv2, and a default is left out.
                        der.sequence(der.tlv(der.OCTET_STRING, hashlib.sha256(self.certificate.der).digest()))
                    )
                ),
            ),
        )
        parsed = self.certificate.x509
        signer = der.sequence(
            der.integer(1),
            der.sequence(parsed.issuer.public_bytes(), der.integer(parsed.serial_number)),
            _algorithm(digest_oid),
            bytes((der.context(0),)) + attributes[1:],
            der.sequence(der.oid(scheme)),
            der.tlv(der.OCTET_STRING, self.signer.sign(attributes)),
        )
        signed = der.sequence(
            der.integer(3),
            der.set_of(_algorithm(digest_oid)),
            der.sequence(der.oid(TST_INFO), der.tlv(der.context(0), der.tlv(der.OCTET_STRING, info))),
            der.tlv(der.context(0), self.certificate.der),
            der.set_of(signer),
        )
        token = der.sequence(der.oid(SIGNED_DATA), der.tlv(der.context(0), signed))
        return der.sequence(der.sequence(der.integer(0)), token)


def _algorithm(dotted: str) -> bytes:
    return der.sequence(der.oid(dotted))


def _attribute(dotted: str, value: bytes) -> bytes:
    return der.sequence(der.oid(dotted), der.set_of(value))
