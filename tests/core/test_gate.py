from __future__ import annotations

import copy
import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockflight.core.attest import statement as statements
from lockflight.core.canonical import dumps, loads_object
from lockflight.core.gate.gate import PolicyRef, basis, decide, required
from lockflight.core.gate.ruling import parse_ruling
from lockflight.core.gate.vsa import EXTENSION, parse_vsa, to_vsa
from lockflight.core.state.waivers import STANDINGS
from lockflight.errors import EnvironmentProblem, PolicyDenied, VerificationFailed
from tests.core.test_ruling import result, violation
from tests.policy import factories as f

POLICY = PolicyRef("made-up", "1", "c" * 64, frozenset({"LF4100", "LF4105"}), frozenset({"LF4105"}))
ENGINES = ({"name": "regorus", "version": "0", "sha256": "d" * 64},)


def passing(code, **changes):
    return result(code=code, passed=True, **changes)


def output(**changes):
    return {
        "allow": True,
        "violations": [],
        "warnings": [],
        "waived": [],
        "rules": [passing("LF4100"), passing("LF4105")],
        "evaluated_rules": ["LF4100", "LF4105"],
        "skipped": [],
        **changes,
    }


def denying(**changes):
    return output(allow=False, violations=[violation()], rules=[passing("LF4100"), result()], **changes)


def ask(out, facts=None):
    return decide(facts or f.facts(), POLICY, lambda _: out, engines=ENGINES)


def codes(decision):
    return [(v.code, v.term) for v in decision.violations]


def test_nothing_against_it_allows():
    decision = ask(output())
    assert decision.allow is True
    assert decision.violations == ()
    assert (decision.environment, decision.release) == ("staging", f.digest("release"))
    assert decision.engines == ENGINES


def test_the_engine_gets_canonical_facts():
    seen = []
    facts = f.facts()
    decide(facts, POLICY, lambda document: seen.append(document) or output())
    assert seen == [dumps(facts)]
    assert ask(output()).input_digest == hashlib.sha256(seen[0]).hexdigest()


def test_a_violation_denies():
    decision = ask(denying())
    assert decision.allow is False
    assert codes(decision) == [("LF4105", "")]


CONTRADICTIONS = [
    ("allows in spite of a violation", denying() | {"allow": True}, [("LF4018", "allow"), ("LF4105", "")]),
    ("denies without a reason", output(allow=False), [("LF4018", "allow")]),
    ("a demanded rule was not evaluated", output(evaluated_rules=["LF4100"]), [("LF4016", "LF4105")]),
    (
        "nothing was evaluated",
        output(evaluated_rules=[], rules=[]),
        [("LF4016", "LF4100"), ("LF4016", "LF4105"), ("LF4017", "LF4100"), ("LF4017", "LF4105")],
    ),
    ("a demanded rule has no result", output(rules=[passing("LF4100")]), [("LF4017", "LF4105")]),
    ("a failure that nobody tells", output(rules=[passing("LF4100"), result()]), [("LF4018", "LF4105")]),
    (
        "a violation whose rule passed",
        output(allow=False, violations=[violation()]),
        [("LF4018", "LF4105"), ("LF4105", "")],
    ),
    (
        "a violation without a result",
        output(allow=False, violations=[violation(code="LF4109")]),
        [("LF4018", "LF4109"), ("LF4109", "")],
    ),
    (
        "a waived rule that passed",
        output(waived=[{"code": "LF4105", "rule": "x", "term": "", "waiver": "e" * 64}]),
        [("LF4018", "LF4105"), ("LF4018", "LF4105")],
    ),
]


@pytest.mark.parametrize(
    ("out", "expected"), [c[1:] for c in CONTRADICTIONS], ids=[c[0] for c in CONTRADICTIONS]
)
def test_an_output_that_does_not_fit_together_denies(out, expected):
    decision = ask(out)
    assert decision.allow is False
    assert codes(decision) == expected


def test_a_warning_does_not_deny():
    decision = ask(output(rules=[passing("LF4100"), result()], warnings=[violation()]))
    assert decision.allow is True
    assert [w.code for w in decision.warnings] == ["LF4105"]


def waiving(*, term="", **changes):
    waived = [{"code": "LF4105", "rule": "x", "term": term, "waiver": f.digest("waiver", "LF4105", "")}]
    return output(rules=[passing("LF4100"), result(**changes)], waived=waived)


def test_a_waiver_takes_a_failure_away():
    decision = ask(waiving(), f.facts() | {"waivers": [f.waiver("LF4105", "")]})
    assert decision.allow is True
    assert decision.waived[0].waiver == f.digest("waiver", "LF4105", "")


