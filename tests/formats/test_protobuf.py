from __future__ import annotations

import struct

import pytest

from lockflight.core.findings import Verdict
from lockflight.formats.graphs import protobuf as module
from lockflight.formats.graphs.protobuf import BadWire, check_sentencepiece, fields, looks_like_sentencepiece
from tests.formats.files import mutants, source, verdict


def varint(value):
    out = b""
    while value > 0x7F:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])


def field(number, data):
    return varint(number << 3 | 2) + varint(len(data)) + data


def piece(text, score=-1.0):
    return field(1, field(1, text.encode()) + b"\x15" + struct.pack("<f", score))


MODEL = b"".join(piece(f"word{i}") for i in range(50)) + field(2, b"trainer") + field(3, b"normalizer")


def listed(data):
    return list(fields(source(data), 0, len(data)))


def test_fields_of_every_wire_type():
    data = b"\x08\x96\x01" + b"\x11" + bytes(8) + field(3, b"abc") + b"\x25" + bytes(4)
    assert [(number, wire, value) for number, wire, _, value in listed(data)] == [
        (1, 0, 150),
        (2, 1, 8),
        (3, 2, 3),
        (4, 5, 4),
    ]


@pytest.mark.parametrize(
    "data",
    [
        b"\x0a",
        b"\x0a\x05abc",
        b"\x0b",
        b"\x0c",
        b"\x02\x00",
        b"\x80" * 11,
        b"\x09\0\0",
        b"\xff" * 9 + b"\x01",
    ],
)
def test_damage(data):
    with pytest.raises(BadWire):
        listed(data)


def test_fields_are_budgeted(monkeypatch):
    monkeypatch.setattr(module, "MAX_FIELDS", 3)
    with pytest.raises(BadWire):
        listed(b"\x08\x01" * 4)


def test_a_sentencepiece_model():
    assert looks_like_sentencepiece(MODEL)
    assert check_sentencepiece(source(MODEL)) == ()
    assert check_sentencepiece(source(MODEL * 300)) == ()


@pytest.mark.parametrize("data", [MODEL + field(9, b"x"), MODEL + b"\x08\x01", MODEL[:-1], b"\xff" * 30])
def test_what_is_none_is_unknown(data):
    assert verdict(check_sentencepiece(source(data))) is Verdict.UNKNOWN


@pytest.mark.parametrize(
    "head", [b"", b"\x0a\x05", b"\x0a\x85" + bytes(20), b"\x0a\x08\x0a\x09" + bytes(20), b"\x08" + bytes(20)]
)
def test_other_heads(head):
    assert not looks_like_sentencepiece(head)


def test_damage_is_an_issue_and_never_more():
    safe = sum(not check_sentencepiece(source(data)) for data in mutants([MODEL], 2000, 7))
    assert 0 < safe < 1900
