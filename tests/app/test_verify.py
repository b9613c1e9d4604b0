"""`verify` refuses everything that is not exactly what was signed, each with its own code."""

from __future__ import annotations

import base64
import hashlib
import json
import shutil
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from blake3 import blake3

from lockflight.app.realm.realm import Realm
from lockflight.app.registry.promote import promote
from lockflight.app.release.sign import Signed, sign
from lockflight.app.release.verify import verify_package
from lockflight.core.attest.acts import Registration, Scope
from lockflight.core.attest.dsse import Envelope, pae
from lockflight.core.attest.trust import Duty, Grant
from lockflight.core.canonical import dumps
from lockflight.core.release.release import parse_release
from lockflight.core.verify.bundle import read_bundle
from lockflight.core.verify.crypto.keys import P256
from lockflight.errors import LockflightError, VerificationFailed
from lockflight.signing.keys import generate
from lockflight.signing.oms import make_bundle

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from lockflight.signing.keys import FileSigner


@pytest.fixture
def signed(home: Path, realm: Realm, workspace: Path, tmp_path: Path) -> Signed:
    """The workspace, signed by alice."""
    return sign(home, realm.name, workspace, tmp_path / "package", actor="alice")


def _refused(home: Path, package: Path) -> str:
    with pytest.raises(VerificationFailed) as caught:
        verify_package(home, "acme", package)
    assert caught.value.exit_code == 12
    assert caught.value.message
    return caught.value.code


def test_a_signed_package_verifies(home: Path, signed: Signed) -> None:
    verified = verify_package(home, "acme", signed.package)
    assert verified.release.digest == signed.release.digest
    assert (verified.signer, verified.index) == ("alice", signed.index)
    assert verified.logged_at > 0


def _flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def test_a_changed_file(home: Path, signed: Signed) -> None:
    _flip(signed.package / "data" / "a.csv")
    assert _refused(home, signed.package) == "LF7301"


@pytest.mark.parametrize(
    "name",
    ["extra.txt", ".git/hooks/post-checkout", ".github/w.yml", ".gitignore", "model.sig/evil.py", "data/.x"],
)
def test_an_extra_file(home: Path, signed: Signed, name: str) -> None:
    path = signed.package / name
    if name.startswith("model.sig/"):
        path = signed.package / "model.sig.d" / "evil.py"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("x")
    assert _refused(home, signed.package) == "LF7303"


def test_a_missing_file(home: Path, signed: Signed) -> None:
    (signed.package / "data" / "a.csv").unlink()
    assert _refused(home, signed.package) == "LF7302"


def test_a_renamed_file(home: Path, signed: Signed) -> None:
    (signed.package / "data" / "a.csv").rename(signed.package / "data" / "c.csv")
    assert _refused(home, signed.package) == "LF7304"


def test_a_file_swapped_for_a_link_to_the_same_bytes(home: Path, signed: Signed, workspace: Path) -> None:
    path = signed.package / "data" / "a.csv"
    path.unlink()
    path.symlink_to(workspace / "data" / "a.csv")
    assert _refused(home, signed.package) == "LF7305"


def test_a_folder_swapped_for_a_link(home: Path, signed: Signed, workspace: Path) -> None:
    shutil.rmtree(signed.package / "data")
    (signed.package / "data").symlink_to(workspace / "data", target_is_directory=True)
    assert _refused(home, signed.package) in {"LF7302", "LF7305"}


def test_no_signature(home: Path, signed: Signed) -> None:
    (signed.package / "model.sig").unlink()
    assert _refused(home, signed.package) == "LF7330"


def _bundle(package: Path) -> Any:
    return json.loads((package / "model.sig").read_bytes())


def _write(package: Path, bundle: Any) -> None:
    (package / "model.sig").write_text(json.dumps(bundle, separators=(",", ":")))


def test_a_junk_second_signature(home: Path, signed: Signed) -> None:
    bundle = _bundle(signed.package)
    bundle["dsseEnvelope"]["signatures"].append({"sig": base64.b64encode(b"junk").decode()})
    _write(signed.package, bundle)
    assert _refused(home, signed.package) == "LF7121"


def test_an_altered_payload(home: Path, signed: Signed) -> None:
    bundle = _bundle(signed.package)
    payload = base64.b64decode(bundle["dsseEnvelope"]["payload"]).replace(b"five", b"fire")
    bundle["dsseEnvelope"]["payload"] = base64.b64encode(payload).decode()
    _write(signed.package, bundle)
    assert _refused(home, signed.package) == "LF7143"


def test_a_bundle_without_its_log_entry(home: Path, signed: Signed) -> None:
    bundle = _bundle(signed.package)
    del bundle["verificationMaterial"]["tlogEntries"]
    _write(signed.package, bundle)
    assert _refused(home, signed.package) == "LF7332"


