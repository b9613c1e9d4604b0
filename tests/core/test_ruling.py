from __future__ import annotations

import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockflight.core.canonical import MAX_INT, dumps
from lockflight.core.findings import Severity
from lockflight.core.gate.ruling import MAX_TEXT, InBasis, parse_ruling

D = "a" * 64
E = "b" * 64


def result(**changes):
    return {
        "code": "LF4105",
        "rule": "realm",
        "term": "",
        "passed": False,
        "severity": "high",
        "value": 3,
        "threshold": "team",
        "msg": "No.",
        "evidence": [E, D, D],
        "basis": "value",
        **changes,
    }


def violation(**changes):
    return {
        "code": "LF4105",
        "rule": "realm",
        "term": "",
        "severity": "high",
        "value": 3,
        "threshold": "team",
        "msg": "No.",
        "evidence": [D],
        "solution": "Do it.",
        "controls": ["soc2:CC8.1"],
        **changes,
    }


def output(**changes):
    return {
        "allow": False,
        "violations": [violation()],
        "warnings": [],
        "waived": [{"code": "LF4102", "rule": "x", "term": "t", "waiver": D}],
        "rules": [result(), result(code="LF4100", passed=True, basis="outcome")],
        "evaluated_rules": ["LF4105", "LF4100", "LF4105"],
        "skipped": [],
        **changes,
    }


def test_an_output_reads_in_a_fixed_order():
    ruling = parse_ruling(output())
    assert [r.code for r in ruling.rules] == ["LF4100", "LF4105"]
    assert ruling.rules[1].evidence == (D, E)
    assert ruling.rules[0].basis is InBasis.OUTCOME
    assert ruling.violations[0].severity is Severity.HIGH
    assert ruling.evaluated == ("LF4100", "LF4105")
    assert ruling.waived[0].waiver == D
    turned = output(rules=output()["rules"][::-1])
    assert dumps(parse_ruling(turned).to_json()) == dumps(ruling.to_json())
    assert parse_ruling(ruling.to_json()) == ruling


@pytest.mark.parametrize("field", output())
def test_a_missing_field_is_refused(field):
    raw = output()
    del raw[field]
    with pytest.raises(KeyError):
        parse_ruling(raw)


BAD = [
    ("unknown field", output(extra=1)),
    ("allow is no boolean", output(allow=1)),
    ("allow is undefined text", output(allow="true")),
    ("allow is null", output(allow=None)),
    ("violations is an object", output(violations={})),
    ("violations holds a text", output(violations=["no"])),
    ("no code", output(violations=[{k: v for k, v in violation().items() if k != "code"}])),
    ("code is a number", output(violations=[violation(code=4101)])),
    ("code is markup", output(violations=[violation(code="<b>")])),
    ("code is empty", output(violations=[violation(code="")])),
    ("unknown severity", output(violations=[violation(severity="awful")])),
    ("decimal value", output(violations=[violation(value=0.5)])),
    ("boolean value", output(violations=[violation(value=True)])),
    ("huge value", output(violations=[violation(value=MAX_INT + 1)])),
    ("value is a list", output(violations=[violation(value=[1])])),
    ("evidence is no digest", output(violations=[violation(evidence=["abc"])])),
    ("controls hold numbers", output(violations=[violation(controls=[1])])),
    ("unknown field in a violation", output(violations=[violation(effective_on="2026")])),
    ("long text", output(violations=[violation(msg="x" * (MAX_TEXT + 1))])),
    ("passed is no boolean", output(rules=[result(passed="yes")])),
    ("unknown basis", output(rules=[result(basis="some")])),
    ("unknown field in a result", output(rules=[result(extra=1)])),
    ("waiver is no digest", output(waived=[{"code": "LF4102", "rule": "x", "term": "t", "waiver": "w"}])),
    ("evaluated holds an object", output(evaluated_rules=[{}])),
    ("skipped is a text", output(skipped="LF4111")),
]


@pytest.mark.parametrize("raw", [b[1] for b in BAD], ids=[b[0] for b in BAD])
def test_what_is_no_output_is_refused(raw):
    with pytest.raises((KeyError, TypeError, ValueError)):
        parse_ruling(raw)


def test_messages_name_the_place():
    with pytest.raises(ValueError, match=r"violations\[1\]: 'awful'"):
        parse_ruling(output(violations=[violation(), violation(severity="awful")]))
    with pytest.raises(ValueError, match=r"rules\[0\]: no field 'msg'"):
        parse_ruling(output(rules=[{k: v for k, v in result().items() if k != "msg"}]))


def test_a_flood_of_rows_is_refused(monkeypatch):
    monkeypatch.setattr("lockflight.core.gate.ruling.MAX_ROWS", 2)
    with pytest.raises(ValueError, match="more than 2"):
        parse_ruling(output(violations=[violation()] * 3))


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)


@given(st.data())
def test_any_replaced_value_reads_the_same_or_is_refused(data):
    raw = copy.deepcopy(output())
    place, path = raw, []
    while isinstance(place, (dict, list)) and place and (not path or data.draw(st.booleans())):
        key = data.draw(
            st.sampled_from(sorted(place) if isinstance(place, dict) else list(range(len(place))))
        )
        path.append((place, key))
        place = place[key]
    parent, key = path[-1]
    parent[key] = data.draw(values)
    try:
        ruling = parse_ruling(raw)
    except (KeyError, TypeError, ValueError):
        return
    assert parse_ruling(ruling.to_json()) == ruling
    dumps(ruling.to_json())
