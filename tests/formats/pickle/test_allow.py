from __future__ import annotations

import _compat_pickle
import json

import pytest

from lockflight.errors import VerificationFailed
from lockflight.formats.pickle.allow import SCHEMA, TABLES, AllowList, Entry, parse_allow_list
from lockflight.formats.pickle.arguments import RULES
from tests.formats.pickles import shipped


def document(names, **more):
    return json.dumps({"schema": SCHEMA, "library": "x", "versions": ["1"], "names": names, **more}).encode()


def parse(*documents):
    return parse_allow_list(documents, frozenset(RULES))


def test_documents_are_joined():
    allow = parse(
        document({"a": {"b": "class", "c": {"kind": "callable", "arguments": "latin1"}}}),
        document({"d": {"e.f": "value"}}, moved=[["old", "n", "new", "m"], ["older", "", "newer", ""]]),
    )
    assert allow.get("a", "b") == Entry("class")
    assert allow.get("a", "c") == Entry("callable", "latin1")
    assert allow.get("d", "e.f") == Entry("value")
    assert allow.get("d", "e") is None
    assert allow.python3_name("old", "n") == ("new", "m")
    assert allow.python3_name("older", "x") == ("newer", "x")
    assert len(allow.digest) == 64


def test_the_digest_covers_every_document_in_any_order():
    one, two = document({"a": {"b": "class"}}), document({"a": {"c": "class"}})
    assert parse(one, two).digest == parse(two, one).digest != parse(one).digest


@pytest.mark.parametrize(
    "bad",
    [
        b"{}",
        b"[]",
        b"not json",
        document({"a": {"b": "anything"}}),
        document({"a": {"b": {"kind": "callable", "arguments": "no such rule"}}}),
        document({"a": {"b": 1}}),
        document({"a": []}),
        document({}, moved=[["a", "b"]]),
        document({}).replace(b"/1", b"/9"),
    ],
)
def test_a_damaged_document_is_refused(bad):
    with pytest.raises(VerificationFailed) as caught:
        parse(bad)
    assert caught.value.code in {"LF2301", "LF7101"}


def test_two_documents_must_agree():
    with pytest.raises(VerificationFailed):
        parse(document({"a": {"b": "class"}}), document({"a": {"b": "value"}}))


def test_tables_of_other_formats_are_kept_and_count():
    table = {"schema": TABLES, "format": "onnx", "versions": ["1"], "ops": {}}
    alone = parse(document({"a": {"b": "class"}}))
    both = parse(document({"a": {"b": "class"}}), json.dumps(table).encode())
    assert both.tables["onnx"] == table
    assert both.entries == alone.entries
    assert both.digest != alone.digest
    assert set(shipped().tables) == {"keras", "onnx", "tensorflow", "torchscript"}


def test_the_shipped_list_renames_as_cpython_does():
    allow = shipped()
    for old, new in _compat_pickle.NAME_MAPPING.items():
        assert allow.python3_name(*old) == new
    for old, new in _compat_pickle.IMPORT_MAPPING.items():
        assert allow.python3_name(old, "no such name") == (new, "no such name")


@pytest.mark.parametrize(
    "name",
    [
        "builtins eval",
        "builtins exec",
        "builtins __import__",
        "os system",
        "operator attrgetter",
        "operator methodcaller",
        "functools reduce",
        "importlib import_module",
        "pkgutil resolve_name",
        "numpy memmap",
        "scipy.stats._distn_infrastructure rv_sample",
        "pandas._libs.tslibs.offsets CustomBusinessDay",
        "joblib load",
        "joblib.numpy_pickle load",
        "torch load",
        "torch.hub load",
        "numpy load",
        "pandas read_pickle",
        "pickle loads",
        "types FunctionType",
        "marshal loads",
        "builtins map",
        "torch._utils _rebuild_from_type_v2",
    ],
)
def test_what_runs_or_opens_something_is_never_listed(name):
    module, attribute = name.split(" ")
    assert shipped().get(module, attribute) is None


def test_what_does_harm_with_the_wrong_words_is_listed_under_a_rule():
    assert shipped().get("builtins", "getattr") == Entry("callable", "attribute")
    shapes = {entry.state for (module, name), entry in shipped().entries.items() if name.endswith("_gen")}
    assert shapes == {"distribution"}
    assert parse(document({"a": {"b": {"kind": "class", "state": "distribution"}}})).entries == {
        ("a", "b"): Entry("class", "", "distribution")
    }
    with pytest.raises(VerificationFailed):
        parse(document({"a": {"b": {"kind": "class", "state": "anything"}}}))


def test_an_empty_list_allows_nothing():
    assert AllowList.empty().get("builtins", "set") is None


def test_no_name_is_a_pattern():
    for module, name in shipped().entries:
        assert all(part.isidentifier() for part in [*module.split("."), *name.split(".")]), (module, name)
