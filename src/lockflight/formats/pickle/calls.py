"""Calls of which it is known already that the allow-list has nothing to say.

A model makes the same few calls over and over, and so does the next one: `numpy.dtype('f8', False, True)`,
`_reconstruct(numpy.ndarray, (0,), b'b')`. What the rules say of a call follows from the callee and its arguments. Where
the arguments are nothing but tags, numbers and listed names, and the first of them perhaps a text, silence is kept for
the next call and the next file; where a rule said anything at all, it is asked again each time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lockflight.formats.pickle.records import MAX_CALLS
from lockflight.formats.pickle.state import State
from lockflight.formats.pickle.values import BUILDERS, STRING, Box, Global, Made, Tag, Value

if TYPE_CHECKING:
    from lockflight.core.source import ByteSource
    from lockflight.formats.pickle.allow import AllowList
    from lockflight.formats.pickle.records import Budget

#: Calls that are kept for all files of an allow-list, and characters of their texts.
_MAX_KNOWN: Final = 4_096
_LONGEST: Final = 64
#: What is made of the text that its first argument is.
_BY_TEXT: Final = frozenset({"dtype", "StringDtype"})


def constant(value: Value) -> bool:
    """Whether a value means the same in every stream, and for good."""
    if isinstance(value, int):
        return value < 0  # others are offsets of texts
    if isinstance(value, Global):
        return value.entry is not None  # all streams share these
    if isinstance(value, Made):
        return not value.kept and value.callee.entry is not None
    return isinstance(value, (Tag, Box)) or value == ()


def is_text(value: Value) -> bool:
    """Whether a value is a text of the stream."""
    return isinstance(value, int) and value >= 0


def constants(values: tuple[Value, ...]) -> bool:
    """Whether all of them are constant, or tuples of such."""
    for one in values:
        kind = type(one)
        if kind is tuple:
            if not all(map(constant, one)):  # type: ignore[arg-type]  # a tuple, as was just seen
                return False
        elif kind is not Tag and not constant(one):
            return False
    return True


class Calls(State):
    """The machine's memory for calls."""

    def __init__(
        self,
        source: ByteSource,
        allow: AllowList,
        budget: Budget,
        *,
        torch: bool = False,
        joblib: bool = False,
        careful: bool = False,
    ) -> None:
        super().__init__(source, allow, budget, torch=torch, joblib=joblib, careful=careful)
        #: How often something was said about the stream.
        self.said = 0

    def block(self, rule: str, message: str, subject: str = "") -> None:
        """See `State.block`."""
        self.said += 1
        super().block(rule, message, subject)

    def unknown(self, rule: str, message: str, subject: str = "") -> None:
        """See `State.unknown`."""
        self.said += 1
        super().unknown(rule, message, subject)

    def called(self, opcode: str, callee: Value, args: Value) -> Value:
        """As `call`, which is asked about what is new."""
        if self.careful or type(callee) is not Global or type(args) is not tuple or (args and callee.plain):
            return self.call(opcode, callee, args)  # of what is plain it knows enough by itself
        calls, rest = self.allow.calls, args
        key: tuple[object, ...] = (opcode, callee, args)
        known = calls.get(key)
        if known is None and args:
            entry = callee.entry
            if callee.name in _BY_TEXT:
                rest = args[1:]
                key = (opcode, callee, self.text(args[0]), rest)
                known = calls.get(key)
            elif entry is not None and entry.arguments == "latin1" and len(args) == 2 and is_text(args[0]):
                # This rule takes every text that comes first.
                rest = (STRING,)
                key = (opcode, callee, self.text(args[1]), rest)
                known = calls.get(key)
        if known is None:
            return self._asked(opcode, callee, args, key, rest)
        edge, made, taken = known
        if edge not in self.edges:
            if len(self.edges) >= MAX_CALLS:
                return self.call(opcode, callee, args)
            self.edges[edge] = None
        self.handed += taken
        return self._kept_object(edge[1], made, args) if made.kept else made.made

    def _asked(
        self,
        opcode: str,
        callee: Global,
        args: tuple[Value, ...],
        key: tuple[object, ...],
        rest: tuple[Value, ...],
    ) -> Value:
        """Make a call; `rest` are the arguments that the key names as they are."""
        before, handed = self.said, self.handed
        made = self.call(opcode, callee, args)
        if self.said != before or type(made) is not Made or callee.entry is None:
            return made
        if rest is not args and (not isinstance(key[2], str) or len(key[2]) > _LONGEST):
            return made
        if constants(rest) and len(self.allow.calls) < _MAX_KNOWN:
            first = args[0] if args and isinstance(args[0], Global) else None
            owner = first if first is not None and callee.module in BUILDERS else callee
            self.allow.calls[key] = ((opcode, callee, first), owner, self.handed - handed)
        return made
