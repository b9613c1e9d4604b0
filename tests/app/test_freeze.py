"""Freezes: one person stops; letting go sooner than another one wants takes two."""

from __future__ import annotations

import pytest

from lockflight.app.identity.proposals import review
from lockflight.app.realm import clock
from lockflight.app.realm.realm import Member, Realm, create_realm
from lockflight.app.realm.speak import must_be_effective
from lockflight.app.registry.freeze import freeze, frozen, lift
from lockflight.core.attest.changes import Freeze, Verdict
from lockflight.core.attest.trust import RealmKind
from lockflight.core.times import rfc3339, unix
from lockflight.errors import NotFound, PolicyDenied, UsageError


@pytest.fixture
def realm(home):
    members = [
        Member("alice", ("author",)),
        Member("bob", ("approver",)),
        Member("carol", ("risk-owner",)),
        Member("dora", ("realm-admin",)),
    ]
    return create_realm(home, "acme", RealmKind.TEAM, members)


def stop(home, actor="bob", **changes):
    words = {"project": "", "environment": "production", "reason": "storm", "hours": None}
    return freeze(home, "acme", actor=actor, now=clock.now(), **{**words, **changes})


def let_go(home, actor="bob", environment="production"):
    return lift(home, "acme", project="", environment=environment, reason="over", actor=actor)


def standing(home):
    return frozen(Realm(home, "acme").view, clock.now())


def test_who_froze_lifts_alone(home, realm):
    stop(home)
    (row,) = standing(home)
    assert (row.by, row.reason, row.scope) == ("bob", "storm", "all projects in production")
    let_go(home)
    assert not standing(home)


def test_another_person_needs_a_second_one(home, realm):
    stop(home)
    with pytest.raises(PolicyDenied) as refused:
        let_go(home, "carol")
    assert refused.value.code == "LF4526"
    assert standing(home)
    review(home, "acme", refused.value.details["proposal"], verdict=Verdict.CONSENT, note="", actor="dora")
    assert not standing(home)


@pytest.mark.parametrize("hours", [1, 5])
def test_a_freeze_of_ones_own_ends_nobody_elses(home, realm, hours):
    """Freezing again for a shorter time would be lifting without a second person."""
    stop(home, hours=hours + 1)
    with pytest.raises(PolicyDenied) as refused:
        stop(home, "carol", hours=hours)
    assert refused.value.code == "LF4526"
    assert [row.by for row in standing(home)] == ["bob"]


def test_who_freezes_for_longer_does_not_become_the_one_who_lifts(home, realm):
    stop(home, hours=2)
    stop(home, "carol")
    assert [row.expires for row in standing(home)] == [""]
    for actor in ("carol", "bob"):
        with pytest.raises(PolicyDenied) as refused:
            let_go(home, actor)
        assert refused.value.code == "LF4526"
    assert standing(home)


def test_the_log_itself_refuses_a_lift_by_one_person(home, realm):
    """The rule is the fold's: a client that asks nobody changes nothing either."""
    stop(home)
    held = realm.state.freezes["", "production"]
    person = realm.actor("carol")
    fact = Freeze(True, "", "production", "", "", held.head, realm.state.root)
    receipt = realm.append([(fact.statement(), person.signer)])[0]
    must_be_effective(realm, receipt.envelope)
    assert standing(home)


def test_it_ends_by_itself(home, realm):
    _, fact = stop(home, hours=1)
    view = Realm(home, "acme").view
    end = unix(fact.expires)
    assert frozen(view, end - 1)
    assert not frozen(view, end)
    assert fact.expires > rfc3339(clock.now())


def test_what_is_refused_before_it_is_written(home, realm):
    size = realm.view.size
    with pytest.raises(PolicyDenied, match="alice cannot freeze"):
        stop(home, "alice")
    with pytest.raises(UsageError, match="LF0121"):
        stop(home, environment="prodction")
    with pytest.raises(NotFound, match="LF4543"):
        stop(home, project="nobody")
    with pytest.raises(UsageError, match="LF0144"):
        stop(home, hours=0)
    with pytest.raises(NotFound, match="LF4556"):
        let_go(home)
    assert Realm(home, "acme").view.size == size


def test_a_scope_is_lifted_as_it_was_frozen(home, realm):
    stop(home)
    with pytest.raises(NotFound) as refused:
        let_go(home, environment="staging")
    assert refused.value.hint == "Frozen: all projects in production."
    assert standing(home)


def test_a_person_of_another_realm_does_not_freeze_here(home, realm):
    other = create_realm(home, "other", RealmKind.PERSONAL, [Member("you", ("approver",))])
    fact = Freeze(False, "", "production", "", "", "", realm.state.root)
    receipt = realm.append([(fact.statement(), other.actor("you").signer)])[0]
    with pytest.raises(PolicyDenied, match="holds no grant"):
        must_be_effective(realm, receipt.envelope)
    assert not standing(home)
