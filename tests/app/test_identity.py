"""People and machines: proposed by one person, given by two, taken back by one."""

from __future__ import annotations

import json
import stat
import sys
from typing import TYPE_CHECKING

import pytest

from lockflight.app.gate.approvals import revoke as take_back
from lockflight.app.gate.check import CheckOptions, check
from lockflight.app.gate.intake import Offer, take_in
from lockflight.app.identity import principals as identity
from lockflight.app.identity.proposals import describe, review, waiting
from lockflight.app.provenance.record import Step, record
from lockflight.app.realm.clock import now
from lockflight.app.realm.realm import Member, Realm, create_realm
from lockflight.app.registry import evidence
from lockflight.core.attest.acts import Scope
from lockflight.core.attest.changes import Verdict
from lockflight.core.attest.trust import Duty, Grant, RealmKey, RealmKind
from lockflight.core.facts.factprov import authors_of
from lockflight.core.words import Kind
from lockflight.errors import ConflictError, NotFound, PolicyDenied, UsageError
from lockflight.signing.keys import generate

if TYPE_CHECKING:
    from pathlib import Path


def read(realm: Realm) -> Realm:
    """The realm as it is now."""
    return Realm(realm.home, realm.name)


def add(realm: Realm, name: str, *roles: str, actor: str = "bob", **more: object) -> identity.Proposed:
    given: dict[str, object] = {"roles": roles, "actor": actor, "now": now(), **more}
    return identity.add(realm.home, realm.name, name, **given)  # type: ignore[arg-type]


def consent(realm: Realm, done: identity.Proposed, actor: str = "alice") -> None:
    review(realm.home, realm.name, done.said.envelope, verdict=Verdict.CONSENT, note="", actor=actor)


def row(realm: Realm, name: str, at: int | None = None) -> identity.Identity:
    rows = identity.identities(read(realm), now() if at is None else at)
    return next(one for one in rows if one.name == name)


def test_nothing_changes_before_the_second_person(realm: Realm) -> None:
    done = add(realm, "dana", "approver", emails=["Dana@Example.com"])
    assert row(realm, "dana").state == "waiting"
    assert done.grant.key.principal not in read(realm).state.people()
    assert done.key_file is not None
    assert stat.S_IMODE(done.key_file.stat().st_mode) == 0o600
    with pytest.raises(UsageError) as info:
        read(realm).actor("dana")
    assert info.value.code == "LF0112"
    consent(realm, done)
    found = row(realm, "dana")
    assert (found.state, found.key.roles, found.emails) == ("active", ("approver",), ("dana@example.com",))
    assert found.here
    assert read(realm).actor("dana").roles == ("approver",)


def test_who_proposes_does_not_consent(realm: Realm) -> None:
    done = add(realm, "dana", "approver")
    with pytest.raises(PolicyDenied) as info:
        consent(realm, done, "bob")
    assert info.value.code == "LF4525"
    assert read(realm).state.records[-1].digest == done.said.envelope, "nothing was logged"


def test_who_may_not_propose_leaves_nothing_behind(realm: Realm) -> None:
    before = sorted(p for p in realm.folder.rglob("*") if p.is_file() and "log.db" not in p.name)
    with pytest.raises(PolicyDenied) as info:
        add(realm, "dana", "approver", actor="alice")
    assert info.value.code == "LF4602"
    assert sorted(p for p in realm.folder.rglob("*") if p.is_file() and "log.db" not in p.name) == before
    assert len(read(realm).state.records) == len(realm.state.records)


@pytest.mark.parametrize(
    "name", ["", " dana", "-x", "p-0123456789abcdef", "da\nna", "x" * 65, "da\u202ena", "a\x1b[31m", "a/b"]
)
def test_what_is_no_name(realm: Realm, name: str) -> None:
    with pytest.raises(UsageError) as info:
        add(realm, name, "approver")
    assert info.value.code == "LF0133"


@pytest.mark.parametrize("name", ["dana", "Dana O'Neill", "Dänä", "ci.github", "release-bot", "d+1@x"])
def test_what_is_a_name(name: str) -> None:
    assert identity.check_name(name) == name


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"roles": ("approvr",)}, "LF0113"),
        ({"roles": ()}, "LF0125"),
        ({"roles": ("approver",), "machine": True, "owner": "alice"}, "LF0125"),
        ({"roles": ("builder",), "machine": True}, "LF0126"),
        ({"roles": ("builder",), "machine": True, "owner": "alice", "hours": 0}, "LF0126"),
        ({"roles": ("builder",), "machine": True, "owner": "alice", "hours": 721}, "LF0126"),
        ({"roles": ("author",), "emails": ["no address"]}, "LF0133"),
        ({"roles": ("author",), "emails": ["a\u202e@b"]}, "LF0133"),
        ({"roles": ("author",), "emails": [f"a{i}@b" for i in range(21)]}, "LF0133"),
    ],
)
def test_what_cannot_be_proposed(realm: Realm, more: dict[str, object], code: str) -> None:
    with pytest.raises(UsageError) as info:
        add(realm, "ci", **more)  # type: ignore[arg-type]
    assert info.value.code == code


