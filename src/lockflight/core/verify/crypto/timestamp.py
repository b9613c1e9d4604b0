"""Time stamps of RFC 3161 (CMS, RFC 5652; ESSCertIDv2, RFC 5816): when was something signed, says who?"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from lockflight.core.records import dataclass
from lockflight.core.verify.crypto import der
from lockflight.core.verify.crypto.certificate import (
    TIME_STAMPING,
    Certificate,
    check_leaf,
    check_path,
    issued_by,
    load_certificate,
)
from lockflight.errors import VerificationFailed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

MAX_STAMP_BYTES = 64 * 1024
MAX_CERTIFICATES = 8

SIGNED_DATA: Final = "1.2.840.113549.1.7.2"
TST_INFO: Final = "1.2.840.113549.1.9.16.1.4"
CONTENT_TYPE: Final = "1.2.840.113549.1.9.3"
MESSAGE_DIGEST: Final = "1.2.840.113549.1.9.4"
SIGNING_CERTIFICATE: Final = "1.2.840.113549.1.9.16.2.12"
SIGNING_CERTIFICATE_V2: Final = "1.2.840.113549.1.9.16.2.47"

#: SHA-1 serves only to name a certificate (ESSCertID, RFC 2634), never for what is signed.
DIGESTS: Final = {
    "2.16.840.1.101.3.4.2.1": "sha256",
    "2.16.840.1.101.3.4.2.2": "sha384",
    "2.16.840.1.101.3.4.2.3": "sha512",
}
_HASHES: Final[Mapping[str, Callable[[], hashes.HashAlgorithm]]] = {
    "sha256": hashes.SHA256,
    "sha384": hashes.SHA384,
    "sha512": hashes.SHA512,
}
#: Algorithms of signatures: what is hashed with what, or empty where the digest algorithm says it.
_SIGNATURES: Final = {
    "1.2.840.10045.4.3.2": "sha256",
    "1.2.840.10045.4.3.3": "sha384",
    "1.2.840.10045.4.3.4": "sha512",
    "1.2.840.113549.1.1.11": "sha256",
    "1.2.840.113549.1.1.12": "sha384",
    "1.2.840.113549.1.1.13": "sha512",
    "1.2.840.113549.1.1.1": "",
    "1.3.101.112": "",
}
_GRANTED = (0, 1)


@dataclass(frozen=True, slots=True)
class Authority:
    """A time-stamp authority that is trusted.

    Attributes:
        certificates: its chain, leaf first where the leaf is known, root last.
        begins, ends: when it is trusted, Unix seconds, both included.
    """

    certificates: tuple[Certificate, ...]
    begins: int
    ends: int


@dataclass(frozen=True, slots=True)
class Stamp:
    """A time stamp as read; nothing is verified yet.

    Attributes:
        time_ms: Unix milliseconds of `genTime`.
        digest_name: `sha256`, `sha384` or `sha512`.
        imprint: digest of what was stamped.
        serial: of the stamp.
        info: TSTInfo, the bytes that the signature covers through its digest.
        attributes: the signed attributes, as a SET.
        attribute_digest: digest algorithm of `MESSAGE_DIGEST`.
        named: algorithm and digest by which the signer's certificate is named.
        signer: issuer's name (DER) and serial number of the signer's certificate.
        scheme: hash of the signature.
        signature: over `attributes`.
        certificates: those that came along.
    """

    time_ms: int
    digest_name: str
    imprint: bytes
    serial: int
    info: bytes
    attributes: bytes
    attribute_digest: str
    named: tuple[str, bytes]
    signer: tuple[bytes, int]
    scheme: str
    signature: bytes
    certificates: tuple[Certificate, ...]


def read_stamp(data: bytes) -> Stamp:
    """Read a TimeStampResp strictly.

    Raises:
        VerificationFailed: LF7420 it does not read, LF7400 nor does a certificate in it.
    """
    try:
        if len(data) > MAX_STAMP_BYTES:
            raise ValueError(f"it is longer than {MAX_STAMP_BYTES} bytes")
        status, *rest = der.read(data).need(der.SEQUENCE).children()
        if status.need(der.SEQUENCE).children()[0].integer() not in _GRANTED or len(rest) != 1:
            raise ValueError("the authority granted none")
        return _token(rest[0])
    except (ValueError, IndexError) as error:
        raise VerificationFailed("LF7420", f"The time stamp does not read: {error}.") from error


def _token(content: der.Value) -> Stamp:
    kind, body = content.need(der.SEQUENCE).children()
    if kind.oid() != SIGNED_DATA:
        raise ValueError("it is no signed data")
    (signed,) = body.need(der.context(0)).children()
    _version, _algorithms, encapsulated, *more = signed.need(der.SEQUENCE).children()
    what, held = encapsulated.need(der.SEQUENCE).children()
    if what.oid() != TST_INFO:
        raise ValueError("what it signs is no time stamp")
    (octets,) = held.need(der.context(0)).children()
    info = octets.need(der.OCTET_STRING).content
    certificates: list[Certificate] = []
    if more and more[0].tag == der.context(0):
        certificates = [load_certificate(one.raw) for one in more.pop(0).children()[:MAX_CERTIFICATES]]
    if more and more[0].tag == der.context(1):
        more.pop(0)
    (infos,) = more
    (signer,) = infos.need(der.SET).children()
    return _signer(signer, info, tuple(certificates))


def _signer(value: der.Value, info: bytes, certificates: tuple[Certificate, ...]) -> Stamp:
    _version, sid, digest, attributes, scheme, signature, *unsigned = value.need(der.SEQUENCE).children()
    if len(unsigned) > 1 or (unsigned and unsigned[0].tag != der.context(1)):
        raise ValueError("the signer says more than is known")
    name, number = sid.need(der.SEQUENCE).children()
    named = attributes.need(der.context(0))
    values = _attributes(named)
    algorithm = _algorithm(digest)
    signed_with = scheme.need(der.SEQUENCE).children()[0].oid()
    if values[CONTENT_TYPE].oid() != TST_INFO or signed_with not in _SIGNATURES:
        raise ValueError("its signature is of an unknown kind")
    if values[MESSAGE_DIGEST].need(der.OCTET_STRING).content != hashlib.new(algorithm, info).digest():
        raise ValueError("what it signs is something else than what it holds")
    time_ms, digest_name, imprint, serial = _info(info)
    return Stamp(
        time_ms=time_ms,
        digest_name=digest_name,
        imprint=imprint,
        serial=serial,
        info=info,
        attributes=der.tlv(der.SET, named.content),
        attribute_digest=algorithm,
        named=_certificate_id(values),
        signer=(name.raw, number.integer()),
        scheme=_SIGNATURES[signed_with] or algorithm,
        signature=signature.need(der.OCTET_STRING).content,
        certificates=certificates,
    )


def _attributes(value: der.Value) -> dict[str, der.Value]:
    found: dict[str, der.Value] = {}
    for item in value.children():
        kind, values = item.need(der.SEQUENCE).children()
        (one,) = values.need(der.SET).children()
        if found.setdefault(kind.oid(), one) is not one:
            raise ValueError("an attribute is there twice")
    if missing := {CONTENT_TYPE, MESSAGE_DIGEST} - set(found):
        raise ValueError(f"the attribute {min(missing)} is missing")
    return found


def _certificate_id(values: dict[str, der.Value]) -> tuple[str, bytes]:
    """Digest of the signer's certificate: the first ESSCertIDv2, or ESSCertID (SHA-1) of older authorities."""
    if SIGNING_CERTIFICATE_V2 in values:
        first = values[SIGNING_CERTIFICATE_V2].need(der.SEQUENCE).children()[0]
        parts = first.need(der.SEQUENCE).children()[0].need(der.SEQUENCE).children()
        algorithm = "sha256"
        if parts[0].tag == der.SEQUENCE:
            algorithm = _algorithm(parts.pop(0))
        return algorithm, parts[0].need(der.OCTET_STRING).content
    if SIGNING_CERTIFICATE in values:
        first = values[SIGNING_CERTIFICATE].need(der.SEQUENCE).children()[0]
        parts = first.need(der.SEQUENCE).children()[0].need(der.SEQUENCE).children()
        return "sha1", parts[0].need(der.OCTET_STRING).content
    raise ValueError("it does not say whose certificate signed it")


