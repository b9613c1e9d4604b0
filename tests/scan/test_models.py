"""The check as a whole: real files are safe, spoiled ones are not, and what is not judged is not safe."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import pickle
import re
import struct
import subprocess
import sys
import zipfile
import zlib
from dataclasses import replace

import pytest

from lockflight.core.attest.check import PPM, Grain, Status, Subject, result_from_json
from lockflight.core.findings import Severity, Verdict
from lockflight.core.source import BytesSource
from lockflight.core.words import MODEL_ROLES, Role
from lockflight.errors import EnvironmentProblem
from lockflight.formats import media
from lockflight.formats.pickle.records import Budget
from lockflight.formats.report import Issue
from lockflight.infra import allowlist
from lockflight.infra.allowlist import LIBRARIES, shipped_allow_list
from lockflight.scan.models import ModelsCheck, scan_source
from lockflight.scan.walk import single
from lockflight.scan.walk.rules import RULES, finding_of
from tests.corpus.programs import changed, exports, scripts
from tests.formats.files import (
    archive,
    assembled,
    central,
    gguf,
    local,
    mutants,
    npy,
    pair,
    safetensors,
    text,
)
from tests.formats.pickle.test_streams import legacy, storage
from tests.formats.pickles import CALL, HOSTILE
from tests.formats.test_onnx import model as graph
from tests.formats.test_onnx import node as operator
from tests.formats.test_protobuf import MODEL
from tests.formats.test_skops import GOOD, node
from tests.scan.subjects import Context, asset


def scan(data, name="model.bin"):
    return scan_source(BytesSource(data, name), shipped_allow_list())


def rules(found):
    return {finding.rule for finding in found.findings}


def run(data, name="model.pkl", role=Role.MODEL_WEIGHTS):
    part = asset(name, data, role)
    return ModelsCheck().run(Subject(Grain.ASSET, name, part.sha256, (part,)), Context({name: data}))


def checkpoint(data_pkl=None, **more):
    """What torch.save writes."""
    data_pkl = b"\x80\x02}X\x01\x00\x00\x00w" + storage() + b"s." if data_pkl is None else data_pkl
    members = {
        "data.pkl": data_pkl,
        "byteorder": b"little",
        "data/0": bytes(12),
        "version": b"3\n",
        ".data/serialization_id": b"123",
    }
    return archive({f"m/{name}": data for name, data in (members | more).items()})


EVIL = HOSTILE["reduce protocol 4"]
TEMPLATE = "{{ ''.__class__ }}"

LAYERS = json.dumps(
    {
        "module": "keras",
        "class_name": "Sequential",
        "config": {"layers": [{"class_name": "Dense", "config": {}}]},
    }
).encode()
ADD = graph(operator("Add"))

SAFE = {
    "onnx": (ADD, "model.onnx"),
    "tensors of onnx": (b"\0\1\2\3" * 30, "model.onnx.data"),
    "keras": (archive({"config.json": LAYERS, "metadata.json": b"{}"}), "m.keras"),
    "empty": (b"", "model.bin"),
    "pickle": (pickle.dumps({"a": [1, 2]}), "model.pkl"),
    "pickle without extension": (pickle.dumps({"a": [1, 2]}), "model"),
    "torch checkpoint": (checkpoint(), "model.pt"),
    "torch checkpoint before 1.6": (legacy(), "pytorch_model.bin"),
    "safetensors": (safetensors(), "model.safetensors"),
    "gguf": (gguf(), "model.gguf"),
    "gguf with a template": (
        gguf([pair("tokenizer.chat_template", 8, text("{{ messages[0].content }}"))]),
        "m.gguf",
    ),
    "npy": (npy(), "a.npy"),
    "npz": (archive({"a.npy": npy()}), "a.npz"),
    "skops": (
        archive({"schema.json": json.dumps(GOOD).encode(), "1.npy": npy(), "2.bin": b"\x80"}),
        "m.skops",
    ),
    "sentencepiece": (MODEL, "tokenizer.model"),
    "configuration": (b'{"model_type": "llama"}', "config.json"),
    "vocabulary": ("hello\nwörld\n##ing\n".encode(), "vocab.txt"),
    "merges": (b"#version: 0.2\nh e\nl l\n", "merges.txt"),
    "template": (b"{% for m in messages %}{{ m.content }}{% endfor %}", "chat_template.jinja"),
    "yaml": (b"a: 1\n", "config.yaml"),
    "toml": (b"a = 1\n", "config.toml"),
    "packed configuration": (gzip.compress(b'{"a": 1}'), "config.json.gz"),
}


@pytest.mark.parametrize("name", SAFE)
def test_an_ordinary_file_is_safe(name):
    found = scan(*SAFE[name])
    assert found.findings == ()
    assert found.verdict is Verdict.SAFE
    assert found.coverage_ppm == PPM


FIXTURES = (
    "pipeline.0.pkl",
    "pipeline.2.pkl",
    "pipeline.5.pkl",
    "boosted.pkl",
    "neighbours.pkl",
    "forest.joblib",
    "words.joblib",
    "pipeline.zlib.joblib",
    "pipeline.gzip.joblib",
    "pipeline.bz2.joblib",
    "pipeline.xz.joblib",
    "pipeline.lzma.joblib",
    "pipeline.skops",
    "frame.pkl",
    "objects.npy",
    "arrays.npz",
    "packed.npz",
    "pipeline.onnx",
    "forest.onnx",
    "loop.onnx",
    "dense.keras",
    "branched.keras",
    "words.keras",
    "dense.h5",
    "branched.h5",
    "dense.weights.h5",
    "frozen.pb",
    "torch/state.pt",
    "torch/state.legacy.bin",
    "torch/protocol5.pt",
    "torch/dtypes.pt",
    "torch/dtypes.legacy.bin",
    "torch/unusual.pt",
    "torch/unusual.legacy.bin",
    "torch/checkpoint.pt",
    "torch/checkpoint.legacy.bin",
    "torch/tensor.pt",
    "torch/tensor.legacy.bin",
    "torch/script.pt",
    "torch/words.pt",
    "torch/trace.pt",
    "torch/frozen.pt",
    "torch/dynamic.pt",
    "torch/net.pt2",
    "torch/sizes.pt2",
)


@pytest.mark.parametrize("name", FIXTURES)
def test_a_real_model_is_safe(name, project_root):
    data = (project_root / "tests" / "vectors" / "models" / name).read_bytes()
    found = scan(data, name)
    assert found.findings == ()
    assert found.coverage_ppm == PPM
    assert found.media_type in media.MODEL_TYPES


@pytest.mark.parametrize("name", ["module.pt", "module.legacy.bin"])
def test_a_whole_module_of_torch_is_a_pickle_of_classes(name, project_root):
    found = scan((project_root / "tests" / "vectors" / "models" / "torch" / name).read_bytes(), name)
    assert found.verdict is Verdict.MALICIOUS
    assert any("__main__.Net" in finding.message for finding in found.findings)


def test_a_program_whose_version_lies_elsewhere_is_safe():
    """So torch writes it for operators that came late, such as GELU."""
    assert scan(changed("script.pt", {".data/version": b"10"}), "m.pt").findings == ()


def test_a_program_for_the_small_interpreter_is_unknown(project_root):
    data = (project_root / "tests" / "vectors" / "models" / "torch" / "lite.ptl").read_bytes()
    found = scan(data, "lite.ptl")
    assert found.verdict is Verdict.UNKNOWN
    assert rules(found) == {"torch:script"}
    assert found.coverage_ppm < PPM


PROGRAMS = {name: (data, rule) for name, data, rule in (*scripts(), *exports(checkpoint(EVIL)))}


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_of_torch_that_does_more_than_compute(name):
    data, rule = PROGRAMS[name]
    found = scan(data, name)
    assert found.verdict in {Verdict.UNKNOWN, Verdict.MALICIOUS}
    assert rule in rules(found)
    if rule in {"torch:reaches", "torch:lookup", "torch:expression", "pickle:global"}:
        assert found.verdict is Verdict.MALICIOUS


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("file", ["adapter.bin", "model.pt", "model"])
def test_a_hostile_pickle_is_malicious_under_any_name(name, file):
    found = scan(HOSTILE[name], file)
    assert found.verdict is Verdict.MALICIOUS
    assert any(rule.startswith("pickle:") or rule == "file:polyglot" for rule in rules(found))


EXECUTES = {
    **{
        f"packed with {name}": (pack(EVIL), "m.joblib")
        for name, pack in {
            "gzip": gzip.compress,
            "bzip2": bz2.compress,
            "xz": lzma.compress,
            "zlib": zlib.compress,
            "lzma": lambda data: lzma.compress(data, lzma.FORMAT_ALONE),
        }.items()
    },
    "packed twice": (gzip.compress(bz2.compress(EVIL)), "m.gz"),
    "in a torch checkpoint": (checkpoint(EVIL), "m.pt"),
    "beside the pickle of a checkpoint": (checkpoint(**{"extra/x": EVIL}), "m.pt"),
    "as a storage that nothing names": (checkpoint(**{"data/9": EVIL}), "m.pt"),
    "in a second data.pkl": (checkpoint(**{"../other/data.pkl": EVIL}), "m.pt"),
    "in a zip": (archive({"a": EVIL}), "m.zip"),
    "in a zip in a zip": (archive({"a": archive({"b": EVIL})}), "m.zip"),
    "in a zip, protocol 0": (archive({"a": pickle.dumps(pickle.loads, 0)}), "m.zip"),
    "in an array of objects": (
        npy("{'descr': '|O', 'fortran_order': False, 'shape': (1,), }", EVIL),
        "a.npy",
    ),
    "in an npz": (
        archive({"a.npy": npy("{'descr': '|O', 'fortran_order': False, 'shape': (1,), }", EVIL)}),
        "a.npz",
    ),
    "in skops": (archive({"schema.json": json.dumps(GOOD).encode(), "x.pkl": EVIL}), "m.skops"),
    "named safetensors": (EVIL, "m.safetensors"),
    "named json": (EVIL, "config.json"),
    "before an array": (b"\x80\x04cos\nsystem\n0" + npy(), "a.npy"),
    "in a skops schema": (
        archive({"schema.json": json.dumps(node(module="os", name="system")).encode()}),
        "m.skops",
    ),
    "in torch legacy": (legacy(body=b"\x80\x02" + CALL + b"."), "m.pt"),
    "in TorchScript": (archive({"m/data.pkl": EVIL, "m/constants.pkl": b"N."}), "m.pt"),
    "in a deflated checkpoint": (
        archive({"m/data.pkl": EVIL, "m/version": b"3"}, method=zipfile.ZIP_DEFLATED),
        "m.pt",
    ),
    "in a member that is only said to be encrypted": (
        assembled([local("a.pkl", EVIL, flags=1)], [central("a.pkl", EVIL, 0, flags=1)]),
        "m.zip",
    ),
    "in a text that is also a pickle": (b"cos\nsystem\n(S'true'\ntR.", "m.ckpt"),
}


@pytest.mark.parametrize("name", EXECUTES)
def test_code_is_found_wherever_it_lies(name):
    found = scan(*EXECUTES[name])
    assert found.verdict is Verdict.MALICIOUS
    assert any(finding.severity is Severity.CRITICAL for finding in found.findings)
    assert any(re.search(r"system|pickle", finding.message) for finding in found.findings)


OTHER = {
    "a zip behind safetensors": (safetensors() + archive({"a": b"x"}), "m.safetensors", "file:polyglot"),
    "a zip behind gguf": (gguf() + archive({"a": b"x"}), "m.gguf", "file:polyglot"),
    "a zip behind text": (b"words\n" + archive({"a": b"x"}), "vocab.txt", "file:polyglot"),
    "a zip named safetensors": (archive({"a": b"x"}), "m.safetensors", "file:mismatch"),
    "a library named json": (b"\x7fELF" + bytes(90), "config.json", "file:mismatch"),
    "a template in a tokenizer": (
        json.dumps({"chat_template": TEMPLATE}).encode(),
        "tokenizer_config.json",
        "template:private",
    ),
    "a template in gguf": (
        gguf([pair("tokenizer.chat_template", 8, text(TEMPLATE))]),
        "m.gguf",
        "template:private",
    ),
    "another template in gguf": (
        gguf([pair("tokenizer.chat_template.x", 8, text(TEMPLATE))]),
        "m.gguf",
        "template:private",
    ),
    "a template of its own": (TEMPLATE.encode(), "chat_template.jinja", "template:private"),
    "yaml": (b"a: !!python/name:os.system\n", "config.yaml", "yaml:tag"),
    "jsonpickle": (b'{"py/reduce": []}', "config.json", "json:jsonpickle"),
    "a hole in safetensors": (safetensors(body=bytes(9)), "m.safetensors", "safetensors:trailing"),
    "two keys in safetensors": (safetensors(raw=b'{"a":1,"a":2}'), "m.safetensors", "safetensors:duplicate"),
    "bytes behind packed data": (
        gzip.compress(pickle.dumps([1])) + b"junk",
        "m.joblib",
        "compressed:trailing",
    ),
    "a wrong checksum": (
        assembled([local("a.json", b"{}", crc=1)], [central("a.json", b"{}", 0, crc=1)]),
        "m.zip",
        "zip:content",
    ),
    "a zip behind onnx": (ADD + archive({"a": b"x"}), "m.onnx", "file:polyglot"),
    "a zip behind tensors": (b"\0\1\2\3" * 30 + archive({"a": b"x"}), "m.onnx.data", "file:polyglot"),
    "Python in onnx": (graph(operator("PyOp", "x")), "m.onnx", "onnx:python"),
    "a lambda in a configuration beside weights": (
        LAYERS.replace(b"Dense", b"Lambda"),
        "model.json",
        "keras:lambda",
    ),
    "a lambda in Keras": (
        archive({"config.json": LAYERS.replace(b"Dense", b"Lambda"), "metadata.json": b"{}"}),
        "m.keras",
        "keras:lambda",
    ),
    "a path in a checkpoint": (checkpoint(**{"../../x": b"y"}), "m.pt", "zip:path"),
}


@pytest.mark.parametrize("name", OTHER)
def test_other_attacks_are_blocked_by_their_rule(name):
    data, file, rule = OTHER[name]
    found = scan(data, file)
    assert found.verdict is Verdict.MALICIOUS
    assert rule in rules(found)


REVIEW = {
    "a member that Keras does not write": (
        archive({"config.json": LAYERS, "metadata.json": b"{}", "notes.txt": b"hello"}),
        "m.keras",
        "keras:member",
    ),
    "a description of MLflow as JSON": (
        b'{"flavors": {"python_function": {"loader_module": "mine"}}}',
        "m/mlmodel",
        "mlmodel:loader",
    ),
    "a description of MLflow": (
        b"flavors: {python_function: {loader_module: mine}}\n",
        "m/MLmodel",
        "mlmodel:loader",
    ),
    "a member that torch does not write": (checkpoint(**{"notes.txt": b"hello"}), "m.pt", "torch:member"),
    "a storage that nothing names": (checkpoint(**{"data/1": b"\0\1\2\3"}), "m.pt", "torch:member"),
    "a member that skops does not write": (
        archive({"schema.json": json.dumps(GOOD).encode(), "README.md": b"x"}),
        "m.skops",
        "skops:member",
    ),
    "code beside": (b'{"auto_map": {"A": "b.C"}}', "config.json", "config:local-code"),
}


@pytest.mark.parametrize("name", REVIEW)
def test_what_a_person_has_to_see(name):
    data, file, rule = REVIEW[name]
    found = scan(data, file)
    assert found.verdict is Verdict.REVIEW
    assert rules(found) == {rule}


UNKNOWN = {
    "a graph as text": (b'node { name: "x" op: "ReadFile" }\n', "saved_model.pbtxt", "file:unsupported"),
    "onnx as text": (
        b"<ir_version: 10>\nagraph (float[2] x) => (float[2] y) { y = PyOp(x) }\n",
        "m.onnxtxt",
        "file:unsupported",
    ),
    "onnx as JSON": (b'{"irVersion": "10", "graph": {"node": []}}', "m.json", "file:unsupported"),
    "torch.export": (
        archive({"m/archive_format": b"pt2", "m/models/model.json": b"{}"}),
        "m.pt2",
        "torch:program",
    ),
    "weights of Keras that are none": (
        archive({"config.json": LAYERS, "metadata.json": b"{}", "model.weights.h5": b"\0\1\2\3"}),
        "m.keras",
        "file:mismatch",
    ),
    "code among the assets of Keras": (
        archive({"config.json": LAYERS, "metadata.json": b"{}", "assets/x.py": b"import os\n"}),
        "m.keras",
        "file:code",
    ),
    "onnx": (b"\x08\x07\x12\x07pytorch" + bytes(30), "m.onnx", "onnx:broken"),
    "hdf5": (b"\x89HDF\r\n\x1a\n" + bytes(90), "m.h5", "hdf5:unread"),
    "tflite": (b"\x1c\0\0\0TFL3" + bytes(30), "m.tflite", "file:unsupported"),
    "core ml": (b"\x08\x05\x12\x10" + bytes(30), "m.mlmodel", "file:unsupported"),
    "openvino": (b'<?xml version="1.0"?>\n<net name="m" version="11"/>', "m.xml", "file:unsupported"),
    "executorch": (b"\x1c\0\0\0ET12" + bytes(30), "m.pte", "file:unsupported"),
    "7z": (b"7z\xbc\xaf\x27\x1c" + bytes(90), "m.7z", "file:unsupported"),
    "tar": (bytes(257) + b"ustar\x0000" + bytes(90), "m.nemo", "file:unsupported"),
    "keras": (archive({"config.json": b"{}", "metadata.json": b"{}"}), "m.keras", "keras:broken"),
    "unrecognised bytes": (b"\0\1\2\3" * 30, "weights.dat", "file:unsupported"),
    "code": (b"import os\n", "modeling_x.py", "file:code"),
    "TorchScript": (
        archive({"m/data.pkl": b"N.", "m/constants.pkl": b"N.", "m/code/x.py": b"a"}),
        "m.pt",
        "torch:script",
    ),
    "a damaged pickle": (pickle.dumps({"a": b"x" * 100})[:-30], "m.pkl", "pickle:broken"),
    "a damaged gzip": (gzip.compress(pickle.dumps(list(range(2000))))[:-9], "m.joblib", "compressed:corrupt"),
    "a damaged zip": (checkpoint()[:-5], "m.pt", "zip:broken"),
    "an encrypted member": (
        assembled(
            [local("a", bytes(range(40)), flags=1, crc=1, size=28)],
            [central("a", bytes(40), 0, flags=1, crc=1, size=28)],
        ),
        "m.zip",
        "zip:encrypted",
    ),
    "text named json": (b"hello", "config.json", "json:broken"),
    "text that is none": (b"hello" * 20_000 + b"\0", "vocab.txt", "file:text"),
    "json named safetensors": (b"{}", "m.safetensors", "file:mismatch"),
    "remote code": (b'{"auto_map": "who/x--b.C"}', "config.json", "config:remote-code"),
    "a storage that is missing": (checkpoint(**{"data/0": b"short"}), "m.pt", "torch:storage"),
    "another gguf version": (gguf(version=1), "m.gguf", "gguf:version"),
    "too many boxes": (
        gzip.compress(gzip.compress(gzip.compress(gzip.compress(gzip.compress(b"{}"))))),
        "a.gz",
        "file:nesting",
    ),
}


@pytest.mark.parametrize("name", UNKNOWN)
def test_what_cannot_be_judged_is_unknown(name):
    data, file, rule = UNKNOWN[name]
    found = scan(data, file)
    assert rule in rules(found)
    assert found.verdict is Verdict.UNKNOWN


def test_the_result_of_the_check():
    result = run(EVIL, "adapter.bin", Role.ADAPTER)
    assert result.status is Status.COMPLETE
    assert result.summary == {
        "safe": 0,
        "review": 0,
        "unknown": 0,
        "malicious": 1,
        "opcodes": 25,
        "critical": 1,
        "high": 0,
        "medium": 0,
        "low": 0,
        "info": 0,
    }
    (finding,) = result.findings
    assert (finding.code, finding.rule, finding.severity) == ("LF2100", "pickle:global", Severity.CRITICAL)
    assert finding.asset == "adapter.bin"
    assert "posix.system" in finding.message
    assert finding.location.offset > 0
    assert {"AML.T0010", "AML.T0011.000", "CWE-502"} <= set(finding.ids)
    assert result.tool.digest == f"sha256:{shipped_allow_list().digest}"
    assert result_from_json(result.to_json()).to_json() == result.to_json()


def test_a_safe_result():
    result = run(pickle.dumps([1]))
    assert (result.status, result.findings, result.coverage_ppm) == (Status.COMPLETE, (), PPM)
    assert result.summary["safe"] == 1


def test_many_small_streams_are_a_bomb_as_one_large_one_is(monkeypatch):
    monkeypatch.setattr(single, "INFLATED_FREE", 200_000)
    monkeypatch.setattr(single, "MAX_RATIO", 10)
    zeros = npy("{'descr': '|u1', 'fortran_order': False, 'shape': (90000,), }", bytes(90_000))
    few = archive({f"a{i}.npy": zeros for i in range(2)}, method=zipfile.ZIP_BZIP2)
    assert scan(few, "a.npz").verdict is Verdict.SAFE
    many = scan(archive({f"a{i}.npy": zeros for i in range(60)}, method=zipfile.ZIP_BZIP2), "a.npz")
    assert many.verdict is Verdict.UNKNOWN
    assert "compressed:budget" in rules(many)
    assert many.over_budget
    # What is stored takes nothing.
    stored = archive({f"a{i}.npy": zeros for i in range(9)})
    assert scan(stored, "a.npz").verdict is Verdict.SAFE


def test_a_stream_in_a_stream_has_the_budget_of_the_file(monkeypatch):
    monkeypatch.setattr(single, "INFLATED_FREE", 100_000)
    packed = gzip.compress(bytes(30_000_000), 9)
    assert scan(gzip.compress(packed, 9), "a.pkl.gz.gz").verdict is Verdict.UNKNOWN
    assert "compressed:budget" in rules(scan(gzip.compress(packed, 9), "a.pkl.gz.gz"))


def test_a_sparse_matrix_whose_indices_lead_outside(monkeypatch):
    word = "{'descr': '|S3', 'fortran_order': False, 'shape': (), }"
    long = "{'descr': '<i4', 'fortran_order': False, 'shape': (%d,), }"

    def numbers(*values):
        return npy(long % len(values), struct.pack(f"<{len(values)}i", *values))

    members = {
        "format.npy": npy(word, b"csr"),
        "shape.npy": numbers(2, 3),
        "data.npy": numbers(1, 1),
        "indices.npy": numbers(0, 2),
        "indptr.npy": numbers(0, 1, 2),
    }
    assert scan(archive(members), "a.npz").verdict is Verdict.SAFE
    spoiled = archive(members | {"indices.npy": numbers(0, 1 << 29)})
    assert scan(spoiled, "a.npz").verdict is Verdict.MALICIOUS
    # Whatever the archive is called, and beside whatever lies in it; skops keeps them so.
    assert scan(archive({"in.npz": spoiled, "x.txt": b"words\n"}), "a.zip").verdict is Verdict.MALICIOUS
    assert (
        scan(archive(members | {"indices.npy": numbers(0, 3), "x.txt": b"words\n"}), "a.npz").verdict
        is Verdict.MALICIOUS
    )
    assert rules(scan(archive({"schema.json": json.dumps(GOOD), "a.npz": spoiled}), "a.skops")) >= {
        "npz:sparse"
    }


def test_a_budget_makes_it_incomplete(monkeypatch):
    monkeypatch.setattr(single, "Budget", lambda: Budget(opcodes=10))
    result = run(pickle.dumps(list(range(1000))))
    assert result.status is Status.INCOMPLETE
    assert "opcodes that are followed" in result.reason
    assert result.summary["unknown"] == 1
    assert result.coverage_ppm < PPM


def test_what_it_reads():
    info = ModelsCheck.info
    assert info.selects(asset("x.json", b"", Role.TOKENIZER))
    assert info.selects(asset("x.pkl", b"", Role.DATASET, media.PICKLE))
    assert not info.selects(asset("x.json", b"", Role.DATASET, media.JSON))
    assert info.reads == MODEL_ROLES


def test_a_missing_allow_list_is_no_verdict(monkeypatch):
    monkeypatch.setattr(allowlist, "LIBRARIES", ("no-such-library",))
    with pytest.raises(EnvironmentProblem) as caught:
        allowlist.shipped_documents.__wrapped__()
    assert caught.value.code == "LF2300"


def test_every_document_of_the_allow_list_is_read(project_root):
    folder = project_root / "src" / "lockflight" / "_data" / "allowlist"
    assert {path.stem for path in folder.glob("*.json")} == set(LIBRARIES)


def test_every_rule_of_the_parsers_has_a_meaning(project_root):
    """Rules are written as literals in the parsers; a new one without an entry would be a crash at run time."""
    used = set()
    for path in [
        *(project_root / "src" / "lockflight" / "formats").rglob("*.py"),
        *(project_root / "src" / "lockflight" / "scan" / "walk").glob("*.py"),
    ]:
        source = path.read_text(encoding="utf-8")
        used |= set(
            re.findall(
                r'"((?:pickle|zip|torch|compressed|safetensors|gguf|npy|npz|skops|config|json|yaml|template|file|sentencepiece|onnx|keras|hdf5|tensorflow|mlmodel|xml|trees|tokenizer):[a-z0-9-]+)"',
                source,
            )
        )
        if path.name in {"state.py", "joblib.py", "effects.py"}:
            used |= {f"pickle:{rule}" for rule in re.findall(r'\.(?:block|unknown)\(\s*"([a-z-]+)"', source)}
        if path.name == "chat_template.py":
            used |= {f"template:{rule}" for rule in re.findall(r'self\.add\(\s*"([a-z-]+)"', source)}
    used |= {"pickle:budget", "pickle:broken", "compressed:corrupt", "compressed:bomb", "compressed:budget"}
    assert used == set(RULES)


@pytest.mark.parametrize("name", ["lambda.keras", "lambda.h5"])
def test_a_lambda_of_keras_is_found_with_its_advisory(name, project_root):
    found = scan((project_root / "tests" / "vectors" / "models" / name).read_bytes(), name)
    assert found.verdict is Verdict.MALICIOUS
    assert "keras:lambda" in rules(found)
    assert any("CVE-2024-3660" in finding.ids for finding in found.findings)


@pytest.mark.parametrize("name", ["storage.h5", "link.h5", "virtual.h5"])
def test_weights_of_keras_take_nothing_from_other_files(name, project_root):
    weights = (project_root / "tests" / "vectors" / "models" / "hdf5" / name).read_bytes()
    found = scan(
        archive({"config.json": LAYERS, "metadata.json": b"{}", "model.weights.h5": weights}), "m.keras"
    )
    assert found.verdict is Verdict.MALICIOUS
    assert rules(found) == {"hdf5:external"}


def test_an_attribute_that_pytables_would_unpickle(project_root):
    found = scan((project_root / "tests" / "vectors" / "models" / "hdf5" / "tables.h5").read_bytes(), "m.h5")
    assert found.verdict is Verdict.MALICIOUS
    assert rules(found) == {"file:polyglot", "hdf5:pytables"}


def test_tensors_beside_a_model_are_a_remark(project_root):
    found = scan((project_root / "tests" / "vectors" / "models" / "elsewhere.onnx").read_bytes(), "m.onnx")
    assert found.verdict is Verdict.SAFE
    assert [(f.code, f.severity) for f in found.findings] == [("LF2254", Severity.INFO)]


def test_findings_hold_no_control_characters():
    name = "\x1b[31m\n\u202eevil"
    data = archive({name: EVIL, "b": b"\x80\x04\x8c\x09\x1b[31mos\n\xe2\x80\xae\x8c\x01x\x93."})
    for finding in scan(data, "m.zip").findings:
        shown = finding.message + finding.location.member + finding.salt
        assert shown.isprintable()
        assert shown.isascii()


def test_the_same_bytes_give_the_same_result_in_another_process(project_root):
    code = (
        "import sys, json; sys.path[:0] = ['src', '.']\n"
        "from lockflight.core.source import BytesSource\n"
        "from lockflight.infra.allowlist import shipped_allow_list\n"
        "from lockflight.scan.models import scan_source\n"
        "data = sys.stdin.buffer.read()\n"
        "found = scan_source(BytesSource(data, 'm.pt'), shipped_allow_list())\n"
        "print(json.dumps([f.to_json() for f in found.findings]))\n"
    )
    data = checkpoint(EVIL, **{"extra/x": EVIL, "y": b"z"})
    outputs = {
        subprocess.run(
            [sys.executable, "-X", f"int_max_str_digits={5000 + i}", "-c", code],
            input=data,
            capture_output=True,
            check=True,
            cwd=project_root,
            env={"PYTHONHASHSEED": str(i)},
        ).stdout
        for i in range(2)
    }
    assert len(outputs) == 1
    assert json.loads(outputs.pop()) == [f.to_json() for f in scan(data, "m.pt").findings]


def test_damage_never_makes_a_hostile_file_crash_the_check():
    seeds = [data for data, _ in SAFE.values() if 0 < len(data) < 4000] + [
        data for data, _ in EXECUTES.values() if len(data) < 4000
    ]
    seen = {scan(data, "model.bin").verdict for data in mutants(seeds, 1500, 11)}
    assert {Verdict.SAFE, Verdict.UNKNOWN, Verdict.MALICIOUS} <= seen


@pytest.mark.parametrize("name", ["system.template", "prompt.txt", "config.yaml", "card.md", "prompt"])
def test_a_template_in_any_text_is_found_by_what_it_does(name):
    bad = "a: |\n  {{ config.__class__.__init__.__globals__['os'].system('true') }}\n"
    found = scan(bad.encode(), name)
    assert found.verdict is Verdict.MALICIOUS
    assert any(rule.startswith("template:") for rule in rules(found))
    for fine in (
        "a: b\n",
        "a: |\n  {% for m in messages %}{{ m.content }}{% endfor %}\n",
        "a: '{{ .System }} {{'\n",
    ):
        assert scan(fine.encode(), name).verdict is Verdict.SAFE


def test_a_place_beyond_every_file_is_not_written_down():
    """Signed JSON holds no such number, and a file must not keep its own findings from being signed."""
    issue = Issue("npy:broken", Verdict.UNKNOWN, "It is broken.", offset=1 << 60)
    assert finding_of(issue, "a.npy").location.offset == -1
    assert finding_of(replace(issue, offset=7), "a.npy").location.offset == 7
