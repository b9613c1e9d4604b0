"""The engine against policies that are wrong or hostile: always a no, or exit 4 with the place; never a yes."""

from __future__ import annotations

import json
import sys
from importlib import metadata

import pytest

from lockflight.core.ports import PolicyEngine
from lockflight.errors import EnvironmentProblem, PolicyDenied
from lockflight.infra.proc import MIB, FailureKind, Limits, Outcome, RemoteError
from lockflight.policy.engines import _regorus
from lockflight.policy.engines import regorus as engine_module
from lockflight.policy.engines.library import raise_failure, raise_outcome
from lockflight.policy.engines.regorus import LIBRARY, RegorusEngine

FACTS = b'{"z": "a", "n": [3, 1, 2]}'


def ask(engine, body, *, entrypoint="data.t.x", document=FACTS, data=None):
    return engine.evaluate({"policy/t.rego": f"package t\n{body}\n"}, data or {}, entrypoint, document)


def test_an_object_comes_back(engine):
    out = ask(engine, 'x := {"s": sort(input.n), "u": {"ü"}, "d": data.d}', data={"d": {"k": [1]}})
    assert out == {"s": [1, 2, 3], "u": ["ü"], "d": {"k": [1]}}


def test_it_is_a_policy_engine(engine):
    same: PolicyEngine = engine
    assert same.identity["name"] == "regorus"
    assert same.identity["version"] == metadata.version("gordon-to-regorus")
    assert len(same.identity["sha256"]) == 64


def test_the_library_is_never_loaded_here(engine):
    ask(engine, 'x := {"a": 1}')
    assert "regorus" not in sys.modules


def test_one_document_leaves_nothing_for_the_next(engine):
    modules = {
        "policy/t.rego": 'package t\nx := {"a": object.get(input, "a", "none"), "all": y}\ny contains input.a\n'
    }
    outs = engine.evaluate_all(modules, {}, "data.t.x", [b'{"a": 1}', b"{}", b'{"a": 2}'])
    assert outs == [{"a": 1, "all": [1]}, {"a": "none", "all": []}, {"a": 2, "all": [2]}]
    assert ask(engine, 'x := {"a": object.get(input, "a", "none")}') == {"a": "none"}


POLICY_FAULTS = [
    ("syntax error", "x := 1 +", "policy/t.rego:3: expecting expression"),
    ("not Rego", "<html>", "policy/t.rego:2: "),
    ("v0 syntax", "x = 1 { true }", "policy/t.rego:2: `if` keyword"),
    ("recursion", 'x := {"a": y}\ny := x.a', "policy/t.rego:2: recursion"),
    ("unknown function", 'x := {"a": f(1)}', "policy/t.rego:2: could not find function f"),
    ("conflict", 'x := {"a": 1}\nx := {"a": 2}', "policy/t.rego:3: rule conflicts"),
]


@pytest.mark.parametrize(("body", "words"), [p[1:] for p in POLICY_FAULTS], ids=[p[0] for p in POLICY_FAULTS])
def test_a_policy_that_does_not_load_is_exit_4_with_its_place(engine, body, words):
    with pytest.raises(EnvironmentProblem) as caught:
        ask(engine, body)
    assert caught.value.code == "LF4003"
    assert words in caught.value.message
    assert "backtrace" not in caught.value.message.lower()


DENIALS = [
    ("undefined", 'x := {"a": 1} if input.q', "LF4010", "data.t.x"),
    ("undefined through a typo", 'x := {"deny": input.sbom.vulnerabilties}', "LF4010", "data.t.x"),
    ("rule that is not there", "y := 1", "LF4010", "data.t.x"),
    ("a text", 'x := "yes"', "LF4011", "data.t.x"),
    ("a text that spells undefined", 'x := "<undefined>"', "LF4010", "data.t.x"),
    ("true", "x := true", "LF4011", "data.t.x"),
    ("a list", "x := [1]", "LF4011", "data.t.x"),
    ("builtin error", 'x := {"a": to_number(input.z)}', "LF4015", "policy/t.rego:2: could not parse"),
    ("division by zero", 'x := {"a": 1 / 0}', "LF4015", "policy/t.rego:2: divide by zero"),
    ("endless recursion of a function", 'x := {"a": f(1)}\nf(n) := f(n + 1)', "LF4019", "data.t.x"),
    ("huge range", 'x := {"a": numbers.range(1, 900000000)}', "LF4013", "memory budget"),
    (
        "the network",
        'x := {"a": http.send({"method": "get", "url": "http://127.0.0.1:1"})}',
        "LF4010",
        "data.t.x",
    ),
]


