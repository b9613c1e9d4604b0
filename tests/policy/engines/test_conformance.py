"""OPA's conformance cases: how each engine does, and that two together never say what is wrong."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from lockflight.errors import LockflightError
from lockflight.infra.proc import MIB, Limits, Worker
from lockflight.policy.engines.dual import DualEngine
from tests.policy.engines import conformance as c


@dataclass
class Tally:
    """Notes of the cases by how they went."""

    right: list[str] = field(default_factory=list)
    silent: list[str] = field(default_factory=list)
    loud: list[str] = field(default_factory=list)

    def add(self, case, said):
        kind = self.right if c.right(case, said) else self.silent if c.silent(case, said) else self.loud
        kind.append(case.note)


@pytest.fixture(scope="module")
def cases(shared_data):
    found = list(c.read_cases(shared_data / "data" / "opa" / "opa-compliance-v1.zip"))
    assert len(found) == c.CASES
    return found


@pytest.fixture(scope="module")
def tallies(cases, engine, opa):
    one, two = c.Hearing(engine), c.Hearing(opa)
    dual = DualEngine(one, two)
    found = Tally(), Tally(), Tally()
    for case in cases:
        for tally, said in zip(found, c.ask(dual, one, two, case), strict=True):
            tally.add(case, said)
    return found


def test_two_engines_say_what_is_wanted_or_nothing(tallies):
    _, _, both = tallies
    assert both.silent == [c.CHANGED]
    assert len(both.right) + len(both.loud) == c.CASES - 1
    assert len(both.right) >= 1430


def test_opa_is_opa(tallies):
    _, opa, _ = tallies
    assert len(opa.right) >= 2047
    assert opa.silent == [c.CHANGED]


def test_regorus_asked_for_rules_is_as_good_as_known(tallies):
    """Two more than by query: in a rule, `data` as a whole lacks packages that were not evaluated yet."""
    regorus, _, _ = tallies
    assert len(regorus.right) >= 1360
    assert len(regorus.silent) <= 13


def test_regorus_asked_by_query_is_as_good_as_known(cases):
    tally = Tally()
    limits = Limits(memory_bytes=1024 * MIB, output_bytes=64 * MIB)
    with Worker("queries:answers", limits=limits, import_paths=[str(Path(__file__).parent)]) as worker:
        outcome = worker.call(json.dumps([case.as_query() for case in cases]).encode())
    assert outcome.ok, outcome
    for case, told in zip(cases, json.loads(outcome.result), strict=True):
        error = LockflightError("LF4015", told["error"]) if "error" in told else None
        rows = told.get("rows")
        if rows and "rows" in rows[0]:
            rows = rows[0]["rows"]
        tally.add(case, c.Heard(rows, error))
    assert len(tally.right) >= 1362
    assert len(tally.silent) <= 11
