"""The generated facts are valid and varied, and every shipped pack says the same about them on both engines."""

from __future__ import annotations

import pytest

from lockflight.core.canonical import dumps
from lockflight.core.gate.factshape import check_facts
from lockflight.core.gate.ruling import parse_ruling
from lockflight.policy.shipped import PACKS, pack
from tests.policy.facts_documents import SPOILERS, documents

FEW, MANY = 300, 2000
BATCH = 50


def test_they_are_valid_and_repeatable():
    texts = []
    for facts in documents(400):
        check_facts(facts)
        texts.append(dumps(facts))
    assert texts == [dumps(facts) for facts in documents(400)]
    assert len(set(texts)) > 380
    assert set(texts).isdisjoint(dumps(facts) for facts in documents(100, seed=1) if facts["waivers"])
    assert len(SPOILERS) >= 20


def judged(engine, bundle, texts):
    for start in range(0, len(texts), BATCH):
        batch = texts[start : start + BATCH]
        # Two engines compare every output; a disagreement is an error that names the place.
        yield from engine.evaluate_all(bundle.modules, bundle.data, bundle.entrypoint, batch)


def compare(dual, name, count):
    bundle = pack(name)
    texts = [dumps(facts) for facts in documents(count, codes=tuple(sorted(bundle.rules)))]
    rulings = [parse_ruling(output) for output in judged(dual, bundle, texts)]
    assert len(rulings) == count
    return rulings


@pytest.mark.parametrize("name", PACKS)
def test_both_engines_say_the_same(dual, name):
    rulings = compare(dual, name, FEW)
    allowed = sum(ruling.allow for ruling in rulings)
    assert 0 < allowed < FEW / 2 or name != "baseline"
    failed = {violation.code for ruling in rulings for violation in (*ruling.violations, *ruling.warnings)}
    # A comparison in which rules never fail would prove little.
    assert len(failed) >= len(pack(name).rules) * 0.9, set(pack(name).rules) - failed
    assert any(ruling.waived for ruling in rulings)


@pytest.mark.long
@pytest.mark.parametrize("name", PACKS)
def test_both_engines_say_the_same_about_many(dual, name):
    compare(dual, name, MANY)
