"""Chat templates that take all time or memory, if one lets them: each way to grow a number, text, list or mapping.

Every entry is a template that a tokenizer configuration may hold. The frame behind it is an honest one.
"""

from __future__ import annotations

FRAME = "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}{% endfor %}"


def _grow(start: str, step: str, times: int, then: str = "") -> str:
    """A value in a namespace that is made anew from itself again and again."""
    return (
        "{% set ns = namespace(x=" + start + ") %}{% for i in range(" + str(times) + ") %}"
        "{% set ns.x = " + step + " %}{% endfor %}" + then
    )


def _twice(times: int, then: str, start: str = "['x']") -> str:
    """A list that is doubled so many times, and what is done with it."""
    return _grow(start, "ns.x + ns.x", times, then)


def _deep(opening: str, closing: str, times: int) -> str:
    return opening * times + closing * times


NUMBERS: dict[str, str] = {
    "squares": _grow("3", "ns.x * ns.x", 40),
    "squares written out": _grow("3", "ns.x * ns.x", 40, "{{ ns.x }}"),
    "powers": _grow("3", "ns.x ** 9", 40),
    "a power of powers": "{{ 9 ** 9 ** 9 ** 9 }}",
    "a power with a large exponent": "{{ 10 ** 10 ** 8 }}",
    "sums": _grow("10 ** 90", "ns.x + ns.x", 1000) * 40 + "{{ 9 ** 99 ** 2 }}",
    "products of what is divided": _grow("7", "ns.x * ns.x // 1", 60),
    "a number of a long text": "{% set t = '9' * 4000 %}{{ (t|int) * (t|int) }}",
    "hexadecimal digits": "{{ 0x" + "f" * 300_000 + " * 3 }}",
    "decimal digits": "{{ " + "9" * 300_000 + " * 3 }}",
    "a comparison with many digits": "{% if messages|length == " + "9" * 5000 + " %}x{% endif %}",
    "a factor with many digits": "{{ 'x' * " + "9" * 5000 + " }}",
    "a range with many digits": "{% for i in range(" + "9" * 5000 + ") %}{% endfor %}",
    "a negative power": "{{ 9 ** -9999999999 }}",
}

