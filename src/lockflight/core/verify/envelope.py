"""Opening an envelope: the signature first, then the statement from the very bytes that were signed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockflight.core.attest.dsse import Envelope, decode
from lockflight.core.attest.statement import Statement, parse
from lockflight.errors import VerificationFailed

if TYPE_CHECKING:
    from lockflight.core.verify.crypto.keys import PublicKey


def check_signature(envelope: Envelope, key: PublicKey, *, what: str = "envelope") -> None:
    """Check the one signature of an envelope; its `keyid` is a hint and decides nothing.

    Raises:
        VerificationFailed: LF7123 the signature is not of `key` over these bytes.
    """
    if not key.verify(envelope.signed_bytes, envelope.signature):
        raise VerificationFailed(
            "LF7123",
            f"The signature of the {what} is not of the key {key.keyid[:16]} over these bytes: either the "
            f"content was "
            "changed after signing, or another key signed it.",
            hint="Get it again from its producer, and make sure that this is the producer's key.",
            details={"keyid": key.keyid},
        )


def verify_envelope(data: bytes, key: PublicKey, *, what: str = "envelope") -> Statement:
    """Decode an envelope strictly, check its signature, and parse its statement.

    Args:
        data: the envelope in canonical form.
        key: the key that must have signed.
        what: name for messages.

    Raises:
        VerificationFailed: LF7101 to LF7103 (JSON), LF7120 to LF7122 (envelope), LF7123 (signature), LF7130
            (statement).
    """
    return open_envelope(decode(data, what=what), key, what=what)


def open_envelope(envelope: Envelope, key: PublicKey, *, what: str = "envelope") -> Statement:
    """`verify_envelope` for one that is decoded already.

    Raises:
        VerificationFailed: LF7123 (signature), LF7101 to LF7103 (JSON), LF7130 (statement).
    """
    check_signature(envelope, key, what=what)
    return parse(envelope.payload)
