"""The words of a Rego module: enough of its grammar to lint it, not to evaluate it."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import TYPE_CHECKING

from lockflight.core.records import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Words that can stand before a parenthesis without calling anything, and that no path may hold.
KEYWORDS = frozenset(
    {
        "as",
        "contains",
        "default",
        "else",
        "every",
        "false",
        "if",
        "import",
        "in",
        "not",
        "null",
        "package",
        "some",
    }
    | {"true", "with"}
)

_TOKEN = re.compile(
    r"""
    (?P<space>[ \t\r]+)
  | (?P<newline>\n)
  | (?P<comment>\#[^\n]*)
  | (?P<template>\$["`])
  | (?P<raw>`[^`]*`)
  | (?P<string>"(?:[^"\\\n]|\\[^\n])*")
  | (?P<number>[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)
  | (?P<path>[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)*)
  | (?P<operator>:=|==|!=|<=|>=|.)
    """,
    re.VERBOSE | re.DOTALL,
)


class Kind(StrEnum):
    """What a token is."""

    TEMPLATE = "template"
    RAW = "raw"
    STRING = "string"
    NUMBER = "number"
    PATH = "path"
    OPERATOR = "operator"


@dataclass(frozen=True, slots=True)
class Token:
    """One token.

    Attributes:
        kind: what it is; `path` is a name with all the names that dots join to it.
        text: as written.
        line: 1-based.
        first: nothing but the start of the line is before it.
        start: offset in the module's text.
    """

    kind: Kind
    text: str
    line: int
    first: bool
    start: int

    @property
    def end(self) -> int:
        """Offset behind it."""
        return self.start + len(self.text)

    @property
    def parts(self) -> list[str]:
        """The names of a path."""
        return self.text.split(".")


def tokens(source: str) -> Iterator[Token]:
    """The tokens of a module, without space and comments. Every character belongs to some token."""
    line, start = 1, 0
    for match in _TOKEN.finditer(source):
        kind, text = match.lastgroup or "operator", match[0]
        if kind == "newline":
            line, start = line + 1, match.end()
        elif kind not in {"space", "comment"}:
            yield Token(Kind(kind), text, line, match.start() == start, match.start())
            if "\n" in text:
                line += text.count("\n")
                start = match.start() + text.rindex("\n") + 1
