"""NumPy's element types as a pickle describes them: how long an element is, and whether it holds objects.

A type is made by a code (`dtype('V12', False, True)`) and then told the rest by BUILD, with the state `(version, byte
order, subarray, names, fields, size, alignment, flags[, metadata])` (NumPy, `arraydescr_reduce` and
`arraydescr_setstate`). NumPy believes that state: a wrong flag makes it take bytes of the file for pointers, and joblib
unpickle what looks like numbers. So only what NumPy itself writes is followed, once for each type, before it is used.
"""

from __future__ import annotations

import re
from itertools import combinations
from typing import TYPE_CHECKING

from lockflight.core.records import dataclass
from lockflight.formats.pickle.values import DICT, NEGATIVE, NONE, TUPLE, Box, Dict, Made, Tag, Value

if TYPE_CHECKING:
    from collections.abc import Callable

_CODE = re.compile(r"[<>=|]?([biufcmMSUVO?])([0-9]{0,9})\Z")
_WIDTHS = {
    "b": {1}, "?": {1}, "i": {1, 2, 4, 8}, "u": {1, 2, 4, 8}, "f": {2, 4, 8, 10, 12, 16}, "c": {8, 16, 20, 24, 32},
    "m": {8}, "M": {8}, "O": {4, 8},
}  # fmt: skip
_UNICODE_WIDTH = 4
#: NPY_ITEM_REFCOUNT and NPY_LIST_PICKLE: elements hold references to objects, and arrays of them are lists.
_HOLDS = 0x03
_OBJECT_FLAGS = 63
_MAX_EXTENTS = 64
_MAX_PARTS = 16_384


@dataclass(frozen=True, slots=True)
class Layout:
    """What an element of a type is.

    Attributes:
        size: bytes.
        objects: whether it holds references to objects.
        parts: how many types who walks it meets; types that share each other could be walked for ever.
    """

    size: int
    objects: bool
    parts: int = 1


class Forged(ValueError):
    """A state that NumPy never writes for this type."""


def layout_of(value: Value) -> Layout | None:
    """The layout of a type that was told its state; None for anything else."""
    return value.layout if isinstance(value, Made) and isinstance(value.layout, Layout) else None


def dtype_code(text: str) -> tuple[str, int] | None:
    """Kind and width of a code with a width, `("U", 3)` for `U3`; None for other spellings."""
    found = _CODE.match(text)
    if found is None or not found.group(2):
        return None
    kind, width = found.group(1), int(found.group(2))
    return (kind, width) if kind in "SUV" or width in _WIDTHS[kind] else None


def build_layout(made: Made, state: Value, text: Callable[[Value], str | None]) -> Layout | None:
    """What BUILD makes of a type.

    Args:
        made: the type, with the arguments that it was made with.
        state: what BUILD gives it.
        text: the literal string that a value is, or None.

    Returns:
        the layout; None where it cannot be told.

    Raises:
        Forged: the state contradicts the code, or an earlier use of the type could.
    """
    code = text(made.args[0]) if made.args else None
    kind, width = (dtype_code(code) if code is not None else None) or ("", 0)
    if made.layout is not None:
        raise Forged("it is told its layout twice")
    if not kind or not isinstance(state, tuple) or len(state) not in {8, 9}:
        return None
    version, subarray, names, fields, size, alignment, flags = (state[0], *state[2:8])
    if _number(version) not in {3, 4}:
        return None
    _metadata(kind, state)
    if kind == "V":
        return _void(width, (subarray, names, fields), _number(size), _number(flags), text)
    if not (subarray is NONE and names is NONE and fields is NONE):
        raise Forged("only structures have fields")
    if kind in "SU":
        told = width * (_UNICODE_WIDTH if kind == "U" else 1)
        # `S` and `U` without a width are told it here.
        if _number(size) not in {told, None} and width:
            raise Forged("its size is not that of its code")
        if (_number(size) or 0) < 0:
            raise Forged("its size is below zero")
        if _number(size) is None or (_number(flags) or 0) & _HOLDS or _number(flags) is None:
            raise Forged("text holds no objects")
        return Layout(_number(size) or 0, objects=False)
    if _number(size) != -1 or _number(alignment) != -1:
        raise Forged("its size is not that of its code")
    if kind == "O":
        if _number(flags) != _OBJECT_FLAGS:
            raise Forged("it holds objects and says that it does not")
        return Layout(width, objects=True)
    if _number(flags) != 0:
        raise Forged("it holds no objects and says that it does")
    return Layout(width, objects=False)


