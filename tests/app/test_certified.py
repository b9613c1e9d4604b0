"""Packages under a certificate of one's own authority: what fits, what is refused, and who accepts them."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import load_der_public_key
from cryptography.x509.oid import ExtendedKeyUsageOID

from lockflight.app.identity import authority
from lockflight.app.realm.clock import now
from lockflight.app.realm.realm import Realm
from lockflight.app.release.certified import sign_certified
from lockflight.app.release.foreign import Asked, verify_model
from lockflight.app.release.verify import verify_package
from lockflight.errors import LockflightError
from lockflight.signing.keys import generate
from tests.pki import Pki


@pytest.fixture
def pki(tmp_path: Path) -> Pki:
    (tmp_path / "pki").mkdir()
    return Pki(tmp_path / "pki")


def code(call) -> str:
    with pytest.raises(LockflightError) as caught:
        call()
    return caught.value.code


def verified(package: Path, pki: Pki, home: Path, *, compat: bool, realm: str = "nowhere"):
    asked = Asked(roots=pki.folder / "roots.pem", compat=compat)
    return verify_model(package, asked, home=home, realm_name=realm, now=now())


def test_without_a_stamp_the_time_is_the_verifiers_clock(pki, workspace, tmp_path, home) -> None:
    done = pki.sign(workspace, tmp_path / "package", home=home)
    assert (done.stamped, done.keyid) == (False, pki.signer.keyid)
    assert code(lambda: verified(done.package, pki, home, compat=False)) == "LF7425"
    found = verified(done.package, pki, home, compat=True)
    assert found.manifest.maker.subject == "CN=Example Models"
    (done.package / "README.md").write_text("another")
    assert code(lambda: verified(done.package, pki, home, compat=True)).startswith("LF73")


def test_the_realms_clock_stamps_it(pki, workspace, tmp_path, realm: Realm) -> None:
    authority.found(realm.home, "acme")
    size = len(realm.state.records)
    done = pki.sign(workspace, tmp_path / "package", home=realm.home, realm="acme")
    assert done.stamped
    assert verified(done.package, pki, realm.home, compat=False, realm="acme").relaxations == ()
    assert len(Realm(realm.home, "acme").state.records) == size, "nothing was logged"
    # No realm knows it: nobody of the realm signed.
    assert code(lambda: verify_package(realm.home, "acme", done.package)) == "LF7142"


def test_what_does_not_fit_is_refused_and_leaves_nothing(pki, workspace, tmp_path, home) -> None:
    other = generate()
    stranger = pki.certificate("Somebody", load_der_public_key(other.public_der), pki.issuing)
    ended = pki.certificate("Late", load_der_public_key(pki.signer.public_der), pki.issuing, days=-1)
    mail = pki.certificate(
        "Mail",
        load_der_public_key(pki.signer.public_der),
        pki.issuing,
        usage=ExtendedKeyUsageOID.EMAIL_PROTECTION,
    )
    for chain, wanted in (
        ((stranger, pki.issuing), "LF0172"),
        ((ended, pki.issuing), "LF0172"),
        ((pki.leaf, pki.root), "LF0172"),
        ((pki.issuing, pki.root), "LF0172"),
        ((mail, pki.issuing), "LF7403"),
    ):
        assert (
            code(lambda chain=chain: pki.sign(workspace, tmp_path / "package", *chain, home=home)) == wanted
        )
    (pki.folder / "none.pem").write_text("nothing")
    refused = code(
        lambda: sign_certified(
            home,
            "nowhere",
            workspace,
            tmp_path / "package",
            key=str(pki.folder / "signer.pem"),
            chain=pki.folder / "none.pem",
            now=now(),
        )
    )
    assert refused == "LF0135"
    assert sorted(path.name for path in tmp_path.iterdir() if "package" in path.name) == []


def test_keys_that_stock_verifiers_do_not_read_are_refused(workspace, tmp_path, home) -> None:
    (tmp_path / "pki").mkdir()
    pki = Pki(tmp_path / "pki", algorithm="ed25519")
    assert code(lambda: pki.sign(workspace, tmp_path / "package", home=home)) == "LF0172"
