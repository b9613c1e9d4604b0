"""Public keys: ECDSA over P-256, P-384 and P-521, and Ed25519. Nothing else is read.

A key is its DER SubjectPublicKeyInfo in the one form that signers write (named curve, uncompressed point), so
that one key has one id.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from lockflight.core.records import dataclass
from lockflight.core.verify.crypto import ed25519
from lockflight.errors import VerificationFailed

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePublicKey
    from cryptography.hazmat.primitives.hashes import HashAlgorithm

MAX_PEM_BYTES = 4096

P256: Final = "ecdsa-p256"
P384: Final = "ecdsa-p384"
P521: Final = "ecdsa-p521"
ED25519: Final = "ed25519"


@dataclass(frozen=True, slots=True)
class _Form:
    """How one algorithm is written: fixed head of the DER, length of the key after it, name in the log."""

    head: bytes
    tail: int
    details: str


# SubjectPublicKeyInfo: RFC 5480 §2 (id-ecPublicKey with a named curve; 0x04 opens an uncompressed point), RFC
# 8410 §4. Names: `PublicKeyDetails` of sigstore's protobuf-specs.
_FORMS: Final[dict[str, _Form]] = {
    P256: _Form(
        bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d03010703420004"), 64, "PKIX_ECDSA_P256_SHA_256"
    ),
    P384: _Form(
        bytes.fromhex("3076301006072a8648ce3d020106052b8104002203620004"), 96, "PKIX_ECDSA_P384_SHA_384"
    ),
    P521: _Form(
        bytes.fromhex("30819b301006072a8648ce3d020106052b810400230381860004"), 132, "PKIX_ECDSA_P521_SHA_512"
    ),
    ED25519: _Form(bytes.fromhex("302a300506032b6570032100"), 32, "PKIX_ED25519"),
}

#: Orders of the curves (SEC 2 §2.4.2, §2.5.1, §2.6.1).
ORDERS: Final = {
    P256: 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551,
    P384: int("f" * 48 + "c7634d81f4372ddf581a0db248b0a77aecec196accc52973", 16),
    P521: int("1" + "f" * 65 + "a51868783bf2f966b7fcc0148f709a5d03bb5c9b8899c47aebb6fb71e91386409", 16),
}

_PEM = re.compile(
    r"\s*-----BEGIN PUBLIC KEY-----[ \t]*\r?\n([A-Za-z0-9+/=\r\n]+?)\r?\n-----END PUBLIC KEY-----\s*",
    re.ASCII,
)


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A public key; made by `load_der`, `load_pem` or `from_ed25519`.

    Attributes:
        der: SubjectPublicKeyInfo.
        keyid: hex SHA-256 of `der`.
        algorithm: one of `P256`, `P384`, `P521`, `ED25519`.
    """

    der: bytes
    keyid: str
    algorithm: str

    @property
    def raw(self) -> bytes:
        """The key without its DER head: 32 bytes for Ed25519, x and y for ECDSA."""
        return self.der[len(_FORMS[self.algorithm].head) :]

    @property
    def key_details(self) -> str:
        """The name of algorithm and hash in log entries, such as `PKIX_ECDSA_P256_SHA_256`."""
        return _FORMS[self.algorithm].details

    @property
    def pem(self) -> str:
        """PEM text (RFC 7468): lines of 64 characters, a newline at the end."""
        body = base64.b64encode(self.der).decode()
        lines = [body[i : i + 64] for i in range(0, len(body), 64)]
        return "\n".join(["-----BEGIN PUBLIC KEY-----", *lines, "-----END PUBLIC KEY-----", ""])

    def verify(self, message: bytes, signature: bytes) -> bool:
        """Whether `signature` over `message` is of this key.

        ECDSA signatures are strict DER over the curve's SHA-2 hash (SHA-256, SHA-384, SHA-512). As in the
        standard, (r, s) and (r, n - s) are both signatures of the same message; a digest of the signature
        identifies nothing.
        """
        if self.algorithm == ED25519:
            return ed25519.verify(self.raw, signature, message)
        from cryptography.exceptions import InvalidSignature

        key, scheme = _ecdsa(self.der)
        try:
            key.verify(signature, message, scheme)
        except InvalidSignature:
            return False
        return True

    def verify_digest(self, digest: bytes, signature: bytes) -> bool:
        """Whether `signature` is of this key over something with that SHA-256; only P-256 signs by that digest."""
        if self.algorithm != P256:
            return False
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
        from cryptography.hazmat.primitives.asymmetric.utils import Prehashed

        key, _ = _ecdsa(self.der)
        try:
            key.verify(signature, digest, ECDSA(Prehashed(hashes.SHA256())))
        except (InvalidSignature, ValueError):
            return False
        return True

    def verify_sha256(self, message: bytes, signature: bytes) -> bool:
        """Whether an ECDSA signature over the SHA-256 of a message is of this key, whatever its curve.

        Only tools before OpenSSF Model Signing 1.0 sign so; `verify` takes the hash that belongs to the curve.
        """
        if self.algorithm == ED25519:
            return False
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.asymmetric.ec import ECDSA

        key, _ = _ecdsa(self.der)
        try:
            key.verify(signature, message, ECDSA(hashes.SHA256()))
        except InvalidSignature:
            return False
        return True

    def lowest(self, signature: bytes) -> bool:
        """Whether a signature is the one of (r, s) and (r, n - s) with the lower s; Ed25519 has no second one."""
        if self.algorithm == ED25519:
            return True
        from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

        try:
            return decode_dss_signature(signature)[1] <= ORDERS[self.algorithm] // 2
        except ValueError:
            return False

    def lower(self, signature: bytes) -> bytes:
        """The lower form of a DER signature of this ECDSA key; that of Ed25519 stays as it is."""
        if self.lowest(signature):
            return signature
        from cryptography.hazmat.primitives.asymmetric.utils import (
            decode_dss_signature,
            encode_dss_signature,
        )

        r, s = decode_dss_signature(signature)
        return encode_dss_signature(r, ORDERS[self.algorithm] - s)


