"""What a stream gives objects as attributes: the part of the machine that only a second, careful run needs.

Code that runs while a file is loaded asks objects for attributes, and calls some of them: `nodes.astype(..)`,
`state.pop(..)`, `obj.__array__()`. An object of the stream may have any attribute that the stream likes. So two kinds
are not followed: names in `WORDS`, which Python and NumPy believe; and anything that can be called, under a name where
real objects hold nothing of that kind (`AllowList.attributes`). A name that only lies in a dict or list, as in a
vocabulary, is no attribute.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from lockflight.formats.pickle.arguments import BARE
from lockflight.formats.pickle.values import STRING, Dict, Global, Made, Tag, Value
from lockflight.formats.report import shown

if TYPE_CHECKING:
    from lockflight.formats.pickle.allow import AllowList

#: Assigning to the one makes an object another class; an attribute of the other name is called by the next BUILD.
CLASS_WORD, STATE_WORD = "__class__", "__setstate__"
#: The others stand in for attributes of the object, or for methods that NumPy or the object itself calls.
WORDS = frozenset(
    {
        CLASS_WORD, STATE_WORD, "__dict__", "__array__", "__array_interface__", "__array_struct__", "__array_wrap__",
        "__array_prepare__", "_build_f", "free_network",
    }
)  # fmt: skip
#: Values of one state that are looked at.
_MAX_LOOK = 4_096


class Machine(Protocol):
    """What is asked of the machine.

    Attributes:
        given: which attributes objects got that are not to be.
    """

    allow: AllowList
    given: set[str]

    def text(self, value: Value) -> str | None:
        """The string that a value is, or None when it is no literal string."""
        ...

    def unknown(self, rule: str, message: str, subject: str = "") -> None:
        """Record something that cannot be judged."""
        ...


def look(state: Machine, target: Dict, items: list[Value]) -> None:
    """Note which keys of a dict no object may have as attributes; `items` alternates keys and values."""
    for i in range(0, len(items) - 1, 2):
        key, why = state.text(items[i]), ""
        if key is None:
            # Longer texts and numbers are no names.
            named = type(items[i]) in {int, str} or (type(items[i]) is Tag and items[i] is not STRING)
            key, why = "something", "" if named else "whose name it does not write out"
        elif key in WORDS:
            why = "which others call or believe"
        elif key not in state.allow.attributes and _callable(items[i + 1]):
            why = "which others could call"
        if why:
            target.odd = {**(target.odd or {}), key: why}
    if target.state and target.odd:
        told(state, "an object", target)


def _callable(value: Value) -> bool:
    """Whether someone could call a value, and more would happen than that a plain one is made."""
    if type(value) is Global:
        return not value.inert
    return type(value) is Made and value.callee.answers


def held(state: Machine, items: list[Value]) -> int:
    """How many keys of a dict hold something callable that `look` would say nothing about, nor the end of a run."""
    count = 0
    for i in range(1, len(items), 2):
        one = items[i]
        if _callable(one) and state.text(items[i - 1]) in state.allow.attributes:
            bare = type(one) is Global and one.entry is not None and one.entry.arguments in BARE
            count += not bare
    return count


def told(state: Machine, label: str, value: Value) -> None:
    """What becomes the attributes of an object, or could: dicts, and those in tuples."""
    rest, looked = [value], 0
    while rest and looked < _MAX_LOOK:
        one = rest.pop()
        looked += 1
        if type(one) is tuple:
            rest.extend(one)
        elif type(one) is Dict:
            one.state = True
            for key, why in (one.odd or {}).items():
                state.given.add(key)
                message = f"The stream could give {shown(label)} {shown(key)}, {why}."
                state.unknown("attribute", message, key)
    if rest:
        state.unknown("attribute", f"What the stream gives {shown(label)} cannot be followed.", label)
