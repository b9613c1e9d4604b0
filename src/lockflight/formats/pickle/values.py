"""What lies on the abstract stack: tags that say what an object would be, without being it.

- `int` >= 0: a string of the stream, as `offset << 16 | length`; read only when it is needed;
- `int` < 0: a number that is not negative, as `-1 - number`;
- `str`: a string that had to be read at once;
- `tuple`: a short tuple of values;
- `Tag`: one of the constants below;
- `Global`, `Made`, `Dict`.

Only what a rule can ask for is kept, so memory is bounded by the number of tags, not by the size of the objects.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from lockflight.formats.pickle.allow import Entry

Value: TypeAlias = "int | str | tuple[Value, ...] | Tag | Global | Made | Dict"

#: Longer strings are not kept: no name of a module or attribute is that long.
MAX_TEXT = 1024
#: Longer tuples are not kept.
MAX_TUPLE = 64
#: Dicts with more keys and values than this are not kept.
MAX_DICT = 128


class Tag:
    """A kind of object that no rule needs to look into."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name


NONE = Tag("None")
BOOL = Tag("bool")
NUMBER = Tag("number")
STRING = Tag("str")
BYTES = Tag("bytes")
LIST = Tag("list")
SET = Tag("set")
FROZENSET = Tag("frozenset")
TUPLE = Tag("tuple")
#: What `persistent_load` gives back.
PERSISTENT = Tag("persistent object")
#: What the result of a computed call, or of a call that is refused, is.
COMPUTED = Tag("computed object")
#: An array that joblib read in place of its wrapper.
ARRAY = Tag("array")
#: A memo slot that was never written.
HOLE = Tag("hole")


class Global:
    """An imported name.

    `entry` is its entry in the allow-list or None; `made` is what stands for every object that it makes and that
    nobody needs to look into.
    """

    __slots__ = ("entry", "made", "module", "name")

    def __init__(self, module: str, name: str, entry: Entry | None) -> None:
        self.module = module
        self.name = name
        self.entry = entry
        self.made = Made(self, None)

    @property
    def label(self) -> str:
        """Module and name, joined by a dot."""
        return f"{self.module}.{self.name}"


class Made:
    """What calling or building a global gives; arguments and state are kept for dtypes and joblib's wrappers."""

    __slots__ = ("args", "callee", "state")

    def __init__(self, callee: Global, args: tuple[Value, ...] | None) -> None:
        self.callee = callee
        self.args = args
        self.state: Value = NONE


class Dict:
    """A dict; `items` alternates keys and values, and is None once it is too large to be kept."""

    __slots__ = ("items",)

    def __init__(self) -> None:
        self.items: list[Value] | None = []
