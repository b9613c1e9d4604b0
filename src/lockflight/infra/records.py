"""Pickles as records: what a stream would build, written down instead of built.

CPython's own unpickler does the reading, but finds no name: each becomes a class of ours that keeps what it was called
with. So nothing is imported and nothing of the stream's choice is called. Streams have to be judged first all the same
(`formats.pickle`), since an unpickler makes whatever sizes a stream asks for.
"""

from __future__ import annotations

import io
import pickle
from typing import Any, Self, TypeAlias

from lockflight.errors import InvalidInput

#: None, numbers, texts, bytes, lists, dicts, tuples, sets, `Name`, `Made`, `Stored`.
Value: TypeAlias = Any


class Made:
    """What calling or building a name would give.

    Attributes:
        label: module and name, joined by a dot.
        args: what it was called with.
        state: what BUILD gave it; None for nothing.
        items: what was appended to it.
        pairs: what was set in it, as (key, value).
    """

    label = ""

    def __new__(cls, *args: Value, **_: Value) -> Self:
        """Keep what it is called with, whatever that is."""
        made = object.__new__(cls)
        made.args = args
        made.state = None
        made.items = []
        made.pairs = []
        return made

    def __init__(self, *_: Value, **__: Value) -> None:
        self.args: tuple[Value, ...]
        self.state: Value
        self.items: list[Value]
        self.pairs: list[tuple[Value, Value]]

    def __setstate__(self, state: Value) -> None:
        self.state = state

    def __setitem__(self, key: Value, value: Value) -> None:
        self.pairs.append((key, value))

    def append(self, item: Value) -> None:
        """APPEND."""
        self.items.append(item)

    def extend(self, items: list[Value]) -> None:
        """APPENDS."""
        self.items.extend(items)


class Ordered(dict[Any, Any]):
    """`collections.OrderedDict`: its state is kept, and means nothing here."""

    def __setstate__(self, state: Value) -> None:
        self.state = state


class Stored(tuple[Value, ...]):
    """A persistent id: what the loader would be asked for."""

    __slots__ = ()


class _Unpickler(pickle.Unpickler):
    def __init__(self, data: bytes) -> None:
        super().__init__(io.BytesIO(data))
        self._names: dict[tuple[str, str], type] = {("collections", "OrderedDict"): Ordered}

    def find_class(self, module: str, name: str) -> type:
        key = (module, name)
        if key not in self._names:
            self._names[key] = type(name.rpartition(".")[2] or "name", (Made,), {"label": f"{module}.{name}"})
        return self._names[key]

    def persistent_load(self, pid: Value) -> Stored:
        return Stored(pid if isinstance(pid, tuple) else (pid,))


def read_records(data: bytes, name: str) -> Value:
    """Read one stream that was judged.

    Args:
        data: from its first opcode.
        name: of the file, for messages.

    Raises:
        InvalidInput: LF0221 CPython cannot follow it.
    """
    try:
        return _Unpickler(data).load()
    except Exception as error:
        raise InvalidInput(
            "LF0221",
            f"{name!r} cannot be converted: Python cannot follow its pickle ({type(error).__name__}).",
            hint="Save it again where it was made.",
        ) from error


def label_of(value: Value) -> str:
    """The name that a value is, or the one that it was made by; empty for anything else."""
    if isinstance(value, Made):
        return value.label
    if isinstance(value, type) and issubclass(value, Made):
        return value.label
    return ""
