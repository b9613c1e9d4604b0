from __future__ import annotations

import pytest

from lockflight.formats import jinja_lexer
from lockflight.formats.jinja_lexer import BadTemplate, tokens


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
        ("data", "\n"),
    ]
    assert cut("{%+ if -x+%}")[2] == ("operator", "-")


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
