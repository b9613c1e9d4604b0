"""JSON that is too large to be held as objects: read once from its start to its end, of which little is kept.

Tokenizers are mostly vocabulary: words with numbers, and pairs of words. All of it is checked to be JSON, with each key
once in its object, but runs of plain words and numbers are passed over in one step, and only what a rule of `jsontext`
looks at is kept: values under the keys that it names, and texts with marks of templates, where they stand.
"""

from __future__ import annotations

import codecs
import json
import re
from array import array
from dataclasses import field
from typing import TYPE_CHECKING, Final

from lockflight.core.records import dataclass
from lockflight.formats.nesting import MAX_DEPTH

if TYPE_CHECKING:
    from collections.abc import Callable

    from lockflight.core.canonical import JsonValue

#: What a document may take as objects, in bytes, before it is read in this way.
_HELD: Final = 96 * 1024 * 1024
_EACH: Final = 90
#: What may be kept of a document: values, and bytes of their texts.
MAX_KEPT: Final = 200_000
MAX_KEPT_BYTES: Final = 8 * 1024 * 1024
_LONGEST_INTEGER: Final = 4300
_PART: Final = 250_000
_CHUNK: Final = 1024 * 1024

_SPACE: Final = rb"[ \t\n\r]*+"
_ESCAPE: Final = rb"\\(?:[\"\\/bfnrt]|u[0-9a-fA-F]{4})"
_TEXT: Final = rb'"[^"\\\x00-\x1f]*+(?:' + _ESCAPE + rb'[^"\\\x00-\x1f]*+)*+"'
# A text without a brace, also not as an escape, has no marks of templates.
_WORD: Final = rb'"[^"\\\x00-\x1f{]*+(?:\\(?:["\\/bfnrt]|u(?!007[bB])[0-9a-fA-F]{4})[^"\\\x00-\x1f{]*+)*+"'
_SHORT: Final = rb"-?(?:0|[1-9][0-9]{0,17}+)(?:\.[0-9]++)?+(?:[eE][+-]?[0-9]++)?+"
_PLAIN: Final = rb"(?:" + _WORD + rb"|" + _SHORT + rb")"
_COLON: Final = _SPACE + rb":" + _SPACE
_COMMA: Final = _SPACE + rb"," + _SPACE
_ONE_PAIR: Final = re.compile(
    _SPACE + rb"(" + _WORD + rb")" + _COLON + rb"(" + _PLAIN + rb")" + _SPACE + rb","
)
_PAIRS: Final = re.compile(rb"(?:" + _SPACE + _WORD + _COLON + _PLAIN + _SPACE + rb",)++")
_TWO: Final = rb"\[" + _SPACE + _PLAIN + rb"(?:" + _COMMA + _PLAIN + rb")?+" + _SPACE + rb"\]"
_ITEMS: Final = re.compile(rb"(?:" + _SPACE + rb"(?:" + _PLAIN + rb"|" + _TWO + rb")" + _SPACE + rb",)++")
_KEY: Final = re.compile(_SPACE + rb"(" + _TEXT + rb")" + _SPACE + rb":")
_VALUE: Final = re.compile(
    _SPACE
    + rb"(?:([\[{])|("
    + _TEXT
    + rb")|(-?(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?+(?:[eE][+-]?[0-9]++)?+|true|false|null|NaN|-?Infinity))"
)
_AFTER: Final = re.compile(_SPACE + rb"([,\]}])")
_CLOSED: Final = re.compile(_SPACE + rb"([\]}])")
_END: Final = re.compile(_SPACE + rb"\Z")


class Broken(Exception):
    """It is no JSON, or such that readers see different things; the message says why. Never leaves `formats`."""


class TooMuch(Exception):
    """More of it would have to be kept than is. Never leaves `formats`."""


def is_large(data: bytes) -> bool:
    """Whether the objects of a document would take more memory than they may."""
    return len(data) * 4 + _EACH * (data.count(b",") + data.count(b"[") + data.count(b"{")) > _HELD


def read_large(data: bytes, watched: Callable[[str], bool], noted: frozenset[str]) -> JsonValue:
    """What is left of a document when everything is dropped that no rule looks at.

    Args:
        data: the document.
        watched: whether what stands under a key is kept whole.
        noted: keys of the outermost object that are kept, with what is left of their values.

    Raises:
        Broken: it is no JSON, has a key twice, or lies too deep.
        TooMuch: more would have to be kept than `MAX_KEPT` values or `MAX_KEPT_BYTES`.
    """
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        for at in range(0, len(data), _CHUNK):
            decoder.decode(data[at : at + _CHUNK])
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        raise Broken("it is not UTF-8") from None
    return _Reader(data, watched, noted).run()


@dataclass(slots=True)
class _Frame:
    """An object or list that is being read."""

    of: dict[str, JsonValue] | list[JsonValue]
    keep: bool
    key: str = ""
    under: bool = False
    #: Hashes of the keys so far: a tenth of what the keys would take.
    keys: array[int] = field(default_factory=lambda: array("q"))


