"""A realm that lends keys for ten minutes: whose word they are, when they count, and with what they fall."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

import pytest

from lockflight.app.identity import authority
from lockflight.app.identity import principals as identity
from lockflight.app.identity.proposals import review
from lockflight.app.identity.renewal import renew
from lockflight.app.realm.realm import Realm, open_realm
from lockflight.app.realm.trust import trust_of
from lockflight.app.release.sign import sign
from lockflight.app.release.verify import verify_package
from lockflight.core.attest.acts import Approval
from lockflight.core.attest.changes import Verdict
from lockflight.core.times import rfc3339
from lockflight.core.verify.bundle import read_bundle
from lockflight.core.verify.crypto.certificate import Identity
from lockflight.core.verify.crypto.keys import P256
from lockflight.core.verify.realmroot import identity_uri, issuer_of
from lockflight.errors import ConflictError, EnvironmentProblem, LockflightError, PolicyDenied
from lockflight.signing.keys import generate, load
from lockflight.signing.oms import sign_statement

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def vouching(realm: Realm) -> Realm:
    """The team realm with authorities of its own."""
    authority.found(realm.home, realm.name)
    return open_realm(realm.home, realm.name)


def code(call: Callable[[], object]) -> str:
    with pytest.raises(LockflightError) as caught:
        call()
    return caught.value.code


def test_releases_are_signed_under_a_certificate_of_ten_minutes(
    vouching: Realm, workspace: Path, tmp_path: Path
) -> None:
    signed = sign(vouching.home, "acme", workspace, tmp_path / "package", actor="alice")
    assert signed.identity == identity_uri(vouching.state.trust, signed.principal)
    bundle = read_bundle((tmp_path / "package" / "model.sig").read_bytes())
    assert bundle.certificate
    assert bundle.stamp
    done = verify_package(vouching.home, "acme", tmp_path / "package")
    assert (done.signer, done.principal) == ("alice", signed.principal)
    key = next(k for k in vouching.state.keys.values() if k.principal == signed.principal)
    assert signed.keyid != key.keyid


def test_people_may_still_use_their_own_key(vouching: Realm, workspace: Path, tmp_path: Path) -> None:
    signed = sign(vouching.home, "acme", workspace, tmp_path / "package", actor="alice", own_key=True)
    assert signed.identity == ""
    assert verify_package(vouching.home, "acme", tmp_path / "package").signer == "alice"


def test_a_realm_has_one_authority(vouching: Realm) -> None:
    assert code(lambda: authority.found(vouching.home, "acme")) == "LF7450"


def test_without_one_nothing_is_lent(realm: Realm) -> None:
    with pytest.raises(EnvironmentProblem) as caught:
        authority.short_lived(realm, "alice")
    assert caught.value.code == "LF7451"


def test_root_keys_stay_where_they_are_put(realm: Realm, tmp_path: Path) -> None:
    done = authority.found(realm.home, "acme", out=tmp_path / "safe", passphrase=b"a long one")
    assert {path.parent for path in done.roots} == {tmp_path / "safe"}
    with pytest.raises(LockflightError):
        load(done.roots[0])
    assert load(done.roots[0], b"a long one").public_der == done.root.public_der
    here = {row.what: row.here for row in authority.look(realm.home, "acme").certificates}
    assert here == {"issues": True, "issuing root": False, "time": True, "time root": False}


def test_where_the_keys_are_is_said_as_it_is(vouching: Realm) -> None:
    keys = vouching.folder / "keys"

    def said() -> str:
        return authority.look(vouching.home, "acme").separation

    assert "All keys are in this home" in said()
    (keys / "ca-root.pem").unlink()
    assert "one process separates no duties" in said()
    (keys / "tsa.pem").unlink()
    assert "in different places" in said()
    (keys / "ca.pem").unlink()
    assert "Neither the key" in said()


def test_a_renewed_authority_leaves_the_old_ones_word_standing(
    vouching: Realm, workspace: Path, tmp_path: Path
) -> None:
    sign(vouching.home, "acme", workspace, tmp_path / "one", actor="alice")
    renew(vouching.home, "acme")
    assert len(trust_of(vouching.home, "acme", None).issuers) == 2
    assert verify_package(vouching.home, "acme", tmp_path / "one").signer == "alice"
    (workspace / "README.md").write_text("# Six\n")
    sign(vouching.home, "acme", workspace, tmp_path / "two", actor="alice")
    assert verify_package(vouching.home, "acme", tmp_path / "two").signer == "alice"


def test_an_authority_whose_key_was_lost_is_renewed(vouching: Realm, workspace: Path, tmp_path: Path) -> None:
    (vouching.folder / "keys" / "ca.pem").unlink()
    assert not authority.has_authority(vouching)
    renew(vouching.home, "acme")
    signed = sign(vouching.home, "acme", workspace, tmp_path / "package", actor="alice")
    assert signed.identity == identity_uri(vouching.state.trust, signed.principal)


def test_a_request_needs_both_keys(vouching: Realm) -> None:
    alice, bob, fresh = vouching.actor("alice"), vouching.actor("bob"), generate(P256)
    words = authority.request_words(vouching, alice.principal, fresh.public_der)
    proof = {"holder": fresh.sign(words), "asker": alice.signer.sign(words)}

    def ask(**changed: bytes) -> object:
        return authority.issue(vouching, alice.principal, fresh.public_der, **{**proof, **changed})

    assert code(lambda: ask(holder=b"")) == "LF7452"
    assert code(lambda: ask(holder=alice.signer.sign(words))) == "LF7452"
    assert code(lambda: ask(asker=bob.signer.sign(words))) == "LF7452"
    other = authority.request_words(vouching, bob.principal, fresh.public_der)
    assert code(lambda: ask(asker=alice.signer.sign(other))) == "LF7452"
    ask()


def approve(realm: Realm, lent: authority.ShortLived) -> str:
    """Log an approval under a lent key; returns why it has no effect, or nothing."""
    fact = Approval(
        release="a" * 64,
        name="x",
        environment="staging",
        basis="b" * 64,
        verdict="approve",
        nonce=secrets.token_hex(16),
        expires=rfc3339(realm.view.timestamp + 3600),
        realm=realm.state.root,
    )
    body = sign_statement(fact.statement(), lent.signer).encode()
    receipt = realm.append_envelopes([(body, lent.certificate.der)])[0]
    return realm.state.by_digest[receipt.envelope].code


def test_a_lent_key_speaks_for_its_person_and_falls_with_them(realm: Realm) -> None:
    done = identity.add(
        realm.home, "acme", "carol", roles=("approver",), actor="bob", now=realm.view.timestamp
    )
    review(realm.home, "acme", done.said.envelope, verdict=Verdict.CONSENT, note="", actor="alice")
    authority.found(realm.home, "acme")
    realm = open_realm(realm.home, "acme")
    lent = authority.short_lived(realm, "carol")
    assert approve(realm, lent) == ""
    record = realm.state.records[-1]
    assert record.key is not None
    assert (record.key.principal, record.key.roles) == (done.grant.key.principal, ("approver",))
    assert record.signer not in realm.state.revoked_keys
    identity.revoke(realm.home, "acme", "carol", reason="compromised", note="", actor="bob")
    realm = open_realm(realm.home, "acme")
    assert record.signer in realm.state.revoked_keys, "what a lent key signed falls with the grant behind it"
    assert approve(realm, lent) != ""


def test_a_certificate_in_secret_counts_for_nothing(vouching: Realm) -> None:
    alice, fresh = vouching.actor("alice"), generate(P256)
    trust = vouching.state.trust
    name = Identity(identity_uri(trust, alice.principal), "uri", issuer_of(trust))
    secret = authority.authority_of(vouching).issue(fresh.public_der, name, vouching.view.timestamp)
    lent = authority.ShortLived(fresh, secret, alice.principal, "alice", name.name, name.issuer)
    assert approve(vouching, lent) == "LF7244"


def test_a_certificate_that_ended_counts_for_nothing(
    vouching: Realm, monkeypatch: pytest.MonkeyPatch
) -> None:
    lent = authority.short_lived(vouching, "bob")
    later = vouching.view.timestamp + 700
    monkeypatch.setattr("lockflight.app.realm.clock.now", lambda: later)
    realm = open_realm(vouching.home, "acme")
    assert approve(realm, lent) == "LF7244"


def test_a_certificate_of_another_realm_counts_for_nothing(vouching: Realm, tmp_path: Path) -> None:
    from lockflight.app.realm.realm import Member, create_realm
    from lockflight.core.attest.trust import RealmKind

    home = tmp_path / "elsewhere"
    create_realm(home, "acme", RealmKind.TEAM, [Member("alice", ("author",)), Member("bob", ("approver",))])
    authority.found(home, "acme")
    lent = authority.short_lived(open_realm(home, "acme"), "bob")
    assert approve(vouching, lent) == "LF7244"


def test_machines_keys_are_not_written(vouching: Realm) -> None:
    before = {path.name for path in (vouching.folder / "keys").iterdir()}
    authority.short_lived(vouching, "alice")
    assert {path.name for path in (vouching.folder / "keys").iterdir()} == before


def test_files_for_other_tools(vouching: Realm, tmp_path: Path) -> None:
    lent, folder = authority.issue_to(
        vouching.home, "acme", tmp_path / "lent", lambda realm: authority.short_lived(realm, "alice")
    )
    assert load(folder / "key.pem").public_der == lent.certificate.public_der
    assert (folder / "chain.pem").read_text().count("BEGIN CERTIFICATE") == 2
    with pytest.raises(ConflictError):
        authority.issue_to(vouching.home, "acme", folder, lambda realm: authority.short_lived(realm, "alice"))


def test_somebody_without_a_grant_gets_none(vouching: Realm) -> None:
    fresh = generate(P256)
    words = authority.request_words(vouching, "p-nobody", fresh.public_der)
    with pytest.raises(PolicyDenied) as caught:
        authority.issue(
            vouching, "p-nobody", fresh.public_der, holder=fresh.sign(words), asker=fresh.sign(words)
        )
    assert caught.value.code == "LF7452"