TEXTS: dict[str, str] = {
    "doubled by a tilde": _grow("'aaaa'", "ns.x ~ ns.x", 40),
    "doubled by a sum": _grow("'aaaa'", "ns.x + ns.x", 40),
    "multiplied": "{{ 'a' * 10 ** 10 }}",
    "multiplied again and again": _grow("'aaaa'", "ns.x * 999", 9),
    "replaced by itself": _grow("'aaaa'", "ns.x.replace('a', ns.x)", 9),
    "replaced by itself with a filter": _grow("'aaaa'", "ns.x|replace('a', ns.x)", 9),
    "nothing replaced by itself": _grow("'aaaa'", "ns.x.replace('', ns.x)", 9),
    "replaced around what is said": _grow("messages[0].content ~ 'aaaa'", "ns.x|replace('a', ns.x)", 9),
    "joined with itself": _grow("'aaaa'", "ns.x.join(ns.x)", 9),
    "joined with itself by a filter": _grow("'aaaa'", "ns.x|join(ns.x)", 9),
    "formatted with itself": _grow("'%s%s'", "ns.x % (ns.x, ns.x)", 40),
    "formatted with itself by a filter": _grow("'aa'", "'%s%s'|format(ns.x, ns.x)", 40),
    "formatted by braces": _grow("'aa'", "'{0}{0}'.format(ns.x)", 40),
    "many fields of one value": "{% set t = 'a' * 9999 %}{{ '"
    + "{0}" * 60_000
    + "'.format(t, t) if 1 else '' }}",
    "a wide number": "{{ '%0999999999d' % 1 }}",
    "a wide number by a filter": "{{ '%0999999999d'|format(1) }}",
    "a precise number": "{{ '%.999999999f' % 1.5 }}",
    "many wide numbers": "{{ ('%999d' * 9999) % (" + "1, " * 9999 + "1) }}",
    "a field that has no end": "{{ ('%' ~ '0' * 9999 * 9) % 1 }}" * 20,
    "centred": "{{ 'a'.center(10 ** 9) }}",
    "centred by a filter": "{{ 'a'|center(10 ** 9) }}",
    "filled with zeros": "{{ 'a'.zfill(10 ** 9) }}",
    "justified": "{{ 'a'.ljust(10 ** 9) ~ 'a'.rjust(10 ** 9) }}",
    "centred again and again": "{% for i in range(999) %}{% for j in range(999) %}{% set q = 'a'.center(9999) %}"
    "{% endfor %}{% endfor %}",
    "indented": "{{ 'a\nb'|indent(10 ** 9) }}",
    "indented by a name": "{{ 'a\nb'|indent(width=10 ** 9) }}",
    "wrapped": "{{ ('a' * 100000)|wordwrap(1) }}",
    "split": _grow("'a a '", "ns.x ~ ns.x", 15, "{% for i in range(999) %}{% set q = ns.x.split(' ') %}{% endfor %}"),
    "split into letters": _grow("'aaaa'", "ns.x ~ ns.x", 24, "{% set q = ns.x|list %}"),
    "split by lines": "{% set t = 'a\n' * 9999 %}{% for i in range(999) %}{% set q = t.splitlines() %}{% endfor %}",
    "searched backwards": _grow(
        "'aaaa'", "ns.x ~ ns.x", 15,
        "{% for i in range(999) %}{% set q = ns.x.rfind('b' ~ 'a' * 9999) %}{% endfor %}",
    ),
    "stripped of many letters": "{% set t = 'a' * 9999 %}{% for i in range(999) %}{% set q = t.strip('b' * 9999 ~ 'a') %}"
    "{% endfor %}",
    "compared": "{% set t = 'a' * 9999 %}{% for i in range(999) %}{% for j in range(999) %}{% if t ~ 'x' == t ~ 'y' %}{% endif %}"
    "{% endfor %}{% endfor %}",
    "in capitals": "{% set t = 'a' * 9999 %}{% for i in range(999) %}{% for j in range(999) %}{% set q = t|upper %}{% endfor %}{% endfor %}",
    "a block in itself": _grow("'aaaa'", "ns.x", 1, "{% for i in range(40) %}{% set q %}{{ ns.x }}{{ ns.x }}{% endset %}"
    "{% set ns.x = q %}{% endfor %}"),
    "what is said, doubled": _grow("messages[0].content", "ns.x ~ ns.x", 40),
    "what is said with many words": _grow("'word word '", "ns.x ~ ns.x", 12, "{% set ns.y = messages[0].content %}"
    "{% for i in range(999) %}{% set ns.y = (ns.y ~ ns.x)|upper|reverse %}{% endfor %}{{ ns.y }}"),
    "written out without end": "{% for i in range(999) %}{% for j in range(999) %}word number {{ j }} {% endfor %}{% endfor %}",
}  # fmt: skip

