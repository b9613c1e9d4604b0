from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockflight.policy.bundle import baseline, read_bundle
from lockflight.policy.mutation import all_mutants, trials
from lockflight.policy.text.mutants import mutants
from tests.policy.small import REGO, TEST, small_bundle

RULE = """package t

import data.t.lib

# METADATA
# title: x == 1
default allow := false

allow if {
	input.a.b == 3
	some x in input.list
	y := x + 1
	not lib.bad(y)
	count([1 | some z in input.list; z > y]) == 0
	every w in input.list { w != "no" }
}

else := true if input.a.c

msg := "a sentence for people"
"""


def whats(source):
    return [f"{m.line}: {m.what}" for m in mutants("policy/m.rego", source)]


def test_what_is_done_to_a_module():
    found = whats(RULE)
    for wanted in (
        "7: the rule default of allow is deleted",
        "7: false becomes true",
        "9: the rule allow is deleted",
        "10: the condition `input.a.b == 3` is dropped",
        "10: input.a.b is misspelled",
        "10: == becomes !=",
        "10: 3 becomes 4",
        "13: the condition `not lib.bad(y)` is dropped",
        "13: `not` is dropped before lib.bad",
        "14: the condition `z > y` is dropped",
        "14: > becomes <=",
        "14: > becomes >=",
        '15: the condition `w != "no"` is dropped',
        "18: an `else` is deleted",
        "18: the condition `input.a.c` is dropped",
    ):
        assert wanted in found, found


def test_what_is_left_alone():
    found = whats(RULE)
    assert not [what for what in found if what.startswith(("1:", "3:", "5:", "6:"))]
    assert not [
        what for what in found if "some x" in what or "`y := x" in what or "sentence" in what.split("rule")[0]
    ]


def test_each_mutant_differs_and_the_list_is_always_the_same():
    found = mutants("policy/m.rego", RULE)
    assert len({m.source for m in found}) == len(found)
    assert RULE not in {m.source for m in found}
    assert found == mutants("policy/m.rego", RULE)
    assert [m.line for m in found] == sorted(m.line for m in found)


PIECES = [
    *'abft.()[]{}"`$#/ \n:=|0159<>;',
    "not ",
    "import ",
    "data",
    "with ",
    "if ",
    "else ",
    "every ",
    "package t\n",
]


@given(st.lists(st.sampled_from(PIECES)).map("".join))
def test_any_text_has_mutants_without_an_exception(source):
    for mutant in mutants("policy/m.rego", source):
        assert mutant.source != source
        assert mutant.line >= 1


def test_a_small_bundle_notices_what_its_tests_look_at(engine):
    bundle = read_bundle(small_bundle())
    found = list(trials(bundle, all_mutants(bundle), engine))
    assert {t.noticed for t in found} >= {"refused", "fixture"}
    assert all(t.detail for t in found if t.noticed)


def test_a_test_can_notice_what_no_fixture_does(engine):
    rego = REGO + "\nextra(n) := n * 2\n"
    files = small_bundle(rego)
    blind = read_bundle(files)
    wrongs = [m for m in all_mutants(blind) if "2 becomes 3" in m.what and m.source.endswith("* 3\n")]
    assert [t.noticed for t in trials(blind, wrongs, engine)] == [""]
    test = TEST + "\ntest_twice if small.extra(2) == 4\n"
    seeing = dataclasses.replace(blind, tests={"policy/small_test.rego": test})
    assert [t.noticed for t in trials(seeing, wrongs, engine)] == ["test"]


@pytest.mark.parametrize("path", sorted(baseline().modules))
def test_a_mutant_of_the_baseline_that_does_nothing_is_no_mutant(path):
    source = baseline().modules[path]
    for mutant in mutants(path, source):
        assert "".join(mutant.source.split()) != "".join(source.split())