def test_a_name_belongs_to_one(realm: Realm) -> None:
    add(realm, "dana", "approver")
    for name in ("alice", "dana"):
        with pytest.raises(UsageError) as info:
            add(realm, name, "author")
        assert info.value.code == "LF0114"


def test_a_familiar_name_is_said_to_be_new(realm: Realm) -> None:
    """A proposal that was written by other software may bear the name of somebody who is there."""
    bob = realm.actor("bob")
    blob = realm.put_blob({"name": "alice"})
    key = RealmKey(generate().public_der, Duty.PERSON, "p-" + "0" * 16, ("approver",), blob)
    realm.append([(Grant(key, realm=realm.state.root).statement(), bob.signer)])
    (found,) = waiting(realm.state, now())
    assert "the new person alice (p-0000000000000000)" in describe(realm.view, found)


def test_roles_change_and_the_key_stays(realm: Realm) -> None:
    before = row(realm, "alice").key
    done = identity.grant(realm.home, "acme", "alice", roles=["releaser", "author"], emails=None, actor="bob")
    assert row(realm, "alice").proposal == done.said.envelope
    with pytest.raises(PolicyDenied, match="their own grant"):
        consent(realm, done, "alice")
    carol = add(realm, "carol", "auditor", "author")
    consent(realm, carol)
    consent(realm, done, "carol")
    after = row(realm, "alice").key
    assert (after.roles, after.keyid, after.profile) == (("author", "releaser"), before.keyid, before.profile)


def test_a_change_that_came_second_is_refused(realm: Realm) -> None:
    consent(realm, add(realm, "carol", "author"))
    first = identity.grant(realm.home, "acme", "carol", roles=["releaser"], emails=["c@x.org"], actor="bob")
    second = identity.grant(realm.home, "acme", "carol", roles=["approver"], emails=None, actor="bob")
    consent(realm, first)
    with pytest.raises(ConflictError) as info:
        consent(realm, second)
    assert info.value.code == "LF4603"
    assert row(realm, "carol").key.roles == ("releaser",)
    assert row(realm, "carol").emails == ("c@x.org",)


def test_who_leaves_keeps_what_they_signed_and_signs_no_more(realm: Realm) -> None:
    consent(realm, add(realm, "carol", "author"))
    done = identity.withdraw(realm.home, "acme", "carol", actor="bob")
    assert row(realm, "carol").state == "active"
    consent(realm, done)
    assert row(realm, "carol").state == "withdrawn"
    assert read(realm).view.name_of(done.grant.key.principal) == "carol"
    with pytest.raises(PolicyDenied) as info:
        read(realm).actor("carol")
    assert info.value.code == "LF4607"


def test_revoking_takes_one_person_and_effect_at_once(realm: Realm) -> None:
    consent(realm, add(realm, "carol", "author"))
    consent(realm, add(realm, "ci", "builder", machine=True, owner="carol"))
    with pytest.raises(PolicyDenied) as info:
        identity.revoke(realm.home, "acme", "carol", reason="compromised", note="", actor="alice")
    assert info.value.code == "LF4522"
    identity.revoke(realm.home, "acme", "carol", reason="compromised", note="stolen laptop", actor="bob")
    assert {row(realm, name).state for name in ("carol", "ci")} == {"revoked"}
    with pytest.raises(NotFound) as gone:
        identity.revoke(realm.home, "acme", "carol", reason="other", note="", actor="bob")
    assert gone.value.code == "LF4605"


