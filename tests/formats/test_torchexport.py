from __future__ import annotations

import json

import pytest

from lockflight.core.findings import Verdict
from lockflight.formats.torch import export as torchexport
from lockflight.formats.torch.export import Payload, check_program, read_payloads
from lockflight.formats.torch.script import TorchTables
from lockflight.infra.allowlist import shipped_allow_list
from tests.corpus.programs import members
from tests.formats.files import mutants, source

TABLES = TorchTables(shipped_allow_list().tables["torchscript"])
NET = members("net.pt2")
SIZES = members("sizes.pt2")["sizes/models/model.json"]


def check(data):
    return check_program(source(data if isinstance(data, bytes) else json.dumps(data).encode()), TABLES)


def program(**more):
    return {"graph_module": {}, "schema_version": {}, **more}


def test_what_torch_writes_is_judged_to_the_end():
    assert check(NET["net/models/model.json"]) == ()
    assert check(SIZES) == ()


@pytest.mark.parametrize(
    "text",
    [
        "Symbol('s77', positive=True, integer=True)",
        "Add(Mul(Integer(2), Symbol('s77', positive=True, integer=True)), Integer(-1))",
        "FloorDiv(Symbol('s0', integer=True), Integer(2))",
        "Max(1, s0//2) + Mod(u3, 4)",
        "Float('0.5', precision=53)",
        "s0**2 <= 9",
    ],
)
def test_shapes_that_torch_writes(text):
    assert check(program(expr_str=text)) == ()


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os')",
        "Symbol('s0').name",
        "'s0'",
        "Add('s0')",
        "Symbol('s0' 'x')",
        "Symbol('s0', exec)",
        "exec",
        "lambda: 1",
        "[1]",
        "s0 if s1 else s2",
        "{1}",
        "s0; s1",
        "f's'",
        "x" * 70_000,
        7,
        None,
    ],
)
def test_expressions_that_torch_does_not_write(text):
    (issue,) = check(program(expr_str=text))
    assert (issue.rule, issue.verdict) == ("torch:expression", Verdict.MALICIOUS)


@pytest.mark.parametrize(
    ("guards", "good"),
    [
        ([], True),
        (["(L['x'].size()[0] % 2) == 0", "L['d']['a'].size()[0] != 1"], True),
        (["L['args'][0].size()[1] == 3 and not L['x'].shape[0] == 2"], True),
        (["L['x'].stride()[0] >= Max(1, L['x'].size()[0])"], True),
        (["L['x'].storage_offset() == 0"], True),
        (["L['x'].tofile('a')"], False),
        (["exec(1)"], False),
        (["1)\n  import os\n  (1"], False),
        (["L['x'].size()[0].__class__ == 1"], False),
        ([7], False),
        ("text", False),
    ],
)
def test_guards(guards, good):
    found = check(program(guards_code=guards))
    assert (found == ()) is good


def test_operators_that_are_looked_up():
    for target in ("torch.hub.load", "torch.ops.load_library", "_operator.attrgetter", "math.pi.real", "#x"):
        (issue,) = check(program(nodes=[{"target": target}]))
        assert (issue.rule, issue.verdict) == ("torch:lookup", Verdict.MALICIOUS)
    (issue,) = check(program(nodes=[{"target": "anything"}]))
    assert issue.verdict is Verdict.UNKNOWN
    (issue,) = check(program(nodes=[{"target": ["a"]}]))
    assert issue.rule == "torch:program"
    for target in (
        "torch.ops.aten.relu.default",
        "torch.ops.higher_order.cond",
        "_operator.add",
        "torch.sym_max",
    ):
        assert check(program(nodes=[{"target": target}])) == ()


def test_names_that_are_also_fields():
    """A loss has an input that is called `target`."""
    meta = {"sizes": [{"as_expr": {"expr_str": "s0"}}]}
    for field in ("tensor_values", "sym_int_values", "as_string_to_argument"):
        assert check(program(**{field: {"target": meta, "expr_str": meta, "guards_code": meta}})) == ()
        evil = {"x": {"sizes": [{"as_expr": {"expr_str": "exec"}}]}}
        assert [i.rule for i in check(program(**{field: evil}))] == ["torch:expression"]


