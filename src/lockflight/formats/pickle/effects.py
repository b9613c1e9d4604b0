"""What the rarer opcodes do to the machine; the frequent ones are inside its loop."""

from __future__ import annotations

import codecs
import re
from typing import TYPE_CHECKING

from lockflight.formats.pickle.opcodes import BY_NAME
from lockflight.formats.pickle.reading import PAD
from lockflight.formats.pickle.records import MAX_LINE, Broken
from lockflight.formats.pickle.values import (
    BOOL,
    BYTES,
    FROZENSET,
    LIST,
    MAX_TUPLE,
    NUMBER,
    SET,
    STRING,
    TUPLE,
    Value,
    depth_of,
    number_of,
)
from lockflight.formats.pickle.words import words_said

if TYPE_CHECKING:
    from collections.abc import Callable

    from lockflight.formats.pickle.state import State

_INTEGER = re.compile(rb"\s*[+-]?(0[xX][0-9a-fA-F_]+|0[oO][0-7_]+|0[bB][01_]+|[0-9][0-9_]*)L?\s*\Z")
_FLOAT = re.compile(rb"\s*[+-]?[0-9A-Za-z_.+-]{1,64}\s*\Z")
_DECIMAL = re.compile(rb"-?(0|[1-9][0-9]{0,18})")
#: Bytes of a line with a float or an index of the memo.
_SHORT = 4096
#: Bytes of the largest LONG1 that is kept as a number.
_MAX_LONG = 16
#: Bytes of the shortest pickle that imports something.
SMALLEST_PICKLE = 8


def short_tuple(items: list[Value]) -> Value:
    """The value that stands for a tuple."""
    return tuple(items) if len(items) <= MAX_TUPLE else TUPLE.of(items)


def _mark(state: State) -> list[Value]:
    """What lies on the last mark; `inner` says how deep it is."""
    items = state.stack
    state.stack = state.marks.pop()
    if state.track:
        state.inner = state.deep
        state.deep = state.deeps.pop()
    return items


def _push(state: State, value: Value, depth: int) -> None:
    """Push something that holds others."""
    if state.track:
        value = value if depth < 2 else state.deeper(value, depth)
        state.deep = max(state.deep, depth)
    state.stack.append(value)


def _pop(state: State) -> None:
    if state.stack:
        state.stack.pop()
    else:
        _mark(state)


def _integer(state: State) -> None:
    data = state.line(MAX_LINE)
    if data in {b"00", b"01"}:
        state.stack.append(BOOL)
        return
    if not _INTEGER.match(data):
        raise Broken("a number is written wrongly")
    digits = data.strip().rstrip(b"L")
    # A number that begins with 0 is octal to the one unpickler and decimal to the other.
    plain = _DECIMAL.fullmatch(digits) is not None
    state.stack.append(number_of(int(digits)) if plain else NUMBER)


def _float(state: State) -> None:
    if not _FLOAT.match(state.line(_SHORT)):
        raise Broken("a number is written wrongly")
    state.stack.append(NUMBER)


def _string(state: State) -> None:
    start = state.peek(state.pos, _SHORT).lstrip()[:1]
    if start and start not in {b"'", b'"'}:
        # Said before a line is looked for: it may end far behind.
        raise Broken("a string is not quoted")
    inner = state.line().strip()
    if len(inner) < 2 or inner[:1] != inner[-1:] or inner[:1] not in {b"'", b'"'}:
        raise Broken("a string is not quoted")
    state.stack.append(STRING if b"\\" in inner else state.at)
    if b"\\" in inner:
        state.words |= words_said(_escaped(inner[1:-1]))


def _escaped(inner: bytes) -> bytes:
    try:
        return codecs.escape_decode(inner)[0]
    except ValueError:
        return b""


def _unicode(state: State) -> None:
    line = state.line()
    state.stack.append(state.at)
    if b"\\" in line:
        state.words |= words_said(line.decode("raw-unicode-escape", "replace").encode("utf-8", "replace"))


def _counted_text(width: int) -> Callable[[State], None]:
    def effect(state: State) -> None:
        length = state.count(width)
        state.pos += length
        state.stack.append(state.at)

    return effect


def _counted_bytes(width: int) -> Callable[[State], None]:
    def effect(state: State) -> None:
        length = state.count(width)
        start = state.pos
        state.pos += length
        state.stack.append(BYTES)
        if length >= SMALLEST_PICKLE:
            inside = start - state.base
            near = inside >= 0 and inside + 2 <= len(state.buf) - PAD
            head = state.buf[inside : inside + 2] if near else state.source.read_at(start, 2)
            if head[:1] == b"\x80" and head[1:2] <= b"\x05":
                state.literal(start, length)

    return effect


