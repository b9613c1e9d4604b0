"""A document that is read in passing says the same as one that is held."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lockflight.core.source import BytesSource
from lockflight.formats.nesting import too_deep
from lockflight.formats.settings import jsontext, largejson
from lockflight.formats.settings.jsontext import BadJson, check_json, parse_json
from lockflight.formats.settings.largejson import MAX_KEPT, Broken, TooMuch, is_large, read_large
from tests.scan.fuzzing import mutants

EVIL = "{{ x.__class__ }}"
KEYS = [
    "a",
    "b_c",
    "d/e",
    "auto_map",
    "_target_",
    "chat_template",
    "weight_map",
    "py/object",
    "trust_remote_code",
]
KEYS += ["cache_file", "adapters", "tokenizer_name_or_path", "corda_config", "target_modules", "rank_pattern"]
KEYS += ["normalizer", "decoder", "padding", "Regex", "x-regex", "backbone", "model_type", "architecture"]
KEYS += ["peft_type", "base_model_name_or_path", "megatron_core", "é", "x\\y", 'q"r', "{{"]
TEXTS = [
    "//host/x",
    "/x",
    "",
    "x",
    "(a+)+",
    "hf_hub:a/b",
    "os.system",
    "who/repo--a.B",
    "../x",
    EVIL,
    "{% if",
    "{",
    "\\",
    '"',
    "\u0120a",
    "\ud800",
]
LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**25), 10**25),
    st.floats(),
    st.sampled_from(TEXTS),
    st.text(max_size=5),
)
DOCUMENTS = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=6) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=6),
    max_leaves=40,
)


def said(data, monkeypatch, *, held):
    with monkeypatch.context() as patch:
        patch.setattr(jsontext, "is_large", lambda _: not held)
        return set(check_json(BytesSource(data, "tokenizer.json")))


@settings(max_examples=300, deadline=None)
@given(
    document=DOCUMENTS,
    indent=st.sampled_from([None, 1]),
    escaped=st.booleans(),
    window=st.sampled_from([1, 7, 64, 1 << 22]),
)
@example(
    document={"auto_map": {"A": ["who/x--b.C", None]}, "a": [["x", "y"], ["z", 1.5]]},
    indent=None,
    escaped=True,
    window=5,
)
@example(document=[{"b_c": {"chat_template": {"x": EVIL}}}, "x", EVIL], indent=1, escaped=False, window=3)
def test_both_ways_say_the_same(document, indent, escaped, window):
    data = json.dumps(document, indent=indent, ensure_ascii=escaped).encode("utf-8", "surrogatepass")
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(largejson, "_CHUNK", window)
        monkeypatch.setattr(largejson, "_AHEAD", max(1, window // 2))
        assert said(data, monkeypatch, held=False) == said(data, monkeypatch, held=True)


SEEDS = [
    b'{"a": 1, "b_c": "x", "a": 2, "d": [1, 2.5e3, -0, "x", ["y", "z"], ["w", -1.5], null], "e": {}}',
    b'[{"a": "\\u0041\\n"}, [], {}, [[[]]], true, NaN, -Infinity, "\xc3\xa9", 1e400]',
    b'\xef\xbb\xbf {"auto_map": "b.C", "\\u0061uto_map": 1}\n',
    b'{"a":"b","c":1,"d":2,"e":[1,2,3,"x"]}',
]


def readable(data):
    try:
        parse_json(data)
    except BadJson:
        return False
    return True


def passed(data):
    try:
        read_large(BytesSource(data, "x.json"), lambda key: key == "auto_map", frozenset())
    except Broken:
        return False
    return True


@pytest.mark.parametrize("window", [3, 1 << 22])
def test_damage_is_seen_in_both_ways(window, monkeypatch):
    monkeypatch.setattr(largejson, "_CHUNK", window)
    monkeypatch.setattr(largejson, "_AHEAD", window)
    answers = set()
    for data in mutants(SEEDS, 4000, 21, (b'"', b"{", b"]", b",", b"\\u007b", b"0", b"\x01", b" ")):
        assert passed(data) == readable(data), data
        answers.add(passed(data))
    assert answers == {True, False}


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b'{"a": 1, "b": 2, "a": 3, "c": {}}', "twice"),
        (b'{"a": 1, "\\u0061": [], "c": {}}', "twice"),
        (b"[" * 201 + b"]" * 201, "deeply"),
        (b'{"a":' * 300_000, "deeply"),
        (b"\xff", "UTF-8"),
        (b"1" * 5000, "not JSON"),
        (b"[1, 2,]", "not JSON"),
        (b'{"a": 1,}', "not JSON"),
        (b"[1 2]", "not JSON"),
        (b"[1]]", "not JSON"),
        (b"[1}", "not JSON"),
        (b"", "not JSON"),
    ],
)
def test_what_readers_would_not_see_alike(data, why):
    with pytest.raises(Broken, match=why):
        read_large(BytesSource(data, "x.json"), lambda _: False, frozenset())


def test_keys_of_a_large_object_are_compared_in_parts(monkeypatch):
    monkeypatch.setattr(largejson, "_PART", 10)
    many = {f"w{i}": i for i in range(1000)}
    data = json.dumps(many).encode()
    assert read_large(BytesSource(data, "x.json"), lambda _: False, frozenset()) == {}
    with pytest.raises(Broken, match="twice"):
        read_large(BytesSource(data[:-1] + b', "w500": 1}', "x.json"), lambda _: False, frozenset())


def test_what_is_read_has_an_end(monkeypatch):
    def read(document):
        data = document if isinstance(document, bytes) else json.dumps(document).encode()
        return read_large(BytesSource(data, "x.json"), lambda _: False, frozenset())

    monkeypatch.setattr(largejson, "_CHUNK", 64)
    monkeypatch.setattr(largejson, "_AHEAD", 64)
    monkeypatch.setattr(largejson, "_PART", 10)
    monkeypatch.setattr(largejson, "_LONGEST", 1000)
    assert read(["x" * 800, "y" * 800]) is not None
    for long in (["x" * 2000], {"x" * 2000: 1}, b"1" + b"0" * 2000 + b".0"):
        with pytest.raises(TooMuch):
            read(long)
    monkeypatch.setattr(largejson, "_LONGEST", 1 << 20)
    monkeypatch.setattr(largejson, "MAX_KEYS", 500)
    assert read({f"w{i}": i for i in range(400)}) is not None
    with pytest.raises(TooMuch):
        read({f"w{i}": i for i in range(1000)})
    with pytest.raises(TooMuch):
        read({f"w{i}": [] for i in range(1000)})
    monkeypatch.setattr(largejson, "MAX_STEPS", 100)
    with pytest.raises(TooMuch):
        read([[]] * 1000)


#: Runs a parser on a file in a process of its own; prints what it says and the most memory that it took.
MEASURED = """
import os, re, sys
sys.path[:0] = sys.argv[2:]
from lockflight.formats.settings.jsontext import check_json
class File:
    name = "tokenizer.json"
    fd = os.open(sys.argv[1], os.O_RDONLY)
    size = os.fstat(fd).st_size
    def read_at(self, offset, n):
        return os.pread(self.fd, n, offset)
