"""Leaves of the log: Rekor v2 `hashedrekord` 0.0.2 bodies over DSSE envelopes.

A leaf commits to the SHA-256 of the envelope's pre-authentication encoding, to the signature and to the
public key, or to the certificate that was issued for it.
"""

from __future__ import annotations

import base64
import hashlib

from lockflight.core.attest.dsse import Envelope, b64
from lockflight.core.canonical import JsonObject, dumps, loads_object
from lockflight.core.records import dataclass
from lockflight.core.shape import obj, text
from lockflight.core.verify.crypto.keys import PublicKey, load_der
from lockflight.errors import VerificationFailed

KIND = "hashedrekord"
VERSION = "0.0.2"
#: A tile of entries (C2SP tlog-tiles) writes the length of an entry in two bytes.
MAX_LEAF_BYTES = 65_535
_DIGEST_BYTES = 32


@dataclass(frozen=True, slots=True)
class Leaf:
    """What a leaf commits to.

    Attributes:
        digest: SHA-256 of the signed bytes of the envelope (32 bytes).
        signature: raw signature.
        key: the key that is said to have signed.
        certificate: DER of the certificate that names the key; empty where the key stands for itself.
    """

    digest: bytes
    signature: bytes
    key: PublicKey
    certificate: bytes = b""

    def encode(self) -> bytes:
        """Canonical JSON, the bytes that are hashed into the tree.

        Raises:
            VerificationFailed: LF7161 longer than a log entry may be.
        """
        kind, raw = ("x509Certificate", self.certificate) if self.certificate else ("publicKey", self.key.der)
        verifier: JsonObject = {"keyDetails": self.key.key_details, kind: {"rawBytes": _text(raw)}}
        body: JsonObject = {
            "data": {"algorithm": "SHA2_256", "digest": _text(self.digest)},
            "signature": {"content": _text(self.signature), "verifier": verifier},
        }
        leaf = dumps({"apiVersion": VERSION, "kind": KIND, "spec": {"hashedRekordV002": body}})
        if len(leaf) > MAX_LEAF_BYTES:
            raise VerificationFailed(
                "LF7161",
                f"A log entry of {len(leaf)} bytes is longer than the {MAX_LEAF_BYTES} that a log can hold.",
            )
        return leaf


def leaf_for(envelope: Envelope, public_key: PublicKey, certificate: bytes = b"") -> bytes:
    """The leaf that records `envelope` as signed by `public_key`; the signature is not checked here.

    Args:
        envelope: what was signed.
        public_key: who signed.
        certificate: DER of the certificate that names that key; empty for none.

    Raises:
        VerificationFailed: LF7161 longer than a log entry may be.
    """
    digest = hashlib.sha256(envelope.signed_bytes).digest()
    return Leaf(digest, envelope.signature, public_key, certificate).encode()


def read_leaf(leaf: bytes) -> Leaf:
    """Read a leaf strictly, without its envelope.

    Raises:
        VerificationFailed: LF7101 to LF7103 (JSON), LF7001 to LF7003 (its key), LF7160 not a `hashedrekord`
            0.0.2 body in canonical form, LF7161 too long.
    """
    if len(leaf) > MAX_LEAF_BYTES:
        raise VerificationFailed(
            "LF7161",
            f"A log entry of {len(leaf)} bytes is longer than the {MAX_LEAF_BYTES} that a log can hold.",
        )
    raw = loads_object(leaf, what="log entry", max_bytes=MAX_LEAF_BYTES, max_depth=8)
    try:
        body = obj(obj(raw["spec"])["hashedRekordV002"])
        signature = obj(body["signature"])
        verifier = obj(signature["verifier"])
        data = obj(body["data"])
        if (text(raw["kind"]), text(raw["apiVersion"])) != (KIND, VERSION):
            raise ValueError(f"it is of kind {raw['kind']!r}, version {raw['apiVersion']!r}")
        digest = b64(data["digest"])
        if len(digest) != _DIGEST_BYTES:
            raise ValueError("its digest is not a SHA-256")
        key, certificate = _verifier(verifier)
        result = Leaf(digest, b64(signature["content"]), key, certificate)
    except (KeyError, TypeError, ValueError) as error:
        raise VerificationFailed(
            "LF7160", f"The log entry is not a {KIND} {VERSION} body: {error!s}."
        ) from error
    if result.encode() != leaf:
        raise VerificationFailed(
            "LF7160",
            f"The log entry is not a {KIND} {VERSION} body in canonical form; it says more or says it "
            f"otherwise.",
        )
    return result


def _verifier(raw: JsonObject) -> tuple[PublicKey, bytes]:
    if "x509Certificate" not in raw:
        return load_der(b64(obj(raw["publicKey"])["rawBytes"])), b""
    # Certificates cost an import that most logs do not need.
    from lockflight.core.verify.crypto.certificate import load_certificate

    certificate = load_certificate(b64(obj(raw["x509Certificate"])["rawBytes"]))
    return certificate.key(), certificate.der


def read_signer(der: bytes) -> tuple[PublicKey, bytes]:
    """Who signed, as it is handed over beside an envelope: a public key, or the certificate that names it.

    Returns:
        The key, and the certificate's DER; empty where the key stands for itself.

    Raises:
        VerificationFailed: LF7001 to LF7003 neither.
    """
    try:
        return load_der(der), b""
    except VerificationFailed as error:
        from lockflight.core.verify.crypto.certificate import load_certificate

        try:
            certificate = load_certificate(der)
        except VerificationFailed:
            raise error from None
    return certificate.key(), der


def check_leaf(leaf: bytes, envelope: Envelope) -> PublicKey:
    """Check that `leaf` records exactly `envelope`, and that its signature verifies.

    Returns:
        The key that signed.

    Raises:
        VerificationFailed: as `read_leaf`; LF7162 another envelope, LF7163 another signature, LF7164 the
            signature is not of the key in the entry.
    """
    entry = read_leaf(leaf)
    if entry.digest != hashlib.sha256(envelope.signed_bytes).digest():
        raise VerificationFailed("LF7162", "The log entry records another envelope than the one at hand.")
    if entry.signature != envelope.signature:
        raise VerificationFailed(
            "LF7163", "The log entry records another signature than that of the envelope."
        )
    if not entry.key.verify(envelope.signed_bytes, envelope.signature):
        raise VerificationFailed(
            "LF7164", "The signature in the log entry is not of the key that the entry names."
        )
    check_form(envelope, entry.key)
    return entry.key


def check_form(envelope: Envelope, key: PublicKey) -> None:
    """Check that nobody but the signer could write this envelope in another way.

    A leaf commits to payload, signature and key, but not to the envelope's bytes, whose digest is the name by which
    other entries refer to it; and a second form of an ECDSA signature would be a second entry of one statement.

    Raises:
        VerificationFailed: LF7165 the key id is not that of the signer, or the signature is not in its low form.
    """
    if envelope.keyid != key.keyid:
        raise VerificationFailed(
            "LF7165",
            "The envelope does not name the key that signed it, so its digest could be changed unseen.",
        )
    if not key.lowest(envelope.signature):
        raise VerificationFailed(
            "LF7165",
            "The signature of the envelope is not in its low form, so it has a twin that nobody signed.",
            hint="Sign it again with Lockflight, or take the lower one of s and n - s.",
        )


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()
