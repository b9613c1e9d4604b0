"""Waivers in the shipped policy: what fits is used and named, what does not fit changes nothing."""

from __future__ import annotations

import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockflight.core.gate.factshape import WAIVER_SCOPES
from lockflight.core.gate.gate import decide
from lockflight.core.state.waivers import STANDINGS
from lockflight.policy.bundle import baseline
from tests.policy import factories as f

NEVER = {"LF4100", "LF4101", "LF4108", "LF4109", "LF4112"}
PROJECT = {"kind": "project", "digest": "", "project": "tumour-classifier", "environment": "staging"}


@pytest.fixture
def judge(gate):
    def ask(facts, *waivers):
        return decide(facts | {"waivers": list(waivers)}, gate.ref, gate.evaluate)

    return ask


def without_code():
    facts = f.facts("staging")
    facts["evidence"]["scan/code"] = []
    return facts


def two_bad_files():
    """A release with two files of code, both with a bad finding."""
    facts = f.facts("staging")
    facts["release"]["assets"].append(
        {"name": "b.py", "role": "code", "digest": f.digest("b"), "size": 9, "provenance": "unknown"}
    )
    subject = {"grain": "asset", "name": "b.py", "subject": f.digest("b")}
    facts["expected"]["scan/code"].append(subject)
    rows = facts["evidence"]["scan/code"]
    rows.append(f.row("code", subject))
    for row in rows:
        row["findings"] = [f.finding("high", asset=row["name"])]
    return facts


def app(**changes):
    return f.waiver("LF4106", "code", scope={"kind": "asset", "digest": f.digest("app")}, **changes)


FITTING = [
    ("this release", f.waiver("LF4102", "code")),
    (
        "this release, and named",
        f.waiver("LF4102", "code", scope=PROJECT | {"kind": "release", "digest": f.digest("release")}),
    ),
    ("this project and environment", f.waiver("LF4102", "code", scope=PROJECT)),
    (
        "the only file that failed",
        f.waiver("LF4102", "code", scope={"kind": "asset", "digest": f.digest("app")}),
    ),
    ("an emergency", f.waiver("*", "", kind="break-glass")),
    ("an emergency with one rule", f.waiver("LF4102", "", kind="break-glass")),
]


@pytest.mark.parametrize("waiver", [w[1] for w in FITTING], ids=[w[0] for w in FITTING])
def test_a_waiver_that_fits_is_used_and_named(judge, waiver):
    decision = judge(without_code(), waiver)
    assert decision.allow is True
    assert [(w.code, w.term, w.waiver) for w in decision.waived] == [("LF4102", "code", waiver["digest"])]
    assert {(r.code, r.passed) for r in decision.rules if r.term == "code"} >= {("LF4102", False)}


OTHER = [
    *((f"it is {status}", {"status": status}) for status in STANDINGS if status != "active"),
    ("it ends now", {"expires": "2026-10-31T13:00:00Z"}),
    ("it has ended", {"expires": "2026-10-31T12:59:59Z"}),
    ("another rule", {"rule": "LF4103"}),
    ("another term", {"term": "secrets"}),
    ("no term", {"term": ""}),
    ("any term", {"term": "*"}),
    ("every rule", {"rule": "*", "term": ""}),
    ("every rule, the same term", {"rule": "*"}),
    ("another release", {"scope": {"digest": f.digest("another")}}),
    ("any release", {"scope": {"digest": ""}}),
    ("another environment", {"scope": {"environment": "production"}}),
    ("another project", {"scope": {"project": "another"}}),
    ("a project everywhere", {"scope": PROJECT | {"environment": ""}}),
    ("a project, every environment", {"scope": PROJECT | {"environment": "*"}}),
    ("another project as a whole", {"scope": PROJECT | {"project": "another"}}),
    ("any project", {"scope": PROJECT | {"project": ""}}),
    ("a file that did not fail", {"scope": {"kind": "asset", "digest": f.digest("toml")}}),
    ("a file that is not there", {"scope": {"kind": "asset", "digest": f.digest("another")}}),
    ("the release as if it were a file", {"scope": {"kind": "asset"}}),
    ("a file as if it were the release", {"scope": {"digest": f.digest("app")}}),
    ("an emergency with another rule", {"kind": "break-glass", "rule": "LF4103"}),
    (
        "an emergency of another release",
        {"kind": "break-glass", "rule": "*", "scope": {"digest": f.digest("x")}},
    ),
    ("an emergency in a whole project", {"kind": "break-glass", "rule": "*", "scope": PROJECT}),
    (
        "an emergency with a file",
        {"kind": "break-glass", "rule": "*", "scope": {"kind": "asset", "digest": f.digest("app")}},
    ),
    ("an emergency that is over", {"kind": "break-glass", "rule": "*", "status": "expired"}),
    ("an emergency elsewhere", {"kind": "break-glass", "rule": "*", "scope": {"environment": "production"}}),
]


def made(changes):
    rest = {key: value for key, value in changes.items() if key not in {"scope", "rule"}}
    return (
        f.waiver("LF4102", "code", scope=changes.get("scope"))
        | {"rule": changes.get("rule", "LF4102")}
        | rest
    )


@pytest.mark.parametrize("changes", [o[1] for o in OTHER], ids=[o[0] for o in OTHER])
def test_a_waiver_that_does_not_fit_changes_nothing(judge, changes):
    before, after = judge(without_code()), judge(without_code(), made(changes))
    assert after.allow is False
    assert (after.violations, after.waived, after.basis) == (before.violations, (), before.basis)


