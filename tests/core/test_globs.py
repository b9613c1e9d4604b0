from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockflight.core.text.globs import MAX_PATTERN, escape, parse_glob
from lockflight.errors import InvalidInput


def matches(pattern, name):
    return parse_glob(pattern).matches(name)


@pytest.mark.parametrize(
    ("pattern", "name", "expected"),
    [
        ("a.txt", "a.txt", True),
        ("a.txt", "b/a.txt", False),
        ("*.py", "a.py", True),
        ("*.py", "d/a.py", False),
        ("*.py", ".py", True),
        ("*", ".hidden", True),
        ("**", "a", True),
        ("**", "a/b/c", True),
        ("d/**", "d/a", True),
        ("d/**", "d/a/b", True),
        ("d/**", "d", False),
        ("d/**", "da/b", False),
        ("**/*.py", "a.py", True),
        ("**/*.py", "d/e/a.py", True),
        ("**/a", "a", True),
        ("**/a/b", "a/a/b", True),
        ("a/**/b", "a/b", True),
        ("a/**/b", "a/x/y/b", True),
        ("a/**/b", "a/x/y/c", False),
        ("**/x/**", "x/a", True),
        ("**/x/**", "a/x/b/c", True),
        ("**/x/**", "a/x", False),
        ("*a*b", "xaybzb", True),
        ("*a*b", "xaybzc", False),
        ("a?c", "abc", True),
        ("a?c", "ac", False),
        ("a?c", "a/c", False),
        ("[ab].txt", "b.txt", True),
        ("[ab].txt", "c.txt", False),
        ("[a-c]1", "b1", True),
        ("[!a-c]1", "b1", False),
        ("[^a-c]1", "d1", True),
        ("[!a]", "/", False),
        ("[a-]", "-", True),
        ("[]a]", "]", True),
        ("[*].txt", "*.txt", True),
        ("[*].txt", "a.txt", False),
        ("[[]x[?]", "[x?", True),
        ("[*]/**", "*/a", True),
        ("[*]/**", "b/a", False),
        ("A", "a", False),
        ("ä/*", "ä/ö", True),
    ],
)
def test_matching(pattern, name, expected):
    assert matches(pattern, name) is expected


@pytest.mark.parametrize(
    "pattern",
    [
        "",
        "/a",
        "a/",
        "a//b",
        "./a",
        "a/../b",
        "..",
        "a\\b",
        "a\nb",
        "a\0",
        "a**",
        "**b/c",
        "[a",
        "a[",
        "[z-a]",
        "x" * 5000,
    ],
)
def test_patterns_that_cannot_be_meant(pattern):
    with pytest.raises(InvalidInput) as raised:
        parse_glob(pattern)
    assert raised.value.code == "LF0160"
    assert raised.value.hint


def test_a_folder_is_told_how_to_be_written():
    with pytest.raises(InvalidInput) as raised:
        parse_glob("data/")
    assert raised.value.hint == 'Write "data/**".'


def test_literal_patterns_are_known():
    assert parse_glob("a/b").literal
    assert parse_glob("a/[*]").literal
    assert not parse_glob("a/*").literal
    assert not parse_glob("**").literal
    assert not parse_glob("[ab]").literal


PARTS = st.text(alphabet="ab.", min_size=1, max_size=4).filter(lambda p: p not in {".", ".."})
NAMES = st.lists(PARTS, min_size=1, max_size=4).map("/".join)
TOKENS = st.sampled_from(["a", "b", ".", "*", "?", "[ab]", "[!a]", "[*]"])


def part_of(tokens):
    text = "".join(tokens)
    while "**" in text:
        text = text.replace("**", "*")
    return text


PATTERN_PARTS = st.one_of(
    st.just("**"),
    st.lists(TOKENS, min_size=1, max_size=4).map(part_of).filter(lambda p: p not in {".", ".."}),
)
PATTERNS = st.lists(PATTERN_PARTS, min_size=1, max_size=4).map("/".join)


def oracle_part(pattern, part):
    """Plain recursion over one part, slow and obvious."""
    if not pattern:
        return not part
    if pattern[0] == "*":
        return any(oracle_part(pattern[1:], part[i:]) for i in range(len(part) + 1))
    if not part:
        return False
    if pattern[0] == "[":
        end = pattern.index("]", 2)
        inside = pattern[1:end]
        hit = (part[0] not in inside[1:]) if inside[0] == "!" else part[0] in inside
        return hit and oracle_part(pattern[end + 1 :], part[1:])
    return pattern[0] in {"?", part[0]} and oracle_part(pattern[1:], part[1:])


def oracle(pattern, name):
    if not pattern:
        return not name
    if pattern[0] == "**":
        if len(pattern) == 1:
            return len(name) >= 1
        return any(oracle(pattern[1:], name[i:]) for i in range(len(name) + 1))
    return bool(name) and oracle_part(pattern[0], name[0]) and oracle(pattern[1:], name[1:])


@given(PATTERNS, NAMES)
def test_agrees_with_plain_recursion(pattern, name):
    assert matches(pattern, name) is oracle(pattern.split("/"), name.split("/"))


@given(st.text(max_size=20))
def test_an_escaped_name_matches_itself_alone(name):
    try:
        glob = parse_glob(escape(name))
    except InvalidInput:
        return
    assert glob.literal
    assert glob.matches(name)
    assert not glob.matches(name + "x")


@given(st.text(alphabet="ab*?[]!-/.^\\ \n", max_size=30), NAMES)
def test_any_text_is_a_pattern_or_refused(text, name):
    with contextlib.suppress(InvalidInput):
        assert parse_glob(text).matches(name) in {True, False}


def test_hostile_patterns_stay_cheap():
    # Backtracking over all stars would take longer than the universe lasts.
    stars = "*a" * 500 + "b"
    assert not matches(stars[:MAX_PATTERN], "a" * 255)
    deep = "/".join(["**", "a"] * 60 + ["b"])
    assert not matches(deep, "/".join(["a"] * 400))
    both = "/".join(["**", "*a*a*a*a*a*b"] * 20)
    assert not matches(both, "/".join(["aaaaaaaaaa"] * 90))
