"""An incident as people meet it: find, revoke, candidates, break-glass, and what `status` says meanwhile."""

from __future__ import annotations

import re

import pytest

from tests.cli.world import MODEL

SLOT = "--project berth-classifier --env development"


def reply(world, words, code=0):
    done = world.run(f"{words} --json")
    assert done.code == code, f"{words}\n{done.out}\n{done.err}"
    return done.json()


def result(world, words, code=0):
    return reply(world, words, code)["result"]


def refused(world, words, code):
    """The error of a command that must not succeed."""
    done = world.run(f"{words} --json")
    error = done.json()["error"]
    assert error is not None, done.out
    assert error["code"] == code, error
    return error


def sign(world, version, out, text=""):
    manifest = world.work / "lockflight.toml"
    manifest.write_text(re.sub(r"(?m)^version = .*$", f'version = "{version}"', manifest.read_text()))
    path = world.work / "predict.py"
    path.write_text(path.read_text() + text)
    world.ok("check work --record --env development --as alice")
    world.ok(f"sign work --out {out} --as alice")


def slots(world, code=0):
    rows = result(world, "status", code)["slots"]
    return {(row["environment"], row["version"]): row for row in rows}


@pytest.mark.parametrize("query", ["model.safetensors", MODEL, "**/*.safetensors", "*.safetensors"])
def test_find_by_name_path_and_pattern(world, query):
    (match,) = result(world, f"find {query}")["matches"]
    assert (match["path"], match["release"]["version"], match["revoked"]) == (MODEL, "1.0.0", None)
    assert [(p["environment"], p["now"]) for p in match["places"]] == [("development", True)]


def test_find_by_digest(world):
    (match,) = result(world, "find model.safetensors")["matches"]
    digest = match["digest"]
    for word in (
        digest,
        digest.removeprefix("sha256:"),
        digest[7:19],
        digest.upper().replace("SHA256", "sha256"),
    ):
        assert result(world, f"find {word}")["matches"] == [match]


@pytest.mark.parametrize("query", ["nothing.bin", "odel.safetensors", "abcdef012345", "model", "*/nothing"])
def test_what_is_nowhere_is_not_found(world, query):
    refused(world, f"find {query}", "LF4571")


def test_find_says_what_was_there_before(world):
    sign(world, "1.1.0", "package2")
    world.ok("promote package2 --to development --as alice")
    matches = result(world, "find predict.py")["matches"]
    assert [(m["release"]["version"], m["places"][0]["now"]) for m in matches] == [
        ("1.0.0", False),
        ("1.1.0", True),
    ]


def test_find_knows_candidates_that_were_dropped(world):
    sign(world, "1.1.0", "package2", "\nVERSION = 2\n")
    world.ok("promote package2 --to development --exposure 5% --as alice")
    world.ok(f"rollback {SLOT} --as alice")
    second = result(world, "find predict.py")["matches"][1]
    assert [(p["environment"], p["now"], p["exposure"]) for p in second["places"]] == [
        ("development", False, 0)
    ]


def test_a_freeze_makes_nothing_worse(world):
    world.ok("freeze --env development --reason storm --as bob")
    assert result(world, "recheck")["at_risk"] == 0
    assert slots(world)["development", "1.0.0"]["at_risk"] is None
    assert "frozen: all projects in development" in world.ok("status").out


def test_revoking_what_is_found_hits_every_release_with_it(world):
    sign(world, "1.1.0", "package2")
    said = result(world, "revoke --where model.safetensors --reason compromised --as bob")
    assert [row["name"] for row in said["revoked"]] == [MODEL]
    assert {m["revoked"] for m in result(world, "find model.safetensors")["matches"]} == {"compromised"}
    assert world.run("verify package").code == 12
    assert world.run("verify package2").code == 12


def test_several_assets_need_a_word_more(world):
    size = result(world, "status")["checkpoint"]["size"]
    error = refused(world, "revoke --where *.* --reason harmful --as bob", "LF0145")
    assert len(error["details"]["assets"]) > 1
    assert result(world, "status")["checkpoint"]["size"] == size
    said = result(world, "revoke --where *.* --reason harmful --yes --as bob")
    assert len(said["revoked"]) == len(error["details"]["assets"])


def test_a_person_is_taken_back_with_their_keys(world):
    said = result(world, "revoke --identity eve --reason compromised --as bob")
    assert (said["scope"], said["person"]) == ("identity", "bob")
    assert "eve" not in [p["name"] for p in result(world, "realm show")["people"]]
    refused(world, "revoke --identity eve --reason compromised --as bob", "LF4605")


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ("revoke --reason harmful", "LF0107"),
        ("revoke package --where x --reason harmful", "LF0107"),
        ("revoke --identity eve --digest aaaaaaaaaaaa --reason harmful", "LF0107"),
        ("revoke --digest aaaaaaaaaaaa --scope identity --reason harmful", "LF0106"),
        ("revoke package --scope asset --reason harmful", "LF0107"),
        ("revoke --where model.safetensors --reason harmful --as eve", "LF4522"),
        ("revoke --identity nobody --reason harmful --as bob", "LF4605"),
    ],
)
def test_a_revocation_names_one_thing(world, words, code):
    refused(world, words, code)