def _insider(
    realm: Realm, signed: Signed, alter: Callable[[bytes], bytes], signer: FileSigner | None = None
) -> None:
    """What somebody with a valid key can do: any payload, properly signed and logged."""
    person = signer or realm.actor("alice").signer
    body = alter(read_bundle((signed.package / "model.sig").read_bytes()).envelope.payload)
    envelope = Envelope(body, person.sign(pae("application/vnd.in-toto+json", body)), person.keyid)
    _log(realm, envelope, person)
    from lockflight.app.release.sign import _tlog

    (signed.package / "model.sig").write_bytes(
        make_bundle(envelope, person.public_key.pem, _tlog(realm, envelope.digest))
    )


def _log(realm: Realm, envelope: Envelope, person: FileSigner) -> None:
    realm.append_envelopes([(envelope.encode(), person.public_der)])


def test_a_duplicate_name_in_the_manifest(home: Path, realm: Realm, signed: Signed) -> None:
    def twice(body: bytes) -> bytes:
        document = json.loads(body)
        resources = document["predicate"]["resources"]
        resources.insert(1, resources[0])
        return json.dumps(document, separators=(",", ":"), sort_keys=True).encode()

    _insider(realm, signed, twice)
    assert _refused(home, signed.package) == "LF7111"


def test_a_name_that_leaves_the_folder(home: Path, realm: Realm, signed: Signed) -> None:
    _insider(realm, signed, lambda body: body.replace(b"data/a.csv", b"../../a.csv"))
    assert _refused(home, signed.package) == "LF7111"


def test_a_release_signed_by_a_stranger(home: Path, realm: Realm, signed: Signed, tmp_path: Path) -> None:
    from lockflight.app.realm.realm import Member, create_realm
    from lockflight.core.attest.trust import RealmKind

    members = [Member("bob", ("author", "approver")), Member("eve", ("author",))]
    other = create_realm(tmp_path / "other", "acme", RealmKind.TEAM, members)
    bundle = sign(
        tmp_path / "other", "acme", tmp_path / "work", tmp_path / "theirs", actor=other.actor("bob").name
    )
    shutil.copy(bundle.package / "model.sig", signed.package / "model.sig")
    assert _refused(home, signed.package) == "LF7337"


def test_a_release_signed_by_a_strangers_key_without_a_log(home: Path, realm: Realm, signed: Signed) -> None:
    stranger = generate(P256)
    body = read_bundle((signed.package / "model.sig").read_bytes()).envelope.payload
    envelope = Envelope(body, stranger.sign(pae("application/vnd.in-toto+json", body)), stranger.keyid)
    (signed.package / "model.sig").write_bytes(make_bundle(envelope, stranger.public_key.pem, None))
    assert _refused(home, signed.package) == "LF7143"


def test_who_signed_and_left_had_the_right_then(home: Path, realm: Realm, signed: Signed) -> None:
    state = realm.state
    alice = realm.actor("alice").principal
    grant = Grant(state.people()[alice], withdrawn=True, prev=state.grant_heads[alice])
    realm.append([(grant.statement(), realm.signer(Duty.ROOT))])
    assert verify_package(home, "acme", signed.package).principal == alice


@pytest.mark.parametrize("duty", [Duty.PRODUCER, Duty.GATE, Duty.ROOT])
def test_a_key_of_another_duty(home: Path, realm: Realm, signed: Signed, duty: Duty) -> None:
    _insider(realm, signed, lambda body: body, realm.signer(duty))
    assert _refused(home, signed.package) == "LF7331"


def test_a_duplicate_json_key_in_the_payload(home: Path, realm: Realm, signed: Signed) -> None:
    person = realm.actor("alice").signer
    body = read_bundle((signed.package / "model.sig").read_bytes()).envelope.payload
    twice = body[:-1] + b',"predicateType":"https://model_signing/signature/v1.0"}'
    envelope = Envelope(twice, person.sign(pae("application/vnd.in-toto+json", twice)), person.keyid)
    bundle = _bundle(signed.package)
    raw = json.loads(envelope.encode())
    bundle["dsseEnvelope"] = raw
    del bundle["verificationMaterial"]["tlogEntries"]
    _write(signed.package, bundle)
    assert _refused(home, signed.package) in {"LF7102", "LF7332"}
    with pytest.raises(VerificationFailed) as caught:
        parse_release(twice)
    assert caught.value.code == "LF7102"


def test_the_signature_of_another_release(
    home: Path, realm: Realm, signed: Signed, workspace: Path, tmp_path: Path
) -> None:
    (workspace / "data" / "a.csv").write_text("x,y\n9,9\n")
    other = sign(home, realm.name, workspace, tmp_path / "second", actor="alice")
    shutil.copy(other.package / "model.sig", signed.package / "model.sig")
    assert _refused(home, signed.package) == "LF7301"


