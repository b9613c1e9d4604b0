"""Nobody lets a rule fall without being told: not who proposes a policy, nor who consents, nor who tries it."""

from __future__ import annotations

import json

import pytest

from lockflight.app.demo import PLANTED_NAME, make_workspace
from tests.cli.world import World

HOSTILE = "cposix\nsystem\n(S'true'\ntR."


@pytest.fixture
def world(tmp_path):
    world = World(tmp_path)
    world.home.mkdir(mode=0o700)
    make_workspace(world.work)
    (world.work / PLANTED_NAME).unlink()
    world.ok("realm init acme --member alice=author --member bob=approver --member dora=approver")
    return world


def plant(world):
    """A pickle that runs a command, as a model of the release."""
    (world.work / "model" / "extra.pkl").write_text(HOSTILE)
    manifest = world.work / "lockflight.toml"
    manifest.write_text(
        manifest.read_text() + '\n[[assets]]\nrole = "model-weights"\nfiles = ["model/extra.pkl"]\n'
    )


def denied(world):
    done = world.run("check work --env development --json --as alice")
    assert done.code == 10, done.out
    return {v["code"] for v in done.json()["result"]["judgements"]["development"]["violations"]}


def size(world):
    return world.ok("realm show --json").json()["result"]["checkpoint"]["size"]


def told(rows, what):
    return {row["name"] for row in rows if row["what"] == what}


def test_a_policy_of_own_rules_alone_is_refused_and_says_what_would_fall_away(world):
    world.ok("policy new our-rules --out rules")
    before = size(world)
    done = world.run("policy adopt rules --as bob")
    assert done.code == 10
    assert "LF4528" in done.err
    assert "--from baseline" in done.err
    assert "rule LF4105: falls away (Every model file is positively safe)" in done.out
    rows = json.loads(world.run("policy adopt rules --as bob --json").out)["result"]["drops"]
    assert told(rows, "rule") >= {"LF4102", "LF4105", "LF4108"}
    assert told(rows, "environment") >= {"development", "staging", "production"}
    assert size(world) == before


def test_the_second_person_sees_it_before_they_consent_and_says_so_too(world):
    world.ok("policy new our-rules --out rules")
    proposed = world.ok("policy adopt rules --drop --as bob")
    assert "rule LF4105: falls away" in proposed.out
    listed = world.ok("review")
    assert "rule LF4105: falls away" in listed.out
    [row] = world.ok("review --json").json()["result"]["waiting"]
    assert "LF4105" in told(row["drops"], "rule")
    refused = world.run(f"review {row['proposal']} --as dora")
    assert refused.code == 10
    assert "LF4528" in refused.err
    assert "rule LF4105: falls away" in refused.out
    assert world.ok("review --json").json()["result"]["waiting"]
    said = world.ok(f"review {row['proposal']} --drop --as dora --json").json()["result"]
    assert "LF4105" in told(said["drops"], "rule")


def test_who_says_no_needs_not_say_that_they_know(world):
    world.ok("policy new our-rules --out rules")
    word = world.ok("policy adopt rules --drop --as bob --json").json()["result"]["envelope"]
    world.ok(f"review {word} --reject --as dora")


def test_dry_run_says_it(world):
    world.ok("policy new our-rules --out rules")
    done = world.ok("policy dry-run rules")
    assert "rule LF4105: falls away" in done.out
    assert told(world.ok("policy dry-run rules --json").json()["result"]["drops"], "rule")
    assert world.ok("policy dry-run --pack strict --json").json()["result"]["drops"] == []


def test_a_policy_that_starts_from_a_pack_keeps_it_and_a_hostile_pickle_stays_out(world):
    done = world.ok("policy new our-rules --from baseline --out rules")
    assert "rules of baseline" in done.out
    said = world.ok("policy adopt rules --as bob --json").json()["result"]
    assert said["drops"] == []
    world.ok(f"review {said['envelope']} --as dora")
    plant(world)
    assert "LF4105" in denied(world)


def test_a_policy_that_travels_with_the_release_keeps_the_hostile_pickle_out_too(world):
    world.ok("policy new our-rules --out work/rules")
    manifest = world.work / "lockflight.toml"
    manifest.write_text(manifest.read_text() + '\n[policy]\nbundle = "rules"\n')
    plant(world)
    assert "LF4105" in denied(world)


def test_one_environment(world):
    said = world.ok("policy adopt --pack strict --env production --as bob --json").json()["result"]
    world.ok(f"review {said['envelope']} --as dora")
    assert (
        world.ok("policy adopt --pack baseline --env staging --as bob --json").json()["result"]["drops"] == []
    )
    refused = world.run("policy adopt --pack baseline --as bob --json")
    assert refused.code == 10
    rows = json.loads(refused.out)["result"]["drops"]
    assert "LF4116" in told(rows, "rule")
    assert {place for row in rows for place in row["environments"]} == {"production"}
