"""People's verbs from end to end: factors, small teams, simulators, root keys that go offline."""

from __future__ import annotations

import stat
import time

import pytest

from lockflight.identity.totp import hotp, read, step_of
from lockflight.signing.keys import load
from tests.cli.world import World, build


def agree(world, words, second):
    """One person proposes, another consents."""
    done = world.ok(f"{words} --json").json()["result"]
    proposal = done["proposal"]["envelope"] if "proposal" in done else done["envelope"]
    world.ok(f"review {proposal} --as {second}")


def test_an_environment_may_ask_for_a_second_factor(world):
    agree(world, "identity add carol --role approver --as bob", "alice")
    agree(world, "realm environments --factor staging=key+totp --as carol", "eve")
    done = world.run("approve package --env staging --as bob")
    assert done.code == 10
    assert "asks for the factor key+totp" in done.err
    assert "--totp CODE" in done.err
    secret = world.ok("identity totp enrol --as bob --json").json()["result"]["secret"]
    wrong = world.run("approve package --env staging --as bob --totp 000")
    assert (wrong.code, "LF4613" in wrong.err) == (10, True)
    code = hotp(read(secret), step_of(int(time.time())))
    said = world.ok(f"approve package --env staging --as bob --totp {code} --json").json()["result"]
    assert said["factor"] == "key+totp"
    assert world.run(f"approve package --env staging --as bob --totp {code}").code == 10, "used"
    world.ok("promote package --to staging --as alice")
    rows = {row["name"]: row for row in world.ok("identity list --json").json()["result"]["identities"]}
    assert (rows["bob"]["totp"], rows["alice"]["totp"]) == (True, False)


def test_an_environment_may_ask_for_a_proof_of_presence(world):
    agree(world, "identity add carol --role approver --as bob", "alice")
    early = world.ok("approve package --env staging --as bob --json").json()["result"]
    assert (early["factor"], early["proved"]) == ("key", None)
    asked = world.ok("realm environments --step-up staging=15m --as carol")
    assert "shown within 15 minutes" in asked.out
    (row,) = world.ok("review --json").json()["result"]["waiting"]
    assert "proof of presence not demanded -> within 15 minutes" in row["what"]
    world.ok(f"review {row['proposal']} --as eve")
    # What was said before shows no proof, and says so wherever somebody looks.
    for words, code in (("promote package --to staging --as alice", 10), ("status", 0)):
        done = world.run(words)
        assert (done.code, "LF4513" in done.out + done.err) == (code, True)
        assert "--totp CODE" in done.out + done.err
        assert "bob" in done.out + done.err
    done = world.run("approve package --env staging --as bob")
    assert (done.code, "LF4513" in done.err, "--totp CODE" in done.err) == (10, True, True)
    secret = world.ok("identity totp enrol --as bob --json").json()["result"]["secret"]
    code = hotp(read(secret), step_of(int(time.time())))
    said = world.ok(f"approve package --env staging --as bob --totp {code} --json").json()["result"]
    assert (said["factor"], said["proved"][-1]) == ("key+totp", "Z")
    found = world.ok("check work --env staging --json").json()["result"]["judgements"]["staging"]["admission"]
    assert (found["admitted"], found["step_up_seconds"]) == (True, 900)
    world.ok("check work --env staging --html page.html")
    assert "presence shown within 15 minutes" in (world.folder / "page.html").read_text()
    world.ok("promote package --to staging --as alice")
    rows = world.ok("realm environments --json").json()["result"]["environments"]
    assert {row["name"]: row["step_up_seconds"] for row in rows}["staging"] == 900


@pytest.mark.parametrize("value", ["1m", "25h", "soon", "119s"])
def test_a_proof_of_presence_has_bounds(world, value):
    done = world.run(f"realm environments --step-up staging={value} --as bob")
    assert (done.code, "LF0127" in done.err) == (2, True)


