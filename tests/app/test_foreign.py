"""Models of others by all three methods, with a realm's own authorities or a trust root of theirs."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from lockflight.app.release.foreign import Asked, verify_model
from lockflight.app.release.sign import sign
from lockflight.core.verify.bundle import pem_hint
from lockflight.errors import LockflightError, NotFound, UsageError, VerificationFailed
from lockflight.signing.certificates import make_intermediate, make_root
from lockflight.signing.keys import ED25519, P256, P384, P521, generate
from lockflight.signing.oms import make_identity_bundle, sign_payload
from tests.abuse import FILES, chained, listed, sealed, statement, write
from tests.cli.runner import run
from tests.sovereign import ALICE, ISSUER, sovereign

if TYPE_CHECKING:
    from lockflight.app.realm.realm import Realm

PAYLOAD = json.dumps(statement(listed(FILES)), indent=2).encode()


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A model, and the files of those who are trusted."""
    realm = sovereign()
    write(tmp_path / "model", FILES)
    (tmp_path / "roots.pem").write_bytes(realm.root.x509.public_bytes(Encoding.PEM))
    (tmp_path / "trust.json").write_bytes(realm.config())
    (tmp_path / "root.json").write_text(json.dumps(realm.trust.to_json()))
    return tmp_path


def judged(place: Path, asked: Asked, bundle: bytes):
    (place / "their.sig").write_bytes(bundle)
    return verify_model(
        place / "model",
        asked,
        home=place / "home",
        realm_name="personal",
        now=sovereign().now,
        signature=place / "their.sig",
    )


def code_of(place: Path, asked: Asked, bundle: bytes) -> str:
    with pytest.raises(LockflightError) as caught:
        judged(place, asked, bundle)
    return caught.value.code


def by_identity(place: Path, **changes: object) -> Asked:
    return replace(Asked(identity=ALICE.name, issuer=ISSUER, trust_root=place / "trust.json"), **changes)


def keyless(payload: bytes = PAYLOAD, *, at: int = 0) -> bytes:
    realm, key = sovereign(), generate(P256)
    leaf = realm.authority.issue(key.public_der, ALICE, realm.now)
    envelope = sign_payload(payload, key)
    stamp = realm.stamper.stamp(envelope.signature, realm.now + at)
    return make_identity_bundle(envelope, leaf.der, realm.entry(envelope, leaf), stamp)


def certified(*, stamped: bool = True, at: int = 0, since: int | None = None) -> bytes:
    realm, key = sovereign(), generate(P256)
    leaf = realm.authority.issue(key.public_der, ALICE, realm.now if since is None else since)
    stamper = realm.stamper if stamped else None
    return chained(key, [leaf.der, realm.authority.certificate.der], stamper, realm.now + at)


@pytest.mark.parametrize("algorithm", [P256, P384, P521])
@pytest.mark.parametrize("compat", [False, True])
def test_a_key(place: Path, algorithm: str, *, compat: bool) -> None:
    key = generate(algorithm)
    (place / "key.pem").write_text(key.public_key.pem)
    done = judged(place, Asked(key=place / "key.pem", compat=compat), sealed(PAYLOAD, key=key))
    assert (done.manifest.maker.method, done.manifest.maker.key) == ("key", key.public_key)
    assert done.relaxations == ()
    (place / "key.pem").write_text(generate(algorithm).public_key.pem)
    assert code_of(place, Asked(key=place / "key.pem", compat=compat), sealed(PAYLOAD, key=key)) == "LF7143"


def test_compat_takes_a_key_that_came_along_only_as_a_hint(place: Path) -> None:
    key, other = generate(P256), generate(P256)
    (place / "key.pem").write_text(key.public_key.pem)
    asked = Asked(key=place / "key.pem", compat=True)
    for brought, fits in ((key, True), (other, False)):
        import base64

        raw = base64.b64encode(brought.public_key.pem.encode()).decode()
        bundle = sealed(PAYLOAD, key=key, material={"publicKey": {"rawBytes": raw, "keyDetails": "PKIX"}})
        if fits:
            assert [one.name for one in judged(place, asked, bundle).relaxations] == ["raw-key"]
        else:
            assert code_of(place, asked, bundle) == "LF7143"


def test_compat_says_that_entries_beside_a_key_were_not_read(place: Path) -> None:
    key = generate(P256)
    (place / "key.pem").write_text(key.public_key.pem)
    raw = json.loads(sealed(PAYLOAD, key=key))
    entry = json.loads(keyless())["verificationMaterial"]["tlogEntries"]
    raw["verificationMaterial"]["tlogEntries"] = entry
    bundle = json.dumps(raw).encode()
    done = judged(place, Asked(key=place / "key.pem", compat=True), bundle)
    assert [one.name for one in done.relaxations] == ["unread-entries"]
    assert code_of(place, Asked(key=place / "key.pem"), bundle) != ""
    assert pem_hint(key.public_key) == raw["verificationMaterial"]["publicKey"]["hint"]