#: Whatever the policy says that it waived, the gate looks again.
UNWAIVED = [
    ("no waiver at all", None),
    ("another waiver", {"digest": "e" * 64}),
    *((f"a waiver that is {status}", {"status": status}) for status in STANDINGS if status != "active"),
    ("a waiver that ends now", {"expires": "2026-10-31T13:00:00Z"}),
    ("another rule", {"rule": "LF4100"}),
    ("every rule", {"rule": "*"}),
    ("another term", {"term": "code"}),
    ("another release", {"scope": {"digest": f.digest("x")}}),
    ("no asset of the release", {"scope": {"kind": "asset"}}),
    ("another project", {"scope": {"kind": "project", "project": "x", "environment": "staging"}}),
    ("a project everywhere", {"scope": {"kind": "project", "project": "tumour-classifier"}}),
    ("another environment", {"scope": {"environment": "production"}}),
    (
        "an emergency in a whole project",
        {
            "kind": "break-glass",
            "rule": "*",
            "scope": {"kind": "project", "project": "tumour-classifier", "environment": "staging"},
        },
    ),
    ("an emergency with another rule", {"kind": "break-glass", "rule": "LF4100"}),
    ("an emergency elsewhere", {"kind": "break-glass", "rule": "*", "scope": {"digest": f.digest("x")}}),
]


def waivers(changes):
    if changes is None:
        return []
    rest = {key: value for key, value in changes.items() if key not in {"scope", "rule"}}
    rest.setdefault("digest", f.digest("waiver", "LF4105", ""))
    return [
        f.waiver("LF4105", "", scope=changes.get("scope")) | {"rule": changes.get("rule", "LF4105")} | rest
    ]


@pytest.mark.parametrize("changes", [u[1] for u in UNWAIVED], ids=[u[0] for u in UNWAIVED])
def test_a_failure_that_nobody_waived_denies(changes):
    decision = ask(waiving(), f.facts() | {"waivers": waivers(changes)})
    assert codes(decision) == [("LF4018", "LF4105")]
    assert decision.allow is False


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"scope": {"environment": "staging", "project": "tumour-classifier"}},
        {"scope": {"kind": "asset", "digest": f.digest("app")}},
        {"scope": {"kind": "project", "project": "tumour-classifier", "environment": "staging"}},
        {"kind": "break-glass", "rule": "*"},
        {"kind": "break-glass", "term": "whatever"},
    ],
)
def test_waivers_that_fit(changes):
    assert ask(waiving(), f.facts() | {"waivers": waivers(changes)}).allow is True


def test_a_rule_that_cannot_be_waived_denies():
    policy = PolicyRef("made-up", "1", "c" * 64, POLICY.required_rules)
    facts = f.facts() | {"waivers": [f.waiver("LF4105", "")]}
    decision = decide(facts, policy, lambda _: waiving(), engines=ENGINES)
    assert codes(decision) == [("LF4018", "LF4105")]
    assert "cannot be waived" in decision.violations[0].msg


def test_a_waiver_of_one_term_hides_no_other():
    facts = f.facts() | {"waivers": [f.waiver("LF4105", "")]}
    rules = [passing("LF4100"), result(), result(term="code")]
    assert codes(ask(waiving() | {"rules": rules}, facts)) == [("LF4018", "LF4105")]
    assert codes(ask(waiving(passed=True), facts)) == [("LF4018", "LF4105")]


@pytest.mark.parametrize(
    "out", [{}, {"allow": True}, output(allow="true"), output(extra=1), output(rules=[{"code": 1}])]
)
def test_what_is_no_decision_is_refused(out):
    with pytest.raises(PolicyDenied) as caught:
        ask(out)
    assert caught.value.code == "LF4011"


@pytest.mark.parametrize("spoil", [("state", "frozen"), ("realm", "kind"), ("release", "digest")])
def test_what_are_no_facts_never_reach_the_engine(spoil):
    def evaluate(_):
        raise AssertionError("the engine was asked")

    with pytest.raises(PolicyDenied) as caught:
        decide(f.spoiled(f.facts(), *spoil, value=None), POLICY, evaluate)
    assert caught.value.code == "LF4014"
    assert ".".join(spoil) in caught.value.message


def test_facts_with_decimals_or_surrogates_are_refused():
    for value in (0.5, "\ud800"):
        with pytest.raises(PolicyDenied) as caught:
            ask(output(), f.facts() | {"novel": value})
        assert caught.value.code == "LF4014"


def test_what_the_engine_raises_goes_through():
    def evaluate(_):
        raise PolicyDenied("LF4012", "Too slow.")

    with pytest.raises(PolicyDenied) as caught:
        decide(f.facts(), POLICY, evaluate)
    assert caught.value.code == "LF4012"


