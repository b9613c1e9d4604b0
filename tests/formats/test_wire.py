from __future__ import annotations

import pytest

from lockflight.formats.graphs import wire
from lockflight.formats.graphs.protobuf import BadWire
from lockflight.formats.graphs.wire import OverBudget, Walk, parse_messages
from tests.formats.files import mutants, source
from tests.formats.test_protobuf import field, varint

MESSAGES = parse_messages({"A": "1=int 2*data 3*int 4=A 5=wide 6=short", "B": "1=A"})
KEEP = {"A": frozenset({1, 2, 3})}


def walked(data, root="A", messages=MESSAGES):
    found = []
    walk = Walk(source(data), messages, KEEP, lambda name, values, at: found.append((name, values, at)))
    walk.run(root)
    return found, walk.problems


def test_values_are_kept_behind_what_they_hold():
    data = (
        b"\x08\x07"
        + field(2, b"x")
        + field(4, field(2, b"in"))
        + field(2, b"y")
        + b"\x18\x05"
        + field(3, b"\x01\x02")
    )
    found, problems = walked(data + b"\x29" + bytes(8) + b"\x35" + bytes(4))
    assert problems == {}
    (inner, outer) = found
    assert [value.head for value in inner[1][2]] == [b"in"]
    assert outer[1][1] == [7]
    assert [value.text for value in outer[1][2]] == ["x", "y"]
    assert outer[1][3] == [5, 1, 2]


def test_what_other_readers_may_see_differently_is_told():
    assert set(walked(b"\x08\x01\x08\x02")[1]) == {"twice"}
    assert set(walked(field(9, b"x"))[1]) == {"field"}
    assert set(walked(field(4, b"") + field(4, b""))[1]) == {"twice"}


def test_a_long_text_is_cut():
    found, _ = walked(field(2, b"x" * 10_000))
    (value,) = found[0][1][2]
    assert (len(value.head), value.length, value.whole) == (wire.MAX_TEXT, 10_000, False)


@pytest.mark.parametrize(
    "data",
    [
        b"\x0a\x01x",
        b"\x12\x05abc",
        b"\x0b",
        b"\x07\x00",
        b"\x00\x00",
        b"\x80" * 11,
        b"\xff" * 9 + b"\x7f\x00",
        b"\x2d" + bytes(4),
        field(4, b"\x12\x09x"),
    ],
)
def test_damage_ends_the_walk(data):
    with pytest.raises(BadWire):
        walked(data)


def test_depth_and_number_are_budgeted(monkeypatch):
    data = b""
    for _ in range(200):
        data = field(4, data)
    with pytest.raises(OverBudget):
        walked(data)
    monkeypatch.setattr(wire, "MAX_FIELDS", 10)
    with pytest.raises(OverBudget):
        walked(field(2, b"x") * 11)
    monkeypatch.setattr(wire, "MAX_KEPT", 3)
    with pytest.raises(OverBudget):
        walked(field(3, b"\x01" * 9))


@pytest.mark.parametrize("row", ["1=what", "x", "1-int"])
def test_malformed_messages_are_refused(row):
    with pytest.raises(ValueError, match="malformed"):
        parse_messages({"A": row})


def test_damage_is_an_error_of_its_own_and_never_another():
    seed = b"\x08\x07" + field(2, b"x") * 4 + field(4, field(2, varint(300)) * 3) + field(3, b"\x01\x02")
    good = 0
    for data in mutants([seed], 3000, 21):
        try:
            walked(data)
        except BadWire:
            continue
        good += 1
    assert 100 < good < 2900