def _algorithm(value: der.Value) -> str:
    dotted = value.need(der.SEQUENCE).children()[0].oid()
    if dotted not in DIGESTS:
        raise ValueError(f"the digest algorithm {dotted} is not used here")
    return DIGESTS[dotted]


def _info(data: bytes) -> tuple[int, str, bytes, int]:
    version, policy, imprint, serial, when, *optional = der.read(data).need(der.SEQUENCE).children()
    algorithm, digest = imprint.need(der.SEQUENCE).children()
    policy.oid()
    name, held = _algorithm(algorithm), digest.need(der.OCTET_STRING).content
    if version.integer() != 1 or len(held) != hashlib.new(name).digest_size:
        raise ValueError("its version or digest is not of RFC 3161")
    known = [der.SEQUENCE, der.BOOLEAN, der.INTEGER, der.context(0), der.context(1)]
    for value in optional:
        if value.tag not in known:
            raise ValueError("it says more than RFC 3161 knows, or in another order")
        if value.tag == der.context(1):
            raise ValueError("it has extensions, which are not read here")
        known = known[known.index(value.tag) + 1 :]
    return when.time_ms(), name, held, serial.integer()


def verify_stamp(data: bytes, stamped: bytes, authorities: Sequence[Authority]) -> int:
    """Check a time stamp.

    Args:
        data: a TimeStampResp, DER.
        stamped: the bytes that it is about.
        authorities: who is trusted for time.

    Returns:
        Unix milliseconds at which `stamped` existed.

    Raises:
        VerificationFailed: LF7420, LF7421 it is about something else, LF7422 it is of no trusted authority, LF7423
            its signature does not verify, LF7424 the authority is not trusted for that time; LF7402, LF7403, LF7405.
    """
    stamp = read_stamp(data)
    if hashlib.new(stamp.digest_name, stamped).digest() != stamp.imprint:
        raise VerificationFailed("LF7421", "The time stamp is about something else than this signature.")
    for authority in authorities:
        leaf = _leaf(stamp, authority)
        if leaf is None:
            continue
        at = stamp.time_ms // 1000
        if not _signed(stamp, leaf):
            raise VerificationFailed(
                "LF7423", "The time stamp was not signed by the authority that it names."
            )
        if not authority.begins <= at <= authority.ends:
            raise VerificationFailed("LF7424", "The time-stamp authority is not trusted for that time.")
        check_leaf(leaf, TIME_STAMPING)
        roots = [one for one in authority.certificates if one.digest != leaf.digest] or [leaf]
        check_path(leaf, authority.certificates, roots[-1:], at)
        return stamp.time_ms
    raise VerificationFailed(
        "LF7422",
        "The time stamp is of no authority that is trusted here.",
        hint="Check which trust root belongs to this signer.",
    )


def _leaf(stamp: Stamp, authority: Authority) -> Certificate | None:
    """The certificate that the stamp names, out of the authority's own chain, or brought along and issued by it."""
    algorithm, digest = stamp.named
    name, number = stamp.signer
    for one in (*authority.certificates, *stamp.certificates):
        parsed = one.x509
        if (
            hashlib.new(algorithm, one.der, usedforsecurity=False).digest() == digest
            and parsed.serial_number == number
            and parsed.issuer.public_bytes() == name
        ):
            known = one in authority.certificates or any(issued_by(one, c) for c in authority.certificates)
            return one if known else None
    return None


def _signed(stamp: Stamp, leaf: Certificate) -> bool:
    key, digest = leaf.x509.public_key(), _HASHES[stamp.scheme]()
    try:
        if isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(stamp.signature, stamp.attributes, ec.ECDSA(digest))
        elif isinstance(key, RSAPublicKey):
            key.verify(stamp.signature, stamp.attributes, padding.PKCS1v15(), digest)
        elif isinstance(key, Ed25519PublicKey):
            key.verify(stamp.signature, stamp.attributes)
        else:
            return False
    except InvalidSignature:
        return False
    return True
