"""What lies in a folder is judged as it is in an archive: no loader knows the difference."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lockflight.app.files.scan import scan
from lockflight.core.attest.check import subjects
from lockflight.core.findings import Verdict, worst
from lockflight.core.source import BytesSource
from lockflight.core.words import Role
from lockflight.formats.sniff import sniff
from lockflight.infra.allowlist import shipped_allow_list
from lockflight.scan.declared import MODELS
from lockflight.scan.models import scan_source
from tests.corpus.loose import HONEST, LOOSE
from tests.formats.files import safetensors
from tests.scan.subjects import asset, release


def zipped(path, files):
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return str(path)


def laid(folder, files):
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return str(folder)


def test_each_file_gets_the_verdict_that_it_has_in_an_archive(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    files = {f"bad/{name}": data for name, (data, _) in LOOSE.items()}
    files |= {f"good/{name}": data for name, data in HONEST.items()}
    (tmp_path / "zips").mkdir()
    laid(tmp_path / "folder", files)
    pairs = {
        name: f"zips/{number}.zip"
        for number, (name, data) in enumerate(files.items())
        if zipped(tmp_path / "zips" / f"{number}.zip", {name: data})
    }
    outcome = scan(["folder", "zips"], checks=("models",), workers=2)
    verdicts = {file.name: file.verdict for file in outcome.files}
    assert {n: verdicts[f"folder/{n}"] for n in pairs} == {n: verdicts[z] for n, z in pairs.items()}
    assert [n for n in files if n.startswith("bad/") and verdicts[f"folder/{n}"] is Verdict.SAFE] == []
    assert [n for n in files if n.startswith("good/") and verdicts[f"folder/{n}"] is not Verdict.SAFE] == []
    rules = {file.name: {f.rule for f in file.findings} for file in outcome.files}
    assert [n for n, (_, rule) in LOOSE.items() if rule not in rules[f"folder/bad/{n}"]] == []


FILES = {name: data for name, (data, _) in LOOSE.items()} | {
    f"x/{name}": data for name, data in HONEST.items()
}


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(names=st.lists(st.sampled_from(sorted(FILES)), min_size=1, max_size=6, unique=True))
def test_a_folder_is_as_bad_as_its_archive(tmp_path, names):
    allow = shipped_allow_list()
    alone = [scan_source(BytesSource(FILES[name], name), allow).verdict for name in names]
    path = zipped(tmp_path / "a.zip", {name: FILES[name] for name in names})
    data = Path(path).read_bytes()
    assert scan_source(BytesSource(data, "a.zip"), allow).verdict is worst(alone)


@pytest.mark.parametrize(
    ("name", "role"),
    [
        ("chat_template.jinja", Role.PROMPT_TEMPLATE),
        ("additional_chat_templates/rag.jinja", Role.PROMPT_TEMPLATE),
        ("prompts/system.md", Role.SYSTEM_PROMPT),
        ("prompts/answer.prompt", Role.PROMPT_TEMPLATE),
        ("serving/config.yaml", Role.SERVING_CONFIG),
        ("tools.json", Role.TOOL_MANIFEST),
        ("thing.json", Role.OTHER),
        # Loaders find these by their names, whatever somebody says that they are.
        ("chat_template.jinja", Role.DOCUMENTATION),
        ("model/MLmodel", Role.DOCUMENTATION),
        ("saved_model.pbtxt", Role.CODE),
        ("model.PMML", Role.DATASET),
    ],
)
def test_the_gate_wants_it_judged(name, role):
    data = b"{}"
    one = asset(name, data, role, sniff(BytesSource(data, name)))
    assert [s.name for s in subjects(MODELS, release(assets=[one]))] == [name]


@pytest.mark.parametrize(
    ("name", "role"),
    [
        ("README.md", Role.DOCUMENTATION),
        ("data/rows.json", Role.DATASET),
        ("entrypoint.sh", Role.SERVING_CONFIG),
        ("picture.png", Role.OTHER),
        ("app/settings.yaml", Role.CODE),
    ],
)
def test_the_gate_does_not_want_what_no_loader_of_models_opens(name, role):
    data = b"\x89PNG\r\n\x1a\n" if name.endswith("png") else b"a: b\n"
    one = asset(name, data, role, sniff(BytesSource(data, name)))
    assert subjects(MODELS, release(assets=[one])) == ()


RUNS = b"import os\nos.system('true')\n"
FINE = b"def double(x):\n    return 2 * x\n"


def verdicts(path, **options):
    return {file.name.rsplit("/", 1)[-1]: file for file in scan([str(path)], workers=2, **options).files}


def test_code_that_a_model_brings_is_judged(tmp_path):
    laid(
        tmp_path,
        {
            "config.json": b'{"model_type": "llama"}',
            "handler.py": RUNS,
            "__init__.py": RUNS,
            "sitecustomize.py": RUNS,
            "utils.pyw": b"import pickle\nx = pickle.loads(b'x')\n",
            "fine.py": FINE,
            "broken.py": b"def f(:\n",
            "paths.pth": b"# ours\nimport os; os.system('true')\n",
            "only.pth": b"src\nimportant\n",
            "run.sh": b"true\n",
            "page.js": b"let x = 1\n",
            "native.cu": b"int main() { return 0; }\n",
        },
    )
    found = verdicts(tmp_path)
    assert {
        name: file.verdict for name, file in found.items() if file.verdict is Verdict.REVIEW
    } == dict.fromkeys(
        ["handler.py", "__init__.py", "sitecustomize.py", "utils.pyw", "broken.py"], Verdict.REVIEW
    )
    assert {name for name, file in found.items() if file.verdict is Verdict.SAFE} == {
        "config.json",
        "fine.py",
        "only.pth",
    }
    assert found["paths.pth"].verdict is Verdict.UNKNOWN
    assert [f.rule for f in found["paths.pth"].findings] == ["file:code"]
    for name in ("run.sh", "page.js", "native.cu"):
        assert (found[name].verdict, found[name].reason) == (None, "no check judges code of its language")
    # Who asked for something else did not ask for that.
    assert verdicts(tmp_path / "run.sh", checks=("secrets",))["run.sh"].verdict is Verdict.SAFE


def test_python_that_is_a_pickle_too_is_no_python(tmp_path):
    body = b";import os;os.system('true')#"
    both = b"U'" + b"'" + body.ljust(38, b"#") + b"0N0N0N."
    compile(both, "both.py", "exec")
    laid(tmp_path, {"both.py": both})
    assert verdicts(tmp_path)["both.py"].verdict is Verdict.MALICIOUS
    assert scan_source(BytesSource(both, "both.py"), shipped_allow_list()).verdict is Verdict.MALICIOUS


@pytest.mark.parametrize(
    ("files", "verdict"),
    [
        ({"fine.py": FINE, "config.json": b"{}"}, Verdict.SAFE),
        ({"a/__init__.py": b"\n", "a/fine.py": FINE}, Verdict.SAFE),
        ({"fine.py": RUNS}, Verdict.REVIEW),
        ({"fine.py": FINE, "config.json": b'{"_target_": "os.system"}'}, Verdict.MALICIOUS),
        ({"fine.py": FINE, "auto.json": b'{"auto_map": {"A": "fine.A"}}'}, Verdict.REVIEW),
        ({"fine.py": FINE, "b.bin": b"\0\1\2\3" * 30}, Verdict.UNKNOWN),
        ({"fine.py": FINE, "run.sh": b"true\n"}, Verdict.UNKNOWN),
        ({"broken.py": b"def f(:\n"}, Verdict.UNKNOWN),
        ({"fine.py": FINE, "notes.ipynb": b'{"cells": [], "nbformat": 4}'}, Verdict.UNKNOWN),
    ],
)
def test_code_in_an_archive_is_judged_as_well(tmp_path, files, verdict):
    zipped(tmp_path / "model.zip", files)
    (file,) = verdicts(tmp_path).values()
    assert file.verdict is verdict
    unjudged = verdict is Verdict.UNKNOWN and "b.bin" not in files
    assert ("file:code" in {f.rule for f in file.findings}) is unjudged
    # The check of models alone does not take code for safe.
    (alone,) = verdicts(tmp_path, checks=("models",)).values()
    assert alone.verdict in {Verdict.UNKNOWN, Verdict.MALICIOUS}


def sentence_model():
    """A folder as sentence-transformers writes it, with a layer of its own."""
    part = "sentence_transformers.models."
    kinds = [
        ("", "Transformer"),
        ("1_Pooling", "Pooling"),
        ("2_Dense", "Dense"),
        ("3_Normalize", "Normalize"),
    ]
    documents = {
        "modules.json": [
            {"idx": i, "name": str(i), "path": path, "type": part + kind}
            for i, (path, kind) in enumerate(kinds)
        ],
        "1_Pooling/config.json": {"word_embedding_dimension": 384, "pooling_mode_mean_tokens": True},
        "2_Dense/config.json": {
            "in_features": 384,
            "out_features": 128,
            "bias": True,
            "activation_function": "torch.nn.modules.activation.Tanh",
        },
        "sentence_bert_config.json": {"max_seq_length": 256, "do_lower_case": False},
        "config_sentence_transformers.json": {
            "__version__": {"sentence_transformers": "5.1.0", "pytorch": "2.8.0"},
            "prompts": {"query": "query: "},
            "similarity_fn_name": "cosine",
        },
        "config.json": {"_name_or_path": "who/base", "architectures": ["BertModel"], "model_type": "bert"},
        "tokenizer_config.json": {"do_lower_case": True, "tokenizer_class": "BertTokenizer"},
        "special_tokens_map.json": {"unk_token": "[UNK]"},
        "tokenizer.json": {"version": "1.0", "model": {"type": "WordPiece", "vocab": {"[PAD]": 0, "the": 1}}},
    }
    weights = safetensors({"w": {"dtype": "F32", "shape": [2, 2], "data_offsets": [0, 16]}}, bytes(16))
    return {
        **{name: json.dumps(document).encode() for name, document in documents.items()},
        "vocab.txt": b"[PAD]\nthe\n##ing\n",
        "README.md": b"---\npipeline_tag: sentence-similarity\n---\n\n# A model of sentences\n",
        "model.safetensors": weights,
        "2_Dense/model.safetensors": weights,
    }


def test_a_model_of_sentence_transformers_is_safe(tmp_path):
    laid(tmp_path, sentence_model())
    outcome = scan([str(tmp_path)], workers=2)
    assert {file.verdict for file in outcome.files} == {Verdict.SAFE}
    assert len(outcome.files) == len(sentence_model())


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("modules.json", b"sentence_transformers.models.Pooling", b"my_pooling.Pooling"),
        ("modules.json", b'"1_Pooling"', b'"../1_Pooling"'),
        ("2_Dense/config.json", b"torch.nn.modules.activation.Tanh", b"os.abort"),
        ("config.json", b'"who/base"', b'"who/base", "auto_map": {"AutoModel": "modeling.M"}'),
    ],
)
def test_one_that_brings_more_is_not(tmp_path, name, old, new):
    files = sentence_model()
    assert old in files[name]
    laid(tmp_path, {**files, name: files[name].replace(old, new)})
    bad = [file.name for file in scan([str(tmp_path)], workers=2).files if file.verdict is not Verdict.SAFE]
    assert bad == [f"{tmp_path}/{name}"]