LISTS: dict[str, str] = {
    "doubled": _twice(40, ""),
    "doubled a little": _twice(26, "{{ ns.x|length }}"),
    "doubled and joined": _twice(22, "{{ ns.x|join('y' * 1000)|length }}"),
    "doubled a little and joined": _twice(13, "{{ ns.x|join('y' * 9999)|length }}"),
    "doubled and sorted": _twice(22, "{% for j in range(50) %}{% set q = ns.x|sort %}{% endfor %}"),
    "doubled a little and sorted": _twice(13, "{% for j in range(999) %}{% set q = ns.x|sort %}{% endfor %}"),
    "long texts sorted": _twice(12, "{% for j in range(999) %}{% set q = ns.x|sort %}{% endfor %}", "['a' * 9999]"),
    "made unique": _grow("[]", "ns.x + [[i]]", 999, "{% for j in range(999) %}{% set q = ns.x|unique|list %}{% endfor %}"),
    "the largest": _twice(13, "{% for j in range(999) %}{% set q = ns.x|max %}{% endfor %}"),
    "summed": _twice(13, "{% for j in range(999) %}{% set q = ns.x|sum %}{% endfor %}", "[1]"),
    "multiplied": "{{ ([1] * 10 ** 9)|length }}",
    "multiplied again and again": _grow("[1]", "ns.x * 999", 9),
    "in batches": "{{ [1]|batch(10 ** 9, 'x')|list|length }}",
    "in slices": "{{ [1]|slice(10 ** 9)|list|length }}",
    "in slices again and again": "{% for i in range(999) %}{% for j in range(999) %}{% set q = [1]|slice(9999) %}{% endfor %}{% endfor %}",
    "a range": "{{ range(10 ** 12)|list|length }}",
    "a range to an end": "{% for i in range(10 ** 9) %}{% endfor %}",
    "ranges in ranges": "{% for a in range(1000) %}{% for b in range(1000) %}{% for c in range(1000) %}x{% endfor %}{% endfor %}{% endfor %}",
    "ranges that say nothing": "{% for a in range(1000) %}{% for b in range(1000) %}{% for c in range(1000) %}{% endfor %}{% endfor %}{% endfor %}",
    "appended": "{% set l = [] %}{% for a in range(999) %}{% for b in range(999) %}{% set q = l.append(b) %}{% endfor %}{% endfor %}",
    "appended to itself": "{% set l = [] %}{% for a in range(99) %}{% set q = l.append(l) %}{% endfor %}{{ l }}{{ l|tojson }}",
    "compared with itself": "{% set l = [] %}{% set k = [] %}{% for a in range(99) %}{% set q = l.append(k) %}"
    "{% set q = k.append(l) %}{% endfor %}{% if l == k %}{% endif %}",
    "looked for in itself": "{% set l = [] %}{% for a in range(99) %}{% set q = l.append(l) %}{% endfor %}{% if [1] in l %}{% endif %}",
    "many that unknown words had a say in": "{% if 'x' in messages[0].content %}{% for a in range(999) %}{% for b in range(99) %}"
    "{% set l = [] %}{% set q = l.append(1) %}{% set q = l %}{% endfor %}{% endfor %}{% endif %}",
    "a list in a list": _grow("[]", "[ns.x]", 999, "{{ ns.x }}"),
    "two lists in a list": _grow("[]", "[ns.x, ns.x]", 60, "{{ ns.x|tojson }}"),
    "two lists in a list compared": _grow("[]", "[ns.x, ns.x]", 60, "{% set a = ns.x %}")
    + _grow("[]", "[ns.x, ns.x]", 60, "{% if a == ns.x %}x{% endif %}"),
    "two lists in a list with what is said": _grow("[messages[0].content]", "[ns.x, ns.x]", 60, "{{ ns.x|string|length }}"),
    "mapped": _twice(13, "{% for j in range(999) %}{% set q = ns.x|map('upper')|list %}{% endfor %}"),
    "mapped to long texts": _twice(13, "{{ ns.x|map('replace', 'x', 'y' * 9999)|list|length }}"),
    "selected": _twice(13, "{% for j in range(999) %}{% set q = ns.x|select('equalto', 'y' * 9999)|list %}{% endfor %}"),
    "counted": _twice(13, "{% for j in range(999) %}{% set q = ns.x.count('y' * 9999) %}{% endfor %}"),
    "copied": _twice(13, "{% for j in range(999) %}{% for k in range(999) %}{% set q = ns.x[:] %}{% endfor %}{% endfor %}"),
    "an item asked for by what is said": _twice(13, "{{ ns.x[messages[0].content|length] }}"),
}  # fmt: skip

MAPPINGS: dict[str, str] = {
    "a mapping of mappings": _grow("{}", "dict(a=ns.x, b=ns.x)", 40, "{{ ns.x|tojson }}"),
    "a mapping of mappings compared": _grow("{}", "{'a': ns.x, 'b': ns.x}", 40, "{% set a = ns.x %}")
    + _grow("{}", "{'a': ns.x, 'b': ns.x}", 40, "{% if a == ns.x %}x{% endif %}"),
    "a mapping that is never written": _grow("{}", "{'a': ns.x, 'b': ns.x}", 40, "{% set q = ns.x|string|length %}"),
    "a mapping asked for by what is said": "{% set d = {" + ", ".join(f"'{i}': {i}" for i in range(999)) + "} %}{{ d[messages[0].content] }}",
    "items again and again": "{% set d = {" + ", ".join(f"'{i}': {i}" for i in range(999)) + "} %}"
    "{% for i in range(999) %}{% for j in range(999) %}{% set q = d.items() %}{% endfor %}{% endfor %}",
    "a mapping of long names": "{% set t = 'a' * 9999 %}{% for i in range(999) %}{% for j in range(999) %}"
    "{% set q = {t ~ i: 1, t ~ j: 2} %}{% endfor %}{% endfor %}",
    "namespaces in namespaces": "{% set ns = namespace(x=namespace(x='aaaa')) %}{% for i in range(40) %}"
    "{% set ns.x = namespace(x=ns.x.x ~ ns.x.x) %}{% endfor %}",
    "names of names": _grow("tools", "ns.x.a", 999),
}  # fmt: skip

