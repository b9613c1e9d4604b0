"""Whether a module reads facts that there are: every `input.…` path must be one that the schema of facts v1 knows.

A mistyped path is undefined, and an undefined condition can look like "nothing wrong". The schema is data of the
installation, so a path that a later version adds becomes known with it.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import lockflight
from lockflight.policy.lint import Issue
from lockflight.policy.names import TEST_SUFFIX
from lockflight.policy.tokens import Kind, tokens

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

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


def _module(path: str, source: str) -> Iterator[Issue]:
    found = list(tokens(source))
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
        stranger = unknown(parts[1:])
        if stranger:
            yield Issue(path, token.line, f"{'.'.join(parts)} is no path of facts v1: there is no {stranger}")


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


def _resolved(place: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in place:
        place = _schema()["$defs"][place["$ref"].removeprefix("#/$defs/")]
    return place


@cache
def _schema() -> dict[str, Any]:
    file = Path(lockflight.__file__).parent / "_data" / "schemas" / "facts.json"
    schema: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return schema
