"""What a second pair of eyes tried against the fold, the admission and the gate; each attempt stays without effect."""

from __future__ import annotations

import secrets
from dataclasses import replace
from types import SimpleNamespace

import pytest

from lockflight.app.identity.proposals import describe
from lockflight.core.attest.acts import Action, Approval, Promotion, Registration, Scope
from lockflight.core.attest.changes import (
    DAY,
    Adoption,
    Freeze,
    LadderChange,
    Reach,
    Review,
    Verdict,
    Waiver,
    WaiverKind,
)
from lockflight.core.attest.changes import Scope as Reaches
from lockflight.core.attest.provenance import Authors, Build, Material, Run
from lockflight.core.attest.statement import Statement, SubjectRef
from lockflight.core.attest.trust import LADDER, Duty, Mode, RealmKey, root_digest
from lockflight.core.canonical import dumps
from lockflight.core.facts.authors import authors
from lockflight.core.facts.facts import build_facts, state_fact
from lockflight.core.fold.run import fold
from lockflight.core.gate.gate import basis
from lockflight.core.gate.ruling import Waived
from lockflight.core.gate.vsa import StoredDecision
from lockflight.core.gate.waived import objection
from lockflight.core.release.release import Dependency, make_release
from lockflight.core.state.waivers import waiver_facts
from lockflight.core.times import rfc3339
from lockflight.core.verify.trustchain import trust_in_force
from lockflight.core.words import Kind, Tier
from lockflight.errors import VerificationFailed
from lockflight.scan.table import infos
from lockflight.signing.keys import ED25519, P256, generate
from tests.factories import NOW, basis_of, release
from tests.live_ledger import LiveLedger
from tests.security.test_bypass import WANTED, Move, approve, move, properly


@pytest.fixture
def ledger() -> LiveLedger:
    """A team with a registered release; mallory has every role that one person can have."""
    ledger = LiveLedger()
    ledger.person("alice", "author")
    ledger.person("bob", "approver")
    ledger.person("evan", "approver")
    ledger.person("carol", "releaser", "realm-admin")
    ledger.person("dora", "risk-owner")
    ledger.person("mallory", "author", "approver", "realm-admin", "releaser")
    ledger.person("ci", duty=Duty.PRODUCER)
    ledger.register(WANTED, "alice")
    ledger.clock = 100
    return ledger


def waiver(ledger, who, kind=WaiverKind.BREAK_GLASS, **kw):
    given: dict[str, object] = {
        "kind": kind,
        "name": "bot",
        "rule": "*",
        "term": "",
        "scope": Reaches(Reach.RELEASE, WANTED.digest, "", "staging"),
        "reason": "aa" * 32,
        "ticket": "T",
        "not_before": rfc3339(NOW + ledger.clock),
        "expires": rfc3339(NOW + ledger.clock + 80000),
        "renews": "",
        "nonce": secrets.token_hex(16),
        "realm": ledger.root,
    }
    return ledger.add(Waiver(**{**given, **kw}).statement(), who)


def account(ledger, name, *roles, duty=Duty.PERSON, owner="", consent="bob"):
    """Another key, which carol proposes and somebody consents to."""
    ledger.keys[name] = generate(P256)
    key = RealmKey(ledger.keys[name].public_der, duty, f"p-{name}", roles, owner=owner)
    ledger.grant(key, by="carol", consent=consent)
    return key


def adopt(ledger, who, version="1"):
    """A proposal to adopt a policy."""
    return ledger.add(Adoption("p", version, "cc" * 32, "", (), "", ledger.root).statement(), who)


def deciding(waived):
    """What a gate would say that lets the release into staging with these waivers."""
    return StoredDecision(
        release=WANTED.digest,
        name="bot",
        environment="staging",
        allow=True,
        basis=basis("cc" * 32, (), waived, ()),
        policy="cc" * 32,
        policy_uri="u",
        resource_uri="u",
        verifier="v",
        versions=(),
        time_verified=rfc3339(NOW),
        attestations=(),
        separation="people",
        input_digest="dd" * 32,
        output_digest="ee" * 32,
        engines=(),
        rules=(),
        violations=(),
        warnings=(),
        waived=waived,
        evaluated=(),
        skipped=(),
    )


