"""Quorums: how many people of which role an environment asks for, and whether some people fill them. Pure.

One person fills one seat, whatever roles they hold: seats are filled by a matching, never by counting per role.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockflight.core.records import dataclass
from lockflight.core.shape import array, natural, obj, text
from lockflight.core.words import PERSON_ROLES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lockflight.core.canonical import JsonObject, JsonValue

#: More people than this never have to agree on one release.
MAX_SEATS = 20


@dataclass(frozen=True, slots=True)
class Seat:
    """So many people of one role."""

    role: str
    count: int = 1

    def to_json(self) -> JsonObject:
        """The form in statements."""
        return {"role": self.role, "count": self.count}


def parse_seats(value: JsonValue) -> tuple[Seat, ...]:
    """Read a quorum.

    Raises:
        KeyError, TypeError, ValueError: another shape, an unknown role, or more than 20 seats.
    """
    seats = tuple(Seat(text(obj(item)["role"]), natural(obj(item)["count"])) for item in array(value))
    for seat in seats:
        if seat.role not in PERSON_ROLES:
            raise ValueError(f"{seat.role!r} is no role of people")
        if not seat.count:
            raise ValueError("a seat for nobody")
    if len({seat.role for seat in seats}) != len(seats):
        raise ValueError("a role is named twice")
    if needed(seats) > MAX_SEATS:
        raise ValueError(f"more than {MAX_SEATS} seats")
    return seats


def needed(quorum: Sequence[Seat]) -> int:
    """How many people a quorum asks for."""
    return sum(seat.count for seat in quorum)


def filled(quorum: Sequence[Seat], people: Mapping[str, frozenset[str]]) -> dict[str, str]:
    """The largest matching of people to seats: person to role. The quorum is full when it has `needed` entries.

    Args:
        quorum: the seats.
        people: person (one human, whatever accounts they have) to the roles that count.
    """
    places = [seat.role for seat in quorum for _ in range(seat.count)]
    taken: dict[int, str] = {}

    def place(person: str, tried: set[int]) -> bool:
        for i, role in enumerate(places):
            if i in tried or role not in people[person]:
                continue
            tried.add(i)
            if i not in taken or place(taken[i], tried):
                taken[i] = person
                return True
        return False

    for person in sorted(people):
        place(person, set())
    return {person: places[i] for i, person in sorted(taken.items())}


def open_seats(quorum: Sequence[Seat], matching: Mapping[str, str]) -> dict[str, int]:
    """Role to how many of its seats a matching leaves empty."""
    held = list(matching.values())
    left = {seat.role: seat.count - held.count(seat.role) for seat in quorum}
    return {role: count for role, count in left.items() if count}


def spell(seats: Mapping[str, int]) -> str:
    """`2 approvers and 1 risk-owner`, for sentences."""
    parts = [f"{count} {role}{'s' if count > 1 else ''}" for role, count in seats.items()]
    return " and ".join(parts) if len(parts) < 3 else ", ".join(parts[:-1]) + f" and {parts[-1]}"