class _Reader:
    def __init__(self, data: bytes, watched: Callable[[str], bool], noted: frozenset[str]) -> None:
        self.data = data
        self.watched = watched
        self.noted = noted
        self.at = 3 if data.startswith(b"\xef\xbb\xbf") else 0
        self.stack: list[_Frame] = []
        self.kept = 0
        self.kept_bytes = 0

    def run(self) -> JsonValue:
        root: JsonValue = None
        while True:
            done, value = self._value()
            while done:
                if not self.stack:
                    root = value
                    break
                self._store(value)
                done, value = self._after()
            if not self.stack:
                break
        if _END.match(self.data, self.at) is None:
            raise Broken("it is not JSON")
        return root

    def _value(self) -> tuple[bool, JsonValue]:
        """Read a value; a container is only opened, unless it is empty."""
        if self.stack:
            self._runs()
            frame = self.stack[-1]
            if isinstance(frame.of, dict):
                self._key(frame)
        match = _VALUE.match(self.data, self.at)
        if match is None:
            raise Broken("it is not JSON")
        self.at = match.end()
        if match.lastindex == 1:
            return self._opened(match.group(1))
        raw = match.group(match.lastindex or 2)
        if match.lastindex == 3 and len(raw) > _LONGEST_INTEGER and raw.lstrip(b"-").isdigit():
            raise Broken("it is not JSON")
        wanted = self._wanted()
        if not wanted and (match.lastindex == 3 or (b"{" not in raw and b"\\u007" not in raw)):
            return True, None
        value: JsonValue = json.loads(raw)
        if not wanted and not (isinstance(value, str) and ("{{" in value or "{%" in value)):
            return True, None
        self.kept_bytes += len(raw)
        if self.kept_bytes > MAX_KEPT_BYTES:
            raise TooMuch
        return True, value

    def _wanted(self) -> bool:
        return not self.stack or self.stack[-1].keep or self.stack[-1].under

    def _opened(self, bracket: bytes) -> tuple[bool, JsonValue]:
        if len(self.stack) >= MAX_DEPTH:
            raise Broken("it is nested too deeply")
        outer = self.stack[-1] if self.stack else None
        keep = outer is not None and (outer.keep or (outer.under and not self._noted(outer)))
        self.stack.append(_Frame({} if bracket == b"{" else [], keep))
        match = _CLOSED.match(self.data, self.at)
        if match is None:
            return False, None
        self.at = match.end()
        return True, self._close(match.group(1))

    def _noted(self, frame: _Frame) -> bool:
        return len(self.stack) == 1 and frame.key in self.noted and not self.watched(frame.key)

    def _key(self, frame: _Frame) -> None:
        match = _KEY.match(self.data, self.at)
        if match is None:
            raise Broken("it is not JSON")
        self.at = match.end()
        frame.key = self._name(match.group(1), frame)
        frame.under = self.watched(frame.key) or (len(self.stack) == 1 and frame.key in self.noted)

    def _name(self, raw: bytes, frame: _Frame) -> str:
        name: str = json.loads(raw)
        frame.keys.append(hash(name.encode("utf-8", "surrogatepass") if b"\\" in raw else raw[1:-1]))
        return name

    def _runs(self) -> None:
        """Pass over a run of plain members, as far as none of them is kept."""
        frame = self.stack[-1]
        if frame.keep:
            return
        if isinstance(frame.of, list):
            match = _ITEMS.match(self.data, self.at)
            if match is not None:
                self.at = match.end()
            return
        match = _PAIRS.match(self.data, self.at)
        if match is None:
            return
        append = frame.keys.append
        noted = len(self.stack) == 1
        for pair in _ONE_PAIR.finditer(self.data, self.at, match.end()):
            raw = pair.group(1)
            if b"\\" in raw or b"_" in raw or b"/" in raw or noted:
                name = self._name(raw, frame)
                if self.watched(name) or (noted and name in self.noted):
                    frame.key = name
                    self._store(json.loads(pair.group(2)))
            else:
                append(hash(raw[1:-1]))
        self.at = match.end()

    def _store(self, value: JsonValue) -> None:
        """Keep a value in what is open, if it is anything."""
        frame = self.stack[-1]
        if isinstance(frame.of, dict):
            if value is not None or frame.keep or self.watched(frame.key) or self._noted(frame):
                self._count()
                frame.of[frame.key] = value
        elif value is not None or frame.keep:
            self._count()
            frame.of.append(value)

    def _count(self) -> None:
        self.kept += 1
        if self.kept > MAX_KEPT:
            raise TooMuch

    def _after(self) -> tuple[bool, JsonValue]:
        """What follows a value: another one, or the end of what is open."""
        match = _AFTER.match(self.data, self.at)
        if match is None:
            raise Broken("it is not JSON")
        self.at = match.end()
        if match.group(1) == b",":
            return False, None
        return True, self._close(match.group(1))

    def _close(self, bracket: bytes) -> JsonValue:
        frame = self.stack.pop()
        if isinstance(frame.of, dict) != (bracket == b"}"):
            raise Broken("it is not JSON")
        if _twice(frame.keys):
            raise Broken("a key stands twice in one object")
        outer = self.stack[-1] if self.stack else None
        if frame.of or frame.keep or outer is None or outer.under:
            return frame.of
        return None


def _twice(keys: array[int]) -> bool:
    """Whether a number stands twice, without a set of all of them."""
    if len(keys) <= _PART:
        return len(set(keys)) != len(keys)
    parts = len(keys) // _PART + 1
    return any(
        len(set(mine)) != len(mine)
        for mine in (array("q", (key for key in keys if key % parts == part)) for part in range(parts))
    )