def test_a_candidate_grows_is_held_and_gets_in(world):
    sign(world, "1.1.0", "package2")
    world.ok("promote package2 --to development --exposure 5% --as alice")
    found = slots(world)
    assert {key: row["exposure"] for key, row in found.items()} == {
        ("development", "1.0.0"): 9500,
        ("development", "1.1.0"): 500,
    }
    assert found["development", "1.1.0"]["candidate"]
    assert "candidate, 5%" in world.ok("status").out
    world.ok(f"expose {SLOT} --exposure 50% --as alice")
    world.ok(f"hold {SLOT} --exposure 0.5% --as alice")
    assert slots(world)["development", "1.1.0"]["exposure"] == 50
    refused(world, f"hold {SLOT} --exposure 1% --as alice", "LF0146")
    refused(world, f"expose {SLOT} --exposure 0% --as alice", "LF0146")
    again = world.ok(f"expose {SLOT} --exposure 0.5% --as alice")
    assert "gives already 0.5% to the candidate" in again.out
    world.ok(f"expose {SLOT} --exposure 100% --as alice")
    assert {key: row["exposure"] for key, row in slots(world).items()} == {("development", "1.1.0"): 10_000}
    history = [row["action"] for row in result(world, "status --history")["history"]]
    assert history == ["promote", "promote", "expose", "hold", "expose"]


def test_a_rollback_drops_the_candidate(world):
    sign(world, "1.1.0", "package2")
    sign(world, "1.2.0", "package3")
    world.ok("promote package2 --to development --exposure 5% --as alice")
    refused(world, "promote package3 --to development --as alice", "LF4575")
    done = result(world, f"rollback {SLOT} --as alice")
    assert (done["release"]["version"], done["exposure"]) == ("1.0.0", 10_000)
    assert list(slots(world)) == [("development", "1.0.0")]
    refused(world, f"expose {SLOT} --exposure 9% --as alice", "LF4573")


@pytest.mark.parametrize("word", ["5.123%", "101%", "-1", "half", "", "5%%", "1e1"])
def test_what_is_no_part_of_the_traffic(world, word):
    refused(world, f"expose {SLOT} --exposure='{word}' --as alice", "LF0146")


def test_nothing_to_share_with(world):
    refused(world, "promote package --to development --exposure 5% --as alice", "LF0147")
    refused(world, "promote package --to staging --exposure 5% --as alice", "LF0147")


def test_recheck_marks_and_moves_nothing(world):
    assert result(world, "recheck")["at_risk"] == 0
    before = slots(world)
    world.ok("revoke --where model.safetensors --reason compromised --as bob")
    rows = result(world, "recheck --project berth-classifier --env development", 10)["checked"]
    assert [(row["at_risk"], [v["code"] for v in row["violations"]]) for row in rows] == [(True, ["LF4108"])]
    after = slots(world, 10)
    assert after["development", "1.0.0"]["at_risk"] == {"decision": rows[0]["decision"], "rules": ["LF4108"]}
    assert list(after) == list(before)
    assert "is at risk" in world.run("status").out


def test_recheck_of_an_empty_realm_is_fine(world):
    world.ok("realm init empty --member a=author --member b=approver")
    assert result(world, "recheck --realm empty")["checked"] == []


def glass(world, actor="alice"):
    return result(world, f"break-glass package --env staging --incident INC-1 --reason storm --as {actor}")


def test_break_glass_from_request_to_review(world):
    made = glass(world)
    word = made["digest"][:12]
    assert (made["kind"], made["rule"], made["status"]) == ("break-glass", "*", "pending")
    promote = f"promote package --to staging --break-glass {word} --as alice"
    assert "no second person consented" in refused(world, promote, "LF4530")["message"]
    refused(world, f"review {word} --as alice", "LF4525")
    world.ok(f"review {word} --as bob")
    moved = result(world, promote)
    assert (moved["break_glass"], moved["approvals"]) == (made["digest"], [])
    (waiting,) = result(world, "status")["break_glass"]
    assert waiting["digest"] == made["digest"]
    sign(world, "1.1.0", "package2")
    assert "LF4547" in refused(world, "promote package2 --to development --as alice", "LF4530")["message"]
    refused(world, f"review {word} --close --as bob", "LF4525")
    refused(world, f"review {word} --close --as alice", "LF4525")


def test_a_break_glass_is_closed_by_who_took_no_part(world):
    world.ok(
        "realm init wide --member a=author --member b=approver --member c=auditor,releaser --member d=author"
    )
    wide = {"realm": "wide"}
    world.ok("check work --record --env development --as a", **wide)
    world.ok("sign work --out package9 --as a", **wide)
    world.ok("promote package9 --to development --as a", **wide)
    done = world.ok(
        "break-glass package9 --env staging --incident INC-1 --reason storm --as d --json", **wide
    )
    word = done.json()["result"]["digest"][:12]
    world.ok(f"review {word} --as b", **wide)
    world.ok("check work --record --env staging --as a", **wide)
    world.ok(f"promote package9 --to staging --break-glass {word} --as a", **wide)
    assert "waits for its review" in world.ok("status", **wide).out
    world.ok(f"review {word} --close --as c", **wide)
    assert "waits for its review" not in world.ok("status", **wide).out
    again = world.run(f"promote package9 --to staging --break-glass {word} --as a", **wide)
    assert "holds already" in again.out


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ("--hours 25", "LF0148"),
        ("--hours 0", "LF0148"),
        ("--reason ' '", "LF0141"),
        ("--incident ''", "LF0141"),
        ("--env moon", "LF0121"),
    ],
)
def test_a_break_glass_has_limits(world, options, code):
    words = "break-glass package --env staging --incident INC-1 --reason storm --as alice"
    refused(world, f"{words} {options}", code)
