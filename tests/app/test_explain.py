"""`explain` and `schema`: found by name, by words, and nearly."""

from __future__ import annotations

import json

import jsonschema
import pytest

from lockflight.app.explain import entries, explain
from lockflight.app.schema import names, schema
from lockflight.errors import NotFound


@pytest.mark.parametrize("word", ["LF4506", "lf4506", "4506", " LF4506 "])
def test_a_code(word):
    (entry,) = explain(word)
    assert (entry.code, entry.title, entry.exit) == ("LF4506", "Approval missing", 10)


def test_words_in_any_order_and_titles_first():
    found = explain("missing approval")
    assert found[0].code == "LF4506"
    assert len(explain("key")) > 5


@pytest.mark.parametrize(
    ("word", "hint"),
    [
        ("LF4505x", "Did you mean LF4505?"),
        ("LF4549", "Did you mean LF4548?"),
        ("9999", "lockflight explain WORD"),
        ("", "lockflight"),
    ],
)
def test_what_is_not_there(word, hint):
    with pytest.raises(NotFound) as caught:
        explain(word)
    assert caught.value.code == "LF0201"
    assert caught.value.hint.startswith(hint)


@pytest.mark.parametrize("text", ["LF4506 LF2100", "4506, lf2100, LF4506"])
def test_several_codes(text):
    assert [entry.code for entry in explain(text)] == ["LF4506", "LF2100"]


def test_entries_of_one_file_and_of_all():
    assert set(entries("7")) < set(entries())
    assert {code[:3] for code in entries("7")} == {"LF7"}


@pytest.mark.parametrize(
    "word", ["scan", "scan/v1", "https://lockflight.dev/schema/scan/v1", "https://lockflight.dev/schema/scan"]
)
def test_a_schema(word):
    assert json.loads(schema(word))["$id"] == "https://lockflight.dev/schema/scan/v1"


def test_a_schema_of_an_attestation():
    body = json.loads(schema("https://lockflight.dev/attestation/scan/v1"))
    assert body["$id"] == "https://lockflight.dev/schema/attestation-scan/v1"


@pytest.mark.parametrize("word", ["", "relpy", "../codes/LF0", "reply.json"])
def test_no_such_schema(word):
    with pytest.raises(NotFound) as caught:
        schema(word)
    assert caught.value.code == "LF0202"


def test_every_schema_is_one_and_says_its_name():
    for name in names():
        body = json.loads(schema(name))
        jsonschema.Draft202012Validator.check_schema(body)
        assert body["$id"] == f"https://lockflight.dev/schema/{name}/v1"
        assert body["title"]
