"""joblib's arrays: raw bytes between the opcodes, which only the state of a wrapper object announces.

`joblib.dump` writes a `NumpyArrayWrapper` by ordinary opcodes; when its BUILD has run, `joblib.load` reads the array
from the file in place (joblib/numpy_pickle.py): with `numpy_array_alignment_bytes` set one byte and as many pad bytes
as it says, then the elements; for arrays of objects a second pickle instead.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockflight.formats.pickle import attributes, distributions
from lockflight.formats.pickle.arguments import function_first
from lockflight.formats.pickle.calls import constants
from lockflight.formats.pickle.dtypes import Forged, Layout, build_layout, layout_of
from lockflight.formats.pickle.records import Broken
from lockflight.formats.pickle.state import WRAPPERS
from lockflight.formats.pickle.values import ARRAY, DICT, NONE, TUPLE, Box, Dict, Global, Made, Value
from lockflight.formats.report import shown

if TYPE_CHECKING:
    from lockflight.formats.pickle.state import State

#: What joblib tells a wrapper: nothing else, and each once.
_KEYS = frozenset({"subclass", "shape", "order", "dtype", "allow_mmap", "numpy_array_alignment_bytes"})
#: What makes an array whose state says of what type its bytes are.
_ARRAYS = frozenset(
    {"_reconstruct", "_mareconstruct", "ndarray", "matrix", "recarray", "MaskedArray", "chararray", "mvoid"}
)
#: Items of the state of an element type without metadata.
_PLAIN_STATE = 8
#: Element types as they are told: code, byte order, and the rest, which is the same in every stream.
_LAYOUTS: dict[tuple[object, ...], Layout] = {}
_MAX_LAYOUTS = 1_024


def build(state: State) -> None:
    """BUILD: sets the state of an object, and makes joblib read an array."""
    argument = state.stack.pop()
    target = state.stack[-1]
    if state.careful:
        _looked(state, target, argument)
    if isinstance(target, Global):
        state.extend(target)
    elif isinstance(target, Made) and target.kept:
        kept(state, target, argument)
    elif isinstance(target, Made):
        told(state, target, argument)
    if state.track:
        state.stack[-1], state.deep = state.filled(state.stack[-1], argument, state.deep)
    state.release(argument)


def _looked(state: State, target: Value, argument: Value) -> None:
    """A careful run: what attributes an object gets."""
    label = target.callee.label if isinstance(target, Made) else "an object"
    if isinstance(argument, Made) or (isinstance(argument, Box) and argument.name in {TUPLE.name, DICT.name}):
        state.unknown("attribute", f"What the stream gives {shown(label)} cannot be followed.", label)
    elif label == "functools.partial" and isinstance(argument, tuple):
        # Its function, arguments and keywords are no attributes.
        attributes.told(state, label, argument[3:])
    else:
        attributes.told(state, label, argument)


def kept(state: State, target: Made, argument: Value) -> None:
    """The state of an object that something else depends on."""
    entry = target.callee.entry
    if entry is not None and entry.state == "native":
        label = target.callee.label
        state.unknown(
            "state", f"The code of {shown(label)} believes its state, which cannot be followed.", label
        )
    elif entry is not None and entry.state:
        distributions.told(state, target, argument)
    elif target.callee.name == "dtype":
        _dtype(state, target, argument)
    elif target.callee.name == "NDArrayWrapper":
        _outside(state, argument)
    elif state.joblib and (target.callee.module, target.callee.name) in WRAPPERS:
        state.stack[-1] = ARRAY
        if target.layout is not None:
            raise Broken("one of joblib's arrays is read twice")
        target.layout = True
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


def _dtype(state: State, target: Made, argument: Value) -> None:
    key: tuple[object, ...] = ()
    if target.layout is None and target.args and type(argument) is tuple and len(argument) == _PLAIN_STATE:
        key = (state.text(target.args[0]), state.text(argument[1]), argument[0], argument[2:])
        known = _LAYOUTS.get(key)
        if known is not None:
            target.layout = known
            return
    try:
        layout = build_layout(target, argument, state.text)
    except Forged as why:
        target.layout = False
        state.block("dtype", f"The stream describes an element type of NumPy falsely: {why}.")
        return
    target.layout = layout or False
    if layout is not None:
        if key and None not in key[:2] and len(_LAYOUTS) < _MAX_LAYOUTS and _told_by_constants(argument):
            _LAYOUTS[key] = layout
    else:
        state.unknown("dtype", "The stream describes an element type of NumPy that cannot be followed.")


def _told_by_constants(argument: Value) -> bool:
    return isinstance(argument, tuple) and constants((argument[0], *argument[2:]))


def told(state: State, target: Made, argument: Value) -> None:
    """The state of any other object: types in it must be finished, and a `partial` gets no other function."""
    callee = target.callee
    if isinstance(argument, Made) and argument.callee.resolved != ("collections", "OrderedDict"):
        # Whatever takes it for a dict calls methods that it may have brought along.
        state.block("use", f"The stream gives {shown(callee.label)} an object as its state.", callee.label)
    rule = "" if callee.entry is None else callee.entry.state
    if rule and rule.startswith("tuple-"):
        if not isinstance(argument, tuple) or len(argument) != int(rule[6:]):
            message = f"The stream gives {shown(callee.label)} a state of another length."
            state.block("state", message, callee.label)
    elif callee.name == "partial" and callee.module == "functools":
        if not isinstance(argument, tuple) or not function_first(state, callee, argument):
            state.block("arguments", "The stream changes what functools.partial calls.", callee.label)
    elif callee.name in _ARRAYS and callee.module.startswith("numpy"):
        if not isinstance(argument, tuple):
            state.unknown("dtype", "The stream gives an array a state that cannot be followed.")
            return
        for one in argument:
            if type(one) is Made and one.kept and one.layout is None:
                state.block("dtype", "The stream uses an element type of NumPy before it is described.")
                return


def _skip_array(state: State, argument: Value) -> None:
    told = _words(state, argument)
    layout, shape = layout_of(told.get("dtype", NONE)), told.get("shape")
    if layout is None or not isinstance(shape, tuple):
        raise Broken("the length of an array inside it cannot be told")
    if state.frame_end > state.pos:
        state.block("frame", "An array lies inside a frame, which joblib never writes.")
    state.frame_end = 0
    if state.first_array < 0:
        state.first_array = state.pos
    if layout.objects:
        state.pos = state.nested(state.pos)
        return
    padding = told.get("numpy_array_alignment_bytes", NONE)
    if padding is not NONE:
        length = state.read(1)[0]
        state.pos += length
    size = layout.size
    for extent in shape:
        if type(extent) is not int or extent >= 0:
            raise Broken("the shape of an array inside it is no tuple of numbers")
        size *= -1 - extent
    if size > state.source.size - state.pos:
        raise Broken("an array inside it is longer than the file")
    state.pos += size


def _words(state: State, argument: Value) -> dict[str, Value]:
    """What a wrapper is told, by literal keys; a key that cannot be read might stand for any."""
    if not isinstance(argument, Dict) or argument.items is None:
        raise Broken("the length of an array inside it cannot be told")
    found: dict[str, Value] = {}
    for i in range(0, len(argument.items), 2):
        key = state.text(argument.items[i])
        if key is None or key not in _KEYS or key in found:
            state.block("joblib", "The stream tells an array of joblib something that joblib never writes.")
            raise Broken("the length of an array inside it cannot be told")
        found[key] = argument.items[i + 1]
    subclass = found.get("subclass")
    if state.careful and type(subclass) is Global:
        # joblib makes the array of it. A first run counted that with the items of the dict.
        state.hand(subclass, -1)
    return found
