"""Colour and layout for people; plain text everywhere but on a terminal."""

from __future__ import annotations

import json
import os
import re
from typing import IO, TYPE_CHECKING

from lockflight.core.records import dataclass

if TYPE_CHECKING:
    from collections.abc import Sequence

#: What CI systems take for commands in the output of a step: at the start of a line, or anywhere in it.
_COMMAND = re.compile(r"(?:^|(?<=\r))(?P<space>[^\S\r\n]*):(?=:)|#(?=#(?:\[|vso\[|teamcity\[))", re.MULTILINE)
_ESCAPE = re.compile(r"\x1b\[[0-9;]*m")


@dataclass(frozen=True, slots=True)
class Style:
    """Escape sequences, or none."""

    colour: bool = False
    unicode: bool = True

    @staticmethod
    def for_stream(stream: IO[str]) -> Style:
        """Colour on a terminal, unless NO_COLOR is set; with FORCE_COLOR always."""
        wide = (getattr(stream, "encoding", None) or "ascii").lower().replace("-", "").startswith("utf")
        if os.environ.get("NO_COLOR"):
            return Style(unicode=wide)
        return Style(colour=bool(os.environ.get("FORCE_COLOR")) or stream.isatty(), unicode=wide)

    @property
    def yes(self) -> str:
        """Mark of something that passed."""
        return self.good("✓" if self.unicode else "ok")

    @property
    def no(self) -> str:
        """Mark of something that failed."""
        return self.bad("✗" if self.unicode else "NO")

    @property
    def look(self) -> str:
        """Mark of something to look at."""
        return self.warn("!")

    def _wrap(self, code: str, text: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self.colour else text

    def good(self, text: str) -> str:
        """Something passed."""
        return self._wrap("32", text)

    def bad(self, text: str) -> str:
        """Something was refused."""
        return self._wrap("31;1", text)

    def warn(self, text: str) -> str:
        """Something to look at."""
        return self._wrap("33", text)

    def bold(self, text: str) -> str:
        """A name that matters."""
        return self._wrap("1", text)

    def dim(self, text: str) -> str:
        """Secondary text."""
        return self._wrap("2", text)


def short(digest: str) -> str:
    """A digest as people compare it: its first 12 digits."""
    return digest.removeprefix("sha256:")[:12]


def count(number: int, word: str, plural: str = "") -> str:
    """A number with its noun, such as `1 file` or `3 files`."""
    return f"{number} {word if number == 1 else plural or word + 's'}"


def clean(text: str) -> str:
    """Text from files made safe for a terminal: control characters become visible escapes."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def defused(text: str) -> str:
    """Text for standard output or error in which no CI system finds a command: its first character is spelt out."""
    return _COMMAND.sub(lambda m: "\\x23" if m["space"] is None else m["space"] + "\\x3a", text)


def json_text(value: object) -> str:
    """JSON for people and machines, in which no CI system finds a command; equal to any other spelling of the value."""
    return _COMMAND.sub("\\\\u0023", json.dumps(value, ensure_ascii=False, indent=2)) + "\n"


def table(rows: Sequence[Sequence[str]], *, gap: int = 2) -> list[str]:
    """Left-aligned columns; the last one is not padded. Rows may have colour but not line breaks."""
    if not rows:
        return []
    widths = [max(visible(row[i]) for row in rows) for i in range(len(rows[0]) - 1)]
    return [
        (" " * gap)
        .join([*(cell + " " * (w - visible(cell)) for cell, w in zip(row, widths, strict=False)), row[-1]])
        .rstrip()
        for row in rows
    ]


def visible(text: str) -> int:
    """How many characters of a text are seen."""
    return len(_ESCAPE.sub("", text))