said = [issue.rule for issue in check_json(File())]
peak = re.search(r"VmHWM:\\s+([0-9]+)", open("/proc/self/status").read())[1]
print(said, int(peak) >> 10)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux says how much memory a process took")
@pytest.mark.parametrize(
    ("head", "part", "tail", "rules"),
    [
        (b'{"model": {"merges": [', b'["\xc4\xa0ab", "cd"], ' * 40_000, b'["a", "b"]]}}', []),
        (
            b'{"model": {"merges": [',
            b'"\xc4\xa0ab cd", ' * 60_000,
            b'"a b"], "chat_template": "{{ x.__class__ }}"}}',
            ["template:private", "template:variable"],
        ),
        (b"[", b"[[[[" * 250_000, b"", ["json:broken"]),
        (b"", b"[" * 1_000_000, b"", ["json:broken"]),
        (b"", b" " * 1_000_000, b"{}", []),
    ],
)
def test_what_is_larger_than_is_held_takes_little_memory(tmp_path, head, part, tail, rules):
    path = tmp_path / "tokenizer.json"
    with path.open("wb") as file:
        file.write(head)
        while file.tell() < 66 << 20:
            file.write(part)
        file.write(tail)
    done = subprocess.run(
        [sys.executable, "-c", MEASURED, str(path), *sys.path], check=True, capture_output=True, text=True
    )
    said, peak = done.stdout.strip().rsplit(" ", 1)
    assert said == repr(rules)
    assert int(peak) < 256


def test_what_is_kept_has_an_end():
    rows = json.dumps([{"auto_map": 1}] * (MAX_KEPT // 2 + 1)).encode()
    with pytest.raises(TooMuch):
        read_large(BytesSource(rows, "x.json"), lambda key: key == "auto_map", frozenset())
    texts = json.dumps(["{{" + "x" * 1_000_000] * 9).encode()
    with pytest.raises(TooMuch):
        read_large(BytesSource(texts, "x.json"), lambda _: False, frozenset())


def test_what_all_of_would_be_needed_is_unknown(monkeypatch):
    monkeypatch.setattr(jsontext, "is_large", lambda _: True)
    for name, value in (
        ("model.json", {"class_name": "Sequential", "config": {}}),
        ("x.json", {"_diffusers_version": "1", "unet": ["a", "B"]}),
        ("modules.json", []),
    ):
        (issue,) = check_json(BytesSource(json.dumps(value).encode(), name))
        assert (issue.rule, issue.verdict.value) == ("json:budget", "unknown")
    assert check_json(BytesSource(b'{"model": {"type": "BPE"}}', "tokenizer.json")) == ()


def test_which_documents_are_large():
    assert not is_large(b'{"a": 1}')
    assert is_large(b"[" * 1_500_000)
    assert is_large(b" " * (25 << 20))


def test_brackets_in_texts_are_no_depth():
    assert not too_deep(json.dumps(["[" * 500, '"' + "{" * 500, "\\"]).encode())
    assert too_deep(json.dumps({"x": "]" * 500}).encode()[:-1] + b', "y": ' + b"[" * 300)
