"""Strict Ed25519 verification (RFC 8032 §5.1.7, cofactorless): one signature, one meaning.

RFC 8032 leaves room in which two correct verifiers disagree (Chalkias et al., "Taming the many EdDSAs",
2020). An attacker who owns such a key could show one history to one verifier and another history to the next.
Refused here before the arithmetic: encodings of A or R that are not canonical, points of low order, and S
outside the group order.
"""

from __future__ import annotations

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

KEY_BYTES = 32
SIGNATURE_BYTES = 64

_P = 2**255 - 19
_L = 2**252 + 27742317777372353535851937790883648493
_Y_MASK = 2**255 - 1
_Y8 = 0x7A03AC9277FDC74EC6CC392CFA53202A0F67100D760B3CBA4FD84D3D706A17C7
#: The y coordinates of the eight points of low order: orders 1, 2, 4 and 8. y = ±1 also covers x = 0 with a
#: sign bit.
_LOW_ORDER_Y = frozenset({1, _P - 1, 0, _Y8, _P - _Y8})


def sound_point(encoded: bytes) -> bool:
    """Whether 32 bytes are a canonical encoding of a y coordinate that belongs to no point of low order."""
    y = int.from_bytes(encoded, "little") & _Y_MASK
    return len(encoded) == KEY_BYTES and y < _P and y not in _LOW_ORDER_Y


def verify(public: bytes, signature: bytes, message: bytes) -> bool:
    """Whether `signature` (64 bytes) over `message` is that of the key `public` (32 bytes)."""
    if len(signature) != SIGNATURE_BYTES or not sound_point(public) or not sound_point(signature[:32]):
        return False
    if int.from_bytes(signature[32:], "little") >= _L:
        return False
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True
