from __future__ import annotations

import struct

import pytest

from lockflight.core.findings import Verdict
from lockflight.formats.tensors import gguf as module
from lockflight.formats.tensors.gguf import parse_gguf
from tests.formats.files import gguf, mutants, pair, rules, source, tensor, text, verdict


def parse(data):
    return parse_gguf(source(data))


SCALARS = [
    pair("u8", 0, b"\x07"),
    pair("i8", 1, b"\xff"),
    pair("u16", 2, b"\1\0"),
    pair("i16", 3, b"\1\0"),
    pair("u32", 4, b"\1\0\0\0"),
    pair("i32", 5, b"\1\0\0\0"),
    pair("f32", 6, bytes(4)),
    pair("bool", 7, b"\1"),
    pair("u64", 10, bytes(8)),
    pair("i64", 11, bytes(8)),
    pair("f64", 12, bytes(8)),
]
STRINGS = pair("tokens", 9, struct.pack("<IQ", 8, 2) + text("a") + text("bc"))
NUMBERS = pair("scores", 9, struct.pack("<IQ", 6, 3) + bytes(12))
NESTED = pair("nested", 9, struct.pack("<IQ", 9, 1) + struct.pack("<IQ", 0, 2) + b"ab")


@pytest.mark.parametrize("version", [2, 3])
def test_a_good_file(version):
    pairs = [*SCALARS, STRINGS, NUMBERS, NESTED, pair("name", 8, text("x"))]
    found = parse(gguf(pairs, version=version))
    assert found.issues == ()
    assert found.version == version
    assert found.metadata["u8"] == 7
    assert found.metadata["i8"] == -1
    assert found.metadata["bool"] is True
    assert found.metadata["name"] == "x"
    assert found.metadata["tokens"] is None
    assert [(t.name, t.dtype, t.shape, t.end - t.start) for t in found.tensors] == [("t", "F32", (8,), 32)]


def test_quantised_tensors_and_padding_between_them():
    tensors = [tensor("a", (32,), 2, 0), tensor("b", (256, 2), 14, 32)]
    assert parse(gguf(tensors=tensors, body=bytes(32 + 420))).issues == ()
    assert parse(gguf(tensors=[], body=b"")).issues == ()


def test_another_alignment():
    pairs = [pair("general.alignment", 4, struct.pack("<I", 64))]
    head = gguf(pairs, [tensor("t", (8,))], b"")
    assert parse(head + bytes(-len(head) % 64) + bytes(32)).issues == ()


def test_every_template_is_handed_out():
    pairs = [
        pair("tokenizer.chat_template", 8, text("{{ messages }}")),
        pair("tokenizer.chat_template.tool_use", 8, text("x" * 100_000)),
        pair("tokenizer.chat_templates", 9, struct.pack("<IQ", 8, 1) + text("tool_use")),
    ]
    found = parse(gguf(pairs))
    assert found.issues == ()
    assert {key: len(value) for key, value in found.templates.items()} == {
        "tokenizer.chat_template": 14,
        "tokenizer.chat_template.tool_use": 100_000,
    }


def listed(key, *texts):
    return pair(key, 9, struct.pack("<IQ", 8, len(texts)) + b"".join(map(text, texts)))


@pytest.mark.parametrize(
    ("it", "templates"),
    [
        (listed("tokenizer.chat_template", "{{ x }}"), {"tokenizer.chat_template[0]": "{{ x }}"}),
        (
            listed("tokenizer.chat_template.a", "p", "q"),
            {"tokenizer.chat_template.a[0]": "p", "tokenizer.chat_template.a[1]": "q"},
        ),
        (listed("tokenizer.chat_templates", "{{ x }}"), {"tokenizer.chat_templates[0]": "{{ x }}"}),
        (
            pair(
                "tokenizer.chat_template", 9, struct.pack("<IQ", 9, 1) + struct.pack("<IQ", 8, 1) + text("y")
            ),
            {"tokenizer.chat_template[0]": "y"},
        ),
        (pair("tokenizer.chat_template", 9, struct.pack("<IQ", 0, 2) + b"ab"), {}),
        (pair("tokenizer.chat_template", 4, bytes(4)), {}),
        (
            pair("Tokenizer.Chat_Template", 9, struct.pack("<IQ", 8, 1) + text("z")),
            {"Tokenizer.Chat_Template[0]": "z"},
        ),
        (pair("tokenizer.chat_template\0", 8, text("z")), {"tokenizer.chat_template\0": "z"}),
        (pair("tokenizer.chat_template", 8, text("z\0")), {"tokenizer.chat_template": "z\0"}),
    ],
)
def test_a_template_that_is_written_otherwise_is_judged_and_not_safe(it, templates):
    found = parse(gguf([it, pair("after", 0, b"\1")]))
    assert rules(found.issues) == {"template:unread"}
    assert verdict(found.issues) is Verdict.UNKNOWN
    assert found.templates == templates
    assert found.metadata["after"] == 1


