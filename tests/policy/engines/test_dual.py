"""Two engines: what both say counts, what only one says is a no."""

from __future__ import annotations

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockflight.core.canonical import dumps
from lockflight.core.gate.gate import decide
from lockflight.core.gate.unsettled import canonical
from lockflight.core.ports import PolicyEngine
from lockflight.errors import EnvironmentProblem, LockflightError, PolicyDenied
from lockflight.policy.bundle import baseline
from lockflight.policy.engines.dual import KEPT, DualEngine, difference, same
from lockflight.policy.gate import PolicyGate
from tests.policy import factories as f


def ask(engine, body, *, document=b'{"n": [3, 1, 2]}', data=None):
    return engine.evaluate({"policy/t.rego": f"package t\n{body}\n"}, data or {}, "data.t.x", document)


def refusal(engine, body):
    with pytest.raises(LockflightError) as caught:
        ask(engine, body)
    return caught.value


def test_what_both_say_comes_back(dual):
    assert ask(dual, 'x := {"a": sort(input.n), "s": {3, "b", "a"}}') == {"a": [1, 2, 3], "s": [3, "a", "b"]}


def test_both_engines_are_named(dual):
    same_protocol: PolicyEngine = dual
    assert [i["name"] for i in same_protocol.identities] == ["regorus", "opa"]
    gate = PolicyGate(baseline(), dual)
    decision = decide(f.facts(), gate.ref, gate.evaluate, engines=gate.engines)
    assert decision.allow
    assert [e["name"] for e in decision.engines] == ["regorus", "opa"]
    assert all(len(e["sha256"]) == 64 for e in decision.engines)


def test_the_shipped_pack_bites_on_both_together(dual):
    assert not any(PolicyGate(baseline(), dual).bites().values())


# Real differences: decimals are decimal in OPA and binary in regorus; upper("ß") is one letter or two.
DIFFERENCES = [
    (
        "decimals",
        'x := {"allow": 0.1 + 0.2 <= 0.3}',
        "data.t.x.allow is false with regorus and true with opa",
    ),
    ("letters", 'x := {"a": [1, upper("ß")]}', "data.t.x.a[1] is "),
]


@pytest.mark.parametrize(("body", "words"), [d[1:] for d in DIFFERENCES], ids=[d[0] for d in DIFFERENCES])
def test_a_disagreement_is_a_no_with_both_outputs(dual, body, words):
    error = refusal(dual, body)
    assert (error.code, error.exit_code) == ("LF4020", 10)
    assert words in error.message
    assert error.details["reason"] == "engine_disagreement"
    first, second = error.details["engines"]
    assert (first["name"], second["name"]) == ("regorus", "opa")
    assert first["output"] != second["output"]
    assert first["sha256"] != second["sha256"]


ONE_SIDED = [
    ("only opa knows it", 'x := {"a": crypto.sha256("a")}', "regorus says LF4003"),
    ("only regorus overlooks it", 'x := {"a": f(1)}\nf(n) := f(n + 1)', "opa says LF4003"),
    ("only opa has a value", 'x := {"a": io.jwt.decode("a.b")}', "regorus says"),
]


@pytest.mark.parametrize(("body", "words"), [o[1:] for o in ONE_SIDED], ids=[o[0] for o in ONE_SIDED])
def test_an_answer_of_one_engine_is_a_no(dual, body, words):
    error = refusal(dual, body)
    assert error.code == "LF4020"
    assert words in error.message
    assert any("error" in told for told in error.details["engines"])
    assert ask(dual, 'x := {"a": 1}') == {"a": 1}


BOTH_SAY = [
    ("does not load", 'x := {"a": y}\ny := x.a', "LF4003", 4),
    ("undefined", 'x := {"a": 1} if input.q', "LF4010", 10),
    ("not an object", "x := [1]", "LF4011", 10),
    ("builtin error", 'x := {"a": to_number("a")}', "LF4015", 10),
]


@pytest.mark.parametrize(("body", "code", "status"), [b[1:] for b in BOTH_SAY], ids=[b[0] for b in BOTH_SAY])
def test_what_both_refuse_alike_keeps_its_code(dual, body, code, status):
    error = refusal(dual, body)
    assert (error.code, error.exit_code) == (code, status)


def test_rules_must_agree_too(dual):
    modules = {"policy/t.rego": "package t\na := 1\nb := 0.1 + 0.2 <= 0.3\n"}
    assert dual.rules(modules, {}, ["data.t.a"]) == {"data.t.a": "1"}
    with pytest.raises(PolicyDenied, match=r"data\.t\.b is false with regorus") as caught:
        dual.rules(modules, {}, ["data.t.a", "data.t.b"])
    assert caught.value.code == "LF4020"


