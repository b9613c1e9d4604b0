"""Templates of the well-known families (rewritten here) are safe; every known way out of a template is not."""

from __future__ import annotations

import pytest

from lockflight.core.findings import Verdict
from lockflight.formats.chat.template import check_template
from lockflight.formats.render import words as chat_words
from tests.formats.files import rules, verdict

#: Rules of `formats.render`.
HEARD = {
    "template:unfollowed",
    "template:drops",
    "template:conditional-text",
    "template:altered",
    "template:message-key",
    "template:system-dropped",
    "template:system-moved",
}
FAMILIES = ("chatml", "deepseek", "gemma", "llama", "macros", "mistral", "phi", "qwen")


@pytest.mark.parametrize("family", FAMILIES)
def test_a_template_of_a_family_is_safe(family, project_root):
    path = project_root / "tests" / "vectors" / "templates" / f"{family}.jinja"
    assert check_template(path.read_text(encoding="utf-8")) == ()


ESCAPES = {
    "mro": "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "item": "{{ ''['__class__'] }}",
    "hex": "{{ ''['\\x5f\\x5fclass\\x5f\\x5f'] }}",
    "concat": "{{ messages['__cla' ~ 'ss__'] }}",
    "plus": "{{ messages['__cla' + 'ss__'] }}",
    "join": "{{ messages[['_', '_', 'class', '_', '_']|join] }}",
    "join with a glue": "{{ messages[['', '', 'class']|join('_')] }}",
    "repeat": "{% set u = '_' * 2 %}{{ messages[u ~ 'class' ~ u] }}",
    "variables": "{% set a = '_' %}{% set b = a ~ a %}{{ messages[b ~ 'class' ~ b] }}",
    "namespace": "{% set ns = namespace(a='__') %}{% set ns.b = ns.a ~ 'class__' %}{{ messages[ns.b] }}",
    "attr": "{{ messages|attr('a') }}",
    "attr of attr": "{{ (messages|attr('__class__'))|attr('__init__') }}",
    "map attr": "{{ [messages]|map('attr', '__class__')|list }}",
    "map attribute": "{{ [messages]|map(attribute='__class__')|list }}",
    "map of a computed filter": "{{ [messages]|map('at' ~ 'tr', 'x')|list }}",
    "selectattr": "{{ messages|selectattr('__class__') }}",
    "computed attribute": "{{ messages|sort(attribute=messages[0].content) }}",
    "groupby": "{{ messages|groupby('a.__class__') }}",
    "lipsum": "{{ lipsum.__globals__['os'].popen('true') }}",
    "lipsum without a dunder": "{{ lipsum|string }}",
    "cycler": "{{ cycler.__init__.__globals__.os }}",
    "joiner": "{{ joiner }}",
    "self": "{{ self._TemplateReference__context }}",
    "request": "{{ request.application }}",
    "format": "{{ '{0.__class__}'.format(messages) }}",
    "format of an item": "{{ '{0[a]}'.format(messages) }}",
    "for": "{% for a in ['__class__'] %}{{ messages[a] }}{% endfor %}",
    "macro": "{% macro m(a) %}{{ a.__init__ }}{% endmacro %}{{ m(messages) }}",
    "conditional": "{{ messages.__class__ if false else 1 }}",
    "set": "{% set x = messages.__class__ %}",
    "call block": "{% call messages.__class__() %}{% endcall %}",
    "single underscore": "{{ messages._private }}",
    "hidden in a comparison": "{% if messages.__len__() > 3 %}{% endif %}",
}


@pytest.mark.parametrize("name", ESCAPES)
def test_an_escape_is_blocked(name):
    assert verdict(check_template(ESCAPES[name])) is Verdict.MALICIOUS


UNKNOWN = {
    "include": "{% include '/etc/passwd' %}",
    "import": "{% import 'x' as y %}",
    "filter": "{{ messages|frobnicate }}",
    "test": "{{ messages is frobnicated }}",
    "function": "{{ frobnicate(messages) }}",
    "method": "{{ messages.frobnicate() }}",
    "computed call": "{{ messages[0]() }}",
    "computed item": "{{ messages[messages[0].content.strip()] }}",
    "replaced item": "{{ messages['xxclassxx'|replace('x', 'y')] }}",
    "sliced item": "{{ messages['a_b'[1]] }}",
    "percent": "{{ messages['%c%cclass' % (95, 95)] }}",
    "lower": "{{ messages['X'|lower] }}",
    "reverse": "{{ messages['ssalc'|reverse] }}",
    "built in a block": "{% set x %}a{% endset %}{{ messages[x] }}",
    "format of a variable": "{{ messages[0].content.format(messages) }}",
    "named test": "{{ messages|select('frobnicated')|list }}",
    "a character by way of a filter": "{{ messages['a_b'[1]|max] }}",
    "either text": "{{ messages['a' and 'x_'] }}",
    "an entry of a dict": "{{ messages[{'a': 'b_'}['a']] }}",
    "a default": "{{ messages[tools|default('b_')] }}",
    "an entry of a namespace": "{% set ns = namespace(a='b_') %}{{ messages[ns.a] }}",
    "an entry of a function's dict": "{{ messages[dict(a='b_').get('a')] }}",
    "damage": "{% if %}",
}


