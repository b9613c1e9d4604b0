from __future__ import annotations

import json
import os
import tomllib

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lockflight.app.files import init as module
from lockflight.app.files.describe import describe, describe_guess
from lockflight.app.files.guess import HIGH, Guess
from lockflight.app.files.init import guess_kind, guess_tier, is_pinned, propose, quote, write_manifest
from lockflight.core.release.manifest import parse_manifest
from lockflight.core.words import Kind, Role, Tier
from lockflight.errors import ConflictError, EnvironmentProblem, InternalError, InvalidInput, NotFound

R, K = Role, Kind


def fill(folder, files):
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return folder


def safetensors():
    head = b"{}"
    return len(head).to_bytes(8, "little") + head


def refused(kind, code, call, *arguments, **named):
    with pytest.raises(kind) as raised:
        call(*arguments, **named)
    assert raised.value.code == code
    return raised.value


HUGGING_FACE = {
    "README.md": "---\nlicense: mit\n---\n# A model\n",
    "LICENSE": "MIT",
    "config.json": json.dumps({"architectures": ["LlamaForCausalLM"]}),
    "generation_config.json": "{}",
    "tokenizer.json": "{}",
    "tokenizer_config.json": "{}",
    "special_tokens_map.json": "{}",
    "chat_template.jinja": "{{ messages }}",
    "model.safetensors.index.json": "{}",
    **{f"model-0000{i}-of-00003.safetensors": safetensors() for i in (1, 2, 3)},
    ".gitattributes": "* lfs",
}

ASSISTANT = {
    "app/main.py": "print()",
    "app/tools.py": "print()",
    "prompts/system.md": "You are",
    "prompts/answer.md": "Answer",
    "kb/a.md": "a",
    "kb/b.md": "b",
    "index/vectors.safetensors": safetensors(),
    "index/chunks.jsonl": "{}",
    "policies/guard.toml": "x = 1",
    "serving/config.yaml": "x: 1",
    "evals/questions.jsonl": "{}",
    "uv.lock": "version = 1",
    "requirements.txt": "x==1",
    "README.md": "# Bot",
    "Dockerfile": "FROM python:3.13@sha256:" + "a" * 64 + "\nFROM node:22\n",
    ".env": "SECRET=1",
    "model.gguf": b"GGUF" + bytes(40),
}


def test_a_hugging_face_folder(tmp_path):
    proposal = propose(fill(tmp_path / "Llama Tiny", HUGGING_FACE))
    manifest = parse_manifest(proposal.text)
    assert (manifest.name, manifest.kind, manifest.tier) == ("llama-tiny", K.BASE_MODEL, Tier.LIMITED)
    assert {r.role: [g.text for g in r.globs] for r in manifest.assets} == {
        R.MODEL_WEIGHTS: ["*.safetensors"],
        R.ARCHITECTURE_CONFIG: ["config.json", "generation_config.json", "model.safetensors.index.json"],
        R.TOKENIZER: ["special_tokens_map.json", "tokenizer.json", "tokenizer_config.json"],
        R.PROMPT_TEMPLATE: ["chat_template.jinja"],
        R.MODEL_CARD: ["README.md"],
        R.LICENCE: ["LICENSE"],
    }


def test_an_application(tmp_path):
    folder = fill(tmp_path / "bot", ASSISTANT)
    proposal = propose(folder)
    manifest = parse_manifest(proposal.text)
    assert manifest.kind is K.RAG_APP
    assert {r.role: [g.text for g in r.globs] for r in manifest.assets} == {
        R.MODEL_WEIGHTS: ["model.gguf"],
        R.SERVING_CONFIG: ["serving/config.yaml"],
        R.SYSTEM_PROMPT: ["prompts/system.md"],
        R.PROMPT_TEMPLATE: ["prompts/answer.md"],
        R.GUARD_POLICY: ["policies/guard.toml"],
        R.KNOWLEDGE_BASE: ["kb/**"],
        R.RETRIEVAL_INDEX: ["index/**"],
        R.EVAL_SET: ["evals/questions.jsonl"],
        R.CODE: ["app/**"],
        R.BUILD_RECIPE: ["Dockerfile"],
        R.DEPENDENCY_LOCK: ["requirements.txt", "uv.lock"],
        R.DOCUMENTATION: ["README.md"],
    }
    assert [(r.reason, [g.text for g in r.globs]) for r in manifest.excludes] == [
        ("settings of one machine, often with secrets", [".env"])
    ]
    [image] = manifest.references
    assert (image.role, image.name, image.uri, image.digest) == (
        R.IMAGE_BASE,
        "python",
        "python:3.13",
        "sha256:" + "a" * 64,
    )
    assert "line 2: the base image node:22 is not pinned" in proposal.text
    with describe(folder, manifest_text=proposal.text) as found:
        assert len(found.release.assets) == len(ASSISTANT)
        # Data need not be readable as a table; then its rows are unknown, and that is said.
        assert {notice.code for notice in found.notices} <= {"LF1033"}


