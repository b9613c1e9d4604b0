"""Where in a TOML text each value stands, and strict budgets before anything else reads it.

`tomllib` reports no positions for values, and its work grows with the square of a dotted key's length.
This scanner follows the structure of TOML 1.0 (keys, headers, strings, arrays, inline tables) in one pass,
notes lines, and refuses what no manifest needs. It leaves judging values to `tomllib`.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import field
from typing import TypeAlias

from lockflight.core.records import dataclass
from lockflight.errors import InvalidInput

MAX_BYTES = 256 * 1024
MAX_DEPTH = 8
MAX_KEY_PARTS = 8
MAX_VALUES = 20_000

Path: TypeAlias = tuple[str | int, ...]
TomlTable: TypeAlias = dict[str, object]

_BARE = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-")
_BLANK = " \t"
_QUOTES = "\"'"


@dataclass(frozen=True, slots=True)
class Toml:
    """A parsed document and the line (from 1) of each header, key and array element."""

    data: TomlTable
    lines: Mapping[Path, int]

    def line(self, path: Path) -> int:
        """The line of a value, or of the nearest thing around it."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)


class _Unreadable(Exception):
    """The scanner met what it does not understand; `tomllib` says it better."""


def read_toml(data: bytes | str, *, where: str) -> Toml:
    """Parse one document within budgets.

    Args:
        data: UTF-8 bytes or text.
        where: name of the document for messages.

    Raises:
        InvalidInput: LF0151 not TOML (with line), LF0152 over a budget.
    """
    raw = data.encode("utf-8", errors="surrogatepass") if isinstance(data, str) else data
    if len(raw) > MAX_BYTES:
        raise over_budget(where, 1, f"is {len(raw)} bytes long; at most {MAX_BYTES} are read")
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise InvalidInput(
            "LF0151",
            f"{where}:{line}: not UTF-8 text.",
            hint="Save the file as UTF-8.",
            details={"line": line},
        ) from None
    text = text.replace("\r\n", "\n")
    scanner = _Scanner(text, where)
    try:
        scanner.document()
    except _Unreadable:
        # Only what has been scanned is within budget, so tomllib never sees the rest.
        end = text.find("\n", scanner.pos)
        _load(text if end < 0 else text[:end], where)
        line = scanner.line()
        raise InvalidInput("LF0151", f"{where}:{line}: not valid TOML.", details={"line": line}) from None
    return Toml(_load(text, where), scanner.lines)


def over_budget(where: str, line: int, what: str) -> InvalidInput:
    """LF0152: the document is larger or deeper than any manifest needs to be."""
    return InvalidInput(
        "LF0152",
        f"{where}:{line}: the file {what}.",
        hint="Use patterns such as data/** instead of naming every file.",
        details={"line": line},
    )


def _load(text: str, where: str) -> TomlTable:
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        message = str(error)
        found = message.rpartition("(at line ")[2].split(",")[0]
        line = int(found) if found.isdecimal() else text.count("\n") + 1
        reason = message.partition(" (at ")[0]
        raise InvalidInput(
            "LF0151",
            f"{where}:{line}: not valid TOML: {reason}.",
            hint='Text values need double quotes; lists are written ["a", "b"].',
            details={"line": line},
        ) from None


