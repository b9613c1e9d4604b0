"""Strict reading and canonical writing of JSON."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockflight.core.canonical import MAX_INT, dumps, loads_object, loads_strict
from lockflight.errors import VerificationFailed

text = st.text(st.characters(exclude_categories=("Cs",)))
values = st.recursive(
    st.none() | st.booleans() | st.integers(-MAX_INT, MAX_INT) | text,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(text, inner, max_size=5),
    max_leaves=25,
)


@given(values)
def test_what_is_written_is_read_back_and_written_the_same(value):
    data = dumps(value)
    assert loads_strict(data) == value
    assert json.loads(data) == value
    assert dumps(loads_strict(data)) == data


@given(st.dictionaries(text, st.integers(-9, 9)))
def test_order_of_insertion_does_not_matter(value):
    assert dumps(dict(reversed(value.items()))) == dumps(value)


@given(values)
def test_pretty_json_of_others_is_read(value):
    assert loads_strict(json.dumps(value, indent=2, ensure_ascii=True).encode()) == value


def test_the_canonical_form_is_that_of_rfc_8785():
    # RFC 8785 §3.2.3: keys by UTF-16 code units, so that an astral character sorts before U+FB33.
    value = {
        "\u20ac": "Euro Sign",
        "\r": "Carriage Return",
        "\ufb33": "Hebrew Letter Dalet With Dagesh",
        "1": "One",
        "\U0001f600": "Emoji: Grinning Face",
        "\x80": "Control",
        "\xf6": "Latin Small Letter O With Diaeresis",
    }
    assert list(json.loads(dumps(value))) == ["\r", "1", "\x80", "\xf6", "\u20ac", "\U0001f600", "\ufb33"]


def test_strings_are_escaped_as_in_rfc_8785():
    assert (
        dumps('\x00\b\t\n\f\r\x1f"\\/\x7fé€😀') == '"\\u0000\\b\\t\\n\\f\\r\\u001f\\"\\\\/\x7fé€😀"'.encode()
    )


def test_tuples_are_lists_and_booleans_are_not_numbers():
    assert dumps((True, False, None, 1, -0)) == b"[true,false,null,1,0]"


@pytest.mark.parametrize("value", [1.0, float("nan"), b"x", {1: 2}.keys(), object()])
def test_what_has_no_canonical_form_is_refused(value):
    with pytest.raises(TypeError):
        dumps(value)


@pytest.mark.parametrize("value", [MAX_INT + 1, -MAX_INT - 1, "\ud800", {"\udfff": 1}])
def test_what_readers_disagree_on_is_not_written(value):
    with pytest.raises(ValueError):
        dumps(value)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"nul",
        b"[1,]",
        b"{} {}",
        b"NaN",
        b"[Infinity]",
        b"-Infinity",
        b"1e999",
        b"9007199254740992",
        b"-9007199254740992",
        b"1" * 5000,
        b'"\xff"',
        b'"\xed\xa0\x80"',
        b'"\\ud800"',
        b'{"\\udc00": 1}',
        b'["\\ud83d", "\\ude00"]',
        b"\xef\xbb\xbf{}",
        "{}".encode("utf-16"),
        b'"\n"',
        b"01",
        b"'a'",
    ],
)
def test_what_is_not_strict_json_is_refused(data):
    with pytest.raises(VerificationFailed) as caught:
        loads_strict(data, what="letter")
    assert caught.value.code == "LF7101"
    assert "letter" in caught.value.message


@pytest.mark.parametrize("data", [b'{"a":1,"a":1}', b'[{"b":{"a":1,"\\u0061":2}}]'])
def test_a_key_that_occurs_twice_is_refused(data):
    with pytest.raises(VerificationFailed) as caught:
        loads_strict(data)
    assert caught.value.code == "LF7102"
    assert "'a'" in caught.value.message


@pytest.mark.parametrize(
    ("data", "budget"),
    [
        (b'"12345"', {"max_bytes": 6}),
        (b"[[[]]]", {"max_depth": 2}),
        (b'{"a":[{}]}', {"max_depth": 2}),
        (b"[1,2,3]", {"max_values": 2}),
        (b"[" * 100_000, {}),
        (b"[" * 100_000 + b"]" * 100_000, {}),
        (b'{"a":' * 100_000, {}),
    ],
)
def test_budgets_hold(data, budget):
    with pytest.raises(VerificationFailed) as caught:
        loads_strict(data, **budget)
    assert caught.value.code == "LF7103"


def test_budgets_allow_what_is_just_within():
    assert loads_strict(b'"1234"', max_bytes=6) == "1234"
    assert loads_strict(b'[{"a":[]}]', max_depth=3) == [{"a": []}]
    assert loads_strict(b"[1,2]", max_values=2) == [1, 2]
    assert loads_strict(b'["[[[["]', max_depth=1) == ["[[[["]
    assert loads_strict(str(MAX_INT).encode()) == MAX_INT
    assert loads_strict(b"1.5e3") == 1500.0


def test_an_object_may_be_demanded():
    assert loads_object(b'{"a":1}') == {"a": 1}
    with pytest.raises(VerificationFailed) as caught:
        loads_object(b"[]")
    assert caught.value.code == "LF7101"


@given(st.binary(max_size=60) | text.map(str.encode))
def test_any_bytes_are_read_or_refused(data):
    try:
        value = loads_strict(data)
    except VerificationFailed:
        return
    assert json.loads(data) == value
