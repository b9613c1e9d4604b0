"""Changes by two people: what one proposes, another carries out; nobody is both."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lockflight.core.attest.acts import Action, Promotion, Revocation, Scope, identity_digest
from lockflight.core.attest.changes import (
    DAY,
    PROPOSAL_S,
    Adoption,
    Freeze,
    LadderChange,
    Reach,
    Verdict,
    Waiver,
    WaiverKind,
    parse_adoption,
    parse_freeze,
    parse_ladder_change,
    parse_review,
    parse_waiver,
)
from lockflight.core.attest.changes import Scope as Reaches
from lockflight.core.attest.quorum import Seat
from lockflight.core.attest.statement import Statement, parse
from lockflight.core.attest.trust import LADDER, Duty, Grant, Mode, RealmKey, RealmKind
from lockflight.core.facts.admit import admit
from lockflight.core.facts.authors import part_in_waivers
from lockflight.core.state.waivers import standing, waiver_facts
from lockflight.core.times import rfc3339
from lockflight.signing.keys import P256, generate
from tests.factories import NOW, basis_of, release
from tests.live_ledger import LiveLedger

RELEASE = release()


@pytest.fixture
def ledger() -> LiveLedger:
    """A team after its founding."""
    realm = LiveLedger()
    realm.person("alice", "author")
    realm.person("bob", "approver")
    realm.person("carol", "releaser", "realm-admin")
    realm.person("dora", "risk-owner")
    realm.register(RELEASE, "alice")
    return realm


def grant(ledger: LiveLedger, name: str, *roles: str, by: str = "carol", **key: object) -> str:
    ledger.keys[name] = generate(P256)
    wanted = RealmKey(ledger.keys[name].public_der, Duty.PERSON, f"p-{name}", roles, **key)  # type: ignore[arg-type]
    head = ledger.state().grant_heads.get(f"p-{name}", "")
    return ledger.add(Grant(wanted, prev=head, realm=ledger.root).statement(), by)


def ladder(ledger: LiveLedger, **changes: object) -> LadderChange:
    steps = tuple(replace(s, **changes) if s.quorum else s for s in LADDER)  # type: ignore[arg-type]
    return LadderChange("acme", steps, ledger.state().ladder_head, ledger.root)


def waiver(ledger: LiveLedger, **changes: object) -> Waiver:
    given: dict[str, object] = {
        "kind": WaiverKind.WAIVER,
        "name": "bot",
        "rule": "LF4105",
        "term": "",
        "scope": Reaches(Reach.RELEASE, RELEASE.digest),
        "reason": "aa" * 32,
        "ticket": "SEC-1",
        "not_before": rfc3339(NOW),
        "expires": rfc3339(NOW + 10 * DAY),
        "renews": "",
        "nonce": f"{len(ledger.entries):032x}",
        "realm": ledger.root,
    }
    return Waiver(**{**given, **changes})  # type: ignore[arg-type]


def told(ledger: LiveLedger, now: int) -> list[dict[str, object]]:
    about = {"contents": [RELEASE.digest], "project": "bot", "environment": "staging"}
    return waiver_facts(ledger.state(), **about, now=now)  # type: ignore[arg-type,return-value]


def admission(ledger: LiveLedger, environment: str = "development", **changes: object) -> set[str]:
    given: dict[str, object] = {
        "release": RELEASE.digest,
        "name": "bot",
        "version": "1.0.0",
        "environment": environment,
        "allowed": True,
        "basis": basis_of(),
        "requester": "p-carol",
        "now": NOW + ledger.clock,
    }
    found = admit(state=ledger.state(), **{**given, **changes})  # type: ignore[arg-type]
    return {o.code for o in found.obstacles}


def test_a_grant_waits_for_another_person(ledger: LiveLedger) -> None:
    proposal = grant(ledger, "nina", "approver")
    assert "p-nina" not in ledger.state().people()
    assert ledger.code(ledger.review(proposal, "carol")) == "LF7266"
    assert not ledger.code(ledger.review(proposal, "dora"))
    assert ledger.state().people()["p-nina"].roles == ("approver",)
    assert ledger.code(ledger.review(proposal, "bob")) == "LF7265"


def test_nobody_consents_to_their_own_grant(ledger: LiveLedger) -> None:
    state = ledger.state()
    more = replace(state.people()["p-bob"], roles=("approver", "realm-admin"))
    wanted = Grant(more, prev=state.grant_heads["p-bob"], realm=ledger.root)
    proposal = ledger.add(wanted.statement(), "carol")
    assert ledger.code(ledger.review(proposal, "bob")) == "LF7266"
    assert ledger.state().people()["p-bob"].roles == ("approver",)


def test_the_root_key_alone_grants_only_at_the_founding(ledger: LiveLedger) -> None:
    proposal = grant(ledger, "nina", "approver", by="root")
    assert proposal in ledger.state().proposals
    assert "p-nina" not in ledger.state().people()
    ledger.review(proposal, "alice")
    assert "p-nina" in ledger.state().people()


def test_a_proposal_lapses(ledger: LiveLedger) -> None:
    proposal = grant(ledger, "nina", "approver")
    ledger.clock = PROPOSAL_S + 1
    assert ledger.code(ledger.review(proposal, "dora")) == "LF7265"


def test_a_rejected_proposal_stays_rejected(ledger: LiveLedger) -> None:
    proposal = grant(ledger, "nina", "approver")
    ledger.review(proposal, "dora", Verdict.REJECT)
    assert ledger.code(ledger.review(proposal, "bob")) == "LF7265"
    assert "p-nina" not in ledger.state().people()


def test_a_proposal_that_was_overtaken_does_nothing(ledger: LiveLedger) -> None:
    first, second = grant(ledger, "nina", "approver"), grant(ledger, "nina", "realm-admin")
    ledger.review(second, "dora")
    assert ledger.code(ledger.review(first, "dora")) == "LF7246"
    assert ledger.state().people()["p-nina"].roles == ("realm-admin",)


def test_an_owner_and_their_machine_are_one_human(ledger: LiveLedger) -> None:
    ledger.review(grant(ledger, "robot", "approver", owner="p-bob"), "dora")
    key = ledger.state().people()["p-robot"]
    assert key.human == "p-bob"
    assert ledger.code(ledger.review(grant(ledger, "x", "approver", owner="p-nobody"), "dora"))


def test_an_expired_key_says_nothing(ledger: LiveLedger) -> None:
    ledger.review(grant(ledger, "nina", "author", expires=rfc3339(NOW + 60)), "dora")
    ledger.clock = 59
    assert not ledger.code(ledger.register(release(version="2"), "nina"))
    ledger.clock = 60
    assert ledger.code(ledger.register(release(version="3"), "nina")) == "LF7267"


def test_environments_are_changed_by_two(ledger: LiveLedger) -> None:
    change = ledger.add(ladder(ledger, quorum=(Seat("approver", 2),)).statement(), "carol")
    assert ledger.state().environment("staging").quorum == (Seat("approver"),)  # type: ignore[union-attr]
    ledger.review(change, "bob")
    assert ledger.state().environment("staging").quorum == (Seat("approver", 2),)  # type: ignore[union-attr]


def test_an_environment_that_holds_something_stays(ledger: LiveLedger) -> None:
    ledger.promote(RELEASE, decision=ledger.decide(RELEASE, "development"))
    less = LadderChange("acme", LADDER[3:], ledger.state().ladder_head, ledger.root)
    assert ledger.code(ledger.add(less.statement(), "carol")) == "LF7261"


def test_a_policy_is_adopted_by_two(ledger: LiveLedger) -> None:
    adoption = Adoption("strict", "1", "ee" * 32, "ab" * 32, ("staging",), "", ledger.root)
    digest = ledger.add(adoption.statement(), "carol")
    assert ledger.state().policy("staging") is None
    ledger.review(digest, "dora")
    assert ledger.state().policy("staging") == adoption
    assert ledger.state().policy("production") is None
    assert ledger.code(ledger.add(adoption.statement(), "alice")) == "LF7256"


def test_a_waiver_goes_through_its_standings(ledger: LiveLedger) -> None:
    asked = waiver(ledger, not_before=rfc3339(NOW + DAY), expires=rfc3339(NOW + 2 * DAY))
    digest = ledger.add(asked.statement(), "alice")
    proposal = ledger.state().proposals[digest]
    assert standing(ledger.state(), proposal, NOW) == "pending"
    assert standing(ledger.state(), proposal, NOW + PROPOSAL_S + 1) == "expired"
    assert ledger.code(ledger.review(digest, "bob")) == "LF7256"
    ledger.review(digest, "dora")
    assert [standing(ledger.state(), proposal, NOW + s) for s in (0, DAY, 2 * DAY)] == [
        "not-yet",
        "active",
        "expired",
    ]
    [row] = told(ledger, NOW + DAY)
    assert (row["requester"], row["approver"], row["status"]) == ("p-alice", "p-dora", "active")  # type: ignore[index,call-overload]


def test_renewals_are_counted(ledger: LiveLedger) -> None:
    last = ""
    for _ in range(3):
        last = ledger.add(waiver(ledger, renews=last).statement(), "alice")
        ledger.review(last, "dora")
    assert [row["renewals"] for row in told(ledger, NOW)] == [0, 1, 2]  # type: ignore[index,call-overload]


def test_who_asked_for_a_waiver_is_an_author(ledger: LiveLedger) -> None:
    ledger.review(grant(ledger, "erin", "approver", "author", by="root"), "dora")
    digest = ledger.add(waiver(ledger).statement(), "erin")
    ledger.review(digest, "dora")
    ledger.promote(RELEASE, decision=ledger.decide(RELEASE, "development"), requester="p-carol")
    ledger.approve(RELEASE, "erin", basis=basis_of())
    assert admission(ledger, "staging") == set()
    assert admission(ledger, "staging", waivers=(digest,)) == {"LF4506"}


def test_the_parts_that_people_had_in_a_waiver(ledger: LiveLedger) -> None:
    digest = ledger.add(waiver(ledger).statement(), "alice")
    pending = ledger.add(waiver(ledger).statement(), "alice")
    ledger.review(digest, "dora")
    both = (digest, pending, "ab" * 32)
    state = ledger.state()
    assert part_in_waivers(state, "p-alice", both) == {digest: "asked", pending: "asked"}
    assert part_in_waivers(state, "p-dora", both) == {digest: "consented"}
    assert part_in_waivers(state, "p-carol", both) == {}


def test_a_freeze_stops_what_comes_in(ledger: LiveLedger) -> None:
    freeze = Freeze(False, "", "development", "", "", "", ledger.root)
    head = ledger.add(freeze.statement(), "dora")
    assert admission(ledger) == {"LF4546"}
    lift = Freeze(True, "", "development", "", "", head, ledger.root)
    digest = ledger.add(lift.statement(), "bob")
    assert admission(ledger) == {"LF4546"}
    ledger.review(digest, "carol")
    assert admission(ledger) == set()


def test_who_froze_may_thaw(ledger: LiveLedger) -> None:
    head = ledger.add(Freeze(False, "bot", "", "", "", "", ledger.root).statement(), "dora")
    ledger.add(Freeze(True, "bot", "", "", "", head, ledger.root).statement(), "dora")
    assert admission(ledger) == set()


def test_a_freeze_ends_by_itself(ledger: LiveLedger) -> None:
    ledger.add(Freeze(False, "", "", "", rfc3339(NOW + 60), "", ledger.root).statement(), "dora")
    assert admission(ledger, now=NOW + 59) == {"LF4546"}
    assert admission(ledger, now=NOW + 60) == set()


def test_an_author_does_not_freeze(ledger: LiveLedger) -> None:
    assert (
        ledger.code(ledger.add(Freeze(False, "", "", "", "", "", ledger.root).statement(), "alice"))
        == "LF7256"
    )


def test_break_glass_moves_once_and_blocks_until_reviewed(ledger: LiveLedger) -> None:
    ledger.review(grant(ledger, "otto", "auditor"), "dora")
    ledger.promote(RELEASE, decision=ledger.decide(RELEASE, "development"), requester="p-carol")
    glass = ledger.add(
        waiver(
            ledger,
            kind=WaiverKind.BREAK_GLASS,
            rule="*",
            scope=Reaches(Reach.RELEASE, RELEASE.digest, "", "staging"),
            expires=rfc3339(NOW + 3600),
        ).statement(),
        "bob",
    )
    ledger.review(glass, "dora")
    assert admission(ledger, "staging", break_glass=glass) == set()
    head = ledger.state().slot("bot", "staging").head
    promotion = Promotion(
        Action.PROMOTE,
        RELEASE.digest,
        "bot",
        "1.0.0",
        "bot",
        "staging",
        head,
        ledger.decide(RELEASE, "staging"),
        (),
        "p-carol",
        realm=ledger.root,
        break_glass=glass,
    )
    assert not ledger.code(ledger.add(promotion.statement(), "gate"))
    assert admission(ledger) == {"LF4547"}
    assert "LF4548" in admission(ledger, "staging", break_glass=glass)
    for participant in ("alice", "bob", "carol", "dora"):
        assert ledger.code(ledger.review(glass, participant, Verdict.CLOSE)) in {"LF7266", "LF7256"}
    assert not ledger.code(ledger.review(glass, "otto", Verdict.CLOSE))
    assert admission(ledger) == set()


def test_a_small_team_is_explicit_slow_and_said(ledger: LiveLedger) -> None:
    ledger.review(grant(ledger, "alice", "author", "approver"), "dora")
    ledger.register(RELEASE, "alice")
    ledger.promote(RELEASE, decision=ledger.decide(RELEASE, "development"), requester="p-carol")
    ledger.approve(RELEASE, "alice", basis=basis_of())
    assert admission(ledger, "staging") == {"LF4506"}
    ledger.review(ledger.add(ladder(ledger, mode=Mode.SMALL_TEAM).statement(), "carol"), "dora")
    assert admission(ledger, "staging") == {"LF4506"}
    assert admission(ledger, "staging", now=NOW + DAY + 60, basis=basis_of()) == {"LF4506"}  # expired by then
    ledger.approve(RELEASE, "alice", basis=basis_of(), expires=rfc3339(NOW + 3 * DAY))
    later = admit(
        state=ledger.state(),
        release=RELEASE.digest,
        name="bot",
        version="1.0.0",
        environment="staging",
        allowed=True,
        basis=basis_of(),
        requester="p-carol",
        now=NOW + DAY,
    )
    assert later.admitted
    assert later.separation == "degraded"


def test_a_weaker_factor_than_demanded_does_not_count(ledger: LiveLedger) -> None:
    ledger.review(ledger.add(ladder(ledger, factor="key+totp").statement(), "carol"), "dora")
    ledger.promote(RELEASE, decision=ledger.decide(RELEASE, "development"), requester="p-carol")
    ledger.approve(RELEASE, "bob", basis=basis_of())
    assert admission(ledger, "staging") == {"LF4506"}
    ledger.approve(RELEASE, "bob", basis=basis_of(), factor="key+totp")
    assert admission(ledger, "staging") == set()


def test_a_revoked_person_and_their_machines_say_nothing_more(ledger: LiveLedger) -> None:
    ledger.review(grant(ledger, "robot", "author", owner="p-alice"), "dora")
    word = Revocation(Scope.IDENTITY, identity_digest("p-alice"), "p-alice", "compromised", realm=ledger.root)
    assert not ledger.code(ledger.add(word.statement(), "dora"))
    for name in ("alice", "robot"):
        assert ledger.code(ledger.register(release(version="9"), name)) == "LF7243"
    assert ledger.code(grant(ledger, "alice", "author")) == "LF7247"


def test_the_digest_of_an_identity_must_be_its_own(ledger: LiveLedger) -> None:
    word = Revocation(Scope.IDENTITY, "ab" * 32, "p-alice", "compromised", realm=ledger.root)
    assert ledger.code(ledger.add(word.statement(), "dora")) == "LF7242"


def test_one_person_alone_needs_nobody() -> None:
    realm = LiveLedger(kind=RealmKind.PERSONAL)
    realm.person("me", "author")
    realm.register(RELEASE, "me")
    digest = realm.add(waiver(realm).statement(), "me")
    assert standing(realm.state(), realm.state().proposals[digest], NOW) == "active"
    realm.add(ladder(realm, quorum=()).statement(), "me")
    assert realm.state().environment("staging").quorum == ()  # type: ignore[union-attr]
    assert "LF4505" in admission(realm, "staging", requester="p-me")


@pytest.mark.parametrize(
    ("make", "read"),
    [
        (ladder, parse_ladder_change),
        (lambda log: Adoption("p", "1", "ab" * 32, "", (), "", log.root), parse_adoption),
        (waiver, parse_waiver),
        (lambda log: Freeze(False, "", "", "", "", "", log.root), parse_freeze),
    ],
    ids=["environment", "policy", "waiver", "freeze"],
)
def test_what_is_written_is_read_and_nothing_else(ledger: LiveLedger, make: object, read: object) -> None:
    written = make(ledger)  # type: ignore[operator]
    statement = written.statement()
    assert read(parse(statement.payload())) == written  # type: ignore[operator]
    more = Statement(statement.predicate_type, statement.subjects, {**statement.predicate, "also": 1})
    with pytest.raises(ValueError, match="unknown"):
        read(more)  # type: ignore[operator]


@pytest.mark.parametrize("seconds", [120, 86_400])
def test_a_step_up_is_read_back(ledger: LiveLedger, seconds: int) -> None:
    written = ladder(ledger, step_up_s=seconds)
    assert parse_ladder_change(parse(written.statement().payload())) == written


@pytest.mark.parametrize("seconds", [1, 119, 86_401, -120, True, "900", 0, 900.0])
def test_a_step_up_has_bounds(ledger: LiveLedger, seconds: object) -> None:
    statement = ladder(ledger).statement()
    steps = [{**step, "stepUpSeconds": seconds} for step in statement.predicate["environments"]]  # type: ignore[union-attr]
    with pytest.raises((TypeError, ValueError)):
        parse_ladder_change(replace(statement, predicate={**statement.predicate, "environments": steps}))  # type: ignore[dict-item]


def test_a_review_is_read_strictly(ledger: LiveLedger) -> None:
    digest = ledger.review("ab" * 32, "bob")
    statement = ledger.state().by_digest[digest].statement
    assert statement is not None
    assert parse_review(statement).verdict is Verdict.CONSENT
    with pytest.raises(ValueError, match="maybe"):
        parse_review(replace(statement, predicate={**statement.predicate, "verdict": "maybe"}))