def forced(ledger, environment, decision, **changes):
    """A promotion that the gate signs for carol whatever it says."""
    promotion = Promotion(
        action=Action.PROMOTE,
        release=WANTED.digest,
        name="bot",
        version=WANTED.version,
        project="bot",
        environment=environment,
        prev="",
        decision=decision,
        approvals=(),
        requester="p-carol",
        realm=ledger.root,
    )
    return ledger.add(replace(promotion, **changes).statement(), "gate")


def facts_of(ledger, environment):
    """What the gate is shown about the release."""
    return build_facts(
        release=WANTED,
        environment=environment,
        state=ledger.state(),
        checkpoint="1:" + "00" * 32,
        infos=infos(),
        now=NOW + 200,
    )


def standing(ledger, digest, *, break_glass=""):
    """What facts say about the standing of a waiver, 300 seconds on."""
    rows = waiver_facts(
        ledger.state(),
        contents=[WANTED.digest],
        project="bot",
        environment="staging",
        now=NOW + 300,
        break_glass=break_glass,
    )
    return next(row["status"] for row in rows if row["digest"] == digest)


# A foreign predicate type that is called "decision".
@pytest.mark.parametrize("kind", ["decision", "scan"])
def test_foreign_type_with_short_name(ledger, kind):
    ledger.add(Statement(kind, (SubjectRef("x", WANTED.assets[0].sha256),), {}), "producer")
    fold(ledger.root, ledger.entries)
    for a in WANTED.assets:
        ledger.add(Statement(kind, (SubjectRef("x", a.sha256),), {}), "producer")
    facts_of(ledger, "development")


def test_promotion_names_another_project(ledger):
    properly(ledger, WANTED, "development")
    decision = ledger.decide(WANTED, "development")
    d = forced(ledger, "development", decision, name="payments", version="9.9.9", project="payments")
    assert ledger.code(d), ledger.state().slot("payments", "development").current


def test_project_freeze_by_other_project(ledger):
    properly(ledger, WANTED, "development")
    d = ledger.add(Freeze(False, "bot", "", "", "", "", ledger.root).statement(), "bob")
    assert not ledger.code(d)
    decision = ledger.decide(WANTED, "development")
    d = forced(ledger, "development", decision, project="bot2")
    assert ledger.code(d)


def test_owner_of_owner(ledger):
    for n, o in (("m1", "p-mallory"), ("m2", "p-m1")):
        account(ledger, n, "approver", owner=o)
    ledger.clock += 8 * DAY
    ledger.register(WANTED, "mallory")
    properly(ledger, WANTED, "development")
    decision = ledger.decide(WANTED, "staging")
    a = approve(ledger, "m2", "staging")
    d = move(ledger, "staging", Move(decision, (a,), requester="p-mallory"))
    assert ledger.code(d), "mallory's second account's second account approved mallory's release"


def test_regrant_changes_owner(ledger):
    k = account(ledger, "m1", "author", "approver", owner="p-evan")
    ledger.register(WANTED, "m1")
    ledger.grant(replace(k, owner=""), by="carol", consent="bob")
    ledger.clock += 8 * DAY
    properly(ledger, WANTED, "development")
    decision = ledger.decide(WANTED, "staging")
    a = approve(ledger, "m1", "staging")
    d = move(ledger, "staging", Move(decision, (a,), requester="p-carol"))
    assert ledger.code(d), "m1 approved what m1 registered"


def test_noop_rollback_washes_policy_author(ledger):
    properly(ledger, WANTED, "development")
    properly(ledger, WANTED, "staging")
    new = release(version="7.0.0")
    ledger.register(new, "alice")
    properly(ledger, new, "development")
    ledger.clock += 10
    d = adopt(ledger, "mallory")
    assert not ledger.code(d)
    r = ledger.review(d, "carol")
    assert not ledger.code(r)
    ledger.clock += 10
    ledger.state().slot("bot", "staging")
    assert "p-mallory" in authors(ledger.state(), new.digest, environment="staging", project="bot")
    d = move(ledger, "staging", Move(requester="p-mallory"), entry="rollback", what=WANTED)
    assert ledger.code(d) == "LF7251"
    ledger.clock += 10
    decision = ledger.decide(new, "staging")
    a = approve(ledger, "mallory", "staging", what=new)
    d = move(ledger, "staging", Move(decision, (a,), requester="p-carol"), what=new)
    assert ledger.code(d), "mallory's policy judged, mallory approved"