def test_classes_of_libraries():
    assert [i.rule for i in check(program(class_fqn="__torch__.torch.classes.mine.A"))] == ["torch:class"]


def tree(**node):
    return program(
        in_spec=json.dumps([1, {"type": "builtins.dict", "context": "[]", "children_spec": [], **node}])
    )


@pytest.mark.parametrize(
    ("node", "rule"),
    [
        ({}, None),
        ({"context": '["a", 1, null]'}, None),
        ({"type": None, "context": None}, None),
        ({"type": "collections.deque", "context": "3"}, None),
        ({"type": "collections.namedtuple", "context": "mine.Point"}, None),
        ({"context": '[{"__enum__": true}]'}, "torch:tree"),
        ({"context": [{"__enum__": True}]}, "torch:tree"),
        ({"context": "no json"}, "torch:tree"),
        ({"type": "mine.A"}, "torch:tree"),
        ({"children_spec": [{"type": "mine.A", "context": None, "children_spec": []}]}, "torch:tree"),
        (
            {
                "type": "collections.defaultdict",
                "context": {
                    "default_factory_module": "builtins",
                    "default_factory_name": "list",
                    "dict_context": ["a"],
                },
            },
            None,
        ),
        (
            {
                "type": "collections.defaultdict",
                "context": {
                    "default_factory_module": "builtins",
                    "default_factory_name": "exec",
                    "dict_context": [],
                },
            },
            "torch:tree",
        ),
    ],
)
def test_structures_of_arguments(node, rule):
    assert [i.rule for i in check(tree(**node))] == ([rule] if rule else [])


def test_structures_that_are_none():
    assert check(program(in_spec="")) == ()
    assert [i.rule for i in check(program(out_spec="{"))] == ["torch:program"]


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b'{"a": 1, "a": 2}', b"\xff", b'{"graph_module": {}}'])
def test_what_is_no_program(data):
    (issue,) = check(data)
    assert (issue.rule, issue.verdict) == ("torch:program", Verdict.UNKNOWN)


def test_budgets(monkeypatch):
    monkeypatch.setattr(torchexport, "MAX_NODES", 3)
    assert "torch:budget" in {i.rule for i in check(SIZES)}
    monkeypatch.setattr(torchexport, "MAX_PROGRAM", 3)
    assert [i.rule for i in check(SIZES)] == ["torch:budget"]


def test_payloads():
    found, issues = read_payloads(source(NET["net/data/weights/model_weights_config.json"]))
    assert issues == ()
    assert len(found) == 11
    assert Payload("weight_0", pickled=False) in found


@pytest.mark.parametrize(
    "value",
    [
        [],
        {"config": []},
        {"config": {"a": 1}},
        {"config": {"a": {"path_name": 1, "use_pickle": False}}},
        {"config": {"a": {"path_name": "x", "use_pickle": "no"}}},
        {
            "config": {
                "a": {"path_name": "x", "use_pickle": False},
                "b": {"path_name": "x", "use_pickle": True},
            }
        },
    ],
)
def test_payloads_that_are_none(value):
    found, issues = read_payloads(source(json.dumps(value).encode()))
    assert found == ()
    assert [i.rule for i in issues] == ["torch:program"]


def test_the_fuzz_never_raises_and_never_lets_a_name_pass():
    words = [b"torch.hub.load", b"__import__", b".", b"exec", b'"', b"mine.", b"("]
    safe = 0
    for data in mutants([SIZES, NET["net/models/model.json"]], 1500, 5, words):
        if check(data):
            continue
        safe += 1
        found = json.loads(data)
        for node in found["graph_module"].get("graph", {}).get("nodes", []):
            if "target" in node:
                assert node["target"].startswith("torch.ops.") or node["target"] in TABLES.targets
    assert safe >= 20
