"""What others made comes in through the gate, or not at all."""

from __future__ import annotations

import hashlib
import json
import struct

import pytest

from lockflight.app.gate.intake import Offer, take_in
from lockflight.app.provenance.lineage import lineage_of
from lockflight.app.release.foreign import Asked
from lockflight.app.release.show import opened
from lockflight.core.facts.factprov import label
from lockflight.core.words import Kind
from lockflight.errors import EvidenceMissing, LockflightError, PolicyDenied, VerificationFailed
from lockflight.signing.keys import P256, generate
from lockflight.signing.oms import make_bundle, sign_release
from tests.factories import asset

NOW = 1_790_000_000
PICKLE = b"cposix\nsystem\n(S'true'\ntR."


def safetensors(value=1.0):
    head = json.dumps({"w": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}).encode()
    return struct.pack("<Q", len(head)) + head + struct.pack("<f", value)


@pytest.fixture
def third(tmp_path):
    """A downloaded base model, with what its maker says about it."""
    folder = tmp_path / "tiny-base"
    folder.mkdir()
    (folder / "model.safetensors").write_bytes(safetensors())
    (folder / "config.json").write_text('{"model_type": "llama", "architectures": ["LlamaForCausalLM"]}')
    (folder / "README.md").write_text("# Tiny base\n")
    return folder


def go(realm, what, **options):
    realm._view = None
    return take_in(
        realm.home, realm.name, Offer(str(what), **options), actor="alice", clock=lambda: NOW, workers=1
    )


def refused(realm, what, **options):
    with pytest.raises(LockflightError) as caught:
        go(realm, what, **options)
    realm._view = None
    assert not realm.state.provenance, "nothing may come in"
    return caught.value


def test_a_folder_comes_in_with_origin_and_licence(realm, third):
    uri = "https://models.example/tiny-base"
    done = go(realm, third, origin=uri, licence="Apache-2.0", context="public text", kind=Kind.BASE_MODEL)
    assert (done.intake.uri, done.intake.licence, done.intake.kind) == (uri, "Apache-2.0", "base-model")
    assert [p.name for p in done.intake.products] == ["README.md", "config.json", "model.safetensors"]
    assert done.ran
    realm._view = None
    weights = hashlib.sha256(safetensors()).hexdigest()
    assert label(realm.state, weights) == "intake"
    [record] = realm.state.provenance[weights]
    assert record.fact.authors.principals == (realm.actor("alice").principal,)
    assert go(realm, third, kind=Kind.BASE_MODEL).ran == (), "evidence that is there is not made again"


def test_a_file_comes_in_alone(realm, third):
    (third / "evil.pkl").write_bytes(PICKLE)
    for what in (third / "model.safetensors", (third / "model.safetensors").as_uri()):
        done = go(realm, what)
        assert [p.name for p in done.intake.products] == ["model.safetensors"]
        assert done.intake.uri == "file:model.safetensors"


def test_what_came_in_is_known_in_the_release_that_uses_it(realm, third, workspace):
    (third / "a.csv").write_bytes((workspace / "data" / "a.csv").read_bytes())
    go(realm, third / "a.csv", origin="https://data.example/a", licence="CC0-1.0", kind=Kind.DATASET)
    with opened(workspace) as described:
        tree = lineage_of(realm.home, realm.name, described.release, as_of=None)
    [made] = tree.made
    assert made.products == ("data/a.csv",)
    assert made.to_json()["uri"] == "https://data.example/a"


def test_a_pickle_that_calls_a_command_stays_out(realm, third):
    (third / "adapter.pkl").write_bytes(PICKLE)
    error = refused(realm, third)
    assert isinstance(error, PolicyDenied)
    assert error.code == "LF4581"
    assert any("adapter.pkl" in v["message"] for v in error.details["violations"])
    assert error.details["decision"] in realm.state.by_digest, "a denial is recorded too"


def test_its_own_manifest_is_not_obeyed(realm, third):
    """A maker who excludes the bad file, or calls it documentation, changes nothing."""
    (third / "adapter.pkl").write_bytes(PICKLE)
    (third / "lockflight.toml").write_text(
        '[release]\nname = "x"\nversion = "1"\nkind = "dataset"\ntier = "minimal"\n'
        '[[assets]]\nrole = "documentation"\nfiles = ["README.md", "config.json", "model.safetensors"]\n'
        '[[exclude]]\nreason = "nothing"\nfiles = ["adapter.pkl"]\n'
    )
    assert refused(realm, third).code == "LF4581"


def test_what_cannot_be_judged_stays_out(realm, third):
    (third / "model.safetensors").write_bytes(struct.pack("<Q", 1 << 40))
    error = refused(realm, third)
    assert isinstance(error, PolicyDenied | EvidenceMissing)


@pytest.mark.parametrize(
    ("what", "code", "words"),
    [
        (
            "https://models.example/base.safetensors",
            "LF4580",
            "curl -fLO https://models.example/base.safetensors",
        ),
        ("hf://acme/base", "LF4580", "hf download"),
        ("exotic:thing", "LF4580", "Download it"),
        ("file://elsewhere/base", "LF4580", "file:///"),
        ("nowhere", "LF0117", "Name the file"),
    ],
)
def test_nothing_is_fetched(realm, what, code, words):
    error = refused(realm, what)
    assert error.code == code
    assert words in error.hint


def test_a_link_is_named_as_one(realm, third, tmp_path):
    link = tmp_path / "link"
    link.symlink_to(third)
    assert refused(realm, link).code == "LF0117"
    (third / "weights.bin").symlink_to("/etc/passwd")
    assert refused(realm, third).code == "LF1001"


