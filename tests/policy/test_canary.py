from __future__ import annotations

import json

import pytest

from lockflight.policy import canary


def answers(changes):
    """An engine that answers right, but for some rules."""
    values = {f"data.{canary.PACKAGE}.v{i}": value for i, (_, value) in enumerate(canary.VALUES)} | changes

    def evaluate(rule):
        if rule in values:
            return values[rule]
        raise RuntimeError("to_number: invalid\nStack backtrace: …")

    return evaluate


def test_it_asks_at_least_twenty_questions():
    assert len(canary.VALUES) + len(canary.ERRORS) >= 20


def test_a_right_engine_passes():
    assert canary.refusal(answers({})) == ""


def test_regorus_passes(engine):
    modules = canary.modules()
    values = engine.rules(modules, {}, [f"data.{canary.PACKAGE}.v{i}" for i in range(len(canary.VALUES))])
    assert [json.loads(value) for value in values.values()] == [value for _, value in canary.VALUES]


@pytest.mark.parametrize("index", range(len(canary.VALUES)))
def test_undefined_anywhere_is_refused(index):
    rule = f"data.{canary.PACKAGE}.v{index}"
    assert canary.VALUES[index][0] in canary.refusal(answers({rule: "<undefined>"}))


def test_a_boolean_is_no_number():
    one = next(i for i, (_, value) in enumerate(canary.VALUES) if value is True)
    assert canary.refusal(answers({f"data.{canary.PACKAGE}.v{one}": 1}))


def test_an_error_that_is_swallowed_is_refused():
    assert "instead of an error" in canary.refusal(answers({f"data.{canary.PACKAGE}.error0.v": None}))


def test_a_question_that_raises_is_refused():
    def evaluate(rule):
        raise RuntimeError("no\nmore")

    assert "fails with no" in canary.refusal(evaluate)
