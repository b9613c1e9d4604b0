"""The machine: what it sees in streams that hide something, and that it sees nothing in those that do not."""

from __future__ import annotations

import collections
import datetime as dt
import decimal
import pickle
import struct
import uuid

import pytest

from lockflight.core.findings import Verdict
from lockflight.core.source import BytesSource
from lockflight.formats.pickle.opcodes import OPCODES
from lockflight.formats.pickle.records import Budget
from lockflight.formats.pickle.vm import Machine
from tests.formats.pickles import (
    CALL,
    EMPTY,
    HOSTILE,
    framed,
    judge,
    rules,
    short,
    small,
    stack_global,
    verdict,
)


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_stream_is_blocked(name):
    assert verdict(judge(HOSTILE[name])) is Verdict.MALICIOUS


@pytest.mark.parametrize("protocol", range(6))
def test_the_call_is_named(protocol):
    (issue,) = judge(HOSTILE[f"reduce protocol {protocol}"]).issues
    assert issue.rule == "pickle:global"
    assert issue.subject == "posix.system"
    assert "calls posix.system" in issue.message


@pytest.mark.parametrize("name", [name for name in HOSTILE if "system" in str(HOSTILE[name])])
def test_a_hidden_name_is_found(name):
    report = judge(HOSTILE[name])
    seen = {use.name for use in report.globals} | rules(report)
    assert "system" in seen or "pickle:persistent-id" in seen


@pytest.mark.parametrize(
    "thing",
    [
        {
            "a": [1, 2.5, True, None, "text", b"bytes", 10**40, -1],
            "b": {1, 2},
            "c": frozenset({3}),
            "d": (1, (2,), ()),
        },
        [
            collections.OrderedDict(a=1),
            collections.Counter("ab"),
            collections.deque([1]),
            collections.defaultdict(list),
        ],
        [
            dt.datetime(2024, 1, 2, tzinfo=dt.UTC),
            decimal.Decimal("1.5"),
            uuid.UUID(int=1),
            range(3),
            slice(1),
        ],
        [bytearray(b"ab"), 1 + 2j, type(None), "\ud7ff\n\\", "x" * 70000, b"y" * 70000],
        list(range(3000)),
        {str(i): (i, float(i)) for i in range(2000)},
    ],
    ids=["values", "containers", "times", "others", "list", "dict"],
)
@pytest.mark.parametrize("protocol", range(6))
def test_plain_values_are_safe(thing, protocol):
    data = pickle.dumps(thing, protocol)
    report = judge(data)
    assert report.issues == ()
    assert report.complete
    assert report.judged == len(data)


def test_python_2_names_are_taken_for_those_of_python_3():
    stream = b"c__builtin__\nset\n((lp0\nI1\natR."
    report = judge(stream)
    assert report.issues == ()
    assert report.globals[0].resolved == ("builtins", "set")
    assert verdict(judge(b"\x80\x04" + stack_global("__builtin__", "set") + b"]\x85R.")) is Verdict.MALICIOUS


@pytest.mark.parametrize(
    ("stream", "why"),
    [
        (b"", "before STOP"),
        (b"N", "before STOP"),
        (b"\x80", "middle of an opcode"),
        (b"\x80\x06N.", "protocol 6"),
        (b"\xff", "no opcode"),
        (b".", "empty stack"),
        (b"0.", "empty stack"),
        (b"1.", "empty stack"),
        (b"h\x00.", "unwritten memo"),
        (b"j\x00\x00\x00\x01.", "never written"),
        (b"g5\n.", "never written"),
        (b"gx\n.", "memo index"),
        (b"Ix\n.", "number"),
        (b"Fx y\n.", "number"),
        (b"Sabc\n.", "not quoted"),
        (b"NNR.", "no function"),
        (b"N)R.", "no function"),
        (b"(NsN.", "empty stack"),
        (b"}(Nu.", "no value"),
        (b"NNa.", None),
        (b"\x80\x04K\x01K\x02a.", "holds none"),
        (b"X\xff\xff\xff\x7fabc.", "middle of an opcode"),
        (b"\x8d\xff\xff\xff\xff\xff\xff\xff\xffabc.", "middle of an opcode"),
        (b"\x80\x04\x95\xff\x00\x00\x00\x00\x00\x00\x00N.", "frame is longer"),
        (b"\x80\x05\x97.", "buffers from outside"),
        (b"c\xff\xfe\nx\n.", "not UTF-8"),
        (b"(o.", "empty stack"),
        (b"(N(N.", None),
    ],
)
def test_damage_is_unknown_or_harmless(stream, why):
    report = judge(stream)
    if why is None:
        assert report.issues == ()
    else:
        assert not report.complete
        assert verdict(report) is Verdict.UNKNOWN
        assert why in report.issues[-1].message


