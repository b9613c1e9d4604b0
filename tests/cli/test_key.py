"""Keys from the command line: made, shown, replaced; and a realm that goes on after all of its keys were replaced."""

from __future__ import annotations

import os
import pty
import shutil
import stat
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from lockflight.app.gate.replay import _proven, capsule_of
from lockflight.app.realm.realm import Realm
from lockflight.app.realm.view import open_view
from lockflight.core.attest.acts import Promotion
from lockflight.core.attest.trust import Duty, RealmKey
from lockflight.core.gate.vsa import StoredDecision
from lockflight.signing.keys import generate, load, save


def result(done):
    return done.json()["result"]


def code(done):
    return done.json()["error"]["code"]


def keys(world, words="", **options):
    return result(world.ok(f"key show {words} --json", **options))["keys"]


def consent(world, person="bob"):
    waits = result(world.ok("review --json"))["waiting"]
    world.ok(f"review {waits[-1]['proposal']} --as {person}")


def said(world, statement, signer):
    """Log a statement whoever signs it, and say why it does not count."""
    realm = Realm(world.home, "acme")
    receipt = realm.append([(statement, signer)])[0]
    return realm.state.records[receipt.index].code


def newest(world, kind):
    records = Realm(world.home, "acme").state.records
    return next(r for r in reversed(records) if isinstance(r.fact, kind) and r.effective).fact


def test_a_realm_goes_on_after_its_keys_were_replaced(world):
    folder, old = world.home / "realms" / "acme" / "keys", world.folder / "old"
    shutil.copytree(folder, old)
    for step in ("staging", "production"):
        world.ok(f"approve package --env {step} --as bob")
        world.ok(f"promote package --to {step} --as alice")
    listed = result(world.ok("evidence list --all --type decision --json"))["evidence"]
    decisions = [row["index"] for row in listed]
    assert len(decisions) >= 3
    decision, promotion = newest(world, StoredDecision), newest(world, Promotion)

    for duty in ("gate", "producer", "root"):
        done = result(world.ok(f"key rotate --duty {duty} --json"))
        assert done["old"] == load(old / f"{duty}.pem").keyid
        assert not (folder / f"{duty}.pem").exists()
        assert [row["keyid"] for row in keys(world, f"--duty {duty}")] == [done["new"]]

    # What was signed before stands: package, log, slots, evidence, and each decision from what it was made from.
    world.ok("verify package --env production")
    world.ok("log verify")
    for index in decisions:
        world.ok(f"policy replay {index}")
    world.ok(f"policy capsule {decisions[0]} --out capsule.json")
    root = result(world.ok("realm show --json"))["root"]
    world.ok(f"policy replay capsule.json --root {root}")
    world.ok("check work --no-run --record --env development --as alice")

    # The old keys say nothing more, not even again what they said.
    again = replace(decision, output_digest="ab" * 32)
    assert said(world, again.statement(), load(old / "gate.pem")) == "LF7244"
    assert said(world, replace(promotion, prev="ab" * 32).statement(), load(old / "gate.pem")) == "LF7244"
    assert said(world, Realm(world.home, "acme").state.trust.statement(), load(old / "root.pem")) == "LF7244"
    refused = world.run(f"key rotate --duty gate --root-key {old / 'root.pem'} --json")
    assert (refused.code, code(refused)) == (12, "LF7434")

    # What comes next is signed by the new keys.
    manifest = world.work / "lockflight.toml"
    manifest.write_text(manifest.read_text().replace("1.0.0", "1.1.0"))
    world.ok("check work --record --env development --as alice")
    world.ok("sign work --out package2 --as alice")
    world.ok("promote package2 --to development --as alice")
    world.ok("verify package2 --env development")

    # A backup takes them along, and a realm that was joined from it decides.
    world.ok("realm backup --out copy --keys")
    elsewhere = {"LOCKFLIGHT_HOME": str(world.folder / "elsewhere")}
    world.ok(f"realm join copy --root {root} --keys", **elsewhere)
    assert all(row["here"] for row in keys(world, **elsewhere))
    world.ok("rollback --project berth-classifier --env development --as alice", **elsewhere)