def test_every_guess_is_explained(tmp_path):
    proposal = propose(fill(tmp_path / "bot", ASSISTANT | {"mystery": "?"}))
    for guess in proposal.guesses:
        assert guess.why in proposal.text
    assert "# nothing says what it is: mystery; NOT SURE, please check" in proposal.text


def test_many_texts_make_a_knowledge_base(tmp_path):
    pages = {f"pages/p{i}.md": "x" for i in range(9)}
    proposal = propose(fill(tmp_path / "x", pages | {"pages/README.md": "r"}))
    roles = {g.name: g.role for g in proposal.guesses}
    assert roles.pop("pages/README.md") is R.DOCUMENTATION
    assert set(roles.values()) == {R.KNOWLEDGE_BASE}


def test_embedding_models_are_known_by_what_lies_above(tmp_path):
    files = {
        "m/modules.json": "[]",
        "m/onnx/x.safetensors": safetensors(),
        "other/x.safetensors": safetensors(),
    }
    roles = {g.name: g.role for g in propose(fill(tmp_path / "x", files)).guesses}
    assert roles["m/onnx/x.safetensors"] is R.EMBEDDING_MODEL
    assert roles["other/x.safetensors"] is R.MODEL_WEIGHTS
    files = {"modules.json": "[]", "deep/er/x.safetensors": safetensors()}
    assert propose(fill(tmp_path / "y", files)).kind is K.EMBEDDING_SERVICE


@pytest.mark.parametrize(
    "config", ["{}", '{"architectures": 7}', '{"architectures": [', "not json", '{"architectures": [null]}']
)
def test_configurations_that_say_nothing(tmp_path, config):
    assert propose(fill(tmp_path / "m", {"config.json": config, "m.gguf": b"GGUF"})).kind is K.MODEL


def test_what_can_be_no_asset_is_left_out_openly(tmp_path):
    folder = fill(tmp_path / "m", {"m.gguf": b"GGUF", "d/x.csv": "1"})
    (folder / "link.gguf").symlink_to("m.gguf")
    (folder / "d/way").symlink_to("..")
    os.mkfifo(folder / "pipe")
    for name in (b"bad\xff.csv", b"a\nb.csv", b"back\\slash", b"nul.txt", b"dot."):
        (folder / os.fsdecode(name)).write_text("x")
    (folder / ".GIT").mkdir()
    (folder / ".GIT/config").write_text("x")
    proposal = propose(folder)
    assert proposal.links == ("d/way", "link.gguf")
    assert "PLEASE CHECK: if the release needs what these links point to" in proposal.text
    with describe(folder, manifest_text=proposal.text) as found:
        assert [a.name for a in found.release.assets] == ["lockflight.toml", "d/x.csv", "m.gguf"]
        assert len(found.excluded) == 9


def test_names_that_collide_are_for_people(tmp_path):
    refused(InvalidInput, "LF1017", propose, fill(tmp_path / "m", {"a.csv": "1", "A.csv": "2"}))


def test_a_pattern_that_would_take_another_file_along_is_refused(tmp_path):
    folder = fill(tmp_path / "m", {"axb.csv": "1", os.fsdecode(b"a\xffb.csv"): "2"})
    refused(InvalidInput, "LF1014", propose, folder)


def test_a_proposal_that_does_not_fit_is_a_bug(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "patterns", lambda labels: {"other": sorted(labels)})
    refused(InternalError, "LF1122", propose, fill(tmp_path / "m", {"a.csv": "1"}))


def test_nothing_to_propose(tmp_path):
    refused(NotFound, "LF1009", propose, tmp_path / "nowhere")
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git/config").write_text("x")
    (tmp_path / "link").symlink_to(".git")
    (tmp_path / "lockflight.toml").write_text("old")
    assert refused(NotFound, "LF1121", propose, tmp_path).hint


