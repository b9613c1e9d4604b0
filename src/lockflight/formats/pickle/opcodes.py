"""The 68 opcodes of pickle protocols 0 to 5 (PEP 307, PEP 3154, PEP 574) and how long their arguments are."""

from __future__ import annotations

from lockflight.core.records import dataclass


@dataclass(frozen=True, slots=True)
class Opcode:
    """One opcode.

    Attributes:
        name: its name in CPython's `pickletools`.
        code: its byte.
        argument: `none`, `line` (up to a line feed), `lines` (two of them), `fixed` or `counted`.
        width: bytes of a fixed argument, or of the count before a counted one.
    """

    name: str
    code: int
    argument: str = "none"
    width: int = 0


def _table() -> tuple[Opcode, ...]:
    plain = {
        "MARK": "(", "STOP": ".", "POP": "0", "POP_MARK": "1", "DUP": "2", "NONE": "N", "BINPERSID": "Q",
        "REDUCE": "R", "APPEND": "a", "BUILD": "b", "DICT": "d", "EMPTY_DICT": "}", "APPENDS": "e", "LIST": "l",
        "EMPTY_LIST": "]", "OBJ": "o", "SETITEM": "s", "TUPLE": "t", "EMPTY_TUPLE": ")", "SETITEMS": "u",
        "NEWOBJ": "\x81", "TUPLE1": "\x85", "TUPLE2": "\x86", "TUPLE3": "\x87", "NEWTRUE": "\x88",
        "NEWFALSE": "\x89", "EMPTY_SET": "\x8f", "ADDITEMS": "\x90", "FROZENSET": "\x91", "NEWOBJ_EX": "\x92",
        "STACK_GLOBAL": "\x93", "MEMOIZE": "\x94", "NEXT_BUFFER": "\x97", "READONLY_BUFFER": "\x98",
    }  # fmt: skip
    lines = {
        "FLOAT": "F", "INT": "I", "LONG": "L", "PERSID": "P", "STRING": "S", "UNICODE": "V", "GET": "g", "PUT": "p",
    }  # fmt: skip
    fixed = {
        "BININT": ("J", 4), "BININT1": ("K", 1), "BININT2": ("M", 2), "BINFLOAT": ("G", 8), "BINGET": ("h", 1),
        "LONG_BINGET": ("j", 4), "BINPUT": ("q", 1), "LONG_BINPUT": ("r", 4), "PROTO": ("\x80", 1),
        "EXT1": ("\x82", 1), "EXT2": ("\x83", 2), "EXT4": ("\x84", 4), "FRAME": ("\x95", 8),
    }  # fmt: skip
    counted = {
        "BINSTRING": ("T", 4), "SHORT_BINSTRING": ("U", 1), "BINUNICODE": ("X", 4), "BINBYTES": ("B", 4),
        "SHORT_BINBYTES": ("C", 1), "LONG1": ("\x8a", 1), "LONG4": ("\x8b", 4), "SHORT_BINUNICODE": ("\x8c", 1),
        "BINUNICODE8": ("\x8d", 8), "BINBYTES8": ("\x8e", 8), "BYTEARRAY8": ("\x96", 8),
    }  # fmt: skip
    found = [Opcode(name, ord(code)) for name, code in plain.items()]
    found += [Opcode(name, ord(code), "line") for name, code in lines.items()]
    found += [Opcode("GLOBAL", ord("c"), "lines"), Opcode("INST", ord("i"), "lines")]
    found += [Opcode(name, ord(code), "fixed", width) for name, (code, width) in fixed.items()]
    found += [Opcode(name, ord(code), "counted", width) for name, (code, width) in counted.items()]
    return tuple(sorted(found, key=lambda op: op.code))


#: All opcodes in order of their byte.
OPCODES = _table()

#: Opcode by name.
BY_NAME = {op.name: op for op in OPCODES}
