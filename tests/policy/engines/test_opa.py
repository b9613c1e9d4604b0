"""OPA against policies that are wrong or hostile: always a no, or exit 4 with the place; never a yes."""

from __future__ import annotations

import json
import sys
from importlib import metadata

import pytest

from lockflight.core.ports import PolicyEngine
from lockflight.errors import EnvironmentProblem, PolicyDenied
from lockflight.infra.proc import MIB, Limits
from lockflight.policy import canary
from lockflight.policy.bundle import baseline
from lockflight.policy.engines import _opa
from lockflight.policy.engines import opa as opa_module
from lockflight.policy.engines.opa import OpaEngine
from lockflight.policy.engines.opatext import plain
from lockflight.policy.gate import PolicyGate

FACTS = b'{"z": "a", "n": [3, 1, 2]}'


def ask(engine, body, *, entrypoint="data.t.x", document=FACTS, data=None):
    return engine.evaluate({"policy/t.rego": f"package t\n{body}\n"}, data or {}, entrypoint, document)


def test_an_object_comes_back(opa):
    out = ask(opa, 'x := {"s": sort(input.n), "u": {"ü"}, "d": data.d}', data={"d": {"k": [1]}})
    assert out == {"s": [1, 2, 3], "u": ["ü"], "d": {"k": [1]}}


def test_it_says_which_opa_it_is(opa):
    same: PolicyEngine = opa
    (identity,) = same.identities
    assert identity["name"] == "opa"
    assert identity["version"].count(".") == 2
    assert identity["library"] == f"opa-golib-python-bindings {metadata.version('opa-golib-python-bindings')}"
    assert len(identity["sha256"]) == 64


def test_the_library_is_never_loaded_here(opa):
    ask(opa, 'x := {"a": 1}')
    assert "opa_bindings" not in sys.modules


def test_it_passes_the_canary(opa):
    values = opa.rules(canary.modules(), {}, canary.RULES)
    assert [json.loads(value) for value in values.values()] == [value for _, value in canary.VALUES]


def test_every_rule_of_the_shipped_pack_bites(opa):
    assert not any(PolicyGate(baseline(), opa).bites().values())


def test_one_document_leaves_nothing_for_the_next(opa):
    modules = {
        "policy/t.rego": 'package t\nx := {"a": object.get(input, "a", "none"), "all": y}\ny contains input.a\n'
    }
    outs = opa.evaluate_all(modules, {}, "data.t.x", [b'{"a": 1}', b"{}", b'{"a": 2}'])
    assert outs == [{"a": 1, "all": [1]}, {"a": "none", "all": []}, {"a": 2, "all": [2]}]


def test_several_rules_at_once(opa):
    modules = {"policy/t.rego": "package t\na := false\nb := null\nc if input.z\n"}
    assert opa.rules(modules, {}, ["data.t.a", "data.t.b"]) == {"data.t.a": "false", "data.t.b": "null"}
    with pytest.raises(PolicyDenied, match=r"the rule data\.t\.c is undefined"):
        opa.rules(modules, {}, ["data.t.a", "data.t.c", "data.t.b"])


POLICY_FAULTS = [
    ("syntax error", "x := 1 +", "policy/t.rego:3: rego_parse_error"),
    ("not Rego", "<html>", "policy/t.rego:2: "),
    ("v0 syntax", "x = 1 { true }", "policy/t.rego:2: rego_parse_error: `if` keyword"),
    ("recursion", 'x := {"a": y}\ny := x.a', "policy/t.rego:2: rego_recursion_error"),
    ("unknown function", 'x := {"a": f(1)}', "policy/t.rego:2: rego_type_error: undefined function f"),
    ("a function that calls itself", 'x := {"a": f(1)}\nf(n) := f(n + 1)', "rego_recursion_error"),
]


@pytest.mark.parametrize(("body", "words"), [p[1:] for p in POLICY_FAULTS], ids=[p[0] for p in POLICY_FAULTS])
def test_a_policy_that_does_not_load_is_exit_4_with_its_place(opa, body, words):
    with pytest.raises(EnvironmentProblem) as caught:
        ask(opa, body)
    assert caught.value.code == "LF4003"
    assert words in caught.value.message
    assert ask(opa, 'x := {"a": 1}') == {"a": 1}


