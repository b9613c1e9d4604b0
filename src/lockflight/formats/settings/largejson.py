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
    from lockflight.core.source import ByteSource

#: What a document may take as objects, in bytes, before it is read in this way.
_HELD: Final = 96 * 1024 * 1024
_EACH: Final = 90
#: What may be kept of a document: values, and bytes of their texts.
MAX_KEPT: Final = 200_000
MAX_KEPT_BYTES: Final = 8 * 1024 * 1024
_LONGEST_INTEGER: Final = 4300
_PART: Final = 250_000
_BUCKETS: Final = 64
#: Keys of objects with many, values that are read one by one, and bytes of one text.
MAX_KEYS: Final = 12_000_000
MAX_STEPS: Final = 8_000_000
_LONGEST: Final = 40 * 1024 * 1024
#: What is read at once, and what the window holds at least where a run begins.
_CHUNK: Final = 4 * 1024 * 1024
_AHEAD: Final = 1024 * 1024
_CUT: Final = 3

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
_KEY: Final = re.compile(_TEXT)
_VALUE: Final = re.compile(
    rb"(?:([\[{])|("
    + _TEXT
    + rb")|(-?(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?+(?:[eE][+-]?[0-9]++)?+|true|false|null|NaN|-?Infinity))"
)
_WHITE: Final = re.compile(_SPACE)


class Broken(Exception):
    """It is no JSON, or such that readers see different things; the message says why. Never leaves `formats`."""


class TooMuch(Exception):
    """More of it would have to be kept than is. Never leaves `formats`."""


def is_large(data: bytes) -> bool:
    """Whether the objects of a document would take more memory than they may."""
    return len(data) * 4 + _EACH * (data.count(b",") + data.count(b"[") + data.count(b"{")) > _HELD


def read_large(
    source: ByteSource,
    watched: Callable[[str], bool],
    noted: frozenset[str],
    words: frozenset[bytes] = frozenset(),
) -> JsonValue:
    """What is left of a document when everything is dropped that no rule looks at.

    Args:
        source: the document; a part of it is in memory at a time.
        watched: whether what stands under a key is kept whole.
        noted: keys of the outermost object that are kept, with what is left of their values.
        words: those watched keys that look like words of a vocabulary (no `_`, `-` or `/`), in their quotes.

    Raises:
        Broken: it is no JSON, has a key twice, or lies too deep.
        TooMuch: more would have to be kept than `MAX_KEPT` values or `MAX_KEPT_BYTES`, or one text, all keys or all
            steps are more than is read.
    """
    return _Reader(source, watched, noted, words).run()


@dataclass(slots=True)
class _Frame:
    """An object or list that is being read."""

    of: dict[str, JsonValue] | list[JsonValue]
    keep: bool
    key: str = ""
    under: bool = False
    #: Hashes of the keys so far: a tenth of what the keys would take.
    keys: array[int] = field(default_factory=lambda: array("q"))
    #: The same of an object with many, so that few of them have to be compared at once.
    buckets: tuple[array[int], ...] = ()

    def spread(self) -> None:
        """Put the keys where equal ones come together."""
        if not self.buckets:
            self.buckets = tuple(array("q") for _ in range(_BUCKETS))
        for key in self.keys:
            self.buckets[key % _BUCKETS].append(key)
        self.keys = array("q")

    def twice(self) -> bool:
        """Whether a key stands twice, without a set of all of them."""
        if self.buckets:
            self.spread()
        return any(len(set(part)) != len(part) for part in self.buckets or (self.keys,))