SHAPES: dict[str, str] = {
    "a macro that calls itself": "{% macro f(x) %}{{ f(x) }}{{ f(x) }}{% endmacro %}{{ f(1) }}",
    "a macro that calls itself with more": "{% macro f(x) %}{{ f(x + x) }}{{ f(x + x) }}{% endmacro %}{{ f('a') }}",
    "a macro that calls itself up to an end": "{% macro f(n) %}{% if n < 14 %}{% for i in range(99) %}{{ f(n + 1) }}{% endfor %}{% endif %}"
    "{% endmacro %}{{ f(0) }}",
    "macros that call each other": "{% macro f(n) %}{{ g(n) }}{{ g(n) }}{% endmacro %}{% macro g(n) %}{{ f(n) }}{{ f(n) }}{% endmacro %}{{ f(1) }}",
    "a macro in a macro": "{% macro f(n) %}{% macro g(m) %}{{ f(m) }}{{ f(m) }}{% endmacro %}{{ g(n) }}{{ g(n) }}{% endmacro %}{{ f(1) }}",
    "a loop that calls itself": "{% for a in [[1]] recursive %}{{ loop([[1]]) }}{% endfor %}",
    "a call block in a call block": "{% macro f() %}{{ caller() }}{{ caller() }}{% endmacro %}" + "{% call f() %}" * 30 + "x" + "{% endcall %}" * 30,
    "filters behind filters": "{{ 'a'" + "|upper" * 40_000 + " }}",
    "attributes of attributes": "{{ messages[0]" + ".a" * 40_000 + " }}",
    "attributes of a call": "{{ f()" + ".a" * 40_000 + " }}",
    "tests of tests": "{{ messages" + " is string" * 40_000 + " }}",
    "comparisons behind comparisons": "{{ 1" + " < 2" * 40_000 + " }}",
    "a long sum": "{{ 'a'" + " ~ 'a'" * 40_000 + " }}",
    "a long product": "{{ 'a'" + " * 64" * 20_000 + " }}",
    "brackets": "{{ " + _deep("[", "]", 20_000) + " }}",
    "white space behind tags": "{{- 1 -}} " * 20_000,
    "conditions in a row": "".join("{% if messages[0].content == 'x" + str(i) + "' %}a{% endif %}" for i in range(3000)),
    "conditions of many settings": "".join("{% if s" + str(i) + " %}a{% endif %}" for i in range(3000)),
    "a name that is set again and again": "{% set a = a %}" * 6000 + "{{ messages[a] }}" * 6000,
    "a long literal put together again and again": "{% set a = '" + "x" * 1_000_000 + "' %}" + "{{ a ~ 'b' }}" * 9000,
    "a factor of factors": "{% set a = 'x' * 64 %}" + "".join(f"{{% set {chr(98 + i)} = {chr(97 + i)} * 64 %}}" for i in range(9)),
    "templates in a row": "{% for m in messages %}{% for k in messages %}{% for n in messages %}{{ m.content }}{% endfor %}{% endfor %}"
    "{% endfor %}" * 900,
    "comments": "{# #}" * 400_000 + "{{ messages",
    "words": "word " * 800_000 + "{{ messages }}",
    "questions about a long text": "{% set t = 'a' * 9999 %}{% for i in range(999) %}{% if (t ~ i) in enable_thinking %}x{% endif %}{% endfor %}",
}  # fmt: skip

#: Large, and nothing else.
LARGE: dict[str, str] = {
    "texts behind texts": "{{ 'a'" + " 'a'" * 60_000 + " }}" + FRAME,
    "marks that never end": "<a\u2581b c.d:e=f-g\u2581h" * 6000 + FRAME,
    "many words": "word " * 20_000 + FRAME,
    "many turns": "{% for m in messages %}{{ m.content }}{% endfor %}" * 300 + FRAME,
}

BOMBS: dict[str, str] = {
    f"{kind}: {name}": text + FRAME
    for kind, table in (
        ("numbers", NUMBERS),
        ("texts", TEXTS),
        ("lists", LISTS),
        ("mappings", MAPPINGS),
        ("shapes", SHAPES),
    )
    for name, text in table.items()
}