def _metadata(kind: str, state: tuple[Value, ...]) -> None:
    """NumPy reads the unit of a time without looking whether there is one, and takes any metadata for a dict."""
    told = state[8] if len(state) == 9 else NONE
    name = told.name if isinstance(told, Box) else ""
    if kind in "mM":
        # The unit itself NumPy checks.
        if not isinstance(told, tuple) and name != TUPLE.name:
            raise Forged("it is a time without a unit")
    elif told is not NONE and not isinstance(told, Dict) and name != DICT.name:
        raise Forged("its metadata is no dict")


def _number(value: Value) -> int | None:
    """A whole number that is known; None for anything else."""
    if type(value) is int and value < 0:
        return -1 - value
    return NEGATIVE.get(value) if isinstance(value, Tag) else None


def _void(
    width: int,
    inside: tuple[Value, Value, Value],
    size: int | None,
    flags: int | None,
    text: Callable[[Value], str | None],
) -> Layout | None:
    """Bytes without a meaning, an array as an element, or a structure."""
    subarray, names, fields = inside
    if size is None or flags is None:
        return None
    if size != width or size < 0:
        raise Forged("its size is not that of its code")
    if subarray is not NONE:
        if fields is not NONE or names is not NONE:
            raise Forged("an array has no fields")
        held = _repeated(subarray, size)
    elif fields is NONE:
        if names is not NONE:
            raise Forged("it names fields that it does not have")
        held = (False, 1)
    else:
        found = _structure(names, fields, size, text)
        if found is None:
            return None
        held = found
    objects, parts = held
    if parts > _MAX_PARTS:
        return None
    if flags & _HOLDS != (_HOLDS if objects else 0):
        raise Forged("it says something else about objects than its fields")
    return Layout(size, objects=objects, parts=parts)


def _repeated(subarray: Value, size: int) -> tuple[bool, int]:
    if not isinstance(subarray, tuple) or len(subarray) != 2:
        raise Forged("an array in it is not described")
    base, shape = layout_of(subarray[0]), subarray[1]
    extents = shape if isinstance(shape, tuple) else (shape,)
    if base is None or len(extents) > _MAX_EXTENTS:
        raise Forged("an array in it is not described")
    total = base.size
    for extent in extents:
        known = _number(extent)
        if known is None or known < 0:
            raise Forged("an array in it is not described")
        total *= known
    if total != size:
        raise Forged("an array in it has another size")
    return base.objects, base.parts + 1


def _structure(
    names: Value, fields: Value, size: int, text: Callable[[Value], str | None]
) -> tuple[bool, int] | None:
    """Whether a structure holds objects, and its parts; None where it is too large to be told."""
    if not isinstance(fields, Dict) or fields.items is None or not isinstance(names, tuple):
        return None
    known: set[str] = set()
    parts = 1
    spans: list[tuple[int, int, bool]] = []
    for i in range(0, len(fields.items), 2):
        name, field = text(fields.items[i]), fields.items[i + 1]
        if name is None or not isinstance(field, tuple) or len(field) not in {2, 3}:
            raise Forged("a field is not described")
        inner, offset = layout_of(field[0]), _number(field[1])
        if inner is None or offset is None or offset < 0 or offset + inner.size > size:
            raise Forged("a field reaches out of it")
        if name in known:
            raise Forged("two fields have one name")
        known.add(name)
        parts += inner.parts
        spans.append((offset, offset + inner.size, inner.objects))
    if any(text(name) not in known for name in names):
        raise Forged("it names fields that it does not have")
    # A title is a second name of the same field.
    for (start, end, held), (other, last, holds) in combinations(sorted(set(spans)), 2):
        if (held or holds) and other < end and start < last:
            raise Forged("an object shares its place with another field")
    return any(held for _, _, held in spans), parts
