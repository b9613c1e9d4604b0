"""Patterns over asset names: `*` and `?` within one part, `**` across parts, `[...]` for one character.

Own matcher, without regular expressions: the work for one name is at most the length of the pattern times
the length of the name, whatever the pattern, so a hostile manifest cannot make matching explode.

    prompts/*.md      files directly in prompts/
    data/**           everything below data/
    **/*.py           every Python file, also those at the top
    part-[0-9].csv    `[a-z]`, `[!a-z]`; `[*]`, `[?]` and `[[]` stand for the characters themselves

Names that start with a dot are no exception, and case always matters.
"""

from __future__ import annotations

from collections.abc import Sequence

from lockflight.core.records import dataclass
from lockflight.errors import InvalidInput

MAX_PATTERN = 4096

_SPECIAL = frozenset("*?[")
_ACROSS = "**"


@dataclass(frozen=True, slots=True)
class _One:
    """One character out of a set of ranges, or any character not in it."""

    ranges: tuple[tuple[str, str], ...]
    negated: bool = False

    def accepts(self, char: str) -> bool:
        return any(low <= char <= high for low, high in self.ranges) is not self.negated


_ANY = _One((), negated=True)
#: `*` within a part; None among the tokens of a part.
_Token = _One | str | None


@dataclass(frozen=True, slots=True)
class Glob:
    """One parsed pattern.

    Attributes:
        text: the pattern as written.
        prefix: the literal characters that every matching name starts with.
        suffix: the literal characters that every matching name ends with.
    """

    text: str
    prefix: str
    suffix: str
    _parts: tuple[tuple[_Token, ...] | None, ...]

    @property
    def literal(self) -> bool:
        """Whether the pattern can match one name only."""
        return all(part is not None and all(isinstance(t, str) for t in part) for part in self._parts)

    def matches(self, name: str) -> bool:
        """Whether the whole name matches."""
        if not (name.startswith(self.prefix) and name.endswith(self.suffix)):
            return False
        if self.text == f"**/*{self.suffix}":
            return True
        if self._parts[-1] is None and self._parts.count(None) == 1 and self.prefix == self.text[:-2]:
            return len(name) > len(self.prefix)
        return _match_parts(self._parts, name.split("/"))


def parse_glob(text: str) -> Glob:
    """Read one pattern.

    Raises:
        InvalidInput: LF0160, saying what in the pattern cannot be meant.
    """
    if not text or len(text) > MAX_PATTERN:
        raise _bad(text, f"it is empty or longer than {MAX_PATTERN} characters")
    if text.startswith("/"):
        raise _bad(text, "it is absolute; patterns are relative to the folder of lockflight.toml")
    if "\\" in text or any(ord(c) < 0x20 or ord(c) == 0x7F for c in text):
        raise _bad(text, "it holds a backslash or a control character; parts are separated by `/`")
    if text.endswith("/"):
        raise _bad(text, "it names a folder; write `**` after it for everything below", f"{text}**")
    parts = tuple(_parse_part(text, part) for part in text.split("/"))
    return Glob(text, _prefix(parts), _suffix(parts), parts)


def escape(name: str) -> str:
    """The pattern that matches exactly this name."""
    return "".join(f"[{c}]" if c in _SPECIAL else c for c in name)


def _bad(text: str, why: str, instead: str = "") -> InvalidInput:
    hint = f'Write "{instead}".' if instead else "See lockflight schema lockflight-toml."
    return InvalidInput("LF0160", f"The pattern {text[:120]!a} cannot be used: {why}.", hint=hint)


def _parse_part(text: str, part: str) -> tuple[_Token, ...] | None:
    if part == _ACROSS:
        return None
    if part in {"", ".", ".."}:
        raise _bad(text, f"it has the part {part!r}, which could leave the folder")
    if _ACROSS in part:
        raise _bad(text, "`**` must stand alone between slashes", text.replace(_ACROSS, "*"))
    tokens: list[_Token] = []
    i = 0
    while i < len(part):
        char = part[i]
        i += 1
        if char == "*":
            tokens.append(None)
        elif char == "?":
            tokens.append(_ANY)
        elif char == "[":
            one, i = _parse_class(text, part, i)
            tokens.append(one)
        else:
            tokens.append(char)
    return tuple(tokens)


def _parse_class(text: str, part: str, start: int) -> tuple[_One | str, int]:
    i = start
    negated = part[i : i + 1] in {"!", "^"}
    i += negated
    end = part.find("]", i + 1)  # a `]` in first place is a member
    if end < 0:
        raise _bad(text, "a `[` is never closed; write `[[]` for the character itself")
    members = part[i:end]
    ranges: list[tuple[str, str]] = []
    j = 0
    while j < len(members):
        low = high = members[j]
        if members[j + 1 : j + 2] == "-" and j + 2 < len(members):
            high = members[j + 2]
            j += 2
        if low > high:
            raise _bad(text, f"the range {low}-{high} runs backwards")
        ranges.append((low, high))
        j += 1
    if not negated and len(ranges) == 1 and ranges[0][0] == ranges[0][1]:
        return ranges[0][0], end + 1
    return _One(tuple(ranges), negated), end + 1


def _prefix(parts: Sequence[tuple[_Token, ...] | None]) -> str:
    out: list[str] = []
    for i, part in enumerate(parts):
        if part is None:
            break
        if i:
            out.append("/")
        for token in part:
            if not isinstance(token, str):
                return "".join(out)
            out.append(token)
    else:
        return "".join(out)
    return "".join(out) + ("/" if out else "")


def _suffix(parts: Sequence[tuple[_Token, ...] | None]) -> str:
    out: list[str] = []
    for token in reversed(parts[-1] or ()):
        if not isinstance(token, str):
            break
        out.append(token)
    return "".join(reversed(out))


def _match_parts(pattern: Sequence[tuple[_Token, ...] | None], parts: Sequence[str]) -> bool:
    """Match part by part; only the last `**` is ever tried again: enough, and it bounds the work."""
    if pattern[-1] is None:
        # A final `**` means something below, never the folder's own name.
        pattern = [*pattern, (None,)]
    p = n = 0
    star, mark = -1, 0
    while n < len(parts):
        if p < len(pattern):
            token = pattern[p]
            if token is None:
                star, mark = p, n
                p += 1
                continue
            if _match_part(token, parts[n]):
                p += 1
                n += 1
                continue
        if star < 0:
            return False
        mark += 1
        p, n = star + 1, mark
    return all(token is None for token in pattern[p:])


def _match_part(tokens: Sequence[_Token], part: str) -> bool:
    t = n = 0
    star, mark = -1, 0
    while n < len(part):
        if t < len(tokens):
            token = tokens[t]
            if token is None:
                star, mark = t, n
                t += 1
                continue
            if token == part[n] if isinstance(token, str) else token.accepts(part[n]):
                t += 1
                n += 1
                continue
        if star < 0:
            return False
        mark += 1
        t, n = star + 1, mark
    return all(token is None for token in tokens[t:])