def test_a_waiver_without_a_failure_is_not_used(judge):
    decision = judge(f.facts("staging"), f.waiver("LF4102", "code"))
    assert (decision.allow, decision.waived) == (True, ())
    assert decision.basis == judge(f.facts("staging")).basis


def test_a_waiver_takes_one_failure_away_and_no_other(judge):
    facts = without_code()
    facts["evidence"]["scan/documents"] = []
    facts["evidence"]["scan/secrets"] = []
    decision = judge(facts, f.waiver("LF4102", "code"))
    assert [(v.code, v.term) for v in decision.violations] == [("LF4102", "secrets")]


def test_a_waiver_of_one_file_does_not_cover_another(judge):
    decision = judge(two_bad_files(), app())
    assert [(v.code, v.term) for v in decision.violations] == [("LF4106", "code")]
    other = f.waiver(
        "LF4106", "code", scope={"kind": "asset", "digest": f.digest("b")}, digest=f.digest("w2")
    )
    decision = judge(two_bad_files(), app(), other)
    assert decision.allow is True
    assert {w.waiver for w in decision.waived} == {app()["digest"], f.digest("w2")}
    assert judge(two_bad_files(), app(), other | {"status": "expired"}).allow is False


def test_of_several_waivers_one_is_used_always_the_same(judge):
    pair = [f.waiver("LF4102", "code"), f.waiver("LF4102", "code", digest="0" * 64)]
    once, again = judge(without_code(), *pair), judge(without_code(), *reversed(pair))
    assert [w.waiver for w in once.waived] == ["0" * 64]
    assert once.basis == again.basis


def failing(code):
    """Facts on which a rule fails: the proof of its bite."""
    from lockflight.policy.patch import patched

    return patched(baseline().base, baseline().bites[code].operations)


@pytest.mark.parametrize("code", sorted(baseline().rules))
def test_what_can_never_be_waived(judge, code):
    facts = failing(code)
    terms = sorted({rule.term for rule in judge(facts).rules if rule.code == code})
    waivers = [f.waiver(code, term, digest=f.digest(term, "1")) for term in terms]
    waivers.append(f.waiver("*", "", kind="break-glass", digest=f.digest("2")))
    decision = judge(facts, *waivers)
    if baseline().rules[code]["effect"] == "warn":
        assert [w.code for w in decision.warnings] == [code]
        assert decision.waived == ()
    elif code in NEVER:
        assert code in {v.code for v in decision.violations}
    else:
        assert decision.allow is True
        assert code in {w.code for w in decision.waived}


def test_which_rules_can_never_be_waived():
    rules = baseline().rules
    assert {
        code for code, meta in rules.items() if not meta["waivable"] and meta["effect"] == "deny"
    } == NEVER


def test_what_the_gate_misses_cannot_be_waived(judge):
    decision = judge(f.facts("canary"), f.waiver("*", "", kind="break-glass"))
    assert {v.code for v in decision.violations} >= {"LF4016", "LF4017", "LF4100"}


def test_a_rule_that_takes_effect_later_warns_until_then(engine, gate):
    bundle = baseline()
    rules = copy.deepcopy(bundle.rules)
    rules["LF4102"]["effective_on"] = "2026-10-31T13:00:01Z"
    data = bundle.data | {"rule_meta": rules}

    def ask(now):
        facts = without_code() | {"now": now}
        return decide(facts, gate.ref, lambda d: engine.evaluate(bundle.modules, data, bundle.entrypoint, d))

    early = ask("2026-10-31T13:00:00Z")
    assert early.allow is True
    [warning] = early.warnings
    assert warning.code == "LF4102"
    assert warning.msg.endswith("It denies from 2026-10-31T13:00:01Z on.")
    late = ask("2026-10-31T13:00:01Z")
    assert [v.code for v in late.violations] == ["LF4102"]


words = st.sampled_from(["LF4102", "LF4106", "*", "code", "", "staging", "tumour-classifier"])
digests = st.sampled_from([f.digest(name) for name in ("release", "app", "toml", "x")])
any_waiver = st.builds(
    lambda rule, term, kind, status, expires, scope: f.waiver(
        rule, term, kind=kind, status=status, expires=expires, scope=scope
    ),
    words.filter(bool),
    words,
    st.sampled_from(["waiver", "break-glass"]),
    st.sampled_from(STANDINGS),
    st.sampled_from(["2026-10-31T12:59:59Z", "2026-12-01T00:00:00Z"]),
    st.fixed_dictionaries(
        {"kind": st.sampled_from(WAIVER_SCOPES), "digest": digests, "project": words, "environment": words}
    ),
)


@given(st.lists(any_waiver, max_size=6), st.booleans())
def test_the_gate_and_the_policy_agree_on_every_waiver(gate, waivers, findings):
    """The policy never waives what the gate's own look refuses: that would be LF4018."""
    facts = two_bad_files() if findings else without_code()
    decision = decide(facts | {"waivers": waivers}, gate.ref, gate.evaluate)
    assert "LF4018" not in {v.code for v in decision.violations}
    active = {w["digest"] for w in waivers if w["status"] == "active" and w["expires"] > facts["now"]}
    assert {w.waiver for w in decision.waived} <= active
    assert decision.allow is bool(decision.waived)