class _Reader:
    def __init__(
        self,
        source: ByteSource,
        watched: Callable[[str], bool],
        noted: frozenset[str],
        words: frozenset[bytes],
    ) -> None:
        self.source = source
        self.watched = watched
        self.noted = noted
        self.words = words
        self.decoder = codecs.getincrementaldecoder("utf-8")()
        #: A window of the document, where in it the reader is, and whether it ends with the document.
        self.data = b""
        self.at = 0
        self.read = 0
        self.ended = False
        self.stack: list[_Frame] = []
        self.kept = 0
        self.kept_bytes = 0
        self.keys = 0
        self.steps = 0

    # -- the window --

    def _more(self) -> None:
        """Move the window on: what was read is let go, and more is added at its end."""
        part = self.source.read_at(self.read, _CHUNK)
        self.read += len(part)
        self.ended = not part
        try:
            self.decoder.decode(part, final=self.ended)
        except UnicodeDecodeError:
            raise Broken("it is not UTF-8") from None
        self.data = self.data[self.at :] + part
        self.at = 0
        if len(self.data) > _LONGEST:
            raise TooMuch

    def _ahead(self) -> None:
        """Have enough in the window for a run."""
        while not self.ended and len(self.data) - self.at < _AHEAD:
            self._more()

    def _skip(self) -> None:
        """Pass over white space."""
        while True:
            match = _WHITE.match(self.data, self.at)
            if match is not None:
                self.at = match.end()
            if self.ended or self.at < len(self.data):
                return
            self._more()

    def _sign(self, wanted: bytes) -> bytes:
        """The next character behind white space, which is passed if it is one of these; nothing if it is none."""
        self._skip()
        sign = self.data[self.at : self.at + 1]
        if not sign or sign not in wanted:
            return b""
        self.at += 1
        return sign

    def _token(self, pattern: re.Pattern[bytes]) -> re.Match[bytes]:
        """What stands next, whole: what ends near the end of the window may go on behind it, as `1e+` does."""
        self._skip()
        while True:
            match = pattern.match(self.data, self.at)
            if self.ended or (match is not None and match.end() + _CUT <= len(self.data)):
                break
            self._more()
        if match is None:
            raise Broken("it is not JSON")
        self.at = match.end()
        return match

    # -- what is read --

    def run(self) -> JsonValue:
        root: JsonValue = None
        self._more()
        self._ahead()
        if self.data.startswith(b"\xef\xbb\xbf"):
            self.at = 3
        while True:
            self.steps += 1
            if self.steps > MAX_STEPS:
                raise TooMuch
            done, value = self._value()
            while done:
                if not self.stack:
                    root = value
                    break
                self._store(value)
                done, value = self._after()
            if not self.stack:
                break
        self._skip()
        if self.at < len(self.data):
            raise Broken("it is not JSON")
        return root

    def _value(self) -> tuple[bool, JsonValue]:
        """Read a value; a container is only opened, unless it is empty."""
        if self.stack:
            self._runs()
            frame = self.stack[-1]
            if isinstance(frame.of, dict):
                self._key(frame)
        match = self._token(_VALUE)
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
        closed = self._sign(b"]}")
        return (True, self._close(closed)) if closed else (False, None)

    def _noted(self, frame: _Frame) -> bool:
        return len(self.stack) == 1 and frame.key in self.noted and not self.watched(frame.key)

    def _key(self, frame: _Frame) -> None:
        frame.key = self._name(self._token(_KEY).group(), frame)
        self._counted(frame)
        if not self._sign(b":"):
            raise Broken("it is not JSON")
        frame.under = self.watched(frame.key) or (len(self.stack) == 1 and frame.key in self.noted)

    def _counted(self, frame: _Frame) -> None:
        """Keep few keys of one object together, and not too many of all."""
        if len(frame.keys) > _PART:
            self.keys += len(frame.keys)
            if self.keys > MAX_KEYS:
                raise TooMuch
            frame.spread()

    def _name(self, raw: bytes, frame: _Frame) -> str:
        name: str = json.loads(raw)
        frame.keys.append(hash(name.encode("utf-8", "surrogatepass") if b"\\" in raw else raw[1:-1]))
        return name

    def _runs(self) -> None:
        """Pass over a run of plain members, as far as none of them is kept."""
        frame = self.stack[-1]
        if frame.keep:
            return
        self._ahead()
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
            if noted or b"_" in raw or b"-" in raw or b"/" in raw or b"\\" in raw or raw in self.words:
                name = self._name(raw, frame)
                if self.watched(name) or (noted and name in self.noted):
                    frame.key = name
                    self._store(json.loads(pair.group(2)))
            else:
                append(hash(raw[1:-1]))
        self.at = match.end()
        self._counted(frame)

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
        sign = self._sign(b",]}")
        if not sign:
            raise Broken("it is not JSON")
        return (False, None) if sign == b"," else (True, self._close(sign))

    def _close(self, bracket: bytes) -> JsonValue:
        frame = self.stack.pop()
        if isinstance(frame.of, dict) != (bracket == b"}"):
            raise Broken("it is not JSON")
        if frame.twice():
            raise Broken("a key stands twice in one object")
        outer = self.stack[-1] if self.stack else None
        if frame.of or frame.keep or outer is None or outer.under:
            return frame.of
        return None
