"""A company's own authority: a root, what issues under it, and a signer's key as a file with its certificate."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, load_der_public_key
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from lockflight.app.realm.clock import now
from lockflight.app.release.certified import sign_certified
from lockflight.signing.keys import generate, save

_USAGES = (
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "crl_sign",
    "encipher_only",
    "decipher_only",
)


class Pki:
    """All of it, in a folder."""

    def __init__(
        self, folder: Path, *, algorithm: str = "ecdsa-p256", usage: x509.ObjectIdentifier | None = None
    ):
        self.folder = folder
        self.moment = datetime.now(UTC)
        self.root_key, self.issuing_key = (
            ec.generate_private_key(ec.SECP384R1()),
            ec.generate_private_key(ec.SECP256R1()),
        )
        self.root = self.certificate("Example Root", self.root_key.public_key(), None, authority=True)
        self.issuing = self.certificate(
            "Example Signing", self.issuing_key.public_key(), self.root, authority=True
        )
        self.signer = generate(algorithm)
        save(self.signer, folder / "signer.pem")
        public = load_der_public_key(self.signer.public_der)
        self.leaf = self.certificate("Example Models", public, self.issuing, usage=usage)
        self.write("roots.pem", self.root)

    def certificate(self, name, public, above, *, authority=False, usage=None, days=30):
        key = self.root_key if above is None or above.subject == above.issuer else self.issuing_key
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        bits = dict.fromkeys(_USAGES, False) | {
            "digital_signature": not authority,
            "key_cert_sign": authority,
        }
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(above.subject if above is not None else subject)
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(self.moment - timedelta(days=40))
            .not_valid_after(self.moment + timedelta(days=days))
            .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
            .add_extension(x509.KeyUsage(**bits), critical=True)
        )
        if not authority:
            usages = [usage or ExtendedKeyUsageOID.CODE_SIGNING]
            builder = builder.add_extension(x509.ExtendedKeyUsage(usages), critical=False)
        return builder.sign(key, hashes.SHA256())

    def write(self, name, *certificates) -> Path:
        path = self.folder / name
        path.write_bytes(b"".join(one.public_bytes(Encoding.PEM) for one in certificates))
        return path

    def sign(self, workspace: Path, out: Path, *chain, home: Path, realm: str = "nowhere"):
        return sign_certified(
            home,
            realm,
            workspace,
            out,
            key=f"file:{self.folder / 'signer.pem'}",
            chain=self.write("chain.pem", *(chain or (self.leaf, self.issuing))),
            now=now(),
        )