def test_who_is_gone_is_shown_so_and_hears_why(world):
    agree(world, "identity withdraw eve --as bob", "alice")
    agree(world, "identity add carol --role approver --as bob", "alice")
    told = world.ok("identity revoke carol --reason compromised --note lost --as bob")
    assert "revoked the identity carol" in told.out
    rows = {row["name"]: row for row in world.ok("identity list --json").json()["result"]["identities"]}
    assert {name: row["state"] for name, row in rows.items()} == {
        "alice": "active",
        "bob": "active",
        "carol": "revoked",
        "eve": "withdrawn",
    }
    shown = world.ok("identity list").out
    assert "✗ carol" in shown
    assert "✗ eve" in shown
    for name, why in (("eve", "eve has left"), ("carol", "(compromised)")):
        done = world.run(f"approve package --env staging --as {name}")
        assert (done.code, "LF4607" in done.err, why in done.err) == (10, True, True)
        assert "Did you mean" not in done.err
        asked = world.run(f"identity grant {name} --role author --as bob")
        assert (asked.code, "LF4605" in asked.err, why in asked.err) == (3, True, True)
    nobody = world.run("approve package --env staging --as nobody")
    assert (nobody.code, "LF0112" in nobody.err) == (2, True)


def test_what_nobody_can_consent_to_does_not_wait(world):
    world.ok("identity grant eve --role author,auditor --as bob")
    world.ok("identity add carol --role auditor --as bob")
    world.ok("identity revoke eve --reason compromised --as bob")
    found = world.ok("review --json").json()["result"]
    assert [row["what"].split(" (")[0] for row in found["waiting"]] == [
        f"give the key {key} and the roles auditor to the new person carol" for key in _keys(found["waiting"])
    ]
    (dead,) = found["void"]
    assert ("eve" in dead["what"], "revoked" in dead["reason"]) == (True, True)
    assert "void: " in world.ok("review").out
    status = world.ok("status --json").json()["result"]
    waiting = [{k: v for k, v in row.items() if k != "drops"} for row in found["waiting"]]
    assert (status["void"], status["waiting"]) == (found["void"], waiting)
    told = world.ok("status").out
    assert "1 proposal waiting" in told
    assert "void: " in told


def _keys(rows):
    return [row["what"].split("give the key ")[1].split(" ")[0] for row in rows]


def test_a_denial_names_who_denied(world):
    world.ok("deny package --env staging --as bob")
    done = world.run("promote package --to staging --as alice")
    assert (done.code, "LF4509 bob denied" in done.err) == (10, True)


def test_a_code_without_a_secret(world):
    done = world.run("approve package --env staging --as bob --totp 123456")
    assert (done.code, "LF4612" in done.err) == (3, True)


def test_in_a_small_team_an_author_is_told_from_when_it_counts(world):
    agree(world, "identity grant alice --role author,approver --as bob", "eve")
    refused = world.run("approve package --env staging --as alice")
    assert (refused.code, "is an author of the release" in refused.err) == (10, True)
    agree(world, "realm environments --small-team staging --as bob", "eve")
    said = world.ok("approve package --env staging --as alice")
    assert "made by an author, so it counts only from" in said.out
    assert "separation: degraded" in said.out
    checked = world.ok("check work --env staging --record --as alice").out
    assert "separation: degraded" in checked
    assert "staging still needs 1 approver; an author's own counts after a day." in checked
    assert "who did not make the release" not in checked
    assert "staging: separation: degraded" in world.ok("status").out
    listed = world.ok("evidence list --all --type decision --json").json()["result"]["evidence"]
    explained = world.ok(f"policy explain {listed[-1]['index']} --seconds 0")
    assert "separation: degraded" in explained.out
    assert world.run("promote package --to staging --as alice").code == 10
    assert "separation" not in world.ok("check work --env development --as alice").out
    short = world.run("approve package --env staging --as alice --hours 5")
    assert (short.code, "expired" in short.err) == (10, True)


