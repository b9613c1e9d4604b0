"""The shipped pack: each rule stops its known-bad facts and lets the benign look-alike pass."""

from __future__ import annotations

import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockflight.core.canonical import dumps
from lockflight.core.gate.gate import decide, required
from lockflight.core.words import ENVIRONMENTS, MODEL_ROLES, Kind, Tier
from lockflight.policy.bundle import baseline
from tests.policy import factories as f

ALL = tuple(f"LF41{i:02}" for i in range(16))


@pytest.fixture
def judge(gate):
    def ask(facts):
        return decide(facts, gate.ref, gate.evaluate, engines=gate.engines)

    return ask


def codes(decision):
    return sorted({v.code for v in decision.violations})


def warned(decision):
    return sorted({w.code for w in decision.warnings})


@pytest.mark.parametrize("environment", ENVIRONMENTS)
@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize("tier", Tier)
def test_a_fine_release_is_allowed_everywhere(judge, environment, kind, tier):
    decision = judge(f.facts(environment, kind=kind.value, tier=tier.value))
    assert (decision.allow, decision.violations, decision.warnings) == (True, (), ())
    assert decision.evaluated == ALL
    assert all(rule.passed for rule in decision.rules)


def test_every_result_explains_itself(judge):
    for rule in judge(f.facts()).rules:
        assert rule.msg.endswith(".")
        assert rule.rule
        if rule.term in {"models", "code", "secrets"}:
            assert rule.evidence


def key(check):
    return f"scan/{check}"


