"""One-time codes: HOTP (RFC 4226) and TOTP (RFC 6238), and the URI by which a phone learns the secret.

A code is a weak second factor: it is not bound to what is approved, and whoever reads the secret can make it. That is
why an approval says `key+totp` and a realm may ask for more.
"""

from __future__ import annotations

import base64
import hmac
from urllib.parse import quote

PERIOD_S = 30
DIGITS = 6
#: Steps before and after the present one that still count: clocks differ, and people type slowly.
WINDOW = 1
#: RFC 4226, requirement 6: at least 128 bits, 160 recommended.
SECRET_BYTES = 20


def hotp(secret: bytes, counter: int, *, digits: int = DIGITS, algorithm: str = "sha1") -> str:
    """The code of a counter, decimal digits with leading zeros.

    Args:
        secret: shared with the device.
        counter: 0 to 2**64 - 1.
        digits: length of the code, 6 to 8.
        algorithm: `sha1`, which every device knows, `sha256` or `sha512`.
    """
    digest = hmac.digest(secret, counter.to_bytes(8, "big"), algorithm)
    offset = digest[-1] & 0x0F
    number = int.from_bytes(digest[offset : offset + 4], "big") & 0x7FFF_FFFF
    return str(number % 10**digits).zfill(digits)


def step_of(now: int) -> int:
    """The step at a time in Unix seconds."""
    return now // PERIOD_S


def matching(secret: bytes, code: str, now: int, *, after: int) -> int | None:
    """The step to which a code belongs; None if it is wrong, too old, or was used.

    Every step of the window is compared, whatever the first ones say, and each in constant time.

    Args:
        secret: shared with the device.
        code: as typed, without spaces.
        now: Unix seconds.
        after: the newest step whose code was used; only later ones count.
    """
    found: int | None = None
    given = code.encode("utf-8", "surrogatepass")
    for step in range(max(step_of(now) - WINDOW, 0), step_of(now) + WINDOW + 1):
        same = hmac.compare_digest(hotp(secret, step).encode(), given)
        if same and step > after:
            found = step
    return found


def spelled(secret: bytes) -> str:
    """The secret in base 32, as people type it into a device."""
    return base64.b32encode(secret).decode().rstrip("=")


def read(word: str) -> bytes:
    """The secret from its base 32 form.

    Raises:
        ValueError: it is none, or shorter than 128 bits.
    """
    secret = base64.b32decode(word + "=" * (-len(word) % 8))
    if len(secret) < 16:
        raise ValueError("a secret has at least 128 bits")
    return secret


def uri(secret: bytes, *, issuer: str, account: str) -> str:
    """The `otpauth:` URI that a device reads, usually as a picture."""
    label = f"{quote(issuer, safe='')}:{quote(account, safe='')}"
    issued = quote(issuer, safe="")
    return (
        f"otpauth://totp/{label}?secret={spelled(secret)}&issuer={issued}"
        f"&algorithm=SHA1&digits={DIGITS}&period={PERIOD_S}"
    )