@pytest.mark.parametrize(
    "options",
    [
        {"signature": "model.sig"},
        {"origin": "models.example/base"},
        {"origin": "https://me:word@models.example/base"},
        {"origin": "https://models.example/a b"},
        {"licence": "see\nbelow"},
        {"context": "x" * 3000},
        {"context": "red \x1b[31m"},
    ],
)
def test_options_have_a_form(realm, third, options):
    assert refused(realm, third, **options).code == "LF4583"


@pytest.fixture
def signed(third):
    """The maker's key and signature over everything in the folder, as a stock tool would make them."""
    from lockflight.core.release.release import make_release
    from lockflight.core.words import Role, Tier

    key = generate(P256)
    (third / "lockflight.toml").write_text("made elsewhere")
    assets = [
        asset(path.name, Role.RELEASE_MANIFEST if path.suffix == ".toml" else Role.OTHER, path.read_bytes())
        for path in third.iterdir()
    ]
    release = make_release(name="tiny", version="1", kind=Kind.MODEL, tier=Tier.MINIMAL, assets=assets)
    (third / "model.sig").write_bytes(make_bundle(sign_release(release, key), key.public_key.pem, None))
    pem = third.parent / "maker.pem"
    pem.write_bytes(
        key.public_key.pem.encode() if isinstance(key.public_key.pem, str) else key.public_key.pem
    )
    return key, pem


def test_its_makers_signature_is_verified(realm, third, signed):
    key, pem = signed
    done = go(realm, third, maker=Asked(key=pem))
    assert done.intake.signer == key.keyid
    realm._view = None
    moved = third.parent / "beside.sig"
    (third / "model.sig").rename(moved)
    assert go(realm, third, maker=Asked(key=pem), signature=moved).intake.signer == key.keyid


@pytest.mark.parametrize("damage", ["changed", "added", "removed", "key", "no signature"])
def test_what_its_maker_did_not_sign_stays_out(realm, third, signed, damage):
    _, pem = signed
    if damage == "changed":
        (third / "config.json").write_text("{}")
    elif damage == "added":
        (third / "extra.json").write_text("{}")
    elif damage == "removed":
        (third / "config.json").unlink()
    elif damage == "key":
        pem.write_text(generate(P256).public_key.pem)
    else:
        (third / "model.sig").unlink()
    error = refused(realm, third, maker=Asked(key=pem))
    assert error.code == "LF0117" if damage == "no signature" else isinstance(error, VerificationFailed)


def test_how_its_makers_signature_was_verified_is_recorded(realm, third, tmp_path):
    from cryptography.hazmat.primitives.serialization import Encoding

    from lockflight.core.facts.factprov import provenance_rows
    from tests.abuse import chained, statement
    from tests.sovereign import ALICE, sovereign

    authority, key = sovereign(), generate(P256)
    files = {path.name: path.read_bytes() for path in third.iterdir()}
    rows = [(name, hashlib.sha256(files[name]).hexdigest()) for name in sorted(files)]
    leaf = authority.authority.issue(key.public_der, ALICE, authority.now)
    chain = [leaf.der, authority.authority.certificate.der]
    (tmp_path / "roots.pem").write_bytes(authority.root.x509.public_bytes(Encoding.PEM))
    (tmp_path / "trust.json").write_bytes(authority.config())
    signature = tmp_path / "maker.sig"
    signature.write_bytes(chained(key, chain, authority.stamper, authority.now, statement(rows)))
    maker = Asked(roots=tmp_path / "roots.pem", trust_root=tmp_path / "trust.json")
    done = go(realm, third, maker=maker, signature=signature)
    taken = done.intake.signature
    assert (taken.mode, taken.method, taken.certificate, taken.relaxations) == (
        "strict",
        "certificate",
        leaf.digest,
        (),
    )
    assert taken.signed_at
    realm._view = None
    [row] = provenance_rows(realm.state, done.release)
    assert (row["origin"], row["signature"]) == ("intake", "strict")


def test_compat_counts_only_where_it_was_asked_for_and_is_recorded(realm, third, tmp_path):
    from lockflight.core.facts.factprov import provenance_rows
    from tests.abuse import sealed, statement

    key = generate(P256)
    files = {path.name: path.read_bytes() for path in third.iterdir()}
    rows = [(name, hashlib.blake2b(files[name]).hexdigest()) for name in sorted(files)]
    signature, pem = tmp_path / "maker.sig", tmp_path / "maker.pem"
    pem.write_text(key.public_key.pem)
    signature.write_bytes(sealed(statement(rows, hash_type="blake2b", ignore_paths=["extra.json"]), key=key))
    assert refused(realm, third, maker=Asked(key=pem), signature=signature).code == "LF7154"
    (third / "extra.json").write_text("{}")
    asked = Asked(key=pem, compat=True)
    assert refused(realm, third, maker=asked, signature=signature).code == "LF7309", "what comes in is signed"
    (third / "extra.json").unlink()
    done = go(realm, third, maker=asked, signature=signature)
    assert (done.intake.signature.mode, done.intake.signature.relaxations) == ("compat", ("blake2b",))
    realm._view = None
    [row] = provenance_rows(realm.state, done.release)
    assert row["signature"] == "compat"


def test_the_personal_realm_takes_in_too(home, third):
    done = take_in(home, "personal", Offer(str(third)), actor="", clock=lambda: NOW, workers=1)
    assert done.realm == "personal"
