from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockflight.core.canonical import dumps
from lockflight.core.source import BytesSource
from lockflight.formats.rows.jsonlines import JsonTable, number_text
from lockflight.formats.rows.lines import Unreadable
from tests.formats.files import mutants


def read(data):
    table = JsonTable(BytesSource(data))
    rows = [row for batch in table for row in batch]
    return table.columns, rows


def one(text):
    return read(text.encode())[1][0].decode()


def test_keys_and_rows():
    data = b'\xef\xbb\xbf{"b": 1, "a": [true, null]}\r\n \n{"c":"x"}'
    assert read(data) == (("a", "b", "c"), [b'{"a":[true,null],"b":1}', b'{"c":"x"}'])


@pytest.mark.parametrize(
    ("text", "spelt"),
    [
        # RFC 8785, section 3.2.2 and appendix B
        (
            (
                r'{"numbers":[333333333.33333329,1E30,4.50,2e-3,0.000000000000000000000000001],'
                r'"string":"\u20ac$\u000F\u000aA\u0027\u0042\u0022\u005c\\\"\/","literals":[null,true,false]}'
            ),
            (
                '{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],'
                '"string":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}'
            ),
        ),
        # section 3.2.3: by UTF-16 units, where a surrogate comes before U+FB33
        (
            r'{"\u20ac":1,"\r":2,"\ufb33":3,"1":4,"\ud83d\ude00":5,"\u0080":6,"\u00f6":7}',
            '{"\\r":2,"1":4,"\x80":6,"ö":7,"€":1,"😀":5,"\ufb33":3}',
        ),
        ("-0", "0"),
        ("-0.0", "0"),
        ("1.0", "1"),
        ("1e2", "100"),
        ("9007199254740993", "9007199254740993"),
        ("9007199254740993.0", "9007199254740992"),
        ("1e21", "1e+21"),
        ("123456789012345680000.0", "123456789012345680000"),
        ("1e-7", "1e-7"),
        ("5e-324", "5e-324"),
    ],
)
def test_the_one_spelling(text, spelt):
    assert one(text) == spelt


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('{"a":1,"a":2}', "twice"),
        ('{"é":1,"\\u00e9":2}', "twice"),
        ("[NaN]", "NaN"),
        ("1e999", "too large"),
        ("[1,]", "not JSON"),
        ('{"a":1} {"a":2}', "not JSON"),
        ('"\\ud800"', "half a character"),
        ('{"\\ud800":1}', "half a character"),
        ("9" * 2000, "digits"),
        ("[" * 65 + "]" * 65, "deeper"),
        ("[" * 100_000, "deeper"),
    ],
)
def test_refused(text, why):
    with pytest.raises(Unreadable, match=why):
        read(b'{"a":1}\n' + text.encode())


def test_64_levels_are_read():
    text = "[" * 64 + "]" * 64
    assert one(text) == text


def test_too_many_keys_are_not_listed():
    data = b"\n".join(b'{"k%d":1}' % i for i in range(5000))
    columns, rows = read(data)
    assert columns == ()
    assert len(rows) == 5000


TEXTS = st.text(st.characters(codec="utf-8"))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)


@given(VALUES, st.booleans())
def test_as_the_house_writes_json(value, escaped):
    assert one(json.dumps(value, ensure_ascii=escaped)).encode() == dumps(value)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_numbers_read_back(number):
    text = number_text(number)
    assert float(text) == number
    assert one(text) == text == one(repr(number))


def test_damage_is_refused_or_has_one_spelling():
    seeds = [b'{"a":1.5,"b":["x\\n",null]}\n{"a":2,"c":{"d":"\xc3\xa9"}}\n', b"[1,2]\n3\n"]
    good = 0
    for data in mutants(seeds, 4000, 4, (b'"', b",", b"\n", b"{", b"}", b"1e5", b"\\u0041")):
        try:
            _, rows = read(data)
        except Unreadable:
            continue
        good += 1
        assert read(b"\n".join(rows))[1] == rows
    assert good > 300


def test_one_record():
    table = JsonTable(BytesSource(b""))
    assert table.row_of(b'{\n "b": 1.0,\n "a": 2}\n') == b'{"a":2,"b":1}'
    for wrong in (b"", b"{}\n{}"):
        with pytest.raises(Unreadable):
            table.row_of(wrong)