@pytest.mark.parametrize("name", UNKNOWN)
def test_what_is_not_known_is_not_safe(name):
    assert verdict(check_template(UNKNOWN[name])) is Verdict.UNKNOWN


REVIEW = {
    "an unknown variable": ("{{ frobnication }}", "template:variable"),
    "a plain attribute": ("{{ messages|map(attribute='frobnication')|list }}", "template:map-attribute"),
    "a long loop": ("{% for i in range(1000000000) %}x{% endfor %}", "template:repeat"),
    "a long text": ("{{ 'x' * 1000000000 }}", "template:repeat"),
    "a power": ("{{ 9 ** 1e9 }}", "template:repeat"),
    "tags that nobody sees": ("a\U000e0041b", "template:invisible"),
    "text turned around": ("a\u202eb", "template:invisible"),
}


@pytest.mark.parametrize("name", REVIEW)
def test_what_a_person_has_to_see(name):
    text, rule = REVIEW[name]
    assert rule in rules(check_template(text))
    assert verdict(_reach(text)) is Verdict.REVIEW


@pytest.mark.parametrize(
    "text",
    [
        "{{ messages[loop.index0 - 1] }}",
        "{% set i = messages|length - 2 %}{{ messages[i] }}",
        "{% for k in tools[0] %}{{ tools[0][k] }}{% endfor %}",
        "{% for k, v in tools.items() %}{{ tools[k] }}{% endfor %}",
        "{% for i in range(3) %}{{ messages[i] }}{% endfor %}",
        "{% set ns = namespace(i=0) %}{% set ns.i = ns.i + 1 %}{{ messages[ns.i] }}",
        "{{ {'user': 'U'}[messages[0].role] }}",
        "{{ '{} and {}'.format(1, 2) }}",
        "{{ 'tool_calls' ~ '_end' }}",
        "{{ messages|map('tojson')|join(',') }}",
        "{{ messages|selectattr('role', 'equalto', 'user')|list }}",
        "{{ messages|sort(attribute='role') }}",
        "{% if messages[0].content == 'hello' %}hi{% endif %}",
        "{{ messages|select('string')|list }}",
    ],
)
def test_what_looks_alike_reaches_nothing(text):
    assert _reach(text) == ()


def _reach(text):
    """Without what is found by rendering."""
    return tuple(issue for issue in check_template(text) if issue.rule not in HEARD)


def test_names_that_assign_each_other_end():
    text = "".join(
        f"{{% set a{i} = a{i + 1} ~ a{i + 1} %}}{{% set b{i} = b{i + 1} + b{i} %}}" for i in range(200)
    )
    assert verdict(check_template(text + "{{ messages[a0] }}{{ messages[b0] }}")) is not Verdict.SAFE


def test_long_templates_end():
    assert check_template("{% for m in messages %}{{ m.content }}{% endfor %}" * 300) == ()
    assert verdict(check_template("{{ messages }}" * 5000)) is Verdict.UNKNOWN
    assert verdict(check_template("{{ messages[" + "'a' ~ " * 5000 + "'b'] }}")) is Verdict.UNKNOWN


def test_the_lists_do_not_contradict_each_other():
    assert not chat_words.VARIABLES & chat_words.ROOTS
    assert chat_words.BY_ATTRIBUTE - {"min", "max"} <= chat_words.FILTERS
    assert chat_words.TEXT_FILTERS <= chat_words.FILTERS
    assert chat_words.DATA_METHODS <= chat_words.METHODS
    assert "attr" not in chat_words.FILTERS
    assert "format" not in chat_words.METHODS


def test_an_issue_names_the_line():
    (issue,) = check_template("\n\n{{ messages|attr('a') }}")
    assert "line 3" in issue.message
