from __future__ import annotations

import pytest

from lockflight.formats.jinja import lexer as jinja_lexer
from lockflight.formats.jinja.lexer import BadTemplate, tokens


def cut(text):
    return [(t.kind, t.value) for t in tokens(text)]


def test_data_tags_and_comments():
    assert cut("a{# b #}c{{ d }}") == [
        ("data", "a"),
        ("data", "c"),
        ("begin", "{{"),
        ("name", "d"),
        ("end", "}}"),
    ]
    assert cut("{%- if x -%}\n") == [
        ("begin", "{%"),
        ("name", "if"),
        ("name", "x"),
        ("end", "%}"),
    ]
    assert cut("{%+ if -x+%}")[2] == ("operator", "-")


@pytest.mark.parametrize(
    ("text", "trimmed", "plain"),
    [
        ("a \n {% x %}\nb", "a \n|b", "a \n |\nb"),
        ("a {% x %} b", "a | b", "a | b"),
        ("a \n {%- x -%} \n b", "a|b", "a|b"),
        ("a\n {%+ x +%}\nb", "a\n |\nb", "a\n |\nb"),
        ("a\n {{ x }}\nb", "a\n |\nb", "a\n |\nb"),
        ("a \n {{- x -}} \nb", "a|b", "a|b"),
        ("a\n  {# x #}\nb", "a\n|b", "a\n  |\nb"),
        ("a {#- x -#} b", "a|b", "a|b"),
        (" {% x %}b\n", "b", " |b"),
        ("{% x %}\n  {% x %}b", "b", "\n  |b"),
        ("a{% raw %} {{ {% endraw %} b", "a| {{ | b", "a| {{ | b"),
        ("a{% raw -%} b {%- endraw -%} c", "a|b|c", "a|b|c"),
    ],
)
def test_white_space_around_tags(text, trimmed, plain):
    for trim, wanted in ((True, trimmed), (False, plain)):
        assert "|".join(t.value for t in tokens(text, trim=trim) if t.kind == "data") == wanted


def test_literals():
    assert cut("{{ 'a\\'b' \"c\" 1.5e3 0x_f 1_0 }}")[1:-1] == [
        ("string", "a'b"),
        ("string", "c"),
        ("number", "1.5e3"),
        ("number", "0x_f"),
        ("number", "1_0"),
    ]
    assert cut("{{ '\\x5f\\u005f\\n▁' }}")[1] == ("string", "__\n▁")


def test_brackets_hold_the_end_of_a_tag_back():
    assert ("name", "y") in cut("{{ {'a': {'b': x}}[y] }}")
    assert cut("{{ '}}' }}")[1] == ("string", "}}")


def test_raw():
    assert cut("{% raw %}{{ a }}{%- endraw %}b") == [("data", "{{ a }}"), ("data", "b")]


def test_lines():
    assert [t.line for t in tokens("a\n{{\n b }}\n") if t.kind == "name"] == [3]


@pytest.mark.parametrize(
    "text",
    [
        "{{",
        "{%",
        "{# a",
        "{{ a",
        "{{ ' }}",
        "{{ ) }}",
        "{{ (] }}",
        "{{ $ }}",
        "{% raw %}",
        "{{ '\\x5' }}",
        "{{ ( }}",
    ],
)
def test_what_jinja_refuses(text):
    with pytest.raises(BadTemplate):
        tokens(text)


def test_size_and_count_are_budgeted(monkeypatch):
    monkeypatch.setattr(jinja_lexer, "MAX_TEMPLATE", 10)
    with pytest.raises(BadTemplate):
        tokens("x" * 11)
    monkeypatch.setattr(jinja_lexer, "MAX_TEMPLATE", 1000)
    monkeypatch.setattr(jinja_lexer, "MAX_TOKENS", 3)
    with pytest.raises(BadTemplate):
        tokens("{{ a b c }}")
