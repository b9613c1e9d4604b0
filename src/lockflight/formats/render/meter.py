"""What it may cost to run a template: work and memory are counted before they are spent, never in seconds."""

from __future__ import annotations

from typing import Final

from lockflight.formats.render.values import MAX_LIST, Lost, Sym, Text

#: Units of one file's templates, all runs together; the largest template of a known family takes a twentieth.
#: A unit is a step, a node that is looked at, what weighs 16 and is read, or 256 bytes that are made.
MAX_UNITS: Final = 1_000_000
#: Bytes of values that one run makes.
MAX_ROOM: Final = 24 * 1024 * 1024
#: What one operation goes through: a character weighs 1, an item of a list 8, one of a mapping 16.
MAX_WEIGHT: Final = 1_000_000
#: Lists in lists.
MAX_NESTED: Final = 32
#: Characters that one run writes out, with those that unknown words carry.
MAX_WRITTEN: Final = 150_000

#: Bytes of an object, its place in a list, and one character at most.
_OBJECT: Final = 96
_PLACE: Final = 8
_CHARACTER: Final = 4


class Spent(Exception):
    """The budget is used up. Never leaves `formats`."""


class Meter:
    """What is left.

    Attributes:
        left: units of all runs.
        room: bytes of this run.
    """

    __slots__ = ("left", "room")

    def __init__(self, left: int | None = None) -> None:
        self.left = MAX_UNITS if left is None else left
        self.room = MAX_ROOM

    def fresh(self) -> None:
        """A run begins, and what the one before it made is gone."""
        self.room = MAX_ROOM

    def step(self, units: int = 1) -> None:
        """Pay for work.

        Raises:
            Spent: there is not so much left.
        """
        self.left -= units
        if self.left < 0:
            raise Spent

    def make(self, size: int) -> None:
        """Pay for `size` bytes.

        Raises:
            Lost: the run has made too much.
            Spent: as for `step`.
        """
        self.step(size >> 8)
        self.room -= size
        if self.room < 0:
            raise Lost("it builds very much")

    def items(self, count: int) -> None:
        """Pay for a list of so many objects.

        Raises:
            Lost: it is too long, or as for `make`.
            Spent: as for `step`.
        """
        if count > MAX_LIST:
            raise Lost("it builds a very long list")
        self.make(count * (_OBJECT + _PLACE))

    def read(self, *values: object) -> int:
        """Pay for going through values with all that they hold; what they weigh.

        Raises:
            Lost: they weigh too much, or are nested too deeply.
            Spent: as for `step`.
        """
        level: tuple[object, ...] | list[object] = values
        weight = depth = 0
        while level:
            depth += 1
            below: list[object] = []
            for value in level:
                weight += weighed(value)
                if weight > MAX_WEIGHT or depth > MAX_NESTED:
                    self.step(weight >> 4 if weight <= MAX_WEIGHT else MAX_WEIGHT >> 4)
                    raise Lost("it goes through values that are very long or deep")
                if isinstance(value, (list, tuple)):
                    below += value
                elif isinstance(value, dict):
                    below += value
                    below += value.values()
            level = below
        self.step(weight >> 4)
        return weight

    def seen(self, value: object) -> None:
        """Pay for a value that an expression gives."""
        weight = weighed(value)
        if weight > 31:
            self.step(weight >> 4)

    def made(self, value: object) -> None:
        """Pay for a value that an expression makes."""
        self.make(_OBJECT + _CHARACTER * weighed(value))


def weighed(value: object) -> int:
    """What a value weighs without what lies in its items."""
    if isinstance(value, str):
        return len(value)
    if isinstance(value, (list, tuple)):
        return 8 * len(value) + 1
    if isinstance(value, dict):
        return 16 * len(value) + 1
    if isinstance(value, Sym):
        return len(value.carried) + 1
    if isinstance(value, Text):
        return sum(8 + len(piece if isinstance(piece, str) else piece.carried) for piece in value.pieces)
    return 1
