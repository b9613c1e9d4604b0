from __future__ import annotations

import json

import pytest

from lockflight.core.canonical import dumps
from lockflight.core.gate.gate import decide
from lockflight.errors import EnvironmentProblem, PolicyDenied
from lockflight.policy.bundle import baseline, read_bundle
from lockflight.policy.gate import PolicyGate
from lockflight.policy.patch import patched
from tests.policy import factories as f
from tests.policy.small import REGO, small_bundle


def gate_of(engine, files):
    return PolicyGate(read_bundle(files), engine)


def test_a_bundle_that_bites_judges(engine):
    gate = gate_of(engine, small_bundle())
    assert decide(f.facts(), gate.ref, gate.evaluate, engines=gate.engines).allow
    long = f.spoiled(f.facts(), "release", "name", value="n" * 40)
    decision = decide(long, gate.ref, gate.evaluate, engines=gate.engines)
    assert [(v.code, v.value, v.threshold) for v in decision.violations] == [("XX0001", 40, 18)]
    assert decision.engines[0]["name"] == "regorus"


def test_every_rule_of_the_shipped_pack_bites(gate):
    bites = gate.bites()
    assert set(bites) == {"base", *baseline().rules, *baseline().bites}
    assert not any(bites.values())


TOOTHLESS = [
    (
        "a rule that cannot fail",
        REGO.replace("default short := false", "default short := true").replace(
            "short if count", "shorter if count"
        ),
        "it does not fail on its known-bad facts",
    ),
    (
        "a mistyped path",
        REGO.replace("short if count(input.release.name) <=", "short if not data.limits.sise <"),
        "it does not fail on its known-bad facts",
    ),
    (
        "a rule that always fails",
        REGO.replace("short if count", "shorter if count"),
        "facts that are fine are refused by XX0001",
    ),
    (
        "a verdict that ignores its violations",
        REGO.replace('"allow": count(violations) == 0', '"allow": true'),
        "it fails, and the output allows all the same",
    ),
]


@pytest.mark.parametrize(("rego", "words"), [t[1:] for t in TOOTHLESS], ids=[t[0] for t in TOOTHLESS])
def test_a_bundle_that_does_not_bite_never_judges(engine, rego, words):
    gate = gate_of(engine, small_bundle(rego))
    with pytest.raises(EnvironmentProblem) as caught:
        gate.evaluate(dumps(f.facts()))
    assert caught.value.code == "LF4008"
    assert words in str(caught.value.details["failures"])


def test_a_rule_without_a_fixture_never_judges(engine):
    files = small_bundle()
    del files["bite/XX0001.json"]
    with pytest.raises(EnvironmentProblem, match="it has no fixture"):
        gate_of(engine, files).prove()


@pytest.mark.parametrize(
    ("operations", "words"),
    [
        ([{"op": "replace", "path": "/nowhere/at/all", "value": 1}], "cannot be applied"),
        ([{"op": "replace", "path": "/release/name", "value": 7}], "is not facts v1: release.name"),
    ],
)
def test_a_fixture_that_does_not_fit_is_no_proof(engine, operations, words):
    files = small_bundle() | {"bite/XX0001.json": json.dumps(operations).encode()}
    assert words in gate_of(engine, files).bites()["XX0001"]


def test_a_base_that_is_no_facts_is_no_proof(engine):
    files = small_bundle() | {"bite/base.json": b"{}", "bite/XX0001.json": b"[]"}
    assert "is not facts v1" in gate_of(engine, files).bites()["base"]


def test_a_bundle_whose_decision_is_undefined_denies(engine):
    rego = REGO.replace('"skipped": []', '"skipped": data.limits.sise')
    with pytest.raises(PolicyDenied) as caught:
        gate_of(engine, small_bundle(rego)).prove()
    assert caught.value.code == "LF4010"


def test_a_bundle_whose_decision_has_another_shape_denies(engine):
    rego = REGO.replace('"skipped": []', '"skiped": []')
    with pytest.raises(PolicyDenied) as caught:
        gate_of(engine, small_bundle(rego)).prove()
    assert caught.value.code == "LF4011"


def test_a_deleted_rule_denies(engine):
    """The manifest still demands it, so nothing is allowed without it."""
    rego = REGO.replace('"evaluated_rules": {"XX0001"}', '"evaluated_rules": []').replace(
        '"rules": results', '"rules": []'
    )
    bundle = read_bundle(small_bundle(rego))
    decision = decide(
        f.facts(), bundle.ref, lambda d: engine.evaluate(bundle.modules, bundle.data, bundle.entrypoint, d)
    )
    assert decision.allow is False
    assert [v.code for v in decision.violations] == ["LF4016", "LF4017"]