@dataclass(slots=True)
class _Scanner:
    text: str
    where: str
    pos: int = 0
    lines: dict[Path, int] = field(default_factory=dict)
    counts: dict[Path, int] = field(default_factory=dict)
    values: int = 0
    _counted: tuple[int, int] = (0, 1)

    def line(self) -> int:
        # Positions only grow, so the newlines before the last one need not be counted again.
        pos, line = self._counted
        line += self.text.count("\n", pos, self.pos)
        self._counted = (self.pos, line)
        return line

    def document(self) -> None:
        table: Path = ()
        while True:
            self.blank(newlines=True)
            if self.pos >= len(self.text):
                return
            if self.text[self.pos] == "[":
                table = self.header()
            else:
                self.pair(table, 1)
            self.end_of_line()

    def header(self) -> Path:
        line = self.line()
        many = self.text.startswith("[[", self.pos)
        self.pos += 1 + many
        self.blank()
        parts = self.key()
        self.blank()
        self.take("]]" if many else "]")
        path: Path = ()
        for i, part in enumerate(parts):
            path += (part,)
            if many and i == len(parts) - 1:
                self.counts[path] = self.counts.get(path, 0) + 1
            self.note(path, line)
            if path in self.counts:
                path += (self.counts[path] - 1,)
                self.note(path, line)
        return path

    def pair(self, table: Path, depth: int) -> None:
        line = self.line()
        path = table
        for part in self.key():
            path += (part,)
            self.note(path, line)
        self.blank()
        self.take("=")
        self.blank()
        self.value(path, depth)

    def note(self, path: Path, line: int) -> None:
        self.values += 1
        if self.values > MAX_VALUES:
            raise over_budget(self.where, line, f"holds more than {MAX_VALUES} values")
        self.lines.setdefault(path, line)

    def value(self, path: Path, depth: int) -> None:
        if depth > MAX_DEPTH:
            raise over_budget(self.where, self.line(), f"is nested deeper than {MAX_DEPTH} levels")
        char = self.text[self.pos : self.pos + 1]
        if char == "[":
            self.items("]", lambda i: self.value_at((*path, i), depth + 1), newlines=True)
        elif char == "{":
            self.items("}", lambda _: self.pair(path, depth + 1), newlines=False)
        elif char and char in _QUOTES:
            self.string()
        else:
            self.scalar()

    def value_at(self, path: Path, depth: int) -> None:
        self.note(path, self.line())
        self.value(path, depth)

    def items(self, close: str, one: Callable[[int], None], *, newlines: bool) -> None:
        self.pos += 1
        i = 0
        while True:
            self.blank(newlines=newlines)
            if self.text.startswith(close, self.pos):
                break
            one(i)
            i += 1
            self.blank(newlines=newlines)
            if not self.text.startswith(",", self.pos):
                break
            self.pos += 1
        self.take(close)

    def scalar(self) -> None:
        start = self.pos
        while self.pos < len(self.text) and self.text[self.pos] not in ",]}#\n":
            self.pos += 1
        if not self.text[start : self.pos].strip(_BLANK):
            raise _Unreadable

    def key(self) -> list[str]:
        parts: list[str] = []
        while True:
            start = self.pos
            if self.text[self.pos : self.pos + 1] in {'"', "'"}:
                if self.string():
                    raise _Unreadable  # a key is never a multi-line string
                parts.append(self.unquote(self.text[start : self.pos]))
            else:
                while self.pos < len(self.text) and self.text[self.pos] in _BARE:
                    self.pos += 1
                parts.append(self.text[start : self.pos])
            if self.pos == start:
                raise _Unreadable
            if len(parts) > MAX_KEY_PARTS:
                raise over_budget(self.where, self.line(), f"has a key of more than {MAX_KEY_PARTS} parts")
            self.blank()
            if not self.text.startswith(".", self.pos):
                return parts
            self.pos += 1
            self.blank()

    def unquote(self, raw: str) -> str:
        if "\\" not in raw:
            return raw[1:-1]
        try:
            return str(tomllib.loads(f"x = {raw}")["x"])
        except ValueError:
            raise _Unreadable from None

    def string(self) -> bool:
        """Step over a string; True for a multi-line one."""
        quote = self.text[self.pos]
        many = self.text.startswith(quote * 3, self.pos)
        close = quote * 3 if many else quote
        self.pos += len(close)
        while self.pos < len(self.text):
            char = self.text[self.pos]
            if char == "\\" and quote == '"':
                self.pos += 2
            elif char == "\n" and not many:
                break
            elif self.text.startswith(close, self.pos):
                self.pos += len(close)
                if many:  # up to two quotes may precede the closing three
                    for _ in range(2):
                        self.pos += self.text.startswith(quote, self.pos)
                return many
            else:
                self.pos += 1
        raise _Unreadable

    def blank(self, *, newlines: bool = False) -> None:
        """Step over spaces and, where the grammar allows it, line ends and comments."""
        while self.pos < len(self.text):
            char = self.text[self.pos]
            if char in _BLANK or (newlines and char == "\n"):
                self.pos += 1
            elif char == "#" and newlines:
                end = self.text.find("\n", self.pos)
                self.pos = len(self.text) if end < 0 else end
            else:
                return

    def end_of_line(self) -> None:
        self.blank()
        if self.pos < len(self.text) and self.text[self.pos] not in "#\n":
            raise _Unreadable

    def take(self, expected: str) -> None:
        if not self.text.startswith(expected, self.pos):
            raise _Unreadable
        self.pos += len(expected)
