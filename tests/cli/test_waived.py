"""Waivers in `check`: what became of each one that is about the release, for people and for machines."""

from __future__ import annotations

import re

from lockflight.core.times import rfc3339, unix

ASK = (
    "waiver request --rule LF4107 --term completeness --project berth-classifier --env development --days 9"
    " --ticket T-1 --reason because --control watched --as alice --json"
)


def judged(world, *options, code=0):
    done = world.run(" ".join(["check work --env development --record --json --as alice", *options]))
    assert done.code == code, done.err
    return done.json()["result"]["judgements"]["development"]


def without_lock(world):
    """A version without the list of its software: a gap that may be waived."""
    manifest = world.work / "lockflight.toml"
    text = manifest.read_text().replace("1.0.0", "1.1.0")
    blocks = re.split(r"(?m)^(?=\[\[)", text)
    manifest.write_text("".join(b for b in blocks if "dependency-lock" not in b))
    (world.work / "requirements.txt").unlink()


def test_from_pending_over_used_to_expired(world):
    without_lock(world)
    assert [v["code"] for v in judged(world, code=10)["violations"]] == ["LF4107"]
    asked = world.ok(ASK).json()["result"]
    digest = asked["digest"]
    assert judged(world, code=10)["waivers"] == {"pending": [digest]}
    assert "waits for consent" in world.run("check work --env development --as alice").out
    world.ok(f"review {digest} --as bob")
    found = judged(world)
    assert (found["waivers"], [w["waiver"] for w in found["waived"]]) == ({"used": [digest]}, [digest])
    shown = world.ok("check work --env development --no-run --as alice").out
    assert shown.count("LF4107") == 1
    assert f"waived by {digest[:12]} until {asked['expires']}" in shown
    later = rfc3339(unix(asked["expires"]) + 1)
    after = world.run(f"check work --env development --no-run --as-of {later} --json --as alice")
    assert after.code == 10
    assert after.json()["result"]["judgements"]["development"]["waivers"] == {"expired": [digest]}
    recorded = world.ok(f"policy explain {found['recorded']} --json").json()["result"]
    assert recorded["waivers"] == {"used": [digest]}


def test_one_that_nobody_needs_stays_in_sight(world):
    digest = world.ok(ASK).json()["result"]["digest"]
    world.ok(f"review {digest} --as bob")
    assert judged(world)["waivers"] == {"unused": [digest]}
    assert "not needed" in world.ok("check work --env development --no-run --as alice").out


def test_one_for_somewhere_else_is_not_told(world):
    elsewhere = world.ok(ASK.replace("--env development", "--env staging")).json()["result"]["digest"]
    world.ok(f"review {elsewhere} --as bob")
    without_lock(world)
    found = judged(world, code=10)
    assert (found["waivers"], found["waived"]) == ({}, [])


def test_who_asked_for_it_does_not_approve(world):
    """A waiver's requester is among the authors: an approver who asks for one cannot approve with it."""
    without_lock(world)
    words = ASK.replace("--as alice", "--as bob").replace("--env development", "--env staging")
    world.ok("realm init duo --member alice=author --member bob=approver --member cleo=risk-owner")
    duo = {"realm": "duo"}
    assert world.run(words, **duo).code == 3  # no release of that project yet
    world.ok("sign work --out package4 --as alice", **duo)
    asked = world.ok(words, **duo).json()["result"]["digest"]
    world.ok(f"review {asked} --as cleo", **duo)
    world.run("check work --env development --record --as alice", **duo)
    world.ok("check work --env staging --record --as alice", **duo)
    world.run("approve package4 --env staging --as bob", **duo)
    shown = world.run("check work --env staging --no-run --as alice", **duo).out
    assert "still needs 1 approver who did not make the release" in shown