@pytest.mark.parametrize("words", ["--quorum staging", "--quorum staging=", "--quorum a=x --quorum a=y"])
def test_what_is_no_value_for_an_environment(world, words):
    done = world.run(f"realm environments {words} --as bob")
    assert (done.code, "LF0127" in done.err) == (2, True)


def test_environments_are_shown(world):
    rows = world.ok("realm environments --json").json()["result"]["environments"]
    assert [row["name"] for row in rows] == ["development", "staging", "production", "intake"]
    assert rows[1]["quorum"] == {"approver": 1}
    assert (
        world.run("realm environments --small-team staging --as-of 2030-01-01T00:00:00Z --as bob").code == 2
    )
    assert "staging" in world.ok("realm environments").out


def test_a_simulator_rehearses_and_says_so(tmp_path):
    world = World(tmp_path)
    build(world.folder, simulator=True)
    for words in (
        "check work --env staging --as alice",
        "approve package --env staging --as bob",
        "promote package --to staging --as alice",
        "status",
    ):
        assert "separation: simulated" in world.ok(words).out, words
    done = world.ok("verify package")
    assert done.out.splitlines()[0].startswith("✗ acme IS A SIMULATOR")
    assert world.ok("verify package --json").json()["result"]["simulated"] is True
    assert world.ok("realm show --json").json()["result"]["kind"] == "simulator"


@pytest.mark.parametrize("passphrase", ["", "correct horse"])
def test_the_root_key_goes_elsewhere(tmp_path, passphrase):
    world = World(tmp_path)
    world.home.mkdir(mode=0o700)
    words = "realm init acme --member a=author --member b=approver --root-key-out root.pem"
    done = world.ok(words, LOCKFLIGHT_PASSPHRASE=passphrase)
    assert "Take it off this machine" in done.out
    path = tmp_path / "root.pem"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert not (world.home / "realms" / "acme" / "keys" / "root.pem").exists()
    assert (b"ENCRYPTED" in path.read_bytes()) is bool(passphrase)
    keys = world.ok("realm show --json").json()["result"]["keys"]
    root = next(row["keyid"] for row in keys if row["duty"] == "root")
    assert load(path, passphrase.encode() or None).keyid == root
    again = world.run(words.replace("acme", "other"), LOCKFLIGHT_PASSPHRASE=passphrase)
    assert (again.code, "LF7007" in again.err) == (4, True)
    assert not (world.home / "realms" / "other").exists()
    taken = world.run(words.replace("root.pem", "second.pem"))
    assert (taken.code, "LF4511" in taken.err) == (4, True)
    assert not (tmp_path / "second.pem").exists()


def test_without_the_root_key_people_propose_producers(world):
    elsewhere = {"LOCKFLIGHT_HOME": str(world.folder / "elsewhere"), "realm": "personal"}
    world.ok("check work --env development", **elsewhere)
    world.ok("evidence export --out theirs.jsonl", **elsewhere)
    keys = world.ok("realm show --json", **elsewhere).json()["result"]["keys"]
    producer = next(row["keyid"] for row in keys if row["duty"] == "producer")
    (world.home / "realms" / "acme" / "keys" / "root.pem").unlink()
    words = f"evidence import theirs.jsonl --trust-producer {producer}"
    assert "LF4602" in world.run(f"{words} --as alice").err
    assert "LF4526" in world.run(f"{words} --as bob").err
    (waits,) = world.ok("review --json").json()["result"]["waiting"]
    assert waits["proposer"] == "bob"
    world.ok(f"review {waits['proposal']} --as alice")
    world.ok(words)


@pytest.mark.parametrize(
    ("word", "code", "said"),
    [
        ("nofile.json", 3, "LF0117: The capsule nofile.json is not there"),
        ("work", 3, "LF0117: The capsule work is no file"),
        ("abc", 2, "LF0119"),
        ("9999", 3, "LF4524"),
    ],
)
def test_a_capsule_that_is_not_there_is_no_digest(world, word, code, said):
    done = world.run(f"policy replay {word}")
    assert (done.code, said in done.err) == (code, True), done.err
