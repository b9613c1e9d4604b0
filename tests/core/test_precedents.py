"""Whose word stands for a proof: the gate's, of this version, about these bytes and these engines."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lockflight.core.attest.trust import Duty, RealmKey
from lockflight.core.facts.precedents import Engines, engines_told, precedents
from lockflight.core.gate.unsettled import Said
from lockflight.signing.keys import P256, generate
from tests.factories import Ledger, release

REGORUS = {"name": "regorus", "version": "1", "sha256": "aa" * 32}
OPA = {"name": "opa", "version": "2", "sha256": "bb" * 32}
ONE, BOTH = engines_told([REGORUS]), engines_told([REGORUS, OPA])
POLICY = "cc" * 32


@pytest.fixture
def ledger() -> Ledger:
    realm = Ledger()
    realm.person("alice", "author")
    return realm


def found(ledger: Ledger, version: str = "0") -> dict[str, set[Engines]]:
    return precedents(ledger.state(), version)


def test_a_decision_of_the_gate_is_a_precedent_denied_or_not(ledger: Ledger) -> None:
    assert found(ledger) == {}
    ledger.decide(release(), "staging", engines=BOTH)
    assert found(ledger) == {POLICY: {BOTH}}
    ledger.decide(release(), "development", engines=ONE, allow=False)
    assert found(ledger) == {POLICY: {ONE, BOTH}}
    ledger.decide(release(), "development", engines=ONE, policy="dd" * 32)
    assert found(ledger) == {POLICY: {ONE, BOTH}, "dd" * 32: {ONE}}


def test_what_another_version_proved_does_not_count(ledger: Ledger) -> None:
    ledger.decide(release(), "staging", engines=BOTH, version="1")
    assert found(ledger, "0") == {}
    assert found(ledger, "1") == {POLICY: {BOTH}}


def test_a_decision_without_engines_proves_nothing(ledger: Ledger) -> None:
    ledger.decide(release(), "staging")
    assert found(ledger) == {}


def test_a_disagreement_of_engines_proves_nothing(ledger: Ledger) -> None:
    answers = tuple(Said(name, error="LF4010 no", policy=POLICY) for name in ("regorus", "opa"))
    digest = ledger.decide(release(), "staging", engines=BOTH, allow=False, unsettled=answers)
    assert ledger.state().by_digest[digest].effective
    assert found(ledger) == {}


@pytest.mark.parametrize("signer", ["alice", "producer", "root", "log"])
def test_nobody_else_makes_a_precedent(ledger: Ledger, signer: str) -> None:
    ledger.decide(release(), "staging", engines=BOTH, signer=signer)
    assert found(ledger) == {}


def test_a_stranger_makes_no_precedent(ledger: Ledger) -> None:
    ledger.keys["stranger"] = generate(P256)
    ledger.decide(release(), "staging", engines=BOTH, signer="stranger")
    assert found(ledger) == {}


def test_a_gate_key_that_was_replaced_makes_none_either(ledger: Ledger) -> None:
    ledger.decide(release(), "staging", engines=BOTH)
    ledger.keys["new gate"] = generate(P256)
    new = RealmKey(ledger.keys["new gate"].public_der, Duty.GATE)
    keys = tuple(new if key.duty is Duty.GATE else key for key in ledger.trust.keys)
    changed = replace(ledger.trust, keys=keys, prev=ledger.root)
    ledger.add(changed.statement(), "root")
    assert ledger.state().trust == changed
    assert found(ledger) == {}
    ledger.decide(release(), "staging", engines=BOTH, signer="new gate")
    assert found(ledger) == {POLICY: {BOTH}}
