"""What is in: since when, on whose word, and what that leaves for people to do."""

from __future__ import annotations

import pytest

from lockflight.core.attest.acts import FULL_EXPOSURE, Action
from lockflight.core.facts.admit import Obstacle
from lockflight.core.facts.holding import holding, still
from tests.factories import Ledger, basis_of, release

RELEASE = release()


@pytest.fixture
def ledger() -> Ledger:
    """A team realm whose development holds the release, and whose staging got it with bob's approval."""
    realm = Ledger()
    realm.person("alice", "author", "approver")
    realm.person("bob", "approver")
    realm.register(RELEASE, "alice")
    realm.promote(RELEASE, decision=realm.decide(RELEASE, "development"))
    return realm


def _codes(*codes: str) -> list[Obstacle]:
    return [Obstacle(code, "", "") for code in codes]


def test_what_never_went_in_is_not_held(ledger: Ledger) -> None:
    assert holding(ledger.state(), RELEASE.name, "staging", RELEASE.digest) is None
    assert holding(ledger.state(), RELEASE.name, "development", "0" * 64) is None


def test_what_is_in_names_the_approvals_that_let_it_in(ledger: Ledger) -> None:
    inside = holding(ledger.state(), RELEASE.name, "development", RELEASE.digest)
    assert inside is not None
    assert (inside.exposure, inside.approvals, inside.break_glass) == (FULL_EXPOSURE, (), "")
    approval = ledger.approve(RELEASE, "bob", basis=basis_of())
    ledger.promote(
        RELEASE, environment="staging", decision=ledger.decide(RELEASE, "staging"), approvals=(approval,)
    )
    inside = holding(ledger.state(), RELEASE.name, "staging", RELEASE.digest)
    assert inside is not None
    assert inside.approvals == (approval,)


def test_a_release_that_came_back_names_what_let_it_in_first(ledger: Ledger) -> None:
    approval = ledger.approve(RELEASE, "bob", basis=basis_of())
    ledger.promote(
        RELEASE, environment="staging", decision=ledger.decide(RELEASE, "staging"), approvals=(approval,)
    )
    ledger.promote(RELEASE, environment="staging", action=Action.RETIRE, decision="", requester="p-bob")
    assert holding(ledger.state(), RELEASE.name, "staging", RELEASE.digest) is None
    ledger.promote(RELEASE, environment="staging", action=Action.ROLLBACK, decision="", requester="p-bob")
    inside = holding(ledger.state(), RELEASE.name, "staging", RELEASE.digest)
    assert inside is not None
    assert inside.approvals == (approval,)


def test_only_what_is_about_a_release_that_is_in_stays_to_do(ledger: Ledger) -> None:
    inside = holding(ledger.state(), RELEASE.name, "development", RELEASE.digest)
    rows = _codes("LF4501", "LF4503", "LF4506", "LF4508", "LF4509", "LF4545", "LF4546", "LF4547")
    assert still(rows, None) == tuple(rows)
    assert [o.code for o in still(rows, inside)] == ["LF4501", "LF4503", "LF4509", "LF4547"]
