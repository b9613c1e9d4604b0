"""The child's side of an engine, with a library that answers as it is told."""

from __future__ import annotations

import json

import pytest

from lockflight.errors import PolicyDenied
from lockflight.policy import canary
from lockflight.policy.engines._serve import HELD, Failure, Server
from lockflight.policy.engines.library import _answer
from lockflight.policy.engines.regorus import RegorusEngine


class Told:
    """A policy whose rules have the values that its data tells; the canary's are right unless spoiled."""

    closed = 0

    def __init__(self, values):
        self._values = values

    def values(self, document, rules):
        found = []
        for rule in rules:
            if rule not in self._values:
                raise Failure("evaluation" if ".error" in rule else "undefined", f"{rule} has no value")
            found.append(self._values[rule] if document == "{}" else document)
        return found

    def close(self):
        type(self).closed += 1


RIGHT = {rule: json.dumps(value) for rule, (_, value) in zip(canary.RULES, canary.VALUES, strict=True)}


def server(spoiled=None):
    def load(modules, data):
        if modules == canary.modules():
            return Told({**RIGHT, **(spoiled or {})})
        if modules == {"bad": ""}:
            raise Failure("policy", "bad:1: no")
        return Told(json.loads(data))

    return Server(load)


def ask(server, policy="p", rules=("r",), documents=(b"{}",), **more):
    head = {"policy": policy, "rules": list(rules), "sizes": [len(d) for d in documents], **more}
    line, _, body = server.answer(b"\n".join([json.dumps(head).encode(), b"".join(documents)])).partition(
        b"\n"
    )
    return json.loads(line), body


def test_a_policy_is_told_once_and_documents_go_in_as_they_are():
    s = server()
    assert ask(s)[0]["failure"]["kind"] == "unknown"
    given = {"modules": {"a": ""}, "data": {"r": "1", "q": '"ü"'}}
    assert ask(s, **given) == ({"sizes": [[1]]}, b"1")
    assert ask(s, rules=("q", "r")) == ({"sizes": [[4, 1]]}, '"ü"1'.encode())
    assert ask(s, documents=(b'{"a":1}', b"[2]")) == ({"sizes": [[7], [3]]}, b'{"a":1}[2]')


def test_failures_are_told():
    s = server()
    assert ask(s, modules={"bad": ""}, data={})[0]["failure"] == {"kind": "policy", "message": "bad:1: no"}
    assert ask(s, modules={"a": ""}, data={}, rules=("x" * 5000,))[0]["failure"]["kind"] == "undefined"
    assert len(ask(s, modules={"a": ""}, data={}, rules=("x" * 5000,))[0]["failure"]["message"]) == 2000


def test_only_some_policies_stay_loaded():
    s = server()
    before = Told.closed
    for i in range(HELD + 2):
        ask(s, policy=str(i), modules={"a": ""}, data={"r": str(i)})
    assert Told.closed == before + 2 + 1  # two policies and the canary
    assert ask(s, policy="0")[0]["failure"]["kind"] == "unknown"
    assert ask(s, policy=str(HELD + 1))[1] == str(HELD + 1).encode()


@pytest.mark.parametrize("index", [0, len(canary.VALUES) - 1])
@pytest.mark.parametrize("value", ['"<undefined>"', "null", "nonsense"])
def test_a_library_that_fails_the_canary_answers_nothing(index, value):
    s = server({canary.RULES[index]: value})
    for _ in range(2):
        told = ask(s, modules={"a": ""}, data={"r": "1"})[0]["failure"]
        assert told["kind"] == "refused"
        assert canary.VALUES[index][0] in told["message"]


def test_a_library_that_swallows_errors_answers_nothing():
    told = ask(server({f"data.{canary.PACKAGE}.error0.v": "1"}), modules={"a": ""}, data={})[0]["failure"]
    assert told["kind"] == "refused"


def test_a_library_that_does_not_load_the_canary_answers_nothing():
    def load(modules, data):
        raise Failure("policy", "no")

    told = ask(Server(load), modules={"a": ""}, data={})[0]["failure"]
    assert (told["kind"], told["message"]) == ("refused", "it does not load the canary: no")


GARBLED = [
    b"",
    b"[]\n",
    b"{}\n",
    b'{"sizes": [[1]]}\n',
    b'{"sizes": [[1]]}\n12',
    b'{"sizes": [[1, 1]]}\n12',
    b'{"sizes": [[-1]]}\n',
    b'{"sizes": [[1], [1]]}\n12',
    b'{"sizes": [["1"]]}\n1',
    b'{"failure": 1}\n',
    b"[" * 100_000,
]


@pytest.mark.parametrize("answer", GARBLED)
def test_an_answer_that_does_not_read_is_no_answer(answer):
    with pytest.raises((ValueError, KeyError, TypeError, RecursionError)):
        _answer(answer, documents=1, rules=1)


def test_a_child_that_talks_nonsense_is_a_no(monkeypatch, engine):
    def nonsense(*_):
        raise ValueError("nonsense")

    monkeypatch.setattr("lockflight.policy.engines.library._answer", nonsense)
    with pytest.raises(PolicyDenied) as caught:
        engine.evaluate({"policy/t.rego": "package t\nx := {}\n"}, {}, "data.t.x", b"{}")
    assert caught.value.code == "LF4019"


def test_an_engine_goes_on_after_its_child_is_gone():
    engine = RegorusEngine()
    modules = {"policy/t.rego": 'package t\nx := {"a": input.n}\n'}
    for number in range(3):
        document = json.dumps({"n": number}).encode()
        assert engine.evaluate(modules, {}, "data.t.x", document) == {"a": number}
        engine.close()
