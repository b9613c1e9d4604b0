from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockflight.core.findings import Verdict
from lockflight.formats.graphs import wire
from lockflight.formats.graphs.onnx import External, external_problem, onnx_tables, parse_onnx
from tests.formats.files import mutants, rules, source, verdict
from tests.formats.pickles import shipped
from tests.formats.test_protobuf import field, varint


def number(n, value):
    return varint(n << 3) + varint(value)


def node(op, domain="", more=b""):
    return field(
        1, field(1, b"x") + field(2, b"y") + field(4, op.encode()) + field(7, domain.encode()) + more
    )


def tensor(dims=(2,), kind=1, raw=bytes(8), more=b""):
    body = b"".join(number(1, d) for d in dims) + number(2, kind) + field(8, b"w")
    return body + (field(9, raw) if raw is not None else b"") + more


def elsewhere(location="weights.bin", *, dims=(2,), raw=None, **more):
    pairs = {"location": location} | more
    body = b"".join(field(13, field(1, k.encode()) + field(2, v.encode())) for k, v in pairs.items())
    return tensor(dims, raw=raw, more=body + number(14, 1))


def function(name, calls=(), domain="own"):
    nodes = b"".join(node(op, where).replace(b"\x0a", b"\x3a", 1) for where, op in calls)
    return field(25, field(1, name.encode()) + nodes + field(10, domain.encode()))


def model(nodes=None, tensors=(), more=b"", *, version=8):
    nodes = node("Add") if nodes is None else nodes
    graph = nodes + field(2, b"g") + b"".join(field(5, t) for t in tensors)
    return (
        number(1, version)
        + field(2, b"test")
        + field(7, graph)
        + field(8, field(1, b"") + number(2, 20))
        + more
    )


def parse(data):
    return parse_onnx(source(data, "m.onnx"), onnx_tables(shipped().tables["onnx"]))


GOOD = {
    "an operator": model(),
    "a weight": model(tensors=[tensor()]),
    "a number": model(tensors=[tensor((), raw=bytes(4))]),
    "four bits": model(tensors=[tensor((3,), kind=22, raw=bytes(2))]),
    "words": model(tensors=[tensor((1,), kind=8, raw=None, more=field(6, b"word"))]),
    "numbers that are listed": model(
        tensors=[tensor((2,), raw=None, more=field(4, struct.pack("<2f", 1, 2)))]
    ),
    "trees": model(node("TreeEnsembleClassifier", "ai.onnx.ml")),
    "an operator of onnxruntime": model(node("FusedMatMul", "com.microsoft")),
    "the long name of the domain": model(node("Add", "ai.onnx")),
    "a function of its own": model(node("Twice", "own"), more=function("Twice", [("", "Add")])),
    "a graph in a node": model(node("If", more=field(5, field(1, b"then_branch") + field(6, node("Add"))))),
}


@pytest.mark.parametrize("name", GOOD)
def test_what_computes_is_safe(name):
    assert parse(GOOD[name]).issues == ()


