"""Regular expressions of configurations: whether there are texts for which one takes practically forever.

Loaders hand them to engines that try every way to match: Python's `re` (adapters), Oniguruma (tokenizers). What takes
exponential time is a repeated group that can match one text in two ways; what takes a high power of the text's length
is many repetitions in a row. Only shapes that are seen to be neither are plain; nothing is matched here.
"""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING, Final

from lockflight.core.findings import Verdict
from lockflight.core.records import dataclass
from lockflight.formats.report import Issue, Issues, shown

if TYPE_CHECKING:
    from lockflight.core.canonical import JsonObject, JsonValue

MAX_PATTERN: Final = 100_000
#: Repetitions without an end that may follow each other; those of tokenizers have two.
MAX_IN_A_ROW: Final = 4
#: Places in a row where it can go on in several ways.
MAX_VARIES: Final = 20
_MAX_DEPTH: Final = 40
#: Repetitions up to there are options, of which each doubles the ways.
_FEW: Final = 4
#: From there on a number of repetitions is as good as none.
_MANY: Final = 64
#: Engines that write a repetition out take the product of those around each other.
_MAX_COPIES: Final = 10_000
_OPENINGS: Final = ("?:", "?=", "?!", "?<=", "?<!", "?>", "?i:", "?-i:", "?s:", "?m:")


#: Keys of adapters that hold patterns, beside those that say so.
MODULES: Final = frozenset(
    {"target_modules", "exclude_modules", "modules_to_save", "feedforward_modules", "target_parameters"}
)


class _Odd(Exception):
    """Something that is not followed here; the message names it."""


@dataclass(slots=True)
class _Part:
    """What is known of a piece of an expression.

    `runs` counts repetitions without an end in a row, `copies` the product of repetitions inside each other, `varies`
    the places in a row where it can go on in several ways. `first` and `last` are the plain characters that it begins
    and ends with; `told` says that one of these stands nowhere else in it, which tells its repetitions apart.
    """

    runs: int = 0
    copies: int = 1
    varies: int = 0
    first: str = ""
    last: str = ""
    told: bool = False
    #: Characters that it can match, in lower case; None where that is not known.
    chars: set[str] | None = field(default_factory=set)


def slow(pattern: str, *, python: bool) -> str:
    """Why a regular expression may take forever; empty where it is plain.

    Args:
        pattern: the expression.
        python: it is one of Python's; else classes may lie in each other, as Oniguruma has them.
    """
    if len(pattern) > MAX_PATTERN:
        return "it is longer than is read"
    try:
        part = _Reader(pattern, python=python).whole()
    except _Odd as odd:
        return str(odd)
    if part.runs > MAX_IN_A_ROW or part.varies > MAX_VARIES:
        return "it has many repetitions in a row"
    return "it repeats a repetition many times" if part.copies > _MAX_COPIES else ""


def check_regex(key: str, pattern: JsonValue, issues: Issues, *, python: bool) -> None:
    """Say what `slow` says of what a loader compiles, where that is a text."""
    why = slow(pattern, python=python) if isinstance(pattern, str) else ""
    if why:
        message = f"The pattern under {shown(key)} may keep its loader busy without end: {why}."
        issues.add(Issue("config:pattern", Verdict.REVIEW, message, subject=shown(str(pattern), 200)))


def is_adapter_pattern(key: str) -> bool:
    """Whether PEFT takes what stands under a key for patterns."""
    return key in MODULES or key.endswith("_pattern")


def check_adapter(value: JsonObject, issues: Issues) -> None:
    """The patterns by which an adapter of PEFT finds the modules that it changes."""
    for key, inner in value.items():
        if is_adapter_pattern(key):
            # Lists are of whole names, mostly; as patterns these are plain. Of ranks by name, the names are patterns.
            for pattern in inner if isinstance(inner, (list, dict)) else [inner]:
                check_regex(key, pattern, issues, python=True)


