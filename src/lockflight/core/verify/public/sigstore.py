"""Sigstore bundles of other tools, v0.1 to v0.3, as read: key, certificate chain or short-lived certificate.

Nothing here is verified; `core.verify.keyless` does that. What a field cannot be is refused, what is not known is too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lockflight.core.attest.dsse import MAX_ENVELOPE_BYTES, Envelope, b64, from_json
from lockflight.core.canonical import loads_object
from lockflight.core.records import dataclass
from lockflight.core.shape import array, obj, text
from lockflight.core.verify.log.note import plain_number
from lockflight.errors import VerificationFailed

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

    from lockflight.core.canonical import JsonObject, JsonValue
    from lockflight.core.verify.crypto.certificate import Certificate

MAX_BUNDLE_BYTES = MAX_ENVELOPE_BYTES + 1024 * 1024
MAX_BUNDLE_VALUES = 5_000
MAX_ENTRIES = 16
MAX_STAMPS = 8

#: Media type to version; the older spelling carries it as a parameter.
VERSIONS: Final = {
    "application/vnd.dev.sigstore.bundle+json;version=0.1": 1,
    "application/vnd.dev.sigstore.bundle+json;version=0.2": 2,
    "application/vnd.dev.sigstore.bundle+json;version=0.3": 3,
    "application/vnd.dev.sigstore.bundle.v0.3+json": 3,
}


@dataclass(frozen=True, slots=True)
class Proof:
    """That a log holds an entry.

    Attributes:
        index: position in the tree of the checkpoint.
        root: of that tree (32 bytes).
        size: its number of leaves.
        hashes: the audit path, nearest sibling first.
        checkpoint: the signed note over that tree.
    """

    index: int
    root: bytes
    size: int
    hashes: tuple[bytes, ...]
    checkpoint: str


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a log, Rekor v1 or v2.

    Attributes:
        index: position, over all shards of the log.
        log_id: which log (32 bytes).
        kind, version: of the body.
        body: the bytes that were hashed into the tree.
        proof: None where the entry brings a promise only (bundles v0.1).
        promise: the log's signature over body, time and index; empty where there is none.
        integrated: Unix seconds at which the log says it took the entry in; 0 for none.
    """

    index: int
    log_id: bytes
    kind: str
    version: str
    body: bytes
    proof: Proof | None
    promise: bytes
    integrated: int


@dataclass(frozen=True, slots=True)
class SigstoreBundle:
    """A bundle as parsed.

    Attributes:
        version: 1, 2 or 3 for v0.1 to v0.3.
        certificates: leaf first; empty where a key signed.
        hint: which key signed; a hint and nothing else.
        entries: of logs.
        stamps: TimeStampResp, DER.
        envelope: the signed statement; None where a file was signed.
        digest: SHA-256 of the signed file, as the bundle says; empty for envelopes.
        signature: raw.
        chained: the certificates stand in a chain, not alone.
        raw_key: the key as older tools brought it along, PEM or DER; a hint and nothing else.
    """

    version: int
    certificates: tuple[Certificate, ...]
    hint: str
    entries: tuple[Entry, ...]
    stamps: tuple[bytes, ...]
    envelope: Envelope | None
    digest: bytes
    signature: bytes
    chained: bool = False
    raw_key: bytes = b""


def read_sigstore(data: bytes, *, what: str = "bundle") -> SigstoreBundle:
    """Read a bundle.

    Raises:
        VerificationFailed: LF7101 to LF7103 (JSON), LF7120, LF7121 (envelope), LF7141 another media type, LF7400 a
            certificate does not read, LF7440 not a bundle.
    """
    raw = loads_object(data, what=what, max_bytes=MAX_BUNDLE_BYTES, max_values=MAX_BUNDLE_VALUES)
    media = raw.get("mediaType")
    version = VERSIONS.get(media) if isinstance(media, str) else None
    if version is None:
        raise VerificationFailed(
            "LF7141",
            f"The {what} is of the type {str(media)[:120]!r}, which is no sigstore bundle from v0.1 to v0.3.",
            hint="Check which tool made it.",
        )
    try:
        _only(raw, {"mediaType", "verificationMaterial", "dsseEnvelope", "messageSignature"})
        material = obj(raw["verificationMaterial"])
        ways = {"publicKey", "x509CertificateChain", "certificate"}
        _only(material, ways | {"tlogEntries", "timestampVerificationData"})
        if len(ways & set(material)) != 1 or ("dsseEnvelope" in raw) == ("messageSignature" in raw):
            raise ValueError("it does not say in one way who signed what")
        certificates, hint, raw_key = _signer(material)
        stamps = obj(material.get("timestampVerificationData") or {})
        _only(stamps, {"rfc3161Timestamps"})
        found = array(stamps.get("rfc3161Timestamps", []))
        entries = array(material.get("tlogEntries", []))
        if len(found) > MAX_STAMPS or len(entries) > MAX_ENTRIES:
            raise ValueError("it has more entries or time stamps than are read")
        envelope, digest, signature = _content(raw, what)
        return SigstoreBundle(
            version=version,
            certificates=certificates,
            hint=hint,
            entries=tuple(_entry(obj(one), proven=version > 1) for one in entries),
            stamps=tuple(b64(obj(one)["signedTimestamp"]) for one in found),
            envelope=envelope,
            digest=digest,
            signature=signature,
            chained="x509CertificateChain" in material,
            raw_key=raw_key,
        )
    except (KeyError, TypeError, ValueError) as error:
        why = f"{error.args[0]!r} is missing" if isinstance(error, KeyError) else str(error)
        raise VerificationFailed("LF7440", f"The {what} is not a sigstore bundle: {why}.") from error