BAD = {
    "Python": (model(node("PyOp", "pyop")), "onnx:python"),
    "Python in onnxruntime-training": (model(node("PythonOp", "com.microsoft")), "onnx:python"),
    "Python in a branch": (
        model(node("If", more=field(5, field(1, b"then_branch") + field(6, node("PyOp"))))),
        "onnx:python",
    ),
    "Python in a function": (model(node("F", "own"), more=function("F", [("x", "PyOp")])), "onnx:python"),
    "a path that climbs": (model(tensors=[elsewhere("../secret")]), "onnx:external-path"),
    "a path that climbs inside": (model(tensors=[elsewhere("a/../../secret")]), "onnx:external-path"),
    "an absolute path": (model(tensors=[elsewhere("/etc/passwd")]), "onnx:external-path"),
    "a path of Windows": (model(tensors=[elsewhere("a\\..\\b")]), "onnx:external-path"),
    "a drive": (model(tensors=[elsewhere("C:b")]), "onnx:external-path"),
    "an address in memory": (
        model(tensors=[elsewhere("*/_ORT_MEM_ADDR_/*", offset="140737488355328")]),
        "onnx:external-path",
    ),
    "a path in a constant": (
        model(node("Constant", more=field(5, field(1, b"value") + field(5, elsewhere("../x"))))),
        "onnx:external-path",
    ),
    "a path of a tensor that says it is inside": (
        model(tensors=[elsewhere("../x").removesuffix(number(14, 1))]),
        "onnx:external-path",
    ),
    "an attribute of the reader": (model(tensors=[elsewhere(__class__="x")]), "onnx:external-key"),
    "functions in a circle": (
        model(node("A", "own"), more=function("A", [("own", "B")]) + function("B", [("own", "A")])),
        "onnx:recursion",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_an_attack_is_named(name):
    data, rule = BAD[name]
    found = parse(data)
    assert verdict(found.issues) is Verdict.MALICIOUS
    assert rule in {i.rule for i in found.issues if i.verdict is Verdict.MALICIOUS}
    assert not found.external or rule == "onnx:external-key"


UNKNOWN = {
    "an operator that is none": (model(node("Frobnicate")), "onnx:operator"),
    "an operator of a library": (model(node("Add", "my.ops")), "onnx:operator"),
    "an operator of the extensions": (model(node("BertTokenizer", "ai.onnx.contrib")), "onnx:operator"),
    "ATen": (model(node("ATen", "org.pytorch.aten")), "onnx:operator"),
    "a compiled program": (model(node("EPContext", "com.microsoft")), "onnx:compiled"),
    "an operator that is replaced": (model(more=function("Relu", [("", "Add")], "")), "onnx:function"),
    "a name that is too long": (model(node("A" * 5000)), "onnx:budget"),
    "another version": (model(version=99), "onnx:version"),
    "a tensor that is too short": (model(tensors=[tensor(raw=bytes(7))]), "onnx:tensor"),
    "a tensor that is too large": (model(tensors=[tensor((1 << 40, 1 << 40))]), "onnx:tensor"),
    "a negative extent": (model(tensors=[tensor(((1 << 64) - 1,))]), "onnx:tensor"),
    "a type that is none": (model(tensors=[tensor(kind=99)]), "onnx:tensor"),
    "a tensor in two places": (model(tensors=[elsewhere(raw=bytes(8))]), "onnx:tensor"),
    "no location": (model(tensors=[tensor(raw=None, more=number(14, 1))]), "onnx:external-path"),
    "a location in two spellings": (model(tensors=[elsewhere("./a//b")]), "onnx:external-path"),
    "a place that does not fit": (model(tensors=[elsewhere(offset="0", length="9")]), "onnx:tensor"),
    "a place that is no number": (model(tensors=[elsewhere(offset="-1")]), "onnx:tensor"),
    "bytes behind the model": (model() + b"junk", "onnx:broken"),
    "a field that is unknown": (model(more=field(99, b"x")), "onnx:field"),
    "two graphs": (model(more=field(7, node("Add"))), "onnx:twice"),
    "no graph": (number(1, 8) + field(8, field(1, b"") + number(2, 20)), "onnx:broken"),
    "nothing": (b"", "onnx:broken"),
}


@pytest.mark.parametrize("name", UNKNOWN)
def test_what_is_not_understood_is_unknown(name):
    data, rule = UNKNOWN[name]
    found = parse(data).issues
    assert rule in rules(found)
    assert verdict(found) is Verdict.UNKNOWN


def test_two_locations_are_not_read_as_one():
    twice = field(13, field(1, b"location") + field(2, b"a")) + field(
        13, field(1, b"location") + field(2, b"b")
    )
    assert (
        verdict(parse(model(tensors=[tensor(raw=None, more=twice + number(14, 1))])).issues)
        is Verdict.UNKNOWN
    )


def test_a_tensor_in_the_folder_is_told(project_root):
    found = parse(model(tensors=[elsewhere("data/w.bin", dims=(4,), offset="64", length="16")]))
    assert found.external == (External("data/w.bin", 64, 16),)
    assert {i.verdict for i in found.issues} == {Verdict.SAFE}
    real = parse((project_root / "tests" / "vectors" / "models" / "elsewhere.onnx").read_bytes())
    assert real.external == (External("elsewhere.onnx.data", 0, 16),)


@given(st.lists(st.sampled_from(["a", "..", ".", "", "b c", "ü"]), min_size=1, max_size=4).map("/".join))
def test_a_sound_path_stays_in_its_folder(path):
    if not external_problem(path):
        assert ".." not in path.split("/")
        assert not path.startswith("/")
        assert path


def test_the_number_of_fields_is_budgeted(monkeypatch):
    monkeypatch.setattr(wire, "MAX_FIELDS", 10)
    assert rules(parse(model(node("Add") * 20)).issues) == {"onnx:budget"}


def test_graphs_inside_graphs_end():
    data = node("Add")
    for _ in range(60):
        data = node("If", more=field(5, field(6, data)))
    assert rules(parse(model(data)).issues) == {"onnx:budget"}


def test_damage_is_an_issue_and_never_more():
    seeds = [*GOOD.values(), *(data for data, _ in BAD.values())]
    seen = [verdict(parse(data).issues) for data in mutants(seeds, 3000, 31, (b"PyOp", b"../x"))]
    assert {Verdict.SAFE, Verdict.UNKNOWN, Verdict.MALICIOUS} <= set(seen)


def op(name, inputs, outputs, more=b""):
    return field(
        1,
        b"".join(field(1, one.encode()) for one in inputs)
        + b"".join(field(2, one.encode()) for one in outputs)
        + field(4, name.encode())
        + more,
    )


def numbers(name, *values, raw=False):
    body = number(1, len(values)) + number(2, 7)
    body += (
        field(9, struct.pack(f"<{len(values)}q", *values))
        if raw
        else field(7, b"".join(varint(value & ((1 << 64) - 1)) for value in values))
    )
    return body + field(8, name.encode())


def doubled(times, joined="Concat"):
    return b"".join(op(joined, [f"a{i}", f"a{i}"], [f"a{i + 1}"]) for i in range(times))


CONSTANT = op("Constant", [], ["s"], field(5, field(1, b"value") + field(5, numbers("x", 1 << 20, 1 << 20))))
LISTED = op(
    "Constant", [], ["s"], field(5, field(1, b"value_ints") + number(8, 1 << 20) + number(8, 1 << 20))
)


@pytest.mark.parametrize(
    "data",
    [
        model(op("ConstantOfShape", ["s"], ["z"]), [numbers("s", 100_000, 100_000)]),
        model(op("ConstantOfShape", ["s"], ["z"]), [numbers("s", 100_000, 100_000, raw=True)]),
        model(CONSTANT + op("ConstantOfShape", ["s"], ["z"])),
        model(LISTED + op("Cast", ["s"], ["t"]) + op("Expand", ["x", "t"], ["z"])),
        model(op("Mul", ["s", "s"], ["t"]) + op("ConstantOfShape", ["t"], ["z"]), [numbers("s", 1 << 20)]),
        model(op("Concat", ["s", "s"], ["t"]) + op("ConstantOfShape", ["t"], ["z"]), [numbers("s", 1 << 20)]),
        model(op("Tile", ["s", "r"], ["z"]), [numbers("s", 1, 2), numbers("r", 1 << 40)]),
        model(op("Range", ["a", "b", "c"], ["z"]), [numbers("a", 0), numbers("b", 1 << 50), numbers("c", 1)]),
        model(op("OneHot", ["s", "d", "v"], ["z"]), [numbers("s", 1), numbers("d", 1 << 40)]),
        model(doubled(34), [tensor((1,), raw=bytes(4)).replace(field(8, b"w"), field(8, b"a0"))]),
        model(
            doubled(30) + op("Relu", ["a30"], ["b"]) + op("Concat", ["b", "b", "b", "b", "b"], ["c"]),
            [numbers("a0", 5)],
        ),
    ],
)
def test_constants_that_are_made_into_more_than_there_is(data):
    found = parse(data).issues
    assert rules(found) == {"onnx:size"}
    assert verdict(found) is Verdict.UNKNOWN


@pytest.mark.parametrize(
    "data",
    [
        model(op("ConstantOfShape", ["s"], ["z"]), [numbers("s", 1, 12, 64, 64)]),
        # Shapes that come from what is put in are not known here.
        model(op("Shape", ["x"], ["s"]) + op("ConstantOfShape", ["s"], ["z"])),
        model(op("Expand", ["x", "s"], ["z"]), [numbers("s", -1, 1 << 40)]),
        model(doubled(12), [numbers("a0", 5)]),
        model(doubled(40)),
        # A large weight in another file, turned.
        model(op("Transpose", ["w"], ["t"]), [elsewhere("w.bin", dims=(1 << 20, 1 << 12))]),
        # Exporters write the largest number for a loop that ends by its condition.
        model(op("Loop", ["m", "t", "x"], ["y"]), [numbers("m", (1 << 63) - 1)]),
    ],
)
def test_constants_as_exporters_write_them(data):
    assert verdict(parse(data).issues) is Verdict.SAFE


def test_lists_of_numbers_are_not_kept_whole():
    assert parse(model(tensors=[numbers("s", *range(70_000))])).issues == ()
