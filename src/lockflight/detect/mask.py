"""What may be shown of a secret: never enough to use or to guess it."""

from __future__ import annotations

#: At most this many leading characters are shown: enough to tell the provider of a token.
MAX_SHOWN = 4
#: One character is shown for each such number of characters, so that a short password shows none.
CHARACTERS_PER_SHOWN = 8


def mask(secret: str) -> str:
    """A masked excerpt such as `sk-p… (164 characters)`.

    At most four leading characters are shown, and only one of each eight: a password of seven shows none. What
    could break a terminal or a line is replaced by `?`.
    """
    shown = secret[: min(MAX_SHOWN, len(secret) // CHARACTERS_PER_SHOWN)]
    printable = "".join(char if char.isascii() and char.isprintable() else "?" for char in shown)
    return f"{printable}… ({len(secret)} characters)"