def based(**changes):
    rules = [passing("LF4100"), passing("LF4105", **changes)]
    return ask(output(rules=rules)).basis


def test_the_basis_holds_values_and_terms_but_no_times_and_digests():
    plain = based()
    assert based(evidence=[]) == plain
    assert based(msg="other words") == plain
    assert based(value=4) != plain
    assert based(term="x") != plain
    assert based(value=4, basis="outcome") == based(value=5, basis="outcome")
    assert based(value=4, basis="none") == based(value=5, term="y", basis="none")
    assert ask(output()).basis == plain


def test_a_policy_or_a_waiver_changes_the_basis():
    rules = parse_ruling(output()).rules
    waived = parse_ruling(
        output(waived=[{"code": "LF4105", "rule": "", "term": "", "waiver": "e" * 64}])
    ).waived
    plain = basis("c" * 64, rules, (), ())
    assert basis("d" * 64, rules, (), ()) != plain
    assert basis("c" * 64, rules, waived, ()) != plain
    assert basis("c" * 64, rules[::-1], (), ()) == plain


def test_a_result_outside_the_basis_comes_in_when_it_denies():
    rules = [passing("LF4100"), result(basis="none")]
    denied = ask(denying() | {"rules": rules})
    passed = ask(output(rules=[passing("LF4100"), passing("LF4105", basis="none")]))
    assert denied.basis != passed.basis


DATA = {
    "required": {
        "production": {
            "*": {"*": [{"check": "models", "max_age_s": 9}], "high": [{"check": "extra", "max_age_s": 3}]},
            "agent": {
                "*": [{"check": "models", "max_age_s": 4}],
                "high": [{"check": "models", "max_age_s": 8}],
            },
        }
    }
}


@pytest.mark.parametrize(
    ("environment", "kind", "tier", "expected"),
    [
        ("production", "model", "limited", {"models": 9}),
        ("production", "model", "high", {"models": 9, "extra": 3}),
        ("production", "agent", "limited", {"models": 4}),
        ("production", "agent", "high", {"models": 4, "extra": 3}),
        ("staging", "agent", "high", {}),
    ],
)
def test_required_evidence_only_ever_adds_up(environment, kind, tier, expected):
    assert required(DATA, environment, kind, tier) == expected


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"required": []},
        {"required": {"p": []}},
        {"required": {"p": {"*": []}}},
        {"required": {"p": {"*": {"*": {}}}}},
        {"required": {"p": {"*": {"*": [{"check": "x"}]}}}},
        {"required": {"p": {"*": {"*": [{"check": "x", "max_age_s": -1}]}}}},
        {"required": {"p": {"*": {"*": [{"check": "x", "max_age_s": 0.5}]}}}},
    ],
)
def test_data_that_does_not_say_what_is_required_is_refused(data):
    with pytest.raises(EnvironmentProblem) as caught:
        required(data, "p", "model", "high")
    assert caught.value.code == "LF4005"


def vsa(decision, **changes):
    arguments = {
        "assets": [("model.bin", "1" * 64), ("lockflight.toml", "2" * 64)],
        "verifier": "https://lockflight.dev/verifier/realm",
        "versions": {"regorus": "0.13.0", "lockflight": "0.1.0"},
        "time_verified": "2026-10-31T13:00:00Z",
        "resource_uri": "lockflight:x@sha256:" + "3" * 64,
        "policy_uri": "lockflight:policy/made-up@1",
        "attestations": ["5" * 64, "4" * 64, "4" * 64],
        "separation": "people",
        "oms_root": "6" * 64,
        **changes,
    }
    return to_vsa(decision, **arguments)


def test_the_vsa_has_what_slsa_demands():
    """SLSA Verification Summary Attestation v1: required fields, and every MUST that a producer can break."""
    statement = vsa(ask(output()))
    body = loads_object(statement.payload())
    assert body["_type"] == "https://in-toto.io/Statement/v1"
    assert body["predicateType"] == "https://slsa.dev/verification_summary/v1"
    assert [s["name"] for s in body["subject"]] == ["tumour-classifier", "model.bin", "lockflight.toml"]
    assert body["subject"][0]["digest"] == {"sha256": f.digest("release"), "omsRoot": "6" * 64}
    predicate = body["predicate"]
    assert predicate["verifier"]["id"].startswith("https://")
    assert predicate["timeVerified"] == "2026-10-31T13:00:00Z"
    assert predicate["resourceUri"]
    assert predicate["policy"]["digest"] == {"sha256": "c" * 64}
    assert [a["digest"]["sha256"] for a in predicate["inputAttestations"]] == ["4" * 64, "5" * 64]
    assert predicate["verificationResult"] == "PASSED"
    assert predicate["slsaVersion"] == "1.1"
    assert [level for level in predicate["verifiedLevels"] if level.startswith("SLSA_")] == [
        "SLSA_BUILD_LEVEL_UNEVALUATED"
    ]
    extras = set(predicate) - {
        "verifier",
        "timeVerified",
        "resourceUri",
        "policy",
        "inputAttestations",
        "verificationResult",
        "verifiedLevels",
        "slsaVersion",
    }
    assert extras == {EXTENSION}
    assert EXTENSION.startswith("https://")


