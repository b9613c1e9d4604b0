"""Rules for the arguments of listed callables that would be dangerous with others.

A rule sees the abstract arguments; what it cannot see into (a tuple too long to be kept) it refuses. Most rules ask the
same: no function, class or object of a stranger comes in, since a callable that calls, compares, iterates or indexes
what it is given would run code of its author's choice.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Protocol

from lockflight.formats.pickle.dtypes import dtype_code, layout_of
from lockflight.formats.pickle.values import BYTES, NONE, STRING, Dict, Global, Made, Tag, Value

if TYPE_CHECKING:
    from collections.abc import Callable

    from lockflight.formats.pickle.allow import AllowList

#: Bases that `copyreg._reconstructor` may call `__new__` and `__init__` of.
_BASES = frozenset(
    {"object", "dict", "list", "tuple", "str", "int", "float", "set", "frozenset", "bytes", "complex"}
)
#: Packages whose objects are data: nothing in them calls what it holds when it is compared, iterated or hashed.
_DATA = frozenset(
    {
        "numpy", "builtins", "__builtin__", "_codecs", "array", "collections", "datetime", "decimal", "fractions",
        "zoneinfo", "pytz", "dateutil",
    }
)  # fmt: skip
#: joblib reads a file on when an object of these was built, so the machine has to see every one of them.
JOBLIB = ("joblib.numpy_pickle", "sklearn.externals.joblib.numpy_pickle", "joblib.numpy_pickle_compat")
WRAPPER_NAMES = frozenset({"NumpyArrayWrapper", "NDArrayWrapper", "ZNDArrayWrapper"})
#: They make an empty array, whose shape is among the arguments.
_SHAPED = frozenset({"_reconstruct", "_mareconstruct"})
#: Outputs of a tree: more only ask for memory.
_MAX_OUTPUTS = 4_096
#: Values that a rule looks at before it gives up.
_MAX_LOOK = 4_096
_DECIMAL = re.compile(r"\s*[+-]?[0-9A-Za-z.+-]{1,4300}\s*\Z")
_FRACTION = re.compile(
    r"\s*[+-]?[0-9]{1,4300}(/[0-9]{1,4300}|(\.[0-9]{0,4300})?([eE][+-]?[0-9]{1,3})?)?\s*\Z"
)


class Reader(Protocol):
    """What a rule may ask the machine."""

    allow: AllowList

    def text(self, value: Value) -> str | None:
        """The string that a value is, or None when it is no literal string."""
        ...


def is_wrapper(value: Value) -> bool:
    """Whether it is a class of joblib's array wrappers."""
    return isinstance(value, Global) and value.name in WRAPPER_NAMES and value.module in JOBLIB


def _top(module: str) -> str:
    return module.partition(".")[0]


def _string(value: Value) -> bool:
    return value is STRING or type(value) is str or (type(value) is int and value >= 0)


def _buildable(value: Value) -> bool:
    return isinstance(value, Global) and value.entry is not None and value.entry.kind in {"class", "callable"}


def _only(values: tuple[Value, ...], packages: frozenset[str]) -> bool:
    """Whether there is nothing in it but plain values, and what these packages define."""
    rest, looked = list(values), 0
    while rest:
        value = rest.pop()
        looked += 1
        if looked > _MAX_LOOK:
            return False
        if isinstance(value, tuple):
            rest.extend(value)
        elif isinstance(value, Global):
            if value.entry is None or is_wrapper(value) or _top(value.module) not in packages:
                return False
        elif isinstance(value, Made) and _top(value.callee.module) not in packages:
            return False
    return True


def latin1(reader: Reader, callee: Global, args: tuple[Value, ...]) -> bool:
    """`(str, "latin1")`: how Python 3 writes bytes in protocols 0 to 2."""
    del callee
    return len(args) == 2 and _string(args[0]) and reader.text(args[1]) in {"latin1", "latin-1"}


