"""The search in policies of one's own: thresholds, many findings, what cannot be helped, and its budget."""

from __future__ import annotations

import copy

import pytest

from lockflight.core.canonical import dumps
from lockflight.core.gate.ruling import parse_ruling
from lockflight.policy.bundle import baseline, read_bundle
from lockflight.policy.remedy.edits import Reach, operations
from lockflight.policy.remedy.evaluation import Budget, Evaluation
from lockflight.policy.remedy.search import MOST_EDITS, Search, together
from tests.policy import factories as f
from tests.policy.small import REGO, small_bundle

MEASURED = """
default short := false

short if {
	some row in input.evidence["scan/accuracy"]
	CONDITION
}

measured := min([row.summary.accuracy_ppm | some row in input.evidence["scan/accuracy"]])
"""
FORMER = REGO[REGO.index("default short") : REGO.index("violations contains")]


def with_rule(condition, demanded):
    """The small bundle with a rule about an accuracy."""
    text = REGO.replace(FORMER, MEASURED.replace("CONDITION", condition) + "\n")
    return text.replace('"value": count(input.release.name)', '"value": measured').replace(
        '"threshold": data.limits.size * 2', f'"threshold": {demanded}'
    )


def accuracy(facts, *values):
    facts = copy.deepcopy(facts)
    subject = facts["expected"]["scan/models"][0]
    facts["evidence"]["scan/accuracy"] = [
        {**f.row("accuracy", subject), "summary": {"accuracy_ppm": value}} for value in values
    ]
    return facts


def bundle_with(condition, demanded):
    files = small_bundle(with_rule(condition, demanded))
    return read_bundle({**files, "bite/base.json": dumps(accuracy(f.facts(), 990_000))})


def remedy(bundle, engine, facts, *, evaluations=2_000, stopped=lambda: False):
    before = parse_ruling(engine.evaluate(bundle.modules, bundle.data, bundle.entrypoint, dumps(facts)))
    ask = Evaluation(bundle, engine, facts, Budget(evaluations, stopped))
    found = [*Search(bundle, ask, [engine]).remedies(before.violations)]
    return found, ask


@pytest.mark.parametrize(
    ("condition", "demanded", "reached"),
    [
        ("row.summary.accuracy_ppm >= 900000", "900000", 900_000),
        ("row.summary.accuracy_ppm > 900000", "900000", 900_001),
        ("row.summary.accuracy_ppm >= 912345", '"enough"', 912_345),
    ],
)
def test_a_number_moves_exactly_to_where_the_rule_passes(engine, condition, demanded, reached):
    bundle = bundle_with(condition, demanded)
    (found,), _ = remedy(bundle, engine, accuracy(f.facts(), 123_456))
    (edit,) = found.edits
    assert (edit.before, edit.after, found.reach) == (123_456, reached, Reach.EVIDENCE)


def test_what_no_fact_changes_is_said_so(engine):
    bundle = bundle_with("row.summary.accuracy_ppm < 0", "0")
    (found,), ask = remedy(bundle, engine, accuracy(f.facts(), 5))
    assert (found.edits, found.reach, found.complete, found.possible) == ((), None, True, False)
    assert ask.count < 200


@pytest.mark.parametrize("budget", [{"evaluations": 5}, {"stopped": lambda: True}])
def test_a_budget_that_is_used_up_is_no_answer(engine, budget):
    bundle = baseline()
    facts = f.facts()
    facts["evidence"]["scan/code"][0]["findings"] = [
        f.finding() | {"fingerprint": f"{i:032}"} for i in range(4)
    ]
    found, _ = remedy(bundle, engine, facts, **budget)
    assert [(r.edits, r.complete) for r in found] == [((), False)]


def test_many_findings_go_one_by_one_and_what_does_no_harm_stays(engine):
    facts = f.facts()
    row = facts["evidence"]["scan/code"][0]
    row["findings"] = [f.finding("high" if i % 2 else "low") | {"fingerprint": f"{i:032}"} for i in range(24)]
    row["summary"] |= {"high": 12, "low": 12}
    (found,), ask = remedy(baseline(), engine, facts)
    assert {e.path[-1] for e in found.edits if e.op == "remove"} == {i for i in range(24) if i % 2}
    assert [(e.path[-1], e.before, e.after) for e in found.edits if e.op == "replace"] == [("high", 12, 0)]
    assert ask.count < 800


def test_more_changes_than_a_person_can_use_are_not_offered(engine):
    facts = f.facts()
    row = facts["evidence"]["scan/code"][0]
    row["findings"] = [f.finding() | {"fingerprint": f"{i:032}"} for i in range(MOST_EDITS + 1)]
    (found,), _ = remedy(baseline(), engine, facts)
    assert (found.edits, found.reach) == ((), None)


def test_what_fails_is_mended_without_taking_it_away(engine):
    """No row of evidence goes, no file gets another role, and nothing that is expected is expected no more."""
    facts = f.facts()
    facts["evidence"]["scan/models"][0]["summary"] |= {"safe": 0, "malicious": 1}
    facts["evidence"]["scan/secrets"] = []
    found, _ = remedy(baseline(), engine, facts)
    assert {r.said.code for r in found} == {"LF4105", "LF4102"}
    for edit in (e for r in found for e in r.edits):
        assert edit.op != "remove"
        assert edit.path[0] == "evidence"
    engines = [engine]
    assert together(baseline(), engines, facts, found)
    assert not together(baseline(), engines, facts, found[:1])


def test_a_rule_that_holds_today_has_no_remedy(engine):
    bundle = baseline()
    facts = f.facts()
    worse = copy.deepcopy(facts)
    worse["state"]["frozen"] = True
    said = parse_ruling(
        engine.evaluate(bundle.modules, bundle.data, bundle.entrypoint, dumps(worse))
    ).violations
    ask = Evaluation(bundle, engine, facts, Budget(10, lambda: False))
    (found,) = Search(bundle, ask, [engine]).remedies(said)
    assert (found.edits, found.complete) == ((), True)


def test_what_is_told_is_a_patch(engine):
    facts = f.facts()
    facts["state"]["frozen"] = True
    (found,), _ = remedy(baseline(), engine, facts)
    assert found.reach is Reach.PEOPLE
    assert operations(found.edits) == [{"op": "replace", "path": "/state/frozen", "value": False}]
