"""Pickle streams put together opcode by opcode, and the allow-list that ships.

Every payload would only run `true` or print; none is ever loaded here.
"""

from __future__ import annotations

import os
import pickle
import struct

from lockflight.core.source import BytesSource
from lockflight.formats.pickle.allow import AllowList, Entry
from lockflight.formats.pickle.streams import analyse
from lockflight.infra.allowlist import shipped_allow_list

EMPTY = AllowList.empty()


def shipped():
    return shipped_allow_list()


def small(**kinds):
    """An allow-list of a few names of the module `m`."""
    return AllowList({("m", name): Entry(kind) for name, kind in kinds.items()})


def short(text):
    raw = text.encode()
    return b"\x8c" + bytes([len(raw)]) + raw


def stack_global(module, name):
    return short(module) + short(name) + b"\x93"


def framed(body, protocol=4):
    return b"\x80" + bytes([protocol]) + b"\x95" + struct.pack("<Q", len(body)) + body


class Run:
    """Pickles to a call of os.system("true")."""

    def __reduce__(self):
        return os.system, ("true",)


SYSTEM = b"cposix\nsystem\n"
CALL = SYSTEM + b"(S'true'\ntR"

#: Streams that run a program, by what makes them hard to see.
HOSTILE = {
    **{f"reduce protocol {p}": pickle.dumps([1, {"a": Run()}], p) for p in range(6)},
    "global": CALL + b".",
    "builtins of python 2": b"c__builtin__\neval\n(S'1'\ntR.",
    "stack global": b"\x80\x04" + stack_global("os", "system") + short("true") + b"\x85R.",
    "names from the memo": b"\x80\x04"
    + short("os")
    + b"\x94"
    + short("system")
    + b"\x940"
    + b"0h\x00h\x01\x93"
    + short("true")
    + b"\x85R.",
    "memo entry overwritten": b"\x80\x04"
    + short("collections")
    + b"q\x00"
    + short("os")
    + b"q\x00"
    + b"00h\x00"
    + short("system")
    + b"\x93"
    + short("true")
    + b"\x85R.",
    "names turned by dup and pop": b"\x80\x04"
    + short("os")
    + short("system")
    + short("x")
    + b"20"
    + b"0\x93"
    + short("true")
    + b"\x85R.",
    "name behind a pop mark": b"\x80\x04"
    + short("os")
    + b"("
    + short("collections")
    + b"1"
    + short("system")
    + b"\x93"
    + short("true")
    + b"\x85R.",
    "long names": b"\x80\x04\x8d"
    + struct.pack("<Q", 2)
    + b"os"
    + b"X\x06\x00\x00\x00system\x93"
    + short("true")
    + b"\x85R.",
    "names as bytes of python 2": b"U\x02osU\x06system\x93(S'true'\ntR.",
    "inst": b"(S'true'\niposix\nsystem\n.",
    "obj": b"(" + SYSTEM + b"S'true'\no.",
    "obj thrown away": b"(" + SYSTEM + b"S'true'\no0N.",
    "newobj": b"\x80\x02" + SYSTEM + b"X\x04\x00\x00\x00true\x85\x81.",
    "newobj_ex": b"\x80\x04" + stack_global("os", "system") + short("true") + b"\x85}\x92.",
    "dotted name": b"\x80\x04" + stack_global("collections", "_sys.modules.get") + short("os") + b"\x85R.",
    "name that is only imported": b"\x80\x04" + stack_global("antigravity", "x") + b".",
    "getattr": b"\x80\x04"
    + stack_global("builtins", "getattr")
    + stack_global("collections", "OrderedDict")
    + short("fromkeys")
    + b"\x86R.",
    "extension": b"\x80\x02\x82\x01.",
    "extension of two bytes": b"\x80\x02\x83\x01\x01.",
    "extension of four bytes": b"\x80\x02\x84\x01\x01\x01\x01.",
    "persistent id": b"Pos.system\n.",
    "persistent id of a tuple": b"\x80\x02(X\x07\x00\x00\x00storageNNNtQ.",
    "before damage": CALL + b"\xff",
    "before the end": CALL,
    "behind stop": pickle.dumps([1]) + CALL + b".",
    "behind stop and zeros": pickle.dumps([1]) + bytes(64) + CALL + b".",
    "state of a global": b"\x80\x02ccollections\nOrderedDict\n}X\x01\x00\x00\x00aK\x01sb.",
    "item of a global": b"\x80\x02ccollections\nOrderedDict\nX\x01\x00\x00\x00aK\x01s.",
    "item added to a global": b"\x80\x02ccollections\nOrderedDict\nK\x01a.",
    "items added to a global": b"\x80\x04ccollections\nOrderedDict\n(K\x01\x90.",
    "computed callee": b"\x80\x02cfunctools\npartial\nccollections\nOrderedDict\n\x85R)R.",
    "computed class": b"\x80\x02ccollections\nOrderedDict\n)R)\x81.",
    "computed name": b"\x80\x04" + short("os") + stack_global("collections", "OrderedDict") + b")R\x93.",
    "name too long to be kept": b"\x80\x04X\x00\x10\x00\x00" + b"a" * 4096 + short("x") + b"\x93.",
    "allowed name, other arguments": b"c_codecs\nencode\n(S'rot13'\nS'rot13'\ntR.",
    "type with three arguments": b"cbuiltins\ntype\n(S'A'\n)}tR.",
    "reconstructor of another base": b"ccopyreg\n_reconstructor\n(ccollections\nOrderedDict\ncuuid\nUUID\nNtR.",
    "distribution whose state is a program": b"\x80\x02cscipy.stats._continuous_distns\nnorm_gen\n)\x81}"
    b"X\x13\x00\x00\x00_parse_arg_templateX\x05\x00\x00\x00printsb.",
    "nested frames": b"\x80\x04\x95" + struct.pack("<Q", 12) + b"\x95" + struct.pack("<Q", 2) + b"N0N.",
    "opcode over a frame": b"\x80\x04\x95" + struct.pack("<Q", 2) + short("abc") + b".",
    "value called": b"\x80\x02cnumpy\nadd\nK\x01K\x01\x86R.",
    "class called": b"\x80\x02csklearn.pipeline\nPipeline\n]\x85R.",
}


def judge(data, allow=None, **options):
    return analyse(BytesSource(data), shipped() if allow is None else allow, **options)


def rules(report):
    return {issue.rule for issue in report.issues}


def verdict(report):
    return max((issue.verdict for issue in report.issues), key=lambda v: v.rank, default=None)
