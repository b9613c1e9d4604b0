"""Issuing certificates: a root, an authority below it, and leaves that live ten minutes (profile of Fulcio).

A leaf names one identity and who proved it, and carries the promise of a certificate log (RFC 6962) to show it.
"""

from __future__ import annotations

import hashlib
import struct
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_der_public_key
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

from lockflight.core.records import dataclass
from lockflight.core.verify.crypto import der
from lockflight.core.verify.crypto.certificate import (
    CODE_SIGNING,
    FULCIO,
    ISSUER_V1,
    ISSUER_V2,
    SCT_LIST,
    Certificate,
    Identity,
    load_certificate,
)
from lockflight.core.verify.public.sct import precertificate_bytes

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lockflight.signing.keys import FileSigner

LEAF_S: Final = 600
ROOT_S: Final = 10 * 365 * 86_400
INTERMEDIATE_S: Final = 90 * 86_400
STAMPER_S: Final = 5 * 365 * 86_400
#: Machines disagree about the time by less than this.
SKEW_S: Final = 60

_KEY_USAGES = (
    "digital_signature",
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "key_cert_sign",
    "crl_sign",
    "encipher_only",
    "decipher_only",
)


@dataclass(frozen=True, slots=True)
class CertificateAuthority:
    """What issues leaves: its certificate and key, and the key of its certificate log.

    Attributes:
        certificate: the authority's.
        signer: its key.
        log: key of the certificate log, another one.
    """

    certificate: Certificate
    signer: FileSigner
    log: FileSigner

    def issue(
        self, public_der: bytes, identity: Identity, now: int, notes: Iterable[tuple[int, str]] = ()
    ) -> Certificate:
        """A leaf for a key whose holder has proven who they are and that they hold it; callers see to both.

        Args:
            public_der: SubjectPublicKeyInfo of the leaf.
            identity: who signs, and who proved it.
            now: Unix seconds.
            notes: (n, text) of Fulcio's extensions 1.3.6.1.4.1.57264.1.n about the job that signs.
        """
        begins = now - SKEW_S
        serial = x509.random_serial_number()
        plain = self._leaf(public_der, identity, begins, begins + LEAF_S, serial)
        for number, said in notes:
            text = der.tlv(der.UTF8_STRING, said.encode())
            plain = plain.add_extension(_raw(f"{FULCIO}.{number}", text), critical=False)
        tbs = self.signer.certify(plain).tbs_certificate_bytes
        list_ = _sct_list(self.log, precertificate_bytes(tbs, self.certificate.public_der, now * 1000), now)
        # Added last, so that what remains without it is what the log has signed.
        full = plain.add_extension(_raw(SCT_LIST, list_), critical=False)
        return load_certificate(_encoded(self.signer, full))

    def _leaf(
        self, public_der: bytes, identity: Identity, begins: int, ends: int, serial: int
    ) -> x509.CertificateBuilder:
        name = (
            x509.RFC822Name(identity.name)
            if identity.kind == "email"
            else x509.UniformResourceIdentifier(identity.name)
        )
        builder = _builder(public_der, x509.Name([]), self.certificate, begins, ends, serial)
        return (
            builder.add_extension(_usage("digital_signature"), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ObjectIdentifier(CODE_SIGNING)]), critical=False)
            .add_extension(x509.SubjectAlternativeName([name]), critical=True)
            .add_extension(_raw(ISSUER_V1, identity.issuer.encode()), critical=False)
            .add_extension(
                _raw(ISSUER_V2, der.tlv(der.UTF8_STRING, identity.issuer.encode())), critical=False
            )
        )


def make_root(signer: FileSigner, name: str, now: int, *, length: int = 1) -> Certificate:
    """A self-issued certificate of an authority, for ten years.

    Args:
        signer: its key.
        name: organisation and common name.
        now: Unix seconds.
        length: how many authorities may stand below it.
    """
    subject = _name(name)
    builder = _builder(signer.public_der, subject, None, now - SKEW_S, now + ROOT_S, 0)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=length), critical=True)
    builder = builder.add_extension(_usage("key_cert_sign", "crl_sign"), critical=True)
    return load_certificate(_encoded(signer, builder))


def make_intermediate(
    signer: FileSigner, root: Certificate, public_der: bytes, name: str, now: int
) -> Certificate:
    """A certificate of an authority that issues leaves, for 90 days at most.

    Args:
        signer: the root's key.
        root: its certificate.
        public_der: the intermediate's key.
        name: its common name.
        now: Unix seconds.
    """
    ends = min(now + INTERMEDIATE_S, root.ends)
    builder = _builder(public_der, _name(name), root, now - SKEW_S, ends, 0)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    builder = builder.add_extension(_usage("key_cert_sign", "crl_sign"), critical=True)
    builder = builder.add_extension(x509.ExtendedKeyUsage([ObjectIdentifier(CODE_SIGNING)]), critical=False)
    return load_certificate(_encoded(signer, builder))


def make_stamper(
    signer: FileSigner, root: Certificate, public_der: bytes, name: str, now: int
) -> Certificate:
    """A certificate of a time-stamp authority (RFC 3161 §2.3: for time stamps alone, and critical).

    Args:
        signer: the key of its root.
        root: that root's certificate.
        public_der: the time-stamp authority's key.
        name: its common name.
        now: Unix seconds.
    """
    ends = min(now + STAMPER_S, root.ends)
    builder = _builder(public_der, _name(name), root, now - SKEW_S, ends, 0)
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    builder = builder.add_extension(_usage("digital_signature"), critical=True)
    builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING]), critical=True)
    return load_certificate(_encoded(signer, builder))


def _builder(
    public_der: bytes, subject: x509.Name, issuer: Certificate | None, begins: int, ends: int, serial: int
) -> x509.CertificateBuilder:
    key = load_der_public_key(public_der)
    above = issuer.x509.public_key() if issuer is not None else key
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.x509.subject if issuer is not None else subject)
        .public_key(key)  # type: ignore[arg-type]  # every kind that signers have is one of certificates
        .serial_number(serial or x509.random_serial_number())
        .not_valid_before(datetime.fromtimestamp(begins, tz=UTC))
        .not_valid_after(datetime.fromtimestamp(ends, tz=UTC))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)  # type: ignore[arg-type]
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(above),  # type: ignore[arg-type]
            critical=False,
        )
    )


def _encoded(signer: FileSigner, builder: x509.CertificateBuilder) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding

    return signer.certify(builder).public_bytes(Encoding.DER)


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _usage(*named: str) -> x509.KeyUsage:
    return x509.KeyUsage(**{one: one in named for one in _KEY_USAGES})


def _raw(dotted: str, value: bytes) -> x509.UnrecognizedExtension:
    return x509.UnrecognizedExtension(ObjectIdentifier(dotted), value)


def _sct_list(log: FileSigner, signed: bytes, now: int) -> bytes:
    signature = log.sign(signed)
    scheme = b"\x08\x07" if log.public_key.algorithm == "ed25519" else b"\x04\x03"
    sct = (
        struct.pack("!B32sQH", 0, hashlib.sha256(log.public_der).digest(), now * 1000, 0)
        + scheme
        + struct.pack("!H", len(signature))
        + signature
    )
    item = struct.pack("!H", len(sct)) + sct
    return der.tlv(der.OCTET_STRING, struct.pack("!H", len(item)), item)
