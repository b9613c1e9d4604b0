"""Waivers: who asks does not give; what can never count is refused before it is written."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lockflight.app.gate.waivers import MAX_DAYS, Wish, listed, request
from lockflight.app.identity.proposals import review
from lockflight.app.realm import clock
from lockflight.app.realm.realm import Member, Realm, create_realm
from lockflight.core.attest.changes import DAY, Reach, Scope, Verdict
from lockflight.core.attest.trust import RealmKind
from lockflight.errors import PolicyDenied, UsageError
from lockflight.store.blobs import BlobStore

RELEASE = "ab" * 32


@pytest.fixture
def realm(home):
    members = [
        Member("alice", ("author",)),
        Member("bob", ("approver",)),
        Member("carol", ("risk-owner",)),
        Member("otto", ("auditor",)),
    ]
    return create_realm(home, "acme", RealmKind.TEAM, members)


def wish(**changes):
    plain = Wish(
        rule="LF4110",
        term="notes.md",
        scope=Scope(Reach.RELEASE, RELEASE),
        name="tone 1.0.0",
        reason="the licence is on its way",
        control="nobody outside sees it",
        ticket="LEGAL-7",
        days=30,
        starts=clock.now(),
    )
    return replace(plain, **changes)


def ask(home, actor="alice", **changes):
    return request(home, "acme", wish(**changes), actor=actor, now=clock.now())


def rows(home, now=None, **options):
    return listed(home, "acme", now=clock.now() if now is None else now, **options)[1]


def consent(home, digest, actor="carol", verdict=Verdict.CONSENT):
    return review(home, "acme", digest, verdict=verdict, note="", actor=actor)


@pytest.mark.parametrize("term", ["*", "*.md", "notes.*"])
def test_a_pattern_is_no_term(home, realm, term):
    with pytest.raises(UsageError) as info:
        ask(home, term=term)
    assert info.value.code == "LF0149"
    assert rows(home) == []
    ask(home, term="notes.md")


def test_from_pending_to_expired(home, realm):
    said, made = ask(home)
    assert (made.status, made.requester, made.approver) == ("pending", "alice", "")
    consent(home, said.envelope)
    (row,) = rows(home)
    assert (row.status, row.approver, row.renewals) == ("active", "carol", 0)
    assert (row.reason, row.control) == ("the licence is on its way", "nobody outside sees it")
    assert [r.status for r in rows(home, clock.now() + 31 * DAY)] == ["expired"]


@pytest.mark.parametrize(
    ("actor", "why"), [("alice", "does not consent"), ("bob", "risk-owner"), ("otto", "risk-owner")]
)
def test_only_another_risk_owner_gives_it(home, realm, actor, why):
    said, _ = ask(home)
    with pytest.raises(PolicyDenied, match=why):
        consent(home, said.envelope, actor)
    assert [r.status for r in rows(home)] == ["pending"]


def test_a_risk_owner_does_not_give_to_themselves(home, realm):
    said, _ = ask(home, "carol")
    with pytest.raises(PolicyDenied, match="does not consent"):
        consent(home, said.envelope)


def test_rejected_lapsed_and_not_yet(home, realm):
    first, _ = ask(home)
    consent(home, first.envelope, verdict=Verdict.REJECT)
    ask(home)
    later, _ = ask(home, starts=clock.now() + 5 * DAY)
    consent(home, later.envelope)
    assert [r.status for r in rows(home)] == ["rejected", "pending", "not-yet"]
    assert [r.status for r in rows(home, clock.now() + 20 * DAY)] == ["rejected", "lapsed", "active"]


def test_renewals_are_counted(home, realm):
    first, _ = ask(home)
    second, _ = ask(home, renews=first.envelope[:12])
    _, third = ask(home, renews=second.envelope)
    assert third.renewals == 2
    with pytest.raises(UsageError, match="LF0143"):
        ask(home, renews=first.envelope, rule="LF4111")


@pytest.mark.parametrize(
    "rule", ["LF4100", "LF4101", "LF4108", "LF4109", "LF4112", "LF7164", "LF4506", "LF4001"]
)
def test_rules_that_are_never_waived(home, realm, rule):
    size = realm.view.size
    with pytest.raises(PolicyDenied, match="LF4554"):
        ask(home, rule=rule)
    assert Realm(home, "acme").view.size == size


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"rule": "*"}, "LF0140"),
        ({"rule": "LF41*"}, "LF0140"),
        ({"rule": ""}, "LF0140"),
        ({"rule": "LF4199"}, "LF0140"),
        ({"days": 0}, "LF0142"),
        ({"days": MAX_DAYS + 1}, "LF0142"),
        ({"days": -5}, "LF0142"),
        ({"starts": 4_000_000_000}, "LF0142"),
        ({"reason": " "}, "LF0141"),
        ({"control": ""}, "LF0141"),
        ({"ticket": ""}, "LF0141"),
        ({"ticket": "x" * 201}, "LF0141"),
        ({"scope": Scope(Reach.RELEASE, RELEASE, environment="moon")}, "LF0121"),
    ],
)
def test_what_is_refused_before_it_is_written(home, realm, changes, code):
    size = realm.view.size
    with pytest.raises(UsageError) as refused:
        ask(home, **changes)
    assert refused.value.code == code
    assert Realm(home, "acme").view.size == size


def test_a_mistyped_rule_is_suggested(home, realm):
    with pytest.raises(UsageError) as refused:
        ask(home, rule="lf4110")
    assert refused.value.hint == "Did you mean LF4110?"


def test_the_longest_is_allowed(home, realm):
    assert ask(home, days=MAX_DAYS)[1].status == "pending"


def test_an_auditor_asks_for_nothing(home, realm):
    with pytest.raises(PolicyDenied, match="otto cannot ask for a waiver"):
        ask(home, "otto")


def test_the_texts_can_be_erased(home, realm):
    said, made = ask(home)
    assert BlobStore(realm.folder / "blobs").erase(made.waiver.reason)
    (row,) = rows(home)
    assert (row.digest, row.reason, row.control) == (said.envelope, "", "")


def test_a_waiver_of_a_project_is_listed_with_it(home, realm):
    ask(home, scope=Scope(Reach.PROJECT, project="tone", environment="staging"))
    assert len(rows(home, project="tone")) == 1
    assert not rows(home, project="tune")


def test_alone_the_asking_is_the_giving(home):
    create_realm(home, "acme", RealmKind.PERSONAL, [Member("you", ("author",))])
    _, made = ask(home, "you")
    assert (made.status, made.approver) == ("active", "you")