def test_a_capsule_that_leaves_the_rotation_out_is_found_out_by_the_log(world):
    old = load(world.home / "realms" / "acme" / "keys" / "gate.pem")
    listed = result(world.ok("evidence list --all --type decision --json"))["evidence"]
    genuine = capsule_of(open_view(world.home, "acme"), str(listed[-1]["index"]))
    root = result(world.ok("realm show --json"))["root"]
    world.ok("key rotate --duty gate")
    realm = Realm(world.home, "acme")
    lie = replace(newest(world, StoredDecision), verifier="https://lockflight.dev/verifier/thief")
    receipt = realm.append([(lie.statement(), old)])[0]
    record = realm.state.records[receipt.index]
    assert record.code == "LF7244"
    forged = replace(
        genuine, decision=_proven(realm.view, replace(record, key=RealmKey(old.public_der, Duty.GATE)))
    )
    (world.folder / "forged.json").write_bytes(forged.encode())
    done = world.run(f"policy replay forged.json --root {root} --json")
    assert (done.code, code(done)) == (12, "LF7195")
    assert "holds no grant" in done.out
    (world.folder / "genuine.json").write_bytes(genuine.encode())
    done = result(world.ok(f"policy replay genuine.json --root {root} --json"))
    assert done["differences"] == []


def test_what_a_stolen_producer_key_signed_is_taken_back(world):
    done = result(world.ok("key rotate --duty producer --json"))
    world.ok("check work --no-run --record --env staging --as alice")
    taken = world.ok(f"revoke --digest {done['old'][:12]} --scope key --reason compromised --as bob")
    assert "revoked the key" in taken.out
    missing = world.run("check work --no-run --record --env staging --as alice --json")
    assert missing.code == 11
    world.ok("check work --record --env staging --as alice")
    states = {row["keyid"]: row["state"] for row in keys(world, "--duty producer --all")}
    assert states == {done["old"]: "revoked", done["new"]: "active"}


def test_the_realms_keys_in_force_are_replaced_not_revoked(world):
    gate = keys(world, "--duty gate")[0]["keyid"]
    refused = world.run(f"revoke --digest {gate[:12]} --scope key --reason compromised --as bob --json")
    assert (refused.code, code(refused)) == (10, "LF4522")


def test_a_root_key_outside_of_the_home_is_replaced_by_one_outside(world):
    secret = {"LOCKFLIGHT_PASSPHRASE": "three old barges"}
    world.ok("realm init guild --member ann=author --member ben=approver --root-key-out stick.pem", **secret)
    guild = {"realm": "guild"}
    assert code(world.run("key rotate --duty gate --json", **guild)) == "LF5043"
    assert code(world.run("key rotate --duty gate --root-key stick.pem --json", **guild)) == "LF7005"
    wrong = world.run(
        "key rotate --duty gate --root-key stick.pem --json", LOCKFLIGHT_PASSPHRASE="two", **guild
    )
    assert (wrong.code, code(wrong)) == (2, "LF7005")
    world.ok("key rotate --duty gate --root-key file:stick.pem", **guild, **secret)
    for words in ("--root-key stick.pem", "--out new.pem"):
        assert code(world.run(f"key rotate --duty root {words} --json", **guild, **secret)) == "LF0107"
    words = "key rotate --duty root --root-key stick.pem --out new.pem"
    protected = {"OLD": "three old barges", "NEW": "four new boats"}
    bare = world.run(f"{words} --passphrase-env OLD --json", **guild, **protected)
    assert code(bare) == "LF0137", "what was protected stays so"
    assert not (world.folder / "new.pem").exists()
    world.ok(f"{words} --passphrase-env OLD --out-passphrase-env NEW", **guild, **protected)
    assert stat.S_IMODE((world.folder / "new.pem").stat().st_mode) == 0o600
    assert (
        load(world.folder / "new.pem", b"four new boats").keyid
        == keys(world, "--duty root", **guild)[0]["keyid"]
    )
    old = world.run("trust renew --until never --root-key stick.pem --json", **guild, **secret)
    assert (old.code, code(old)) == (12, "LF7434")
    world.ok("trust renew --until never --root-key new.pem --passphrase-env NEW", **guild, **protected)


def test_a_key_of_another_duty_is_no_root_key(world):
    gate = world.home / "realms" / "acme" / "keys" / "gate.pem"
    refused = world.run(f"key rotate --duty producer --root-key {gate} --json")
    assert (refused.code, code(refused)) == (12, "LF7434")
    save(generate(), world.folder / "stranger.pem")
    assert code(world.run("trust renew --until never --root-key stranger.pem --json")) == "LF7434"


@pytest.mark.parametrize("duty", ["log", "clock"])
def test_log_and_clock_keep_their_keys(world, duty):
    refused = world.run(f"key rotate --duty {duty} --json")
    assert (refused.code, code(refused)) == (2, "LF0139")


