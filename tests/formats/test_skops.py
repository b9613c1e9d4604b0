from __future__ import annotations

import json

import pytest

from lockflight.core.findings import Verdict
from lockflight.formats.skops import check_schema
from tests.formats.files import mutants, rules, source, verdict
from tests.formats.pickles import shipped


def node(loader="ObjectNode", module="sklearn.pipeline", name="Pipeline", **more):
    return {"__loader__": loader, "__module__": module, "__class__": name, "__id__": 1, **more}


def check(schema):
    data = schema if isinstance(schema, bytes) else json.dumps(schema).encode()
    return check_schema(source(data), shipped())


TEXT = node("JsonNode", "builtins", "str", content='"x"')
GOOD = node(
    content=node(
        "DictNode",
        "builtins",
        "dict",
        content={
            "steps": node("ListNode", "builtins", "list", content=[TEXT]),
            "f": node("FunctionNode", "numpy", "log1p"),
        },
        key_types=node("ListNode", "builtins", "list", content=[node("TypeNode", "builtins", "str")]),
    ),
    protocol=2,
)


@pytest.mark.parametrize(
    "bad",
    [
        node("FunctionNode", "builtins", "getattr"),
        node("ObjectNode", "scipy.stats._continuous_distns", "norm_gen"),
        node("FunctionNode", "numpy", "add", content={"module_path": "builtins", "function": "getattr"}),
    ],
)
def test_what_pickles_may_name_under_a_rule_is_not_listed_here(bad):
    assert verdict(check(bad)) is Verdict.MALICIOUS


def test_a_good_schema():
    assert check(GOOD) == ()
    assert check(node(content={"__loader__": "CachedNode", "__id__": 1})) == ()
    assert check(node("OperatorFuncNode", "operator", "itemgetter", attrs=TEXT)) == ()
    old = node("FunctionNode", "numpy", "log1p", content={"module_path": "numpy", "function": "log1p"})
    assert check(old) == ()


BAD = {
    "a class": node(module="os", name="system"),
    "a function": node("FunctionNode", "os", "system"),
    "a type inside": node(content=[{"a": node("TypeNode", "subprocess", "Popen")}]),
    "a function behind another name (CVE-2025-54413)": node(
        "FunctionNode", "numpy", "log1p", content={"module_path": "os", "function": "system"}
    ),
    "content without names": node("FunctionNode", "numpy", "log1p", content={}),
    "methodcaller": node("OperatorFuncNode", "operator", "methodcaller", attrs=TEXT),
    "attrgetter": node("OperatorFuncNode", "operator", "attrgetter", attrs=TEXT),
    "an operator that is none": node("OperatorFuncNode", "os", "itemgetter", attrs=TEXT),
    "a method of something else (CVE-2025-54412)": node(
        "MethodNode", content={"func": "fit", "obj": node(module="builtins", name="dict")}
    ),
    "a private method": node("MethodNode", content={"func": "__class__", "obj": node()}),
    "a distribution": node(module="scipy.stats._continuous_distns", name="norm_gen"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_node(name):
    assert verdict(check(BAD[name])) is Verdict.MALICIOUS
    assert "skops:global" in rules(check(BAD[name]))


def test_a_method_is_for_review():
    assert verdict(check(node("MethodNode", content={"func": "predict", "obj": node()}))) is Verdict.REVIEW


@pytest.mark.parametrize(
    "schema",
    [
        b"",
        b"[]",
        b"{}",
        b'{"a": 1, "a": 2}',
        node("StrangeNode"),
        {"__loader__": 1},
        {"__loader__": "ObjectNode"},
        node("FunctionNode", "numpy", "log1p", content=[]),
        b"[" * 100_000,
    ],
)
def test_what_is_not_understood_is_unknown(schema):
    assert verdict(check(schema)) is Verdict.UNKNOWN


def test_the_size_is_budgeted(monkeypatch):
    monkeypatch.setattr("lockflight.formats.skops.MAX_SCHEMA", 10)
    assert rules(check(GOOD)) == {"skops:budget"}


def test_damage_is_an_issue_and_never_more():
    seeds = [json.dumps(GOOD).encode(), *(json.dumps(bad).encode() for bad in BAD.values())]
    safe = sum(not check(data) for data in mutants(seeds, 2000, 6, (b'"__loader__"', b"{", b"}", b"null")))
    assert safe < 1500