BIG = struct.pack("<Q", 1 << 60)


@pytest.mark.parametrize(
    ("data", "rule"),
    [
        (b"GGUF", "gguf:broken"),
        (b"GGML" + bytes(30), "gguf:broken"),
        (gguf(version=1), "gguf:version"),
        (gguf(version=9), "gguf:version"),
        (gguf(n_pairs=1 << 60), "gguf:counts"),
        (gguf(n_tensors=1 << 60), "gguf:counts"),
        (gguf([pair("a", 8, BIG)]), "gguf:broken"),
        (gguf([BIG + b"x"]), "gguf:broken"),
        (gguf([pair("a", 99, b"")]), "gguf:broken"),
        (gguf([pair("a", 7, b"\2")]), "gguf:broken"),
        (gguf([pair("a", 9, struct.pack("<I", 8) + BIG)]), "gguf:counts"),
        (gguf([pair("a", 9, struct.pack("<I", 4) + BIG)]), "gguf:broken"),
        (gguf([pair("a", 9, struct.pack("<IQ", 77, 1))]), "gguf:broken"),
        (gguf([pair("a", 9, struct.pack("<IQ", 9, 1) * 6)]), "gguf:budget"),
        (gguf([pair("a", 8, text("1")), pair("a", 8, text("2"))]), "gguf:duplicate"),
        (gguf([pair("general.alignment", 4, bytes(4))]), "gguf:broken"),
        (gguf([pair("general.alignment", 8, text("x"))]), "gguf:broken"),
        (gguf(tensors=[tensor("t", (1,) * 5)]), "gguf:broken"),
        (gguf(tensors=[tensor("t", (1 << 62, 1 << 62))]), "gguf:counts"),
        (gguf(tensors=[tensor("t", (0,))]), "gguf:counts"),
        (gguf(tensors=[tensor("t", (8,), 200)]), "gguf:type"),
        (gguf(tensors=[tensor("t", (8,), 2)]), "gguf:broken"),
        (gguf(tensors=[tensor("t", (8,), 0, 3)]), "gguf:broken"),
        (gguf(tensors=[tensor("t", (9,))]), "gguf:broken"),
        (gguf(tensors=[tensor("t", (8,)), tensor("t", (8,), 0, 32)], body=bytes(64)), "gguf:duplicate"),
        (gguf(tensors=[tensor("t", (8,)), tensor("u", (8,))]), "gguf:overlap"),
        (gguf(tensors=[tensor("t", (8,), 0, 64)], body=bytes(96)), "gguf:hole"),
        (gguf(body=bytes(64)), "gguf:trailing"),
        (gguf([pair("tokenizer.chat_template", 8, struct.pack("<Q", 1) + b"\xff")]), "template:unread"),
    ],
)
def test_a_bad_file(data, rule):
    found = parse(data)
    assert rule in rules(found.issues)
    assert verdict(found.issues).rank >= Verdict.UNKNOWN.rank


def test_counts_cost_nothing(monkeypatch):
    monkeypatch.setattr(module, "MAX_KEYS", 3)
    assert rules(parse(gguf(SCALARS)).issues) == {"gguf:budget"}
    monkeypatch.setattr(module, "_MAX_ARRAY", 1)
    assert rules(parse(gguf([STRINGS])).issues) == {"gguf:budget"}


def test_long_strings_are_passed_over():
    found = parse(gguf([pair("long", 8, text("x" * 300_000)), pair("after", 0, b"\1")]))
    assert found.issues == ()
    assert found.metadata == {"long": None, "after": 1}


def test_damage_is_an_issue_and_never_more():
    seeds = [gguf(), gguf([*SCALARS, STRINGS, NESTED, pair("tokenizer.chat_template", 8, text("{{ a }}"))])]
    safe = sum(not parse(data).issues for data in mutants(seeds, 3000, 2))
    assert 0 < safe < 2000