def test_a_denial_is_recorded_as_failed():
    predicate = vsa(ask(denying())).predicate
    assert predicate["verificationResult"] == "FAILED"
    assert predicate["verifiedLevels"] == ["FAILED"]


@pytest.mark.parametrize(
    "out", [output(), denying(), output(allow=False), denying() | {"allow": True}, output(evaluated_rules=[])]
)
def test_a_decision_reads_back(out):
    decision = ask(out)
    statement = vsa(decision)
    stored = parse_vsa(statements.parse(statement.payload()))
    assert stored.statement() == statement
    assert (stored.allow, stored.basis, stored.environment) == (decision.allow, decision.basis, "staging")
    assert (stored.rules, stored.violations, stored.warnings) == (
        decision.rules,
        decision.violations,
        decision.warnings,
    )
    assert (stored.release, stored.name, stored.policy) == (decision.release, decision.name, POLICY.digest)
    assert (stored.input_digest, stored.output_digest) == (decision.input_digest, decision.output_digest)
    assert stored.attestations == ("4" * 64, "5" * 64)
    assert stored.oms_root == "6" * 64


def test_a_vsa_without_oms_root_reads_back():
    assert parse_vsa(vsa(ask(output()), oms_root="", assets=[])).oms_root == ""


def set_at(statement, *path, value):
    body = copy.deepcopy(loads_object(statement.payload()))
    place = body
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return statements.parse(dumps(body))


FORGERIES = [
    (("predicate", "verificationResult"), "PASSED"),
    (("predicate", "verifiedLevels"), ["SLSA_BUILD_LEVEL_3"]),
    (("predicate", "slsaVersion"), "1.0"),
    (("predicate", "timeVerified"), "2026-10-31T13:00:00+00:00"),
    (("predicate", "policy", "digest", "sha256"), "e" * 64),
    (("predicate", "extra"), 1),
    (("predicate", "inputAttestations"), [{"uri": "x", "digest": {"sha256": "4" * 64}}]),
    (("predicate", EXTENSION, "basis"), "e" * 64),
    (("predicate", EXTENSION, "environment"), 3),
    (("predicate", EXTENSION, "extra"), 1),
    (("predicate", EXTENSION, "ruling", "allow"), True),
    (("predicate", EXTENSION, "ruling", "violations"), []),
    (("predicate", EXTENSION, "ruling", "rules"), []),
    (("predicate", EXTENSION, "ruling", "rules", 0, "value"), 77),
    (("predicate", EXTENSION, "engines"), {}),
    (("predicate", "verifier"), {"id": "x"}),
    (("subject", 1, "digest"), {"sha256": "1" * 64, "sha512": "9"}),
]


@pytest.mark.parametrize(("path", "value"), FORGERIES)
def test_an_altered_denial_does_not_read(path, value):
    altered = set_at(vsa(ask(denying())), *path, value=value)
    if path[-1] == "violations":
        # Without its reasons the denial is still a denial.
        assert parse_vsa(altered).allow is False
        return
    with pytest.raises((KeyError, TypeError, ValueError)):
        parse_vsa(altered)


def test_levels_of_an_allowed_release_are_ours():
    with pytest.raises(ValueError, match="verdict"):
        parse_vsa(set_at(vsa(ask(output())), "predicate", "verifiedLevels", value=["SLSA_BUILD_LEVEL_3"]))


@given(st.data())
def test_no_single_change_of_a_recorded_denial_makes_it_allow(data):
    body = loads_object(vsa(ask(denying())).payload())
    place, path = body, []
    while isinstance(place, (dict, list)) and place and (not path or data.draw(st.booleans())):
        key = data.draw(
            st.sampled_from(sorted(place) if isinstance(place, dict) else list(range(len(place))))
        )
        path.append((place, key))
        place = place[key]
    parent, key = path[-1]
    parent[key] = data.draw(
        st.sampled_from(
            [True, False, None, 0, 1, "PASSED", "FAILED", "", [], {}, ["SLSA_BUILD_LEVEL_3"], "4" * 64]
        )
    )
    try:
        stored = parse_vsa(statements.parse(dumps(body)))
    except (KeyError, TypeError, ValueError, VerificationFailed):
        return
    assert stored.allow is False
