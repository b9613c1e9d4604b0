from __future__ import annotations

import contextlib
import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockflight.core.text import toml_lines
from lockflight.core.text.toml_lines import MAX_BYTES, read_toml
from lockflight.errors import InvalidInput

SAMPLE = '''\
# a comment = [1]
title = "x # no comment" # really
"quoted \\u0041.key" = 1
'literal' = 2
a.b . "c" = 3
when = 1979-05-27 07:32:00
many = """
one "quote" ""
two"""""
raw = \'\'\'
a\'\'b
\'\'\'
list = [ # first
  1,
  "two", [3, 4],
  { x = 1, y.z = "[" },
]

[table]
one = true
[table.sub]
two = -1.5e3

[[rules]]
role = "a"
[[rules]]
role = "b"
files = ["x",
  "y"]
[rules.inner]
deep = 1
[[rules.more]]
n = 1
[[rules.more]]
n = 2
'''


def test_lines_of_everything():
    toml = read_toml(SAMPLE, where="t")
    assert toml.data == tomllib.loads(SAMPLE)
    expected = {
        ("title",): 2,
        ("quoted A.key",): 3,
        ("literal",): 4,
        ("a",): 5,
        ("a", "b", "c"): 5,
        ("when",): 6,
        ("many",): 7,
        ("raw",): 10,
        ("list",): 13,
        ("list", 0): 14,
        ("list", 1): 15,
        ("list", 2, 1): 15,
        ("list", 3, "y", "z"): 16,
        ("table",): 19,
        ("table", "sub", "two"): 22,
        ("rules", 0): 24,
        ("rules", 0, "role"): 25,
        ("rules", 1, "role"): 27,
        ("rules", 1, "files", 0): 28,
        ("rules", 1, "files", 1): 29,
        ("rules", 1, "inner", "deep"): 31,
        ("rules", 1, "more", 0, "n"): 33,
        ("rules", 1, "more", 1, "n"): 35,
    }
    assert {path: toml.lines.get(path) for path in expected} == expected
    assert toml.line(("rules", 1, "nothing", "here")) == 26
    assert toml.line(("nowhere",)) == 1


def test_windows_line_ends():
    toml = read_toml(b'a = 1\r\nb = "x"\r\n', where="t")
    assert toml.data == {"a": 1, "b": "x"}
    assert toml.line(("b",)) == 2


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a = 1\nb = \n", 2),
        ("a = 1\n[b\n", 2),
        ("= 1", 1),
        ("a = [1,\n2\n", 3),
        ('a = "x\n', 1),
        ("a = 'x", 1),
        ('a = """x', 1),
        ("a = 1\na = 2\n", 2),
        ("a = 1 b = 2", 1),
        ("a = {x = 1\n}", 1),
        ("\n\na = wrong", 3),
        ('"a\\q" = 1', 1),
        ('"""a""" = 1', 1),
        ("a = 1\n[[a]]\n", 2),
        ("a = {x = 1, x = 2}", 1),
        ("a = " + "9" * 5000, 1),
    ],
)
def test_what_is_not_toml_is_refused_with_its_line(text, line):
    with pytest.raises(InvalidInput) as raised:
        read_toml(text, where="f.toml")
    assert raised.value.code == "LF0151"
    assert raised.value.details["line"] == line
    assert raised.value.message.startswith(f"f.toml:{line}: ")


def test_bytes_that_are_no_text():
    for data in (b"a = 1\nb = '\xff'", "a = '\ud800'"):
        with pytest.raises(InvalidInput) as raised:
            read_toml(data, where="t")
        assert raised.value.code == "LF0151"


@pytest.mark.parametrize(
    "text",
    [
        "#" * (MAX_BYTES + 1),
        "a = " + "[" * 9 + "]" * 9,
        "a = " + "{a = " * 9 + "1" + "}" * 9,
        ".".join(["a"] * 9) + " = 1",
        "[" + ".".join(["a"] * 9) + "]",
        "a = [" + "1," * 20_001 + "]",
        # What would cost tomllib minutes, also behind something that only the scanner stumbles over.
        ".".join(["a"] * 60_000) + " = 1",
    ],
)
def test_budgets(text):
    with pytest.raises(InvalidInput) as raised:
        read_toml(text, where="t")
    assert raised.value.code == "LF0152"


def test_tomllib_never_sees_what_was_not_scanned(monkeypatch):
    seen = []
    real = tomllib.loads
    monkeypatch.setattr(toml_lines.tomllib, "loads", lambda text: (seen.append(text), real(text))[1])
    with pytest.raises(InvalidInput):
        read_toml("a = \n" + ".".join(["a"] * 60_000) + " = 1", where="t")
    assert seen == ["a = "]


def test_what_the_scanner_alone_refuses_is_still_refused(monkeypatch):
    monkeypatch.setattr(toml_lines.tomllib, "loads", lambda _: {})
    with pytest.raises(InvalidInput) as raised:
        read_toml("a = \n", where="t")
    assert raised.value.code == "LF0151"
    assert raised.value.message == "t:1: not valid TOML."


KEYS = st.sampled_from(["a", "b", '"c d"', "'e.f'", "g.h", '"\\u0069"'])
SCALARS = st.sampled_from(
    ["1", "-2.5", "true", '"x]"', "'y#'", '"""z\n"q" """', "1979-05-27 07:32:00Z", "'''\n'''", "0x1F"]
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda v: "[" + ", \n # c\n".join(v) + "]"),
        st.lists(inner.filter(lambda v: "\n" not in v), max_size=2).map(
            lambda v: "{" + ", ".join(f"k{i} = {x}" for i, x in enumerate(v)) + "}"
        ),
    ),
    max_leaves=5,
)
LINES = st.one_of(
    st.tuples(KEYS, VALUES).map(lambda kv: f"{kv[0]} = {kv[1]}"),
    KEYS.map(lambda k: f"[{k}]"),
    KEYS.map(lambda k: f"[[ {k} ]]  # c"),
    st.just(""),
)
DOCUMENTS = st.lists(LINES, max_size=8).map("\n".join)


def paths(value, at=()):
    yield at
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from paths(inner, (*at, key))
    elif isinstance(value, list):
        for i, inner in enumerate(value):
            yield from paths(inner, (*at, i))


@given(DOCUMENTS)
def test_agrees_with_tomllib_on_valid_documents(text):
    try:
        expected = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        with pytest.raises(InvalidInput):
            read_toml(text, where="t")
        return
    toml = read_toml(text, where="t")
    assert toml.data == expected
    for path in paths(expected):
        if path:
            assert path in toml.lines, path


@given(DOCUMENTS, st.data())
def test_mutated_documents_are_read_alike_or_refused(text, data):
    chars = list(text + SAMPLE)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(chars) - 1))
        chars[at] = data.draw(
            st.sampled_from(["", '"', "'", "[", "]", "{", "}", "=", ".", "\n", "#", "\\", ",", "é", "\0"])
        )
    mutated = "".join(chars)
    with contextlib.suppress(InvalidInput):
        assert read_toml(mutated, where="t").data == tomllib.loads(mutated)


@given(st.binary(max_size=200))
def test_any_bytes(data):
    with contextlib.suppress(InvalidInput):
        read_toml(data, where="t")
