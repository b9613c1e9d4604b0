"""Statements by people and by the gate: strict round trips."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from lockflight.core.attest.acts import (
    Action,
    Approval,
    Promotion,
    Registration,
    Revocation,
    Scope,
    parse_approval,
    parse_promotion,
    parse_registration,
    parse_revocation,
)
from lockflight.core.attest.statement import parse
from lockflight.core.attest.tree import Tree

if TYPE_CHECKING:
    from collections.abc import Callable

    from lockflight.core.attest.statement import Statement

D = "ab" * 32
ACTS = {
    "registration": (
        Registration(D, "bot", "1", "agent", "high", D, D, D, Tree(D, 3)),
        parse_registration,
    ),
    "registration-without-tree": (
        Registration(D, "bot", "1", "agent", "high", D, D, D),
        parse_registration,
    ),
    "approval": (
        Approval(D, "bot", "staging", D, "approve", "0" * 32, "2026-01-31T12:00:00Z", D, D),
        parse_approval,
    ),
    "approval-with-a-time": (
        replace(
            Approval(D, "bot", "staging", D, "approve", "0" * 32, "2026-01-31T12:00:00Z", D, D),
            factor="key+totp",
            proved="2026-01-31T11:59:30Z",
        ),
        parse_approval,
    ),
    "promotion": (
        Promotion(Action.PROMOTE, D, "bot", "1", "bot", "staging", "", D, (D,), "p-1", "main", 500, D),
        parse_promotion,
    ),
    "revocation": (Revocation(Scope.ASSET, D, "x.pkl", "harmful", realm=D), parse_revocation),
}


@pytest.mark.parametrize("name", ACTS)
def test_reads_what_it_writes(name: str) -> None:
    act, read = ACTS[name]
    assert read(parse(act.statement().payload())) == act


@pytest.mark.parametrize("name", ACTS)
def test_refuses_an_unknown_field(name: str) -> None:
    act, read = ACTS[name]
    statement = act.statement()
    with pytest.raises(ValueError, match="unknown fields"):
        read(replace(statement, predicate={**statement.predicate, "also": 1}))


@pytest.mark.parametrize("name", ACTS)
def test_refuses_every_missing_field(name: str) -> None:
    act, read = ACTS[name]
    statement = act.statement()
    for field in set(statement.predicate) - {"tree", "proved"}:
        less = {k: v for k, v in statement.predicate.items() if k != field}
        with pytest.raises((KeyError, TypeError, ValueError)):
            read(replace(statement, predicate=less))


BAD: list[tuple[str, str, object]] = [
    ("approval", "verdict", "maybe"),
    ("approval", "proved", "2026-01-31T11:59:30Z"),
    ("approval-with-a-time", "proved", ""),
    ("approval-with-a-time", "proved", "yesterday"),
    ("approval-with-a-time", "proved", 1),
    ("approval-with-a-time", "factor", "key"),
    ("promotion", "action", "teleport"),
    ("promotion", "exposure", 10_001),
    ("promotion", "exposure", -1),
    ("promotion", "exposure", True),
    ("revocation", "reason", "because"),
    ("revocation", "scope", "world"),
    ("registration", "signature", "AB" * 32),
    ("registration", "tree", {"root": D}),
    ("registration", "tree", {"root": D, "size": 3, "more": 1}),
    ("registration", "tree", {"root": D, "size": "3"}),
    ("registration", "tree", {"root": D[:-1], "size": 3}),
    ("registration", "tree", None),
]


@pytest.mark.parametrize(("name", "field", "value"), BAD)
def test_refuses_bad_values(name: str, field: str, value: object) -> None:
    act, read = ACTS[name]
    statement: Statement = act.statement()
    reader: Callable[[Statement], object] = read
    with pytest.raises((KeyError, TypeError, ValueError)):
        reader(replace(statement, predicate={**statement.predicate, field: value}))  # type: ignore[dict-item]
