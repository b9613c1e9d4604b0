"""Candidates: whatever people and gate write into the log, a slot's parts add up to the whole traffic."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lockflight.core.attest.acts import FULL_EXPOSURE, Action, Promotion
from tests.factories import Ledger, release

ENTERING = {Action.PROMOTE, Action.EXPOSE}


def releases(count=3):
    return [release(version=f"{i}.0.0") for i in range(count)]


@pytest.fixture(scope="module")
def started():
    """A realm with three registered releases; examples add to copies of its entries."""
    ledger = Ledger()
    ledger.person("alice", "author", "releaser")
    made = releases()
    for each in made:
        ledger.register(each, "alice")
    return ledger, made


def move(ledger, what, action, exposure, *, slot="main"):
    decision = ledger.decide(what, "development") if action in ENTERING else ""
    promotion = Promotion(
        action=action,
        release=what.digest,
        name=what.name,
        version=what.version,
        project=what.name,
        environment="development",
        prev=ledger.state().slot(what.name, "development", slot).head,
        decision=decision,
        approvals=(),
        requester="p-alice",
        slot=slot,
        exposure=exposure,
        realm=ledger.root,
    )
    digest = ledger.add(promotion.statement(), "gate")
    return ledger.state().by_digest[digest]


def again(started):
    """The same realm without what other examples added."""
    ledger, made = started
    copy = Ledger.__new__(Ledger)
    copy.__dict__.update(ledger.__dict__, entries=list(ledger.entries), heads=dict(ledger.heads))
    return copy, made


steps = st.lists(
    st.tuples(
        st.integers(0, 2),
        st.sampled_from(list(Action)),
        st.sampled_from([0, 1, 500, 5000, 9999, FULL_EXPOSURE]),
    ),
    min_size=1,
    max_size=7,
)


@given(steps)
@settings(max_examples=40)
def test_exposures_add_up(started, script):
    ledger, made = again(started)
    for number, action, exposure in script:
        record = move(ledger, made[number], action, exposure)
        slot = ledger.state().slot(made[0].name, "development")
        parts = slot.exposures
        assert sum(parts.values()) in ({FULL_EXPOSURE} if slot.current is not None else {0})
        assert all(0 <= part <= FULL_EXPOSURE for part in parts.values())
        assert len(parts) == (slot.current is not None) + (slot.candidate is not None)
        if not record.effective:
            assert record.code.startswith("LF72"), record


def test_from_candidate_to_current(started):
    ledger, (one, two, three) = again(started)
    assert move(ledger, one, Action.PROMOTE, FULL_EXPOSURE).effective
    assert move(ledger, two, Action.PROMOTE, 500).effective
    assert move(ledger, three, Action.PROMOTE, 500).code == "LF7251"
    assert move(ledger, three, Action.PROMOTE, FULL_EXPOSURE).code == "LF7251"
    assert move(ledger, two, Action.EXPOSE, 5000).effective
    assert move(ledger, two, Action.HOLD, 6000).code == "LF7251"
    assert move(ledger, two, Action.HOLD, 0).effective
    assert ledger.state().slot(one.name, "development").exposures == {one.digest: 10_000, two.digest: 0}
    assert move(ledger, two, Action.EXPOSE, FULL_EXPOSURE).effective
    slot = ledger.state().slot(one.name, "development")
    assert (slot.exposures, slot.candidate) == ({two.digest: 10_000}, None)


def test_a_rollback_drops_the_candidate(started):
    ledger, (one, two, _) = again(started)
    move(ledger, one, Action.PROMOTE, FULL_EXPOSURE)
    move(ledger, two, Action.PROMOTE, 500)
    assert move(ledger, two, Action.ROLLBACK, FULL_EXPOSURE).code == "LF7251"
    assert move(ledger, one, Action.ROLLBACK, FULL_EXPOSURE).effective
    assert ledger.state().slot(one.name, "development").exposures == {one.digest: 10_000}
    assert move(ledger, two, Action.EXPOSE, 500).code == "LF7251"


def test_an_empty_slot_has_no_candidate(started):
    ledger, (one, two, _) = again(started)
    assert move(ledger, one, Action.PROMOTE, 500).code == "LF7251"
    move(ledger, one, Action.PROMOTE, FULL_EXPOSURE)
    assert move(ledger, one, Action.PROMOTE, 500).code == "LF7251"
    assert move(ledger, two, Action.PROMOTE, 0).code == "LF7251"
