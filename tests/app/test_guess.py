from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockflight.app.files.guess import TABLE, guess, guess_name, knowledge_folders, place
from lockflight.core.words import Role
from lockflight.formats import media

R = Role

BY_NAME = [
    (".env", None),
    ("conf/.env.production", None),
    (".env.example", R.OTHER),
    ("certs/server.key", None),
    ("run.log", None),
    ("notes.md~", None),
    (".vscode/settings.json", None),
    (".editorconfig", None),
    ("x.egg-info/PKG-INFO", None),
    ("LICENSE", R.LICENCE),
    ("LICENCES.md", R.LICENCE),
    ("third_party/COPYING.txt", R.LICENCE),
    ("NOTICE", R.LICENCE),
    ("uv.lock", R.DEPENDENCY_LOCK),
    ("requirements.txt", R.DEPENDENCY_LOCK),
    ("requirements-dev.txt", R.DEPENDENCY_LOCK),
    ("requirements/prod.txt", R.DEPENDENCY_LOCK),
    ("package-lock.json", R.DEPENDENCY_LOCK),
    ("poetry.lock", R.DEPENDENCY_LOCK),
    ("Dockerfile", R.BUILD_RECIPE),
    ("docker/Dockerfile.gpu", R.BUILD_RECIPE),
    ("compose.yaml", R.BUILD_RECIPE),
    ("pyproject.toml", R.BUILD_RECIPE),
    ("package.json", R.BUILD_RECIPE),
    ("requirements.in", R.BUILD_RECIPE),
    ("Modelfile", R.BUILD_RECIPE),
    ("model_card.md", R.MODEL_CARD),
    ("DATASHEET.md", R.MODEL_CARD),
    ("README.md", R.DOCUMENTATION),
    ("docs/guide.md", R.DOCUMENTATION),
    ("docs/picture.png", R.DOCUMENTATION),
    ("notes.txt", R.DOCUMENTATION),
    ("adapter_model.safetensors", R.ADAPTER),
    ("adapter_config.json", R.ADAPTER),
    ("lora/weights.safetensors", R.ADAPTER),
    ("tokenizer.json", R.TOKENIZER),
    ("tokenizer.model", R.TOKENIZER),
    ("vocab.txt", R.TOKENIZER),
    ("merges.txt", R.TOKENIZER),
    ("spiece.model", R.TOKENIZER),
    ("cl100k.tiktoken", R.TOKENIZER),
    ("special_tokens_map.json", R.TOKENIZER),
    ("chat_template.jinja", R.PROMPT_TEMPLATE),
    ("prompts/system.md", R.SYSTEM_PROMPT),
    ("prompts/en/system_long.txt", R.SYSTEM_PROMPT),
    ("system.md", R.SYSTEM_PROMPT),
    ("system_prompt.txt", R.SYSTEM_PROMPT),
    ("system.json", R.SERVING_CONFIG),
    ("systematic.md", R.DOCUMENTATION),
    ("prompts/answer.md", R.PROMPT_TEMPLATE),
    ("rag.j2", R.PROMPT_TEMPLATE),
    ("policies/guard.yaml", R.GUARD_POLICY),
    ("guardrails.toml", R.GUARD_POLICY),
    ("policies/refusals.yaml", R.SAFETY_POLICY),
    ("policies/tone.md", R.SAFETY_POLICY),
    ("actions.cel", R.GUARD_POLICY),
    ("data/safety.csv", R.DATASET),
    ("tools.json", R.TOOL_MANIFEST),
    ("tools/search.json", R.TOOL_MANIFEST),
    ("mcp/server.py", R.TOOL_SERVER),
    ("tools/mcp_server.py", R.TOOL_SERVER),
    ("tools/search.py", R.CODE),
    ("feature_store.yaml", R.FEATURE_REFERENCE),
    ("evals/questions.jsonl", R.EVAL_SET),
    ("evals/run.py", R.CODE),
    ("app/main.py", R.CODE),
    ("notebooks/explore.ipynb", R.CODE),
    ("app/settings.yaml", R.CODE),
    ("app/config.json", R.CODE),
    ("src/pkg/py.typed", R.CODE),
    ("vllm.yaml", R.SERVING_CONFIG),
    ("serving/config.yaml", R.SERVING_CONFIG),
    ("triton/config.pbtxt", R.SERVING_CONFIG),
    ("config.yaml", R.SERVING_CONFIG),
    ("index/chunks.jsonl", R.RETRIEVAL_INDEX),
    ("vectors.faiss", R.RETRIEVAL_INDEX),
    ("chroma/chroma.sqlite3", R.RETRIEVAL_INDEX),
    ("kb/returns.md", R.KNOWLEDGE_BASE),
    ("knowledge/faq.html", R.KNOWLEDGE_BASE),
    ("embedding/model.onnx", R.EMBEDDING_MODEL),
    ("all-MiniLM-L6-v2/model.safetensors", R.EMBEDDING_MODEL),
    ("bge-small.gguf", R.EMBEDDING_MODEL),
    ("model.safetensors", R.MODEL_WEIGHTS),
    ("model-00001-of-00030.safetensors", R.MODEL_WEIGHTS),
    ("llama.Q4_K_M.gguf", R.MODEL_WEIGHTS),
    ("classifier.joblib", R.MODEL_WEIGHTS),
    ("net.onnx", R.MODEL_WEIGHTS),
    ("data/frame.pkl", R.DATASET),
    ("config.json", R.ARCHITECTURE_CONFIG),
    ("generation_config.json", R.ARCHITECTURE_CONFIG),
    ("model.safetensors.index.json", R.ARCHITECTURE_CONFIG),
    ("1_Pooling/config.json", R.ARCHITECTURE_CONFIG),
    ("train.csv", R.DATASET),
    ("data/orders.json", R.DATASET),
    ("data/config.json", R.DATASET),
    ("data/raw/scan001", R.DATASET),
    ("data/train.parquet.dvc", R.DATASET_REFERENCE),
    ("mystery", R.OTHER),
    ("thing.xyz", R.OTHER),
]