def _signer(material: JsonObject) -> tuple[tuple[Certificate, ...], str, bytes]:
    if "publicKey" in material:
        public = obj(material["publicKey"])
        _only(public, {"hint", "rawBytes", "keyDetails"})
        raw = b64(public["rawBytes"]) if public.get("rawBytes") is not None else b""
        return (), text(public.get("hint") or ""), raw
    # Certificates cost an import that bundles signed with a key do not need.
    from lockflight.core.verify.crypto.certificate import MAX_PATH, load_certificate

    if "certificate" in material:
        chain: list[JsonValue] = [material["certificate"]]
    else:
        chain = array(obj(material["x509CertificateChain"])["certificates"])
    if not 0 < len(chain) <= MAX_PATH:
        raise ValueError(f"it has {len(chain)} certificates")
    return tuple(load_certificate(b64(obj(one)["rawBytes"])) for one in chain), "", b""


def _content(raw: JsonObject, what: str) -> tuple[Envelope | None, bytes, bytes]:
    if "dsseEnvelope" in raw:
        body = obj(raw["dsseEnvelope"])
        if isinstance(body.get("signatures"), list):
            # ProtoJSON writes an absent key id as null, or as nothing at all.
            signatures: list[JsonValue] = [
                {k: v for k, v in one.items() if k != "keyid" or v is not None}
                if isinstance(one, dict)
                else one
                for one in array(body["signatures"])
            ]
            body = {**body, "signatures": signatures}
        envelope = from_json(body, what=f"envelope of the {what}")
        return envelope, b"", envelope.signature
    message = obj(raw["messageSignature"])
    _only(message, {"messageDigest", "signature"})
    digest = b""
    if message.get("messageDigest") is not None:
        said = obj(message["messageDigest"])
        if said["algorithm"] != "SHA2_256":
            raise ValueError(f"files are named by SHA-256 here, not by {str(said['algorithm'])[:40]!r}")
        digest = b64(said["digest"])
    return None, digest, b64(message["signature"])


def _entry(raw: JsonObject, *, proven: bool) -> Entry:
    known = {"logIndex", "logId", "kindVersion", "integratedTime", "inclusionPromise", "inclusionProof"}
    _only(raw, known | {"canonicalizedBody"})
    kind = obj(raw["kindVersion"])
    promise = obj(raw.get("inclusionPromise") or {})
    if raw.get("inclusionProof") is None and proven:
        raise ValueError("an entry of a log comes without its proof")
    return Entry(
        index=_number(raw["logIndex"]),
        log_id=b64(obj(raw["logId"])["keyId"]),
        kind=text(kind["kind"]),
        version=text(kind["version"]),
        body=b64(raw["canonicalizedBody"]),
        proof=_proof(obj(raw["inclusionProof"])) if raw.get("inclusionProof") is not None else None,
        promise=b64(promise["signedEntryTimestamp"]) if promise else b"",
        integrated=_number(raw.get("integratedTime", "0")),
    )


def _proof(raw: JsonObject) -> Proof:
    _only(raw, {"logIndex", "rootHash", "treeSize", "hashes", "checkpoint"})
    return Proof(
        index=_number(raw["logIndex"]),
        root=b64(raw["rootHash"]),
        size=_number(raw["treeSize"]),
        hashes=tuple(b64(one) for one in array(raw.get("hashes", []))),
        checkpoint=text(obj(raw["checkpoint"])["envelope"]),
    )


def _number(value: JsonValue) -> int:
    # ProtoJSON writes 64-bit numbers as strings; some tools write small ones as numbers.
    return plain_number(str(value) if isinstance(value, int) and not isinstance(value, bool) else text(value))


def _only(value: JsonObject, allowed: AbstractSet[str]) -> None:
    if unknown := set(value) - allowed:
        raise ValueError(f"it has the field {min(unknown)[:80]!r}, which is not known")
