"""joblib's arrays: raw bytes between the opcodes, which only the state of a wrapper object announces.

`joblib.dump` writes a `NumpyArrayWrapper` by ordinary opcodes; when its BUILD has run, `joblib.load` reads the array
from the file in place (joblib/numpy_pickle.py): with `numpy_array_alignment_bytes` set one byte and as many pad bytes
as it says, then the elements; for arrays of objects a second pickle instead.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from lockflight.formats.pickle.records import Broken
from lockflight.formats.pickle.state import WRAPPERS
from lockflight.formats.pickle.values import ARRAY, NONE, Global, Made, Value
from lockflight.formats.report import shown

if TYPE_CHECKING:
    from lockflight.formats.pickle.state import State

_DTYPE = re.compile(r"[<>=|]?([?biufcmMSUVO])([0-9]{0,9})\Z")
_UNICODE_WIDTH = 4
#: NPY_ITEM_REFCOUNT: elements hold references to objects.
_HAS_OBJECT = 0x01


def build(state: State) -> None:
    """BUILD: sets the state of an object, and makes joblib read an array."""
    argument = state.stack.pop()
    target = state.stack[-1]
    if isinstance(target, Global):
        state.extend(target)
    elif isinstance(target, Made) and target.kept:
        _kept(state, target, argument)
    if state.track:
        state.stack[-1], state.deep = state.filled(state.stack[-1], argument, state.deep)
    state.release(argument)


def _kept(state: State, target: Made, argument: Value) -> None:
    if target.callee.name == "dtype":
        target.state = argument
    elif target.callee.name == "NDArrayWrapper":
        _outside(state, argument)
    elif state.joblib and (target.callee.module, target.callee.name) in WRAPPERS:
        state.stack[-1] = ARRAY
        _skip_array(state, argument)


def _outside(state: State, argument: Value) -> None:
    """Joblib before 0.10 kept each array in a file of its own beside the pickle."""
    found = state.lookup(argument, "filename")
    name = None if found is None else state.text(found)
    if name is None or "/" in name or "\\" in name or ":" in name or name in {"", ".", ".."}:
        state.block(
            "outside-file",
            "The stream makes joblib read a file that does not lie beside it.",
            shown(name or ""),
        )


def _skip_array(state: State, argument: Value) -> None:
    size = _item_size(state, state.lookup(argument, "dtype"))
    shape = state.lookup(argument, "shape")
    if size is None or not isinstance(shape, tuple):
        raise Broken("the length of an array inside it cannot be told")
    if state.frame_end > state.pos:
        state.block("frame", "An array lies inside a frame, which joblib never writes.")
    state.frame_end = 0
    if state.first_array < 0:
        state.first_array = state.pos
    if size == 0:
        state.pos = state.nested(state.pos)
        return
    padding = state.lookup(argument, "numpy_array_alignment_bytes")
    if padding is not None and padding is not NONE:
        length = state.read(1)[0]
        state.pos += length
    for extent in shape:
        if type(extent) is not int or extent >= 0:
            raise Broken("the shape of an array inside it is no tuple of numbers")
        size *= -1 - extent
    if size > state.source.size - state.pos:
        raise Broken("an array inside it is longer than the file")
    state.pos += size


def _item_size(state: State, dtype: Value | None) -> int | None:
    """Bytes of an element; 0 for objects, which are pickled; None where it cannot be told."""
    if not isinstance(dtype, Made) or dtype.callee.name != "dtype" or not dtype.args:
        return None
    code = state.text(dtype.args[0])
    found = _DTYPE.match(code) if code is not None else None
    if found is None:
        return None
    kind, width = found.group(1), int(found.group(2) or 0)
    fields = dtype.state if isinstance(dtype.state, tuple) else ()
    if kind == "O":
        return 0
    if kind in "SUV":
        return _flexible(kind, width, fields)
    return width if width or kind != "?" else 1


def _flexible(kind: str, width: int, fields: tuple[Value, ...]) -> int | None:
    """Strings, and structures: their state says how long they are and whether they hold objects.

    The state is `(version, byte order, subarray, names, fields, size, alignment, flags, ..)`.
    """
    size = width * _UNICODE_WIDTH if kind == "U" else width
    if len(fields) < 8:
        return size or None
    if fields[2] is not NONE:
        return None
    declared, flags = fields[5], fields[7]
    if type(declared) is int and declared < 0:
        size = -1 - declared
    if kind == "V" and (type(flags) is not int or flags >= 0 or (-1 - flags) & _HAS_OBJECT):
        return 0 if type(flags) is int and flags < 0 else None
    return size or None
