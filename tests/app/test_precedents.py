"""A bundle that the gate has proven on its engines is not proven again for each decision; anything else is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import lockflight
from lockflight.app.gate.check import CheckOptions, check
from lockflight.app.gate.judge import Gate
from lockflight.app.realm import clock
from lockflight.app.realm.realm import open_realm
from lockflight.policy.bundle import baseline
from lockflight.policy.engines import opa
from lockflight.policy.gate import PolicyGate

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from lockflight.app.realm.realm import Realm

ENVIRONMENT = "staging"


@pytest.fixture
def proofs(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Digests of the bundles that were made to bite, in order."""
    made: list[str] = []
    bites = PolicyGate.bites

    def told(self: PolicyGate, *, every: bool = True) -> dict[str, str]:
        made.append(self.bundle.digest)
        return bites(self, every=every)

    monkeypatch.setattr(PolicyGate, "bites", told)
    return made


def decide(home: Path, workspace: Path, *, record: bool = True, environment: str = ENVIRONMENT) -> str:
    options = CheckOptions(environment=environment, record=record, actor="alice")
    return check(home, "acme", workspace, options, clock=clock.now).judgements[environment].recorded


def test_a_recorded_decision_stands_for_its_proof(
    home: Path, realm: Realm, workspace: Path, proofs: list[str]
) -> None:
    assert decide(home, workspace)
    assert proofs == [baseline().digest]
    assert decide(home, workspace)
    assert not decide(home, workspace, record=False)
    assert len(proofs) == 1
    del realm


def test_a_rehearsal_leaves_no_precedent(
    home: Path, realm: Realm, workspace: Path, proofs: list[str]
) -> None:
    for _ in range(2):
        assert not decide(home, workspace, record=False)
    assert len(proofs) == 2
    del realm


@pytest.mark.skipif(not opa.installed(), reason="OPA as a library is not installed here")
def test_other_engines_or_another_version_have_it_proven_again(
    home: Path, realm: Realm, workspace: Path, proofs: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    decide(home, workspace)
    monkeypatch.setattr("lockflight.policy.engines.opa.installed", lambda: False)
    monkeypatch.setattr("lockflight.policy.engines.opaprogram.find_program", lambda: None)
    decide(home, workspace)
    assert len(proofs) == 2
    decide(home, workspace)
    assert len(proofs) == 2
    monkeypatch.setattr(lockflight, "__version__", "0.0.0")
    decide(home, workspace)
    assert len(proofs) == 3
    del realm


def test_a_known_bundle_still_has_its_fixtures(home: Path, realm: Realm, workspace: Path) -> None:
    decide(home, workspace)
    known = Gate(open_realm(home, realm.name)).bundle(ENVIRONMENT)
    assert known is not baseline()
    assert dict(known.bites) == dict(baseline().bites)
    assert (known.digest, known.data, known.modules) == (
        baseline().digest,
        baseline().data,
        baseline().modules,
    )
