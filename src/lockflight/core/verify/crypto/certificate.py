"""X.509 certificates of signers and authorities (RFC 5280): paths, usages, identities, at a trusted time.

Values in, verdict out; `cryptography` reads the DER. Only what signing needs is allowed: an extension that is critical
and not understood here refuses the certificate, so do name constraints and policies that would have to be enforced.
"""

from __future__ import annotations

import base64
import hashlib
import re
from functools import lru_cache
from typing import TYPE_CHECKING, Final, TypeVar

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, ExtensionOID, ObjectIdentifier

from lockflight.core.records import dataclass
from lockflight.core.verify.crypto.der import UTF8_STRING, context, read
from lockflight.core.verify.crypto.keys import PublicKey, load_der
from lockflight.errors import VerificationFailed

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

MAX_CERTIFICATE_BYTES = 16 * 1024
_ECDSA: Final = "1.2.840.10045.4."
_AUTHORITY_KEY: Final = ExtensionOID.AUTHORITY_KEY_IDENTIFIER.dotted_string
#: `[2] IMPLICIT CertificateSerialNumber` in it.
_SERIAL: Final = context(2, constructed=False)
_BEGIN: Final = b"-----BEGIN CERTIFICATE-----"
_PEM: Final = re.compile(_BEGIN + rb"\s([A-Za-z0-9+/=\s]*)-----END CERTIFICATE-----")
#: Certificates between a leaf and its root, both included.
MAX_PATH = 6
MIN_RSA_BITS = 2048

CODE_SIGNING: Final = ExtendedKeyUsageOID.CODE_SIGNING.dotted_string
TIME_STAMPING: Final = ExtendedKeyUsageOID.TIME_STAMPING.dotted_string
#: Fulcio's OID registry: what an authority says of the signer beside the name.
FULCIO: Final = "1.3.6.1.4.1.57264.1"
#: Who proved the identity to the authority: the first is raw text, the second a UTF8String.
ISSUER_V1: Final = f"{FULCIO}.1"
ISSUER_V2: Final = f"{FULCIO}.8"
_OTHER_NAME: Final = f"{FULCIO}.7"
SCT_LIST: Final = ExtensionOID.PRECERT_SIGNED_CERTIFICATE_TIMESTAMPS.dotted_string