def test_every_opcode_runs():
    body = {
        "INT": b"I1\n",
        "LONG": b"L1L\n",
        "FLOAT": b"F1.5\n",
        "STRING": b"S'a'\n",
        "UNICODE": b"Va\n",
        "GET": b"g0\n",
        "PUT": b"p3\n",
        "PERSID": b"Px\n",
        "GLOBAL": b"cm\nx\n",
        "INST": b"(im\nx\n",
        "PROTO": b"\x80\x04",
        "FRAME": b"\x95" + bytes(8),
        "LONG1": b"\x8a\x01\x05",
        "LONG4": b"\x8b\x01\0\0\0\x05",
        "STACK_GLOBAL": stack_global("m", "x"),
        "SETITEM": b"}NNs",
        "SETITEMS": b"}(NNu",
        "APPENDS": b"](Ne",
        "APPEND": b"]Na",
        "ADDITEMS": b"\x8f(N\x90",
        "FROZENSET": b"(N\x91",
        "LIST": b"(l",
        "DICT": b"(NNd",
        "TUPLE": b"(t",
        "OBJ": b"(cm\nx\no",
        "REDUCE": b"cm\nx\n)R",
        "NEWOBJ": b"cm\nx\n)\x81",
        "NEWOBJ_EX": b"cm\nx\n)}\x92",
        "BUILD": b"cm\nx\n)\x81}b",
        "POP_MARK": b"(N1",
        "MARK": b"(1",
        "NEXT_BUFFER": None,
        "READONLY_BUFFER": None,
        "STOP": b"",
    }
    seen = set()
    for op in OPCODES:
        if body.get(op.name, b"") is None:
            continue
        code = body.get(op.name)
        if code is None:
            extra = bytes(op.width) if op.argument in {"fixed", "counted"} else b""
            code = bytes([op.code]) + extra
        stream = b"Nq\x00NNN" + code + b"N."
        report = judge(stream, small(x="callable"))
        assert report.complete, op.name
        seen.add(op.name)
    assert len(seen) == 66


def test_memo_with_holes_and_far_entries():
    scattered = b"Nq\x05Nr\x00\x00\x00\x40" + b"\x94" + b"h\x05j\x00\x00\x00\x40h\x02."
    assert judge(scattered).complete
    assert not judge(b"Nq\x05h\x04.").complete
    overwritten = b"Nq\x05Nq\x04Nq\x04\x94h\x02."
    assert judge(overwritten).complete


def test_opcodes_are_budgeted():
    data = pickle.dumps(list(range(5000)))
    machine = Machine(BytesSource(data), EMPTY, Budget(opcodes=100))
    outcome = machine.run(0)
    assert (outcome.stopped, outcome.budget, outcome.opcodes) == (False, True, 100)


def test_a_stream_of_marks_is_budgeted():
    report = judge(b"(" * 3_000_000 + b".")
    assert report.over_budget
    assert verdict(report) is Verdict.UNKNOWN


def test_a_scattered_memo_is_budgeted():
    puts = b"".join(b"r" + struct.pack("<I", 1_000_000 + 5000 * i) for i in range(20_002))
    assert judge(b"N" + puts + b".").over_budget


def test_many_names_are_budgeted():
    names = b"".join(b"cm%d\nx\n0" % i for i in range(20_001))
    report = judge(names + b"N.")
    assert report.over_budget
    assert verdict(report) is Verdict.MALICIOUS


def test_windows_do_not_matter(monkeypatch):
    from lockflight.formats.pickle import turns

    data = pickle.dumps({f"key{i}": [i, float(i), (i, str(i))] for i in range(3000)}, 4) + b""
    whole = judge(data)
    hidden = framed(short("x") * 500 + CALL.replace(b"(S'true'\n", b"(" + short("true")) + b".")
    monkeypatch.setattr(turns, "CHUNK", 37)
    assert judge(data) == whole
    assert {use.name for use in judge(hidden).globals} == {"system"}


def test_what_is_called_is_told_apart_from_what_is_imported():
    imported = judge(b"\x80\x04" + stack_global("os", "system") + b".")
    assert "imports os.system" in imported.issues[0].message


def inside(data, way):
    length = len(data)
    head = {
        "short": b"C" + bytes([length % 256]),
        "long": b"B" + struct.pack("<I", length),
        "8": b"\x8e" + struct.pack("<Q", length),
        "array": b"\x96" + struct.pack("<Q", length),
    }[way]
    return b"\x80\x05}" + short("state") + head + data + b"s."


@pytest.mark.parametrize("way", ["short", "long", "8", "array"])
def test_a_pickle_as_bytes_inside_of_one_is_looked_into(way):
    evil = b"\x80\x04" + stack_global("os", "system") + short("true") + b"\x85R."
    report = judge(inside(evil, way))
    assert [(i.rule, i.subject) for i in report.issues] == [("pickle:nested", "os.system")]
    assert verdict(report) is Verdict.MALICIOUS
    deeper = b"\x80\x04" + b"B" + struct.pack("<I", len(evil)) + evil + b"."
    assert [i.subject for i in judge(inside(deeper, "long")).issues] == ["os.system"]
    for harmless in (
        pickle.dumps({"a": [1, 2]}),
        evil[:-1],
        evil + b"0",
        b"\x80\x04" + bytes(40) + b".",
        bytes(50),
    ):
        assert judge(inside(harmless, way if len(harmless) < 256 else "long")).issues == ()


def test_bytes_that_are_pickles_of_bytes_that_are_pickles_end():
    data = b"\x80\x04N."
    for _ in range(60):
        data = b"\x80\x04B" + struct.pack("<I", len(data)) + data + b"."
    assert verdict(judge(data)) is Verdict.UNKNOWN


@pytest.mark.parametrize(
    ("line", "name"),
    [
        (b"o\\u0073", "os"),
        (b"\\U0000006f\\u0073", "os"),
        (b"\xe8\\u00e9", "\u00e8\u00e9"),
        (b"o\\\\u0073", "o\\\\u0073"),
    ],
)
def test_names_in_unicode_escapes_are_read_as_cpython_reads_them(line, name):
    report = judge(b"V" + line + b"\nVsystem\n\x93.")
    assert [(use.module, use.name) for use in report.globals] == [(name, "system")]
    assert report.issues


def test_escapes_that_do_not_read_name_nothing():
    assert judge(b"V\\u00\nVsystem\n\x93.").issues