@pytest.mark.parametrize("trust", ["trust.json", "root.json"])
def test_an_identity(place: Path, trust: str) -> None:
    maker = judged(place, by_identity(place, trust_root=place / trust), keyless()).manifest.maker
    assert (maker.method, maker.identity, maker.issuer) == ("identity", ALICE.name, ISSUER)
    assert maker.times_ms == (sovereign().now * 1000,)
    assert maker.logged == 1


@pytest.mark.parametrize("compat", [False, True])
def test_an_identity_is_as_strict_in_compat(place: Path, *, compat: bool) -> None:
    asked = by_identity(place, compat=compat)
    assert (
        code_of(place, replace(asked, identity="https://realm.acme.example/people/p-2"), keyless())
        == "LF7406"
    )
    assert code_of(place, replace(asked, issuer="https://elsewhere.example"), keyless()) == "LF7406"
    assert code_of(place, asked, keyless(at=3600)) == "LF7402"
    bundle = json.loads(keyless())
    bundle["verificationMaterial"]["tlogEntries"] = []
    assert code_of(place, asked, json.dumps(bundle).encode()) == "LF7445"
    (place / "trust.json").write_bytes(sovereign(1).config())
    assert code_of(place, asked, keyless()) != ""


def test_a_certificate(place: Path) -> None:
    asked = Asked(roots=place / "roots.pem", trust_root=place / "trust.json")
    maker = judged(place, asked, certified()).manifest.maker
    assert (maker.method, maker.times_ms) == ("certificate", (sovereign().now * 1000,))
    assert len(maker.certificate) == 64
    assert code_of(place, asked, certified(at=3600)) == "LF7402"
    assert code_of(place, replace(asked, trust_root=None), certified()) == "LF7422"


def test_a_certificate_without_a_proven_time(place: Path) -> None:
    asked = Asked(roots=place / "roots.pem", trust_root=place / "trust.json")
    assert code_of(place, asked, certified(stamped=False)) == "LF7425"
    done = judged(place, replace(asked, compat=True), certified(stamped=False))
    assert [one.name for one in done.relaxations] == ["no-trusted-time"]
    assert done.manifest.maker.times_ms == ()


@pytest.mark.parametrize("compat", [False, True])
def test_a_certificate_under_other_roots(place: Path, *, compat: bool) -> None:
    asked = Asked(roots=place / "roots.pem", trust_root=place / "trust.json", compat=compat)
    (place / "roots.pem").write_bytes(sovereign(1).root.x509.public_bytes(Encoding.PEM))
    assert code_of(place, asked, certified()) == "LF7401"


def test_a_certificate_that_is_for_something_else(place: Path) -> None:
    """The authority's own certificate is no signer's, in compat neither: its key is for certificates."""
    realm, root_key, key = sovereign(), generate(P384), generate(P256)
    root = make_root(root_key, "another root", realm.now - 60)
    issuing = make_intermediate(root_key, root, key.public_der, "another issuing", realm.now - 60)
    (place / "roots.pem").write_bytes(root.x509.public_bytes(Encoding.PEM))
    bundle = chained(key, [issuing.der], realm.stamper, realm.now)
    for compat in (False, True):
        asked = Asked(roots=place / "roots.pem", trust_root=place / "trust.json", compat=compat)
        assert code_of(place, asked, bundle) == "LF7403"


def test_a_changed_payload_under_a_certificate(place: Path) -> None:
    bundle = json.loads(certified())
    other = json.loads(sealed(statement(listed({"config.json": b"evil"}))))
    bundle["dsseEnvelope"]["payload"] = other["dsseEnvelope"]["payload"]
    asked = Asked(roots=place / "roots.pem", trust_root=place / "trust.json")
    assert code_of(place, asked, json.dumps(bundle).encode()) == "LF7446"


@pytest.mark.parametrize("compat", [False, True])
def test_each_method_takes_its_own_bundles_only(place: Path, *, compat: bool) -> None:
    key = generate(P256)
    (place / "key.pem").write_text(key.public_key.pem)
    bundles = {"key": sealed(PAYLOAD, key=key), "certificate": certified(), "identity": keyless()}
    ways = {
        "key": Asked(key=place / "key.pem", compat=compat),
        "certificate": Asked(roots=place / "roots.pem", trust_root=place / "trust.json", compat=compat),
        "identity": by_identity(place, compat=compat),
    }
    for asked, way in ways.items():
        for made, bundle in bundles.items():
            if asked == made:
                assert judged(place, way, bundle).manifest.maker.method == made
            else:
                assert code_of(place, way, bundle) == "LF7142"


