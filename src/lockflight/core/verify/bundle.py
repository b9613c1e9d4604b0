"""Sigstore bundles v0.3 of our own releases, signed with a key or under a short-lived certificate: read strictly.

A bundle is not itself signed. Whatever it says beside the envelope (hint, log entry) is checked against the
envelope and the caller's keys, or refused; nothing in it widens what is accepted.
"""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING, Final

from lockflight.core.attest.dsse import MAX_ENVELOPE_BYTES, Envelope, b64, from_json
from lockflight.core.canonical import JsonObject, JsonValue, loads_object
from lockflight.core.log.merkle import leaf_hash
from lockflight.core.records import dataclass
from lockflight.core.release.release import Release, parse_release
from lockflight.core.shape import array, obj, text
from lockflight.core.verify.crypto.keys import PublicKey
from lockflight.core.verify.log.leaf import KIND, VERSION, check_leaf, read_leaf
from lockflight.core.verify.log.note import (
    KIND_ED25519,
    NoteKey,
    VerifiedCheckpoint,
    parse_checkpoint,
    parse_note,
    plain_number,
    verify_checkpoint,
)
from lockflight.core.verify.log.proofs import verify_inclusion
from lockflight.errors import VerificationFailed

if TYPE_CHECKING:
    from collections.abc import Iterable

MEDIA_TYPE: Final = "application/vnd.dev.sigstore.bundle.v0.3+json"
MAX_BUNDLE_BYTES = MAX_ENVELOPE_BYTES + 1024 * 1024
#: The values of envelope and log entry, the hashes of its proof included; see `dsse.MAX_ENVELOPE_VALUES`.
MAX_BUNDLE_VALUES = 1000
#: How many keys an error names.
MAX_NAMED_KEYS = 20


@dataclass(frozen=True, slots=True)
class TlogEntry:
    """Where a log holds the envelope (`TransparencyLogEntry` of sigstore's protobuf-specs).

    Attributes:
        index: position of the entry.
        log_id: 32 bytes, `NoteKey.full_id` of the log's key.
        leaf: the entry, a `hashedrekord` 0.0.2 body.
        root: root of the tree that the proof leads to (32 bytes).
        size: its number of leaves.
        hashes: the audit path (32 bytes each), nearest sibling first.
        checkpoint: the signed note over that tree.
    """

    index: int
    log_id: bytes
    leaf: bytes
    root: bytes
    size: int
    hashes: tuple[bytes, ...]
    checkpoint: str

    def to_json(self) -> JsonObject:
        """The entry as in a bundle: 64-bit numbers are strings (ProtoJSON)."""
        return {
            "logIndex": str(self.index),
            "logId": {"keyId": _text(self.log_id)},
            "kindVersion": {"kind": KIND, "version": VERSION},
            "inclusionProof": {
                "logIndex": str(self.index),
                "rootHash": _text(self.root),
                "treeSize": str(self.size),
                "hashes": [_text(h) for h in self.hashes],
                "checkpoint": {"envelope": self.checkpoint},
            },
            "canonicalizedBody": _text(self.leaf),
        }


@dataclass(frozen=True, slots=True)
class Bundle:
    """A bundle as parsed; nothing is verified yet.

    Attributes:
        envelope: the signed statement.
        hint: which key is said to have signed: the hex SHA-256 of its PEM text. Only a hint.
        tlog: the log entry that came along, if any.
        certificate: DER of the certificate that names the key; empty where the key stands for itself.
        stamp: TimeStampResp (DER) over the signature; only beside a certificate.
    """

    envelope: Envelope
    hint: str
    tlog: TlogEntry | None
    certificate: bytes = b""
    stamp: bytes = b""


@dataclass(frozen=True, slots=True)
class VerifiedBundle:
    """A release whose signature holds.

    Attributes:
        release: read from the very bytes that were signed.
        envelope: the signed statement.
        key: which of the caller's keys signed.
        tlog: the log entry, if one came along. It records this envelope under this key and its proof leads to
            its root; whether that root is the log's is told by `verify_logged`.
    """

    release: Release
    envelope: Envelope
    key: PublicKey
    tlog: TlogEntry | None