def fixture(engine, name, operations, says):
    files = small_bundle() | {f"bite/{name}.json": json.dumps({"facts": operations, "says": says}).encode()}
    return gate_of(engine, files).bites()[name]


LONG = [{"op": "replace", "path": "/release/name", "value": "n" * 40}]


@pytest.mark.parametrize(
    ("name", "operations", "says", "words"),
    [
        ("XX0001.long", LONG, {}, ""),
        ("XX0001.long", LONG, {"value": 40, "threshold": 18, "solution": "Shorten it."}, ""),
        ("XX0001.long", LONG, {"value": 41}, "it says {'value': 40}, not {'value': 41}"),
        ("XX0001.long", LONG, {"nothing": 1}, "it says {'nothing': None}"),
        ("XX0001.long", [], {}, "it does not fail on its known-bad facts"),
        ("XX0001.calm", [], {"value": 17}, ""),
        ("XX0001.calm", [], {"value": 18}, "it says {'value': 17}, not {'value': 18}"),
        ("XX0001.calm-long", LONG, {}, "it does not pass on its known-good facts"),
        ("XX0001.waived", LONG, {"waived": ["0" * 64]}, "its failure is not waived by"),
        ("XX0002", LONG, {}, "there is no rule of that code"),
    ],
)
def test_what_fixtures_ask_for(engine, name, operations, says, words):
    found = fixture(engine, name, operations, says)
    assert found.startswith(words)
    assert bool(found) is bool(words)


def test_only_one_fixture_of_a_rule_is_read_before_a_verdict(engine):
    bad = json.dumps({"facts": [], "says": {}}).encode()
    gate = gate_of(engine, small_bundle() | {"bite/XX0001.another.json": bad})
    gate.prove()
    assert gate.bites()["XX0001.another"]


def test_a_rule_that_passes_and_fails_at_once_is_toothless(engine):
    rego = REGO.replace(
        "decision := {", "results contains r if {\n\tsome x in results0\n\tr := x\n}\n\ndecision := {"
    )
    rego = rego.replace("results contains {", "results0 contains {")
    rego = rego.replace(
        "decision := {",
        'results contains object.union(x, {"passed": true}) if some x in results0\n\ndecision := {',
    )
    assert gate_of(engine, small_bundle(rego)).bites()["XX0001"] == "it passes and fails at once"


DOCUMENT = {"a": {"b/c": [1, 2, 3], "~": 4}, "d": None}


@pytest.mark.parametrize(
    ("operations", "expected"),
    [
        ([], DOCUMENT),
        ([{"op": "add", "path": "/e", "value": [1]}], {**DOCUMENT, "e": [1]}),
        ([{"op": "replace", "path": "/a/b~1c/1", "value": 9}], {"a": {"b/c": [1, 9, 3], "~": 4}, "d": None}),
        ([{"op": "add", "path": "/a/b~1c/-", "value": 9}], {"a": {"b/c": [1, 2, 3, 9], "~": 4}, "d": None}),
        ([{"op": "add", "path": "/a/b~1c/0", "value": 9}], {"a": {"b/c": [9, 1, 2, 3], "~": 4}, "d": None}),
        ([{"op": "remove", "path": "/a/b~1c/0"}], {"a": {"b/c": [2, 3], "~": 4}, "d": None}),
        ([{"op": "remove", "path": "/a/~0"}, {"op": "remove", "path": "/d"}], {"a": {"b/c": [1, 2, 3]}}),
    ],
)
def test_json_patch(operations, expected):
    before = json.dumps(DOCUMENT)
    assert patched(DOCUMENT, operations) == expected
    assert json.dumps(DOCUMENT) == before


@pytest.mark.parametrize(
    "operation",
    [
        {},
        {"op": "add"},
        {"path": "/a"},
        {"op": "move", "path": "/a"},
        {"op": "add", "path": "a", "value": 1},
        {"op": "remove", "path": "/z"},
        {"op": "replace", "path": "/z", "value": 1},
        {"op": "replace", "path": "/a/b~1c/9", "value": 1},
        {"op": "add", "path": "/d/x", "value": 1},
        "add",
    ],
)
def test_json_patch_that_does_not_fit(operation):
    with pytest.raises((KeyError, IndexError, TypeError, ValueError)):
        patched(DOCUMENT, [operation])
