"""From a set of edits that does to one of which none can be left out: delta debugging (Zeller, Hildebrandt 2002)."""

from __future__ import annotations

from itertools import combinations, pairwise
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

T = TypeVar("T")

#: Up to so many edits, every smaller choice among them is tried too.
ALL_SUBSETS = 6


def shrunk(items: Sequence[T], first_that_does: Callable[[Sequence[Sequence[T]]], int]) -> list[T]:
    """A subset that still does, of which nothing can be left out.

    Args:
        items: a set that does; what should rather be left out stands first.
        first_that_does: index of the first of some sets that does, or -1.
    """
    left, parts = list(items), 2
    while len(left) > 1:
        chunks = _chunks(left, parts)
        tries = chunks if parts == 2 else [*chunks, *_without(left, chunks)]
        found = first_that_does(tries)
        if found >= 0:
            left = list(tries[found])
            parts = 2 if found < len(chunks) else max(parts - 1, 2)
        elif parts >= len(left):
            break
        else:
            parts = min(parts * 2, len(left))
    return _smaller(left, first_that_does)


def _smaller(items: list[T], first_that_does: Callable[[Sequence[Sequence[T]]], int]) -> list[T]:
    """Not everything that cannot be left out alone must be there: pairs and more are left out together."""
    if not 2 < len(items) <= ALL_SUBSETS:
        return items
    tries = [list(some) for size in range(1, len(items) - 1) for some in combinations(items, size)]
    found = first_that_does(tries)
    return tries[found] if found >= 0 else items


def _chunks(items: Sequence[T], parts: int) -> list[list[T]]:
    edges = [len(items) * i // parts for i in range(parts + 1)]
    return [list(items[a:b]) for a, b in pairwise(edges) if a < b]


def _without(items: Sequence[T], chunks: Sequence[Sequence[T]]) -> Iterator[list[T]]:
    start = 0
    for chunk in chunks:
        end = start + len(chunk)
        yield [*items[:start], *items[end:]]
        start = end