# (name, environment, path to spoil, value, codes of violations, codes of warnings)
CASES = [
    ("personal realm outside development", "staging", ("realm", "kind"), "personal", ["LF4101"], []),
    ("personal realm in development", "development", ("realm", "kind"), "personal", [], []),
    ("a realm of a kind that nobody knows", "development", ("realm", "kind"), "galactic", ["LF4101"], []),
    ("no row", "staging", ("evidence", key("code")), [], ["LF4102"], []),
    ("a check that the environment does not demand", "development", ("evidence", key("code")), [], [], []),
    ("incomplete", "staging", ("evidence", key("code"), 0, "status"), "incomplete", ["LF4103"], []),
    ("partial coverage", "staging", ("evidence", key("secrets"), 0, "coverage_ppm"), 999_999, ["LF4103"], []),
    ("a second too old", "staging", ("evidence", key("code"), 0, "age_s"), 2_592_001, ["LF4104"], []),
    ("just young enough", "staging", ("evidence", key("code"), 0, "age_s"), 2_592_000, [], []),
    ("too old for production", "production", ("evidence", key("code"), 0, "age_s"), 604_801, ["LF4104"], []),
    ("unknown model", "development", ("evidence", key("models"), 0, "summary", "unknown"), 1, ["LF4105"], []),
    (
        "model for review",
        "development",
        ("evidence", key("models"), 0, "summary", "review"),
        1,
        ["LF4105"],
        [],
    ),
    (
        "malicious model",
        "development",
        ("evidence", key("models"), 0, "summary", "malicious"),
        2,
        ["LF4105"],
        [],
    ),
    (
        "nothing judged safe",
        "development",
        ("evidence", key("models"), 0, "summary", "safe"),
        0,
        ["LF4105"],
        [],
    ),
    ("verdict without keys", "development", ("evidence", key("models"), 0, "summary"), {}, ["LF4105"], []),
    (
        "high in code",
        "staging",
        ("evidence", key("code"), 0, "findings"),
        [f.finding("high")],
        ["LF4106"],
        [],
    ),
    ("medium in code", "staging", ("evidence", key("code"), 0, "findings"), [f.finding("medium")], [], []),
    (
        "critical in code, development",
        "development",
        ("evidence", key("code"), 0, "findings"),
        [f.finding("critical")],
        [],
        [],
    ),
    (
        "high secret, development",
        "development",
        ("evidence", key("secrets"), 0, "findings"),
        [f.finding("high")],
        [],
        [],
    ),
    (
        "critical secret, development",
        "development",
        ("evidence", key("secrets"), 0, "findings"),
        [f.finding("critical")],
        ["LF4106"],
        [],
    ),
    (
        "high secret, counted only",
        "staging",
        ("evidence", key("secrets"), 0, "summary", "high"),
        1,
        ["LF4106"],
        [],
    ),
    (
        "high in text",
        "staging",
        ("evidence", key("text-integrity"), 0, "findings"),
        [f.finding("high")],
        ["LF4106"],
        [],
    ),
    (
        "high from bandit",
        "production",
        ("evidence", key("bandit"), 0, "findings"),
        [f.finding("high")],
        ["LF4106"],
        [],
    ),
    ("bandit did not run", "production", ("evidence", key("bandit")), [], [], ["LF4114"]),
    ("bandit crashed", "production", ("evidence", key("bandit"), 0, "status"), "incomplete", [], ["LF4114"]),
    (
        "a missing role",
        "development",
        ("evidence", key("completeness"), 0, "summary", "missing"),
        1,
        ["LF4107"],
        [],
    ),
    (
        "no count of missing roles",
        "development",
        ("evidence", key("completeness"), 0, "summary"),
        {},
        ["LF4107"],
        [],
    ),
    (
        "revoked release",
        "development",
        ("state", "revoked"),
        [{"digest": f.digest("release"), "reason": "harmful"}],
        ["LF4108"],
        [],
    ),
    (
        "revoked asset",
        "production",
        ("state", "revoked"),
        [{"digest": f.digest("app"), "reason": "vulnerable"}],
        ["LF4108"],
        [],
    ),
    ("revoked reference", "production", ("state", "revoked"), [{"digest": f.digest("x")}], ["LF4108"], []),
    ("freeze", "development", ("state", "frozen"), True, ["LF4109"], []),
    ("unpinned", "development", ("release", "references", 0, "pinned"), False, ["LF4110"], []),
    ("pinned to latest", "development", ("release", "references", 0, "version"), "Latest", ["LF4110"], []),
    ("dev version in production", "production", ("release", "version"), "dev", ["LF4111"], []),
    ("dev version in staging", "staging", ("release", "version"), "dev", [], []),
    ("version of another release", "development", ("state", "version_owner"), f.digest("x"), ["LF4112"], []),
    ("version of this release", "development", ("state", "version_owner"), f.digest("release"), [], []),
    (
        "rejected evidence",
        "production",
        ("rejected",),
        [{"digest": f.digest("r"), "type": "scan", "code": "LF7244"}],
        [],
        ["LF4113"],
    ),
    (
        "dependency without decision",
        "staging",
        ("release", "depends"),
        [{"name": "encoder", "digest": f.digest("e")}],
        ["LF4115"],
        [],
    ),
    (
        "dependency in development",
        "development",
        ("release", "depends"),
        [{"name": "encoder", "digest": f.digest("e")}],
        [],
        [],
    ),
    (
        "environment that the policy does not know",
        "canary",
        (),
        None,
        ["LF4016", "LF4017", "LF4100", "LF4106"],
        [],
    ),
]


@pytest.mark.parametrize(
    ("environment", "path", "value", "denied", "warnings"), [c[1:] for c in CASES], ids=[c[0] for c in CASES]
)
def test_rules(judge, environment, path, value, denied, warnings):
    facts = f.facts(environment)
    decision = judge(f.spoiled(facts, *path, value=value) if path else facts)
    assert (codes(decision), warned(decision)) == (denied, warnings)
    assert decision.allow is not bool(denied)


def test_a_check_that_this_installation_does_not_know_is_not_an_empty_one(judge):
    facts = f.facts("staging")
    del facts["expected"]["scan/documents"]
    decision = judge(facts)
    assert codes(decision) == ["LF4102"]
    assert decision.violations[0].term == "documents"


def test_evidence_of_another_subject_or_grain_does_not_count(judge):
    facts = f.facts("staging")
    facts["evidence"]["scan/code"][0]["subject"] = f.digest("another file")
    assert codes(judge(facts)) == ["LF4102"]
    facts = f.facts("staging")
    facts["evidence"]["scan/code"][0]["grain"] = "view"
    assert codes(judge(facts)) == ["LF4102"]