def test_a_signed_but_unregistered_release(home: Path, realm: Realm, signed: Signed) -> None:
    def renamed(body: bytes) -> bytes:
        document = json.loads(body)
        for resource in document["predicate"]["resources"]:
            if resource["name"] == "lockflight.toml":
                resource["annotations"]["release"]["version"] = "6"
        return dumps(document)

    _insider(realm, signed, renamed)
    assert _refused(home, signed.package) == "LF7334"


def test_a_log_restored_from_an_older_copy(
    home: Path, realm: Realm, signed: Signed, workspace: Path, tmp_path: Path
) -> None:
    folder = home / "realms" / "acme"
    realm.log().close()
    backup = tmp_path / "backup"
    shutil.copytree(folder, backup)
    (workspace / "README.md").write_text("# Six\n")
    fresh = Realm(home, "acme")
    sign(home, "acme", workspace, tmp_path / "second", actor="alice")
    fresh.view  # noqa: B018 - the home has seen the newer checkpoint
    shutil.rmtree(folder)
    shutil.copytree(backup, folder)
    assert _refused(home, signed.package) == "LF7220"


def test_a_log_that_lacks_the_entry(home: Path, realm: Realm, signed: Signed, tmp_path: Path) -> None:
    """The realm's own log, rebuilt by its keys without the entry: the pin gives it away; without a pin, the entry."""
    foreign = tmp_path / "foreign"
    members_home = home
    bundle = (signed.package / "model.sig").read_bytes()
    realm.log().close()
    folder = members_home / "realms" / "acme"
    shutil.copytree(folder, foreign)
    from tests.app.logs import truncate

    truncate(folder, keep=3)
    assert _refused(home, signed.package) in {"LF7220", "LF7210"}
    shutil.rmtree(home / "pins", ignore_errors=True)
    assert _refused(home, signed.package) in {"LF7332", "LF7210", "LF7221"}
    assert bundle == (signed.package / "model.sig").read_bytes()


def test_a_revoked_release(home: Path, realm: Realm, signed: Signed) -> None:
    from lockflight.app.gate.approvals import revoke

    revoke(
        home, "acme", scope=Scope.ASSET, digest=signed.release.assets[1].sha256, name="LICENSE",
        reason="licence", note="", actor="bob",
    )  # fmt: skip
    assert _refused(home, signed.package) == "LF7335"


def test_an_environment_that_does_not_hold_it(home: Path, signed: Signed) -> None:
    with pytest.raises(VerificationFailed) as caught:
        verify_package(home, "acme", signed.package, environment="staging")
    assert caught.value.code == "LF7333"


def test_another_root_than_the_pinned(home: Path, realm: Realm, signed: Signed) -> None:
    trust = home / "trust.toml"
    trust.write_text(trust.read_text().replace(realm.state.root, "ab" * 32))
    assert _refused(home, signed.package) == "LF7230"


def test_an_unpinned_realm(home: Path, signed: Signed) -> None:
    (home / "trust.toml").unlink()
    with pytest.raises(LockflightError) as caught:
        verify_package(home, "acme", signed.package)
    assert caught.value.code == "LF5042"
    assert caught.value.exit_code == 4


def test_registrations_need_the_signers_own_duty(realm: Realm, signed: Signed) -> None:
    registration = Registration(
        "ab" * 32,
        "five",
        "1",
        "dataset",
        "minimal",
        signed.envelope,
        signed.release.oms_root,
        realm.state.root,
    )
    realm.append([(registration.statement(), realm.signer(Duty.PRODUCER))])
    assert realm.state.records[-1].code == "LF7245"


def _register(realm: Realm, signed: Signed) -> None:
    envelope = read_bundle((signed.package / "model.sig").read_bytes()).envelope
    release = parse_release(envelope.payload)
    registration = Registration(
        release.digest,
        release.name,
        release.version,
        release.kind.value,
        release.tier.value,
        envelope.digest,
        release.oms_root,
        realm.state.root,
    )
    realm.append([(registration.statement(), realm.actor("alice").signer)])


def _registered_insider(realm: Realm, signed: Signed, alter: Callable[[Any], None]) -> None:
    """A granted person's statement by hand: properly signed, logged and registered."""

    def altered(body: bytes) -> bytes:
        document = json.loads(body)
        notes = {r["name"]: r["annotations"] for r in document["predicate"]["resources"]}
        alter(notes)
        document["subject"][0]["name"] = notes["lockflight.toml"]["release"]["name"]
        return dumps(document)

    _insider(realm, signed, altered)
    _register(realm, signed)


def _header(**changes: object) -> Callable[[Any], None]:
    return lambda notes: notes["lockflight.toml"]["release"].update(changes)


