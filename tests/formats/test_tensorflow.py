from __future__ import annotations

import pytest

from lockflight.core.findings import Verdict
from lockflight.formats import media
from lockflight.formats.graphs import wire
from lockflight.formats.graphs.tensorflow import check_graph, looks_like_graph, tensorflow_tables
from lockflight.formats.sniff import sniff
from tests.formats.files import mutants, rules, source, verdict
from tests.formats.pickles import shipped
from tests.formats.test_protobuf import field, varint


def node(op, *attributes):
    return field(1, field(1, b"n") + field(2, op.encode()) + b"".join(attributes))


def attribute(value, key=b"value"):
    return field(5, field(1, key) + field(2, value))


def words(*values, kind=7):
    return attribute(field(8, varint(8) + varint(kind) + b"".join(field(8, v) for v in values)))


def library(name, *nodes):
    body = b"".join(field(3, n[1 + (n[1] > 127) + 1 :]) for n in nodes)
    return field(2, field(1, field(1, field(1, name.encode())) + body))


def saved(graph, more=b"", version=1):
    return varint(8) + varint(version) + field(2, field(2, graph) + more)


def check(data, *, is_saved=False):
    return check_graph(source(data), tensorflow_tables(shipped().tables["tensorflow"]), saved=is_saved)


GOOD = {
    "operators": node("Placeholder") + node("MatMul") + node("Relu"),
    "a text": node("Const", words(b"/a/path")),
    "a function": node("F") + library("F", node("Add")),
    "a table that the graph fills": node("HashTableV2") + node("LookupTableImportV2"),
    "print": node("PrintV2", attribute(field(2, b"stderr"), b"output_stream")),
}


@pytest.mark.parametrize("name", GOOD)
def test_what_computes_is_safe(name):
    assert check(GOOD[name]) == ()
    assert check(saved(GOOD[name]), is_saved=True) == ()


BAD = {
    "ReadFile": (node("ReadFile"), "tensorflow:read"),
    "MatchingFiles": (node("MatchingFiles"), "tensorflow:read"),
    "a data set of lines": (node("TextLineDataset"), "tensorflow:read"),
    "a file as a constant": (node("ImmutableConst"), "tensorflow:read"),
    "a descriptor from a file": (node("DecodeProtoV2"), "tensorflow:read"),
    "WriteFile": (node("WriteFile"), "tensorflow:write"),
    "Print into a file": (
        node("PrintV2", attribute(field(2, b"file:///tmp/x"), b"output_stream")),
        "tensorflow:write",
    ),
    "a debugger": (node("DebugIdentityV2"), "tensorflow:write"),
    "PyFunc": (node("PyFunc"), "tensorflow:python"),
    "EagerPyFunc": (node("EagerPyFunc"), "tensorflow:python"),
    "PyFuncStateless": (node("PyFuncStateless"), "tensorflow:python"),
    "LoadLibrary": (node("LoadLibrary"), "tensorflow:native"),
    "ShellExecute": (node("ShellExecute"), "tensorflow:native"),
    "a call to a machine": (node("RpcClient"), "tensorflow:network"),
    "a checkpoint somewhere else": (
        node("SaveV2") + node("Const", words(b"/etc/cron.d/x")),
        "tensorflow:path",
    ),
    "a checkpoint above": (node("RestoreV2") + node("Const", words(b"a/../../x")), "tensorflow:path"),
    "a table from somewhere else": (
        node("InitializeTableFromTextFileV2") + node("Const", words(b"gs://x/y")),
        "tensorflow:path",
    ),
    "in a function": (node("F") + library("F", node("WriteFile")), "tensorflow:write"),
    "a function of that name": (node("ReadFile") + library("ReadFile", node("Add")), "tensorflow:read"),
}


@pytest.mark.parametrize("name", BAD)
def test_an_attack_is_named(name):
    data, rule = BAD[name]
    for found in (check(data), check(saved(data), is_saved=True)):
        assert verdict(found) is Verdict.MALICIOUS
        assert rule in rules(found)


UNKNOWN = {
    "an operator of a library": (node("MyOp"), "tensorflow:operator"),
    "a queue": (node("FIFOQueueV2"), "tensorflow:operator"),
    "an object": (node("Const", attribute(field(8, field(15, b"")))), "tensorflow:operator"),
    "texts in one piece": (
        node("SaveV2") + node("Const", attribute(field(8, varint(8) + varint(7) + field(4, b"x")))),
        "tensorflow:hidden-text",
    ),
    "bytes behind": (node("Add") + b"junk", "tensorflow:broken"),
    "a field that is unknown": (node("Add") + field(99, b""), "tensorflow:field"),
    "no nodes": (field(4, b""), "tensorflow:broken"),
}


@pytest.mark.parametrize("name", UNKNOWN)
def test_what_is_not_understood_is_unknown(name):
    data, rule = UNKNOWN[name]
    assert rule in rules(check(data))
    assert verdict(check(data)) is Verdict.UNKNOWN


def test_savers_are_for_review():
    assert verdict(check(node("SaveV2") + node("RestoreV2"))) is Verdict.REVIEW
    assert verdict(check(node("InitializeTableFromTextFileV2"))) is Verdict.REVIEW


def test_a_saved_model():
    assert rules(check(saved(node("Add"), version=2), is_saved=True)) == {"tensorflow:version"}
    asset = field(6, field(2, b"../vocab.txt"))
    assert rules(check(saved(node("Add"), asset), is_saved=True)) == {"tensorflow:path"}
    keras = field(7, field(1, field(4, field(1, b"_tf_keras_model"))))
    found = check(saved(node("Add"), keras), is_saved=True)
    assert (rules(found), verdict(found)) == ({"tensorflow:keras"}, Verdict.REVIEW)


def test_real_graphs(project_root):
    folder = project_root / "tests" / "vectors" / "models"
    frozen, reads = (folder / "frozen.pb").read_bytes(), (folder / "reads.pb").read_bytes()
    assert looks_like_graph(frozen[:200])
    assert sniff(source(frozen, "x")) == media.TENSORFLOW_GRAPH
    assert check(frozen) == ()
    assert rules(check(reads)) == {"tensorflow:read"}
    real = check((folder / "saved" / "saved_model.pb").read_bytes(), is_saved=True)
    assert (rules(real), verdict(real)) == ({"tensorflow:saver"}, Verdict.REVIEW)


@pytest.mark.parametrize(
    "head", [b"", b"\x0a\x09", b"\x0a\x09\x0a\x01n\x12", b"\x0a\x09\x0a\x01n\x12\x03a b", b"x" * 20]
)
def test_other_heads(head):
    assert not looks_like_graph(head)


def test_the_number_of_fields_is_budgeted(monkeypatch):
    monkeypatch.setattr(wire, "MAX_FIELDS", 10)
    assert rules(check(node("Add") * 20)) >= {"tensorflow:budget"}


def test_damage_is_an_issue_and_never_more():
    seeds = [*GOOD.values(), *(data for data, _ in BAD.values())]
    seen = {verdict(check(data)) for data in mutants(seeds, 3000, 41, (b"ReadFile",))}
    assert {Verdict.SAFE, Verdict.UNKNOWN, Verdict.MALICIOUS} <= seen
