"""What holders of one valid key could try against the realm: each attempt has no effect."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

from lockflight.core.attest import statement as st
from lockflight.core.attest.acts import Action, Registration, Scope
from lockflight.core.attest.check import Status
from lockflight.core.attest.dsse import decode
from lockflight.core.attest.trust import Duty, Grant, RealmKey
from lockflight.core.facts.admit import admit
from lockflight.core.facts.authors import authors
from lockflight.core.facts.facts import build_facts, missing
from lockflight.core.release.release import Reference, Release, make_release, parse_release
from lockflight.core.times import rfc3339
from lockflight.core.verify.crypto.keys import ORDERS, P256
from lockflight.core.words import Role
from lockflight.errors import VerificationFailed
from lockflight.signing.oms import sign_payload, sign_release
from tests.factories import INFO, NOW, Ledger, asset, basis_of, release, result

if TYPE_CHECKING:
    from lockflight.core.canonical import JsonObject
    from lockflight.core.facts.admit import Admission

RELEASE = release()
BAD = result(summary={"safe": 0, "review": 0, "unknown": 0, "malicious": 1})


@pytest.fixture
def ledger() -> Ledger:
    """A team realm; alice made the release and brought it to development; bob and carol may approve."""
    realm = Ledger()
    realm.person("alice", "author", "approver")
    realm.person("bob", "approver")
    realm.person("carol", "approver")
    realm.register(RELEASE, "alice")
    realm.promote(RELEASE, decision=realm.decide(RELEASE, "development"))
    return realm


def _admit(realm: Ledger, *, requester: str = "p-alice") -> Admission:
    return admit(
        state=realm.state(),
        release=RELEASE.digest,
        name=RELEASE.name,
        version=RELEASE.version,
        environment="staging",
        allowed=True,
        basis=basis_of(),
        requester=requester,
        now=NOW + 3600,
    )


def _facts(realm: Ledger, what: Release = RELEASE, *, now: int = NOW + 3600) -> JsonObject:
    return build_facts(
        release=what, environment="staging", state=realm.state(), checkpoint="1:aa", infos=[INFO], now=now
    )


def _rows(facts: JsonObject) -> list[JsonObject]:
    evidence = facts["evidence"]
    assert isinstance(evidence, dict)
    return evidence.get("scan/models", [])  # type: ignore[return-value]


def _again(realm: Ledger, digest: str, *, twin: bool) -> str:
    """Log an envelope once more: as it is, or with the other form of its ECDSA signature, which needs no key."""
    entry = next(e for e in realm.entries if e.digest == digest)
    assert entry.envelope is not None
    envelope = decode(entry.envelope)
    signer = next(k for k in realm.keys.values() if k.keyid == envelope.keyid)
    if twin:
        r, s = decode_dss_signature(envelope.signature)
        envelope = replace(envelope, signature=encode_dss_signature(r, ORDERS[P256] - s))
    return realm.add_envelope(envelope.encode(), signer.public_der, logged_at=NOW + 3000)


@pytest.mark.parametrize("twin", [False, True])
def test_old_clean_evidence_logged_again_hides_nothing(ledger: Ledger, twin: bool) -> None:
    clean = ledger.scan(RELEASE)
    found = ledger.scan(RELEASE, BAD)
    _again(ledger, clean, twin=twin)
    [row] = _rows(_facts(ledger))
    assert row["digest"] == found


@pytest.mark.parametrize("twin", [False, True])
def test_old_evidence_logged_again_is_no_fresher(ledger: Ledger, twin: bool) -> None:
    index = len(ledger.entries)
    _again(ledger, ledger.scan(RELEASE), twin=twin)
    [row] = _rows(_facts(ledger))
    assert row["age_s"] == 3600 - index


@pytest.mark.parametrize("twin", [False, True])
def test_a_denial_is_not_taken_back_by_repeating_the_approval(ledger: Ledger, twin: bool) -> None:
    yes = ledger.approve(RELEASE, "bob", basis=basis_of())
    ledger.approve(RELEASE, "bob", basis=basis_of(), verdict="deny")
    _again(ledger, yes, twin=twin)
    assert "LF4509" in {o.code for o in _admit(ledger).obstacles}


@pytest.mark.parametrize("scope", [Scope.ASSET, Scope.RELEASE, Scope.KEY])
def test_the_realms_own_keys_survive_whatever_a_revocation_calls_them(ledger: Ledger, scope: Scope) -> None:
    for duty in ("root", "gate", "producer"):
        ledger.revoke(ledger.keys[duty].keyid, "bob", scope=scope)
    ledger.person("dora", "author")
    ledger.promote(RELEASE, decision=ledger.decide(RELEASE, "development"))
    assert "p-dora" in ledger.state().people()
    assert ledger.state().records[-1].effective


def test_a_release_statement_with_a_fraction_stops_nobody_from_reading_the_log(ledger: Ledger) -> None:
    body = RELEASE.payload.replace(b'"size":', b'"size":1.5,"was":', 1)
    ledger.add_envelope(sign_payload(body, ledger.keys["alice"]).encode(), ledger.keys["alice"].public_der)
    for odd in (
        b'{"resources":[]}',
        b'{"resources":[{"digest":7}]}',
        b"[]",
        b'{"resources":[{"annotations":3}]}',
    ):
        body = (
            b'{"_type":"%b","subject":[{"name":"x","digest":{"sha256":"%b"}}],"predicateType":"%b","predicate":%b}'
            % (st.STATEMENT_TYPE.encode(), b"ab" * 32, st.OMS.encode(), odd)
        )
        ledger.add_envelope(
            sign_payload(body, ledger.keys["alice"]).encode(), ledger.keys["alice"].public_der
        )
    ledger.revoke("cd" * 32, "bob", scope=Scope.ASSET)
    state = ledger.state()
    assert state.revocation_of(RELEASE.digest) is None
    assert state.records[-1].effective
    assert RELEASE.digest in state.signatures


def test_an_author_stays_one_when_others_sign_and_register_the_same_release() -> None:
    realm = Ledger()
    for name in ("alice", "bob", "carol"):
        realm.person(name, "author", "approver")
    signature = realm.add_envelope(
        sign_release(RELEASE, realm.keys["alice"]).encode(), realm.keys["alice"].public_der
    )
    laundered = Registration(
        RELEASE.digest,
        RELEASE.name,
        RELEASE.version,
        "classifier",
        "minimal",
        signature,
        RELEASE.oms_root,
        realm.root,
    )
    realm.add(laundered.statement(), "bob")
    realm.register(RELEASE, "carol")
    assert authors(realm.state(), RELEASE.digest) == {"p-alice", "p-bob", "p-carol"}


@pytest.mark.parametrize("expires", ["never", "", "2026-99-99T99:99:99Z", "9999-12-31"])
def test_an_approval_that_never_expires_or_does_not_read_counts_for_nothing(
    ledger: Ledger, expires: str
) -> None:
    ledger.approve(RELEASE, "bob", basis=basis_of(), expires=expires)
    assert {o.code for o in _admit(ledger).obstacles} == {"LF4506"}


def test_an_approval_by_a_key_that_was_revoked_counts_for_nothing(ledger: Ledger) -> None:
    ledger.approve(RELEASE, "bob", basis=basis_of())
    assert _admit(ledger).admitted
    ledger.revoke(ledger.keys["bob"].keyid, "carol", scope=Scope.KEY)
    ledger.person("bob", "approver")
    assert {o.code for o in _admit(ledger).obstacles} == {"LF4506"}


def test_a_revoked_key_is_never_granted_again(ledger: Ledger) -> None:
    stolen = ledger.keys["bob"]
    ledger.revoke(stolen.keyid, "carol", scope=Scope.KEY)
    key = RealmKey(stolen.public_der, Duty.PERSON, "p-bob", ("approver",))
    ledger.add(Grant(key, prev=ledger.heads["p-bob"]).statement(), "root")
    ledger.approve(RELEASE, "bob", basis=basis_of())
    assert not _admit(ledger).admitted


def test_evidence_of_a_producer_whose_key_was_revoked_is_rejected(ledger: Ledger) -> None:
    ledger.person("ci", duty=Duty.PRODUCER)
    digest = ledger.scan(RELEASE, signer="ci")
    ledger.revoke(ledger.keys["ci"].keyid, "bob", scope=Scope.KEY)
    facts = _facts(ledger)
    assert not _rows(facts)
    assert {
        "digest": digest,
        "type": "scan",
        "code": "LF7243",
        "reason": "its key was revoked since",
    } in facts["rejected"]  # type: ignore[operator]
    assert missing(RELEASE, {"models": INFO}, {"models": 10**6}, ledger.state(), NOW + 3600)


def test_one_approver_with_two_keys_or_two_statements_is_one(ledger: Ledger) -> None:
    ledger.approve(RELEASE, "bob", basis=basis_of())
    ledger.person("bob", "approver", consent="carol")
    ledger.approve(RELEASE, "bob", basis=basis_of())
    assert len(_admit(ledger).approvals) == 1
    assert not _admit(ledger, requester="p-bob").admitted


def test_evidence_about_bytes_under_one_name_says_nothing_about_another_name(ledger: Ledger) -> None:
    """`weights.txt` that only a name keeps from being unpickled is safe; the same bytes as `weights.pkl` are not."""
    body = b"cos\nsystem\n(S'id'\ntR"
    harmless = release(asset("weights.txt", Role.MODEL_WEIGHTS, body), version="0.1")
    harmful = release(asset("weights.pkl", Role.MODEL_WEIGHTS, body), version="0.2")
    for what in (RELEASE, harmless):
        for index in range(len(_subjects(what))):
            _scan(ledger, what, index)
    lacking = [
        s.name for _, s in missing(harmful, {"models": INFO}, {"models": 10**6}, ledger.state(), NOW + 60)
    ]
    assert lacking == ["weights.pkl"]
    digest = harmful.asset("weights.pkl")
    assert digest is not None
    assert digest.sha256 not in {row["subject"] for row in _rows(_facts(ledger, harmful))}


@pytest.mark.parametrize("status", [None, Status.INCOMPLETE])
def test_one_name_does_not_vouch_for_its_twin_in_the_same_release(
    ledger: Ledger, status: Status | None
) -> None:
    body = b"cos\nsystem\n(S'id'\ntR"
    what = release(
        asset("a.txt", Role.MODEL_WEIGHTS, body), asset("b.pkl", Role.MODEL_WEIGHTS, body), version="0.3"
    )
    names = [s.name for s in _subjects(what)]
    assert {"a.txt", "b.pkl"} <= set(names)
    _scan(ledger, what, names.index("a.txt"))
    if status is not None:
        _scan(ledger, what, names.index("b.pkl"), status)
    digest = what.asset("a.txt")
    assert digest is not None
    rows = [row for row in _rows(_facts(ledger, what)) if row["subject"] == digest.sha256]
    assert [row["status"] for row in rows] == ([] if status is None else ["incomplete"])


def _subjects(what: Release) -> tuple:  # type: ignore[type-arg]
    from lockflight.core.attest.check import subjects

    return subjects(INFO, what)


def _scan(realm: Ledger, what: Release, index: int, status: Status = Status.COMPLETE) -> str:
    from lockflight.core.attest.scanfact import scan_fact

    fact = scan_fact(INFO, _subjects(what)[index], result(status=status), rfc3339(NOW))
    return realm.add(fact.statement(), "producer")


@pytest.mark.parametrize("which", ["descriptor", "pinned"])
def test_a_revoked_reference_takes_the_release_with_it(which: str) -> None:
    reference = Reference(
        "base", Role.CONTAINER_IMAGE, "oci://example.com/base", digest="sha256:" + "ab" * 32
    )
    what = make_release(
        name="bot",
        version="1",
        kind=RELEASE.kind,
        tier=RELEASE.tier,
        assets=RELEASE.assets,
        references=[reference],
    )
    realm = Ledger()
    realm.person("alice", "author")
    realm.person("bob", "approver")
    realm.register(what, "alice")
    realm.promote(what, decision=realm.decide(what, "development"))
    realm.revoke(reference.sha256 if which == "descriptor" else "ab" * 32, "bob", scope=Scope.ASSET)
    state = _facts(realm, what)["state"]
    assert isinstance(state, dict)
    assert state["revoked"]
    assert realm.state().revocation_of(what.digest)
    digest = realm.promote(what, decision=realm.decide(what, "development"))
    assert realm.state().by_digest[digest].code == "LF7252"


@pytest.mark.parametrize("kind", ["waiver/v1", "revocation/v2", "freeze/v1"])
@pytest.mark.parametrize("signer", ["producer", "bob", "root"])
def test_statements_of_a_later_version_do_not_pass_for_evidence(
    ledger: Ledger, kind: str, signer: str
) -> None:
    statement = st.Statement(st.BASE + kind, (st.SubjectRef("bot", RELEASE.digest),), {})
    digest = ledger.add(statement, signer)
    assert not ledger.state().by_digest[digest].effective


@pytest.mark.parametrize(
    "change", [{"coverage_ppm": -1}, {"coverage_ppm": 2_000_000}, {"summary": {"missing": -2}}]
)
def test_a_result_with_impossible_numbers_is_no_evidence(ledger: Ledger, change: JsonObject) -> None:
    """A negative count of one producer would cancel what another one counted."""
    digest = ledger.scan(RELEASE)
    record = ledger.state().by_digest[digest]
    assert record.statement is not None
    body = record.statement.predicate
    found = body["result"]
    assert isinstance(found, dict)
    forged = replace(record.statement, predicate={**body, "result": {**found, **change}})
    digest = ledger.add(forged, "producer")
    assert ledger.state().by_digest[digest].code == "LF0901"


def test_a_rollback_needs_a_person_who_asked(ledger: Ledger) -> None:
    later = release(version="2")
    ledger.register(later, "alice")
    ledger.promote(later, decision=ledger.decide(later, "development"))
    digest = ledger.promote(RELEASE, decision="", action=Action.ROLLBACK, requester="p-nobody")
    assert ledger.state().by_digest[digest].code == "LF7255"


@pytest.mark.parametrize("name", ["Bot", "b\u043et", "bot\n", "bot\x1b[2J", "", "../bot", "bot "])
def test_a_signed_release_has_a_plain_name_and_version(name: str) -> None:
    """Whoever signs by hand could otherwise open slots that look like those of another project."""
    for odd in (replace(RELEASE, name=name, _cache={}), replace(RELEASE, version=f"{name}\u200b", _cache={})):
        with pytest.raises(VerificationFailed) as caught:
            parse_release(odd.payload)
        assert caught.value.code == "LF7110"


@pytest.mark.parametrize("kind", ["x:\x1b]0;pwned\x07", "x:\u202egnp", "x: y", "x\ny", ""])
def test_a_predicate_type_that_a_terminal_could_obey_is_no_statement(kind: str) -> None:
    statement = st.Statement(kind, (st.SubjectRef("bot", RELEASE.digest),), {})
    with pytest.raises(VerificationFailed) as caught:
        st.parse(statement.payload())
    assert caught.value.code == "LF7130"