def test_denial_washed_by_revocation(ledger):
    properly(ledger, WANTED, "development")
    approve(ledger, "evan", "staging", verdict="deny")
    decision = ledger.decide(WANTED, "staging")
    a = approve(ledger, "bob", "staging")
    d = move(ledger, "staging", Move(decision, (a,), requester="p-carol"))
    assert ledger.code(d)
    ledger.revoke(ledger.state().people()["p-evan"].keyid, "bob", scope=Scope.KEY)
    ledger.clock += 1
    d = move(ledger, "staging", Move(decision, (a,), requester="p-carol"))
    d2 = ledger.decide(WANTED, "staging")
    a = approve(ledger, "bob", "staging")
    d = move(ledger, "staging", Move(d2, (a,), requester="p-carol"))
    assert ledger.code(d), "bob revoked evan's key, and evan's no is gone"


def test_risk_owner_fallback(ledger):
    w = waiver(ledger, "alice", WaiverKind.WAIVER, rule="LF4110")
    assert not ledger.code(w)
    r = ledger.review(w, "bob")
    assert ledger.code(r)
    ledger.revoke(ledger.state().people()["p-dora"].keyid, "bob", scope=Scope.KEY)
    ledger.clock += 1
    r = ledger.add(Review(w, "again", Verdict.CONSENT, "", ledger.root).statement(), "bob")
    assert ledger.code(r), "bob revoked the only risk-owner and took the seat"


def test_break_glass_without_emergency(ledger):
    properly(ledger, WANTED, "development")
    b = waiver(ledger, "alice")
    assert not ledger.code(b)
    r = ledger.review(b, "bob")
    assert not ledger.code(r), ledger.state().records[-1].reason
    status = standing(ledger, b, break_glass=b)
    assert status == "active"
    # a decision that waives by the break-glass
    waived = (Waived("LF4102", "x", "models", b),)
    said = deciding(waived)
    d = ledger.add(said.statement(), "gate")
    a = approve(ledger, "evan", "staging", basis=said.basis)
    m = move(ledger, "staging", Move(d, (a,), requester="p-carol"))
    assert ledger.code(m), f"moved; emergencies {ledger.state().emergencies}"


def test_used_break_glass_still_waives(ledger):
    properly(ledger, WANTED, "development")
    b = waiver(ledger, "alice")
    ledger.review(b, "bob")
    d = ledger.decide(WANTED, "staging")
    m = move(ledger, "staging", Move(d, (), requester="p-carol", break_glass=b))
    assert not ledger.code(m), ledger.state().records[-1].reason
    ledger.review(b, "evan", Verdict.CLOSE)
    status = standing(ledger, b, break_glass=b)
    assert status != "active", "used, and still takes failures away"


def test_forged_waived_row(ledger):
    properly(ledger, WANTED, "development")
    waived = (Waived("LF4102", "x", "models", "ab" * 32),)
    said = deciding(waived)
    d = ledger.add(said.statement(), "gate")
    a = approve(ledger, "evan", "staging", basis=said.basis)
    m = move(ledger, "staging", Move(d, (a,), requester="p-carol"))
    assert ledger.code(m)


def test_nonce_burned_by_another(ledger):
    nonce = secrets.token_hex(16)
    approve(ledger, "alice", "staging", nonce=nonce)
    a = approve(ledger, "bob", "staging", nonce=nonce)
    assert not ledger.code(a)


def test_ineffective_waiver_burns_nonce(ledger):
    w = waiver(
        ledger,
        "alice",
        WaiverKind.WAIVER,
        rule="LF4110",
        nonce="ab" * 16,
        scope=Reaches(Reach.PROJECT, "", "bot", "nowhere"),
    )
    assert ledger.code(w)
    w = waiver(ledger, "dora", WaiverKind.WAIVER, rule="LF4110", nonce="ab" * 16)
    assert not ledger.code(w)


def test_freeze_shortened_then_lifted_alone(ledger):
    f = ledger.add(Freeze(False, "bot", "", "", "", "", ledger.root).statement(), "bob")
    s = ledger.add(Freeze(False, "bot", "", "", rfc3339(NOW + 5 * DAY), f, ledger.root).statement(), "evan")
    ledger.review(s, "dora")
    assert ledger.state().freezes["bot", ""].head == s
    ledger.add(Freeze(True, "bot", "", "", "", s, ledger.root).statement(), "evan")
    assert ledger.state().frozen("bot", "staging", NOW + 200) is not None, (
        "evan ended bob's freeze; dora agreed to its end in five days"
    )


