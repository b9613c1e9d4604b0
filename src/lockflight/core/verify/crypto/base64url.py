"""base64url without padding (RFC 4648 §5, RFC 7515 §2), in the one form that an encoder writes."""

from __future__ import annotations

import base64
import re

_ALPHABET = re.compile(r"[A-Za-z0-9_-]*", re.ASCII)


def encode(data: bytes) -> str:
    """Bytes as text."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def decode(word: str) -> bytes:
    """Text as bytes.

    Raises:
        ValueError: padding, other characters, or bits that no encoder leaves: two texts would be one value.
    """
    if not _ALPHABET.fullmatch(word) or len(word) % 4 == 1:
        raise ValueError("it is not base64url without padding")
    data = base64.urlsafe_b64decode(word + "=" * (-len(word) % 4))
    if encode(data) != word:
        raise ValueError("its base64url is not the one that encoders write")
    return data
