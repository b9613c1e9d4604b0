from __future__ import annotations

import ast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockflight.scan.python.source import MAX_BYTES, Unreadable, odd_encoding, parse_bytes, parse_cell


def reason(call, *arguments):
    with pytest.raises(Unreadable) as caught:
        call(*arguments)
    return caught.value.reason


@pytest.mark.parametrize(
    "data",
    [b"x = 1", b"", b"\xef\xbb\xbfx = 1", b"# coding: latin-1\nx = '\xe4'", b"x = '\\d'", "π = 3".encode()],
)
def test_python_parses(data):
    assert isinstance(parse_bytes(data), ast.Module)


def test_the_encoding_line_decides_as_it_does_for_the_interpreter():
    tree = parse_bytes(b"# coding: utf-7\nx = 1 #+AAo-import os")
    assert any(isinstance(node, ast.Import) for node in ast.walk(tree))


@pytest.mark.parametrize(
    "data",
    [
        b"print 1",
        b"def",
        b"\xff\xfe",
        b"a\0b",
        b"# coding: no-such\nx = 1",
        b"x = " + b"9" * 5000,
        b"(" * 500 + b")" * 500,
    ],
)
def test_what_is_no_python_is_unreadable(data):
    assert reason(parse_bytes, data) == "syntax"


@pytest.mark.parametrize(
    "data",
    [
        b"#" * (MAX_BYTES + 1),
        b"a=1;" * 300_000,
        b"x=" + b"a+" * 100_000 + b"a",
        b"x=" + b"-" * 100_000 + b"1",
        b"a" + b".b" * 100_000,
        b"a" + b"()" * 50_000,
        b"not " * 50_000 + b"x",
        b"lambda:" * 20_000 + b"0",
        b"if x: pass\n" + b"elif x: pass\n" * 20_000,
    ],
)
def test_what_would_exhaust_memory_or_the_stack_is_over_budget(data):
    assert reason(parse_bytes, data) == "budget"


@pytest.mark.parametrize(
    ("data", "odd"),
    [
        (b"x = 1", False),
        (b"# -*- coding: utf-8 -*-", False),
        (b"#!/usr/bin/python\n# vim: set fileencoding=latin-1 :", False),
        (b"# coding: utf-7", True),
        (b"#!/usr/bin/python\n# coding: rot13", True),
        (b"x = 1\n# coding: utf-7", False),
        (b"\n\n# coding: utf-7", False),
        (b"\n# coding: utf-7", True),
    ],
)
def test_odd_encodings_are_seen_where_python_looks_for_them(data, odd):
    assert odd_encoding(data) is odd


@pytest.mark.parametrize(
    ("source", "text", "shell"),
    [
        ("x = 1", "x = 1", ()),
        ("%matplotlib inline\nx = 1", "pass\nx = 1", ()),
        ("!ls {d}\nx = 1", "pass\nx = 1", ((1, "!ls {d}"),)),
        ("files = !ls\nx = 1", "files =None\nx = 1", ((1, "!ls"),)),
        ("for a in b:\n    !rm $a\n    c()", "for a in b:\n    pass\n    c()", ((2, "!rm $a"),)),
        ("df?\nx = 1", "pass\nx = 1", ()),
        ("%%time\nx = 1", "#%%time\nx = 1", ()),
        ("a = (5\n% 2)", "a = (5\n% 2)", ()),
        ("s = '''\n!ls\n'''", "s = '''\n!ls\n'''", ()),
        ("!a\ns = '''\n!b\n'''", "pass\ns = '''\n!b\n'''", ((1, "!a"),)),
    ],
)
def test_magics_are_replaced_line_by_line(source, text, shell):
    parsed = parse_cell(source)
    assert (parsed.language, parsed.text, parsed.shell) == ("python", text, shell)
    assert parsed.text.count("\n") == source.count("\n")


@pytest.mark.parametrize(
    ("source", "language"),
    [("%%bash\nls", "shell"), ("%%html\n<b>", "html"), ("%%!\nls", "shell"), ("%%sql\nselect 1", "sql")],
)
def test_cells_of_other_languages_are_told_apart(source, language):
    parsed = parse_cell(source)
    assert parsed.language == language
    assert parsed.tree.body == []


def test_a_shell_cell_gives_its_lines():
    assert parse_cell("%%bash\nls\npwd").shell == ((2, "ls"), (3, "pwd"))


@pytest.mark.parametrize("source", ["print 1", "x = ", "%%writefile a\nno python", "\ud800"])
def test_cells_that_are_no_python_are_unreadable(source):
    assert reason(parse_cell, source) == "syntax"


def test_a_cell_of_magics_only_is_over_budget_at_some_point():
    assert reason(parse_cell, "!ls\n" * 300) == "budget"


def test_a_line_cannot_hide_code_behind_a_magic_in_a_string():
    # A text replacement that ignores strings would drop the second line, and the call with it.
    source = "!true\ns = '''\n%''' ; eval(x)"
    assert any(isinstance(node, ast.Call) for node in ast.walk(parse_cell(source).tree))


def tree_of(call, argument):
    """The tree, or None where the source is unreadable."""
    try:
        found = call(argument)
    except Unreadable as error:
        if error.reason not in {"syntax", "budget"}:
            raise
        return None
    return found if isinstance(found, ast.Module) else found.tree


@given(st.text(st.sampled_from("%!?abc =()'\"\n: #1"), max_size=80))
def test_any_cell_parses_or_is_unreadable(source):
    tree = tree_of(parse_cell, source)
    assert tree is None or isinstance(tree, ast.Module)


@given(st.binary(max_size=200))
def test_any_bytes_parse_or_are_unreadable(data):
    tree = tree_of(parse_bytes, data)
    assert tree is None or isinstance(tree, ast.Module)