class _Reader:
    def __init__(self, pattern: str, *, python: bool) -> None:
        self.text = pattern
        self.python = python
        self.at = 0
        self.depth = 0

    def whole(self) -> _Part:
        part = self._branches()
        if self.at < len(self.text):
            raise _Odd("its brackets do not fit")
        return part

    def _next(self) -> str:
        return self.text[self.at : self.at + 1]

    def _branches(self) -> _Part:
        branches = [self._sequence()]
        while self._next() == "|":
            self.at += 1
            branches.append(self._sequence())
        if len(branches) == 1:
            return branches[0]
        firsts = [branch.first for branch in branches]
        # Words that begin differently are told apart at once: repeated they are one way to match a text.
        apart = all(firsts) and len(set(firsts)) == len(firsts)
        return _Part(
            max(branch.runs for branch in branches),
            max(branch.copies for branch in branches),
            max(branch.varies for branch in branches) if apart else 2 + max(b.varies for b in branches),
            chars=None,
        )

    def _sequence(self) -> _Part:
        parts: list[_Part] = []
        while self.at < len(self.text) and self._next() not in "|)":
            part = self._repeated()
            if part is not None:
                parts.append(part)
        if len(parts) == 1:
            return parts[0]
        whole = _Part(
            sum(part.runs for part in parts),
            max((part.copies for part in parts), default=1),
            sum(part.varies for part in parts),
            first=parts[0].first if parts else "",
            last=parts[-1].last if parts else "",
            chars=_joined(parts),
        )
        whole.told = _alone(whole.first, parts[1:]) or _alone(whole.last, parts[:-1])
        return whole

    def _repeated(self) -> _Part | None:
        """A piece with what stands behind it; None for one that matches no character."""
        single, part = self._piece()
        least, most = self._times()
        if (least, most) == (1, 1):
            return part
        if part is None:
            raise _Odd("it repeats what matches nothing")
        if most > 1 and not single and part.varies and not (part.told and part.varies == 1):
            raise _Odd("it repeats a group that can match a text in several ways")
        endless = most > _MANY or (least != most and most - least > _FEW)
        return _Part(
            part.runs + int(endless),
            part.copies * (1 if most > _MAX_COPIES * 2 else max(most, 1)),
            part.varies + (0 if least == most else 1 if most > _MANY else min(most - least, _FEW)),
            # One that may be missing, or that stands there more than once, is the edge of nothing.
            first=part.first if least == most == 1 else "",
            last=part.last if least == most == 1 else "",
            chars=part.chars,
        )

    def _times(self) -> tuple[int, int]:
        """How often the piece before it may stand; one quantifier only, with what makes it lazy or possessive."""
        least, most = 1, 1
        sign = self._next()
        if sign and sign in "*+?":
            self.at += 1
            least, most = {"*": (0, 1 << 62), "+": (1, 1 << 62), "?": (0, 1)}[sign]
            if self._next() and self._next() in "?+":
                self.at += 1
        elif sign == "{":
            end = self.text.find("}", self.at)
            low, comma, high = self.text[self.at + 1 : max(end, self.at)].partition(",")
            if end < 0 or not all(
                n == "" or (n.isascii() and n.isdigit() and len(n) < 10) for n in (low, high)
            ):
                return least, most
            if not low and not high:
                return least, most
            self.at = end + 1
            least = int(low or 0)
            most = int(high) if high else (1 << 62 if comma else least)
            if self._next() == "?":
                self.at += 1
            elif self._next() == "+":
                # Possessive in Python; to Oniguruma it is one more repetition.
                self.at += 1
                most = most if self.python else 1 << 62
        else:
            return least, most
        if self._next() and self._next() in "*+?":
            raise _Odd("it repeats a repetition")
        return least, most

    def _piece(self) -> tuple[bool, _Part | None]:
        """One piece; whether it is a single character."""
        sign = self._next()
        self.at += 1
        if sign == "(":
            return False, self._group()
        if sign == "[":
            return True, _Part(chars=self._class())
        if sign == "\\":
            return self._escape()
        if sign == ".":
            return True, _Part(chars=None)
        if sign in "^$":
            return True, None
        if sign in "*+?":
            raise _Odd("it repeats nothing")
        return True, _plain(sign)

    def _group(self) -> _Part | None:
        self.depth += 1
        if self.depth > _MAX_DEPTH:
            raise _Odd("its groups lie too deep in each other")
        around = False
        if self._next() == "?":
            rest = self.text[self.at : self.at + 4]
            opening = next((one for one in _OPENINGS if rest.startswith(one)), "")
            name_start = "?P<" if rest.startswith("?P<") else "?<" if rest[:2] == "?<" and not opening else ""
            if opening:
                self.at += len(opening)
                around = opening in {"?=", "?!", "?<=", "?<!"}
            elif name_start:
                self.at = self.text.find(">", self.at) + 1
                if not self.at:
                    raise _Odd("its brackets do not fit")
            elif self.text.startswith(("?i)", "?s)", "?m)", "?is)", "?u)"), self.at):
                self.at = self.text.index(")", self.at) + 1
                self.depth -= 1
                return None
            else:
                raise _Odd("it has a group that is not followed here")
        part = self._branches()
        if self._next() != ")":
            raise _Odd("its brackets do not fit")
        self.at += 1
        self.depth -= 1
        if around:
            # What lies ahead or behind is not taken, and tried at each place.
            return _Part(part.runs, part.copies, part.varies, chars=None)
        return part

    def _escape(self) -> tuple[bool, _Part | None]:
        sign = self._next()
        self.at += 1
        if not sign:
            raise _Odd("it ends in an escape")
        if sign in "AzZbBG":
            return True, None
        if sign in "123456789kgKRX" or (self.python and sign == "0"):
            raise _Odd("it refers to what it matched before")
        if sign in "pPxu":
            self._braced()
            return True, _Part(chars=None)
        if sign.isalnum():
            listed = _LISTED.get(sign)
            return True, _plain(*listed) if listed and len(listed) == 1 else _Part(chars=listed)
        return True, _plain(sign)

    def _braced(self) -> None:
        if self._next() == "{":
            self.at = self.text.find("}", self.at) + 1
            if not self.at:
                raise _Odd("its brackets do not fit")

    def _class(self) -> set[str] | None:
        """Pass over a class; its characters, None where they are not listed one by one or in plain ranges."""
        negated = self._next() == "^"
        self.at += negated
        listed: set[str] | None = set()
        start, depth = self.at, 1
        while self.at < len(self.text):
            sign = self.text[self.at]
            self.at += 1
            if sign == "]" and (self.at - 1 > start or not self.python):
                depth -= 1
                if not depth:
                    return _others(listed) if negated else _lowered(listed)
            elif sign == "[" and not self.python:
                depth += 1
                listed = None
            elif sign == "\\":
                escaped = self._next()
                self.at += 1
                if escaped in "pPxu":
                    self._braced()
                found = _LISTED.get(escaped, None if escaped.isalnum() else {escaped})
                listed = None if listed is None or found is None else listed | found
            elif sign == "-" and self.at - 1 > start and self._next() not in {"]", ""} and listed is not None:
                # Ranges of letters and digits; others are not listed.
                low, high = self.text[self.at - 2], self.text[self.at]
                plain = low.isascii() and high.isascii() and low.isalnum() and high.isalnum() and low <= high
                listed = listed | {chr(code) for code in range(ord(low), ord(high) + 1)} if plain else None
            elif listed is not None:
                listed.add(sign)
        raise _Odd("its brackets do not fit")