def test_a_machine_signs_evidence_until_its_key_expires(
    realm: Realm, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = add(realm, "ci", "builder", machine=True, owner="alice", hours=1)
    with pytest.raises(PolicyDenied, match="their own grant"):
        consent(realm, done, "alice")
    consent(realm, add(realm, "carol", "author"))
    consent(realm, done, "carol")
    assert row(realm, "ci").owner == "alice"
    options = CheckOptions(environment="development", only=("documents",), record=True, actor="ci")
    check(realm.home, "acme", workspace, options, clock=now)
    machine = done.grant.key
    signed = [record for record in read(realm).state.records if record.signer == machine.keyid]
    assert [(record.type, record.effective) for record in signed] == [("scan", True)]
    later = now() + 3601
    assert row(realm, "ci", later).state == "expired"
    monkeypatch.setattr("lockflight.app.realm.clock.now", lambda: later)
    with pytest.raises(PolicyDenied) as info:
        read(realm).producer("ci")
    assert info.value.code == "LF4604"
    renewed = identity.renew(realm.home, "acme", "ci", hours=None, actor="bob", now=later)
    assert renewed.key_file is not None
    assert renewed.key_file != done.key_file
    assert read(realm).machine("ci") == machine, "the old key stays until the second person"
    consent(realm, renewed, "carol")
    assert read(realm).producer("ci").keyid == renewed.grant.key.keyid


def test_a_machine_records_takes_in_and_adds_under_its_own_key(
    realm: Realm, workspace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    consent(realm, add(realm, "carol", "author"))
    ci = add(realm, "ci", "builder", machine=True, owner="bob", hours=1)
    consent(realm, ci, "carol")
    start = now()
    command = (sys.executable, "-c", "open('data/c.csv', 'w').write('x,y')")
    step = Step("make", command, workspace, products=("data/c.csv",))
    made = record(realm.home, "acme", step, team=True, actor="ci", clock=now, environ={})
    offered = tmp_path / "theirs.csv"
    offered.write_text("x,y\n5,6\n")
    offer = Offer(str(offered), kind=Kind.DATASET, licence="CC0-1.0")
    taken = take_in(realm.home, "acme", offer, actor="ci", clock=now, workers=1)
    subject = [{"name": "a", "digest": {"sha256": "a" * 64}}]
    foreign = {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": subject,
        "predicateType": "https://example.org/test/v1",
        "predicate": {"passed": True},
    }
    ((_, added),) = evidence.add(
        realm.home, "acme", [("results.json", json.dumps(foreign).encode())], actor="ci"
    )
    records = read(realm).state.by_digest
    key = ci.grant.key
    for receipt in (made.receipt, taken.receipt, added):
        said = records[receipt.envelope]
        assert (said.signer, said.effective) == (key.keyid, True), said.reason
    assert made.build.run.authors.principals == taken.intake.run.authors.principals == (key.principal,)
    # What the machine made, its owner made: bob approves nothing of it.
    makers = authors_of(read(realm).state, [p.sha256 for p in (*made.build.products, *taken.intake.products)])
    assert {read(realm).state.human(maker) for maker in makers} == {row(realm, "bob").key.principal}
    monkeypatch.setattr("lockflight.app.realm.clock.now", lambda: start + 3601)
    with pytest.raises(PolicyDenied) as caught:
        record(realm.home, "acme", step, team=True, actor="ci", clock=now, environ={})
    assert caught.value.code == "LF4604"


def test_a_machine_is_no_person(realm: Realm) -> None:
    consent(realm, add(realm, "carol", "author"))
    consent(realm, add(realm, "ci", "builder", machine=True, owner="alice"), "carol")
    with pytest.raises(UsageError) as info:
        read(realm).actor("ci")
    assert info.value.code == "LF0112"
    with pytest.raises(UsageError) as owned:
        add(realm, "ci2", "builder", machine=True, owner="ci")
    assert owned.value.code == "LF0126"


def test_a_second_account_is_the_same_human(realm: Realm) -> None:
    consent(realm, add(realm, "carol", "author"))
    second = add(realm, "alice-admin", "approver", owner="alice")
    consent(realm, second, "carol")
    assert read(realm).state.people()[second.grant.key.principal].human == row(realm, "alice").key.principal
    with pytest.raises(UsageError) as info:
        add(realm, "alice-third", "approver", owner="alice-admin")
    assert info.value.code == "LF0126"


def test_a_personal_realm_has_one_person(home: Path) -> None:
    realm = create_realm(home, "personal", RealmKind.PERSONAL, [Member("you", ("author",))])
    with pytest.raises(PolicyDenied) as info:
        add(realm, "dana", "approver", actor="")
    assert info.value.code == "LF4601"


def test_an_erased_profile_leaves_the_pseudonym(realm: Realm) -> None:
    done = add(realm, "dana", "approver", emails=["d@x.org"])
    consent(realm, done)
    realm.erase_blob(done.grant.key.profile)
    found = row(realm, done.grant.key.principal)
    assert (found.state, found.emails) == ("active", ())


def test_a_strange_profile_is_none(realm: Realm) -> None:
    bob = realm.actor("bob")
    blob = realm.put_blob({"name": ["no", "text"]})
    key = RealmKey(generate().public_der, Duty.PERSON, "p-" + "0" * 16, ("approver",), blob)
    realm.append([(Grant(key, realm=realm.state.root).statement(), bob.signer)])
    assert realm.view.name_of(key.principal) == key.principal


def test_a_revoked_key_does_not_come_back(realm: Realm) -> None:
    consent(realm, add(realm, "carol", "author"))
    key = row(realm, "carol").key
    take_back(
        realm.home, "acme", scope=Scope.KEY, digest=key.keyid, name="", reason="other", note="", actor="bob"
    )
    assert row(realm, "carol").state == "revoked"