@pytest.mark.parametrize(
    "asked",
    [
        Asked(identity="x"),
        Asked(issuer="x"),
        Asked(compat=True),
        Asked(trust_root=Path("x")),
        Asked(key=Path("x"), trust_root=Path("x")),
        Asked(key=Path("x"), identity="x", issuer="y"),
        Asked(key=Path("x"), roots=Path("y")),
    ],
)
def test_options_that_do_not_go_together(place: Path, asked: Asked) -> None:
    with pytest.raises(UsageError) as caught:
        judged(place, asked, b"")
    assert caught.value.code == "LF0134"


@pytest.mark.parametrize("body", [None, b"", b"no certificate", b"-----BEGIN CERTIFICATE-----\nAA==\n"])
def test_roots_that_are_none(place: Path, body: bytes | None) -> None:
    asked = Asked(roots=place / "missing.pem")
    if body is not None:
        (place / "missing.pem").write_bytes(body)
    with pytest.raises(UsageError) as caught:
        judged(place, asked, certified())
    assert caught.value.code == "LF0135"


def test_a_trust_root_that_is_not_there(place: Path) -> None:
    for asked in (
        by_identity(place, trust_root=place / "nowhere"),
        Asked(roots=place / "roots.pem", trust_root=place / "nowhere"),
    ):
        with pytest.raises(NotFound) as caught:
            judged(place, asked, keyless())
        assert caught.value.code == "LF7432"


def test_a_folder_without_a_signature_and_a_file_without_its_own(place: Path) -> None:
    asked = Asked(roots=place / "roots.pem")
    here = {"home": place / "home", "realm_name": "personal", "now": 0}
    with pytest.raises(VerificationFailed) as caught:
        verify_model(place / "model", asked, **here)
    assert caught.value.code == "LF7330"
    with pytest.raises(UsageError) as missing:
        verify_model(place / "model" / "config.json", asked, **here)
    assert missing.value.code == "LF0134"
    with pytest.raises(NotFound):
        verify_model(place / "model", asked, **here, signature=place / "nowhere.sig")


def test_the_command_says_how_strict_it_was(place: Path, home: Path) -> None:
    now = int(time.time())  # the command looks at the clock, and the certificate lives ten minutes
    (place / "their.sig").write_bytes(certified(stamped=False, since=now))
    words = "verify model --certificate-chain roots.pem --trust-root trust.json --signature their.sig"
    refused = run(words, cwd=place)
    assert (refused.code, "LF7425" in refused.err) == (12, True)
    done = run(f"{words} --compat", cwd=place)
    assert done.code == 0, done.err
    assert "in compat mode" in done.out
    assert "! no-trusted-time: nobody has proven when it was signed" in done.out
    maker = run(f"{words} --compat --json", cwd=place).json()["result"]["maker"]
    assert (maker["mode"], maker["method"], maker["time_trusted"], maker["signed_at"]) == (
        "compat",
        "certificate",
        False,
        None,
    )
    assert [one["name"] for one in maker["relaxations"]] == ["no-trusted-time"]


def test_the_command_verifies_an_identity(place: Path, home: Path) -> None:
    (place / "model" / "model.sig").write_bytes(keyless())
    words = f"verify model --identity {ALICE.name} --issuer {ISSUER} --trust-root root.json"
    done = run(words, cwd=place)
    assert done.code == 0, done.err
    assert f"as signed by {ALICE.name}" in done.out
    maker = run(f"{words} --json", cwd=place).json()["result"]["maker"]
    assert (maker["mode"], maker["identity"], maker["issuer"], maker["time_trusted"]) == (
        "strict",
        ALICE.name,
        ISSUER,
        True,
    )
    assert run(f"{words} --env production", cwd=place).code == 2


def test_a_package_of_this_realm_verifies_by_its_own_authorities(
    realm: Realm, workspace: Path, tmp_path: Path
) -> None:
    """Without a trust root, the realm's own authorities are trusted: what `sign` made is as good as keyless."""
    from lockflight.app.identity.authority import found

    found(realm.home, realm.name)
    realm._view = None
    signed = sign(realm.home, realm.name, workspace, tmp_path / "out", actor="alice")
    asked = Asked(identity=signed.identity, issuer=f"https://{realm.state.trust.origin}")
    from lockflight.app.realm.clock import now

    done = verify_model(tmp_path / "out", asked, home=realm.home, realm_name=realm.name, now=now())
    assert done.manifest.payload_digest == signed.release.digest
    with pytest.raises(VerificationFailed) as caught:
        verify_model(
            tmp_path / "out",
            replace(asked, identity=signed.identity + "x"),
            home=realm.home,
            realm_name=realm.name,
            now=now(),
        )
    assert caught.value.code == "LF7406"


def test_an_ed25519_key_is_none_of_theirs(place: Path) -> None:
    """The specification knows three curves; ours may verify more, and a key that cannot have signed says so."""
    (place / "key.pem").write_text(generate(ED25519).public_key.pem)
    assert code_of(place, Asked(key=place / "key.pem"), sealed(PAYLOAD)) == "LF7143"