def test_an_old_manifest_does_not_matter(tmp_path):
    folder = fill(tmp_path / "m", {"a.csv": "1"})
    first = propose(folder).text
    (folder / "lockflight.toml").write_text("broken [")
    assert propose(folder).text == first


@pytest.mark.parametrize(
    ("folder", "name"),
    [
        ("My Model (v2)", "my-model-v2"),
        ("---", "release"),
        ("Ünï", "n"),
        ("a" * 200, "a" * 128),
        (".x.", "x"),
        ("日本", "release"),
    ],
)
def test_names_of_folders(tmp_path, folder, name):
    assert parse_manifest(propose(fill(tmp_path / folder, {"a.csv": "1"})).text).name == name


def guesses(*roles):
    return [Guess(f"f{i}", role, "why", HIGH) for i, role in enumerate(roles)]


@pytest.mark.parametrize(
    ("roles", "architectures", "kind"),
    [
        ((R.TOOL_MANIFEST, R.SYSTEM_PROMPT, R.KNOWLEDGE_BASE, R.MODEL_WEIGHTS), (), K.AGENT),
        ((R.SYSTEM_PROMPT, R.RETRIEVAL_INDEX), (), K.RAG_APP),
        ((R.PROMPT_TEMPLATE, R.KNOWLEDGE_BASE), (), K.RAG_APP),
        ((R.SYSTEM_PROMPT, R.MODEL_WEIGHTS), (), K.LLM_APP),
        (
            (R.MODEL_WEIGHTS, R.ARCHITECTURE_CONFIG, R.TOKENIZER),
            ("BertForSequenceClassification",),
            K.CLASSIFIER,
        ),
        (
            (R.MODEL_WEIGHTS, R.ARCHITECTURE_CONFIG, R.TOKENIZER),
            ("T5ForConditionalGeneration",),
            K.BASE_MODEL,
        ),
        ((R.MODEL_WEIGHTS, R.ARCHITECTURE_CONFIG, R.TOKENIZER), ("BertModel",), K.MODEL),
        ((R.MODEL_WEIGHTS, R.DATASET, R.CODE), (), K.CLASSIFIER),
        ((R.ADAPTER,), (), K.MODEL),
        ((R.EMBEDDING_MODEL, R.CODE), (), K.EMBEDDING_SERVICE),
        ((R.TOOL_SERVER, R.CODE), (), K.TOOL_SERVER),
        ((R.TOOL_MANIFEST,), (), K.TOOL_SERVER),
        ((R.PROMPT_TEMPLATE, R.CODE), (), K.LLM_APP),
        ((R.RETRIEVAL_INDEX,), (), K.KNOWLEDGE_BASE),
        ((R.KNOWLEDGE_BASE, R.DATASET), (), K.KNOWLEDGE_BASE),
        ((R.DATASET, R.CODE), (), K.DATASET),
        ((R.DATASET_REFERENCE,), (), K.DATASET),
        ((R.SAFETY_POLICY,), (), K.POLICY),
        ((R.GUARD_POLICY,), (), K.POLICY),
        ((R.CODE, None), (), K.MODEL),
    ],
)
def test_kinds(roles, architectures, kind):
    found, why = guess_kind(guesses(*roles), frozenset(architectures))
    assert found is kind
    assert why


def test_tiers():
    assert guess_tier(K.AGENT, [], "bot")[0] is Tier.HIGH
    assert guess_tier(K.CLASSIFIER, [], "tumour-classifier")[0] is Tier.HIGH
    tier, why = guess_tier(K.MODEL, [Guess("data/Patients.csv", R.DATASET, "", HIGH)], "x")
    assert (tier, "patient" in why) == (Tier.HIGH, True)
    for kind in Kind:
        assert guess_tier(kind, [], "x")[0] is not Tier.MINIMAL


# Writing.


def test_a_manifest_is_written_once(tmp_path):
    path = write_manifest(tmp_path, "a = 1\n")
    assert path.read_text() == "a = 1\n"
    refused(ConflictError, "LF1120", write_manifest, tmp_path, "b = 1\n")
    assert path.read_text() == "a = 1\n"
    write_manifest(tmp_path, "b = 1\n", force=True)
    assert path.read_text() == "b = 1\n"