_UNDERSTOOD: Final = frozenset(
    {
        ExtensionOID.BASIC_CONSTRAINTS.dotted_string,
        ExtensionOID.KEY_USAGE.dotted_string,
        ExtensionOID.EXTENDED_KEY_USAGE.dotted_string,
        ExtensionOID.SUBJECT_ALTERNATIVE_NAME.dotted_string,
        ExtensionOID.SUBJECT_KEY_IDENTIFIER.dotted_string,
        ExtensionOID.AUTHORITY_KEY_IDENTIFIER.dotted_string,
    }
)
_STRONG: Final = (hashes.SHA256, hashes.SHA384, hashes.SHA512)


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate as read; nothing about it is believed yet.

    Attributes:
        der: its bytes.
        begins, ends: validity in Unix seconds, both included.
    """

    der: bytes
    begins: int
    ends: int

    @property
    def x509(self) -> x509.Certificate:
        """The parsed form."""
        return _parsed(self.der)

    @property
    def public_der(self) -> bytes:
        """SubjectPublicKeyInfo."""
        return self.x509.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)

    @property
    def digest(self) -> str:
        """Hex SHA-256 of the bytes."""
        return hashlib.sha256(self.der).hexdigest()

    @property
    def subject(self) -> str:
        """The subject for people; empty where only the alternative name says who it is."""
        return self.x509.subject.rfc4514_string()

    def key(self) -> PublicKey:
        """The key of a signer.

        Raises:
            VerificationFailed: LF7001 to LF7003.
        """
        return load_der(self.public_der)

    def extension(self, dotted: str) -> bytes | None:
        """The raw value of an extension; None where the certificate has none of that kind."""
        for extension in self.x509.extensions:
            if extension.oid.dotted_string == dotted:
                value = extension.value
                return value.value if isinstance(value, x509.UnrecognizedExtension) else value.public_bytes()
        return None


def load_certificate(der: bytes, *, what: str = "certificate") -> Certificate:
    """Read a certificate.

    Args:
        der: its bytes.
        what: name for messages.

    Raises:
        VerificationFailed: LF7400 it does not read as X.509 version 3.
    """
    try:
        if len(der) > MAX_CERTIFICATE_BYTES:
            raise ValueError(f"it is longer than {MAX_CERTIFICATE_BYTES} bytes")
        parsed = _parsed(der)
        if parsed.version is not x509.Version.v3:
            raise ValueError("it is not of version 3")
        # The library reads names and extensions when they are asked for: once here, so that no later look raises.
        _ = (parsed.issuer, parsed.subject)
        list(parsed.extensions)
        parsed.public_key()
        _ = parsed.signature_hash_algorithm
        begins, ends = parsed.not_valid_before_utc, parsed.not_valid_after_utc
    except (
        ValueError,
        TypeError,
        UnsupportedAlgorithm,
        x509.DuplicateExtension,
        x509.InvalidVersion,
    ) as error:
        raise VerificationFailed("LF7400", f"The {what} does not read: {error}.") from error
    return Certificate(der, int(begins.timestamp()), int(ends.timestamp()))


def load_pem_certificates(data: bytes) -> tuple[Certificate, ...]:
    """Read certificates in PEM, one after the other.

    Raises:
        VerificationFailed: LF7400 there is none, or one does not read.
    """
    try:
        found = [base64.b64decode(b"".join(body.split()), validate=True) for body in _PEM.findall(data)]
        if not found or len(found) != data.count(_BEGIN):
            raise ValueError("no block begins and ends as one does, or one of them does not")
    except ValueError as error:
        raise VerificationFailed("LF7400", f"It holds no certificates in PEM: {error}.") from error
    return tuple(load_certificate(one) for one in found)


def _check_form(der: bytes) -> None:
    """Refuse what RFC 5280 §4.1.2.2 and RFC 5758 §3.2 forbid and the library reads with a warning.

    Raises:
        ValueError: not DER, a serial number that is not positive, or ECDSA with parameters.
    """
    body, algorithm, _ = read(der).children()
    fields = body.children()
    if fields and fields[0].tag == context(0):
        fields = fields[1:]
    serial, signed_with = fields[:2]
    if serial.integer() <= 0:
        raise ValueError("its serial number is not positive")
    for one in (signed_with, algorithm):
        name, *parameters = one.children()
        if parameters and name.oid().startswith(_ECDSA):
            raise ValueError("its ECDSA signature has parameters")
    for extension in (
        one for field in fields if field.tag == context(3) for one in read(field.content).children()
    ):
        name, *_, value = extension.children()
        if name.oid() == _AUTHORITY_KEY:
            serials = [one.content for one in read(value.content).children() if one.tag == _SERIAL]
            if any(int.from_bytes(one, "big", signed=True) <= 0 for one in serials):
                raise ValueError("it names its authority by a serial number that is not positive")


@lru_cache(maxsize=256)
def _parsed(der: bytes) -> x509.Certificate:
    _check_form(der)
    return x509.load_der_x509_certificate(der)


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a certificate speaks for.

    Attributes:
        name: the one subject alternative name: an e-mail address, a URI, or a name of an OIDC issuer.
        kind: `email`, `uri` or `other`.
        issuer: who proved it to the authority; empty where the certificate does not say.
    """

    name: str
    kind: str
    issuer: str


def identity_of(certificate: Certificate) -> Identity:
    """The identity of a leaf.

    Raises:
        VerificationFailed: LF7404 none, or several.
    """
    try:
        names = list(certificate.x509.extensions.get_extension_for_class(x509.SubjectAlternativeName).value)
    except x509.ExtensionNotFound:
        names = []
    if len(names) != 1:
        raise VerificationFailed(
            "LF7404", f"The certificate names {len(names)} identities; exactly one is expected."
        )
    name = names[0]
    issuer = _issuer(certificate)
    if isinstance(name, x509.RFC822Name):
        return Identity(name.value, "email", issuer)
    if isinstance(name, x509.UniformResourceIdentifier):
        return Identity(name.value, "uri", issuer)
    if isinstance(name, x509.OtherName) and name.type_id == ObjectIdentifier(_OTHER_NAME):
        return Identity(_utf8(name.value), "other", issuer)
    raise VerificationFailed("LF7404", "The certificate's identity is neither an e-mail address nor a URI.")


def _issuer(certificate: Certificate) -> str:
    newer, older = certificate.extension(ISSUER_V2), certificate.extension(ISSUER_V1)
    said = {_utf8(newer)} if newer is not None else set()
    if older is not None:
        try:
            said.add(older.decode("utf-8"))
        except UnicodeDecodeError:
            said.add("")
    if len(said) > 1:
        raise VerificationFailed("LF7404", "The certificate names two issuers of its identity.")
    return next(iter(said), "")


def _utf8(der: bytes) -> str:
    try:
        return read(der).need(UTF8_STRING).content.decode("utf-8")
    except ValueError as error:
        raise VerificationFailed(
            "LF7404", f"A name in the certificate is not a UTF8String: {error}."
        ) from error