def test_people_replace_their_own_key_with_a_second_person(world):
    before = keys(world, "--person alice")[0]["keyid"]
    done = result(world.ok("key rotate --as alice --json"))
    assert (done["waits"], done["old"]) == (True, before)
    assert {row["state"] for row in keys(world, "--person alice")} == {"active", "waiting"}
    world.ok("sign work --out between --as alice")
    consent(world)
    assert {row["keyid"]: row["state"] for row in keys(world, "--person alice --all")} == {
        before: "replaced",
        done["new"]: "active",
    }
    world.ok("verify package")
    world.ok("sign work --out after --as alice")
    world.ok("verify after")
    # The old key can still be taken back: what it signed falls, what the new one signed stands.
    world.ok(f"revoke --digest {before} --scope key --reason compromised --as bob")
    for package in ("package", "between"):
        fallen = world.run(f"verify {package} --json")
        assert (fallen.code, code(fallen)) == (12, "LF7335")
    world.ok("verify after")


def test_one_person_alone_replaces_their_key_at_once(world):
    alone = {"realm": "personal"}
    world.ok("check work --env development", **alone)
    before = keys(world, "--duty person", **alone)[0]["keyid"]
    done = result(world.ok("key rotate --json", **alone))
    assert (done["waits"], done["old"]) == (False, before)
    assert keys(world, "--duty person", **alone)[0]["keyid"] == done["new"]
    world.ok("key rotate --duty gate", **alone)
    world.ok("check work --env development", **alone)


def test_a_revoked_name_is_given_out_again_only_on_purpose(world):
    world.ok("revoke --identity eve --reason compromised --as bob")
    eve = next(row["principal"] for row in keys(world, "--person eve --all"))
    refused = world.run("identity add eve --role author --as bob --json")
    assert (refused.code, code(refused)) == (2, "LF0114")
    assert eve in refused.json()["error"]["message"]
    done = world.ok("identity add eve --role author --same-name --as bob --json")
    assert result(done)["namesakes"] == [eve]
    assert f"not {eve} of the same name" in world.ok("review").out
    consent(world, "alice")
    known = {row["principal"]: row["state"] for row in keys(world, "--person eve --all")}
    assert known.pop(eve) == "revoked"
    assert set(known.values()) == {"active"}
    # Nobody gets the name of somebody who is there.
    taken = world.run("identity add alice --role author --same-name --as bob --json")
    assert code(taken) == "LF0114"


def test_keys_are_shown_without_a_passphrase(world):
    made = result(world.ok("key new --out k.pem --json", LOCKFLIGHT_PASSPHRASE="fog"))
    assert (made["protected"], made["algorithm"]) == (True, "ecdsa-p256")
    for word in ("k.pem", "file:k.pem", "k.pem.pub"):
        (row,) = keys(world, word)
        assert (row["keyid"], row["state"], row["since"]) == (made["keyid"], "unknown", None)
    gate = world.home / "realms" / "acme" / "keys" / "gate.pem"
    (row,) = keys(world, str(gate))
    assert (row["duty"], row["state"], row["since"], row["here"]) == ("gate", "active", 0, True)
    assert keys(world, row["keyid"][:10]) == keys(world, f"sha256:{row['keyid']}") == [row]
    assert code(world.run(f"key show {'0' * 64} --json")) == "LF4523"
    assert code(world.run("key show 00000000 --json")) == "LF4524"
    assert code(world.run("key show nowhere.pem --json")) == "LF7009"
    assert code(world.run("key show --person nobody --json")) == "LF4605"
    assert code(world.run("key show k.pem --duty gate --json")) == "LF0107"
    # Without a realm a key is a key.
    assert keys(world, "k.pem", realm="nowhere")[0]["state"] == "unknown"


@pytest.mark.parametrize("algorithm", ["p256", "p384", "p521", "ed25519"])
def test_new_keys(world, algorithm):
    made = result(world.ok(f"key new --out k.pem --algorithm {algorithm} --json"))
    signer = load(world.folder / "k.pem")
    assert (made["keyid"], made["protected"]) == (signer.keyid, False)
    assert algorithm.removeprefix("p") in made["algorithm"]
    again = world.run("key new --out k.pem --json")
    assert (again.code, code(again)) == (4, "LF7007")
    assert load(world.folder / "k.pem").keyid == signer.keyid


