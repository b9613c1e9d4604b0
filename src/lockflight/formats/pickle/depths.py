"""How deep values lie inside each other: the part of the machine's state that only counts."""

from __future__ import annotations

from lockflight.formats.pickle.records import MAX_NESTING, Broken
from lockflight.formats.pickle.values import Box, Dict, Made, Value, depth_of


class Depths:
    """Containers grow with what comes into them."""

    __slots__ = ()

    def deeper(self, value: Value, depth: int) -> Value:
        """The same value once it is `depth` deep.

        Raises:
            Broken: nothing is followed so deep.
        """
        if depth > MAX_NESTING:
            raise Broken(f"values lie more than {MAX_NESTING:,} deep inside each other", budget=True)
        return value.at(depth) if isinstance(value, (Box, Made, Dict)) else value

    def grown(self, value: Value, inner: int, deep: int) -> tuple[Value, int]:
        """A container that gets something `inner` deep, and how deep the values beside it are then."""
        if isinstance(value, tuple) or inner >= depth_of(value):
            value = self.deeper(value, inner + 1)
        return value, max(deep, inner + 1)

    def filled(self, value: Value, by: Value, deep: int) -> tuple[Value, int]:
        """An object that is made of arguments or gets a state: as deep as they are."""
        depth = depth_of(by)
        if depth > depth_of(value):
            value = self.deeper(value, depth)
        return value, max(deep, depth)
