"""Tokenizers: steps and sizes of published ones are sound; those that make a text grow without bound are not."""

from __future__ import annotations

import base64
import json
import struct

import pytest

from lockflight.core.findings import Verdict
from lockflight.formats.settings import jsontext
from lockflight.formats.settings.jsontext import check_json
from tests.formats.files import rules, source, verdict

BASE = {
    "version": "1.0",
    "truncation": None,
    "padding": None,
    "added_tokens": [],
    "normalizer": None,
    "pre_tokenizer": None,
    "post_processor": None,
    "decoder": None,
    "model": {"type": "WordLevel", "vocab": {"a": 0}, "unk_token": "a"},
}


def check(**changed):
    return check_json(source(json.dumps(BASE | changed).encode(), "tokenizer.json"))


def charsmap(*words):
    return base64.b64encode(struct.pack("<I", 8) + bytes(8) + b"\0".join(words) + b"\0").decode()


def replace(old, new, kind="String"):
    return {"type": "Replace", "pattern": {kind: old}, "content": new}


def sequence(part, steps):
    return {"type": "Sequence", part: steps}


def template(*pieces, **tokens):
    return {
        "type": "TemplateProcessing",
        "single": [
            {"Sequence": {"id": piece}} if piece in "AB" else {"SpecialToken": {"id": piece}}
            for piece in pieces
        ],
        "pair": [{"Sequence": {"id": "A"}}, {"Sequence": {"id": "B"}}],
        "special_tokens": {name: {"id": name, "ids": ids} for name, ids in tokens.items()},
    }


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"normalizer": sequence("normalizers", [replace("``", '"'), replace("''", '"'), {"type": "NFKD"}])},
        {
            "normalizer": sequence(
                "normalizers", [replace(" ", "\u2581"), {"type": "Prepend", "prepend": "\u2581"}]
            )
        },
        {
            "normalizer": sequence(
                "normalizers", [replace("\\A\u2581", "\u2581\u2581", "Regex"), replace(" {2,}", " ", "Regex")]
            )
        },
        {"normalizer": {"type": "Precompiled", "precompiled_charsmap": charsmap(b"fi", b"x" * 33)}},
        {
            "pre_tokenizer": sequence(
                "pretokenizers", [{"type": "Digits"}, {"type": "ByteLevel", "use_regex": False}]
            )
        },
        {
            "pre_tokenizer": {
                "type": "Split",
                "pattern": {"Regex": r"\p{N}{1,3}| ?\p{L}+"},
                "behavior": "Isolated",
            }
        },
        {
            "decoder": sequence(
                "decoders", [replace("\u2581", " "), {"type": "ByteFallback"}, {"type": "Fuse"}]
            )
        },
        {"post_processor": template("c", "A", "s", c=[101], s=[102])},
        {"padding": {"strategy": {"Fixed": 131072}, "pad_to_multiple_of": 64}},
        {"padding": {"strategy": "BatchLongest", "pad_to_multiple_of": None}},
        {"truncation": {"max_length": 512, "stride": 128}},
        {"truncation": {"max_length": 512, "stride": 0}},
    ],
)
def test_a_published_one_is_safe(changed):
    assert check(**changed) == ()


@pytest.mark.parametrize(
    ("changed", "rule"),
    [
        ({"normalizer": sequence("normalizers", [replace("a", "aa")] * 40)}, "tokenizer:growth"),
        (
            {"normalizer": sequence("normalizers", [sequence("normalizers", [replace("a", "aa")])] * 40)},
            "tokenizer:growth",
        ),
        ({"normalizer": replace("a", "b" * 100_000)}, "tokenizer:growth"),
        ({"normalizer": replace("", "b")}, "tokenizer:growth"),
        ({"normalizer": sequence("normalizers", [replace(".", "bb", "Regex")] * 40)}, "tokenizer:growth"),
        ({"normalizer": sequence("normalizers", [{"type": "ByteLevel"}] * 40)}, "tokenizer:growth"),
        ({"normalizer": sequence("normalizers", [{"type": "Lowercase"}] * 900)}, "tokenizer:growth"),
        ({"normalizer": sequence("normalizers", ["x"])}, "tokenizer:growth"),
        (
            {"normalizer": {"type": "Precompiled", "precompiled_charsmap": charsmap(b"x" * 9000)}},
            "tokenizer:growth",
        ),
        (
            {
                "normalizer": sequence(
                    "normalizers", [{"type": "Precompiled", "precompiled_charsmap": charsmap(b"aa")}] * 40
                )
            },
            "tokenizer:growth",
        ),
        ({"pre_tokenizer": sequence("pretokenizers", [{"type": "ByteLevel"}] * 40)}, "tokenizer:growth"),
        ({"decoder": sequence("decoders", [replace("a", "aa")] * 40)}, "tokenizer:growth"),
        ({"post_processor": sequence("processors", [template("A", "A")] * 40)}, "tokenizer:growth"),
        ({"post_processor": template("A", "c", c=[0] * 100_000)}, "tokenizer:growth"),
        ({"padding": {"strategy": {"Fixed": 10**12}}}, "tokenizer:size"),
        ({"padding": {"strategy": "BatchLongest", "pad_to_multiple_of": 10**12}}, "tokenizer:size"),
        ({"truncation": {"max_length": 10**15, "stride": 0}}, "tokenizer:size"),
        ({"truncation": {"max_length": 100_000, "stride": 99_999}}, "tokenizer:size"),
        (
            {"pre_tokenizer": {"type": "Split", "pattern": {"Regex": "^(a+)+$"}, "behavior": "Isolated"}},
            "config:pattern",
        ),
        ({"normalizer": replace("(a|a)*b", "", "Regex")}, "config:pattern"),
    ],
)
def test_one_without_bound_is_not(changed, rule):
    found = check(**changed)
    assert rules(found) == {rule}
    assert verdict(found).rank >= Verdict.REVIEW.rank


def test_a_large_one_is_looked_at_as_well(monkeypatch):
    monkeypatch.setattr(jsontext, "is_large", lambda _: True)
    vocabulary = {f"word{i}": i for i in range(1_000)}
    bad = sequence("normalizers", [replace("a", "aa")] * 40)
    split = {"type": "Split", "pattern": {"Regex": "^(a+)+$"}}
    found = check(model={"type": "WordLevel", "vocab": vocabulary}, normalizer=bad, pre_tokenizer=split)
    assert rules(found) == {"tokenizer:growth", "config:pattern"}
