"""Seats are filled by a matching: one person, one seat, and nobody is left standing who could have sat down."""

from __future__ import annotations

from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as some

from lockflight.core.attest.quorum import Seat, filled, needed, open_seats, parse_seats, spell

ROLES = ("approver", "risk-owner", "auditor")


def test_one_person_fills_one_seat() -> None:
    quorum = (Seat("approver"), Seat("risk-owner"))
    assert len(filled(quorum, {"p": frozenset(ROLES)})) == 1
    assert open_seats(quorum, filled(quorum, {"p": frozenset(ROLES)})) != {}


def test_people_move_over_for_others() -> None:
    """First come, first served would give the only approver's seat to who could also sit elsewhere."""
    quorum = (Seat("approver"), Seat("risk-owner"))
    people = {"a": frozenset({"approver", "risk-owner"}), "b": frozenset({"approver"})}
    assert filled(quorum, people) == {"a": "risk-owner", "b": "approver"}


def _best(quorum: tuple[Seat, ...], people: dict[str, frozenset[str]]) -> int:
    places = [seat.role for seat in quorum for _ in range(seat.count)]
    best = 0
    for order in permutations(people):
        left = list(places)
        seated = 0
        for person in order:
            fits = [role for role in left if role in people[person]]
            if fits:
                left.remove(fits[0])
                seated += 1
        best = max(best, seated)
    return best


@given(
    some.dictionaries(some.sampled_from("abcde"), some.frozensets(some.sampled_from(ROLES)), max_size=5),
    some.lists(some.integers(0, 3), min_size=3, max_size=3),
)
def test_no_better_seating_exists(people: dict[str, frozenset[str]], counts: list[int]) -> None:
    quorum = tuple(Seat(role, count) for role, count in zip(ROLES, counts, strict=True) if count)
    seated = filled(quorum, people)
    assert all(role in people[person] for person, role in seated.items())
    assert all(list(seated.values()).count(s.role) <= s.count for s in quorum)
    assert len(seated) >= _best(quorum, people)
    assert sum(open_seats(quorum, seated).values()) == needed(quorum) - len(seated)


@pytest.mark.parametrize(
    "raw",
    [
        [{"role": "king", "count": 1}],
        [{"role": "approver", "count": 0}],
        [{"role": "approver", "count": -1}],
        [{"role": "approver", "count": 21}],
        [{"role": "approver", "count": True}],
        [{"role": "approver", "count": 1}, {"role": "approver", "count": 1}],
        {"approver": 1},
    ],
)
def test_a_quorum_of_another_shape_is_refused(raw: object) -> None:
    with pytest.raises((TypeError, ValueError, KeyError)):
        parse_seats(raw)  # type: ignore[arg-type]


def test_spelling() -> None:
    assert spell({"approver": 2, "risk-owner": 1}) == "2 approvers and 1 risk-owner"
    assert spell({"approver": 1, "auditor": 1, "risk-owner": 2}) == "1 approver, 1 auditor and 2 risk-owners"