class Says:
    """An engine that says what it is told to; real ones are never wrong in the way that a test needs."""

    def __init__(self, name, said, meet=None):
        self.identities = ({"name": name, "version": "1", "sha256": "0" * 64},)
        self.said = said
        self.meet = meet

    def evaluate_all(self, modules, data, entrypoint, documents):
        if self.meet is not None:
            self.meet.wait(timeout=30)
        if isinstance(self.said, LockflightError):
            raise self.said
        return [self.said for _ in documents]


def pair(one, two, **options):
    return DualEngine(Says("one", one, **options), Says("two", two, **options))


def test_both_run_at_the_same_time():
    # Each waits for the other: one after the other would never end.
    assert ask(pair({"a": 1}, {"a": 1}, meet=threading.Barrier(2)), "") == {"a": 1}


def test_a_missing_engine_is_the_machines_fault_and_no_disagreement():
    missing = EnvironmentProblem("LF4001", "It is not installed.", hint="pip install it")
    for engine in (pair({"a": 1}, missing), pair(missing, {"a": 1})):
        error = refusal(engine, "")
        assert (error.code, error.exit_code, error.hint) == ("LF4001", 4, "pip install it")


def test_two_different_refusals_are_a_disagreement():
    error = refusal(pair(PolicyDenied("LF4010", "Undefined."), PolicyDenied("LF4012", "Slow.")), "")
    assert error.code == "LF4020"
    assert "one says LF4010" in error.message
    assert "two says LF4012" in error.message


def test_huge_outputs_are_cut_and_their_digests_tell_them_apart():
    error = refusal(pair({"a": "x" * 9000 + "1"}, {"a": "x" * 9000 + "2"}), "")
    one, two = error.details["engines"]
    assert len(one["output"]) == len(two["output"]) == KEPT
    assert one["sha256"] != two["sha256"]
    assert len(error.message) < 400


def ruling(**changes):
    rule = {
        "code": "LF4100",
        "rule": "r",
        "term": "",
        "passed": False,
        "severity": "high",
        "value": 1,
        "threshold": 0,
        "msg": "m",
        "evidence": ["a" * 64, "b" * 64],
        "basis": "value",
    }
    violation = {k: v for k, v in rule.items() if k not in {"passed", "basis"}}
    violation |= {"solution": "s", "controls": ["x", "w"]}
    return {
        "allow": False,
        "violations": [violation],
        "warnings": [],
        "waived": [],
        "rules": [rule, {**rule, "term": "t"}],
        "evaluated_rules": ["LF4100", "LF4101"],
        "skipped": [],
        **changes,
    }


def test_the_order_of_sets_is_no_disagreement():
    turned = ruling()
    turned["rules"].reverse()
    turned["evaluated_rules"].reverse()
    turned["rules"][0]["evidence"].reverse()
    assert ask(pair(ruling(), turned), "") == ruling()


CHANGED = [
    ("allow", lambda r: r | {"allow": True}),
    ("a number for a text", lambda r: r | {"rules": [{**r["rules"][0], "value": "1"}, r["rules"][1]]}),
    ("a decimal for an integer", lambda r: r | {"rules": [{**r["rules"][0], "value": 1.0}, r["rules"][1]]}),
    ("true for one", lambda r: r | {"rules": [{**r["rules"][0], "value": True}, r["rules"][1]]}),
    ("a rule less", lambda r: r | {"rules": r["rules"][:1]}),
    (
        "controls in another order",
        lambda r: r | {"violations": [{**r["violations"][0], "controls": ["w", "x"]}]},
    ),
    ("another evidence", lambda r: r | {"rules": [{**r["rules"][0], "evidence": ["a" * 64]}, r["rules"][1]]}),
    ("an unknown field", lambda r: r | {"note": "x"}),
]


@pytest.mark.parametrize("change", [c[1] for c in CHANGED], ids=[c[0] for c in CHANGED])
def test_anything_else_is(change):
    assert refusal(pair(ruling(), change(ruling())), "").code == "LF4020"


values = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 2) | st.sampled_from([0.0, 1.0, 1.5]) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner, max_size=3),
    max_leaves=8,
)


@given(values, values)
def test_values_are_the_same_or_the_difference_is_named(one, two):
    assert same(one, one)
    if same(one, two):
        assert one == two
    else:
        assert {"one", "two"} & set(difference(one, two, ("one", "two")).split())
        assert same(two, one) is False


@given(st.dictionaries(st.text(max_size=3), st.integers() | st.text(max_size=3), max_size=3))
def test_what_is_no_ruling_is_compared_as_it_is(output):
    assert canonical(output) == output


def test_a_canonical_ruling_has_one_form():
    turned = ruling()
    turned["rules"].reverse()
    assert dumps(canonical(turned)) == dumps(canonical(ruling()))
