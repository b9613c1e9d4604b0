from __future__ import annotations

import random

import pytest

from lockflight.formats.jinja.lexer import BadTemplate
from lockflight.formats.jinja.parser import MAX_DEPTH, parse_template


def shape(node):
    """A tree as nested tuples, without lines."""
    return (node.kind, node.value, *(shape(child) for child in node.children))


def expression(text):
    (output,) = parse_template("{{ " + text + " }}").children
    (value,) = output.children
    return shape(value)


NAME = ("name", "a")
B = ("name", "b")
NONE = ("const", "none")


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("a", NAME),
        ("a.b", ("attr", "b", NAME)),
        ("a['b']", ("item", "", NAME, ("string", "b"))),
        ("a.0", ("item", "", NAME, ("number", "0"))),
        ("a[1:]", ("item", "", NAME, ("slice", "", ("number", "1"), NONE, NONE))),
        ("a[:1]", ("item", "", NAME, ("slice", "", NONE, ("number", "1"), NONE))),
        ("a[::-1]", ("item", "", NAME, ("slice", "", NONE, NONE, ("unary", "-", ("number", "1"))))),
        ("a < b < 1", ("logic", "and", ("compare", "<", NAME, B), ("compare", "<", B, ("number", "1")))),
        ("(a < b) < 1", ("compare", "<", ("compare", "<", NAME, B), ("number", "1"))),
        ("a(1, b=2)", ("call", "", NAME, ("number", "1"), ("keyword", "b", ("number", "2")))),
        ("a|b", ("filter", "b", NAME)),
        ("a|b(1)|c", ("filter", "c", ("filter", "b", NAME, ("number", "1")))),
        ("(a|b).c", ("attr", "c", ("filter", "b", NAME))),
        ("a is b", ("test", "b", NAME)),
        ("a is not b", ("logic", "not", ("test", "b", NAME))),
        ("a is eq 1", ("test", "eq", NAME, ("number", "1"))),
        ("a is in(b)", ("test", "in", NAME, ("name", "b"))),
        ("a is b and a", ("logic", "and", ("test", "b", NAME), NAME)),
        ("not a in b", ("logic", "not", ("compare", "in", NAME, ("name", "b")))),
        ("a not in b", ("compare", "not in", NAME, ("name", "b"))),
        ("a + 1 * 2", ("binary", "+", NAME, ("binary", "*", ("number", "1"), ("number", "2")))),
        ("a ~ 'x' 'y'", ("concat", "~", NAME, ("string", "xy"))),
        ("1 if a else 2", ("cond", "", NAME, ("number", "1"), ("number", "2"))),
        ("1 if a", ("cond", "", NAME, ("number", "1"), ("const", "none"))),
        ("[a, 1,]", ("list", "", NAME, ("number", "1"))),
        ("{'x': a}", ("dict", "", ("string", "x"), NAME)),
        ("(a, 1)", ("tuple", "", NAME, ("number", "1"))),
        ("()", ("tuple", "")),
        ("true", ("const", "true")),
        ("-a", ("unary", "-", NAME)),
    ],
)
def test_expressions(text, tree):
    assert expression(text) == tree


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("{% if a %}1{% elif b %}2{% else %}3{% endif %}", ["if"]),
        ("{% for a, b in c.items() if b recursive %}x{% else %}y{% endfor %}", ["for"]),
        ("{% set a.b = 1, 2 %}{% set c, d = e %}", ["set", "set"]),
        ("{% set a | trim %}x{% endset %}", ["setblock"]),
        ("{% macro m(a, b=1) %}{{ a }}{% endmacro %}{{ m(1) }}", ["macro", "output"]),
        ("{% macro m() -%}x{% endmacro m %}", ["macro"]),
        ("{% call m() %}x{% endcall %}", ["callblock"]),
        ("{% filter upper|trim %}x{% endfilter %}", ["filterblock"]),
        ("{% with a = 1, b = 2 %}x{% endwith %}", ["body"]),
        ("{% generation %}x{% endgeneration %}", ["body"]),
        ("{% for a in b %}{% break %}{% continue %}{% endfor %}", ["for"]),
        ("{% do a.append(1) %}", ["do"]),
        ("", []),
    ],
)
def test_statements(text, kinds):
    assert [node.kind for node in parse_template(text).children] == kinds


@pytest.mark.parametrize(
    "text",
    [
        "{% include 'x' %}",
        "{% import 'x' as y %}",
        "{% from 'x' import y %}",
        "{% extends 'x' %}",
        "{% block a %}",
        "{% if a %}",
        "{% endif %}",
        "{% for a in %}",
        "{% for in b %}",
        "{{ a. }}",
        "{{ }}",
        "{{ a b }}",
        "{{ f(*a) }}",
        "{{ f(**a) }}",
        "{% set %}",
        "{% set a %}",
        "{% macro m %}",
        "{% call(a) m() %}{% endcall %}",
        "{% x",
        "{{ a[1,2] }}",
        "{{ f(a }}",
        "{{ [a b] }}",
        "{{ {a} }}",
        "{% if a %}{% endfor %}",
        "{% 1 %}",
    ],
)
def test_what_is_not_understood_is_refused(text):
    with pytest.raises(BadTemplate):
        parse_template(text)


@pytest.mark.parametrize("part", ["(", "[", "{'a':", "not ", "-", "a if b else ", "a("])
def test_depth_is_budgeted(part):
    with pytest.raises(BadTemplate):
        parse_template("{{ " + part * 5000 + "a }}")
    with pytest.raises(BadTemplate, match="deeply"):
        parse_template("{% if a %}" * (MAX_DEPTH + 2))
    with pytest.raises(BadTemplate, match="deeply"):
        parse_template("{% if a %}" + "{% elif a %}" * 5000)


def test_long_chains_are_no_depth():
    assert parse_template("{{ " + "a ~ " * 20_000 + "a }}").children[0].kind == "output"


def test_damage_is_refused_and_never_more():
    seed = "{% for m in messages if m.a %}{{ '<|' ~ m['role'] | trim }}{% else %}{% set ns.a = (1, 2)[0] %}{% endfor %}"
    chance = random.Random(10)
    good = 0
    for _ in range(3000):
        text = list(seed)
        for _ in range(chance.randrange(1, 5)):
            at = chance.randrange(len(text))
            text[at : at + chance.randrange(3)] = chance.choice(
                ["{%", "%}", "{{", "(", ")", "'", "|", ".", " ", "endfor", "[", "is"]
            )
        try:
            parse_template("".join(text))
            good += 1
        except BadTemplate:
            pass
    assert 0 < good < 2500