def _long(width: int) -> Callable[[State], None]:
    def effect(state: State) -> None:
        length = state.count(width)
        if length <= _MAX_LONG:
            state.stack.append(number_of(int.from_bytes(state.read(length), "little", signed=True)))
        else:
            state.pos += length
            state.stack.append(NUMBER)

    return effect


def _name(data: bytes) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        raise Broken("the name of a global is not UTF-8") from None


def _global(state: State) -> None:
    module = _name(state.line())
    state.stack.append(state.find(module, _name(state.line())))


def _inst(state: State) -> None:
    module = _name(state.line())
    callee = state.find(module, _name(state.line()))
    items = _mark(state)
    _push(state, state.call("INST", callee, short_tuple(items)), state.inner + 1)


def _obj(state: State) -> None:
    items = _mark(state)
    callee = items.pop(0)
    _push(state, state.call("OBJ", callee, short_tuple(items)), state.inner + 1)


def _newobj_ex(state: State) -> None:
    options = state.stack.pop()
    args = state.stack.pop()
    made = state.call("NEWOBJ_EX", state.stack.pop(), args)
    _push(state, made, max(depth_of(args), depth_of(options)))


def _extension(width: int) -> Callable[[State], None]:
    def effect(state: State) -> None:
        state.stack.append(state.extension(state.count(width)))

    return effect


def _persid(state: State) -> None:
    state.line()
    state.stack.append(state.persistent(STRING))


def _binpersid(state: State) -> None:
    state.stack[-1] = state.persistent(state.stack[-1])


def _list(state: State) -> None:
    _mark(state)
    _push(state, LIST, state.inner + 1)


def _dict(state: State) -> None:
    items = _mark(state)
    made = state.new_dict()
    state.put_items(made, items)
    _push(state, made, state.inner + 1)


def _additems(state: State) -> None:
    _mark(state)
    target = state.stack[-1]
    if target is not SET:
        state.append_to(target)
    if state.track and state.inner:
        state.stack[-1], state.deep = state.grown(target, state.inner, state.deep)


def _frozenset(state: State) -> None:
    items = _mark(state)
    _push(state, FROZENSET.of(items), state.inner + 1)


def _empty_set(state: State) -> None:
    _push(state, SET, 1)


def _put_line(state: State) -> None:
    state.put(_index(state.line(_SHORT)), state.stack[-1])


def _get_line(state: State) -> None:
    state.stack.append(state.get(_index(state.line(_SHORT))))


def _index(data: bytes) -> int:
    if not data.strip().isdigit() or len(data) > 20:
        raise Broken("a memo index is written wrongly")
    return int(data)


def _proto(state: State) -> None:
    state.proto = state.count(1)
    if state.proto > 5:
        raise Broken(f"protocol {state.proto} does not exist")


def _frame(state: State) -> None:
    length = state.count(8)
    if state.frame_end:
        state.block("frame", "A frame begins inside another one, which no pickler writes.")
    if state.pos + length > state.source.size:
        raise Broken("a frame is longer than the file")
    state.frame_end = state.pos + length


def _buffer(state: State) -> None:
    state.unknown("buffer", "The stream needs buffers from outside the file.")
    raise Broken("it needs buffers from outside the file")


def _dup(state: State) -> None:
    state.stack.append(state.shared(state.stack[-1]))


_BY_NAME: dict[str, Callable[[State], None]] = {
    "POP": _pop,
    "POP_MARK": lambda state: (_mark(state), None)[1],
    "DUP": _dup,
    "INT": _integer,
    "LONG": _integer,
    "FLOAT": _float,
    "STRING": _string,
    "UNICODE": _unicode,
    "BINSTRING": _counted_text(4),
    "SHORT_BINSTRING": _counted_text(1),
    "BINUNICODE8": _counted_text(8),
    "BINBYTES": _counted_bytes(4),
    "SHORT_BINBYTES": _counted_bytes(1),
    "BINBYTES8": _counted_bytes(8),
    "BYTEARRAY8": _counted_bytes(8),
    "LONG1": _long(1),
    "LONG4": _long(4),
    "GLOBAL": _global,
    "INST": _inst,
    "OBJ": _obj,
    "NEWOBJ_EX": _newobj_ex,
    "EXT1": _extension(1),
    "EXT2": _extension(2),
    "EXT4": _extension(4),
    "PERSID": _persid,
    "BINPERSID": _binpersid,
    "LIST": _list,
    "DICT": _dict,
    "EMPTY_SET": _empty_set,
    "ADDITEMS": _additems,
    "FROZENSET": _frozenset,
    "PUT": _put_line,
    "GET": _get_line,
    "PROTO": _proto,
    "FRAME": _frame,
    "NEXT_BUFFER": _buffer,
    "READONLY_BUFFER": _buffer,
}

#: What an opcode does, by its byte.
EFFECTS: dict[int, Callable[[State], None]] = {
    BY_NAME[name].code: effect for name, effect in _BY_NAME.items()
}
