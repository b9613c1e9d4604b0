"""Colour and layout for people; plain text everywhere but on a terminal."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import IO


@dataclass(frozen=True, slots=True)
class Style:
    """Escape sequences, or none."""

    colour: bool = False

    @staticmethod
    def for_stream(stream: IO[str]) -> Style:
        """Colour on a terminal, unless NO_COLOR is set; with FORCE_COLOR always."""
        if os.environ.get("NO_COLOR"):
            return Style()
        return Style(colour=bool(os.environ.get("FORCE_COLOR")) or stream.isatty())

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


def clean(text: str) -> str:
    """Text from files made safe for a terminal: control characters become visible escapes."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def table(rows: list[list[str]], *, gap: int = 2) -> list[str]:
    """Left-aligned columns; the last one is not padded."""
    if not rows:
        return []
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]) - 1)]
    return [
        (" " * gap).join([*(cell.ljust(w) for cell, w in zip(row, widths, strict=False)), row[-1]]).rstrip()
        for row in rows
    ]
