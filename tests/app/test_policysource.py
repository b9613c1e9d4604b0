"""Policies from elsewhere: signed archives, and addresses whose bytes somebody vouches for."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lockflight.app.policy import policytools as tools
from lockflight.app.policy.adopt import adopt, people_of
from lockflight.app.policy.policysource import Trust, policy_at
from lockflight.core.attest import statement as statements
from lockflight.core.attest.changes import Adoption, parse_adoption
from lockflight.core.attest.statement import Statement, SubjectRef
from lockflight.core.state.policysig import SUFFIX, SignedBundle, parse_signed_bundle, verify_signed_bundle
from lockflight.core.verify.crypto.keys import load_pem
from lockflight.errors import LockflightError, VerificationFailed
from lockflight.policy.archive import packed
from lockflight.policy.shipped import pack_files
from lockflight.signing.keys import ED25519, P256, generate
from lockflight.signing.oms import make_bundle, sign_statement
from tests.cli.world import World
from tests.https import https
from tests.policy.small import small_bundle

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from lockflight.app.realm.realm import Realm
    from lockflight.core.verify.crypto.keys import PublicKey
    from lockflight.signing.keys import FileSigner
    from tests.https import Server


def refused(code: str, place: object, trust: Trust) -> LockflightError:
    with pytest.raises(LockflightError) as caught:
        policy_at(str(place), trust)
    assert caught.value.code == code, caught.value
    return caught.value


@pytest.fixture
def signer() -> FileSigner:
    return generate(P256)


@pytest.fixture
def archive(tmp_path: Path, signer: FileSigner) -> Path:
    """An archive of `small` with its signature beside it."""
    path = tmp_path / "small.tar.gz"
    path.write_bytes(packed(small_bundle()))
    sign(path, signer)
    return path


def sign(path: Path, signer: FileSigner, **changes: str) -> Path:
    """Sign what lies there, or something else, and write the signature beside it."""
    bundle = policy_at(str(path), Trust()).bundle
    said = SignedBundle(
        bundle.name, bundle.version, bundle.digest, hashlib.sha256(path.read_bytes()).hexdigest()
    )
    statement = replace(said, **changes).statement()
    beside = path.with_name(path.name + SUFFIX)
    beside.write_bytes(make_bundle(sign_statement(statement, signer), signer.public_key.pem))
    return beside


def public(signer: FileSigner) -> PublicKey:
    return load_pem(signer.public_key.pem)


# Signatures.


@pytest.mark.parametrize("kind", [P256, ED25519])
def test_a_signature_holds(archive: Path, kind: Any) -> None:
    signer = generate(kind)
    sign(archive, signer)
    found = policy_at(str(archive), Trust(key=public(signer)))
    assert found.signed_by == signer.keyid
    assert found.bundle.name == "small"
    named = archive.with_name("elsewhere.json")
    archive.with_name(archive.name + SUFFIX).rename(named)
    assert policy_at(str(archive), Trust(key=public(signer), signature=str(named))).signed_by == signer.keyid


def test_one_of_the_people(archive: Path, signer: FileSigner) -> None:
    others = [public(generate(P256)) for _ in range(3)]
    assert policy_at(str(archive), Trust(people=[*others, public(signer)])).signed_by == signer.keyid
    refused("LF7143", archive, Trust(people=others))


def test_another_key(archive: Path) -> None:
    refused("LF7143", archive, Trust(key=public(generate(P256))))


def test_no_signature_where_one_is_demanded(archive: Path, signer: FileSigner) -> None:
    archive.with_name(archive.name + SUFFIX).unlink()
    refused("LF7172", archive, Trust(key=public(signer)))
    assert policy_at(str(archive), Trust(people=[public(signer)])).signed_by == ""


def test_a_signature_that_cannot_be_read_is_not_none(archive: Path, signer: FileSigner) -> None:
    beside = archive.with_name(archive.name + SUFFIX)
    beside.unlink()
    beside.symlink_to("nowhere")
    refused("LF7172", archive, Trust(people=[public(signer)]))
    beside.unlink()
    beside.mkdir()
    refused("LF7172", archive, Trust(people=[public(signer)]))


def test_a_signature_that_was_named_and_is_not_there(archive: Path, signer: FileSigner) -> None:
    refused("LF0117", archive, Trust(key=public(signer), signature="nowhere.json"))
    refused("LF0107", archive, Trust(signature="nowhere.json"))


def test_a_folder_is_not_signed(tmp_path: Path, signer: FileSigner) -> None:
    tools.create("our-rules", tmp_path / "rules")
    refused("LF0107", tmp_path / "rules", Trust(key=public(signer)))


def test_a_flipped_byte_of_the_archive(archive: Path, signer: FileSigner) -> None:
    body = bytearray(archive.read_bytes())
    for place in range(0, len(body), 97):
        body[place] ^= 4
        archive.write_bytes(body)
        refused("LF7171", archive, Trust(key=public(signer)))
        body[place] ^= 4


def test_flipped_bytes_of_the_signature(archive: Path, signer: FileSigner) -> None:
    beside = archive.with_name(archive.name + SUFFIX)
    whole = beside.read_bytes()
    for place in range(0, len(whole), 41):
        beside.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        try:
            found = policy_at(str(archive), Trust(key=public(signer)))
        except VerificationFailed:
            continue
        assert found.signed_by == signer.keyid  # a hint, or white space
    beside.write_bytes(b"")
    with pytest.raises(LockflightError):
        policy_at(str(archive), Trust(key=public(signer)))


def test_the_signature_of_another_archive(archive: Path, signer: FileSigner) -> None:
    """The same bundle in another archive, and another bundle altogether."""
    import gzip

    body = archive.read_bytes()
    archive.write_bytes(gzip.compress(gzip.decompress(body), mtime=7))
    refused("LF7171", archive, Trust(key=public(signer)))
    archive.write_bytes(packed(pack_files("agent")))
    refused("LF7171", archive, Trust(key=public(signer)))


@pytest.mark.parametrize("change", [{"name": "other"}, {"version": "2"}, {"bundle": "ab" * 32}])
def test_a_signature_that_names_another_bundle(
    archive: Path, signer: FileSigner, change: dict[str, str]
) -> None:
    sign(archive, signer, **change)
    refused("LF7171", archive, Trust(key=public(signer)))


def test_a_signature_of_something_else(archive: Path, signer: FileSigner) -> None:
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    subject = (SubjectRef("archive", digest), SubjectRef("small", "ab" * 32))
    beside = archive.with_name(archive.name + SUFFIX)
    for kind, subjects, predicate in (
        (statements.POLICY, subject, {"version": "1"}),
        (statements.POLICY_BUNDLE, subject[:1], {"version": "1"}),
        (statements.POLICY_BUNDLE, subject, {"version": "1", "more": "x"}),
        (statements.POLICY_BUNDLE, subject, {}),
    ):
        statement = Statement(kind, subjects, dict(predicate))
        beside.write_bytes(make_bundle(sign_statement(statement, signer), signer.public_key.pem))
        refused("LF7170", archive, Trust(key=public(signer)))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=400))
def test_any_bytes_are_a_signature_or_are_refused(body: bytes) -> None:
    with pytest.raises(LockflightError) as caught:
        verify_signed_bundle(body, "ab" * 32, [])
    assert caught.value.exit_code == 12


def test_the_statement_reads_back() -> None:
    said = SignedBundle("n", "1", "ab" * 32, "cd" * 32)
    assert parse_signed_bundle(said.statement()) == said


def test_adoptions_of_before_read_as_they_are() -> None:
    plain = Adoption("n", "1", "ab" * 32, "cd" * 32, (), "", "ef" * 32)
    assert "signedBy" not in plain.statement().predicate
    for adoption in (plain, replace(plain, signed_by="aa" * 32)):
        assert parse_adoption(adoption.statement()) == adoption


def test_who_signed_is_adopted(realm: Realm, tmp_path: Path) -> None:
    out = tmp_path / "agent.tar.gz"
    bundle = tools.archive("pack:agent", out)
    place, keyid = tools.sign_archive(realm.home, realm.name, "alice", out, bundle)
    assert place.name == "agent.tar.gz.sigstore.json"
    found = policy_at(str(out), Trust(people=people_of(realm.home, realm.name)))
    assert found.signed_by == keyid
    with pytest.raises(
        LockflightError
    ) as caught:  # alice is no admin; it is what she proposes that counts here
        adopt(realm.home, realm.name, found.bundle, environments=(), actor="alice", signed_by=found.signed_by)
    assert caught.value.code == "LF4527"


# The commands.


def test_signed_and_adopted_by_command(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.home.mkdir(mode=0o700)
    world.ok(
        "realm init acme --member alice=author --member bob=approver,realm-admin --member dora=realm-admin"
    )
    done = world.ok("policy bundle pack:agent --out agent.tar.gz --sign --as alice --json").json()["result"]
    assert done["signature"] == "agent.tar.gz.sigstore.json"
    said = world.ok("policy adopt agent.tar.gz --as bob --json").json()["result"]
    assert said["signed_by"] == done["signed_by"]
    assert "signed by the key" in world.ok("policy adopt agent.tar.gz --as bob").out
    world.flip("agent.tar.gz")
    assert "LF7171" in world.run("policy adopt agent.tar.gz --as bob").err
    world.flip("agent.tar.gz")
    (tmp_path / "other.pem").write_text(generate(P256).public_key.pem)
    assert "LF7143" in world.run("policy adopt agent.tar.gz --key other.pem --as bob").err
    assert "LF0107" in world.run("policy adopt --pack agent --key other.pem --as bob").err
    assert "LF0107" in world.run("policy show --pack agent --key other.pem").err


# Addresses.


@pytest.fixture
def server(tmp_path: Path, archive: Path) -> Iterator[Server]:
    with https(tmp_path / "tls") as running:
        running.files["/small.tar.gz"] = archive.read_bytes()
        running.files[f"/small.tar.gz{SUFFIX}"] = archive.with_name(archive.name + SUFFIX).read_bytes()
        yield running


def pin(archive: Path) -> str:
    return f"#sha256={hashlib.sha256(archive.read_bytes()).hexdigest()}"


@pytest.mark.enable_socket
def test_a_pinned_address(server: Server, archive: Path) -> None:
    url = server.url("/small.tar.gz") + pin(archive)
    assert policy_at(url, Trust(ca=server.ca)).bundle.name == "small"
    server.files["/small.tar.gz"] = packed(pack_files("agent"))
    refused("LF7173", url, Trust(ca=server.ca))


@pytest.mark.enable_socket
def test_a_signed_address(server: Server, archive: Path, signer: FileSigner) -> None:
    trust = Trust(ca=server.ca, key=public(signer))
    url = server.url("/small.tar.gz")
    assert policy_at(url, trust).signed_by == signer.keyid
    assert policy_at(url + pin(archive), trust).signed_by == signer.keyid
    named = replace(trust, signature=str(archive.with_name(archive.name + SUFFIX)))
    assert policy_at(url, named).signed_by == signer.keyid
    refused("LF7143", url, replace(trust, key=public(generate(P256))))
    server.files["/small.tar.gz"] = packed(pack_files("agent"))
    refused("LF7171", url, trust)
    del server.files[f"/small.tar.gz{SUFFIX}"]
    refused("LF5060", url, trust)


def test_an_address_that_nobody_vouches_for(signer: FileSigner) -> None:
    """No socket is opened for it."""
    refused("LF0184", "https://127.0.0.1:1/small.tar.gz", Trust())
    refused("LF0184", "https://127.0.0.1:1/small.tar.gz", Trust(people=[public(signer)]))
    for fragment in ("#", "#sha256=", "#sha256=00", "#sha512=" + "0" * 64, "#sha256=" + "A" * 64, "#x"):
        code = "LF0184" if fragment == "#" else "LF0183"
        refused(code, f"https://127.0.0.1:1/small.tar.gz{fragment}", Trust())


@pytest.mark.parametrize("scheme", ["http", "HTTP", "ftp", "file", "ssh"])
def test_only_https(scheme: str, signer: FileSigner) -> None:
    pinned = f"{scheme}://127.0.0.1:1/small.tar.gz#sha256={'0' * 64}"
    refused("LF0183", pinned, Trust())
    refused("LF0183", pinned, Trust(key=public(signer)))
    refused("LF0183", pinned.partition("#")[0], Trust(key=public(signer)))


def test_offline(archive: Path, signer: FileSigner) -> None:
    refused("LF5065", f"https://127.0.0.1:1/small.tar.gz{pin(archive)}", Trust(offline=True))
    assert policy_at(str(archive), Trust(offline=True, key=public(signer))).signed_by


@pytest.mark.enable_socket
def test_no_policy_behind_the_address(server: Server) -> None:
    server.files["/x"] = b"<html>not found</html>"
    pinned = f"{server.url('/x')}#sha256={hashlib.sha256(server.files['/x']).hexdigest()}"
    refused("LF4005", pinned, Trust(ca=server.ca))
    server.redirect("/moved", "/small.tar.gz")
    body = server.files["/small.tar.gz"]
    moved = f"{server.url('/moved')}#sha256={hashlib.sha256(body).hexdigest()}"
    assert policy_at(moved, Trust(ca=server.ca)).bundle.name == "small"


@pytest.mark.enable_socket
def test_by_command(server: Server, archive: Path, tmp_path: Path, signer: FileSigner) -> None:
    world = World(tmp_path)
    world.home.mkdir(mode=0o700)
    world.ok("realm init acme --member alice=author --member bob=approver")
    url, ca = server.url("/small.tar.gz"), f"--ca {server.ca}"
    (tmp_path / "key.pem").write_text(signer.public_key.pem)
    shown = world.ok(f"policy show {url}{pin(archive)} {ca} --json").json()["result"]
    assert shown["bundle"]["name"] == "small"
    assert world.ok(f"policy test {url} --key key.pem {ca}").code == 0
    assert "no difference" in world.ok(f"policy diff small.tar.gz {url}{pin(archive)} {ca}").out
    for verb in ("show", "test", "diff pack:agent", "adopt --as bob"):
        done = world.run(f"policy {verb} {url} {ca}")
        assert "LF0184" in done.err, done.err
        assert done.code == 2
        done = world.run(f"policy {verb} {url}{pin(archive)} {ca} --offline")
        assert done.code == 4
        assert "LF5065" in done.err
    assert json.loads(world.run(f"policy show {url}{pin(archive)} --json").out)["error"]["code"] == "LF5061"