def load_der(der: bytes) -> PublicKey:
    """Read a SubjectPublicKeyInfo.

    Raises:
        VerificationFailed: LF7001 not a public key in its standard form, LF7002 another algorithm, LF7003 a
            point that is not on the curve or of low order.
    """
    for algorithm, form in _FORMS.items():
        if der.startswith(form.head) and len(der) == len(form.head) + form.tail:
            key = PublicKey(der, hashlib.sha256(der).hexdigest(), algorithm)
            _check_point(key)
            return key
    if any(oid in der[:40] for oid in _OTHER_ALGORITHMS):
        raise VerificationFailed(
            "LF7002",
            "The public key is of a kind that is not used here: only ECDSA P-256, P-384, P-521 and Ed25519 "
            "are.",
            hint="Sign with a key of one of these kinds, such as P-256.",
        )
    raise VerificationFailed(
        "LF7001",
        f"These {len(der)} bytes are not a public key in its standard form (DER SubjectPublicKeyInfo).",
        hint="openssl pkey -pubin -in KEY -pubout",
    )


# OIDs of RSA and its PSS form, Ed448, X25519, X448, ML-DSA and SLH-DSA, DSA, and EC keys on other curves or
# in other forms: named so that the refusal says what is wrong.
_OTHER_ALGORITHMS: Final = tuple(
    bytes.fromhex(h)
    for h in ("06092a864886f70d0101", "06032b6571", "06032b656e", "06032b656f", "06096086480165030403",
              "06072a8648ce380401", "06072a8648ce3d0201")
)  # fmt: skip


def _check_point(key: PublicKey) -> None:
    if key.algorithm == ED25519:
        sound = ed25519.sound_point(key.raw)
    else:
        try:
            _ecdsa(key.der)
            sound = True
        except ValueError:
            sound = False
    if not sound:
        raise VerificationFailed(
            "LF7003",
            "The public key is not a sound point of its curve; signatures under it could mean anything.",
            hint="Do not use this key; ask its owner for another.",
        )


def ecdsa(algorithm: HashAlgorithm) -> ECDSA:
    """ECDSA with a hash; the same as the library's own, which would load RSA and all ciphers before it says so."""
    from cryptography.hazmat.primitives.asymmetric import ec

    class Scheme(ec.ECDSA):
        def __init__(self) -> None:
            """The library looks here whether it could sign without randomness, which nobody asks for."""

        @property
        def algorithm(self) -> HashAlgorithm:
            return algorithm

        @property
        def deterministic_signing(self) -> bool:
            return False

    return Scheme()


@lru_cache(maxsize=64)
def _ecdsa(der: bytes) -> tuple[EllipticCurvePublicKey, ECDSA]:
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec

    curves: dict[str, tuple[ec.EllipticCurve, hashes.HashAlgorithm]] = {
        P256: (ec.SECP256R1(), hashes.SHA256()),
        P384: (ec.SECP384R1(), hashes.SHA384()),
        P521: (ec.SECP521R1(), hashes.SHA512()),
    }
    for algorithm, (curve, digest) in curves.items():
        head = _FORMS[algorithm].head
        if der.startswith(head):
            point = b"\x04" + der[len(head) :]
            return ec.EllipticCurvePublicKey.from_encoded_point(curve, point), ecdsa(digest)
    raise ValueError("not an ECDSA key")


def load_pem(text: str | bytes) -> PublicKey:
    """Read one PEM `PUBLIC KEY` block with nothing around it but white space.

    Raises:
        VerificationFailed: as `load_der`.
    """
    try:
        plain = text if isinstance(text, str) else text.decode("ascii")
        match = _PEM.fullmatch(plain) if len(plain) <= MAX_PEM_BYTES else None
        der = base64.b64decode("".join(match[1].split()), validate=True) if match else b""
    except (UnicodeDecodeError, binascii.Error):
        der = b""
    if not der:
        raise VerificationFailed(
            "LF7001",
            "This is not a public key: one PEM block that begins with -----BEGIN PUBLIC KEY----- is "
            "expected.",
            hint="openssl pkey -in PRIVATE_KEY -pubout",
        )
    return load_der(der)


def from_ed25519(raw: bytes) -> PublicKey:
    """The key of 32 raw bytes.

    Raises:
        VerificationFailed: as `load_der`.
    """
    return load_der(_FORMS[ED25519].head + raw)


def from_point(algorithm: str, point: bytes) -> PublicKey:
    """The ECDSA key of an uncompressed point: x and y, each as long as the curve's field.

    Args:
        algorithm: `P256`, `P384` or `P521`.
        point: both coordinates, without the 0x04 before them.

    Raises:
        VerificationFailed: as `load_der`.
    """
    return load_der(_FORMS[algorithm].head + point)
