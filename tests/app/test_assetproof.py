"""A proof of one asset holds against the realm, a snapshot and the root alone; every forgery has its own refusal."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockflight.app.gate.approvals import revoke
from lockflight.app.log.demands import Demands
from lockflight.app.realm.realm import Member, create_realm
from lockflight.app.realm.snapshot import write_snapshot
from lockflight.app.release.assetproof import verify_asset_proof, write_asset_proof
from lockflight.app.release.sign import sign
from lockflight.core.attest.acts import Registration, Scope
from lockflight.core.attest.tree import Tree, TreeAsset, assets_of
from lockflight.core.attest.trust import Duty, RealmKind
from lockflight.core.canonical import dumps
from lockflight.core.log.merkle import node_hash
from lockflight.core.verify.assetproof import read_asset_proof
from lockflight.deploy.trust import Trust
from lockflight.errors import LockflightError
from tests.cli.runner import validator

NAME = "data/a.csv"


@pytest.fixture
def world(home, realm, workspace, tmp_path):
    signed = sign(home, "acme", workspace, tmp_path / "package", actor="alice")
    proof = tmp_path / "a.proof"
    done = write_asset_proof(home, "acme", str(signed.package), NAME, proof)
    root = realm.state.root
    return SimpleNamespace(home=home, signed=signed, proof=proof, done=done, root=root, tmp=tmp_path)


def check(world, **options):
    return verify_asset_proof(world.home, "acme", world.proof, options.pop("demands", Demands()), **options)


def refused(world, **options):
    with pytest.raises(LockflightError) as caught:
        check(world, **options)
    return caught.value.code


def altered(world, **parts):
    proof = replace(read_asset_proof(world.proof.read_bytes()), **parts)
    world.proof.write_bytes(proof.encode())


def test_against_the_realm(world):
    found = check(world, file=world.signed.package / NAME, signer="alice")
    assert (found.standing, found.signer, found.file) == ("effective", "alice", True)
    assert found.proven.asset.name == NAME
    assert found.proven.registration.release == world.signed.release.digest
    assert found.seen_at >= found.proven.time > 0
    assert world.proof.stat().st_size < 16_000


def test_the_file_has_its_published_form(world):
    validator("asset-proof").validate(json.loads(world.proof.read_bytes()))


def test_a_proof_shows_nothing_else_of_the_release(world):
    text = world.proof.read_text()
    for other in world.signed.release.assets:
        if other.name != NAME:
            assert other.name not in text
            assert other.sha256 not in text


def test_against_a_snapshot_and_against_the_root_alone(world, tmp_path):
    write_snapshot(world.home, "acme", tmp_path / "acme.realm")
    bare = SimpleNamespace(home=tmp_path / "nothing", proof=world.proof)
    found = check(bare, trust=Trust(world.root, tmp_path / "acme.realm"))
    assert found.standing == "effective"
    alone = check(bare, root=world.root, signer=world.signed.keyid)
    assert (alone.standing, alone.seen_at, alone.signer) == ("claimed", -1, world.signed.keyid)
    assert refused(bare, root=world.root) == "LF0173"
    assert refused(bare, root=world.root, signer="x", demands=Demands(max_age=1)) == "LF0173"
    assert refused(bare, root=world.root, signer="p-0123456789abcdef") == "LF7345"
    assert refused(bare, root="0" * 64, signer=world.signed.keyid) == "LF7191"
    assert refused(bare) == "LF4510"


def test_another_file(world):
    assert refused(world, file=world.signed.package / "data" / "b.csv") == "LF7342"
    assert refused(world, file=world.tmp / "none") == "LF5035"


def test_another_asset_role_size_or_kind(world):
    right = read_asset_proof(world.proof.read_bytes()).asset
    for change in (
        {"name": "data/b.csv"},
        {"role": "code"},
        {"size": 1},
        {"sha256": "0" * 64},
        {"kind": "reference"},
    ):
        altered(world, asset=replace(right, **change))
        assert refused(world) == "LF7341", change


def test_another_place_and_hashes_cut_reordered_or_grown(world):
    right = read_asset_proof(world.proof.read_bytes())
    assert len(right.hashes) >= 2
    for change in (
        {"index": right.index ^ 1},
        {"index": 10**6},
        {"hashes": right.hashes[:-1]},
        {"hashes": ()},
        {"hashes": right.hashes[::-1]},
        {"hashes": (*right.hashes, b"\0" * 32)},
        {"hashes": (bytes(32), *right.hashes[1:])},
    ):
        altered(world, index=right.index, hashes=right.hashes)
        altered(world, **change)
        assert refused(world) == "LF7341", change


def test_a_node_of_the_tree_is_no_asset(world):
    """Second preimage: the two halves of a node, given as the digest of an asset, do not hash to that node."""
    right = read_asset_proof(world.proof.read_bytes())
    assets = assets_of(world.signed.release)
    node = node_hash(assets[0].leaf, assets[1].leaf)
    for name, digest in ((NAME, node.hex()), ("", node.hex())):
        altered(world, asset=TreeAsset(name, "file", "dataset", 64, digest), index=0, hashes=right.hashes[1:])
        assert refused(world) == "LF7341"


def test_the_root_of_another_release(world, workspace, tmp_path):
    (workspace / NAME).write_text("other\n")
    (workspace / "lockflight.toml").write_text(
        (workspace / "lockflight.toml").read_text().replace("1.0.0", "1.0.1")
    )
    sign(world.home, "acme", workspace, tmp_path / "second", actor="alice")
    other = tmp_path / "second.proof"
    write_asset_proof(world.home, "acme", str(tmp_path / "second"), NAME, other)
    second = read_asset_proof(other.read_bytes())
    altered(world, registration=second.registration, entry=second.entry)
    assert refused(world) == "LF7341"
    altered(world, registration=second.registration, entry=read_asset_proof(other.read_bytes()).entry)
    assert refused(world, root=world.root, signer=world.signed.keyid) == "LF7341"


def test_a_registration_beside_another_log_entry(world, workspace, tmp_path):
    first = read_asset_proof(world.proof.read_bytes())
    write_asset_proof(world.home, "acme", world.signed.release.digest, "README.md", tmp_path / "r")
    other = read_asset_proof((tmp_path / "r").read_bytes())
    assert other.entry == first.entry
    altered(world, entry=replace(first.entry, index=first.entry.index - 1))
    assert refused(world) == "LF7200"
    altered(world, entry=replace(first.entry, hashes=first.entry.hashes[:-1]))
    assert refused(world) == "LF7200"


def test_another_realm_of_the_same_people(world, workspace, tmp_path):
    """A realm with the same names and the same files: its proofs are of another root."""
    other_home = tmp_path / "other-home"
    create_realm(
        other_home, "acme", RealmKind.TEAM, [Member("alice", ("author",)), Member("bob", ("approver",))]
    )
    sign(other_home, "acme", workspace, tmp_path / "elsewhere", actor="alice")
    foreign = tmp_path / "foreign.proof"
    write_asset_proof(other_home, "acme", str(tmp_path / "elsewhere"), NAME, foreign)
    theirs = read_asset_proof(foreign.read_bytes())
    assert theirs.asset == read_asset_proof(world.proof.read_bytes()).asset
    world.proof.write_bytes(foreign.read_bytes())
    assert refused(world) == "LF7191"
    # With our trust statements before it, its checkpoint is still not of our log.
    ours = write_and_read(world, tmp_path)
    altered(world, trust=ours.trust)
    assert refused(world) in {"LF7204", "LF7205"}
    altered(world, entry=ours.entry)
    assert refused(world) == "LF7162"


def write_and_read(world, tmp_path):
    write_asset_proof(world.home, "acme", world.signed.release.digest, NAME, tmp_path / "again")
    return read_asset_proof((tmp_path / "again").read_bytes())


def _forge(realm, signed, signer, tree):
    """A logged registration of the true release with the tree of a file that is not in it."""
    release = signed.release
    fact = Registration(
        release.digest,
        release.name,
        release.version,
        release.kind.value,
        release.tier.value,
        signed.envelope,
        release.oms_root,
        realm.state.root,
        tree,
    )
    return realm.append([(fact.statement(), signer)])[0]


@pytest.mark.parametrize(("who", "code"), [("bob", "LF7256"), ("alice", "LF7248")])
def test_a_forged_registration(world, realm, tmp_path, who, code):
    """Signed and logged, but the fold lets nobody say a tree that was not signed, nor an approver register."""
    evil = TreeAsset(NAME, "file", "dataset", 4, "ee" * 32)
    realm.reread()
    signer = realm.actor(who).signer
    receipt = _forge(realm, world.signed, signer, Tree(evil.leaf.hex(), 1))
    assert realm.state.records[-1].code == code
    proof = forged_proof(realm, world, receipt, evil)
    world.proof.write_bytes(proof.encode())
    assert refused(world) == "LF7343"
    write_snapshot(world.home, "acme", tmp_path / "acme.realm")
    assert refused(world, trust=Trust(world.root, tmp_path / "acme.realm")) == "LF7343"
    # Without the log it is the word of its signer, and is told as such.
    other = world.signed.keyid if who == "bob" else "p-0123456789abcdef"
    assert refused(world, root=world.root, signer=other) == "LF7345"
    assert check(world, root=world.root, signer=signer.keyid).standing == "claimed"


def forged_proof(realm, world, receipt, evil):
    from lockflight.app.release.assetproof import _entry

    right = read_asset_proof(world.proof.read_bytes())
    body = realm.view.reader.envelope(receipt.envelope)
    return replace(
        right,
        asset=evil,
        index=0,
        hashes=(),
        registration=body,
        entry=_entry(realm.view, receipt.index),
    )


def test_a_registration_with_another_signature(world):
    right = read_asset_proof(world.proof.read_bytes())
    body = json.loads(right.registration)
    body["signatures"][0]["sig"] = base64.b64encode(b"\x30\x06\x02\x01\x01\x02\x01\x01").decode()
    altered(world, registration=dumps(body))
    assert refused(world) == "LF7163"


def test_trust_statements_cut_or_doubled(world):
    right = read_asset_proof(world.proof.read_bytes())
    altered(world, trust=())
    assert refused(world) == "LF7191"
    altered(world, trust=(*right.trust, *right.trust))
    assert refused(world) == "LF7191"
    altered(world, trust=(right.registration,))
    assert refused(world) == "LF7191"


@pytest.mark.parametrize("what", ["release", "asset"])
def test_what_was_revoked_is_refused_where_the_log_is_asked(world, what):
    digest = world.signed.release.digest if what == "release" else world.done.asset.sha256
    revoke(
        world.home,
        "acme",
        scope=Scope(what),
        digest=digest,
        name="it",
        reason="harmful",
        note="",
        actor="bob",
    )
    assert refused(world) == "LF7335"
    assert check(world, root=world.root, signer=world.signed.keyid).standing == "claimed"


def test_a_log_that_is_held_back(world):
    late = Demands(max_age=60, now=check(world).seen_at + 3600)
    assert refused(world, demands=late) == "LF7225"


def test_what_cannot_be_proven(world, tmp_path):
    for asset, role, code in (("none.csv", "", "LF1023"), (NAME, "code", "LF1023")):
        with pytest.raises(LockflightError) as caught:
            write_asset_proof(
                world.home, "acme", world.signed.release.digest, asset, tmp_path / "x", role=role
            )
        assert caught.value.code == code
    with pytest.raises(LockflightError) as caught:
        write_asset_proof(world.home, "acme", "0" * 64, NAME, tmp_path / "x")
    assert caught.value.code == "LF7344"
    assert not (tmp_path / "x").exists()


def test_a_release_that_was_registered_without_a_tree(world, realm, workspace, tmp_path, monkeypatch):
    """As registrations were before trees: they count, and prove no single asset."""
    from lockflight.app.release import sign as module

    monkeypatch.setattr(module, "tree", lambda _: None)
    (workspace / NAME).write_text("older\n")
    older = sign(world.home, "acme", workspace, tmp_path / "older", actor="alice")
    with pytest.raises(LockflightError) as caught:
        write_asset_proof(world.home, "acme", older.release.digest, NAME, tmp_path / "x")
    assert (caught.value.code, caught.value.exit_code) == ("LF7344", 3)
    realm.reread()
    index = len(realm.state.records) - 1
    receipt = SimpleNamespace(envelope=realm.state.records[-1].digest, index=index)
    world.proof.write_bytes(forged_proof(realm, world, receipt, world.done.asset).encode())
    assert refused(world) == "LF7343"


def test_a_reference_is_proven_too(home, realm, workspace, tmp_path):
    text = (workspace / "lockflight.toml").read_text()
    text += (
        '\n[[references]]\nrole = "dataset"\nname = "upstream"\nuri = "https://data.example/x"\n'
        'version = "2026-01-01"\nlicence = "CC0-1.0"\n'
    )
    (workspace / "lockflight.toml").write_text(text)
    signed = sign(home, "acme", workspace, tmp_path / "package", actor="alice")
    done = write_asset_proof(home, "acme", signed.release.digest, "upstream", tmp_path / "p")
    assert done.asset.kind == "reference"
    assert done.asset.sha256 == signed.release.references[0].sha256
    assert verify_asset_proof(home, "acme", tmp_path / "p", Demands()).proven.asset == done.asset


@pytest.mark.parametrize(
    "change",
    [
        lambda d: d.pop("hashes"),
        lambda d: d.update(more=1),
        lambda d: d.update(schema="x"),
        lambda d: d.update(index=-1),
        lambda d: d.update(index="0"),
        lambda d: d["asset"].update(more=1),
        lambda d: d["asset"].update(kind="folder"),
        lambda d: d.update(hashes=["AA" * 32]),
        lambda d: d.update(hashes=["00"]),
        lambda d: d.update(hashes=["0" * 64] * 33),
        lambda d: d.update(registration=1),
    ],
    ids=map(str, range(11)),
)
def test_files_that_are_no_proof(world, change):
    document = json.loads(world.proof.read_bytes())
    change(document)
    world.proof.write_bytes(dumps(document))
    assert refused(world) == "LF7340"


def test_a_proof_with_space_in_it(world):
    world.proof.write_bytes(json.dumps(json.loads(world.proof.read_bytes()), indent=1).encode())
    assert refused(world) == "LF7340"


@given(st.binary(max_size=400))
def test_bytes_of_strangers_are_refused_in_words(data):
    with pytest.raises(LockflightError) as caught:
        read_asset_proof(data)
    assert caught.value.exit_code == 12


def test_every_flipped_byte_is_refused(world):
    data = world.proof.read_bytes()
    for at in range(0, len(data), 131):
        world.proof.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
        with pytest.raises(LockflightError) as caught:
            check(world)
        assert caught.value.exit_code == 12, at


def test_a_producer_that_registers(world, realm):
    evil = TreeAsset(NAME, "file", "dataset", 4, "ee" * 32)
    realm.reread()
    receipt = _forge(realm, world.signed, realm.signer(Duty.PRODUCER), Tree(evil.leaf.hex(), 1))
    assert realm.state.records[-1].code == "LF7245"
    world.proof.write_bytes(forged_proof(realm, world, receipt, evil).encode())
    assert refused(world) == "LF7343"


def test_under_a_certificate(home, realm, workspace, tmp_path):
    """The key that signed is lent; the proof leads from it to the person."""
    from lockflight.app.identity.authority import found

    found(home, "acme")
    signed = sign(home, "acme", workspace, tmp_path / "package", actor="alice")
    assert signed.identity
    write_asset_proof(home, "acme", signed.release.digest, NAME, tmp_path / "p")
    bare = SimpleNamespace(home=Path(tmp_path / "nothing"), proof=tmp_path / "p")
    realm.reread()
    alone = check(bare, root=realm.state.root, signer=signed.principal)
    assert (alone.signer, alone.standing) == (signed.principal, "claimed")
    assert refused(bare, root=realm.state.root, signer="p-0123456789abcdef") == "LF7345"
    assert verify_asset_proof(home, "acme", tmp_path / "p", Demands()).signer == "alice"
    right = read_asset_proof((tmp_path / "p").read_bytes())
    assert len(right.trust) == 2
    # Without the statement that names the authority, nobody vouches for the key.
    (tmp_path / "p").write_bytes(replace(right, trust=right.trust[:1]).encode())
    assert refused(bare, root=realm.state.root, signer=signed.principal).startswith("LF74")