def reconstructor(reader: Reader, callee: Global, args: tuple[Value, ...]) -> bool:
    """`(class, base, state)` with a listed class, a built-in base and plain values: `copyreg._reconstructor`."""
    del reader, callee
    if len(args) != 3 or not _buildable(args[0]) or not _only(args[2:], _DATA):
        return False
    base = args[1]
    return isinstance(base, Global) and base.module in {"builtins", "__builtin__"} and base.name in _BASES


def class_first(reader: Reader, callee: Global, args: tuple[Value, ...]) -> bool:
    """A listed class of the same package comes first, then data: `numpy._core.multiarray._reconstruct`."""
    del reader
    if not args or not _buildable(args[0]) or is_wrapper(args[0]):
        return False
    own = _top(callee.module)
    first = args[0]
    if not isinstance(first, Global) or first.answers:
        return False
    if callee.name in _SHAPED and not any(type(one) is tuple and one == (-1,) for one in args[1:]):
        # NumPy writes a shape of 0, and tells the array its own later; any other only asks for memory.
        return False
    return _top(first.module) == own and _only(args[1:], _DATA | {own})


def plain_bytes(reader: Reader, callee: Global, args: tuple[Value, ...]) -> bool:
    """Nothing, bytes, or `(str, "latin1")`; a number would only ask for memory."""
    if not args:
        return True
    if len(args) == 1:
        made = args[0]
        return made is BYTES or (
            isinstance(made, Made)
            and made.callee.label in {"_codecs.encode", "builtins.bytes", "__builtin__.bytes"}
        )
    return latin1(reader, callee, args)


def listed_name(reader: Reader, callee: Global, args: tuple[Value, ...]) -> bool:
    """`(module, name)` as literal strings that are themselves listed: how NumPy before 1.20 wrote ufuncs."""
    del callee
    if len(args) != 2:
        return False
    module, name = reader.text(args[0]), reader.text(args[1])
    return module is not None and name is not None and reader.allow.get(module, name) is not None


def one_none(reader: Reader, callee: Global, args: tuple[Value, ...]) -> bool:
    """`(None,)`: `type(None)`; with more arguments `type` would make a class."""
    del reader, callee
    return len(args) == 1 and args[0] is NONE


def nothing(reader: Reader, callee: Global, args: tuple[Value, ...]) -> bool:
    """No arguments at all."""
    del reader, callee
    return not args


def plain(reader: Reader, callee: Global, args: tuple[Value, ...]) -> bool:
    """Numbers, strings, bytes and containers of Python, no object: what iterates or hashes them runs no other code."""
    del reader, callee
    return _only(args, frozenset())


def data(reader: Reader, callee: Global, args: tuple[Value, ...]) -> bool:
    """Plain values, arrays, dates, and objects of the callable's own package."""
    del reader
    return _only(args, _DATA | {_top(callee.module)})


def tree(reader: Reader, callee: Global, args: tuple[Value, ...]) -> bool:
    """`(features, classes, outputs)` with few outputs: Cython takes a class for each without looking."""
    if len(args) != 3 or not data(reader, callee, args):
        return False
    outputs = args[2]
    return type(outputs) is not int or -1 - _MAX_OUTPUTS <= outputs < 0


def numbers(reader: Reader, callee: Global, args: tuple[Value, ...]) -> bool:
    """Numbers, or texts of numbers that are not written so that reading them takes for ever."""
    shape = _FRACTION if callee.name == "Fraction" else _DECIMAL
    for value in args:
        if type(value) is Tag or (type(value) is int and value < 0):
            continue
        text = reader.text(value)
        if text is None or not shape.match(text):
            return False
    return True


def factory(reader: Reader, callee: Global, args: tuple[Value, ...]) -> bool:
    """Nothing, None, what is listed (it is called without arguments), or a `partial`: `collections.defaultdict`."""
    del reader, callee
    if not args:
        return True
    made = args[0]
    listed = isinstance(made, Global) and made.entry is not None
    fine = made is NONE or listed or (isinstance(made, Made) and made.callee.name == "partial")
    return len(args) == 1 and fine and not is_wrapper(made)


