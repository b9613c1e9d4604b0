"""The two examples as they are committed: complete manifests, useful contents, nothing that does not belong there."""

from __future__ import annotations

import importlib.util
import json
import re
import sys
from pathlib import Path
from types import ModuleType

import jsonschema
import pytest

from lockflight.core.release.manifest import Manifest, parse_manifest
from lockflight.core.words import Kind, Role, Tier

NAMES = ("support-assistant", "tumour-classifier")
#: What `prepare.py` adds to the committed files.
MADE = {
    "support-assistant": (
        "index/chunks.jsonl",
        "index/embeddings.safetensors",
        "models/minilm/LICENCE",
        "models/minilm/config.json",
        "models/minilm/data_config.json",
        "models/minilm/model.safetensors",
        "models/minilm/tokenizer.json",
        "models/smollm2/LICENCE",
        "models/smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
    ),
    "tumour-classifier": (
        "artefacts/features.json",
        "artefacts/metrics.json",
        "artefacts/model.joblib",
        "artefacts/model.skops",
        "artefacts/test.csv",
        "artefacts/train.csv",
    ),
}


@pytest.fixture(params=NAMES)
def example(request: pytest.FixtureRequest, project_root: Path) -> Path:
    return project_root / "examples" / request.param


@pytest.fixture
def assistant(project_root: Path) -> Path:
    return project_root / "examples" / "support-assistant"


def manifest(example: Path) -> Manifest:
    return parse_manifest((example / "lockflight.toml").read_bytes())


def prepare_module(example: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    # Its import of the shared module must leave no trace.
    monkeypatch.setattr(sys, "path", [*sys.path])
    spec = importlib.util.spec_from_file_location(f"prepare_{example.name[:3]}", example / "prepare.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def workspace_files(example: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    files: list[str] = [*MADE[example.name]]
    for name in prepare_module(example, monkeypatch).COMMITTED:
        path = example / name
        inside = sorted(path.rglob("*")) if path.is_dir() else [path]
        files += [
            str(file.relative_to(example))
            for file in inside
            if file.is_file() and "__pycache__" not in file.parts
        ]
    return files


def test_every_file_has_one_role_or_a_reason(example: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rules = manifest(example)
    for name in workspace_files(example, monkeypatch):
        if name == "lockflight.toml":
            continue
        roles = [rule.role for rule in rules.assets if any(glob.matches(name) for glob in rule.globs)]
        excluded = [rule.reason for rule in rules.excludes if any(glob.matches(name) for glob in rule.globs)]
        assert len(roles) + len(excluded) == 1, (name, roles, excluded)


def test_every_pattern_names_a_file(example: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = workspace_files(example, monkeypatch)
    rules = manifest(example)
    for rule in (*rules.assets, *rules.excludes):
        for glob in rule.globs:
            assert any(glob.matches(name) for name in files), glob.text


def test_kinds_and_tiers(project_root: Path) -> None:
    found = [manifest(project_root / "examples" / name) for name in NAMES]
    assert [(one.kind, one.tier) for one in found] == [
        (Kind.RAG_APP, Tier.LIMITED),
        (Kind.CLASSIFIER, Tier.HIGH),
    ]
    assert all(one.references and not one.notices for one in found)


def test_wheels_that_weights_come_from_are_those_of_the_lock(assistant: Path, project_root: Path) -> None:
    lock = (project_root / "requirements" / "examples-nodeps.txt").read_text(encoding="utf-8")
    for reference in manifest(assistant).references:
        name, version = reference.uri.removeprefix("pkg:pypi/").split("@")
        assert f"{name}=={version}" in lock
        assert reference.digest in lock


def test_no_weights_and_nothing_large_among_the_committed_files(
    example: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    committed = [name for name in workspace_files(example, monkeypatch) if name not in MADE[example.name]]
    assert max((example / name).stat().st_size for name in committed) < 100_000
    assert not {Path(name).suffix for name in committed} & {
        ".gguf",
        ".safetensors",
        ".joblib",
        ".pkl",
        ".skops",
    }


def test_locks_are_exact_hashed_and_name_no_address(example: Path) -> None:
    text = (example / "requirements.txt").read_text(encoding="utf-8")
    pins = re.findall(r"^[a-z].*$", text, re.MULTILINE)
    assert pins
    assert all("==" in pin and pin.endswith("\\") for pin in pins)
    assert text.count("--hash=sha256:") >= len(pins)
    assert "http" not in text


def test_the_knowledge_base_is_sizeable_and_names_no_real_place_to_write_to(assistant: Path) -> None:
    pages = {path.name: path.read_text(encoding="utf-8") for path in (assistant / "kb").glob("*.md")}
    assert len(pages) >= 40
    for name, text in pages.items():
        assert text.startswith("# "), name
        assert set(re.findall(r"@([a-z.]+[a-z])", text)) <= {"example.com"}, name
        assert set(re.findall(r"\b\d{3}-\d{4}\b", text)) <= {"555-0142"}, name


def test_eval_items_name_pages_that_hold_their_facts(assistant: Path) -> None:
    lines = (assistant / "evals" / "questions.jsonl").read_text(encoding="utf-8").splitlines()
    items = [json.loads(line) for line in lines]
    assert len({item["id"] for item in items}) == len(items) >= 60
    assert sum(not item["answerable"] for item in items) >= 15
    for item in items:
        assert bool(item["documents"]) is item["answerable"], item["id"]
        texts = " ".join((assistant / page).read_text(encoding="utf-8") for page in item["documents"])
        assert all(fact.lower() in texts.lower() for fact in item["facts"]), item["id"]


def test_tools_have_closed_schemas_that_their_data_obeys(assistant: Path) -> None:
    document = json.loads((assistant / "tools" / "manifest.json").read_text(encoding="utf-8"))
    tools = {tool["name"]: tool for tool in document["tools"]}
    assert set(tools) == {"lookup_order", "create_ticket"}
    for tool in tools.values():
        for schema in (tool["inputSchema"], tool["outputSchema"]):
            jsonschema.Draft202012Validator.check_schema(schema)
            assert schema["additionalProperties"] is False
    for order in json.loads((assistant / "data" / "orders.json").read_text(encoding="utf-8")):
        jsonschema.validate(order, tools["lookup_order"]["outputSchema"])
        jsonschema.validate({"order": order["order"]}, tools["lookup_order"]["inputSchema"])


def test_every_module_of_the_app_is_an_asset(assistant: Path) -> None:
    roles = {Role.CODE, Role.BUILD_RECIPE, Role.TOOL_SERVER}
    globs = [glob for rule in manifest(assistant).assets if rule.role in roles for glob in rule.globs]
    for module in sorted((assistant / "app").glob("*.py")):
        assert any(glob.matches(f"app/{module.name}") for glob in globs), module.name
