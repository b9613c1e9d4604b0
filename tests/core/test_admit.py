"""Admission: people, order and time. Nobody approves what they made; everything expires."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lockflight.core.attest.acts import Approval
from lockflight.core.attest.changes import LadderChange
from lockflight.core.attest.trust import LADDER, Duty, Mode, RealmKind
from lockflight.core.facts.admit import Admission, admit
from lockflight.core.facts.approvals import COOL_OFF_S, Prospect, prospect
from lockflight.core.facts.authors import authors
from lockflight.core.times import rfc3339
from tests.factories import NOW, Ledger, basis_of, release

RELEASE = release()


@pytest.fixture
def ledger() -> Ledger:
    """A team realm in which alice registered the release and promoted it to development."""
    realm = Ledger()
    realm.person("alice", "author", "approver")
    realm.person("bob", "approver")
    realm.person("dora", "author")
    realm.register(RELEASE, "alice")
    realm.promote(RELEASE, decision=realm.decide(RELEASE, "development"))
    return realm


def _admit(realm: Ledger, environment: str = "staging", **changes: object) -> Admission:
    given: dict[str, object] = {
        "release": RELEASE.digest,
        "name": RELEASE.name,
        "version": RELEASE.version,
        "environment": environment,
        "allowed": True,
        "basis": basis_of(),
        "requester": "p-alice",
        "now": NOW + 3600,
    }
    return admit(state=realm.state(), **{**given, **changes})  # type: ignore[arg-type]


def _codes(admission: Admission) -> set[str]:
    return {o.code for o in admission.obstacles}


def test_development_needs_nobody_else(ledger: Ledger) -> None:
    assert _admit(ledger, "development").admitted


def test_staging_needs_another_person(ledger: Ledger) -> None:
    assert _codes(_admit(ledger)) == {"LF4506"}
    approval = ledger.approve(RELEASE, "bob", basis=basis_of())
    admission = _admit(ledger)
    assert admission.admitted
    assert admission.approvals == (approval,)
    assert admission.separation == "people"


def test_the_author_does_not_approve_even_with_the_role(ledger: Ledger) -> None:
    ledger.approve(RELEASE, "alice", basis=basis_of())
    assert _codes(_admit(ledger, requester="p-dora")) == {"LF4506"}


def test_the_requester_does_not_approve(ledger: Ledger) -> None:
    ledger.person("rob", "approver", "releaser")
    ledger.approve(RELEASE, "rob", basis=basis_of())
    assert _codes(_admit(ledger, requester="p-rob")) == {"LF4506"}


def test_who_asks_needs_the_role(ledger: Ledger) -> None:
    ledger.approve(RELEASE, "bob", basis=basis_of())
    ledger.person("rob", "auditor")
    assert _codes(_admit(ledger, requester="p-rob")) == {"LF4545"}
    assert _codes(_admit(ledger, requester="p-nobody")) == {"LF4545"}


def test_the_role_is_needed_now(ledger: Ledger) -> None:
    ledger.approve(RELEASE, "dora", basis=basis_of())
    assert _codes(_admit(ledger)) == {"LF4506"}


def test_a_withdrawn_approver_no_longer_counts(ledger: Ledger) -> None:
    ledger.approve(RELEASE, "bob", basis=basis_of())
    ledger.grant(ledger.state().people()["p-bob"], withdrawn=True)
    assert _codes(_admit(ledger)) == {"LF4506"}


@pytest.mark.parametrize(
    ("basis", "expires", "environment"),
    [
        ("ff" * 32, NOW + 86_400, "staging"),
        (basis_of(), NOW + 3600, "staging"),
        (basis_of(), NOW + 86_400, "production"),
    ],
    ids=["another basis", "expired at this very second", "another environment"],
)
def test_an_approval_counts_only_for_what_it_names(
    ledger: Ledger, basis: str, expires: int, environment: str
) -> None:
    ledger.approve(RELEASE, "bob", basis=basis, expires=rfc3339(expires), environment=environment)
    assert _codes(_admit(ledger)) == {"LF4506"}


def test_a_denial_sticks_until_who_denied_says_otherwise(ledger: Ledger) -> None:
    ledger.approve(RELEASE, "bob", basis=basis_of())
    ledger.approve(RELEASE, "bob", basis=basis_of(), verdict="deny")
    assert _codes(_admit(ledger)) == {"LF4506", "LF4509"}
    assert _codes(_admit(ledger, basis="ff" * 32)) == {"LF4506", "LF4509"}
    ledger.approve(RELEASE, "bob", basis=basis_of())
    assert _admit(ledger).admitted


def test_a_denial_by_somebody_without_the_role_stops_nothing(ledger: Ledger) -> None:
    ledger.approve(RELEASE, "bob", basis=basis_of())
    ledger.approve(RELEASE, "dora", basis=basis_of(), verdict="deny")
    assert _admit(ledger).admitted


def test_a_denial_by_somebody_else_blocks_too(ledger: Ledger) -> None:
    ledger.approve(RELEASE, "bob", basis=basis_of())
    ledger.person("carla", "approver")
    ledger.approve(RELEASE, "carla", basis=basis_of(), verdict="deny")
    assert _codes(_admit(ledger)) == {"LF4509"}


def test_a_denied_release_is_not_admitted(ledger: Ledger) -> None:
    ledger.approve(RELEASE, "bob", basis=basis_of())
    assert _codes(_admit(ledger, allowed=False)) == {"LF4501"}


def test_no_step_is_left_out(ledger: Ledger) -> None:
    ledger.approve(RELEASE, "bob", basis=basis_of(), environment="production")
    assert _codes(_admit(ledger, "production")) == {"LF4508"}
    assert "LF4507" in _codes(_admit(ledger, "moon"))


def test_an_unregistered_release_is_not_admitted() -> None:
    realm = Ledger()
    realm.person("alice", "author")
    assert _codes(_admit(realm, "development")) == {"LF4502"}


def test_a_revoked_release_is_not_admitted(ledger: Ledger) -> None:
    ledger.revoke(RELEASE.digest, "bob")
    assert _codes(_admit(ledger, "development")) == {"LF4503"}


def test_a_version_is_used_once(ledger: Ledger) -> None:
    assert _codes(_admit(ledger, "development", release="ab" * 32)) == {"LF4502", "LF4504"}


def test_a_personal_realm_counts_for_development_only() -> None:
    realm = Ledger(kind=RealmKind.PERSONAL)
    realm.person("alice", "author")
    realm.register(RELEASE, "alice")
    realm.promote(RELEASE, decision=realm.decide(RELEASE, "development"))
    assert _admit(realm, "development").separation == "none"
    assert _codes(_admit(realm)) == {"LF4505"}


def test_a_producer_is_no_person(ledger: Ledger) -> None:
    ledger.person("ci", "approver", duty=Duty.PRODUCER)
    ledger.approve(RELEASE, "ci", basis=basis_of())
    assert _codes(_admit(ledger)) == {"LF4506"}


def test_authors_are_those_who_signed_and_registered(ledger: Ledger) -> None:
    assert authors(ledger.state(), RELEASE.digest) == {"p-alice"}
    ledger.register(RELEASE, "dora")
    assert authors(ledger.state(), RELEASE.digest) == {"p-alice", "p-dora"}


def _approval(**changes: str) -> Approval:
    given = {"environment": "staging", "expires": rfc3339(NOW + 200_000), "factor": "key", **changes}
    return Approval(
        release=RELEASE.digest,
        name=RELEASE.name,
        basis=basis_of(),
        verdict="approve",
        nonce="ab" * 16,
        **given,
    )


def _prospect(realm: Ledger, name: str, **changes: str) -> Prospect:
    state = realm.state()
    key = state.people()[f"p-{name}"]
    return prospect(state=state, approval=_approval(**changes), key=key, now=NOW + 3600)


def _set_ladder(realm: Ledger, **changes: object) -> None:
    steps = tuple(replace(step, **changes) if step.name == "staging" else step for step in LADDER)  # type: ignore[arg-type]
    digest = realm.add(LadderChange("acme", steps, "", realm.root).statement(), "bob")
    realm.review(digest, "dora")
    assert realm.state().environment("staging") == steps[1]


def test_what_would_become_of_an_approval(ledger: Ledger) -> None:
    assert _prospect(ledger, "bob") == Prospect("", NOW + 3600)
    assert "author" in _prospect(ledger, "alice").why
    assert "does not hold a role of the quorum (approver)" in _prospect(ledger, "dora").why
    assert "expired" in _prospect(ledger, "bob", expires=rfc3339(NOW)).why
    assert "no environment" in _prospect(ledger, "bob", environment="moon").why


def test_a_weak_factor_is_told_before(ledger: Ledger) -> None:
    _set_ladder(ledger, factor="key+totp")
    ledger.person("carol", "approver")
    assert "asks for the factor key+totp" in _prospect(ledger, "carol").why
    assert "changed" not in _prospect(ledger, "carol", factor="key+totp").why


def _present() -> Ledger:
    """Staging asks for presence; carol is an approver who changed nothing."""
    realm = Ledger()
    for name, *roles in (("alice", "author"), ("bob", "approver"), ("carol", "approver"), ("dora", "author")):
        realm.person(name, *roles)
    realm.register(RELEASE, "alice")
    realm.promote(RELEASE, decision=realm.decide(RELEASE, "development"))
    _set_ladder(realm, step_up_s=600)
    return realm


def test_a_proof_of_presence_is_demanded() -> None:
    ledger = _present()
    bare = _prospect(ledger, "carol")
    assert bare.absent
    assert "within 10 minutes before the approval, and a bare key shows none" in bare.why
    old = _prospect(ledger, "carol", factor="key+totp", proved=rfc3339(NOW + 3600 - 601))
    assert (old.absent, "601 seconds old" in old.why) == (True, True)
    fresh = {"factor": "key+totp", "proved": rfc3339(NOW + 3600 - 600)}
    assert _prospect(ledger, "carol", **fresh) == Prospect("", NOW + 3600)
    # Who would not count anyhow hears that, and is not sent for a code.
    assert not _prospect(ledger, "dora").absent


def test_without_a_proof_of_presence_an_approval_does_not_count() -> None:
    ledger = _present()
    first = _admit(ledger)
    assert (_codes(first), first.step_up_s, first.open) == ({"LF4506"}, 600, (("approver", 1),))
    assert "--totp CODE" in first.obstacles[0].fix
    bare = ledger.approve(RELEASE, "carol", basis=basis_of())
    admission = _admit(ledger)
    assert [o.code for o in admission.obstacles] == ["LF4513", "LF4506"]
    assert "p-carol" in admission.obstacles[0].message
    assert dict(admission.ignored)[bare].startswith("staging asks for a proof of presence within 10 minutes")
    # It is the time of the log that counts, whatever the time of the promotion.
    at = next(r.logged_at for r in ledger.state().records if r.digest == bare)
    good = ledger.approve(RELEASE, "carol", basis=basis_of(), factor="key+totp", proved=rfc3339(at - 60))
    assert _admit(ledger, now=NOW + 80_000).approvals == (good,)


def test_in_a_small_team_an_author_is_told_from_when_it_counts(ledger: Ledger) -> None:
    _set_ladder(ledger, mode=Mode.SMALL_TEAM)
    assert _prospect(ledger, "alice") == Prospect("", NOW + 3600 + COOL_OFF_S)
    assert "expired" in _prospect(ledger, "alice", expires=rfc3339(NOW + 7200)).why
    assert "quorum" in _prospect(ledger, "dora").why


def test_a_prospect_is_what_happens(ledger: Ledger) -> None:
    """For each person: an approval that would count does count, one that would not does not."""
    for name in ("alice", "bob", "dora"):
        digest = ledger.approve(RELEASE, name, basis=basis_of(), expires=rfc3339(NOW + 200_000))
        admission = _admit(ledger, requester="")
        assert (digest in admission.counted) == (not _prospect(ledger, name).why), name