DENIALS = [
    ("undefined", 'x := {"a": 1} if input.q', "LF4010", "data.t.x"),
    ("undefined through a typo", 'x := {"deny": input.sbom.vulnerabilties}', "LF4010", "data.t.x"),
    ("rule that is not there", "y := 1", "LF4010", "data.t.x"),
    ("a text", 'x := "yes"', "LF4011", "data.t.x"),
    ("true", "x := true", "LF4011", "data.t.x"),
    ("false", "x := false", "LF4011", "data.t.x"),
    ("a list", "x := [1]", "LF4011", "data.t.x"),
    ("builtin error", 'x := {"a": to_number(input.z)}', "LF4015", "policy/t.rego:2: eval_builtin_error"),
    ("division by zero", 'x := {"a": 1 / 0}', "LF4015", "divide by zero"),
    ("conflict", 'x := {"a": 1}\nx := {"a": 2}', "LF4015", "policy/t.rego:3: eval_conflict_error"),
]


@pytest.mark.parametrize(("body", "code", "words"), [d[1:] for d in DENIALS], ids=[d[0] for d in DENIALS])
def test_a_policy_without_an_answer_is_a_no(opa, body, code, words):
    with pytest.raises(PolicyDenied) as caught:
        ask(opa, body)
    assert (caught.value.code, caught.value.exit_code) == (code, 10)
    assert words in caught.value.message
    assert ask(opa, 'x := {"a": 1}') == {"a": 1}


NESTED = (
    'x := {"a": count([1 | some i in numbers.range(1, 3000); some j in numbers.range(1, 30000); i == j])}'
)


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        (Limits(cpu_s=1, memory_bytes=3072 * MIB), "over its CPU budget of 1 s"),
        (Limits(wall_s=1.5, memory_bytes=3072 * MIB), "over its time budget of 1.5 s"),
    ],
)
def test_nested_ranges_are_stopped(opa, limits, words):
    engine = OpaEngine(limits)
    with pytest.raises(PolicyDenied) as caught:
        ask(engine, NESTED)
    engine.close()
    assert caught.value.code == "LF4012"
    assert words in caught.value.message


def test_too_much_memory_is_a_no(opa):
    engine = OpaEngine(Limits(memory_bytes=1900 * MIB))
    with pytest.raises(PolicyDenied) as caught:
        ask(engine, 'x := {"a": count(numbers.range(1, 900000000))}')
    engine.close()
    # Go aborts the process without a word that would survive the length of its own trace.
    assert caught.value.code == "LF4019"


def test_print_is_no_way_out(opa):
    assert ask(opa, 'x := {"a": 1} if print("{\\"sizes\\": [[2]]}")') == {"a": 1}


def test_the_network_is_out_of_reach(opa):
    with pytest.raises((EnvironmentProblem, PolicyDenied)) as caught:
        ask(opa, 'x := {"a": http.send({"method": "get", "url": "http://127.0.0.1:1"})}')
    assert "network" in caught.value.message


def test_where_a_child_keeps_the_network_policies_that_want_it_do_not_load(tmp_path, monkeypatch):
    table = tmp_path / "dev"
    table.write_text("Inter-|   Receive\n face |bytes\n    lo: 0 0\n")
    assert _opa.isolated(table)
    table.write_text("Inter-|   Receive\n face |bytes\n    lo: 0 0\n  eth0: 9 9\n")
    assert not _opa.isolated(table)
    assert not _opa.isolated(tmp_path / "absent")


def test_the_environment_of_the_caller_is_out_of_reach(opa, monkeypatch):
    monkeypatch.setenv("SIGNING_KEY", "hunter2")
    opa.close()
    out = ask(opa, 'x := {"a": opa.runtime()}')
    opa.close()
    assert "hunter2" not in json.dumps(out)


def test_not_installed(monkeypatch):
    monkeypatch.setattr(opa_module, "installed_version", lambda name: None)
    assert not opa_module.installed()
    with pytest.raises(EnvironmentProblem) as caught:
        ask(OpaEngine(), "x := {}")
    assert caught.value.code == "LF4001"
    assert "opa-golib-python-bindings==0.4.4" in caught.value.hint


@pytest.mark.parametrize("content", [None, b"", b"not a library of Go"])
def test_a_damaged_installation_is_refused(monkeypatch, tmp_path, content):
    if content is not None:
        (tmp_path / "libopabridge.so").write_bytes(content)

    class Spec:
        submodule_search_locations = (str(tmp_path),)

    monkeypatch.setattr(opa_module, "installed_version", lambda name: "0.4.4")
    monkeypatch.setattr(opa_module.importlib.util, "find_spec", lambda name: Spec)
    with pytest.raises(EnvironmentProblem, match="is damaged") as caught:
        OpaEngine().identity["version"]
    assert caught.value.code == "LF4001"


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (
            "bundle activation failed: 2 errors occurred:\np/b.rego:3: rego_x: two\np/a.rego:2: rego_x: one.",
            "p/a.rego:2: rego_x: one",
        ),
        ("something else\nand more", "something else"),
        ("", "unknown error"),
    ],
)
def test_messages_of_opa_become_plain(text, wanted):
    assert plain(text) == wanted
