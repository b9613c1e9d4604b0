"""`sign --key --certificate-chain` as people type it."""

from __future__ import annotations

from tests.pki import Pki


def code(done):
    return done.json()["error"]["code"]


def test_a_package_under_a_certificate_of_ones_own(world):
    (world.folder / "pki").mkdir()
    pki = Pki(world.folder / "pki")
    pki.write("chain.pem", pki.leaf, pki.issuing)
    words = "sign work --key file:pki/signer.pem --certificate-chain pki/chain.pem"
    done = world.ok(f"{words} --out theirs --json").json()["result"]
    assert (done["keyid"], done["stamped"]) == (pki.signer.keyid, False)
    assert done["certificate"]["subject"] == "CN=Example Models"
    strict = world.run("verify theirs --certificate-chain pki/roots.pem --json")
    assert (strict.code, code(strict)) == (12, "LF7425")
    world.ok("verify theirs --certificate-chain pki/roots.pem --compat")
    world.ok("ca init")
    assert "in no log" in world.ok(f"{words} --out stamped").out
    world.ok("verify stamped --certificate-chain pki/roots.pem")
    assert world.run("promote stamped --to development --as alice").code == 12


def test_options_go_together(world):
    for words in (
        "--key k.pem",
        "--certificate-chain c.pem",
        "--key k.pem --certificate-chain c.pem --own-key",
        "--key k.pem --certificate-chain c.pem --oidc-token t",
    ):
        refused = world.run(f"sign work --out theirs {words} --json")
        assert (refused.code, code(refused)) == (2, "LF0107")
