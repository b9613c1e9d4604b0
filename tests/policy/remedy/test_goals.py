"""A rule that became silent, or took another one down, was not satisfied."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lockflight.core.findings import Severity
from lockflight.core.gate.ruling import RuleResult, Ruling, Violation
from lockflight.policy.remedy.goals import Goal


def result(code, term="", *, passed):
    return RuleResult(code, "rule", term, passed, Severity.HIGH, 1, 0, "It is so.")


def said(code, term=""):
    return Violation(code, "rule", term, Severity.HIGH, 1, 0, "It is so.", "Mend it.")


RULES = (result("AA1", "x", passed=False), result("AA1", "y", passed=True), result("BB2", passed=True))
BEFORE = Ruling(False, (said("AA1", "x"),), (), (), RULES, ("AA1", "BB2"), ())
GOAL = Goal(said("AA1", "x"), BEFORE)
MENDED = replace(BEFORE, allow=True, violations=(), rules=(result("AA1", "x", passed=True), *RULES[1:]))


def test_a_rule_that_passes_is_what_is_wanted():
    assert GOAL.met(MENDED)
    assert GOAL.moved(MENDED)
    assert not GOAL.met(BEFORE)
    assert not GOAL.moved(BEFORE)


@pytest.mark.parametrize(
    "worse",
    [
        {"rules": (*MENDED.rules[:2], result("BB2", passed=False))},
        {"rules": MENDED.rules[:2]},
        {"rules": (MENDED.rules[0], MENDED.rules[2])},
        {"rules": (result("BB2", passed=True),)},
        {"violations": (said("CC3"),)},
        {"evaluated": ("BB2",)},
        {"skipped": ("AA1",)},
        {"rules": (*MENDED.rules, result("AA1", "x", passed=False))},
    ],
)
def test_nothing_else_may_get_worse(worse):
    assert not GOAL.met(replace(MENDED, **worse))


def test_what_speaks_of_fewer_things_may_fall_silent_about_the_one_that_failed():
    """A rule that names only what is wrong has no result for a term once it is right."""
    assert GOAL.met(replace(MENDED, rules=RULES[1:]))
