"""Entries of transparency logs as sigstore tools bring them along: Rekor v1 and v2.

An entry counts when its body records this signature by this signer, and when the log has proven or promised to hold
it. Sources: Rekor's types `hashedrekord`, `dsse` and `intoto`; C2SP tlog-checkpoint; rekor-tiles for v2.
"""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING

from lockflight.core.attest.dsse import Envelope, b64
from lockflight.core.canonical import dumps, loads_object
from lockflight.core.log.merkle import leaf_hash
from lockflight.core.records import dataclass
from lockflight.core.shape import array, obj, text
from lockflight.core.verify.crypto.keys import load_pem
from lockflight.core.verify.log.leaf import MAX_LEAF_BYTES
from lockflight.core.verify.log.note import parse_checkpoint, parse_note
from lockflight.core.verify.log.proofs import verify_inclusion
from lockflight.errors import VerificationFailed

if TYPE_CHECKING:
    from lockflight.core.canonical import JsonObject, JsonValue
    from lockflight.core.verify.public.sigstore import Entry, Proof
    from lockflight.core.verify.public.trustroot import LogKey

#: Bodies of Rekor v1 hold a PEM certificate in base64; those of v2 stay below the limit of a tile's entry.
MAX_BODY_BYTES = 4 * MAX_LEAF_BYTES


@dataclass(frozen=True, slots=True)
class Signed:
    """What an entry must record.

    Attributes:
        signature: raw.
        signer: DER of the certificate, or of the public key.
        digest: SHA-256 of the signed bytes: of the pre-authentication encoding of an envelope, or of a file.
        envelope: where an envelope was signed.
    """

    signature: bytes
    signer: bytes
    digest: bytes
    envelope: Envelope | None


def verify_entry(entry: Entry, signed: Signed, logs: tuple[LogKey, ...]) -> int:
    """Check one entry.

    Args:
        entry: as a bundle brings it.
        signed: what it must record.
        logs: which logs are trusted.

    Returns:
        Unix seconds at which the log promised to hold it; 0 where only a proof came along, which tells no time.

    Raises:
        VerificationFailed: LF7441 it records something else, LF7442 of no trusted log, LF7443 the log's signature
            does not verify, LF7444 neither proof nor promise; LF7200, LF7202, LF7203, LF7209 its proof.
    """
    _check_body(entry, signed)
    known = [log for log in logs if log.log_id == entry.log_id]
    if not known:
        raise VerificationFailed("LF7442", "The log entry is of no log that is trusted here.")
    log = known[0]
    time = 0
    if entry.promise:
        _check_promise(entry, log)
        time = entry.integrated
        if not log.begins <= time <= log.ends:
            raise VerificationFailed("LF7443", "The log is not trusted for the time of its promise.")
    if entry.proof is not None:
        _check_proof(entry, entry.proof, log)
    elif not entry.promise:
        raise VerificationFailed("LF7444", "The log entry comes with neither proof nor promise.")
    return time


def _check_promise(entry: Entry, log: LogKey) -> None:
    said: JsonObject = {
        "body": base64.b64encode(entry.body).decode(),
        "integratedTime": entry.integrated,
        "logID": entry.log_id.hex(),
        "logIndex": entry.index,
    }
    if not log.key.verify(dumps(said), entry.promise):
        raise VerificationFailed("LF7443", "The promise in the log entry was not signed by that log.")


def _check_proof(entry: Entry, proof: Proof, log: LogKey) -> None:
    verify_inclusion(leaf_hash(entry.body), proof.index, proof.size, proof.hashes, proof.root)
    note = parse_note(proof.checkpoint)
    point = parse_checkpoint(note.text)
    if (point.size, point.root) != (proof.size, proof.root):
        raise VerificationFailed("LF7146", "The checkpoint is of another tree than the one of the proof.")
    lines = [line for line in note.signatures if line.keyid == entry.log_id[: len(line.keyid)]]
    # The line of a log bears the name that its checkpoint begins with; v1 puts a tree number after it.
    lines = [line for line in lines if line.name == point.origin.split(" ")[0]]
    if not lines or not all(log.key.verify(note.text.encode(), line.signature) for line in lines):
        raise VerificationFailed("LF7443", "The checkpoint was not signed by the log of the entry.")


