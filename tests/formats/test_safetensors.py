from __future__ import annotations

import json
import struct

import pytest

from lockflight.core.findings import Verdict
from lockflight.formats.tensors.safetensors import DTYPES, MAX_HEADER, parse_safetensors
from tests.formats.files import mutants, rules, safetensors, source, verdict


def parse(data):
    return parse_safetensors(source(data))


def entry(shape=(2,), offsets=(0, 8), dtype="F32"):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": list(offsets)}


def test_a_good_file():
    found = parse(
        safetensors({"__metadata__": {"format": "pt"}, "b": entry((), (8, 12)), "a": entry()}, bytes(12))
    )
    assert found.issues == ()
    assert [(t.name, t.shape, t.end - t.start) for t in found.tensors] == [("a", (2,), 8), ("b", (), 4)]
    assert found.metadata == {"format": "pt"}


def test_empty_tensors_and_none_at_all():
    assert parse(safetensors({}, b"")).issues == ()
    assert (
        parse(safetensors({"a": entry((0,), (0, 0)), "b": entry(), "c": entry((3, 0), (8, 8))})).issues == ()
    )


def test_packed_types():
    assert parse(safetensors({"a": entry((16,), (0, 8), "F4")})).issues == ()
    assert parse(safetensors({"a": entry((3,), (0, 1), "F4")}, b"x")).issues != ()


def test_padding_of_the_header():
    assert parse(safetensors(raw=json.dumps({"a": entry()}).encode() + b"   ")).issues == ()


@pytest.mark.parametrize(
    ("data", "rule"),
    [
        (b"", "safetensors:broken"),
        (struct.pack("<Q", 1 << 60), "safetensors:broken"),
        (struct.pack("<Q", 1) + b"{}", "safetensors:broken"),
        (safetensors(raw=b"[]"), "safetensors:broken"),
        (safetensors(raw=b"{nonsense"), "safetensors:broken"),
        (safetensors(raw=b"\xff{}"), "safetensors:broken"),
        (safetensors(raw=b'{"a":1,"a":2}'), "safetensors:duplicate"),
        (safetensors({"__metadata__": {"a": 1}}, b""), "safetensors:broken"),
        (safetensors({"__metadata__": []}, b""), "safetensors:broken"),
        (safetensors({"a": []}), "safetensors:tensor"),
        (safetensors({"a": {**entry(), "more": 1}}), "safetensors:tensor"),
        (safetensors({"a": entry(dtype="F33")}), "safetensors:tensor"),
        (safetensors({"a": entry(dtype=1)}), "safetensors:tensor"),
        (safetensors({"a": entry((True,))}), "safetensors:tensor"),
        (safetensors({"a": entry((-1,))}), "safetensors:tensor"),
        (safetensors({"a": {**entry(), "shape": 2}}), "safetensors:tensor"),
        (safetensors({"a": entry((1.5,))}), "safetensors:tensor"),
        (safetensors({"a": entry(offsets=(8, 0))}), "safetensors:tensor"),
        (safetensors({"a": entry(offsets=(0, 8, 9))}), "safetensors:tensor"),
        (safetensors({"a": entry((3,))}), "safetensors:tensor"),
        (safetensors({"a": entry((1 << 40, 1 << 40))}), "safetensors:tensor"),
        (safetensors({"a": entry((1,) * 65, (0, 4))}), "safetensors:tensor"),
        (safetensors({"a": entry(), "b": entry(offsets=(10, 18))}, bytes(18)), "safetensors:hole"),
        (safetensors({"a": entry(offsets=(1, 9))}, bytes(9)), "safetensors:hole"),
        (safetensors({"a": entry(), "b": entry(offsets=(4, 12))}, bytes(12)), "safetensors:overlap"),
        (safetensors(body=bytes(7)), "safetensors:broken"),
        (safetensors(body=bytes(9)), "safetensors:trailing"),
    ],
)
def test_a_bad_file(data, rule):
    found = parse(data)
    assert rules(found.issues) == {rule}
    assert verdict(found.issues).rank >= Verdict.UNKNOWN.rank


def test_a_huge_header_is_over_budget(monkeypatch):
    monkeypatch.setattr("lockflight.formats.tensors.safetensors.MAX_HEADER", 10)
    assert rules(parse(safetensors()).issues) == {"safetensors:budget"}
    assert MAX_HEADER > 1 << 20


def test_deep_nesting_is_no_crash():
    assert rules(parse(safetensors(raw=b'{"a":' + b"[" * 200_000)).issues) == {"safetensors:broken"}


def test_every_type_has_a_width():
    assert all(bits in {4, 6, 8, 16, 32, 64} for bits in DTYPES.values())


def test_damage_is_an_issue_and_never_more():
    seeds = [
        safetensors(),
        safetensors({"__metadata__": {"a": "b"}, "x": entry(), "y": entry(offsets=(8, 16))}, bytes(16)),
    ]
    safe = 0
    for data in mutants(seeds, 3000, 1, (b'"a":', b"{", b"}", b"[", b"9999999999999999999")):
        found = parse(data)
        if found.issues:
            continue
        safe += 1
        length = int.from_bytes(data[:8], "little")
        assert sum(t.end - t.start for t in found.tensors) == len(data) - 8 - length
    assert 0 < safe < 1500