def check_leaf(certificate: Certificate, usage: str, *, authority: bool = False) -> None:
    """See that a certificate is for signing of one kind, and is no authority.

    Args:
        certificate: the leaf.
        usage: `CODE_SIGNING` or `TIME_STAMPING`; for the latter it must be the only one, and critical (RFC 3161 §2.3).
        authority: let it say that it is one; its key must still be for signatures only.

    Raises:
        VerificationFailed: LF7403.
    """
    extensions = certificate.x509.extensions
    problem = _strange(certificate)
    constraints = _find(certificate, x509.BasicConstraints)
    if constraints is not None and constraints.ca and not authority:
        problem = problem or "it is an authority's, not a signer's"
    key_usage = _find(certificate, x509.KeyUsage)
    if key_usage is None or not key_usage.digital_signature or key_usage.key_cert_sign:
        problem = problem or "its key is not for signatures only"
    try:
        extended = extensions.get_extension_for_class(x509.ExtendedKeyUsage)
        usages = [one.dotted_string for one in extended.value]
        if usage not in usages:
            problem = problem or "it is not for this use"
        if usage == TIME_STAMPING and (usages != [usage] or not extended.critical):
            problem = problem or "it is not for time stamps alone"
    except x509.ExtensionNotFound:
        problem = problem or "it does not say what it is for"
    if problem:
        raise VerificationFailed("LF7403", f"The certificate may not be used so: {problem}.")


def check_path(
    leaf: Certificate, others: Sequence[Certificate], roots: Iterable[Certificate], at: int
) -> tuple[Certificate, ...]:
    """Find a path from a leaf to a trusted root and check all of it at one time.

    Args:
        leaf: the signer's certificate.
        others: certificates that may stand between.
        roots: what is trusted; an intermediate may be, too.
        at: trusted time in Unix seconds.

    Returns:
        The path, leaf first.

    Raises:
        VerificationFailed: LF7401 no path, LF7402 a certificate of the path was not valid then, LF7405 an authority
            of it may not issue.
    """
    trusted = {root.digest: root for root in roots}
    path = [leaf]
    while path[-1].digest not in trusted:
        issuer = next(
            (
                one
                for one in (*trusted.values(), *others[:MAX_PATH])
                if one.digest not in {c.digest for c in path} and issued_by(path[-1], one)
            ),
            None,
        )
        if issuer is None or len(path) >= MAX_PATH:
            raise VerificationFailed(
                "LF7401",
                "The certificate was not issued by an authority that is trusted here.",
                hint="Check which trust root belongs to this signer.",
            )
        path.append(issuer)
    for place, one in enumerate(path):
        if not one.begins <= at <= one.ends:
            raise VerificationFailed(
                "LF7402",
                "The signer's certificate was not valid at the proven time of the signature."
                if not place
                else "An authority's certificate was not valid at the proven time of the signature.",
                details={"at": at, "begins": one.begins, "ends": one.ends},
            )
        if place:
            _check_authority(one, below=place - 1)
    return tuple(path)


def issued_by(certificate: Certificate, issuer: Certificate) -> bool:
    """Whether a certificate carries the signature of another one's key, under its name, in a strong form."""
    return _issued(certificate.der, issuer.der)


@lru_cache(maxsize=256)
def _issued(issued: bytes, by: bytes) -> bool:
    """The same from the bytes: the upper half of every path is one pair of certificates."""
    child, parent = _parsed(issued), _parsed(by)
    digest = child.signature_hash_algorithm
    # Ed25519 hashes by itself and has no algorithm of its own.
    if child.issuer != parent.subject or not (digest is None or isinstance(digest, _STRONG)):
        return False
    key = parent.public_key()
    if isinstance(key, RSAPublicKey) and key.key_size < MIN_RSA_BITS:
        return False
    try:
        child.verify_directly_issued_by(parent)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True


def _check_authority(certificate: Certificate, *, below: int) -> None:
    """See that an authority may issue what stands below it; `below` counts the authorities between it and the leaf."""
    problem = _strange(certificate)
    constraints = _find(certificate, x509.BasicConstraints)
    if constraints is None or not constraints.ca:
        problem = problem or "it is no authority"
    elif constraints.path_length is not None and below > constraints.path_length:
        problem = problem or "its path is longer than it allows"
    usage = _find(certificate, x509.KeyUsage)
    if usage is None or not usage.key_cert_sign:
        problem = problem or "its key is not for certificates"
    if problem:
        raise VerificationFailed(
            "LF7405", f"The certificate of {certificate.subject or 'an authority'} may not issue: {problem}."
        )


def _strange(certificate: Certificate) -> str:
    for extension in certificate.x509.extensions:
        dotted = extension.oid.dotted_string
        if (extension.critical and dotted not in _UNDERSTOOD) or isinstance(
            extension.value, x509.NameConstraints
        ):
            return f"it has the extension {dotted}, which is not understood here"
    return ""


E = TypeVar("E", bound=x509.ExtensionType)


def _find(certificate: Certificate, kind: type[E]) -> E | None:
    try:
        return certificate.x509.extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None
