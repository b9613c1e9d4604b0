"""DSSE envelopes (Dead Simple Signing Envelope v1.0.2) with exactly one signature, decoded strictly.

The protocol allows several signatures; a second one that nobody checks is a hiding place, so ours carry one.
"""

from __future__ import annotations

import base64
import binascii
import hashlib

from lockflight.core.canonical import JsonValue, dumps, loads_object
from lockflight.core.records import dataclass
from lockflight.core.shape import array, obj, text
from lockflight.errors import VerificationFailed

PAYLOAD_TYPE = "application/vnd.in-toto+json"
MAX_ENVELOPE_BYTES = 64 * 1024 * 1024
#: An envelope has six values; base64 holds no comma, so this bounds memory without bounding the payload.
MAX_ENVELOPE_VALUES = 100


def pae(payload_type: str, body: bytes) -> bytes:
    """Pre-authentication encoding: the bytes that are signed (DSSE protocol §Signature Definition)."""
    kind = payload_type.encode("utf-8")
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(body), body)


@dataclass(frozen=True, slots=True)
class Envelope:
    """A payload, its type and one signature.

    Attributes:
        payload: the exact bytes that were signed.
        signature: raw signature over `pae(payload_type, payload)`.
        keyid: hint only; hex SHA-256 of the signer's SubjectPublicKeyInfo in our own envelopes.
        payload_type: media type of the payload.
    """

    payload: bytes
    signature: bytes
    keyid: str = ""
    payload_type: str = PAYLOAD_TYPE

    @property
    def signed_bytes(self) -> bytes:
        """The bytes under the signature."""
        return pae(self.payload_type, self.payload)

    def encode(self) -> bytes:
        """Canonical JSON of the envelope."""
        signature = {"sig": base64.b64encode(self.signature).decode()}
        if self.keyid:
            signature["keyid"] = self.keyid
        return dumps(
            {
                "payload": base64.b64encode(self.payload).decode(),
                "payloadType": self.payload_type,
                "signatures": [signature],
            }
        )

    @property
    def digest(self) -> str:
        """SHA-256 (hex) of the canonical encoding: the name of the envelope in the log and in decisions."""
        return hashlib.sha256(self.encode()).hexdigest()


def decode(data: bytes, *, what: str = "envelope", canonical: bool = True) -> Envelope:
    """Read an envelope strictly.

    Args:
        data: JSON bytes.
        what: name for messages.
        canonical: demand that `data` is our canonical encoding, so that one envelope has one digest.

    Raises:
        VerificationFailed: LF7101 to LF7103 (JSON), LF7120 not an envelope or another payload type, LF7121
            not exactly one signature, LF7122 not in canonical form.
    """
    raw = loads_object(data, what=what, max_bytes=MAX_ENVELOPE_BYTES, max_values=MAX_ENVELOPE_VALUES)
    envelope = from_json(raw, what=what)
    if canonical and envelope.encode() != data:
        raise VerificationFailed(
            "LF7122", f"The {what} is not in canonical form, so its digest would be ambiguous."
        )
    return envelope


def from_json(raw: JsonValue, *, what: str = "envelope") -> Envelope:
    """Build an envelope from parsed JSON.

    Raises:
        VerificationFailed: LF7120, LF7121.
    """
    try:
        body = obj(raw)
        unknown = set(body) - {"payload", "payloadType", "signatures"}
        if unknown:
            raise ValueError(f"unknown field {min(unknown)!r}")
        signatures = array(body["signatures"])
        if len(signatures) != 1:
            raise VerificationFailed(
                "LF7121",
                f"The {what} has {len(signatures)} signatures; exactly one is allowed, so that none goes "
                f"unchecked.",
                hint="Ask the signer for an envelope with one signature.",
            )
        signature = obj(signatures[0])
        extra = set(signature) - {"sig", "keyid"}
        if extra:
            raise ValueError(f"unknown signature field {min(extra)!r}")
        if text(body["payloadType"]) != PAYLOAD_TYPE:
            raise ValueError(f"payload type {body['payloadType']!r} instead of {PAYLOAD_TYPE!r}")
        return Envelope(
            payload=b64(body["payload"]),
            signature=b64(signature["sig"]),
            keyid=text(signature.get("keyid", "")),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise VerificationFailed("LF7120", f"The {what} is not a DSSE envelope: {error!s}.") from error


def b64(value: JsonValue) -> bytes:
    """Standard base64 with padding and nothing else; ValueError for any other spelling of the same bytes."""
    raw = text(value)
    try:
        data = base64.b64decode(raw, validate=True)
    except binascii.Error as error:
        raise ValueError(f"not base64: {error}") from error
    if base64.b64encode(data).decode() != raw:
        raise ValueError("base64 is not in canonical form")
    return data