def test_waiver_by_revoked_key(ledger):
    w = waiver(ledger, "mallory", WaiverKind.WAIVER, rule="LF4110")
    ledger.review(w, "dora")
    ledger.revoke(ledger.state().people()["p-dora"].keyid, "bob", scope=Scope.KEY)
    ledger.revoke(ledger.state().people()["p-mallory"].keyid, "bob", scope=Scope.KEY)
    status = standing(ledger, w)
    assert status != "active"


def test_break_glass_by_revoked_key(ledger):
    properly(ledger, WANTED, "development")
    b = waiver(ledger, "mallory")
    ledger.review(b, "bob")
    for who in ("mallory", "bob"):
        ledger.revoke(ledger.state().people()[f"p-{who}"].keyid, "evan", scope=Scope.KEY)
    d = ledger.decide(WANTED, "staging")
    m = move(ledger, "staging", Move(d, (), requester="p-carol", break_glass=b))
    assert ledger.code(m)


def test_registration_by_revoked_key(ledger):
    bad = release(version="3.0.0")
    ledger.register(bad, "mallory")
    ledger.revoke(ledger.state().people()["p-mallory"].keyid, "bob", scope=Scope.KEY)
    d = ledger.decide(bad, "development")
    m = move(ledger, "development", Move(d, (), requester="p-carol"), what=bad)
    assert ledger.code(m)


def test_factor_is_a_claim(ledger):
    ladder = tuple(replace(s, factor="webauthn") if s.name == "staging" else s for s in LADDER)
    c = ledger.add(LadderChange("acme", ladder, "", ledger.root).statement(), "carol")
    ledger.review(c, "dora")
    assert ledger.state().environment("staging").factor == "webauthn"
    properly(ledger, WANTED, "development")
    d = ledger.decide(WANTED, "staging")
    a = approve(ledger, "bob", "staging", factor="webauthn")
    m = move(ledger, "staging", Move(d, (a,), requester="p-mallory"))
    assert ledger.code(m), "a plain key said webauthn"


def test_owner_of_the_builder(ledger):
    account(ledger, "runner", duty=Duty.PRODUCER, owner="p-bob", consent="evan")
    weights = next(a for a in WANTED.assets if a.name == "model.safetensors")
    run = Run("lockflight:acme", (), "x", rfc3339(NOW), rfc3339(NOW), Authors((), 0, True))
    b = Build(
        "train",
        ("python",),
        (),
        (SubjectRef("model.safetensors", weights.sha256),),
        (Material("a", "", (("sha256", "11" * 32),), True),),
        run,
    )
    d = ledger.add(b.statement(), "runner")
    assert not ledger.code(d), ledger.state().records[-1].reason
    assert "p-bob" in authors(ledger.state(), WANTED.digest)


def test_renewals_quadratic(ledger):
    prev = ""
    n = 400
    for _i in range(n):
        prev = waiver(ledger, "alice", WaiverKind.WAIVER, rule="LF4110", renews=prev)
        assert not ledger.code(prev)
    steps = 0

    class D(dict):
        def get(self, *a):
            nonlocal steps
            steps += 1
            return super().get(*a)

    state = replace(ledger.state(), proposals=D(ledger.state().proposals))
    rows = waiver_facts(state, contents=[WANTED.digest], project="bot", environment="staging", now=NOW + 300)
    assert steps < 10 * n, (len(rows), steps)


def test_long_term(ledger):
    w = waiver(ledger, "alice", WaiverKind.WAIVER, rule="LF4110", term="x" * 3_000_000)
    assert ledger.code(w)


