"""What the pickle machine says about a stream, and how far it follows one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockflight.core.records import dataclass
from lockflight.formats.pickle.values import NONE

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from lockflight.formats.pickle.values import Global, Value

#: Limits of what is followed and kept; past one of them the file cannot be judged.
#: Opcodes of all streams of one file together.
MAX_OPCODES = 4_194_304
#: How deep values may lie inside each other, and how many marks may be open. CPython's pickler needs a call for each
#: level, so that what people really write is far below.
MAX_NESTING = 10_000
#: Bytes at the start of a stream for which nobody counts how deep values lie: each level takes one.
SHALLOW = 32_768
#: Pickles that lie in a pickle as bytes or as an array of objects.
MAX_PICKLES = 8
MAX_STACK = 4_000_000
MAX_PINS = 1_000_000
MAX_GLOBALS = 20_000
MAX_CALLS = 20_000
MAX_LINE = 64 * 1024
#: Values that are met by walking each tuple once more wherever a stream uses it again: so many, and so many for each
#: byte of the file. Tuples that share each other can be walked for ever, and a loader walks what it hashes or compares.
MAX_WALK, WALK_OF_BYTE = 1 << 18, 32
#: How many of the newest memo entries keep their tuples.
RECENT = 32_768


class Broken(Exception):
    """The stream cannot be followed any further; the message says why. Never leaves `formats.pickle`."""

    def __init__(self, message: str, *, budget: bool = False) -> None:
        super().__init__(message)
        self.budget = budget


@dataclass(slots=True)
class Budget:
    """What all streams of one file may use together; counts down."""

    opcodes: int = MAX_OPCODES
    depth: int = MAX_PICKLES


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run ended.

    Attributes:
        stopped: whether it reached STOP.
        end: offset behind the last opcode that was looked at.
        opcodes: how many were run.
        problem: why it did not reach STOP; empty when it did.
        budget: whether a budget, and not the stream, ended it.
        value: what STOP left.
    """

    stopped: bool
    end: int
    opcodes: int
    problem: str = ""
    budget: bool = False
    value: Value = NONE


@dataclass(slots=True)
class Use:
    """How a stream uses a global.

    Attributes:
        module, name: as they stand in the stream.
        resolved: (module, name) in Python 3.
        offset: of the opcode that first names it.
        listed: whether it is on the allow-list.
        called: whether the stream calls it or builds an object of it.
    """

    module: str
    name: str
    resolved: tuple[str, str]
    offset: int
    listed: bool
    called: bool = False


@dataclass(frozen=True, slots=True)
class Call:
    """One kind of call that a stream makes; `first` is the global that is its first argument, if it is one."""

    opcode: str
    callee: str
    first: str = ""


@dataclass(frozen=True, slots=True)
class Pin:
    """A torch storage that a stream refers to: class of the storage, key of the file, number of elements."""

    storage: str
    key: str
    numel: int

    def agrees(self, other: Pin) -> bool:
        """Whether torch can have written both for one storage.

        It refuses to save what views the same bytes as different types, but calls raw bytes by two names, and knows
        empty storages by their objects, of any type.
        """
        if self.numel == other.numel == 0:
            return True
        raw = {"ByteStorage", "UntypedStorage"}
        same = self.storage == other.storage or {self.storage, other.storage} == raw
        return same and self.numel == other.numel


def uses_of(
    found: Mapping[tuple[str, str, bool], tuple[Global, int]],
    edges: Iterable[tuple[str, Global, Global | None]],
) -> dict[tuple[str, str, bool], tuple[Global, Use]]:
    """How a stream uses what it imports.

    Args:
        found: globals with the offset of their first mention, by (module, name, whether names are those of Python 2).
        edges: calls as (opcode, callee, first argument where that is a global).
    """
    called = {(callee.module, callee.name) for _, callee, _ in edges}
    return {
        key: (one, Use(*key[:2], one.resolved, offset, one.entry is not None, key[:2] in called))
        for key, (one, offset) in found.items()
    }


def calls_of(
    edges: Iterable[tuple[str, Global, Global | None]], *, computed: Iterable[str]
) -> tuple[Call, ...]:
    """Every kind of call; `computed` are the opcodes that called the result of a call."""
    kinds = [Call(opcode, callee.label, first.label if first else "") for opcode, callee, first in edges]
    return tuple(dict.fromkeys([*kinds, *(Call(opcode, "<computed>") for opcode in computed)]))
