"""A rule that is deleted, misspelled or undefined, and facts that lack something or have another shape: never a yes."""

from __future__ import annotations

import copy
import dataclasses
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockflight.core.canonical import dumps
from lockflight.core.gate.gate import decide
from lockflight.errors import LockflightError
from lockflight.policy.gate import PolicyGate
from lockflight.policy.mutation import all_mutants, trials
from lockflight.policy.patch import patched
from lockflight.policy.shipped import PACKS, pack
from lockflight.policy.text.factpaths import lint_facts
from lockflight.policy.text.lint import lint

RULES = [(name, code) for name in PACKS for code in pack(name).rules]
#: Without those that a pack has from the baseline, where they are tried.
OWN = [(name, code) for name, code in RULES if name == "baseline" or code not in pack("baseline").rules]
DENYING = [(name, code) for name, code in RULES if pack(name).rules[code]["effect"] == "deny"]


@pytest.mark.parametrize("name", PACKS)
def test_every_rule_is_demanded(engine, name):
    """What stops the verdict where a rule says nothing."""
    bundle = pack(name)
    fewer = dataclasses.replace(
        bundle, modules={p: m for p, m in bundle.modules.items() if "/gate" in p or "/lib" in p}
    )
    ruling = engine.evaluate(bundle.modules, bundle.data, bundle.entrypoint, dumps(bundle.base))
    assert set(ruling["evaluated_rules"]) == bundle.required_rules
    assert verdict(fewer, engine, bundle.base) is False


def module_of(bundle, code):
    [path] = [path for path, source in bundle.modules.items() if f"code: {code}\n" in source]
    return path


def clauses(source, code):
    """Every `results contains …` of one rule: its text up to the brace that ends it."""
    return re.findall(
        rf'^results contains lib\.(?:failed|passed)\("{code}".*?^\}}$', source, re.MULTILINE | re.DOTALL
    )


def deleted(source, code):
    for clause in clauses(source, code):
        source = source.replace(clause, "")
    return source


def misspelled(source, code):
    for clause in clauses(source, code):
        source = source.replace(clause, clause.replace(f'"{code}"', f'"{code}x"', 1))
    return source


def undefined(source, code):
    for clause in clauses(source, code):
        source = source.replace(clause, clause.replace(" if {\n", " if {\n\tdata.ranks.no_such_rank\n", 1))
    return source


def never_fails(source, code):
    for clause in clauses(source, code):
        if "lib.failed" in clause:
            source = source.replace(clause, "")
    return source


def verdict(bundle, engine, facts, *, prove=False):
    """What becomes of facts: allowed or not, whatever stops it."""
    issues = lint({**bundle.modules, **bundle.tests}, bundle.roots) or lint_facts(bundle.modules)
    if issues:
        return False
    gate = PolicyGate(bundle, engine)
    try:
        if prove:
            gate.prove()
        return decide(
            facts, bundle.ref, lambda d: engine.evaluate(bundle.modules, bundle.data, bundle.entrypoint, d)
        ).allow
    except LockflightError:
        return False


@pytest.mark.parametrize("spoil", [deleted, misspelled, undefined], ids=lambda spoil: spoil.__name__)
@pytest.mark.parametrize(("name", "code"), OWN)
def test_a_rule_that_says_nothing_stops_everything(engine, name, code, spoil):
    """Even facts that are fine, and even if nobody proves the bundle's bite first."""
    bundle = pack(name)
    path = module_of(bundle, code)
    assert len(clauses(bundle.modules[path], code)) >= 2
    wrong = spoil(bundle.modules[path], code)
    assert wrong != bundle.modules[path]
    spoiled = dataclasses.replace(bundle, modules={**bundle.modules, path: wrong})
    assert verdict(bundle, engine, bundle.base) is True
    assert verdict(spoiled, engine, bundle.base) is False
    assert verdict(spoiled, engine, patched(bundle.base, bundle.bites[code].operations)) is False


@pytest.mark.parametrize(("name", "code"), OWN)
def test_a_rule_that_cannot_fail_never_judges(engine, name, code):
    bundle = pack(name)
    path = module_of(bundle, code)
    wrong = never_fails(bundle.modules[path], code)
    spoiled = dataclasses.replace(bundle, modules={**bundle.modules, path: wrong})
    assert verdict(spoiled, engine, bundle.base, prove=True) is False


def places(value, prefix=()):
    """Every key of every object."""
    if isinstance(value, dict):
        for key, below in value.items():
            yield (*prefix, key)
            yield from places(below, (*prefix, key))
    if isinstance(value, list):
        for i, below in enumerate(value):
            yield from places(below, (*prefix, i))


WRONG = (None, True, 0, -1, "", "x", [], {}, [None], {"x": None})


def wrong_values(value):
    return [w for w in WRONG if type(w) is not type(value)]


@given(st.data())
def test_known_bad_facts_of_another_shape_are_never_allowed(engine, data):
    name, code = data.draw(st.sampled_from(DENYING))
    bundle = pack(name)
    facts = patched(bundle.base, bundle.bites[code].operations)
    *parents, last = data.draw(st.sampled_from(list(places(facts))))
    place = facts = copy.deepcopy(facts)
    for key in parents:
        place = place[key]
    if data.draw(st.booleans()):
        del place[last]
    else:
        place[last] = data.draw(st.sampled_from(wrong_values(place[last])))
    assert verdict(bundle, engine, facts) is False


@pytest.mark.parametrize("name", PACKS)
def test_a_sample_of_small_wrongs_is_noticed(engine, name):
    bundle = pack(name)
    found = list(trials(bundle, all_mutants(bundle)[7::53], engine))
    assert sum(bool(trial.noticed) for trial in found) >= 0.8 * len(found), [
        str(t.mutant) for t in found if not t.noticed
    ]


@pytest.mark.long
@pytest.mark.parametrize("name", PACKS)
def test_the_mutation_score_of_every_pack(engine, name):
    """Nine of ten are noticed. The modules of the baseline are tried whole there, and sampled in the other packs."""
    bundle = pack(name)
    shared = set(pack("baseline").modules) if name != "baseline" else set()
    own = [m for m in all_mutants(bundle) if m.path not in shared]
    rest = [m for m in all_mutants(bundle) if m.path in shared][::5]
    found = list(trials(bundle, [*own, *rest], engine))
    survivors = [str(trial.mutant) for trial in found if not trial.noticed]
    assert len(survivors) <= 0.1 * len(found), survivors
