"""Keys that are replaced: what the old one signed stays, what it signs from now on has no effect."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lockflight.core.attest.acts import Scope
from lockflight.core.attest.trust import Duty, Grant, RealmKey, root_digest
from lockflight.core.facts.precedents import precedents
from lockflight.core.times import rfc3339
from lockflight.signing.keys import generate
from tests.factories import NOW, basis_of, release, result
from tests.live_ledger import LiveLedger

ENGINES = ((("name", "regorus"), ("sha256", "aa"), ("version", "1")),)


@pytest.fixture
def ledger() -> LiveLedger:
    made = LiveLedger()
    made.person("alice", "author")
    made.person("bob", "approver")
    made.person("carol", "approver")
    made.register(release(version="0"), "alice")
    return made


def code(ledger: LiveLedger, digest: str) -> str:
    state = ledger.state()
    found = [r for r in state.records if r.digest == digest]
    return found[-1].code


def turn(ledger: LiveLedger, duty: Duty, *, by: str = "root", name: str = "", der: bytes = b"") -> str:
    """A trust statement with another key for a duty; the old signer stays known as `old-DUTY`."""
    old = ledger.state().trust
    fresh = generate()
    keys = tuple(RealmKey(der or fresh.public_der, duty) if k.duty is duty else k for k in old.keys)
    digest = ledger.add(
        replace(
            old, keys=keys, prev=root_digest(old.statement().payload()), name=name or old.name
        ).statement(),
        by,
    )
    if not code(ledger, digest):
        ledger.keys[f"old-{duty.value}"] = ledger.keys[duty.value]
        if not der:
            ledger.keys[duty.value] = fresh
    return digest


def test_the_old_gate_key_decides_nothing_more(ledger: LiveLedger) -> None:
    what = release()
    before = ledger.promote(what, decision=ledger.decide(what, "development"))
    assert not code(ledger, turn(ledger, Duty.GATE))
    late = ledger.decide(what, "staging", signer="old-gate")
    assert code(ledger, late) == "LF7244"
    fresh = ledger.decide(what, "staging")
    assert not code(ledger, fresh)
    assert (
        code(ledger, ledger.promote(what, decision=fresh, environment="staging", signer="old-gate"))
        == "LF7244"
    )
    yes = ledger.approve(what, "bob", basis=basis_of())
    moved = ledger.promote(what, decision=fresh, environment="staging", approvals=(yes,))
    assert not code(ledger, before)
    assert not code(ledger, moved)
    assert ledger.state().slot("bot", "development").current is not None


def test_a_decision_before_the_rotation_still_moves_unless_its_key_was_revoked(ledger: LiveLedger) -> None:
    what = release()
    first = ledger.decide(what, "development")
    turn(ledger, Duty.GATE)
    assert not code(ledger, ledger.promote(what, decision=first))
    other = release(version="2")
    turn(ledger, Duty.GATE)
    ledger.register(other, "alice")
    second = ledger.decide(other, "development")
    turn(ledger, Duty.GATE)
    assert not code(ledger, ledger.revoke(ledger.keys["old-gate"].keyid, "bob", scope=Scope.KEY))
    assert code(ledger, ledger.promote(other, decision=second)) == "LF7253"


def test_evidence_of_the_old_producer_counts_until_its_key_is_revoked(ledger: LiveLedger) -> None:
    what = release()
    scan = ledger.scan(what, result())
    turn(ledger, Duty.PRODUCER)
    assert not code(ledger, scan)
    assert code(ledger, ledger.scan(what, result(), signer="old-producer")) == "LF7244"
    assert not code(ledger, ledger.scan(what, result()))
    old = ledger.keys["old-producer"].keyid
    assert old not in ledger.state().revoked_keys
    assert not code(ledger, ledger.revoke(old, "bob", scope=Scope.KEY))
    assert old in ledger.state().revoked_keys


def test_the_old_root_signs_nothing_more(ledger: LiveLedger) -> None:
    stale = ledger.state().trust
    assert not code(ledger, turn(ledger, Duty.ROOT))
    assert code(ledger, turn(ledger, Duty.GATE, by="old-root")) == "LF7244"
    grant = Grant(RealmKey(generate().public_der, Duty.PERSON, "p-dora", ("approver",)), realm=ledger.root)
    assert code(ledger, ledger.add(grant.statement(), "old-root")) == "LF7244"
    assert code(ledger, ledger.add(stale.statement(), "root")) == "LF7246"
    assert not code(ledger, turn(ledger, Duty.GATE))


def test_a_trust_statement_counts_once(ledger: LiveLedger) -> None:
    digest = turn(ledger, Duty.GATE)
    entry = ledger.entries[-1]
    turn(ledger, Duty.PRODUCER)
    assert entry.envelope is not None
    ledger.add_envelope(entry.envelope, ledger.keys["root"].public_der)
    assert ledger.state().records[-1].digest == digest
    assert ledger.state().records[-1].code == "LF7257"


@pytest.mark.parametrize("by", ["gate", "producer", "alice"])
def test_only_the_root_key_replaces(ledger: LiveLedger, by: str) -> None:
    assert code(ledger, turn(ledger, Duty.GATE, by=by)) == "LF7245"


@pytest.mark.parametrize("duty", [Duty.LOG, Duty.CLOCK])
def test_log_and_clock_stay(ledger: LiveLedger, duty: Duty) -> None:
    assert code(ledger, turn(ledger, duty)) == "LF7246"


@pytest.mark.parametrize("whose", ["alice", "left"])
def test_a_persons_key_never_becomes_the_gates(ledger: LiveLedger, whose: str) -> None:
    der = ledger.keys["alice"].public_der
    if whose == "left":
        held = ledger.state().people()["p-alice"]
        ledger.grant(replace(held, der=generate().public_der), by="bob", consent="carol")
        assert ledger.state().keys.get(ledger.keys["alice"].keyid) is None
    assert code(ledger, turn(ledger, Duty.GATE, der=der)) == "LF7247"


def test_a_key_that_was_replaced_never_comes_back(ledger: LiveLedger) -> None:
    der = ledger.keys["gate"].public_der
    turn(ledger, Duty.GATE)
    for duty in (Duty.GATE, Duty.PRODUCER):
        assert code(ledger, turn(ledger, duty, der=der)) == "LF7247"
    held = ledger.state().people()["p-alice"]
    head = ledger.state().grant_heads["p-alice"]
    wanted = Grant(replace(held, der=der), prev=head, realm=ledger.root)
    assert code(ledger, ledger.add(wanted.statement(), "bob")) == "LF7247"


def test_a_revoked_key_is_not_named_again(ledger: LiveLedger) -> None:
    fresh = generate()
    ledger.revoke(fresh.keyid, "bob", scope=Scope.KEY)
    assert code(ledger, turn(ledger, Duty.GATE, der=fresh.public_der)) == "LF7247"


def test_a_policy_is_proven_again_after_a_rotation(ledger: LiveLedger) -> None:
    """ADR 16: a precedent is the word of the gate key in force; another one proves for itself."""
    what = release()
    ledger.decide(what, "development", engines=ENGINES, version="1")
    assert precedents(ledger.state(), "1")
    turn(ledger, Duty.GATE)
    assert not precedents(ledger.state(), "1")
    ledger.decide(what, "development", engines=ENGINES, version="1")
    assert precedents(ledger.state(), "1")


def test_nothing_new_counts_after_the_trust_ended_until_the_root_renews(ledger: LiveLedger) -> None:
    what = release()
    old = ledger.state().trust
    ends = replace(old, expires=rfc3339(NOW + 100), prev=root_digest(old.statement().payload()))
    assert not code(ledger, ledger.add(ends.statement(), "root"))
    before = ledger.decide(what, "development")
    ledger.clock = 100
    assert code(ledger, ledger.decide(what, "development")) == "LF7270"
    assert code(ledger, ledger.revoke("ab" * 32, "bob")) == "LF7270"
    assert not code(ledger, before)
    now = ledger.state().trust
    longer = replace(now, expires="", prev=root_digest(now.statement().payload()))
    assert not code(ledger, ledger.add(longer.statement(), "root"))
    assert not code(ledger, ledger.decide(what, "development"))


def own_rotation(ledger: LiveLedger, **changes: object) -> str:
    held = ledger.state().people()["p-alice"]
    ledger.keys["alice-2"] = generate()
    wanted = replace(held, der=ledger.keys["alice-2"].public_der, **changes)
    head = ledger.state().grant_heads["p-alice"]
    return ledger.add(Grant(wanted, prev=head, realm=ledger.root).statement(), "alice")


def test_people_ask_for_another_key_of_their_own_and_an_admin_consents(ledger: LiveLedger) -> None:
    asked = own_rotation(ledger)
    assert not code(ledger, asked)
    assert not code(ledger, ledger.register(release(version="2"), "alice")), "the old key counts until then"
    assert code(ledger, ledger.review(asked, "alice")) == "LF7266"
    assert not code(ledger, ledger.review(asked, "bob"))
    assert code(ledger, ledger.register(release(version="3"), "alice")) == "LF7244"
    assert not code(ledger, ledger.register(release(version="3"), "alice-2"))


def test_another_author_cannot_consent_to_it(ledger: LiveLedger) -> None:
    ledger.person("eve", "author", consent="carol")
    assert code(ledger, ledger.review(own_rotation(ledger), "eve")) == "LF7256"


@pytest.mark.parametrize(
    "changes",
    [
        {"roles": ("author", "approver")},
        {"expires": rfc3339(NOW + 10**6)},
        {"owner": "p-bob"},
        {"profile": "ab" * 32},
        {"duty": Duty.PRODUCER},
    ],
    ids=min,
)
def test_nothing_but_the_key_is_asked_for_in_that_way(ledger: LiveLedger, changes: dict[str, object]) -> None:
    assert code(ledger, own_rotation(ledger, **changes)) == "LF7256"


def test_a_key_that_was_replaced_is_revoked_with_what_it_signed(ledger: LiveLedger) -> None:
    ledger.review(own_rotation(ledger), "bob")
    old = ledger.keys["alice"].keyid
    assert not code(ledger, ledger.revoke(old, "bob", scope=Scope.KEY))
    state = ledger.state()
    assert old in state.revoked_keys
    assert state.people()["p-alice"].keyid == ledger.keys["alice-2"].keyid


def test_who_consents_to_a_key_is_approved_as_before(ledger: LiveLedger) -> None:
    """Roles that somebody else gave owe them something for a week; a key of one's own does not."""
    held, head = ledger.state().people()["p-bob"], ledger.state().grant_heads["p-bob"]
    ledger.keys["bob-2"] = generate()
    fresh = replace(held, der=ledger.keys["bob-2"].public_der)
    asked = ledger.add(Grant(fresh, prev=head, realm=ledger.root).statement(), "bob")
    assert not code(ledger, ledger.review(asked, "alice"))
    what = release()
    assert not code(ledger, ledger.promote(what, decision=ledger.decide(what, "development")))
    decision = ledger.decide(what, "staging")
    yes = ledger.approve(what, "bob-2", basis=basis_of())
    assert not code(ledger, ledger.promote(what, decision=decision, environment="staging", approvals=(yes,)))


def test_who_gave_somebody_a_key_owes_and_is_owed(ledger: LiveLedger) -> None:
    held, head = ledger.state().people()["p-bob"], ledger.state().grant_heads["p-bob"]
    ledger.keys["bob-2"] = generate()
    fresh = replace(held, der=ledger.keys["bob-2"].public_der)
    asked = ledger.add(Grant(fresh, prev=head, realm=ledger.root).statement(), "carol")
    assert not code(ledger, ledger.review(asked, "alice"))
    what = release()
    ledger.promote(what, decision=ledger.decide(what, "development"))
    decision = ledger.decide(what, "staging")
    yes = ledger.approve(what, "bob-2", basis=basis_of())
    assert (
        code(ledger, ledger.promote(what, decision=decision, environment="staging", approvals=(yes,)))
        == "LF7260"
    )