def function_first(reader: Reader, callee: Global, args: tuple[Value, ...]) -> bool:
    """A listed function, then data: `functools.partial`."""
    del reader, callee
    first = args[0] if args else None
    if not isinstance(first, Global) or first.entry is None or first.entry.kind != "value":
        return False
    return _only(args[1:], _DATA)


def random_state(reader: Reader, callee: Global, args: tuple[Value, ...]) -> bool:
    """Names of generators, and what `numpy.random` itself defines: its functions call what they are given."""
    del callee
    for value in args:
        if isinstance(value, (Global, Made)):
            module = value.module if isinstance(value, Global) else value.callee.module
            if not module.startswith("numpy.random") or (isinstance(value, Global) and value.entry is None):
                return False
        elif reader.text(value) is None:
            return False
    return True


def element_type(reader: Reader, callee: Global, args: tuple[Value, ...]) -> bool:
    """`(code, False, True)`: a literal code, or a listed type of NumPy."""
    del callee
    if not args or not _only(args[1:], frozenset()):
        return False
    first = args[0]
    if isinstance(first, Global):
        return first.entry is not None and _top(first.module) in {"numpy", "builtins", "__builtin__"}
    text = reader.text(first)
    return text is not None and (dtype_code(text) is not None or "O" not in text)


def scalar(reader: Reader, callee: Global, args: tuple[Value, ...]) -> bool:
    """`(dtype, bytes)` with a type that holds no objects: with one, bytes would be taken for pointers."""
    del reader, callee
    if not args or len(args) > 2 or isinstance(args[-1], (Dict, tuple, Global)):
        return False
    layout = layout_of(args[0])
    return layout is not None and not layout.objects and _only(args[1:], frozenset({"_codecs", "builtins"}))


def from_buffer(reader: Reader, callee: Global, args: tuple[Value, ...]) -> bool:
    """`(buffer, dtype, shape, order)` with a type that holds no objects."""
    del reader, callee
    if len(args) < 2 or not _only(args[:1] + args[2:], _DATA):
        return False
    layout = layout_of(args[1])
    return layout is not None and not layout.objects


def reached(reader: Reader, owner: Global, args: tuple[Value, ...]) -> tuple[str, str]:
    """Module and name of what `getattr` gives of a class."""
    return owner.resolved[0], f"{owner.resolved[1]}.{reader.text(args[1]) if len(args) > 1 else ''}"


def attribute(reader: Reader, callee: Global, args: tuple[Value, ...]) -> bool:
    """`(class, name)` of a method that is listed as `class.name`, or the entropy of a distribution: `getattr`."""
    del callee
    if len(args) != 2:
        return False
    owner, name = args[0], reader.text(args[1])
    if isinstance(owner, Global):
        return name is not None and reader.allow.get(*reached(reader, owner, args)) is not None
    entry = owner.callee.entry if isinstance(owner, Made) else None
    return entry is not None and entry.state == "distribution" and name == "_entropy"


#: Rules of what builds, reads or calls what it is given. Handed on as a value, it would be called by someone who does
#: not ask its rule.
BARE = frozenset(
    {
        "latin1", "reconstructor", "class-first", "listed-name", "one-none", "function-first", "random-state", "scalar",
        "from-buffer", "attribute",
    }
)  # fmt: skip

RULES: dict[str, Callable[[Reader, Global, tuple[Value, ...]], bool]] = {
    "latin1": latin1,
    "reconstructor": reconstructor,
    "class-first": class_first,
    "plain-bytes": plain_bytes,
    "listed-name": listed_name,
    "one-none": one_none,
    "nothing": nothing,
    "plain": plain,
    "data": data,
    "numbers": numbers,
    "tree": tree,
    "factory": factory,
    "function-first": function_first,
    "random-state": random_state,
    "dtype": element_type,
    "scalar": scalar,
    "from-buffer": from_buffer,
    "attribute": attribute,
}