def test_passphrases_come_from_descriptors_and_variables_only(world):
    (world.folder / "word").write_text("fog on the river\nsecond line\n")
    with (world.folder / "word").open("rb") as file:
        os.set_inheritable(file.fileno(), True)
        world.ok(f"key new --out k.pem --passphrase-fd {file.fileno()}")
    assert load(world.folder / "k.pem", b"fog on the river")
    for words, variables in (
        ("--passphrase-env NOWHERE", {}),
        ("--passphrase-env EMPTY", {"EMPTY": ""}),
        ("--passphrase-env LONG", {"LONG": "x" * 2000}),
        ("--passphrase-env A --passphrase-fd 0", {"A": "b"}),
        ("--passphrase-fd 987", {}),
        ("--ask-passphrase", {}),
    ):
        refused = world.run(f"key new --out other.pem {words} --json", **variables)
        assert (refused.code, code(refused)) == (2, "LF0137"), words
    assert not (world.folder / "other.pem").exists()
    assert world.run("key new --out other.pem --passphrase fog").code == 2


@pytest.mark.parametrize(("second", "ends"), [(b"old barges\n", 0), (b"new barges\n", 2)])
def test_a_passphrase_is_typed_twice_on_a_terminal_and_never_seen(tmp_path, second, ends):
    key = tmp_path / "k.pem"
    words = ["-m", "lockflight", "key", "new", "--out", str(key), "--ask-passphrase"]
    child, terminal = pty.fork()
    if child == 0:
        os.environ["LOCKFLIGHT_HOME"] = str(tmp_path / "home")
        os.environ.pop("LOCKFLIGHT_PASSPHRASE", None)
        os.execv(sys.executable, [sys.executable, *words])
    seen = b""
    for prompt, answer in ((b"new key: ", b"old barges\n"), (b"again: ", second)):
        while prompt not in seen:
            seen += os.read(terminal, 1024)
        os.write(terminal, answer)
    try:
        while part := os.read(terminal, 1024):
            seen += part
    except OSError:
        pass  # the terminal ends with the child
    os.close(terminal)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == ends
    assert b"barges" not in seen
    assert key.exists() == (ends == 0)
    if not ends:
        assert load(key, b"old barges")


def test_trust_ends_and_is_renewed(world, monkeypatch):
    import time

    from lockflight.app.realm import clock
    from lockflight.core.times import rfc3339

    soon = rfc3339(int(time.time()) + 3600)
    assert code(world.run("trust renew --until 2020-01-01 --json")) == "LF0138"
    assert code(world.run("trust renew --until soon --json")) == "LF0105"
    assert result(world.ok(f"trust renew --until {soon} --json"))["until"] == soon
    assert result(world.ok("realm show --json"))["expires"] == soon
    assert f"until {soon}" in world.ok("realm show").out
    monkeypatch.setattr(clock, "now", lambda: int(time.time()) + 7200)
    refused = world.run("approve package --env staging --as bob --json")
    assert (refused.code, code(refused)) == (10, "LF4521")
    assert "trust expired" in refused.json()["error"]["message"]
    world.ok("verify package")
    assert {row["state"] for row in keys(world, "--duty gate")} == {"expired"}
    world.ok("trust renew --until never")
    world.ok("approve package --env staging --as bob")
    assert result(world.ok("realm show --json"))["expires"] is None


def test_the_time_stamp_authority_is_renewed(world):
    world.ok("ca init --roots-out roots")
    world.ok("sign work --out before --as alice")
    assert code(world.run("ca renew --time --json")) == "LF7009"
    (Path(world.folder) / "roots" / "tsa-root.pem").rename(world.folder / "roots" / "kept")
    assert code(world.run("ca renew --time --roots roots --json")) == "LF7009"
    shutil.copy(world.folder / "roots" / "ca-root.pem", world.folder / "roots" / "tsa-root.pem")
    assert code(world.run("ca renew --time --roots roots --json")) == "LF7433"
    shutil.copy(world.folder / "roots" / "kept", world.folder / "roots" / "tsa-root.pem")
    first = [row for row in result(world.ok("ca show --json"))["certificates"] if row["what"] == "time"]
    done = result(world.ok("ca renew --time --roots roots --json"))
    rows = [row for row in result(world.ok("ca show --json"))["certificates"] if row["what"] == "time"]
    assert rows[0]["sha256"] == done["stamper"]["sha256"] != first[0]["sha256"]
    assert len(rows) == 2
    (world.home / "realms" / "acme" / "keys" / "tsa.pem").unlink()
    world.ok("sign work --out after --as alice")
    for package in ("before", "after"):
        world.ok(f"verify {package}")
    assert Realm(world.home, "acme").holds(Duty.GATE)
