"""Witnesses, exports and proofs, as people type them: two teams and somebody who has neither realm nor home."""

from __future__ import annotations

import json
import shutil
import threading

import pytest

from lockflight.app.log.witness import open_witness, server
from lockflight.core.verify.log.tlogproof import read_proof
from tests.log.witnessing import serving


@pytest.fixture
def team(world):
    """The world, with a witness `wit` in its folder and a policy that demands it."""
    made = world.ok(f"log witness init wit --name witness.example/w1 --log {keys(world)['log']} --json")
    write_policy(world, made.json()["result"]["vkey"])
    return world


def keys(world):
    return world.ok("log show --json").json()["result"]["keys"]


def write_policy(world, vkey, url=""):
    log = keys(world)["log"]
    (world.folder / "policy").write_text(f"log {log}\nwitness w1 {vkey} {url}\nquorum w1\n")


def by_file(world, old=0):
    """The exchange without a network."""
    world.ok(f"log cosign --request request --old {old}")
    world.ok("log witness sign wit --request request --out reply")
    return world.ok("log cosign --policy policy --reply reply --package package --json").json()["result"]


def test_an_exchange_by_file_gives_a_package_its_witnesses(team):
    before = team.run("verify package --witness-policy policy")
    assert (before.code, "LF7226" in before.err) == (12, True)
    done = by_file(team)
    assert (done["quorum"], [*done["witnesses"]]) == (True, ["w1"])
    assert done["packages"][0]["size"] == done["size"]
    shown = team.ok("verify package --witness-policy policy --json").json()["result"]
    assert shown["witnesses"] == ["w1"]
    assert "witnessed by w1" in team.ok("verify package --witness-policy policy").out
    # What the package carries is enough, where the realm's own copy knows no witness.
    shutil.rmtree(team.home / "realms" / "acme" / "cosigned")
    assert team.ok("verify package --witness-policy policy --json").json()["result"]["witnesses"] == ["w1"]
    team.ok("verify package")
    assert "--policy" in team.run("log cosign").err


def test_settings_demand_it_everywhere(team):
    demand = {"LOCKFLIGHT_WITNESS_POLICY": str(team.folder / "policy")}
    for words in (
        "verify package",
        "log verify",
        "promote package --to staging --as alice",
        "log export --out web",
    ):
        done = team.run(words, **demand)
        assert (done.code, "LF7226" in done.err) == (12, True), words
    by_file(team)
    for words in ("verify package", "log verify", "log export --out web"):
        team.ok(words, **demand)
    old = {"LOCKFLIGHT_MAX_CHECKPOINT_AGE": "5d"}
    assert team.ok("verify package", **old).code == 0
    assert team.run("verify package", LOCKFLIGHT_MAX_CHECKPOINT_AGE="soon").code == 2
    assert team.run("verify package --max-age 1h --as-of 2026-01-01T00:00:00Z").code == 2
    assert team.run("verify package --key nothing --max-age 1h").code == 2


def test_the_witnesses_of_a_pin_must_have_cosigned(team):
    vkey = team.ok("log witness show wit --json").json()["result"]["vkey"]
    trust = team.home / "trust.toml"
    trust.write_text(trust.read_text().replace("witnesses = []", f'witnesses = ["{vkey}"]'))
    assert "LF7226" in team.run("verify package").err
    assert "LF7226" in team.run("log verify").err
    by_file(team)
    assert "witnessed by witness.example/w1" in team.ok("verify package").out
    assert "witnessed by witness.example/w1" in team.ok("log verify").out


def test_an_export_is_checked_without_a_realm(team):
    by_file(team)
    team.ok("log export --out web --policy policy")
    again = team.ok("log export --out web --json").json()["result"]
    assert again["before"] == again["size"]
    root = team.ok("realm show --json").json()["result"]["root"]
    nobody = {"LOCKFLIGHT_HOME": str(team.folder / "nobody")}
    done = team.ok(f"log verify --export web --root {root} --policy policy --json", **nobody).json()["result"]
    assert (done["realm"], done["size"], done["pinned"]) == (None, again["size"], 0)
    assert done["effective"] > 0
    assert [*done["witnesses"]] == ["w1"]
    found = keys(team)
    words = ["log", "verify", "--export", "web", "--log-key", found["log"], "--clock-key", found["clock"]]
    by_key = team.ok(*words, "--json", **nobody).json()["result"]
    assert (by_key["effective"], by_key["pinned"]) == (None, again["size"])
    assert team.run("log verify --export web", **nobody).code == 3
    assert team.run(f"log verify --export web --root sha256:{'0' * 64}", **nobody).code == 12
    assert team.run(*words[:-2], **nobody).code == 2
    assert team.run(*words, "--root", root, **nobody).code == 2
    assert team.run("log verify --envelope x").code == 2
    assert team.ok("log verify --export web").code == 0
    (team.folder / "web" / "checkpoint").unlink()
    assert team.run("log verify --export web").code == 3


