"""Characters that people do not see but models and compilers read.

Finds bidirectional controls ("Trojan Source", CVE-2021-42574), tag characters (U+E0000 block), variation selectors
used as carriers, zero-width characters, blank fillers and control characters. What ordinary text needs is let
through: joiners in emoji and in Indic, Arabic and similar scripts, marks and balanced isolates beside right-to-left
letters, one variation selector after a base that has variants, the three flags that are spelt with tags, a byte
order mark at the start. Tables follow Unicode 15.1 (blocks, UAX #9, UTS #37, UTS #51).
"""

from __future__ import annotations

import re
from enum import StrEnum

from lockflight.core.records import dataclass

#: Hits beyond this many are counted, not listed.
MAX_HITS = 200


class Hidden(StrEnum):
    """What kind of hidden character."""

    BIDI = "bidi"
    TAG = "tag"
    VARIATION = "variation-selector"
    ZERO_WIDTH = "zero-width"
    FILLER = "filler"
    CONTROL = "control"


@dataclass(frozen=True, slots=True)
class HiddenRun:
    """Neighbouring hidden characters of one kind.

    Attributes:
        kind: what they are.
        offset: index of the first, in characters.
        line: 1-based line of the first.
        count: how many.
        first: the first one, as `U+202E`.
    """

    kind: Hidden
    offset: int
    line: int
    count: int
    first: str


_OVERRIDES = "\u202d\u202e"
_OPENERS = "\u202a\u202b\u2066\u2067\u2068"
_POP_EMBEDDING = "\u202c"
_POP_ISOLATE = "\u2069"
_BIDI = _OVERRIDES + _OPENERS + _POP_EMBEDDING + _POP_ISOLATE
_MARKS = "\u200e\u200f\u061c"
_ZWSP, _ZWNJ, _ZWJ, _WORD_JOINER, _SOFT_HYPHEN, _BOM = (
    "\u200b",
    "\u200c",
    "\u200d",
    "\u2060",
    "\u00ad",
    "\ufeff",
)
_ZERO_WIDTH = _MARKS + _ZWSP + _ZWNJ + _ZWJ + _WORD_JOINER + _SOFT_HYPHEN + _BOM
_FILLERS = (
    "\u034f\u115f\u1160\u17b4\u17b5\u180e\u2061\u2062\u2063\u2064\u206a\u206b\u206c\u206d\u206e\u206f"
    "\u2800\u3164\uffa0\ufff9\ufffa\ufffb"
)
_FILLER_RANGES = "\U0001d159\U0001d173-\U0001d17a"
_VARIATION_RANGES = "\ufe00-\ufe0f\U000e0100-\U000e01ef"
_TAG_RANGES = "\U000e0000-\U000e007f"
# TAB, LF, FF, CR and NEL are ordinary; everything else of C0 and C1, and DEL, is not.
_CONTROL_RANGES = "\x00-\x08\x0b\x0e-\x1f\x7f-\x84\x86-\x9f"

_CLASSES: tuple[tuple[Hidden, str], ...] = (
    (Hidden.BIDI, _BIDI),
    (Hidden.TAG, _TAG_RANGES),
    (Hidden.VARIATION, _VARIATION_RANGES),
    (Hidden.ZERO_WIDTH, _ZERO_WIDTH),
    (Hidden.FILLER, _FILLERS + _FILLER_RANGES),
    (Hidden.CONTROL, _CONTROL_RANGES),
)
_SUSPECT = re.compile("[" + "".join(members for _, members in _CLASSES) + "]+")


def _expand(members: str) -> list[str]:
    """The characters of the inside of a regular expression's class: characters and `a-b` ranges."""
    out: list[str] = []
    for match in re.finditer("(.)-(.)|(.)", members, re.DOTALL):
        first, last, single = match.groups()
        out += [single] if single else [chr(code) for code in range(ord(first), ord(last) + 1)]
    return out


_KIND_OF = {char: kind for kind, members in _CLASSES for char in _expand(members)}

# Hebrew to Arabic Extended-A, presentation forms, and the right-to-left planes.
# Without the Arabic letter mark, which would be its own excuse.
_RTL = re.compile(
    "[\u0590-\u061b\u061d-\u08ff\ufb1d-\ufdff\ufe70-\ufefc\U00010800-\U00010fff\U0001e800-\U0001efff]"
)
# Scripts in which joiners change the shape of letters: Arabic to N'Ko, Indic to Myanmar, Khmer, Mongolian.
_JOINING = re.compile(
    "[\u0600-\u07ff\u0860-\u0dff\u0f00-\u109f\u1780-\u18af\ufb50-\ufdff\ufe70-\ufefc\ua840-\ua87f]"
)
# Scripts that are written without spaces and break lines at U+200B.
_UNSPACED = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u1980-\u19df\u3040-\u30ff\u3400-\u9fff]")
_EMOJI = re.compile(
    "[\u00a9\u00ae\u203c\u2049\u20e3\u2122\u2139\u2190-\u21ff\u2300-\u23ff\u2460-\u24ff\u25a0-\u27bf\u2900-\u297f"
    "\u2b00-\u2bff\u3030\u303d\u3297\u3299\U0001f000-\U0001faff\ufe0f]"
)
_IDEOGRAPH = re.compile("[\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")
_JAMO = re.compile("[\u1100-\u11ff\ua960-\ua97f\ud7b0-\ud7ff]")
_KEYCAPS = frozenset("0123456789#*")
_BLACK_FLAG = "\U0001f3f4"
_FLAG_TAGS = frozenset(
    "".join(chr(0xE0000 + ord(letter)) for letter in region) + "\U000e007f"
    for region in ("gbeng", "gbsct", "gbwls")
)
_ESCAPED = re.compile(
    r"\\u([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})|\\u([0-9a-fA-F]{4})|\\U([0-9a-fA-F]{8})"
)


