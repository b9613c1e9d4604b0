"""What lies on the abstract stack: tags that say what an object would be, without being it.

- `int` >= 0: a string of the stream, as the offset of its opcode; read only when it is needed;
- `int` < 0: a number that is not negative, as `-1 - number`;
- `str`: a string that had to be read at once;
- `tuple`: a short tuple of values;
- `Tag`: one of the constants below, for what holds nothing;
- `Box`: a container that no rule needs to look into;
- `Global`, `Made`, `Dict`.

Only what a rule can ask for is kept, so memory is bounded by the number of tags, not by the size of the objects.

Containers know their depth: 1 for what holds plain values, and one more for each container inside. A tuple inside a
kept tuple holds no further container, so that the depth of a tuple can be told from its items. What the memo gives is
a reference: it counts for no more than the depth that it had when it was written down.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lockflight.formats.pickle.allow import Entry

Value: TypeAlias = "int | str | tuple[Value, ...] | Tag | Box | Global | Made | Dict"

#: Longer strings are not kept: no name of a module or attribute is that long.
MAX_TEXT = 1024
#: Longer tuples are not kept.
MAX_TUPLE = 64
#: Dicts with more keys and values than this are not kept.
MAX_DICT = 128


class Tag:
    """A kind of object that holds nothing, or nothing that counts."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name


class Box:
    """A kind of container, at one depth; of a tuple or frozenset also how many values who walks it would meet."""

    __slots__ = ("depth", "family", "name", "weight")

    def __init__(
        self, name: str, depth: int = 1, weight: int = 0, family: dict[tuple[int, int], Box] | None = None
    ) -> None:
        self.name = name
        self.depth = depth
        self.weight = weight
        self.family: dict[tuple[int, int], Box] = {} if family is None else family
        self.family[depth, weight] = self

    def at(self, depth: int) -> Box:
        """The same kind at another depth."""
        return self.family.get((depth, self.weight)) or Box(self.name, depth, self.weight, self.family)

    def of(self, items: Iterable[Value], depth: int = 1) -> Box:
        """The same kind with these in it. The weight is rounded down a little: what doubles it is still seen."""
        weight = weight_of(items)
        spare = max(0, weight.bit_length() - 4)
        weight = weight >> spare << spare
        return self.family.get((depth, weight)) or Box(self.name, depth, weight, self.family)


NONE = Tag("None")
BOOL = Tag("bool")
NUMBER = Tag("number")
#: Small negative numbers, which element types of NumPy are told with.
NEGATIVE = {Tag(f"{number}"): number for number in range(-128, 0)}
_BELOW = {number: tag for tag, number in NEGATIVE.items()}
STRING = Tag("str")
BYTES = Tag("bytes")
LIST = Box("list")
DICT = Box("dict")
SET = Box("set")
FROZENSET = Box("frozenset")
TUPLE = Box("tuple")
#: What `persistent_load` gives back.
PERSISTENT = Tag("persistent object")
#: What the result of a computed call, or of a call that is refused, is.
COMPUTED = Tag("computed object")
#: An array that joblib read in place of its wrapper.
ARRAY = Tag("array")
#: A memo slot that was never written.
HOLE = Tag("hole")


def number_of(value: int) -> Value:
    """What stands for a number."""
    return -1 - value if value >= 0 else _BELOW.get(value, NUMBER)


#: Rules for states that need what an object was made of.
_KEEPING = ("distribution", "native")
#: They make an object of their first argument.
BUILDERS = ("copyreg", "copy_reg")


class Global:
    """An imported name. Nothing about it changes once it was made, but what is remembered in `variants`.

    Attributes:
        module, name: as they stand in the stream.
        entry: its entry in the allow-list or None.
        resolved: (module, name) in Python 3.
        made: stands for every object that it makes and that nobody needs to look into.
        kept: its objects are kept with their arguments and state.
        plain: the arguments of its calls do not matter.
        reaches: calling it with a class gives a method of that class.
        builds: its first argument is the class of what it makes.
        inert: whoever calls it gets a plain value.
        answers: what it makes can be called.
    """

    __slots__ = (
        "answers", "builds", "entry", "inert", "kept", "made", "module", "name", "plain", "reaches", "resolved",
        "variants",
    )  # fmt: skip

    def __init__(
        self, module: str, name: str, entry: Entry | None, resolved: tuple[str, str], *, kept: bool = False
    ) -> None:
        self.module = module
        self.name = name
        self.entry = entry
        self.resolved = resolved
        self.kept = kept or (entry is not None and entry.state in _KEEPING)
        rule = "" if entry is None else entry.arguments
        self.plain = not self.kept and module not in BUILDERS and not rule
        self.reaches = rule == "attribute"
        self.builds = rule in {"class-first", "reconstructor"}
        self.inert = entry is not None and entry.inert
        self.answers = self.reaches or (entry is not None and entry.answers)
        self.made = Made(self, None)
        self.variants: dict[int, Made] | None = None

    @property
    def label(self) -> str:
        """Module and name, joined by a dot."""
        return f"{self.module}.{self.name}"


class Made:
    """What calling or building a global gives; arguments are kept for dtypes and joblib's wrappers.

    `layout` is what BUILD told of a dtype, see `dtypes`; False where that cannot be followed, and True for a wrapper
    that was built.
    """

    __slots__ = ("args", "callee", "depth", "kept", "layout")

    def __init__(self, callee: Global, args: tuple[Value, ...] | None, depth: int = 1) -> None:
        self.callee = callee
        self.args = args
        self.depth = depth
        self.kept = False
        self.layout: object = None

    def at(self, depth: int) -> Made:
        """The object once it holds something that is `depth` - 1 deep."""
        if self.kept:
            self.depth = depth
            return self
        variants = self.callee.variants
        if variants is None:
            variants = self.callee.variants = {}
        found = variants.get(depth)
        if found is None:
            found = variants[depth] = Made(self.callee, None, depth)
        return found


#: No weight is followed beyond this one: it takes hours to walk as much.
_MAX_WEIGHT = 1 << 40


def weight_of(items: Iterable[Value], most: int = _MAX_WEIGHT) -> int:
    """How many values are in these, those in their tuples and frozensets counted each time; little more than `most`."""
    weight, rest = 0, [items]
    while rest and weight <= most:
        for item in rest.pop():
            weight += 1
            if type(item) is tuple:
                if item:
                    rest.append(item)
            elif type(item) is Box:
                weight += item.weight
    return min(weight, _MAX_WEIGHT)


class Dict:
    """A dict; `items` alternates keys and values, and is None once it is too large to be kept.

    `odd` says which of its keys no object may have as attributes, and why; `state` that it is an object's state.
    """

    __slots__ = ("depth", "items", "odd", "state")

    def __init__(self, *, kept: bool = True) -> None:
        self.items: list[Value] | None = [] if kept else None
        self.depth = 1
        self.odd: dict[str, str] | None = None
        self.state = False

    def at(self, depth: int) -> Dict:
        """The dict once it holds something that is `depth` - 1 deep."""
        self.depth = depth
        return self


def depth_of(value: Value) -> int:
    """How deep a value is: 0 for one that holds nothing."""
    if isinstance(value, tuple):
        depth = 1
        for item in value:
            if isinstance(item, tuple):
                depth = max(depth, 2)
            elif isinstance(item, (Box, Made, Dict)):
                depth = max(depth, item.depth + 1)
        return depth
    return value.depth if isinstance(value, (Box, Made, Dict)) else 0