def test_a_proof_stands_alone(team):
    by_file(team)
    team.ok("log proof 0 --out zero.tlog-proof --policy policy")
    entry = team.ok("log show --json --all").json()["result"]["entries"][0]
    named = team.ok(f"log proof {entry['envelope'][:12]} --out zero.tlog-proof --policy policy --json").json()
    assert named["result"]["envelope"] == entry["envelope"]
    nobody = {"LOCKFLIGHT_HOME": str(team.folder / "nobody")}
    found = keys(team)
    shown = team.ok("log verify --proof zero.tlog-proof --policy policy --json", **nobody).json()["result"]
    assert (shown["index"], [*shown["witnesses"]], shown["envelope"]) == (0, ["w1"], None)
    by_key = ["log", "verify", "--proof", "zero.tlog-proof", "--log-key", found["log"]]
    assert team.ok(*by_key, "--json", **nobody).json()["result"]["time"] is None
    assert "LF7225" in team.run(*by_key, "--max-age", "1h", **nobody).err
    timed = team.ok(*by_key, "--clock-key", found["clock"], "--max-age", "1h", "--json", **nobody)
    assert timed.json()["result"]["time"] is not None
    team.ok("log export --out web")
    team.ok(*by_key, "--envelope", f"web/envelope/{entry['envelope']}", **nobody)
    other = team.ok("log show --json --all").json()["result"]["entries"][1]["envelope"]
    assert team.run(*by_key, "--envelope", f"web/envelope/{other}", **nobody).code == 12
    assert team.run("log verify --proof zero.tlog-proof", **nobody).code == 3
    assert team.ok("log verify --proof zero.tlog-proof").code == 0
    assert team.run("log proof 99999 --out x").code == 3
    assert team.run("log proof ../x --out x").code == 2
    path = team.folder / "zero.tlog-proof"
    proof = read_proof(path.read_bytes())
    path.write_bytes(path.read_bytes().replace(b"index 0", b"index 1"))
    assert team.run("log verify --proof zero.tlog-proof", **nobody).code in {2, 12, 3}
    assert "LF72" in team.run(*by_key, **nobody).err
    assert proof.index == 0


@pytest.mark.enable_socket
def test_witnesses_are_asked_over_http(team):
    folder = team.folder / "wit"
    with serving(open_witness(folder)) as url:
        write_policy(team, open_witness(folder).key.vkey, url)
        first = team.ok("log cosign --policy policy --json").json()["result"]
        assert first["asked"][0]["url"] == url
        team.ok("log stamp")
        assert team.ok(f"log cosign --policy policy --witness {url}/").code == 0
        assert team.run("log cosign --policy policy --witness http://127.0.0.1:1").code == 2
        assert team.run("log cosign --policy policy --witness file:///x").code == 2
        offline = team.run("log cosign --policy policy --offline --json")
        assert offline.json()["result"]["asked"][0]["code"] == "LF5056"
    team.ok("freeze --env staging --reason storm --as bob")
    gone = team.run("log cosign --policy policy --json")
    assert gone.code == 12
    assert gone.json()["error"]["code"] == "LF7226"
    assert gone.json()["result"]["asked"][0]["code"] == "LF5056"


@pytest.mark.enable_socket
def test_a_witness_with_another_key_is_not_believed(team):
    team.ok(f"log witness init other --name witness.example/w1 --log {keys(team)['log']}")
    with serving(open_witness(team.folder / "other")) as url:
        write_policy(team, open_witness(team.folder / "wit").key.vkey, url)
        done = team.run("log cosign --policy policy")
    assert (done.code, "LF7228" in done.err) == (12, True)
    team.ok("log cosign --request request")
    behind = team.run("log witness sign other --request request --out reply --json")
    assert (behind.code, behind.json()["error"]["code"]) == (4, "LF5058")
    size = behind.json()["error"]["details"]["size"]
    team.ok(f"log cosign --request request --old {size}")
    team.ok("log witness sign other --request request --out reply")
    assert "LF7228" in team.run("log cosign --policy policy --reply reply").err


@pytest.mark.enable_socket
def test_serving_begins_and_ends(team):
    said = []
    witness, listening = server(team.folder / "wit", "127.0.0.1:0", said.append)
    thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    listening.shutdown()
    thread.join()
    port = listening.server_address[1]
    taken = team.run(f"log witness serve wit --listen 127.0.0.1:{port}")
    listening.server_close()
    assert (taken.code, "LF5057" in taken.err) == (4, True)
    assert witness.key.name == "witness.example/w1"
    assert team.run("log witness serve wit --offline").code == 2
    assert team.run("log witness serve wit --listen nowhere").code == 2


def test_a_witness_is_made_once(team):
    vkey = team.ok("log witness show wit --json").json()["result"]["vkey"]
    assert team.ok("log witness init wit --json").json()["result"]["vkey"] == vkey
    for words in (
        "log witness init wit --name other",
        "log witness init new",
        "log witness init new --name two+words",
        "log witness init new --name w --log nonsense",
        f"log witness init new --name w --log {vkey}",
        "log witness sign wit",
        "log witness dance wit",
    ):
        assert team.run(words).code == 2, words
    assert not (team.folder / "new").exists()
    (team.folder / "wit" / "state.json").unlink()
    lost = team.run("log witness init wit --name witness.example/w1")
    assert (lost.code, "LF5053" in lost.err) == (3, True)


def test_the_keys_of_a_log_are_shown(team):
    shown = team.ok("log show")
    assert json.dumps(keys(team)["log"])[1:-1] in shown.out
