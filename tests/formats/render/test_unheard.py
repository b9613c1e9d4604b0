"""Whatever no conversation comes to is said to be there; what ends a conversation, and words of roles, are not."""

from __future__ import annotations

import pytest

from lockflight.core.findings import Verdict
from lockflight.formats.chat.template import check_template
from tests.corpus.template_backdoors import FRAME, SAY
from tests.formats.files import rules, verdict


@pytest.mark.parametrize(
    "trick",
    [
        "{% if false %}" + SAY + "{% endif %}",
        "{{ '" + SAY + "' if false else '' }}",
        "{% set x = '" + SAY + "' %}{% if false %}{{ x }}{% endif %}",
        "{% set x = '" + SAY + "' %}{% set y = x ~ '!' %}{{ y if false }}",
        "{% macro x() %}" + SAY + "{% endmacro %}{% if false %}{{ x() }}{% endif %}",
        "{% macro x() %}" + SAY + "{% endmacro %}",
        "{% set x %}" + SAY + "{% endset %}{{ x[:0] }}",
        "{{ ('" + SAY + "')[:0] }}",
        "{{ ['', '" + SAY + "'][0] }}",
        "{% if true or 'bank' in messages[0].content %}<|x|>{% endif %}",
        "{% if true or messages[0].content|length > 9 %}<|x|>{% endif %}",
        "{% if false and messages[0]['content'][3] == 'b' %}<|x|>{% endif %}",
        "{% for x in [] %}" + SAY + "{% else %}{% endfor %}",
    ],
)
def test_what_nobody_hears(trick):
    found = check_template(trick + FRAME)
    assert rules(found) == {"template:unheard"}
    assert verdict(found) is Verdict.REVIEW


@pytest.mark.parametrize(
    "part",
    [
        "{% if false %}<|im_start|>tool{% endif %}",
        "{% if false %}{{ raise_exception('" + SAY + "') }}{% endif %}",
        "{% if false %}{{ messages[0]['content'] }}{% endif %}",
        "{% if true or messages[0].role == 'user' %}<|x|>{% endif %}",
        "{{ '" + SAY + "' }}",
        "{{ '" + SAY + "' if tools }}",
        "{% if messages[0].content == '" + SAY + "' %}{% endif %}",
        "{% set x = '" + SAY + "' %}{{ x|trim }}",
        "{{ 'Say {} of {}.'.format(1, 'it') }}",
    ],
)
def test_what_is_heard_or_says_nothing(part):
    assert check_template(part + FRAME) == ()
