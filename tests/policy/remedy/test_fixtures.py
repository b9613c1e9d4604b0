"""From the known-bad facts of every rule of every shipped pack a way back is found, and nothing of it is too much."""

from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lockflight.core.canonical import dumps
from lockflight.core.gate.factshape import check_facts
from lockflight.core.gate.ruling import parse_ruling
from lockflight.policy.patch import patched
from lockflight.policy.remedy.edits import Reach, operations
from lockflight.policy.remedy.evaluation import Budget, Evaluation
from lockflight.policy.remedy.search import Search
from lockflight.policy.shipped import PACKS, pack

#: What no evidence and no other release changes; the honest answer names what stands in the way.
FIXED = {"LF4100", "LF4101", "LF4108", "LF4112", "LF4116", "LF4102.unknown-check", "LF4106.no-threshold"}


def fixtures():
    """Pack and fixture; a fixture that several packs share is tried with one, but each rule with every pack."""
    seen = set()
    for name in PACKS:
        for fixture, bite in pack(name).bites.items():
            word = fixture.partition(".")[2]
            key = fixture, dumps(list(bite.operations))
            if word.startswith(("calm", "waived")) or (word and key in seen):
                continue
            seen.add(key)
            yield name, fixture


def judged(bundle, engine, facts):
    return parse_ruling(engine.evaluate(bundle.modules, bundle.data, bundle.entrypoint, dumps(facts)))


def failed(ruling):
    return {(r.code, r.term) for r in ruling.rules if not r.passed}


@pytest.mark.parametrize(("name", "fixture"), [*fixtures()])
def test_there_is_a_way_back(name, fixture, engine, opa):
    bundle, code = pack(name), fixture.partition(".")[0]
    facts = patched(bundle.base, bundle.bites[fixture].operations)
    before = judged(bundle, engine, facts)
    ask = Evaluation(bundle, engine, facts, Budget(1_000, lambda: False))
    search = Search(bundle, ask, [engine, opa])
    failures = [v for v in (*before.violations, *before.warnings) if v.code == code]
    assert failures
    for said in failures:
        found = search.remedy(said, before)
        assert 0 < len(found.edits) <= len(bundle.bites[fixture].operations), found
        assert (found.reach is Reach.FIXED) == bool({code, fixture} & FIXED)
        place = said.code, said.term
        # In another way than the search: as the JSON Patch that people are shown, on each engine by itself.
        mended = patched(facts, operations(found.edits))
        check_facts(mended)
        for judge in (engine, opa):
            after = judged(bundle, judge, mended)
            assert place not in failed(after)
            assert failed(after) <= failed(before)
            assert any(r.passed and r.code == code for r in after.rules) or code in {
                c for c, _ in failed(after)
            }
        for size in range(len(found.edits)):
            for some in combinations(found.edits, size):
                fewer = judged(bundle, engine, patched(facts, operations(some)))
                assert place in failed(fewer) or not failed(fewer) <= failed(before), some


BASELINE = pack("baseline")
BAD = sorted(n for n in BASELINE.bites if not n.partition(".")[2].startswith(("calm", "waived")))


@given(st.sets(st.sampled_from(BAD), min_size=2, max_size=4))
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_mends_one_rule_breaks_no_other(engine, names):
    """Several fixtures at once: whatever is offered for one failure leaves every other result no worse."""
    facts = BASELINE.base
    for name in sorted(names):
        try:
            mixed = patched(facts, BASELINE.bites[name].operations)
            check_facts(mixed)
        except (KeyError, IndexError, TypeError, ValueError):
            continue  # two that change one place do not go together
        facts = mixed
    before = judged(BASELINE, engine, facts)
    ask = Evaluation(BASELINE, engine, facts, Budget(300, lambda: False))
    for found in Search(BASELINE, ask, [engine]).remedies(before.violations):
        if not found.edits:
            continue
        after = judged(BASELINE, engine, patched(facts, operations(found.edits)))
        assert failed(after) <= failed(before) - {(found.said.code, found.said.term)}
        assert {r.code for r in before.rules} <= {r.code for r in after.rules}
        assert set(after.skipped) <= set(before.skipped)
