"""The fold: what counts, what does not, and why."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lockflight.core.attest.acts import Action, Scope
from lockflight.core.attest.scanfact import parse_scan
from lockflight.core.attest.trust import Duty, Grant, RealmKey
from lockflight.core.fold.run import fold
from lockflight.core.state.state import FoldEntry
from lockflight.core.words import Role
from lockflight.errors import VerificationFailed
from lockflight.signing.keys import ED25519, P256, generate
from lockflight.signing.oms import sign_payload
from tests.factories import Ledger, asset, basis_of, release


@pytest.fixture
def ledger() -> Ledger:
    """A team realm with alice (author) and bob (approver), and a registered release."""
    realm = Ledger()
    realm.person("alice", "author")
    realm.person("bob", "approver")
    return realm


def _why(ledger: Ledger, digest: str) -> str:
    return ledger.state().by_digest[digest].code


def test_an_empty_log_has_no_root() -> None:
    with pytest.raises(VerificationFailed) as caught:
        fold("00" * 32, [])
    assert caught.value.code == "LF7230"


def test_another_root_than_the_pinned_is_refused(ledger: Ledger) -> None:
    with pytest.raises(VerificationFailed) as caught:
        fold("00" * 32, ledger.entries)
    assert caught.value.code == "LF7230"


def test_an_erased_root_is_refused(ledger: Ledger) -> None:
    entries = [replace(ledger.entries[0], envelope=None), *ledger.entries[1:]]
    with pytest.raises(VerificationFailed) as caught:
        fold(ledger.root, entries)
    assert caught.value.code == "LF7230"


def test_a_root_signed_by_another_key_is_refused(ledger: Ledger) -> None:
    other = Ledger()
    other.keys["root"] = generate(P256)
    other.entries.clear()
    other.add(ledger.trust.statement(), "root")
    with pytest.raises(VerificationFailed) as caught:
        fold(ledger.root, other.entries)
    assert caught.value.code == "LF7230"


def test_a_gap_in_the_sequence_is_refused(ledger: Ledger) -> None:
    with pytest.raises(VerificationFailed) as caught:
        fold(ledger.root, [ledger.entries[0], ledger.entries[2]])
    assert caught.value.code == "LF7231"


def test_people_are_folded_with_their_roles(ledger: Ledger) -> None:
    people = ledger.state().people()
    assert people["p-bob"].roles == ("approver",)
    assert not ledger.state().ineffective


def test_a_stranger_has_no_say(ledger: Ledger) -> None:
    ledger.keys["mallory"] = generate(P256)
    digest = ledger.scan(release(), signer="mallory")
    assert _why(ledger, digest) == "LF7244"
    assert not ledger.state().scans


@pytest.mark.parametrize("signer", ["gate", "alice", "root"])
def test_evidence_by_a_key_of_another_duty_does_not_count(ledger: Ledger, signer: str) -> None:
    assert _why(ledger, ledger.scan(release(), signer=signer)) == "LF7245"


@pytest.mark.parametrize(
    ("signer", "code"), [("producer", "LF7245"), ("alice", "LF7256"), ("gate", "LF7245")]
)
def test_who_may_not_grant(ledger: Ledger, signer: str, code: str) -> None:
    key = RealmKey(generate(P256).public_der, Duty.PERSON, "p-eve", ("approver",))
    digest = ledger.add(Grant(key, realm=ledger.root).statement(), signer)
    assert _why(ledger, digest) == code
    assert "p-eve" not in ledger.state().people()


def test_grants_count_only_from_their_index_on() -> None:
    realm = Ledger()
    early = generate(P256)
    realm.keys["ci"] = early
    before = realm.scan(release(), signer="ci")
    realm.grant(RealmKey(early.public_der, Duty.PRODUCER, "p-ci"))
    after = realm.scan(release(version="2"), signer="ci")
    assert _why(realm, before) == "LF7244"
    assert not _why(realm, after)


def test_a_withdrawn_key_stops_counting_and_its_past_stays(ledger: Ledger) -> None:
    before = ledger.register(release(), "alice")
    ledger.grant(ledger.state().people()["p-alice"], withdrawn=True)
    after = ledger.register(release(version="2"), "alice")
    assert not _why(ledger, before)
    assert _why(ledger, after) == "LF7244"


def test_a_grant_must_follow_the_newest(ledger: Ledger) -> None:
    state = ledger.state()
    key = replace(state.people()["p-alice"], roles=("approver",))
    digest = ledger.add(Grant(key, prev="", realm=ledger.root).statement(), "root")
    assert _why(ledger, digest) == "LF7246"
    assert ledger.state().people()["p-alice"].roles == ("author",)


def test_one_key_belongs_to_one_principal(ledger: Ledger) -> None:
    key = replace(ledger.state().people()["p-alice"], principal="p-alter-ego", roles=("approver",))
    digest = ledger.add(Grant(key, realm=ledger.root).statement(), "root")
    assert _why(ledger, digest) == "LF7247"


def test_withdrawing_what_is_not_held(ledger: Ledger) -> None:
    key = RealmKey(generate(P256).public_der, Duty.PERSON, "p-nobody")
    assert (
        _why(ledger, ledger.add(Grant(key, withdrawn=True, realm=ledger.root).statement(), "root"))
        == "LF7247"
    )


def test_a_registration_needs_its_signature_in_the_log(ledger: Ledger) -> None:
    first = ledger.register(release(), "alice")
    registration = ledger.state().by_digest[first].statement
    assert registration is not None
    forged = replace(registration, predicate={**registration.predicate, "signature": "ab" * 32})
    assert _why(ledger, ledger.add(forged, "alice")) == "LF7248"
    other = ledger.register(release(version="2"), "alice")
    body = ledger.state().by_digest[other].statement
    assert body is not None
    swapped = replace(
        registration, predicate={**registration.predicate, "signature": body.predicate["signature"]}
    )
    assert _why(ledger, ledger.add(swapped, "alice")) == "LF7248"


def test_evidence_is_found_by_its_subject(ledger: Ledger) -> None:
    what = release()
    ledger.scan(what)
    [record] = ledger.state().scans[what.asset("model.safetensors").sha256]  # type: ignore[union-attr]
    assert record.statement is not None
    assert parse_scan(record.statement).check == "models"


def test_a_malformed_predicate_has_no_effect(ledger: Ledger) -> None:
    digest = ledger.scan(release())
    statement = ledger.state().by_digest[digest].statement
    assert statement is not None
    bad = replace(statement, predicate={**statement.predicate, "grain": "universe"})
    assert _why(ledger, ledger.add(bad, "producer")) == "LF7242"


@pytest.mark.parametrize("signer", ["producer", "stranger"])
def test_an_altered_or_missing_envelope_matters_if_its_signer_does(ledger: Ledger, signer: str) -> None:
    ledger.keys["stranger"] = generate(P256)
    ledger.scan(release(), signer=signer)
    last = ledger.entries[-1]
    for envelope, code in ((ledger.entries[0].envelope, "LF7241"), (b"{", "LF7241"), (None, "LF7240")):
        ledger.entries[-1] = replace(last, envelope=envelope)
        if signer == "stranger":
            assert ledger.state().records[-1].code == "LF7240"
            continue
        with pytest.raises(VerificationFailed) as caught:
            ledger.state()
        assert caught.value.code == code


def test_a_leaf_of_another_envelope_is_refused(ledger: Ledger) -> None:
    ledger.scan(release())
    last = ledger.entries[-1]
    ledger.entries[-1] = FoldEntry(
        last.index, ledger.entries[0].leaf, last.digest, last.envelope, last.logged_at
    )
    with pytest.raises(VerificationFailed) as caught:
        ledger.state()
    assert caught.value.code == "LF7241"


def test_a_leaf_that_does_not_read_has_no_effect(ledger: Ledger) -> None:
    ledger.scan(release())
    ledger.entries[-1] = replace(ledger.entries[-1], leaf=b"{}")
    assert ledger.state().records[-1].code == "LF7240"
    assert not ledger.state().scans


def test_a_signature_of_another_key_has_no_effect(ledger: Ledger) -> None:
    envelope = sign_payload(b"{}", ledger.keys["alice"])
    forged = replace(envelope, keyid=ledger.keys["bob"].keyid)
    ledger.add_envelope(forged.encode(), ledger.keys["bob"].public_der)
    assert ledger.state().records[-1].code == "LF7164"


def test_promotion_up_the_slot(ledger: Ledger) -> None:
    what = release()
    ledger.register(what, "alice")
    decision = ledger.decide(what, "development")
    ledger.promote(what, decision=decision)
    slot = ledger.state().slot("bot", "development")
    assert slot.current is not None
    assert slot.current.release == what.digest
    assert ledger.state().versions[("bot", "1.0.0")] == what.digest


def test_promotions_by_another_key_than_the_gates_do_nothing(ledger: Ledger) -> None:
    what = release()
    decision = ledger.decide(what, "development")
    for signer in ("alice", "producer", "root"):
        digest = ledger.promote(what, decision=decision, signer=signer)
        assert _why(ledger, digest) == "LF7245"
    assert ledger.state().slot("bot", "development").current is None


def test_a_promotion_needs_an_allowing_decision_for_just_that(ledger: Ledger) -> None:
    what = release()
    denied = ledger.decide(what, "development", allow=False)
    elsewhere = ledger.decide(what, "staging")
    other = ledger.decide(release(version="2"), "development")
    for decision in (denied, elsewhere, other, "", "ab" * 32):
        assert _why(ledger, ledger.promote(what, decision=decision)) == "LF7253"


def test_a_promotion_must_follow_the_slots_head(ledger: Ledger) -> None:
    first, second = release(), release(version="2")
    for what in (first, second):
        ledger.register(what, "alice")
    ledger.promote(first, decision=ledger.decide(first, "development"))
    late = ledger.promote(second, decision=ledger.decide(second, "development"), prev="")
    assert _why(ledger, late) == "LF7246"


def test_a_promotion_counts_only_approvals_of_its_own_decision(ledger: Ledger) -> None:
    what = release()
    ledger.promote(what, decision=ledger.decide(what, "development"))
    decision = ledger.decide(what, "staging")
    wrong = ledger.approve(what, "bob", basis="bb" * 32)
    elsewhere = ledger.approve(what, "bob", basis=basis_of(), environment="production")
    denial = ledger.approve(what, "bob", basis=basis_of(), verdict="deny")
    other = ledger.approve(release(version="2"), "bob", basis=basis_of())
    for approval in (wrong, elsewhere, denial, other, "cc" * 32):
        digest = ledger.promote(what, decision=decision, environment="staging", approvals=(approval,))
        assert _why(ledger, digest) == "LF7254"
    good = ledger.approve(what, "bob", basis=basis_of())
    assert not _why(ledger, ledger.promote(what, decision=decision, environment="staging", approvals=(good,)))


def test_an_unknown_environment_or_requester_does_nothing(ledger: Ledger) -> None:
    what = release()
    decision = ledger.decide(what, "development")
    assert _why(ledger, ledger.promote(what, decision=decision, requester="p-nobody")) == "LF7255"
    assert _why(ledger, ledger.promote(what, decision=decision, environment="moon", prev="")) == "LF7249"


def test_a_name_and_version_belong_to_one_release(ledger: Ledger) -> None:
    first = release()
    second = release(asset("extra.py", Role.CODE, b"more"))
    ledger.promote(first, decision=ledger.decide(first, "development"))
    late = ledger.promote(second, decision=ledger.decide(second, "development"))
    assert _why(ledger, late) == "LF7250"


def test_rollback_and_retire(ledger: Ledger) -> None:
    first, second, never = release(), release(version="2"), release(version="3")
    for what in (first, second):
        ledger.promote(what, decision=ledger.decide(what, "development"))
    assert not _why(ledger, ledger.promote(first, decision="", action=Action.ROLLBACK))
    assert ledger.state().slot("bot", "development").current.release == first.digest  # type: ignore[union-attr]
    assert _why(ledger, ledger.promote(never, decision="", action=Action.ROLLBACK)) == "LF7251"
    assert _why(ledger, ledger.promote(second, decision="", action=Action.RETIRE)) == "LF7251"
    assert not _why(ledger, ledger.promote(first, decision="", action=Action.RETIRE))
    assert ledger.state().slot("bot", "development").current is None


def test_a_revoked_release_goes_nowhere_and_can_be_retired(ledger: Ledger) -> None:
    what = release()
    ledger.promote(what, decision=ledger.decide(what, "development"))
    ledger.revoke(what.digest, "bob")
    assert (
        _why(ledger, ledger.promote(what, decision=ledger.decide(what, "staging"), environment="staging"))
        == "LF7252"
    )
    assert not _why(ledger, ledger.promote(what, decision="", action=Action.RETIRE))
    assert _why(ledger, ledger.promote(what, decision="", action=Action.ROLLBACK)) == "LF7252"


def test_who_may_revoke(ledger: Ledger) -> None:
    assert _why(ledger, ledger.revoke("ab" * 32, "alice")) == "LF7256"
    assert not _why(ledger, ledger.revoke("ab" * 32, "bob"))


def test_a_revoked_key_stops_counting(ledger: Ledger) -> None:
    ledger.revoke(ledger.keys["alice"].keyid, "bob", scope=Scope.KEY)
    assert _why(ledger, ledger.register(release(), "alice")) == "LF7243"


def test_the_realms_own_keys_are_not_revoked_by_people(ledger: Ledger) -> None:
    digest = ledger.revoke(ledger.keys["gate"].keyid, "bob", scope=Scope.KEY)
    assert _why(ledger, digest) == "LF7256"


def test_trust_is_replaced_only_by_root_and_in_order(ledger: Ledger) -> None:
    old = ledger.trust
    gate = generate(P256)
    keys = tuple(RealmKey(gate.public_der, Duty.GATE) if k.duty is Duty.GATE else k for k in old.keys)
    wrong = ledger.add(replace(old, keys=keys, prev="ab" * 32).statement(), "root")
    assert _why(ledger, wrong) == "LF7246"
    renamed = ledger.add(replace(old, keys=keys, prev=ledger.root, name="evil").statement(), "root")
    assert _why(ledger, renamed) == "LF7246"
    assert not _why(ledger, ledger.add(replace(old, keys=keys, prev=ledger.root).statement(), "root"))
    assert _why(ledger, ledger.decide(release(), "development")) == "LF7244"
    ledger.keys["gate"] = gate
    assert not _why(ledger, ledger.decide(release(), "development"))


def test_unversioned_builds_share_their_version(ledger: Ledger) -> None:
    for extra in (b"1", b"2"):
        what = release(asset("extra.py", Role.CODE, extra), version="dev")
        assert not _why(ledger, ledger.promote(what, decision=ledger.decide(what, "development")))


def test_a_refused_promotion_takes_no_version(ledger: Ledger) -> None:
    first, second = release(), release(asset("extra.py", Role.CODE, b"more"))
    ledger.revoke(first.digest, "bob")
    assert _why(ledger, ledger.promote(first, decision=ledger.decide(first, "development"))) == "LF7252"
    assert not _why(ledger, ledger.promote(second, decision=ledger.decide(second, "development")))


def test_a_revoked_asset_takes_every_release_with_it(ledger: Ledger) -> None:
    good = release(version="2", name="bot")
    bad = release(asset("extra.py", Role.CODE, b"bad"))
    for what in (bad, good):
        ledger.register(what, "alice")
        ledger.promote(what, decision=ledger.decide(what, "development"))
    extra = bad.asset("extra.py")
    assert extra is not None
    ledger.revoke(extra.sha256, "bob", scope=Scope.ASSET)
    state = ledger.state()
    assert state.revocation_of(bad.digest) is not None
    assert state.revocation_of(good.digest) is None
    assert _why(ledger, ledger.promote(bad, decision="", action=Action.ROLLBACK)) == "LF7252"
    late = ledger.promote(bad, decision=ledger.decide(bad, "staging"), environment="staging")
    assert _why(ledger, late) == "LF7252"
    other = release(version="3")
    ledger.register(other, "alice")
    ledger.promote(other, decision=ledger.decide(other, "development"))
    assert not _why(ledger, ledger.promote(good, decision="", action=Action.ROLLBACK))


def test_a_statement_of_another_realm_has_no_effect_here(ledger: Ledger) -> None:
    what = release()
    ledger.register(what, "alice")
    elsewhere = "ab" * 32
    here, ledger.root = ledger.root, elsewhere
    approval = ledger.approve(what, "bob", basis=basis_of())
    revocation = ledger.revoke(what.digest, "bob")
    registration = ledger.register(release(version="2"), "alice")
    ledger.root = here
    for digest in (approval, revocation, registration):
        assert _why(ledger, digest) == "LF7259"
    assert ledger.state().revocation_of(what.digest) is None


def test_the_gates_key_alone_moves_nothing_beyond_development(ledger: Ledger) -> None:
    what = release()
    ledger.promote(what, decision=ledger.decide(what, "development"))
    decision = ledger.decide(what, "staging")
    assert _why(ledger, ledger.promote(what, decision=decision, environment="staging")) == "LF7260"
    own = ledger.approve(what, "alice", basis=basis_of())
    assert (
        _why(ledger, ledger.promote(what, decision=decision, environment="staging", approvals=(own,)))
        == "LF7260"
    )
    good = ledger.approve(what, "bob", basis=basis_of())
    skipped = ledger.decide(what, "production")
    assert _why(ledger, ledger.promote(what, decision=skipped, environment="production")) == "LF7260"
    assert (
        _why(ledger, ledger.promote(what, decision=decision, environment="staging", approvals=(good,))) == ""
    )


def test_an_approval_is_used_once(ledger: Ledger) -> None:
    what = release()
    ledger.promote(what, decision=ledger.decide(what, "development"))
    decision = ledger.decide(what, "staging")
    good = ledger.approve(what, "bob", basis=basis_of())
    ledger.promote(what, decision=decision, environment="staging", approvals=(good,))
    ledger.promote(what, decision="", environment="staging", action=Action.RETIRE)
    assert (
        _why(ledger, ledger.promote(what, decision=decision, environment="staging", approvals=(good,)))
        == "LF7260"
    )


def test_the_logs_own_keys_stay(ledger: Ledger) -> None:
    old = ledger.trust
    other = generate(ED25519)
    keys = tuple(RealmKey(other.public_der, Duty.LOG) if k.duty is Duty.LOG else k for k in old.keys)
    digest = ledger.add(replace(old, keys=keys, prev=ledger.root).statement(), "root")
    assert _why(ledger, digest) == "LF7246"


def test_a_realm_for_newer_readers_is_not_guessed_at(ledger: Ledger) -> None:
    ledger.add(replace(ledger.trust, reader=2, prev=ledger.root).statement(), "root")
    with pytest.raises(VerificationFailed) as caught:
        ledger.state()
    assert caught.value.code == "LF7233"


def _key(ledger: Ledger, name: str, owner: str = "", *, duty: Duty = Duty.PERSON) -> RealmKey:
    ledger.keys.setdefault(name, generate(P256))
    return RealmKey(ledger.keys[name].public_der, duty, f"p-{name}", ("approver",), owner=owner)


def test_an_owner_is_a_human_of_their_own(ledger: Ledger) -> None:
    """Through a chain of owners one human would pass for several."""
    ledger.person("carol", "author")
    ledger.scan(release())  # the founding is over
    ledger.grant(_key(ledger, "second", "p-alice"), by="bob", consent="carol")
    assert ledger.state().people()["p-second"].human == "p-alice"
    for name, owner in (("third", "p-second"), ("fourth", "p-fourth"), ("fifth", "p-nobody")):
        digest = ledger.add(Grant(_key(ledger, name, owner), realm=ledger.root).statement(), "bob")
        assert ledger.state().by_digest[digest].code == "LF7247", name
    alice = replace(ledger.state().people()["p-alice"], owner="p-bob")
    head = ledger.state().grant_heads["p-alice"]
    digest = ledger.add(Grant(alice, prev=head, realm=ledger.root).statement(), "bob")
    assert "owns others" in ledger.state().by_digest[digest].reason


def test_machines_go_with_their_owner(ledger: Ledger) -> None:
    ledger.person("carol", "author")
    ledger.scan(release())
    ledger.grant(_key(ledger, "ci", "p-alice", duty=Duty.PRODUCER), by="bob", consent="carol")
    assert any(key.principal == "p-ci" for key in ledger.state().keys.values())
    ledger.grant(ledger.state().people()["p-alice"], withdrawn=True, by="bob", consent="carol")
    assert not any(key.principal == "p-ci" for key in ledger.state().keys.values())