def test_a_manifest_is_never_written_through_a_link(tmp_path):
    (tmp_path / "outside").write_text("mine")
    (tmp_path / "in").mkdir()
    (tmp_path / "in/lockflight.toml").symlink_to("../outside")
    refused(ConflictError, "LF1120", write_manifest, tmp_path / "in", "x")
    refused(EnvironmentProblem, "LF1104", write_manifest, tmp_path / "in", "x", force=True)
    assert (tmp_path / "outside").read_text() == "mine"


def test_a_folder_that_cannot_be_written(tmp_path):
    refused(EnvironmentProblem, "LF1104", write_manifest, tmp_path / "nowhere", "x")


@given(st.text(max_size=60))
def test_quoted_text_reads_back(text):
    assert tomllib.loads(f"x = {quote(text)}")["x"] == text
    assert quote(text).isprintable()


def test_what_is_no_character_is_not_written():
    assert quote("a\udcff") == '"a?"'


# The promise: a proposal describes the folder for which it was made.

WORDS = """
a b.md config.json data kb prompts system.md tools x.py m.safetensors d* [x] q?.csv .env Dockerfile tokenizer w.bin
.hidden e.log README.md evals x.jsonl a'b"c - éü.txt
"""
PARTS = st.sampled_from(["ö with space.txt", *WORDS.split()])
NAMES = st.lists(PARTS, min_size=1, max_size=3).map("/".join)
IMAGE = b"FROM x@sha256:" + b"a" * 64
CONTENTS = st.sampled_from(
    [b"", b"text", b"{}", b"GGUF" + bytes(9), b"\x80\x04N.", b"---\na: 1\n---\n", IMAGE, b"\xff\xfe"]
)


def sound(files):
    folders = {"/".join(n.split("/")[:i]) for n in files for i in range(1, n.count("/") + 1)}
    return {name: data for name, data in files.items() if name not in folders}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(NAMES, CONTENTS, min_size=1, max_size=30).map(sound))
def test_a_proposal_describes_its_folder(tmp_path_factory, files):
    folder = fill(tmp_path_factory.mktemp("folder"), files)
    proposal = propose(folder)
    by_name = {g.name: g for g in proposal.guesses}
    assert set(by_name) == set(files)
    kept = {name for name, guess in by_name.items() if guess.role is not None}
    if not kept:
        return
    with describe_guess(folder) as found:
        assert {a.name: a.role for a in found.release.assets[1:]} == {
            name: by_name[name].role for name in kept
        }
        assert {e.name for e in found.excluded} == set(files) - kept
        # Data need not be readable as a table; then its rows are unknown, and that is said.
        assert {notice.code for notice in found.notices} <= {"LF1033"}
    assert len(found.release.assets) == len(kept) + 1


def test_a_file_that_goes_away_meanwhile(tmp_path, monkeypatch):
    folder = fill(tmp_path / "m", {"a.csv": "1"})
    real = module.Folder.open

    def late(self, name):
        (folder / name).unlink()
        return real(self, name)

    monkeypatch.setattr(module.Folder, "open", late)
    refused(InvalidInput, "LF1003", propose, folder)


@pytest.mark.parametrize(
    ("text", "pinned"),
    [
        ("", True),
        ("# only a remark\n\n-r other.txt\n--index-url x\n", True),
        ("a==1\nb===2.0 # why\nc[extra] == 1.2; python_version < '3.12'\n", True),
        ("a==1 \\\n    --hash=sha256:00\n", True),
        ("a \\\n    --hash=sha256:00\n", True),
        ("a @ https://example.com/a.whl#sha256=00\n", True),
        ("a\n", False),
        ("a==1\nb>=2\n", False),
        ("a==1.*\n", False),
        ("a @ git+https://example.com/a\n", False),
        ("# a==1\nb\n", False),
        ("b # ==1\n", False),
    ],
)
def test_pinned_requirements(text, pinned):
    assert is_pinned(text) is pinned


def test_requirements_that_are_no_lock_are_to_be_checked(tmp_path):
    (tmp_path / "requirements.txt").write_text("numpy\n")
    proposal = propose(tmp_path)
    assert "# PLEASE CHECK: not every requirement has one version" in proposal.text
    assert 'role = "dependency-lock"' in proposal.text
    (tmp_path / "requirements.txt").write_text("numpy==2.0.0\n")
    assert "PLEASE CHECK" not in propose(tmp_path).text