def read_bundle(data: bytes, *, what: str = "bundle") -> Bundle:
    """Read a bundle strictly.

    Raises:
        VerificationFailed: LF7101 to LF7103 (JSON), LF7120, LF7121 (envelope), LF7140 not a bundle, LF7141
            another media type, LF7142 signed by another method than a key, LF7144 a malformed log entry.
    """
    raw = loads_object(data, what=what, max_bytes=MAX_BUNDLE_BYTES, max_values=MAX_BUNDLE_VALUES)
    if "mediaType" in raw and raw["mediaType"] != MEDIA_TYPE:
        raise VerificationFailed(
            "LF7141",
            f"The {what} is of the type {str(raw['mediaType'])[:120]!r}; only {MEDIA_TYPE!r} is read.",
            hint="Sign again with a current tool.",
        )
    try:
        _only(raw, {"mediaType", "verificationMaterial", "dsseEnvelope"})
        text(raw["mediaType"])
        material = obj(raw["verificationMaterial"])
        body = raw["dsseEnvelope"]
        _refuse_chains(material, what)
        hint, certificate = _signer(material)
        stamp = _stamp(material, needed=bool(certificate))
        entries = array(material.get("tlogEntries", []))
        if len(entries) > 1:
            raise ValueError("it names more than one log entry")
        if certificate and not entries:
            raise ValueError("it was signed under a certificate, and no log entry comes along")
    except (KeyError, TypeError, ValueError) as error:
        raise VerificationFailed(
            "LF7140", f"The {what} is not a sigstore bundle: {_reason(error)}."
        ) from error
    envelope = from_json(_without_null_keyid(body), what=f"envelope of the {what}")
    return Bundle(envelope, hint, _read_tlog(entries[0], what) if entries else None, certificate, stamp)


def _signer(material: JsonObject) -> tuple[str, bytes]:
    if "certificate" in material:
        _only(material, {"certificate", "tlogEntries", "timestampVerificationData"})
        held = obj(material["certificate"])
        _only(held, {"rawBytes"})
        return "", b64(held["rawBytes"])
    _only(material, {"publicKey", "tlogEntries", "timestampVerificationData"})
    public = obj(material["publicKey"])
    _only(public, {"hint"})
    return text(public["hint"]), b""


def _stamp(material: JsonObject, *, needed: bool) -> bytes:
    stamps = obj(material.get("timestampVerificationData", {}))
    _only(stamps, {"rfc3161Timestamps"})
    found = array(stamps.get("rfc3161Timestamps", []))
    if not needed:
        if found:
            raise ValueError("it carries time stamps, which are not checked for bundles signed with a key")
        return b""
    if len(found) != 1:
        raise ValueError(f"it carries {len(found)} time stamps; beside a certificate there is exactly one")
    one = obj(found[0])
    _only(one, {"signedTimestamp"})
    return b64(one["signedTimestamp"])


def _refuse_chains(material: JsonObject, what: str) -> None:
    if "x509CertificateChain" in material:
        raise VerificationFailed(
            "LF7142",
            f"The {what} was signed under a chain of certificates; packages of Lockflight are not.",
            hint="Verify it as a package of another tool: lockflight verify --certificate-chain ROOTS PACKAGE",
        )


def _without_null_keyid(raw: JsonValue) -> JsonValue:
    """OMS allows `keyid: null` for "none"; the envelope record knows one way to say so."""
    if isinstance(raw, dict) and isinstance(raw.get("signatures"), list):
        signatures = array(raw["signatures"])
        cleaned: list[JsonValue] = [
            {k: v for k, v in s.items() if k != "keyid" or v is not None} if isinstance(s, dict) else s
            for s in signatures
        ]
        return {**raw, "signatures": cleaned}
    return raw


