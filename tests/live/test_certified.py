"""The reference implementation accepts what we sign under a certificate of one's own authority."""

from __future__ import annotations

import subprocess

import pytest

from lockflight.app.demo import make_workspace
from lockflight.app.identity import authority
from lockflight.app.realm.realm import Member, create_realm
from lockflight.core.attest.trust import RealmKind
from tests.pki import Pki

pytestmark = pytest.mark.live


@pytest.mark.parametrize("algorithm", ["ecdsa-p256", "ecdsa-p384", "ecdsa-p521"])
@pytest.mark.parametrize("stamped", [False, True], ids=["bare", "stamped"])
def test_the_stock_verifier_accepts_it(peers_python, tmp_path, algorithm, stamped):
    (tmp_path / "pki").mkdir()
    pki = Pki(tmp_path / "pki", algorithm=algorithm)
    members = [Member("alice", ("author",)), Member("bob", ("approver",))]
    realm = create_realm(tmp_path / "home", "acme", RealmKind.TEAM, members)
    workspace = tmp_path / "work"
    make_workspace(workspace)
    if stamped:
        authority.found(realm.home, "acme")
    chain = (pki.leaf, pki.issuing, pki.root)
    done = pki.sign(workspace, tmp_path / "package", *chain, home=realm.home, realm="acme")
    assert done.stamped == stamped
    words = ["verify", "certificate", "--certificate_chain", pki.folder / "roots.pem"]
    words += ["--signature", done.package / "model.sig", done.package]

    def stock():
        command = [peers_python, "-m", "model_signing", *map(str, words)]
        return subprocess.run(command, check=False, capture_output=True, text=True)

    first = stock()
    assert first.returncode == 0, first.stderr
    (done.package / "README.md").write_text("another")
    assert stock().returncode != 0
