"""Whether a module reads facts that there are: every `input.…` path must be one that the schema of facts v1 knows.

A mistyped path is undefined, and an undefined condition can look like "nothing wrong". The schema is data of the
installation, so a path that a later version adds becomes known with it.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lockflight.policy.text.lint import Issue
from lockflight.policy.text.names import TEST_SUFFIX
from lockflight.policy.text.tokens import Kind, Token, tokens

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

INPUT = "input"


def lint_facts(sources: Mapping[str, str]) -> tuple[Issue, ...]:
    """References to facts that nobody makes; test modules make their own.

    Args:
        sources: path to text.
    """
    return tuple(
        issue
        for path, source in sorted(sources.items())
        if not path.endswith(TEST_SUFFIX)
        for issue in _module(path, source)
    )


def facts_read(sources: Mapping[str, str], code: str) -> tuple[frozenset[tuple[str, ...]], ...]:
    """The facts that a rule can read, as paths below `input`.

    Args:
        sources: path to text of the judging modules.
        code: of the rule; the modules that name it are taken to hold it.

    Returns:
        What its own modules read, then what else the modules read that they reach. A path ends where a variable
        begins, and what lies below it is read with it.
    """
    words = {path: list(tokens(source)) for path, source in sources.items()}
    named_in = (f'"{code}"', f"`{code}`")
    own = {path for path, found in words.items() if any(t.text in named_in for t in found)} or set(words)
    reached, fresh = set(own), set(own)
    while fresh:
        named = {name for path in fresh for name in _packages_named(words[path])}
        fresh = {
            path
            for path, found in words.items()
            if path not in reached and any(_meets(_package(found), name) for name in named)
        }
        reached |= fresh
    direct = frozenset(p for path in own for _, p in _references(words[path]))
    return direct, frozenset(p for path in reached for _, p in _references(words[path])) - direct


def _package(found: Sequence[Token]) -> tuple[str, ...]:
    named = (found[i + 1].parts for i, token in enumerate(found[:-1]) if token.text == "package")
    return ("data", *next(named, ()))


def _packages_named(found: Iterable[Token]) -> set[tuple[str, ...]]:
    return {tuple(t.parts) for t in found if t.kind is Kind.PATH and t.parts[0] == "data"}


def _meets(package: tuple[str, ...], name: tuple[str, ...]) -> bool:
    """Whether a path can lead into a package: it may go on below it, or end above it in a variable."""
    shared = min(len(package), len(name))
    return len(name) > 1 and package[:shared] == name[:shared]


def _module(path: str, source: str) -> Iterator[Issue]:
    for line, parts in _references(list(tokens(source))):
        stranger = unknown(list(parts))
        if stranger:
            words = ".".join((INPUT, *parts))
            yield Issue(path, line, f"{words} is no path of facts v1: there is no {stranger}")


def _references(found: Sequence[Token]) -> Iterator[tuple[int, tuple[str, ...]]]:
    """Line and path below `input` of each reference to facts."""
    aliases = {INPUT: [INPUT]}
    for i, token in enumerate(found):
        before = found[i - 1].text if i else ""
        if token.kind is not Kind.PATH or before == ".":
            continue
        if before == "import" and token.parts[0] == INPUT:
            renamed = [later.text for later in found[i + 1 : i + 3] if later.line == token.line]
            aliases[renamed[1] if renamed[:1] == ["as"] and len(renamed) == 2 else token.parts[-1]] = (
                token.parts
            )
        start = aliases.get(token.parts[0])
        if start is None or before in {"as", "package"}:
            continue
        parts = token.parts if before == "import" else [*start, *token.parts[1:]]
        yield token.line, tuple(parts[1:])


def unknown(parts: list[str]) -> str:
    """The first of some names, each below the one before, that facts v1 do not have; empty if they have all."""
    place = _schema()
    for part in parts:
        place = _resolved(place)
        known = place.get("properties", {})
        if part in known:
            place = known[part]
        elif isinstance(place.get("additionalProperties"), dict):
            place = place["additionalProperties"]
        elif place.get("type") != "object" or known:
            return part
        else:
            # An object of any shape: whatever lies below it may be there.
            return ""
    return ""


def allowed_values(parts: Sequence[str]) -> tuple[str, ...]:
    """The words that may stand at a path of facts v1, indices left out; empty where any may."""
    place = _rows(_schema())
    for part in parts:
        below = place.get("properties", {}).get(part, place.get("additionalProperties"))
        if not isinstance(below, dict):
            return ()
        place = _rows(below)
    return tuple(word for word in place.get("enum", ()) if isinstance(word, str))


def _rows(place: dict[str, Any]) -> dict[str, Any]:
    place = _resolved(place)
    while "items" in place:
        place = _resolved(place["items"])
    return place


def _resolved(place: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in place:
        place = _schema()["$defs"][place["$ref"].removeprefix("#/$defs/")]
    return place


@cache
def _schema() -> dict[str, Any]:
    file = Path(__file__).parents[2] / "_data" / "schemas" / "facts.json"
    schema: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return schema
