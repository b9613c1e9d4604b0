"""Small wrongs done to a policy, one at a time: what its tests must notice. Pure, and always the same for one text.

Comparisons are turned round or moved by one, conditions are dropped, `not` is dropped, rules are deleted, references
are misspelled, and numbers, words and truth values are changed. Sentences for people are left alone.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from lockflight.core.records import dataclass
from lockflight.policy.text.tokens import Kind, Token, tokens

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Each comparison becomes its opposite and, where there is one, its neighbour.
COMPARISONS = {
    "==": ("!=",),
    "!=": ("==",),
    "<": (">=", "<="),
    "<=": (">", "<"),
    ">": ("<=", ">="),
    ">=": ("<", ">"),
}
_OPEN, _CLOSE = "([{", ")]}"
_TRUTH = {"true": "false", "false": "true"}


@dataclass(frozen=True, slots=True)
class Mutant:
    """A module with one small wrong.

    Attributes:
        path: of the module.
        line: 1-based.
        what: what was done to it.
        source: the whole module with the wrong in it.
    """

    path: str
    line: int
    what: str
    source: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.what}"


def mutants(path: str, source: str) -> tuple[Mutant, ...]:
    """Every wrong that can be done to a module, in the order of its text."""
    found = list(tokens(source))
    edits = [*_token_edits(found), *_dropped(found, source), *_deleted(found)]
    edits.sort(key=lambda edit: (edit.start, edit.end, edit.what))
    return tuple(
        Mutant(path, edit.line, edit.what, source[: edit.start] + edit.text + source[edit.end :])
        for edit in edits
    )


@dataclass(frozen=True, slots=True)
class _Edit:
    start: int
    end: int
    line: int
    text: str
    what: str


def _replaced(token: Token, text: str) -> _Edit:
    return _Edit(token.start, token.end, token.line, text, f"{token.text} becomes {text}")


def _token_edits(found: list[Token]) -> Iterator[_Edit]:
    before = ""
    header = 0
    for i, token in enumerate(found):
        after = found[i + 1].text if i + 1 < len(found) else ""
        if token.first and token.text in {"package", "import"}:
            header = token.line
        if token.line != header:
            yield from _one_token(token, before, after)
        before = token.text


def _one_token(token: Token, before: str, after: str) -> Iterator[_Edit]:
    if token.kind is Kind.OPERATOR:
        for other in COMPARISONS.get(token.text, ()):
            yield _replaced(token, other)
    elif token.kind is Kind.NUMBER and token.text.isdigit():
        yield _replaced(token, str(int(token.text) + 1))
    elif token.kind in {Kind.STRING, Kind.RAW} and " " not in token.text:
        yield _replaced(token, f"{token.text[:-1]}_{token.text[-1]}")
    elif token.text in _TRUTH:
        yield _replaced(token, _TRUTH[token.text])
    elif token.text == "not":
        yield _Edit(token.start, token.end, token.line, "", f"`not` is dropped before {after}")
    elif token.kind is Kind.PATH and "." in token.text and after != "(" and before != ".":
        yield _Edit(token.end, token.end, token.line, "_", f"{token.text} is misspelled")


def _dropped(found: list[Token], source: str) -> Iterator[_Edit]:
    """Conditions that become `true`: of rules, of `every` and of comprehensions."""
    for condition in _conditions(found):
        first, last = condition[0], condition[-1]
        if first.text in {"some", "true"} or any(token.text == ":=" for token in condition):
            continue
        words = " ".join(source[first.start : last.end].split())
        yield _Edit(first.start, last.end, first.line, "true", f"the condition `{words[:80]}` is dropped")


def _conditions(found: list[Token]) -> Iterator[list[Token]]:
    """Runs of tokens that stand as one condition."""
    frames: list[_Frame] = [_Frame(body=False)]
    expected = False
    every = False
    line = 0
    for i, token in enumerate(found):
        frame = frames[-1]
        after = found[i + 1].text if i + 1 < len(found) else ""
        if frame.body and (token.text == ";" or (token.line != line and frame.run)) and _ends(frame, token):
            yield from frame.take()
        line = token.line
        if len(frames) == 1 and token.first and token.text != "else":
            yield from frame.take()
            frame.body = expected = every = False
        if token.kind is Kind.OPERATOR and token.text in _OPEN:
            frame.add(token)
            frames.append(_Frame(body=token.text == "{" and (expected or every), bracket=token.text))
            expected = every = False
        elif token.kind is Kind.OPERATOR and token.text in _CLOSE and len(frames) > 1:
            yield from frame.take()
            frames.pop()
            frames[-1].add(token)
        elif token.text == "|" and frame.bracket in {"[", "{"} and not frame.body:
            frame.body = True
        elif token.text == "if":
            yield from frame.take()
            expected = after == "{"
            frame.body = not expected
        elif token.text == "else" and len(frames) == 1:
            yield from frame.take()
            frame.body = False
        elif token.text != ";":
            every = every or token.text == "every"
            frame.add(token)
    for frame in frames:
        yield from frame.take()


@dataclass(slots=True)
class _Frame:
    """One pair of brackets, or the module itself."""

    body: bool
    bracket: str = ""
    run: list[Token] | None = None

    def add(self, token: Token) -> None:
        if self.body:
            self.run = [*(self.run or []), token]

    def take(self) -> Iterator[list[Token]]:
        if self.run:
            yield self.run
        self.run = None


def _ends(frame: _Frame, token: Token) -> bool:
    """Whether a condition ends before this token: not where an operator joins two lines."""
    last = (frame.run or [token])[-1]
    return token.text == ";" or not (last.kind is Kind.OPERATOR and last.text not in _CLOSE)


def _deleted(found: list[Token]) -> Iterator[_Edit]:
    """Rules, with what follows them as `else`, and each `else` alone with what follows it."""
    starts = [token for token in found if token.first and token.kind is Kind.PATH]
    ends = {before.start: before_end for before, before_end in _ends_of(found, starts)}
    for i, token in enumerate(starts):
        if token.text in {"package", "import"}:
            continue
        last = i
        while last + 1 < len(starts) and starts[last + 1].text == "else":
            last += 1
        name = token.text
        if name == "default":
            name = f"default of {found[found.index(token) + 1].text}"
        what = "an `else` is deleted" if name == "else" else f"the rule {name} is deleted"
        yield _Edit(token.start, ends[starts[last].start], token.line, "", what)


def _ends_of(found: list[Token], starts: list[Token]) -> Iterator[tuple[Token, int]]:
    """Each token that starts a line with the offset behind the last token before the next one."""
    marks = {token.start for token in starts}
    current = starts[0] if starts else None
    for before, token in pairwise(found):
        if token.start in marks and current is not None:
            yield current, before.end
            current = token
    if current is not None and found:
        yield current, found[-1].end
