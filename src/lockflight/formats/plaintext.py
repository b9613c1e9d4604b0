"""Plain text beside a model: vocabularies, merges, TOML configurations."""

from __future__ import annotations

import codecs
import re
from typing import TYPE_CHECKING, Final

from lockflight.core.findings import Verdict
from lockflight.formats.report import Issue

if TYPE_CHECKING:
    from lockflight.core.source import ByteSource

_CHUNK = 1024 * 1024
#: C0 controls that no text has; tab, line feed, form feed, carriage return and escape are let through.
CONTROLS = frozenset(range(0x20)) - {0x09, 0x0A, 0x0C, 0x0D, 0x1B} | {0x7F}
_CONTROLS: Final = bytes(sorted(CONTROLS))

#: Characters that are not seen: controls, spaces but the plain one, marks of direction, surrogates, private use.
#: Written out, since what `str.isprintable` says of a character depends on the version of Python.
_HIDDEN: Final = re.compile(
    "[\x00-\x1f\x7f-\xa0\xad\u0600-\u0605\u061c\u06dd\u070f\u1680\u180e\u2000-\u200f\u2028-\u202f\u205f-\u206f"
    "\u3000\ud800-\uf8ff\ufeff\ufff9-\uffff\U000e0000-\U000e0fff\U000f0000-\U0010ffff]"
)


def hidden(text: str) -> bool:
    """Whether a text holds a character that is not seen."""
    return _HIDDEN.search(text) is not None


def check_text(source: ByteSource) -> tuple[Issue, ...]:
    """Whether a whole file is UTF-8 text without control characters."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    at = 0
    while True:
        data = source.read_at(at, _CHUNK)
        try:
            decoder.decode(data, final=not data)
        except UnicodeDecodeError:
            return (
                Issue("file:text", Verdict.UNKNOWN, "The file is no UTF-8 text all the way through.", at),
            )
        if len(data.translate(None, _CONTROLS)) != len(data):
            message = "The file holds control characters that no text has."
            return (Issue("file:text", Verdict.UNKNOWN, message, at),)
        if not data:
            return ()
        at += len(data)