REFERENCE = {"name": "base", "role": "image-base", "uri": "docker://x", "digest": "sha256:" + "0" * 64}

BY_HAND = {
    "name": _header(name="six"),
    "version": _header(version="2.0.0"),
    "kind": _header(kind="knowledge-base"),
    "tier": _header(tier="high"),
    "references": _header(references=[REFERENCE]),
    "dependencies": _header(dependencies=[{"name": "kb", "environment": "production"}]),
    "licence": lambda notes: notes["LICENSE"].update(role="documentation"),
    "release-manifest": lambda notes: notes["lockflight.toml"].update(role="documentation"),
}


def test_a_statement_that_says_something_else_than_its_manifest(
    home: Path, realm: Realm, signed: Signed
) -> None:
    honest = (signed.package / "model.sig").read_bytes()
    for named, alter in BY_HAND.items():
        (signed.package / "model.sig").write_bytes(honest)
        _registered_insider(realm, signed, alter)
        assert realm.state.records[-1].effective
        with pytest.raises(VerificationFailed, match=named) as caught:
            verify_package(home, "acme", signed.package)
        assert (caught.value.code, caught.value.exit_code) == ("LF7114", 12)
        with pytest.raises(VerificationFailed, match="LF7114"):
            promote(
                home, "acme", signed.package, environment="development", actor="alice", now=int(time.time())
            )


def test_a_statement_that_says_the_same_by_hand_is_as_good(home: Path, realm: Realm, signed: Signed) -> None:
    _insider(realm, signed, lambda body: body)
    assert verify_package(home, "acme", signed.package).release.digest == signed.release.digest


def _by_hand(realm: Realm, signed: Signed, manifest: str) -> None:
    """A package whose manifest a granted person swapped, with a statement over the new bytes."""
    (signed.package / "lockflight.toml").write_text(manifest)
    data = manifest.encode()

    def swapped(body: bytes) -> bytes:
        old = parse_release(body)
        own = replace(
            old.assets[0],
            size=len(data),
            sha256=hashlib.sha256(data).hexdigest(),
            blake3=blake3(data).hexdigest(),
        )
        return replace(old, assets=(own, *old.assets[1:]), _cache={}).payload

    _insider(realm, signed, swapped)
    _register(realm, signed)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('files = ["LICENSE"]', 'files = ["LICENSE", "NOTICE"]', "LF1005"),
        ('role = "licence"\nfiles = ["LICENSE"]', 'role = "licence"\nfiles = ["data/a.csv"]', "LF1006"),
        ('[[assets]]\nrole = "licence"', '[[exclude]]\nreason = "x"', "excludes it"),
        ("[release]", "[release", "LF0151"),
    ],
)
def test_a_manifest_that_cannot_say_what_was_signed(
    home: Path, realm: Realm, signed: Signed, old: str, new: str, said: str
) -> None:
    manifest = (signed.package / "lockflight.toml").read_text()
    assert old in manifest
    _by_hand(realm, signed, manifest.replace(old, new))
    with pytest.raises(VerificationFailed, match=said) as caught:
        verify_package(home, "acme", signed.package)
    assert caught.value.code == "LF7114"


def _weights(workspace: Path) -> None:
    """A safetensors file in the workspace."""
    from tests.formats.test_tensorindex import TWO, made

    (workspace / "model.safetensors").write_bytes(made(TWO))
    manifest = workspace / "lockflight.toml"
    rule = '\n[[assets]]\nrole = "model-weights"\nfiles = ["model.safetensors"]\n'
    manifest.write_text(manifest.read_text() + rule)


@pytest.mark.parametrize("key", ["blake3", "tensors", "header", "none"])
def test_a_signer_who_states_other_digests_for_the_loader(
    home: Path, realm: Realm, workspace: Path, tmp_path: Path, key: str
) -> None:
    _weights(workspace)
    signed = sign(home, realm.name, workspace, tmp_path / "package", actor="alice")
    index = signed.release.asset("model.safetensors").tensors  # type: ignore[union-attr]
    assert index is not None
    assert len(index.digests) == 2
    assert verify_package(home, "acme", signed.package).release == signed.release

    def alter(notes: Any) -> None:
        stated = notes["model.safetensors"]
        if key == "blake3":
            stated["blake3"] = "0" * 64
        elif key == "tensors":
            stated["tensors"]["blake3"].reverse()
        elif key == "header":
            stated["tensors"]["header"] = "0" * 64
        else:
            del stated["tensors"]

    _registered_insider(realm, signed, alter)
    if key == "none":
        # As builds before this one signed: whole files are verified then.
        assert verify_package(home, "acme", signed.package).release.digest != signed.release.digest
    else:
        assert _refused(home, signed.package) == "LF7301"
