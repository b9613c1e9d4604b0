"""Text from files made safe for reports: what people cannot see, or what turns the reading order, becomes visible."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_CHARS = 2_000

#: Letters and marks that print nothing, which `str.isprintable` lets through.
_BLANK = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2800\u3164\uffa0")
_VARIATIONS = (range(0xFE00, 0xFE10), range(0xE0100, 0xE01F0))
#: As many marks as a letter needs in any script; more of them run over the lines above and below.
_MOST_MARKS = 3


def pieces(text: str, most: int = MAX_CHARS) -> Iterator[tuple[str, bool]]:
    """Runs of a text, and whether a run is the name of a hidden character, such as `U+202E`.

    Args:
        text: anything.
        most: what is longer is cut, and the cut is said.
    """
    run: list[str] = []
    marks = 0
    for char in text[:most]:
        marks = marks + 1 if unicodedata.category(char).startswith("M") else 0
        if not _hidden(char) and marks <= _MOST_MARKS:
            run.append(char)
            continue
        if run:
            yield "".join(run), False
            run = []
        yield f"U+{ord(char):04X}", True
    if run:
        yield "".join(run), False
    if len(text) > most:
        yield f"and {len(text) - most} more characters", True


def _hidden(char: str) -> bool:
    return not char.isprintable() or char in _BLANK or any(ord(char) in block for block in _VARIATIONS)


def plain(text: str, most: int = MAX_CHARS) -> str:
    """A text in one line without hidden characters; each is named in brackets, such as `[U+202E]`."""
    return "".join(f"[{part}]" if hidden else part for part, hidden in pieces(text, most))
