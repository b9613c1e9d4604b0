"""What waits, for whom, and why, at each step of a release's way."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from lockflight.app.realm.view import RealmView
from lockflight.app.registry.waiting import releases
from lockflight.core.attest.changes import Freeze, LadderChange
from lockflight.core.attest.quorum import Seat
from lockflight.core.attest.trust import LADDER, RealmKind
from lockflight.core.times import rfc3339
from tests.factories import NOW, Ledger, basis_of, release

LATER = NOW + 5_000


@pytest.fixture
def ledger():
    ledger = Ledger()
    ledger.person("alice", "author")
    ledger.person("bob", "approver")
    return ledger


def view(ledger):
    """A realm of which only the state is asked, with the pseudonyms for names."""
    return RealmView("acme", Path(), ledger.state(), 1, "0" * 64, 0, None, _names={})


def rows(ledger, now=LATER, project=""):
    return {(w.version, w.environment): w for w in releases(view(ledger), now, project)}


def codes(row):
    return [o.code for o in row.reasons]


def to_development(ledger, what):
    return ledger.promote(what, decision=ledger.decide(what, "development"))


def test_nothing_waits_in_an_empty_realm(ledger):
    assert rows(ledger) == {}


def test_a_new_release_waits_for_the_gate(ledger):
    ledger.register(release(), "alice")
    (row,) = rows(ledger).values()
    assert (row.environment, row.holds, row.decision, row.allowed) == ("development", "", -1, False)
    assert row.whom == ("who makes the release",)
    assert "not asked" in row.reasons[0].message


def test_a_denial_names_its_rules(ledger):
    ledger.decide(release(), "development", allow=False)
    (row,) = rows(ledger).values()
    assert "LF4110" in row.reasons[0].message
    assert row.reasons[0].fix == f"lockflight policy explain {row.decision}"


def test_an_allowed_release_waits_for_whoever_moves_it(ledger):
    ledger.decide(release(), "development")
    (row,) = rows(ledger).values()
    assert (row.allowed, row.reasons, row.whom) == (True, (), ("p-alice",))


def test_the_newest_decision_counts(ledger):
    ledger.decide(release(), "development")
    ledger.decide(release(), "development", allow=False)
    (row,) = rows(ledger).values()
    assert not row.allowed


def test_the_next_step_waits_for_an_approver_who_is_no_author(ledger):
    ledger.person("carol", "approver", "author")
    what = release()
    to_development(ledger, what)
    ledger.decide(what, "staging")
    (row,) = rows(ledger).values()
    assert (row.holds, row.environment, codes(row)) == ("development", "staging", ["LF4506"])
    assert row.whom == ("p-bob", "p-carol")
    ledger.register(what, "carol")
    (row,) = rows(ledger).values()
    assert row.whom == ("p-bob",)


def test_without_anybody_a_new_person_is_wanted():
    ledger = Ledger()
    ledger.person("alice", "author")
    what = release()
    ledger.register(what, "alice")
    to_development(ledger, what)
    ledger.decide(what, "staging")
    (row,) = rows(ledger).values()
    assert row.whom == ("a new approver who did not make the release",)


def both_seats(*authors):
    """Staging wants an approver and a risk owner; bo approves, ro owns risks, and `authors` made the release."""
    ledger = Ledger()
    for name, *roles in (
        ("alice", "author"),
        ("bo", "approver", "author"),
        ("ro", "risk-owner"),
        ("zoe", "realm-admin"),
        ("yan", "realm-admin"),
    ):
        ledger.person(name, *roles)
    seats = (Seat("approver"), Seat("risk-owner"))
    steps = tuple(replace(s, quorum=seats) if s.name == "staging" else s for s in LADDER)
    ledger.review(ledger.add(LadderChange("acme", steps, "", ledger.root).statement(), "zoe"), "yan")
    what = release()
    to_development(ledger, what)
    for name in authors:
        ledger.register(what, name)
    ledger.decide(what, "staging")
    return ledger, what


def test_each_open_seat_says_who_could_fill_it():
    ledger, what = both_seats()
    (row,) = rows(ledger).values()
    assert row.whom == ("p-bo", "p-ro")
    ledger.approve(what, "ro", basis=basis_of())
    (row,) = rows(ledger).values()
    assert row.whom == ("p-bo",), "ro has had their say"


def test_a_seat_that_nobody_can_fill_wants_somebody_new():
    ledger, what = both_seats("bo")
    (row,) = rows(ledger).values()
    assert row.whom == ("p-ro", "a new approver who did not make the release")
    ledger.approve(what, "ro", basis=basis_of())
    (row,) = rows(ledger).values()
    assert row.whom == ("a new approver who did not make the release",)


def test_whoever_holds_both_roles_moves_to_the_seat_that_is_left():
    """ro may sit on both seats and said yes: then another risk owner helps too, though only an approver is missing."""
    ledger, what = both_seats()
    ledger.person("di", "risk-owner", "approver")
    ledger.person("mo", "risk-owner")
    later = NOW + 8 * 86_400
    ledger.approve(what, "di", basis=basis_of(), expires=rfc3339(later + 60))
    (row,) = rows(ledger, later).values()
    assert set(row.whom) >= {"p-bo", "p-ro", "p-mo"}


def test_who_cannot_approve_is_not_named(ledger):
    what = release()
    to_development(ledger, what)
    ledger.decide(what, "staging")
    bob = ledger.state().people()["p-bob"]
    ledger.grant(bob, withdrawn=True)
    (row,) = rows(ledger).values()
    assert row.whom == ("a new approver who did not make the release",)


def test_an_approved_release_may_move(ledger):
    what = release()
    to_development(ledger, what)
    ledger.decide(what, "staging")
    ledger.approve(what, "bob", basis=basis_of())
    (row,) = rows(ledger).values()
    assert (row.reasons, row.whom) == ((), ("p-alice",))
    # The approval expires, and somebody has to do something again.
    (row,) = rows(ledger, NOW + 90_000).values()
    assert codes(row) == ["LF4506"]


def test_a_denial_by_a_person_is_a_reason(ledger):
    what = release()
    to_development(ledger, what)
    ledger.decide(what, "staging")
    ledger.approve(what, "bob", basis=basis_of(), verdict="deny")
    (row,) = rows(ledger).values()
    assert "LF4509" in codes(row)


def test_what_is_there_does_not_wait(ledger):
    what = release()
    to_development(ledger, what)
    approval = ledger.approve(what, "bob", basis=basis_of())
    ledger.promote(
        what, decision=ledger.decide(what, "staging"), environment="staging", approvals=(approval,)
    )
    assert [(w.holds, w.environment) for w in rows(ledger).values()] == [("staging", "production")]


def test_an_older_release_does_not_wait_behind_a_newer_one(ledger):
    old, new = release(), release(version="1.1.0")
    ledger.register(old, "alice")
    to_development(ledger, new)
    assert [w.version for w in rows(ledger).values()] == ["1.1.0"]
    newest = release(version="1.2.0")
    ledger.register(newest, "alice")
    assert set(rows(ledger)) == {("1.1.0", "staging"), ("1.2.0", "development")}


def test_a_revoked_release_does_not_wait(ledger):
    ledger.register(release(), "alice")
    ledger.revoke(release().digest, "bob")
    assert rows(ledger) == {}
    held = release(version="2.0.0")
    to_development(ledger, held)
    ledger.revoke(held.digest, "bob")
    assert rows(ledger) == {}


def test_one_project_is_asked_for(ledger):
    ledger.register(release(), "alice")
    ledger.register(release(name="other"), "alice")
    assert len(rows(ledger, project="")) == 1  # of the same version: told apart by their project
    assert [w.project for w in releases(view(ledger), LATER)] == ["bot", "other"]
    assert [w.project for w in releases(view(ledger), LATER, "other")] == ["other"]


def test_a_personal_realm_waits_for_nobody_else():
    ledger = Ledger(RealmKind.PERSONAL)
    ledger.person("alice", "author", "approver")
    what = release()
    to_development(ledger, what)
    (row,) = rows(ledger).values()
    assert (row.environment, "LF4505" in codes(row)) == ("staging", True)


def test_a_freeze_is_a_reason(ledger):
    what = release()
    to_development(ledger, what)
    ledger.decide(what, "staging")
    freeze = Freeze(
        project="bot", environment="", lift=False, expires="", reason="", prev="", realm=ledger.root
    )
    ledger.add(freeze.statement(), "bob")
    (row,) = rows(ledger).values()
    assert "LF4546" in codes(row)