def test_every_subject_needs_its_own_evidence(judge):
    facts = f.facts("production", models=5)
    del facts["evidence"]["scan/models"][3]
    decision = judge(facts)
    assert codes(decision) == ["LF4102", "LF4105"]
    assert "model-3.safetensors" in decision.violations[0].msg


def test_a_model_that_no_check_reads_is_not_safe(judge):
    facts = f.facts("development")
    facts["release"]["assets"].append(
        {
            "name": "extra.bin",
            "role": "adapter",
            "digest": f.digest("extra"),
            "size": 4,
            "provenance": "unknown",
        }
    )
    decision = judge(facts)
    assert codes(decision) == ["LF4105"]
    assert "extra.bin (not judged)" in decision.violations[0].msg


def other(row, **changes):
    return {**copy.deepcopy(row), "digest": f.digest("other", row["digest"]), **changes}


def test_one_producer_cannot_hide_what_another_found(judge):
    facts = f.facts("staging")
    rows = facts["evidence"]["scan/secrets"]
    rows.append(other(rows[0], findings=[f.finding("high", code="LF2401")]))
    assert codes(judge(facts)) == ["LF4106"]
    facts = f.facts("staging")
    rows = facts["evidence"]["scan/models"]
    rows.append(other(rows[0], status="incomplete", summary={"safe": 0, "malicious": 1}))
    assert codes(judge(facts)) == ["LF4105"]


def test_one_complete_and_fresh_row_is_enough(judge):
    facts = f.facts("production")
    rows = facts["evidence"]["scan/code"]
    rows.append(other(rows[0], status="incomplete", reason="killed by SIGKILL"))
    rows.append(other(rows[0], age_s=9_999_999))
    assert judge(facts).allow


def test_complete_but_old_and_young_but_incomplete_do_not_add_up(judge):
    facts = f.facts("production")
    rows = facts["evidence"]["scan/code"]
    rows.append(other(rows[0], status="incomplete"))
    rows[0]["age_s"] = 9_999_999
    assert codes(judge(facts)) == ["LF4104"]


def test_a_reason_of_an_incomplete_check_reaches_the_reader(judge):
    facts = f.facts("staging")
    facts["evidence"]["scan/code"][0] |= {
        "status": "incomplete",
        "reason": "LF5010 The tool x is not installed. Next: lockflight tools install x",
    }
    [violation] = judge(facts).violations
    assert "lockflight tools install x" in violation.msg


@pytest.mark.parametrize(
    ("entry", "denied"),
    [
        ({"asset": "encoder", "release": f.digest("e"), "decision": "PASSED"}, []),
        ({"asset": "encoder", "release": f.digest("e"), "decision": "FAILED"}, ["LF4115"]),
        ({"asset": "decoder", "release": f.digest("e"), "decision": "PASSED"}, ["LF4115"]),
        ({"asset": "encoder", "release": f.digest("f"), "decision": "PASSED"}, ["LF4115"]),
    ],
)
def test_dependencies_bring_their_own_decision(judge, entry, denied):
    facts = f.facts("production")
    facts["release"]["depends"] = [{"name": "encoder", "digest": f.digest("e")}]
    facts["dependencies"] = [entry]
    assert codes(judge(facts)) == denied


def test_an_unpinned_reference_by_digest(judge):
    facts = f.facts("production")
    facts["release"]["references"] = [
        {
            "name": "base",
            "role": "image-base",
            "uri": "oci://x",
            "digest": "sha256:" + "0" * 64,
            "pinned": True,
        }
    ]
    assert judge(facts).allow
    del facts["release"]["references"][0]["digest"]
    assert codes(judge(facts)) == ["LF4110"]


def test_development_version_rule_is_skipped_where_it_does_not_apply(judge):
    assert judge(f.facts("staging")).skipped == ("LF4111",)
    assert judge(f.facts("production")).skipped == ()