def _read_tlog(raw: JsonValue, what: str) -> TlogEntry:
    try:
        entry = obj(raw)
        _only(entry, {"logIndex", "logId", "kindVersion", "inclusionProof", "canonicalizedBody"})
        if obj(entry["kindVersion"]) != {"kind": KIND, "version": VERSION}:
            raise ValueError(f"only entries of the kind {KIND} {VERSION} are read")
        log_id, proof = obj(entry["logId"]), obj(entry["inclusionProof"])
        _only(log_id, {"keyId"})
        _only(proof, {"logIndex", "rootHash", "treeSize", "hashes", "checkpoint"})
        checkpoint = obj(proof["checkpoint"])
        _only(checkpoint, {"envelope"})
        index = _number(entry["logIndex"])
        if _number(proof["logIndex"]) != index:
            raise ValueError("it names two positions in the log")
        return TlogEntry(
            index=index,
            log_id=b64(log_id["keyId"]),
            leaf=b64(entry["canonicalizedBody"]),
            root=b64(proof["rootHash"]),
            size=_number(proof["treeSize"]),
            hashes=tuple(b64(h) for h in array(proof["hashes"])),
            checkpoint=text(checkpoint["envelope"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise VerificationFailed(
            "LF7144", f"The log entry in the {what} is malformed: {_reason(error)}."
        ) from error


def check_bundle(bundle: Bundle, keys: PublicKey | Iterable[PublicKey], *, what: str = "bundle") -> PublicKey:
    """Check signature and log entry of a bundle; the payload is not read.

    Returns:
        Which of the keys signed.

    Raises:
        VerificationFailed: LF7143 no key of `keys` signed, LF7145 the log entry records another key, LF7146
            the checkpoint that came along is of another tree than the proof; LF7160 to LF7164, LF7200 to
            LF7203, LF7209.
    """
    known = [keys] if isinstance(keys, PublicKey) else list(keys)
    envelope = bundle.envelope
    signed = envelope.signed_bytes
    # The hints decide which key is tried first, nothing else.
    likely = sorted(known, key=lambda k: k.keyid != envelope.keyid and pem_hint(k) != bundle.hint)
    key = next((k for k in likely if k.verify(signed, envelope.signature)), None)
    if key is None:
        one = len(known) == 1
        whose = f"the key {known[0].keyid[:16]}" if one else f"any of the {len(known)} keys that count here"
        raise VerificationFailed(
            "LF7143",
            f"The signature of the {what} is not of {whose}: the content was changed after signing, or "
            f"somebody "
            "else signed it.",
            hint=(
                "Get the package and its signature again from their producer, and check which key is theirs."
            ),
            details={"keys": [k.keyid for k in known[:MAX_NAMED_KEYS]], "hint": bundle.hint[:128]},
        )
    if bundle.tlog is not None:
        _check_tlog(bundle.tlog, envelope, key, bundle.certificate)
    return key


def _check_tlog(entry: TlogEntry, envelope: Envelope, key: PublicKey, certificate: bytes) -> None:
    if check_leaf(entry.leaf, envelope) != key or read_leaf(entry.leaf).certificate != certificate:
        raise VerificationFailed(
            "LF7145",
            "The log entry in the bundle records another key or certificate than the one that signed.",
        )
    verify_inclusion(leaf_hash(entry.leaf), entry.index, entry.size, entry.hashes, entry.root)
    point = parse_checkpoint(parse_note(entry.checkpoint).text)
    if (point.size, point.root) != (entry.size, entry.root):
        raise _other_tree()


def verify_bundle(
    data: bytes, keys: PublicKey | Iterable[PublicKey], *, what: str = "bundle"
) -> VerifiedBundle:
    """Verify the bundle of a Lockflight release.

    Args:
        data: the bytes of `model.sig`.
        keys: the keys one of which must have signed.
        what: name for messages.

    Raises:
        VerificationFailed: as `read_bundle` and `check_bundle`, then LF7110 to LF7113 (release statement).
    """
    bundle = read_bundle(data, what=what)
    key = check_bundle(bundle, keys, what=what)
    return VerifiedBundle(parse_release(bundle.envelope.payload), bundle.envelope, key, bundle.tlog)


def verify_logged(
    entry: TlogEntry, *, origin: str, log_key: bytes, clock_key: bytes, clock_name: str
) -> VerifiedCheckpoint:
    """Check that the tree of a log entry is that of a trusted log, and when the clock saw it.

    Arguments are those of `note.verify_checkpoint`. The inclusion proof itself is checked by `check_bundle`.

    Raises:
        VerificationFailed: LF7146 another tree, LF7147 another log; LF7202 to LF7207.
    """
    if entry.log_id != NoteKey(origin, KIND_ED25519, log_key).full_id:
        raise VerificationFailed(
            "LF7147",
            f"The log entry in the bundle is of another log than {origin!r}.",
            hint="Check which realm this release was signed in.",
        )
    point = verify_checkpoint(
        entry.checkpoint, origin=origin, log_key=log_key, clock_key=clock_key, clock_name=clock_name
    )
    if (point.size, point.root) != (entry.size, entry.root):
        raise _other_tree()
    return point


def pem_hint(key: PublicKey) -> str:
    """The hint that stock verifiers expect: hex SHA-256 of the PEM text, not of the DER."""
    return hashlib.sha256(key.pem.encode()).hexdigest()


def _other_tree() -> VerificationFailed:
    return VerificationFailed(
        "LF7146", "The checkpoint in the bundle is of another tree than the one that its proof leads to."
    )


def _only(value: JsonObject, allowed: set[str]) -> None:
    unknown = set(value) - allowed
    if unknown:
        raise ValueError(f"it has the field {min(unknown)[:80]!r}, which is not known")


def _number(value: JsonValue) -> int:
    return plain_number(text(value))


def _reason(error: Exception) -> str:
    return f"{error.args[0]!r} is missing" if isinstance(error, KeyError) else str(error)


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()
