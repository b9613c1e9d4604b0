from __future__ import annotations

import pytest

from lockflight.core.findings import Verdict
from lockflight.formats.chat.rendered import check_rendered, is_chat_template
from tests.corpus.loose import HONEST, LOOSE


@pytest.mark.parametrize(
    "name", [n for n, (_, rule) in LOOSE.items() if rule == "template:private" and "json" not in n]
)
def test_what_reaches_out_is_found_in_what_cannot_be_parsed_too(name):
    text = LOOSE[name][0].decode()
    for before in (
        "",
        "{% frobnicate %}",
        "{% extends 'x' %}",
        "{% trans %}a{% endtrans %}",
        "{{ nonsense( }}",
    ):
        found = check_rendered(before + text)
        assert {issue.verdict for issue in found} == {Verdict.MALICIOUS}


@pytest.mark.parametrize("name", HONEST)
def test_texts_of_all_kinds_are_none_of_its_business(name):
    assert check_rendered(HONEST[name].decode()) == ()


def test_more_tags_than_are_looked_at_are_not_passed_over():
    text = "{% frobnicate %}" + "{{ a }} " * 3000 + "{{ x.__class__.__mro__ }}"
    assert [(issue.rule, issue.verdict) for issue in check_rendered(text)] == [
        ("template:budget", Verdict.UNKNOWN)
    ]


def test_a_tag_behind_one_that_is_too_long_is_seen():
    found = check_rendered("{% frobnicate " + "a" * 5000 + "{{ x.__class__.__mro__ }}")
    assert Verdict.MALICIOUS in {issue.verdict for issue in found}


def test_a_name_that_is_only_compared_is_no_escape():
    assert check_rendered("{% if a == '__init__' %}b{% endif %}") == ()
    assert check_rendered("{% set a = '__cla' ~ 'ss__' %}{{ x[a] }}") != ()
    assert check_rendered("{{ x|attr('__class__') }}") != ()


def test_which_templates_speak_for_the_model():
    assert is_chat_template("chat_template.jinja", "")
    assert is_chat_template("Chat_Template.json", "")
    assert is_chat_template("x.jinja", "{% for m in messages %}{% endfor %}")
    assert is_chat_template("x.jinja", "{% frobnicate messages %}")
    assert not is_chat_template("x.jinja", "the messages of {{ name }}")
    assert not is_chat_template("x.jinja", "{{ name }}")