def test_expose_after_hold(ledger):
    properly(ledger, WANTED, "development")
    properly(ledger, WANTED, "staging")
    new = release(version="7.0.0")
    ledger.register(new, "alice")
    properly(ledger, new, "development")
    properly(ledger, new, "staging", entry="candidate")
    a = ledger.state().slot("bot", "staging").candidate.approvals
    h = replace(
        ledger.state().slot("bot", "staging").candidate,
        action=Action.HOLD,
        decision="",
        approvals=(),
        exposure=100,
        prev=ledger.state().slot("bot", "staging").head,
    )
    d = ledger.add(h.statement(), "gate")
    assert not ledger.code(d), ledger.state().records[-1].reason
    dec = ledger.decide(new, "staging")
    e = move(ledger, "staging", Move(dec, a, requester="p-carol"), entry="expose", what=new)
    assert not ledger.code(e), ledger.state().records[-1].reason


def test_withdrawn_and_regranted(ledger):
    properly(ledger, WANTED, "development")
    a = approve(ledger, "bob", "staging")
    old = ledger.state().people()["p-bob"]
    ledger.grant(old, withdrawn=True, by="carol", consent="evan")
    ledger.keys["bob"] = generate(P256)
    ledger.grant(replace(old, der=ledger.keys["bob"].public_der), by="carol", consent="evan")
    d = ledger.decide(WANTED, "staging")
    m = move(ledger, "staging", Move(d, (a,), requester="p-mallory"))
    assert ledger.code(m)


def test_break_glass_never_waived():
    row = Waived("LF4108", "not-revoked", "", "ab" * 32)
    facts = {
        "now": rfc3339(NOW),
        "project": "bot",
        "environment": "staging",
        "release": {"digest": WANTED.digest, "assets": []},
        "waivers": [
            {
                "digest": "ab" * 32,
                "status": "active",
                "expires": rfc3339(NOW + 5),
                "kind": "break-glass",
                "rule": "*",
                "term": "",
                "scope": {
                    "kind": "release",
                    "digest": WANTED.digest,
                    "project": "",
                    "environment": "staging",
                },
            }
        ],
    }
    assert objection(row, facts, {"LF4108"})


def test_denial_lost_by_role_change(ledger):
    properly(ledger, WANTED, "development")
    approve(ledger, "evan", "staging", verdict="deny")
    k = ledger.state().people()["p-evan"]
    ledger.grant(replace(k, roles=("risk-owner",)), by="carol", consent="bob")
    d = ledger.decide(WANTED, "staging")
    a = approve(ledger, "bob", "staging")
    m = move(ledger, "staging", Move(d, (a,), requester="p-mallory"))
    assert ledger.code(m)


def test_rollback_to_break_glassed(ledger):
    properly(ledger, WANTED, "development")
    properly(ledger, WANTED, "staging")
    new = release(version="7.0.0")
    ledger.register(new, "alice")
    properly(ledger, new, "development")
    b = waiver(ledger, "alice", scope=Reaches(Reach.RELEASE, new.digest, "", "staging"))
    ledger.review(b, "bob")
    d = ledger.decide(new, "staging")
    m = move(ledger, "staging", Move(d, (), requester="p-carol", break_glass=b), what=new)
    assert not ledger.code(m)
    m = move(ledger, "staging", Move(requester="p-carol"), entry="rollback", what=WANTED)
    assert not ledger.code(m)
    ledger.clock += 80 * DAY
    m = move(ledger, "staging", Move(requester="p-alice"), entry="rollback", what=new)
    assert ledger.code(m), "came by a break-glass of a day that nobody reviewed, comes back after 80 days"


def test_dependency_revoked(ledger):
    base = release(name="base")
    r = make_release(
        name="bot",
        version="1.0.0",
        kind=Kind.CLASSIFIER,
        tier=Tier.MINIMAL,
        assets=WANTED.assets,
        dependencies=[Dependency("base", digest="sha256:" + base.digest)],
    )
    ledger.register(r, "alice")
    ledger.revoke(base.digest, "bob")
    assert ledger.state().revocation_of(r.digest) is not None
    assert state_fact(ledger.state(), r, r.digest, "bot", "staging", NOW)["revoked"]


def test_admin_fallback(ledger):
    ledger.keys.pop("x", None)
    d = adopt(ledger, "bob")
    assert ledger.code(d)
    for who in ("carol", "mallory"):
        ledger.revoke(ledger.state().people()[f"p-{who}"].keyid, "bob", scope=Scope.KEY)
    ledger.clock += 1
    d = adopt(ledger, "bob", "2")
    assert ledger.code(d)


