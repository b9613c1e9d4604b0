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


def duo(world, asker="bob"):
    """A realm in which a used waiver of staging was asked for by one person and consented to by cleo."""
    without_lock(world)
    words = ASK.replace("--as alice", f"--as {asker}").replace("--env development", "--env staging")
    roles = "--member alice=author --member bob=approver --member cleo=risk-owner,approver"
    world.ok(f"realm init duo {roles}")
    assert world.run(words, realm="duo").code == 3  # no release of that project yet
    world.ok("sign work --out package4 --as alice", realm="duo")
    asked = world.ok(words, realm="duo").json()["result"]["digest"]
    world.ok(f"review {asked} --as cleo", realm="duo")
    world.run("check work --env development --record --as alice", realm="duo")
    world.ok("check work --env staging --record --as alice", realm="duo")
    return asked


def test_who_asked_for_it_does_not_approve(world):
    """A waiver's requester is among the authors, and hears of it when they approve, not at the promotion."""
    asked = duo(world)
    done = world.run("approve package4 --env staging --as bob", realm="duo")
    assert (done.code, "LF4521" in done.err) == (10, True)
    assert (
        f"they asked for the waiver {asked[:12]} of LF4107 completeness, on which the decision rests"
        in done.err
    )
    assert "Ask another person with the role approver" in done.err
    shown = world.run("check work --env staging --no-run --as alice", realm="duo").out
    assert "still needs 1 approver who did not make the release" in shown


def test_who_consented_to_it_may_approve_and_is_reminded(world):
    asked = duo(world)
    done = world.ok("approve package4 --env staging --as cleo --json", realm="duo").json()["result"]
    words = (
        f"cleo also consented to the waiver {asked[:12]} of LF4107 completeness, on which the decision rests."
    )
    assert done["notices"] == [words]
    assert words in world.ok("approve package4 --env staging --as cleo", realm="duo").out


def test_who_had_no_part_in_it_is_not_reminded(world):
    duo(world, asker="alice")
    done = world.ok("approve package4 --env staging --as bob --json", realm="duo").json()["result"]
    assert done["notices"] == []


def test_its_reason_is_on_the_page_until_it_is_erased(world):
    duo(world, asker="alice")
    world.ok(ASK, realm="duo")
    rows = world.ok("evidence list --all --type decision --json", realm="duo").json()["result"]["evidence"]
    explain = f"policy explain {rows[-1]['index']}"
    shown = world.ok(f"{explain} --json --html page.html", realm="duo").json()["result"]
    (used,) = shown["waivers_used"]
    people = used["requester"], used["approver"]
    assert (people, used["reason"], used["control"], used["ticket"], used["kept"]) == (
        ("alice", "cleo"),
        "because",
        "watched",
        "T-1",
        True,
    )
    # The one for development is about another environment.
    assert shown["waivers_elsewhere"] == 1
    page = (world.folder / "page.html").read_text(encoding="utf-8")
    assert "1 more waiver exists that does not concern this release in staging." in page
    assert "watched" in page
    out = world.ok(explain, realm="duo").out
    assert "because: because" in out
    assert "asked by alice, consented by cleo, ticket T-1" in out
    for path in (world.home / "realms" / "duo" / "blobs").rglob("*"):
        if path.is_file() and b'"watched"' in path.read_bytes():
            path.unlink()
    erased = world.ok(f"{explain} --json --html page.html", realm="duo").json()["result"]["waivers_used"][0]
    assert (erased["reason"], erased["kept"], erased["ticket"]) == (None, False, "T-1")
    assert "It was erased, or this copy" in (world.folder / "page.html").read_text(encoding="utf-8")
    assert "why: erased" in world.ok(explain, realm="duo").out
