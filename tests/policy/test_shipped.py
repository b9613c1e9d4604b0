"""The shipped packs: each is whole, bites, lets its look-alikes pass, and is never weaker than the baseline."""

from __future__ import annotations

import json

import pytest

from lockflight.core.gate.gate import decide, required
from lockflight.core.words import ENVIRONMENTS, Kind, Role, Tier
from lockflight.errors import NotFound
from lockflight.policy.bundle import baseline, read_bundle, read_folder
from lockflight.policy.gate import PolicyGate
from lockflight.policy.patch import merged, patched
from lockflight.policy.shipped import PACKS, compose, pack, pack_files

MORE = [name for name in PACKS if name != "baseline"]
RANKS = baseline().data["ranks"]


@pytest.fixture(scope="session")
def gates(engine):
    return {name: PolicyGate(pack(name), engine) for name in PACKS}


@pytest.mark.parametrize("name", PACKS)
def test_every_fixture_bites_or_is_calm(gates, name):
    bites = gates[name].bites()
    assert {fixture: why for fixture, why in bites.items() if why} == {}
    assert set(bites) >= {"base", *pack(name).rules}


@pytest.mark.parametrize("name", PACKS)
def test_every_rule_is_demanded_and_serves_a_control(name):
    bundle = pack(name)
    assert (bundle.name, bundle.required_rules) == (name, frozenset(bundle.rules))
    assert all(meta["controls"] and meta["solution"] for meta in bundle.rules.values())


@pytest.mark.parametrize("name", PACKS)
def test_collections_name_the_packs_that_hold_the_rule(name):
    for code, meta in pack(name).rules.items():
        assert set(meta["collections"]) <= set(PACKS)
        assert "baseline" in meta["collections"] or name in meta["collections"], code


def test_the_baseline_is_itself():
    assert pack("baseline") == baseline()


@pytest.mark.parametrize("name", MORE)
def test_a_pack_holds_the_baseline_unchanged(name):
    files, below = pack_files(name), pack_files("baseline")
    assert {path for path in below if files[path] != below[path] and path.endswith(".rego")} == set()
    assert set(pack(name).rules) > set(baseline().rules)


@pytest.mark.parametrize("name", MORE)
@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_no_pack_is_weaker_than_the_baseline(name, environment):
    above, below = pack(name).data, baseline().data
    for kind in Kind:
        for tier in Tier:
            demanded = required(below, environment, kind.value, tier.value)
            here = required(above, environment, kind.value, tier.value)
            assert all(here[check] <= age for check, age in demanded.items())
    for check, severity in below["blocks"][environment].items():
        assert RANKS[above["blocks"][environment][check]] <= RANKS[severity]
    changed = {key for key in below if above[key] != below[key]}
    assert changed <= {"required", "blocks", "rule_meta"}


def test_the_agent_pack_demands_of_agents_what_the_app_pack_does():
    app, agent = (pack(name).data["demanded_roles"] for name in ("llm-app", "agent"))
    for kind, groups in app.items():
        for group in groups:
            assert any(set(held) <= set(group) for held in agent[kind])


@pytest.mark.parametrize("name", MORE)
def test_roles_in_data_are_roles_of_the_house(name):
    data = pack(name).data
    roles = [role for groups in data.get("demanded_roles", {}).values() for group in groups for role in group]
    roles += data.get("described_roles", []) + data.get("recorded_roles", [])
    assert {Role(role) for role in roles}
    assert set(data.get("demanded_roles", {})) <= {"*", *(kind.value for kind in Kind)}


@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_the_app_packs_leave_other_kinds_alone(gates, kind, environment):
    facts = baseline().base | {"environment": environment}
    facts = patched(facts, [{"op": "replace", "path": "/release/kind", "value": kind.value}])
    for path in ("licence", "context"):
        facts = patched(facts, [{"op": "add", "path": f"/release/references/0/{path}", "value": "x"}])
    for name, concerned in (
        ("llm-app", {Kind.LLM_APP, Kind.RAG_APP, Kind.AGENT}),
        ("agent", {Kind.LLM_APP, Kind.RAG_APP, Kind.AGENT, Kind.TOOL_SERVER}),
    ):
        decision = decide(facts, gates[name].ref, gates[name].evaluate)
        wanted = kind in concerned and environment != "development"
        assert {v.code for v in decision.violations} == ({"LF4119"} if wanted else set())


def test_an_unknown_pack():
    with pytest.raises(NotFound) as caught:
        pack("lenient")
    assert caught.value.code == "LF4024"
    assert "high-risk" in caught.value.message


@pytest.mark.parametrize("name", PACKS)
def test_a_pack_written_out_is_the_same_bundle(name, tmp_path):
    for path, body in pack_files(name).items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(body)
    assert read_folder(tmp_path) == pack(name)


def folders(**changes):
    """Two small folders that make one."""
    below = {
        ".manifest": {
            "revision": "1",
            "roots": ["a"],
            "metadata": {"name": "below", "required_rules": ["X2"]},
        },
        "data.json": {"a": {"b": 1, "c": [1, 2]}},
        "bite/base.json": {"facts": {"n": 1}},
        "bite/X2.json": [],
    }
    above = {
        ".manifest": {
            "roots": ["d"],
            "metadata": {"name": "above", "includes": ["below"], "required_rules": ["X1"]},
        },
        "data.json": {"a": {"c": [3]}, "d": 4},
        "bite/base.json": [{"op": "replace", "path": "/facts/n", "value": 2}],
        "bite/X2.json": [{"op": "remove", "path": "/facts"}],
        **changes,
    }
    raw = {"below": below, "above": above}
    return lambda name: {path: json.dumps(value).encode() for path, value in raw[name].items()}


def test_how_folders_are_joined():
    files = {path: json.loads(body) for path, body in compose("above", folders()).items()}
    assert files == {
        ".manifest": {
            "revision": "1",
            "roots": ["a", "d"],
            "metadata": {"name": "above", "required_rules": ["X1", "X2"]},
        },
        "data.json": {"a": {"b": 1, "c": [3]}, "d": 4},
        "bite/base.json": {"facts": {"n": 2}},
        "bite/X2.json": [{"op": "remove", "path": "/facts"}],
    }


def test_no_module_is_replaced():
    with pytest.raises(ValueError, match="written twice"):
        compose("above", lambda name: folders()(name) | {"policy/x.rego": b"package x\n"})


def test_bundles_of_users_include_nothing():
    files = pack_files("baseline")
    manifest = json.loads(files[".manifest"])
    manifest["metadata"]["includes"] = ["strict"]
    with pytest.raises(Exception, match="unknown field 'includes'"):
        read_bundle(files | {".manifest": json.dumps(manifest).encode()})


@pytest.mark.parametrize(
    ("document", "change", "expected"),
    [
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": "foo"}, {"a": {"b": {"c": None}}}, {"a": {"b": {}}}),
        ([1, 2], {"a": 1}, {"a": 1}),
        ({"a": 1}, [3], [3]),
    ],
)
def test_merge_patch(document, change, expected):
    before = json.dumps(document)
    assert merged(document, change) == expected
    assert json.dumps(document) == before