def find_hidden(text: str, *, strict: bool = False, start: bool = True) -> tuple[tuple[HiddenRun, ...], int]:
    """Find hidden characters in a text.

    Args:
        text: the text, or a part of it.
        strict: also report bidirectional isolates and embeddings that are balanced beside right-to-left letters;
            for source code, where they change what a reviewer sees.
        start: whether the text is the start of its file, where a byte order mark is ordinary.

    Returns:
        At most `MAX_HITS` runs in order, and the number of hidden characters in all.
    """
    if _SUSPECT.search(text) is None:
        return (), 0
    reader = _Reader(text, strict=strict, start=start)
    runs: list[HiddenRun] = []
    total = 0
    line, counted = 1, 0
    for match in _SUSPECT.finditer(text):
        for kind, offset, count in reader.flagged(match.start(), match.end()):
            total += count
            if len(runs) < MAX_HITS:
                line += text.count("\n", counted, offset)
                counted = offset
                runs.append(HiddenRun(kind, offset, line, count, f"U+{ord(text[offset]):04X}"))
    return tuple(runs), total


def unescape(text: str) -> str:
    r"""Replace `\uXXXX` and `\UXXXXXXXX` escapes outside ASCII, as a JSON, YAML, TOML or Python reader will.

    Escapes that name ASCII characters, such as quotes and line ends, stay as they are, so that lines keep their
    numbers.
    """

    def character(match: re.Match[str]) -> str:
        high, low, short, long = match.groups()
        value = int(short or long or high, 16)
        if high:
            value = 0x10000 + ((value - 0xD800) << 10) + (int(low, 16) - 0xDC00)
        return chr(value) if 0x80 <= value <= 0x10FFFF else match[0]

    return _ESCAPED.sub(character, text) if "\\" in text else text


class _Reader:
    """Judges the suspects of one text in order; remembers the line that it judged last."""

    def __init__(self, text: str, *, strict: bool, start: bool) -> None:
        self._text = text
        self._strict = strict
        self._start = start
        self._line_end = -1
        self._line_balanced = False

    def flagged(self, begin: int, end: int) -> list[tuple[Hidden, int, int]]:
        """The characters of one run of suspects that are not ordinary; neighbours of one kind are joined."""
        text = self._text
        out: list[tuple[Hidden, int, int]] = []
        if begin and text[begin - 1] == _BLACK_FLAG and text[begin:end] in _FLAG_TAGS:
            return out
        for offset in range(begin, end):
            kind = _KIND_OF[text[offset]]
            if self._ordinary(kind, offset, alone=end - begin == 1):
                continue
            if out and out[-1][0] is kind and out[-1][1] + out[-1][2] == offset:
                out[-1] = (kind, out[-1][1], out[-1][2] + 1)
            else:
                out.append((kind, offset, 1))
        return out

    def _ordinary(self, kind: Hidden, offset: int, *, alone: bool) -> bool:
        text = self._text
        char = text[offset]
        before, after = text[offset - 1] if offset else "", text[offset + 1 : offset + 2]
        if kind is Hidden.BIDI:
            return not self._strict and self._balanced_beside_rtl(offset)
        if kind is Hidden.VARIATION:
            return _has_variants(char, before)
        if kind is Hidden.FILLER:
            if char in "\u115f\u1160":
                return bool(_JAMO.match(before) or _JAMO.match(after))
            return char == "\u034f" and bool(before and after) and not (before.isascii() or after.isascii())
        if kind is not Hidden.ZERO_WIDTH:
            return False
        if char == _BOM:
            return offset == 0 and self._start
        if char == _ZWJ and _EMOJI.match(before) and _EMOJI.match(after):
            return True
        if char in _MARKS:
            return bool(_RTL.search(text, max(0, offset - 80), offset + 80))
        # Two and more in a row, or beside other hidden characters, carry data.
        return alone and _ordinary_alone(char, before, after)

    def _balanced_beside_rtl(self, offset: int) -> bool:
        if offset >= self._line_end:
            line_start = self._text.rfind("\n", 0, offset) + 1
            line_end = self._text.find("\n", offset)
            self._line_end = line_end if line_end >= 0 else len(self._text)
            line = self._text[line_start : self._line_end]
            self._line_balanced = _RTL.search(line) is not None and _balanced(line)
        return self._line_balanced


def _balanced(line: str) -> bool:
    """Whether each embedding and isolate ends within the line and nothing is overridden (UAX #9)."""
    stack: list[str] = []
    for char in line:
        if char in _OVERRIDES:
            return False
        if char in _OPENERS:
            stack.append(_POP_EMBEDDING if char < "\u2066" else _POP_ISOLATE)
        elif char in (_POP_EMBEDDING, _POP_ISOLATE) and (not stack or stack.pop() != char):
            return False
    return not stack


def _ordinary_alone(char: str, before: str, after: str) -> bool:
    if char in {_ZWNJ, _ZWJ}:
        return bool(_JOINING.match(before))
    if char == _ZWSP:
        return bool(_UNSPACED.match(before) or _UNSPACED.match(after))
    return char == _SOFT_HYPHEN and before.isalpha() and after.isalpha()


def _has_variants(char: str, base: str) -> bool:
    if not base or base.isspace() or base in _KIND_OF:
        return False
    if char >= "\U000e0100":
        return bool(_IDEOGRAPH.match(base))
    if char >= "\ufe0e":
        return base in _KEYCAPS or bool(_EMOJI.match(base))
    # U+0030 U+FE00 is the one standardised sequence with an ASCII base: the slashed zero.
    return not base.isascii() or (base == "0" and char == "\ufe00")