def test_the_same_facts_give_the_same_bytes(judge, gate):
    facts = f.facts("production", models=3)
    facts["evidence"]["scan/code"] = []
    once, again = judge(facts), judge(facts)
    assert once == again
    shuffled = {k: facts[k] for k in reversed(facts)}
    shuffled["evidence"] = {k: v[::-1] for k, v in reversed(facts["evidence"].items())}
    other_order = judge(shuffled)
    assert other_order.output_digest == once.output_digest
    assert other_order.basis == once.basis
    assert gate.evaluate(dumps(facts)) == gate.evaluate(dumps(facts))


def test_time_and_rejected_evidence_do_not_void_approvals(judge):
    before = judge(f.facts("production"))
    facts = f.facts("production")
    facts["now"] = "2026-11-01T13:00:00Z"
    for rows in facts["evidence"].values():
        for row in rows:
            row["age_s"] += 86_400
            row["digest"] = f.digest("again", row["digest"])
    facts["rejected"] = [{"digest": f.digest("r"), "type": "scan", "code": "LF7244"}]
    after = judge(facts)
    assert after.allow
    assert after.basis == before.basis
    assert after.output_digest != before.output_digest


def test_a_changed_result_voids_approvals(judge):
    before = judge(f.facts("production"))
    facts = f.facts("production", models=2)
    facts["evidence"]["scan/code"][0]["age_s"] = 604_801
    assert judge(facts).basis != before.basis


@pytest.mark.parametrize("environment", ENVIRONMENTS)
@pytest.mark.parametrize("kind", ["agent", "dataset"])
@pytest.mark.parametrize("tier", ["minimal", "high"])
def test_producers_and_the_gate_agree_on_what_is_required(engine, environment, kind, tier):
    bundle = baseline()
    facts = f.facts(environment, kind=kind, tier=tier)
    theirs = engine.evaluate(bundle.modules, bundle.data, "data.lockflight.lib.required", dumps(facts))
    assert theirs == required(bundle.data, environment, kind, tier)


def test_each_environment_demands_at_least_what_the_one_below_does():
    data = baseline().data
    below = {}
    for environment in ENVIRONMENTS:
        here = required(data, environment, "agent", "high")
        assert set(below) <= set(here)
        assert all(here[check] <= age for check, age in below.items())
        below = here


def test_model_roles_are_those_of_the_house():
    assert set(baseline().data["model_roles"]) == {role.value for role in MODEL_ROLES}


REQUIRED = ("models", "secrets", "completeness", "code", "documents", "text-integrity")
spoiling = st.sampled_from(
    [
        lambda row: row,
        lambda row: row | {"status": "incomplete"},
        lambda row: row | {"coverage_ppm": 5},
        lambda row: row | {"age_s": 700_000},
        lambda row: row | {"age_s": 3_000_000},
        lambda row: row | {"findings": [f.finding("high")]},
        lambda row: row | {"findings": [f.finding("critical")]},
        lambda row: row | {"summary": row["summary"] | {"unknown": 1}},
        lambda row: row | {"summary": {}},
    ]
)


@given(st.data())
def test_removing_evidence_never_turns_no_into_yes(gate, data):
    """For what the environment demands, and one row per subject: an optional check can only take away."""
    facts = f.facts(data.draw(st.sampled_from(ENVIRONMENTS)), models=2)
    for check in REQUIRED:
        rows = facts["evidence"][f"scan/{check}"]
        facts["evidence"][f"scan/{check}"] = [data.draw(spoiling)(row) for row in rows]
    poorer = copy.deepcopy(facts)
    for name in required(gate.bundle.data, facts["environment"], "classifier", "limited"):
        rows = poorer["evidence"][f"scan/{name}"]
        kept = [row for row in rows if data.draw(st.booleans())]
        if kept or not data.draw(st.booleans()):
            poorer["evidence"][f"scan/{name}"] = kept
        else:
            del poorer["evidence"][f"scan/{name}"]
    full = decide(facts, gate.ref, gate.evaluate)
    less = decide(poorer, gate.ref, gate.evaluate)
    assert full.allow or not less.allow
    removed = sum(map(len, facts["evidence"].values())) - sum(map(len, poorer["evidence"].values()))
    assert not (removed and less.allow)
