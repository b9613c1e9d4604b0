"""Rules for the arguments of listed callables that would be dangerous with others.

A rule sees the abstract arguments; what it cannot see into (a tuple too long to be kept) it refuses.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from lockflight.formats.pickle.values import BYTES, NONE, STRING, Global, Made, Value

if TYPE_CHECKING:
    from collections.abc import Callable

    from lockflight.formats.pickle.allow import AllowList

#: Bases that `copyreg._reconstructor` may call `__new__` and `__init__` of.
_BASES = frozenset(
    {"object", "dict", "list", "tuple", "str", "int", "float", "set", "frozenset", "bytes", "complex"}
)


class Reader(Protocol):
    """What a rule may ask the machine."""

    allow: AllowList

    def text(self, value: Value) -> str | None:
        """The string that a value is, or None when it is no literal string."""
        ...


def _string(value: Value) -> bool:
    return value is STRING or type(value) is str or (type(value) is int and value >= 0)


def _buildable(value: Value) -> bool:
    return isinstance(value, Global) and value.entry is not None and value.entry.kind in {"class", "callable"}


def latin1(reader: Reader, args: tuple[Value, ...]) -> bool:
    """`(str, "latin1")`: how Python 3 writes bytes in protocols 0 to 2."""
    return len(args) == 2 and _string(args[0]) and reader.text(args[1]) in {"latin1", "latin-1"}


def reconstructor(reader: Reader, args: tuple[Value, ...]) -> bool:
    """`(class, base, state)` with a listed class and a built-in base: `copyreg._reconstructor`."""
    del reader
    if len(args) != 3 or not _buildable(args[0]):
        return False
    base = args[1]
    return isinstance(base, Global) and base.module in {"builtins", "__builtin__"} and base.name in _BASES


def class_first(reader: Reader, args: tuple[Value, ...]) -> bool:
    """A listed class comes first: `copyreg.__newobj__`, `numpy._core.multiarray._reconstruct`."""
    del reader
    return bool(args) and _buildable(args[0])


def plain_bytes(reader: Reader, args: tuple[Value, ...]) -> bool:
    """Nothing, bytes, or `(str, "latin1")`; a number would only ask for memory."""
    if not args:
        return True
    if len(args) == 1:
        made = args[0]
        return made is BYTES or (
            isinstance(made, Made)
            and made.callee.label in {"_codecs.encode", "builtins.bytes", "__builtin__.bytes"}
        )
    return latin1(reader, args)


def listed_name(reader: Reader, args: tuple[Value, ...]) -> bool:
    """`(module, name)` as literal strings that are themselves listed: how NumPy before 1.20 wrote ufuncs."""
    if len(args) != 2:
        return False
    module, name = reader.text(args[0]), reader.text(args[1])
    return module is not None and name is not None and reader.allow.get(module, name) is not None


def one_none(reader: Reader, args: tuple[Value, ...]) -> bool:
    """`(None,)`: `type(None)`; with more arguments `type` would make a class."""
    del reader
    return len(args) == 1 and args[0] is NONE


RULES: dict[str, Callable[[Reader, tuple[Value, ...]], bool]] = {
    "latin1": latin1,
    "reconstructor": reconstructor,
    "class-first": class_first,
    "plain-bytes": plain_bytes,
    "listed-name": listed_name,
    "one-none": one_none,
}