@pytest.mark.parametrize(("name", "role"), BY_NAME, ids=[name for name, _ in BY_NAME])
def test_by_name(name, role):
    found = guess_name(name)
    assert found.role is role
    assert found.label == (role.value if role else "exclude")


def test_every_line_of_the_table_is_of_use():
    hit = {next((row for row in TABLE if row.fits(place(name))), None) for name, _ in BY_NAME}
    by_content = {
        "README with model card metadata",
        "SentencePiece model",
        "in a tokenizer folder",
        "describes tools",
        "vector database by its name",
        "array in a data folder",
        "model by its content",
        "script by its first line",
        "picture",
    }
    unused = {row.why for row in TABLE if row not in hit} - by_content
    assert unused <= {"code of a tool server", "settings of an editor or linter", "list of requirements"}
    for row in TABLE:
        re.compile(row.base)


@pytest.mark.parametrize(
    ("name", "media_type", "head", "role"),
    [
        ("README.md", media.MARKDOWN, "---\nlicense: mit\n---\n# Model\n", R.MODEL_CARD),
        ("README.md", media.MARKDOWN, "---\nno end", R.DOCUMENTATION),
        ("x.model", media.SENTENCEPIECE, "", R.TOKENIZER),
        ("tokenizer/x.json", media.JSON, "{}", R.TOKENIZER),
        ("api.json", media.JSON, '{"tools": []}', R.TOOL_MANIFEST),
        ("api.json", media.JSON, '[{"name": "x", "inputSchema": {}}]', R.TOOL_MANIFEST),
        ("package.json", media.JSON, '{"tools": []}', R.BUILD_RECIPE),
        ("api.yaml", media.YAML, "tools:\n  - x\n", R.TOOL_MANIFEST),
        ("docstore.json", media.JSON, "{}", R.RETRIEVAL_INDEX),
        ("data/x.npy", media.NPY, "", R.DATASET),
        ("embeddings.bin", media.TORCH_ZIP, "", R.EMBEDDING_MODEL),
        ("no-extension", media.PICKLE, "", R.MODEL_WEIGHTS),
        ("sneaky.txt", media.PICKLE, "", R.MODEL_WEIGHTS),
        ("sneaky.py", media.PICKLE, "", R.MODEL_WEIGHTS),
        ("weights.bin", media.OCTETS, "", R.MODEL_WEIGHTS),
        ("weights.bin", media.TEXT, "", R.OTHER),
        ("run", media.SHELL, "", R.CODE),
        ("logo", media.PNG, "", R.DOCUMENTATION),
    ],
)
def test_by_content(name, media_type, head, role):
    assert guess(place(name, media_type, head)).role is role


def test_by_what_lies_beside():
    assert (
        guess(place("m/model.safetensors", media.SAFETENSORS, "", frozenset({"modules.json"}))).role
        is R.EMBEDDING_MODEL
    )
    assert (
        guess(place("m/config.json", media.JSON, "{}", frozenset({"modules.json"}))).role
        is R.ARCHITECTURE_CONFIG
    )


def test_folders_of_many_texts():
    texts = [".md"] * 8
    assert knowledge_folders({"pages": texts, "docs": texts, "": texts, "few": texts[:7]}) == {"pages"}
    assert knowledge_folders({"pages": [*texts, ".py", ".py"]}) == {"pages"}
    assert knowledge_folders({"pages": [*texts, ".py", ".py", ".py"]}) == frozenset()


@given(st.text(max_size=60), st.sampled_from(["", *media.MEDIA_TYPES]), st.text(max_size=200))
def test_anything_gets_a_guess(name, media_type, head):
    found = guess(place(name, media_type, head))
    assert found.name == name
    assert found.why