def _check_body(entry: Entry, signed: Signed) -> None:
    body = loads_object(entry.body, what="log entry", max_bytes=MAX_BODY_BYTES, max_depth=12)
    reader = _READERS.get((entry.kind, entry.version))
    try:
        if reader is None or (text(body["kind"]), text(body["apiVersion"])) != (entry.kind, entry.version):
            raise ValueError(f"entries of the kind {entry.kind[:40]} {entry.version[:20]} are not read")
        problem = reader(obj(body["spec"]), signed)
    except (KeyError, TypeError, ValueError) as error:
        why = f"{error.args[0]!r} is missing" if isinstance(error, KeyError) else str(error)
        raise VerificationFailed("LF7441", f"The log entry does not read: {why}.") from error
    if problem:
        raise VerificationFailed("LF7441", f"The log entry records another {problem} than the bundle's.")


def _hashedrekord_1(spec: JsonObject, signed: Signed) -> str:
    said, held = obj(obj(spec["data"])["hash"]), obj(spec["signature"])
    if (said["algorithm"], said["value"]) != ("sha256", signed.digest.hex()):
        return "content"
    if b64(held["content"]) != signed.signature:
        return "signature"
    return _same_pem(obj(held["publicKey"])["content"], signed)


def _hashedrekord_2(spec: JsonObject, signed: Signed) -> str:
    inner = obj(spec["hashedRekordV002"])
    data, held = obj(inner["data"]), obj(inner["signature"])
    if data["algorithm"] != "SHA2_256" or b64(data["digest"]) != signed.digest:
        return "content"
    if b64(held["content"]) != signed.signature:
        return "signature"
    return _same_verifier(held["verifier"], signed)


def _dsse_1(spec: JsonObject, signed: Signed) -> str:
    said = obj(spec["payloadHash"])
    (held,) = (obj(one) for one in array(spec["signatures"]))
    if signed.envelope is None or said != {"algorithm": "sha256", "value": _payload(signed).hex()}:
        return "content"
    if b64(held["signature"]) != signed.signature:
        return "signature"
    return _same_pem(held["verifier"], signed)


def _dsse_2(spec: JsonObject, signed: Signed) -> str:
    inner = obj(spec["dsseV002"])
    said = obj(inner["payloadHash"])
    (held,) = (obj(one) for one in array(inner["signatures"]))
    if signed.envelope is None or said["algorithm"] != "SHA2_256" or b64(said["digest"]) != _payload(signed):
        return "content"
    if b64(held["content"]) != signed.signature:
        return "signature"
    return _same_verifier(held["verifier"], signed)


def _intoto_2(spec: JsonObject, signed: Signed) -> str:
    content = obj(spec["content"])
    said = obj(content["payloadHash"])
    envelope = obj(content["envelope"])
    (held,) = (obj(one) for one in array(envelope["signatures"]))
    if signed.envelope is None or said != {"algorithm": "sha256", "value": _payload(signed).hex()}:
        return "content"
    # Rekor v1 keeps the signature of this kind in base64 twice.
    if b64(b64(held["sig"]).decode("ascii")) != signed.signature:
        return "signature"
    return _same_pem(held["publicKey"], signed)


_READERS = {
    ("hashedrekord", "0.0.1"): _hashedrekord_1,
    ("hashedrekord", "0.0.2"): _hashedrekord_2,
    ("dsse", "0.0.1"): _dsse_1,
    ("dsse", "0.0.2"): _dsse_2,
    ("intoto", "0.0.2"): _intoto_2,
}


def _payload(signed: Signed) -> bytes:
    return hashlib.sha256(signed.envelope.payload).digest() if signed.envelope is not None else b""


def _same_pem(value: JsonValue, signed: Signed) -> str:
    return "" if _der(b64(value)) == signed.signer else "signer"


def _der(pem: bytes) -> bytes:
    if b"BEGIN CERTIFICATE" in pem:
        lines = [line.strip() for line in pem.strip().split(b"\n")]
        if lines[0] != b"-----BEGIN CERTIFICATE-----" or lines[-1] != b"-----END CERTIFICATE-----":
            raise ValueError("its certificate is not PEM")
        return base64.b64decode(b"".join(lines[1:-1]), validate=True)
    return load_pem(pem).der


def _same_verifier(value: JsonValue, signed: Signed) -> str:
    verifier = obj(value)
    held = obj(verifier.get("x509Certificate") or verifier.get("publicKey"))
    return "" if b64(held["rawBytes"]) == signed.signer else "signer"
