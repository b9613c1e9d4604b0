"""What one policy asks and another no longer asks."""

from __future__ import annotations

import json

import pytest

from lockflight.policy.bundle import read_bundle
from lockflight.policy.engines.pool import Engines
from lockflight.policy.losses import losses
from lockflight.policy.scaffold import new_bundle
from lockflight.policy.shipped import PACKS, pack, pack_files
from lockflight.policy.text.annotations import rule_metadata_file

LADDER = ("development", "staging", "production")


@pytest.fixture(scope="module")
def engine():
    engines = Engines()
    yield engines.regorus
    engines.close()


def changed(*edits, metadata=False, name="baseline"):
    """A pack with words of its files replaced."""
    files = pack_files(name)
    for path, old, new in edits:
        text = files[path].decode()
        assert old in text, (path, old)
        files[path] = text.replace(old, new).encode()
    if metadata:
        judging = {p: b.decode() for p, b in files.items() if p.endswith(".rego") and "_test" not in p}
        files["rule_meta/data.json"] = rule_metadata_file(judging)
    return read_bundle(files)


def with_data(change):
    files = pack_files("baseline")
    data = json.loads(files["data.json"])
    change(data)
    files["data.json"] = json.dumps(data).encode()
    return read_bundle(files)


def lines(engine, after, before="baseline"):
    return [str(loss) for loss in losses(pack(before), after, LADDER, engine)]


@pytest.mark.parametrize("name", PACKS)
def test_every_pack_keeps_what_the_baseline_asks(engine, name):
    assert lines(engine, pack(name)) == []
    assert lines(engine, read_bundle(new_bundle("our-rules", name))) == []
    assert lines(engine, read_bundle(new_bundle("our-rules", name)), before=name) == []


def test_agent_keeps_llm_app_and_the_others_drop_something(engine):
    assert lines(engine, pack("agent"), before="llm-app") == []
    for before, after in (("strict", "high-risk"), ("high-risk", "strict"), ("strict", "baseline")):
        assert lines(engine, pack(after), before=before)


def test_own_rules_alone(engine):
    found = lines(engine, read_bundle(new_bundle("our-rules")))
    assert "rule LF4105: falls away (Every model file is positively safe)" in found
    assert "environment production in production: nothing is demanded there any more" in found


def test_stricter_is_no_loss(engine):
    def stricter(data):
        data["required"]["production"]["*"]["*"][0]["max_age_s"] = 60
        data["blocks"]["production"]["models"] = "medium"
        data["moving_versions"].append("rolling")

    assert lines(engine, with_data(stricter)) == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            lambda d: d["required"]["staging"]["*"].update({"*": d["required"]["staging"]["*"]["*"][1:]}),
            "evidence models in staging: is no longer demanded",
        ),
        (
            lambda d: d["required"]["staging"].update({"classifier": d["required"]["staging"].pop("*")}),
            "evidence secrets in staging: is no longer demanded",
        ),
        (
            lambda d: d["required"].pop("production"),
            "environment production in production: nothing is demanded there any more",
        ),
        (
            lambda d: d["required"]["production"]["*"]["*"][0].update(max_age_s=864000),
            "evidence models in production: may be 10 days old, not 7 days",
        ),
        (
            lambda d: d["blocks"]["staging"].update(models="critical"),
            "threshold models in staging: findings block from critical, not from high",
        ),
        (
            lambda d: d["blocks"]["staging"].pop("models"),
            "threshold models in staging: no finding blocks; now from high",
        ),
        (lambda d: d["optional"].append("models"), "data optional: also holds models"),
        (lambda d: d["moving_versions"].remove("latest"), "data moving_versions: no longer holds latest"),
    ],
)
def test_data(engine, change, said):
    assert said in lines(engine, with_data(change))


def test_engines(engine):
    after = changed((".manifest", '"production": "dual-where-present"', '"production": "any"'))
    assert lines(engine, after) == ["engines production in production: any instead of dual-where-present"]


def test_a_rule_that_may_be_left_out(engine):
    after = changed((".manifest", '"LF4105", ', ""))
    assert lines(engine, after) == ["rule LF4105: may be left out"]


def test_a_rule_that_can_be_waived(engine):
    after = changed(("policy/release.rego", "#   waivable: false", "#   waivable: true"), metadata=True)
    assert "rule LF4100: can be waived" in lines(engine, after)


def test_a_rule_of_the_same_code_that_forgives_more(engine):
    # Only files that are malicious count, so what nobody could read to its end would pass.
    after = changed(("policy/findings.rego", "not is_safe(digest)", 'verdict(digest) == "malicious"'))
    [line] = lines(engine, after)
    assert line.startswith("rule LF4105: lets pass what it refuses now (bite/LF4105.")