def test_replayed_consent(ledger):
    """bob's consent did not count when he said it; somebody logs it again when he has the role."""
    k = account(ledger, "aud", "auditor")
    d = adopt(ledger, "carol")
    r = ledger.review(d, "aud")
    assert ledger.code(r)
    env = ledger.entries[-1].envelope
    ledger.grant(replace(k, roles=("author",)), by="carol", consent="bob")
    ledger.add_envelope(env, ledger.keys["aud"].public_der)
    assert ledger.code(r), "an old word took effect"


def test_owner_moves_during_review(ledger):
    """The proposer's second account consents after its owner was taken away? human compared as of now/then."""
    account(ledger, "m1", "author", "approver", owner="p-mallory")
    d = adopt(ledger, "mallory")
    r = ledger.review(d, "m1")
    assert ledger.code(r)


def test_slot_moved_of_other_slot(ledger):
    """authors() looks at the main slot only: a policy author approves for another slot."""
    properly(ledger, WANTED, "development")
    d = adopt(ledger, "mallory")
    ledger.review(d, "carol")
    ledger.clock += 10
    properly(ledger, WANTED, "staging")
    ledger.clock += 10
    d = ledger.decide(WANTED, "staging")
    a = approve(ledger, "mallory", "staging")
    m = forced(ledger, "staging", d, approvals=(a,), slot="second")
    assert ledger.code(m)


def test_long_reason(ledger):
    a = Approval(
        WANTED.digest,
        "bot",
        "staging",
        basis_of(),
        "x" * 5_000_000,
        secrets.token_hex(16),
        rfc3339(NOW + DAY),
        realm=ledger.root,
    )
    ledger.add(a.statement(), "alice")
    facts = facts_of(ledger, "staging")
    assert len(dumps(facts)) < 1_000_000, len(dumps(facts))


def test_pending_waivers_in_everybodys_facts(ledger):
    for _i in range(20):
        waiver(
            ledger,
            "alice",
            WaiverKind.WAIVER,
            rule="LF4110",
            term="x" * 500_000,
            scope=Reaches(Reach.RELEASE, "77" * 32),
        )
    facts = facts_of(ledger, "staging")
    assert len(dumps(facts)) < 1_000_000, len(dumps(facts))


def test_consenter_sees_that_after_is_dropped(ledger):
    same = ledger.add(LadderChange("acme", LADDER, "", ledger.root).statement(), "carol")
    bad = tuple(
        replace(s, after="", mode=Mode.SMALL_TEAM, requesters=(), rollback_s=2**50)
        if s.name == "production"
        else s
        for s in LADDER
    )
    other = ledger.add(LadderChange("acme", bad, "", ledger.root).statement(), "mallory")
    p = ledger.state().proposals
    view = SimpleNamespace(state=ledger.state())
    assert describe(view, p[same]) == "environments: as they are"
    for word in ("after staging -> nothing", "mode people -> small-team", "anybody"):
        assert word in describe(view, p[other])


def test_registration_lies_about_name(ledger):
    sig = next(r.digest for r in ledger.state().records if r.type == "signature")
    r = Registration(WANTED.digest, "payments", "9.9.9", "agent", "high", sig, "00" * 32, ledger.root)
    d = ledger.add(r.statement(), "mallory")
    assert ledger.code(d)


def test_capsule_trust_takes_what_fold_refuses(ledger):
    new = generate(ED25519)
    keys = tuple(RealmKey(new.public_der, k.duty) if k.duty is Duty.LOG else k for k in ledger.trust.keys)
    t = replace(ledger.trust, keys=keys, prev=root_digest(ledger.trust.statement().payload()))
    d = ledger.add(t.statement(), "root")
    assert ledger.code(d) == "LF7246"
    envs = (ledger.entries[0].envelope, ledger.entries[-1].envelope)
    with pytest.raises(VerificationFailed) as caught:
        trust_in_force(envs, ledger.root, what="capsule")
    assert caught.value.code == "LF7191"


def test_burned_approvals(ledger):
    """the gate names approvals it does not need; they are used up."""
    properly(ledger, WANTED, "development")
    d = ledger.decide(WANTED, "staging")
    a, b = approve(ledger, "bob", "staging"), approve(ledger, "evan", "staging")
    m = move(ledger, "staging", Move(d, (a, b), requester="p-carol"))
    assert not ledger.code(m)
    assert b not in ledger.state().used_approvals
