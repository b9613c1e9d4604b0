"""Tokens of a Jinja template, as `jinja2.lexer` cuts them with its default delimiters."""

from __future__ import annotations

import re
from typing import Final

from lockflight.core.records import dataclass

MAX_TEMPLATE = 4 * 1024 * 1024
MAX_TOKENS = 100_000


class BadTemplate(Exception):
    """The template uses something that is not understood here; the message says what. Never leaves `formats`."""

    def __init__(self, message: str, line: int) -> None:
        super().__init__(message)
        self.line = line


@dataclass(frozen=True, slots=True)
class Token:
    """One token: `data`, `begin` and `end` (of a block or an expression), `name`, `string`, `number`, `operator`."""

    kind: str
    value: str
    line: int


_OPENING = re.compile(r"\{[{%#]")
#: Every character beyond ASCII but spaces: which of them are letters depends on the version of Python.
_LETTERS: Final = (
    r"\u0080-\u0084\u0086-\u009f\u00a1-\u167f\u1681-\u1fff\u200b-\u2027\u202a-\u202e"
    r"\u2030-\u205e\u2060-\u2fff\u3001-\U0010ffff"
)
_INSIDE: Final = re.compile(
    r"(?P<space>\s+)"
    r"|(?P<number>0[xXoObB][0-9a-fA-F_]+|[0-9][0-9_]*(?:\.[0-9_]+)?(?:[eE][+-]?[0-9_]+)?)"
    rf"|(?P<name>[A-Za-z_{_LETTERS}][A-Za-z0-9_{_LETTERS}]*)"
    r"|(?P<string>'[^'\\]*(?:\\.[^'\\]*)*'|\"[^\"\\]*(?:\\.[^\"\\]*)*\")"
    r"|(?P<operator>//|\*\*|==|!=|>=|<=|[-+/*%~\[\](){}><=.:|,;])",
    re.DOTALL,
)
_NO_SPACE = re.compile(r"\S")
_RAW_END = re.compile(r"\{%[-+]?\s*endraw\s*[-+]?%\}")
_PAIRS = {")": "(", "]": "[", "}": "{"}


def tokens(text: str, *, trim: bool = True) -> list[Token]:
    """Cut a template into tokens.

    Args:
        text: the template.
        trim: lose the white space around blocks, as loaders of chat templates do (`trim_blocks`, `lstrip_blocks`).

    Raises:
        BadTemplate: it is too large, or jinja2 would not read it either.
    """
    if len(text) > MAX_TEMPLATE:
        raise BadTemplate("it is too large", 0)
    return _Lexer(text, trim=trim).run()


_ESCAPE = re.compile(r"\\(?:([4-7][0-7]{2})|(.))", re.DOTALL)


def _spelled(escape: re.Match[str]) -> str:
    """An escape as Python takes it without a warning: unknown ones stand for themselves."""
    octal, char = escape.groups()
    if octal:
        return f"\\u{int(octal, 8):04x}"
    return escape.group() if char in "\\'\"abfnrtvxuUN01234567\n" else "\\" + escape.group()


class _Lexer:
    def __init__(self, text: str, *, trim: bool) -> None:
        # As jinja2 does: all lines end alike, and the end of the last one is not kept.
        self.text = text.replace("\r\n", "\n").replace("\r", "\n").removesuffix("\n")
        self.trim = trim
        self.at = 0
        self.line = 1
        self.found: list[Token] = []

    def run(self) -> list[Token]:
        while self.at < len(self.text):
            opening = _OPENING.search(self.text, self.at)
            if opening is None:
                self.put("data", self.text[self.at :])
                self.move(len(self.text))
                break
            data = self.before(opening.start(), opening.end())
            if data:
                self.put("data", data)
            self.move(opening.end())
            self.tag(opening.group())
        return self.found

    def before(self, start: int, end: int) -> str:
        """The text before a tag, without the white space that the tag takes away."""
        data, sign = self.text[self.at : start], self.text[end : end + 1]
        if sign == "-":
            return data.rstrip()
        if self.trim and sign != "+" and self.text[start:end] != "{{":
            line = data.rfind("\n") + 1
            begins = line > 0 or self.at == 0 or self.text[self.at - 1] == "\n"
            if begins and not data[line:].strip():
                return data[:line]
        return data

    def behind(self, sign: str, closing: str) -> None:
        """Go on behind a tag and the white space that it takes away."""
        if sign == "-":
            rest = _NO_SPACE.search(self.text, self.at)
            self.move(rest.start() if rest else len(self.text))
        elif self.trim and closing != "}}" and sign != "+" and self.text[self.at : self.at + 1] == "\n":
            self.move(self.at + 1)

    def put(self, kind: str, value: str) -> None:
        if len(self.found) >= MAX_TOKENS:
            raise BadTemplate("it is too long", self.line)
        self.found.append(Token(kind, value, self.line))

    def move(self, to: int) -> None:
        self.line += self.text.count("\n", self.at, to)
        self.at = to

    def tag(self, opening: str) -> None:
        if opening == "{#":
            end = self.text.find("#}", self.at)
            if end < 0:
                raise BadTemplate("a comment is not closed", self.line)
            sign = self.text[end - 1] if end > self.at else ""
            self.move(end + 2)
            self.behind(sign, "#}")
            return
        if self.text[self.at : self.at + 1] in {"-", "+"}:
            self.at += 1
        self.put("begin", opening)
        closing = "%}" if opening == "{%" else "}}"
        first = len(self.found)
        open_brackets: list[str] = []
        while (closed := self.closes(closing, open_brackets)) is None:
            self.inside(open_brackets)
        self.put("end", closing)
        self.behind(closed, closing)
        if [t.value for t in self.found[first:-1]] == ["raw"] and opening == "{%":
            self.raw()

    def closes(self, closing: str, open_brackets: list[str]) -> str | None:
        """The sign with which the tag closes here, empty for none; None where it goes on."""
        if open_brackets:
            return None
        sign = self.text[self.at : self.at + 1]
        sign = sign if sign in {"-", "+"} else ""
        if self.text.startswith(closing, self.at + len(sign)):
            self.move(self.at + len(sign) + len(closing))
            return sign
        return None

    def inside(self, open_brackets: list[str]) -> None:
        match = _INSIDE.match(self.text, self.at)
        if match is None:
            raise BadTemplate("a tag holds a character that no expression has, or is not closed", self.line)
        kind, value = str(match.lastgroup), match.group()
        if kind == "operator":
            if value in "([{":
                open_brackets.append(value)
            elif value in _PAIRS and (not open_brackets or open_brackets.pop() != _PAIRS[value]):
                raise BadTemplate("its brackets do not match", self.line)
        if kind == "string":
            self.put(kind, self.literal(value))
        elif kind != "space":
            self.put(kind, value)
        self.move(match.end())

    def literal(self, quoted: str) -> str:
        """The value of a string literal; jinja2 reads it by the rules of Python's escapes."""
        inner = quoted[1:-1]
        if "\\" not in inner:
            return inner
        try:
            known = inner.encode("ascii", "backslashreplace").decode("ascii")
            return _ESCAPE.sub(_spelled, known).encode("ascii").decode("unicode-escape")
        except UnicodeDecodeError:
            raise BadTemplate("a string has an escape that does not exist", self.line) from None

    def raw(self) -> None:
        del self.found[-3:]
        end = _RAW_END.search(self.text, self.at)
        if end is None:
            raise BadTemplate("a raw block is not closed", self.line)
        self.put("data", self.before(end.start(), end.start() + 2))
        self.move(end.end())
        self.behind(end.group()[-3:-2].strip(), "%}")