_LISTED: Final[dict[str, set[str]]] = {
    "d": set("0123456789"),
    "n": {"\n"}, "r": {"\r"}, "t": {"\t"}, "f": {"\f"}, "v": {"\v"},
    "s": set(" \t\n\r\f\v"),
    "w": set("abcdefghijklmnopqrstuvwxyz0123456789_"),
}  # fmt: skip
_ASCII: Final = {chr(code) for code in range(128)}


def _lowered(listed: set[str] | None) -> set[str] | None:
    """Without the difference of cases, which a flag may take away."""
    return None if listed is None else {part for sign in listed for part in sign.casefold()}


def _others(listed: set[str] | None) -> set[str] | None:
    """The characters that a negated class matches, of those that can be an edge here: the ones of ASCII."""
    return None if listed is None else _lowered(_ASCII - listed)


def _plain(sign: str) -> _Part:
    edge = sign.casefold() if sign.isascii() else ""
    return _Part(first=edge, last=edge, chars=_lowered({sign}))


def _joined(parts: list[_Part]) -> set[str] | None:
    found: set[str] = set()
    for part in parts:
        if part.chars is None:
            return None
        found |= part.chars
    return found


def _alone(edge: str, others: list[_Part]) -> bool:
    chars = _joined(others)
    return bool(edge) and chars is not None and edge not in chars
