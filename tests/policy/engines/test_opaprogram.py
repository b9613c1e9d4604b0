"""The `opa` program, by a stand-in: no program can be had where these tests run.

The stand-in checks the arguments and prints what `opa eval --format json` prints: a result with bindings, no result at
all for what is undefined, or `errors` with code and location and the status 2. Its values come from the real library.
"""

from __future__ import annotations

import json
import sys

import pytest

from lockflight.core.ports import PolicyEngine
from lockflight.errors import EnvironmentProblem, PolicyDenied
from lockflight.infra.proc import Limits
from lockflight.policy import canary
from lockflight.policy.engines.opaprogram import OpaProgram, find_program, write_policy
from lockflight.policy.engines.opatext import query

STAND_IN = """#!{python}
import json, pathlib, sys, time
if sys.argv[1:] == ["version"]:
    print("Version: 1.20.2\\nBuild Commit: abc\\nRego Version: v1")
    sys.exit(0)
command, *options, asked = sys.argv[1:]
folder = pathlib.Path(options[-1])
assert command == "eval"
given = ["--stdin-input"] if "--stdin-input" in options else []
assert options[:-1] == ["--format", "json", "--strict-builtin-errors", *given, "--bundle"]
assert json.loads((folder / ".manifest").read_text()) == {{"rego_version": 1, "roots": [""]}}
json.loads((folder / "data.json").read_text())
document = json.load(sys.stdin) if given else None
rego = {{str(p.relative_to(folder)): p.read_text() for p in folder.rglob("*.rego")}}
assert rego
answers = json.loads({answers!r})
found = answers.get(asked, answers["*"])
if found == "endless":
    time.sleep(60)
if "errors" in found:
    text = json.dumps(found, indent=2).replace("FOLDER", str(folder))
    print(text)
    sys.exit(2)
if "garbage" in found:
    print("panic: not json")
    sys.exit(found["garbage"])
print(json.dumps(found, indent=2))
"""

RULE = query(["data.t.x"])


def result(values):
    return {
        "result": [
            {
                "expressions": [{"value": True, "text": "x = ...", "location": {"row": 1, "col": 1}}],
                "bindings": {"x": values},
            }
        ]
    }


def failed(code, message, **location):
    place = (
        {"location": {"file": "FOLDER/policy/t.rego", "row": 2, "col": 1}}
        if location.get("placed", True)
        else {}
    )
    return {"errors": [{"message": message, "code": code, **place}]}


ERRORS = {
    query([f"data.{canary.PACKAGE}.error{i}.v"]): failed("eval_builtin_error", "strconv: invalid")
    for i in range(len(canary.ERRORS))
}
GOOD = {query(canary.RULES): result([[value] for _, value in canary.VALUES]), **ERRORS}


@pytest.fixture
def program(tmp_path):
    def make(answers, limits=None):
        path = tmp_path / "opa"
        path.write_text(STAND_IN.format(python=sys.executable, answers=json.dumps({"*": {}} | answers)))
        path.chmod(0o755)
        return OpaProgram(path, limits) if limits else OpaProgram(path)

    return make


def ask(engine):
    return engine.evaluate({"policy/t.rego": "package t\n"}, {"d": 1}, "data.t.x", b'{"a": 1}')


def test_a_value_comes_back(program):
    engine: PolicyEngine = program(GOOD | {RULE: result([[{"a": [1, "ü"]}]])})
    assert ask(engine) == {"a": [1, "ü"]}
    assert engine.rules({"policy/t.rego": "package t\n"}, {}, ["data.t.x"]) == {"data.t.x": '{"a": [1, "ü"]}'}
    (identity,) = engine.identities
    assert (identity["name"], identity["version"], len(identity["sha256"])) == ("opa", "1.20.2", 64)
    engine.close()


DENIALS = [
    ("undefined", result([[]]), "LF4010", "data.t.x is undefined"),
    ("no result", {}, "LF4019", "status 0 and no answer that reads"),
    ("not an object", result([["yes"]]), "LF4011", "is not an object"),
    (
        "builtin error",
        failed("eval_builtin_error", "div: divide by zero"),
        "LF4015",
        "policy/t.rego:2: eval_builtin",
    ),
    ("conflict", failed("eval_conflict_error", "complete rules"), "LF4015", "policy/t.rego:2: eval_conflict"),
    ("panic", {"garbage": 1}, "LF4019", "status 1"),
    ("no JSON", {"garbage": 0}, "LF4019", "status 0"),
    ("two results", {"result": result([[1]])["result"] * 2}, "LF4019", "no answer"),
    ("errors that do not read", {"errors": []}, "LF4019", "status 2"),
]


@pytest.mark.parametrize(("answer", "code", "words"), [d[1:] for d in DENIALS], ids=[d[0] for d in DENIALS])
def test_anything_else_is_a_no(program, answer, code, words):
    with pytest.raises(PolicyDenied) as caught:
        ask(program(GOOD | {RULE: answer}))
    assert caught.value.code == code
    assert words in caught.value.message


def test_a_policy_that_does_not_load(program):
    engine = program(GOOD | {RULE: failed("rego_type_error", "undefined function f")})
    with pytest.raises(EnvironmentProblem, match=r"policy/t\.rego:2: rego_type_error: undefined function f"):
        ask(engine)


def test_an_endless_one_is_stopped(program):
    with pytest.raises(PolicyDenied) as caught:
        ask(program(GOOD | {RULE: "endless"}, Limits(wall_s=2.0)))
    assert caught.value.code == "LF4012"


def test_a_program_that_fails_the_canary_is_refused(program):
    for answers in (
        {**GOOD, query(canary.RULES): result([[0] for _ in canary.VALUES])},
        {**GOOD, query(canary.RULES): result([[] for _ in canary.VALUES])},
        {**GOOD, **dict.fromkeys(ERRORS, result([[7]]))},
        {},
    ):
        with pytest.raises(EnvironmentProblem) as caught:
            ask(program(answers | {RULE: result([[{"a": 1}]])}))
        assert caught.value.code == "LF4002"


def test_another_program_of_that_name(tmp_path):
    path = tmp_path / "opa"
    path.write_text("#!/bin/sh\necho something else\n")
    path.chmod(0o755)
    with pytest.raises(EnvironmentProblem) as caught:
        ask(OpaProgram(path))
    assert caught.value.code == "LF4001"


def test_only_absolute_folders_of_the_path_are_searched(tmp_path, monkeypatch):
    (tmp_path / "opa").write_text("#!/bin/sh\n")
    (tmp_path / "opa").chmod(0o755)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", ".:")
    assert find_program() is None
    monkeypatch.setenv("PATH", f".:{tmp_path}")
    assert find_program() == tmp_path / "opa"


@pytest.mark.parametrize("path", ["../x.rego", "/etc/x.rego", "policy/../../x.rego", "policy/x.json"])
def test_a_module_stays_in_its_folder(tmp_path, path):
    with pytest.raises(EnvironmentProblem) as caught:
        write_policy(tmp_path / "bundle", {path: "package t\n"}, {})
    assert caught.value.code == "LF4003"