@pytest.mark.parametrize(("body", "code", "words"), [d[1:] for d in DENIALS], ids=[d[0] for d in DENIALS])
def test_a_policy_without_an_answer_is_a_no(engine, body, code, words):
    with pytest.raises(PolicyDenied) as caught:
        ask(engine, body)
    assert caught.value.code == code
    assert caught.value.exit_code == 10
    assert words in caught.value.message
    assert ask(engine, 'x := {"a": 1}') == {"a": 1}


NESTED = (
    'x := {"a": count([1 | some i in numbers.range(1, 3000); some j in numbers.range(1, 30000); i == j])}'
)


@pytest.mark.parametrize(
    ("limits", "code", "words"),
    [
        (Limits(cpu_s=1, memory_bytes=1024 * MIB), "LF4012", "over its CPU budget of 1 s"),
        (Limits(wall_s=1.5, memory_bytes=1024 * MIB), "LF4012", "over its time budget of 1.5 s"),
    ],
)
def test_nested_ranges_are_stopped(limits, code, words):
    engine = RegorusEngine(limits)
    with pytest.raises(PolicyDenied) as caught:
        ask(engine, NESTED)
    engine.close()
    assert caught.value.code == code
    assert words in caught.value.message
    assert "data.t.x" in caught.value.message


def test_an_answer_over_its_budget_is_a_no():
    engine = RegorusEngine(Limits(output_bytes=1000, memory_bytes=1024 * MIB))
    with pytest.raises(PolicyDenied) as caught:
        ask(engine, 'x := {"a": [i | some i in numbers.range(1, 1000)]}')
    engine.close()
    assert caught.value.code == "LF4019"


def test_print_is_no_way_out(engine):
    assert ask(engine, 'x := {"a": 1} if print("{\\"values\\": [[\\"{}\\"]]}")') == {"a": 1}


def test_the_environment_of_the_caller_is_out_of_reach(engine, monkeypatch):
    monkeypatch.setenv("SIGNING_KEY", "hunter2")
    engine.close()
    out = ask(engine, 'x := {"a": opa.runtime()}')
    engine.close()
    assert "hunter2" not in json.dumps(out)


def test_not_installed(monkeypatch):
    monkeypatch.setattr(engine_module, "installed_version", lambda name: None)
    with pytest.raises(EnvironmentProblem) as caught:
        ask(RegorusEngine(), "x := {}")
    assert caught.value.code == "LF4001"
    assert caught.value.hint == "python3 -m pip install gordon-to-regorus"


def test_a_rival_that_overwrites_the_module_is_refused(monkeypatch):
    monkeypatch.setattr(engine_module, "installed_version", lambda name: "1")
    with pytest.raises(EnvironmentProblem) as caught:
        RegorusEngine().identity["version"]
    assert caught.value.code == "LF4002"
    assert "celine-regorus" in caught.value.hint


def test_a_damaged_installation_is_refused(monkeypatch):
    monkeypatch.setattr(engine_module.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(EnvironmentProblem) as caught:
        RegorusEngine().identity["version"]
    assert caught.value.code == "LF4001"


def test_an_engine_that_fails_the_canary_is_refused():
    with pytest.raises(EnvironmentProblem) as caught:
        raise_failure("refused", "min([3, 1, 2]) is None instead of 1", LIBRARY)
    assert caught.value.code == "LF4002"
    assert caught.value.exit_code == 4


@pytest.mark.parametrize(
    ("outcome", "code"),
    [
        (Outcome(kind=FailureKind.KILLED, detail="killed by SIGKILL"), "LF4019"),
        (
            Outcome(kind=FailureKind.CRASHED, detail="ImportError", error=RemoteError("ImportError")),
            "LF4001",
        ),
    ],
)
def test_a_child_that_dies_is_never_a_yes(outcome, code):
    with pytest.raises((EnvironmentProblem, PolicyDenied)) as caught:
        raise_outcome(outcome, "data.t.x", LIBRARY)
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("\n--> p/a.rego:3:17\n  |\nerror: bad thing.\n\nStack backtrace:\n 0: x", "p/a.rego:3: bad thing"),
        ("not a valid rule path\n\nStack backtrace:\n", "not a valid rule path"),
        ("", "unknown error"),
    ],
)
def test_messages_of_the_library_become_plain(text, plain):
    assert _regorus.plain(RuntimeError(text)) == plain
