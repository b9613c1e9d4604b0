"""What a file of a machine-learning project is probably for: a guess by its name, its place and its content.

Guesses are proposals for a person to read, never evidence: `lockflight init` writes them down with their reasons.
The table is tried from top to bottom; the first line that fits wins.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import field

from lockflight.app.files.patterns import extension
from lockflight.core.findings import Confidence
from lockflight.core.records import dataclass
from lockflight.core.words import Role
from lockflight.formats import media
from lockflight.formats.media import MODEL_TYPES

HIGH, MEDIUM, LOW = Confidence.HIGH, Confidence.MEDIUM, Confidence.LOW

#: The label of files that a proposal leaves out.
EXCLUDE = "exclude"


@dataclass(frozen=True, slots=True)
class Guess:
    """Why a file is proposed with a role.

    Attributes:
        name: the file.
        role: the role, or None for a file to exclude.
        why: a few words for people.
        confidence: how sure.
    """

    name: str
    role: Role | None
    why: str
    confidence: Confidence

    @property
    def label(self) -> str:
        """The role's word, or `exclude`."""
        return self.role.value if self.role else EXCLUDE


@dataclass(frozen=True, slots=True)
class Place:
    """What the table looks at.

    Attributes:
        name: as in the listing.
        base: last part, lower case.
        suffix: last extension, lower case, with its dot.
        dirs: the folders above, lower case, outermost first.
        media: what `formats.sniff` says; empty when only the name is known.
        head: the start of a text file; empty for others.
        beside: base names (lower case) of the files in the same folder and the folders above.
    """

    name: str
    base: str
    suffix: str
    dirs: tuple[str, ...]
    media: str = ""
    head: str = ""
    beside: frozenset[str] = field(default_factory=frozenset)


def place(name: str, media_type: str = "", head: str = "", beside: frozenset[str] = frozenset()) -> Place:
    """The place of a file."""
    *dirs, base = name.lower().split("/")
    return Place(name, base, extension(base), tuple(dirs), media_type, head, beside)


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_DATA = _words(".csv .tsv .jsonl .ndjson .parquet .arrow .feather .avro .tfrecord .orc .xlsx .npz .npy")
_TEXT = _words(".md .txt .html .htm .rst .adoc .pdf .json .jsonl .csv .xml .yaml .yml")
_STRUCTURED = _words(".json .yaml .yml .toml")
_SETTINGS = _STRUCTURED | _words(".ini .cfg .conf")
_PROMPT = _words(".md .txt .jinja .jinja2 .j2 .prompt .mustache .yaml .yml .json .tmpl")
_TEMPLATE = _words(".jinja .jinja2 .j2 .prompt .mustache")
_WEIGHTS = _words(
    ".safetensors .gguf .ggml .onnx .pt .pth .bin .h5 .hdf5 .keras .pkl .pickle .joblib .ckpt .tflite .pb .skops"
    " .mlmodel .engine .plan .msgpack .model .params .pdparams .ubj .cbm .dill .nemo"
)
_CODE = _words(
    ".py .pyi .ipynb .js .mjs .cjs .ts .tsx .jsx .go .rs .java .kt .c .cc .cpp .h .hpp .cu .sh .bash .ps1 .rb .php .r"
    " .jl .scala .lua .sql .proto .css .swift .cs"
)
_DOCUMENT = _words(".md .markdown .rst .adoc .txt .pdf .png .jpg .jpeg .gif .webp .svg .bib .cff .html")
_SECRETS = _words(".pem .key .p12 .pfx .jks .keystore")
_VECTORS = _words(".faiss .ann .hnsw .usearch .lance .annoy")

_DATA_DIRS = _words("data dataset datasets train training validation raw processed")
_PROMPT_DIRS = _words("prompts prompt prompt_templates")
_INDEX_DIRS = _words(
    "index indexes indices vectorstore vector_store vectorstores vectordb vector_db chroma chroma_db chromadb faiss"
    " faiss_index lancedb qdrant retrieval_index retrieval-index"
)
_KB_DIRS = _words("kb knowledge knowledge-base knowledge_base knowledgebase corpus passages articles")
_EVAL_DIRS = _words("eval evals evaluation evaluations eval_sets benchmarks golden")
_POLICY_DIRS = _words("policies policy guard guardrails guards safety")
_SERVING_DIRS = _words("serving serve deploy deployment deployments triton k8s kubernetes helm inference")
_MCP_DIRS = _words("mcp mcp_server mcp-server tool_server tool-server tool_servers")
_CODE_DIRS = _words("app src lib scripts tests test")

_NO_KNOWLEDGE = _words("docs doc documentation tests test") | _PROMPT_DIRS | _EVAL_DIRS | _POLICY_DIRS
_PAGES = _words(".md .txt .html .rst")
_ARRAYS = frozenset({media.NPY, media.NPZ})
_SCRIPTS = frozenset({media.PYTHON, media.SHELL, media.JAVASCRIPT})
_PICTURES = frozenset({media.PNG, media.JPEG, media.GIF, media.WEBP})
_BLOBS = frozenset({media.OCTETS, media.EMPTY, media.ZIP, media.TAR})
_SENTENCE_MODEL = _words("modules.json config_sentence_transformers.json sentence_bert_config.json")


def _weights(p: Place) -> bool:
    if not p.media or p.media in _BLOBS:
        return p.suffix in _WEIGHTS
    return p.media in MODEL_TYPES


def _embedding(p: Place) -> bool:
    named = any(re.search(r"embed|minilm|(^|[-_])(bge|gte|e5)([-_]|$)", part) for part in (*p.dirs, p.base))
    return _weights(p) and (named or not p.beside.isdisjoint(_SENTENCE_MODEL))


def _lora(p: Place) -> bool:
    return _weights(p) and (
        "lora" in p.base or not {"adapter", "adapters", "lora", "loras"}.isdisjoint(p.dirs)
    )


def _describes_tools(p: Place) -> bool:
    return bool(
        re.search(r'"?(inputSchema|input_schema|mcpServers)"?\s*:', p.head)
        or re.match(r'\s*\{\s*"tools"\s*:|tools:', p.head)
    )


def _front_matter(p: Place) -> bool:
    return p.head.startswith("---\n") and "\n---" in p.head[4:]


@dataclass(frozen=True, slots=True)
class _Row:
    """One line of the table; every condition that is given must hold."""

    role: Role | None
    confidence: Confidence
    why: str
    base: str = ""
    dirs: frozenset[str] = frozenset()
    ends: frozenset[str] = frozenset()
    media: frozenset[str] = frozenset()
    also: Callable[[Place], bool] | None = None

    def fits(self, p: Place) -> bool:
        return (
            (not self.base or re.fullmatch(self.base, p.base) is not None)
            and (not self.dirs or not self.dirs.isdisjoint(p.dirs))
            and (not self.ends or p.suffix in self.ends)
            and (not self.media or p.media in self.media)
            and (self.also is None or self.also(p))
        )


_R = Role
#: First match wins: what must stay out, names that say it outright, folders, then kinds of file.
TABLE: tuple[_Row, ...] = (
    _Row(
        None,
        HIGH,
        "settings of one machine, often with secrets",
        r"\.env(\.(?!example|sample|template).*)?",
    ),
    _Row(None, HIGH, "private key or certificate store", ends=_SECRETS),
    _Row(None, MEDIUM, "left over from editing or running", r".*(~|\.(log|tmp|bak|swp|orig|rej|pid|pyc))"),
    _Row(None, MEDIUM, "settings of an editor", dirs=_words(".vscode .idea .devcontainer")),
    _Row(
        None,
        MEDIUM,
        "settings of an editor or linter",
        r"\.(editorconfig|pre-commit-config\.ya?ml|flake8|pylintrc|prettierrc.*|eslintrc.*|python-version|nvmrc)",
    ),
    _Row(None, MEDIUM, "build output", also=lambda p: any(d.endswith(".egg-info") for d in p.dirs)),
    _Row(
        _R.LICENCE,
        HIGH,
        "licence text by its name",
        r"(licen[cs]es?|copying|notice|unlicense|use_policy|acceptable_use)([._-].*)?",
    ),
    _Row(
        _R.DEPENDENCY_LOCK,
        HIGH,
        "lock file by its name",
        r"(requirements|constraints).*\.txt|.*\.lock|pylock.*\.toml|package-lock\.json|npm-shrinkwrap\.json"
        r"|pnpm-lock\.yaml|go\.sum|conda-lock\.ya?ml|bun\.lockb",
    ),
    _Row(
        _R.DEPENDENCY_LOCK, MEDIUM, "list of requirements", dirs=_words("requirements"), ends=_words(".txt")
    ),
    _Row(
        _R.BUILD_RECIPE,
        HIGH,
        "build recipe by its name",
        r"(docker|container|model)file.*|.*\.(docker|container)file|(docker-)?compose.*\.ya?ml|\.dockerignore|makefile"
        r"|justfile|jenkinsfile|\.gitlab-ci\.ya?ml|pyproject\.toml|setup\.(py|cfg)|requirements.*\.in|pipfile|procfile"
        r"|environment\.ya?ml|package\.json|go\.mod|cargo\.toml|pom\.xml|build\.gradle.*|cog\.yaml|bentofile\.ya?ml"
        r"|dvc\.yaml|mlproject|tox\.ini|noxfile\.py|.*\.nix|tsconfig\.json|manifest\.in",
    ),
    _Row(
        _R.MODEL_CARD, HIGH, "README with model card metadata", r"(readme|modelcard)\.md", also=_front_matter
    ),
    _Row(_R.MODEL_CARD, HIGH, "card by its name", r"(model|data|dataset|system)[-_ ]?card.*|datasheet.*"),
    _Row(_R.ADAPTER, HIGH, "adapter by its name", r"adapter_(model|config).*"),
    _Row(_R.ADAPTER, MEDIUM, "weights that are named as an adapter", also=_lora),
    _Row(
        _R.TOKENIZER,
        HIGH,
        "tokenizer by its name",
        r"tokenizer.*\.(json|model|txt)|vocab.*\.(json|txt|bpe)|merges\.txt|special_tokens_map\.json|added_tokens\.json"
        r"|(spiece|sentencepiece.*)\.model|.*\.(tiktoken|spm)",
    ),
    _Row(_R.TOKENIZER, HIGH, "SentencePiece model", media=frozenset({media.SENTENCEPIECE})),
    _Row(
        _R.TOKENIZER,
        MEDIUM,
        "in a tokenizer folder",
        dirs=_words("tokenizer tokenizer_2 tokenizers"),
        ends=_STRUCTURED | _words(".txt .model"),
    ),
    _Row(_R.PROMPT_TEMPLATE, HIGH, "chat template by its name", r"chat_template.*"),
    _Row(_R.SYSTEM_PROMPT, HIGH, "system prompt by its name", r".*system.*", dirs=_PROMPT_DIRS),
    _Row(
        _R.SYSTEM_PROMPT,
        HIGH,
        "system prompt by its name",
        r"system([._-].*)?",
        ends=_PROMPT - _STRUCTURED,
    ),
    _Row(_R.PROMPT_TEMPLATE, HIGH, "in a prompts folder", dirs=_PROMPT_DIRS, ends=_PROMPT),
    _Row(_R.PROMPT_TEMPLATE, MEDIUM, "template by its extension", ends=_TEMPLATE),
    _Row(
        _R.GUARD_POLICY,
        HIGH,
        "guard policy by its name",
        r".*guard.*",
        ends=_STRUCTURED | _words(".rego .cel"),
    ),
    _Row(
        _R.SAFETY_POLICY,
        HIGH,
        "safety policy by its name",
        r".*(safety|refusal|moderation|content[-_]policy).*",
        ends=_TEXT | _words(".toml .rego"),
        also=lambda p: _DATA_DIRS.isdisjoint(p.dirs) and _EVAL_DIRS.isdisjoint(p.dirs),
    ),
    _Row(
        _R.TOOL_MANIFEST,
        HIGH,
        "tool manifest by its name",
        r"(tools?|mcp|\.mcp|tool[-_]manifest)\.(json|ya?ml|toml)",
    ),
    _Row(
        _R.TOOL_MANIFEST,
        HIGH,
        "describes tools",
        ends=_STRUCTURED,
        also=lambda p: _describes_tools(p) and p.base != "package.json",
    ),
    _Row(_R.TOOL_MANIFEST, MEDIUM, "in a tools folder", dirs=_words("tools tool mcp"), ends=_STRUCTURED),
    _Row(_R.TOOL_SERVER, MEDIUM, "code of a tool server", dirs=_MCP_DIRS, ends=_CODE),
    _Row(_R.TOOL_SERVER, MEDIUM, "code of a tool server", r".*(mcp|tool[-_]?server).*", ends=_CODE),
    _Row(
        _R.FEATURE_REFERENCE,
        MEDIUM,
        "feature definitions by name",
        r"feature[-_]?(store|view|service|repo|definition).*",
    ),
    _Row(
        _R.EVAL_SET,
        HIGH,
        "data in an evaluation folder",
        dirs=_EVAL_DIRS,
        ends=_DATA | _STRUCTURED | _words(".txt"),
    ),
    _Row(_R.CODE, HIGH, "source code", ends=_CODE, also=lambda p: p.media not in MODEL_TYPES),
    _Row(
        _R.SERVING_CONFIG,
        HIGH,
        "serving settings by name",
        r"(vllm|serving|serve|litellm|ray_serve|kserve|nginx|triton|inference).*\.(ya?ml|json|toml|conf)|config\.pbtxt"
        r"|model-settings\.json",
    ),
    _Row(
        _R.SERVING_CONFIG,
        HIGH,
        "in a serving folder",
        dirs=_SERVING_DIRS,
        ends=_SETTINGS | _words(".pbtxt .tpl"),
    ),
    _Row(_R.RETRIEVAL_INDEX, HIGH, "index by its extension", ends=_VECTORS),
    _Row(_R.RETRIEVAL_INDEX, HIGH, "in an index folder", dirs=_INDEX_DIRS),
    _Row(
        _R.RETRIEVAL_INDEX,
        MEDIUM,
        "vector database by its name",
        r".*(chroma\.sqlite|vectorstore|faiss).*|docstore\.json",
    ),
    _Row(_R.KNOWLEDGE_BASE, HIGH, "in a knowledge folder", dirs=_KB_DIRS, ends=_TEXT),
    _Row(_R.DATASET, MEDIUM, "array in a data folder", dirs=_DATA_DIRS, media=_ARRAYS),
    _Row(_R.EMBEDDING_MODEL, MEDIUM, "weights of an embedding model", also=_embedding),
    _Row(_R.DATASET, LOW, "format of weights, in a data folder", dirs=_DATA_DIRS, also=_weights),
    _Row(_R.MODEL_WEIGHTS, HIGH, "model by its content", media=MODEL_TYPES - _ARRAYS),
    _Row(_R.MODEL_WEIGHTS, MEDIUM, "model by its extension", also=_weights),
    _Row(
        _R.ARCHITECTURE_CONFIG,
        HIGH,
        "model configuration by its name",
        r"mlmodel|(config|generation_config|model_index|params|modules|quantize_config|(video_)?preprocessor_config"
        r"|processor_config|image_processor_config|feature_extractor_config|sentence_bert_config"
        r"|config_sentence_transformers|mergekit_config)\.json|.*\.index\.json",
        also=lambda p: _DATA_DIRS.isdisjoint(p.dirs) and _CODE_DIRS.isdisjoint(p.dirs),
    ),
    _Row(_R.GUARD_POLICY, MEDIUM, "policy code", ends=_words(".rego .cel")),
    _Row(_R.SAFETY_POLICY, MEDIUM, "in a policy folder", dirs=_POLICY_DIRS, ends=_TEXT | _words(".toml")),
    _Row(_R.DATASET_REFERENCE, HIGH, "pointer to data (DVC)", ends=_words(".dvc")),
    _Row(_R.DATASET, HIGH, "table of data", ends=_DATA),
    _Row(_R.DATASET, MEDIUM, "in a data folder", dirs=_DATA_DIRS | {"images"}),
    _Row(
        _R.DOCUMENTATION,
        HIGH,
        "documentation by its name",
        r"(readme|changelog|changes|contributing|security|authors|citation|history|code_of_conduct|maintainers)([._-].*)?",
    ),
    _Row(
        _R.DOCUMENTATION,
        MEDIUM,
        "in a docs folder",
        dirs=_words("doc docs documentation assets figures"),
        ends=_DOCUMENT,
    ),
    _Row(_R.CODE, MEDIUM, "settings beside code", dirs=_CODE_DIRS, ends=_SETTINGS),
    _Row(_R.CODE, MEDIUM, "script by its first line", media=_SCRIPTS),
    _Row(_R.CODE, MEDIUM, "marker of typed code", r"py\.typed"),
    _Row(_R.SERVING_CONFIG, LOW, "settings that the running system may read", ends=_SETTINGS),
    _Row(_R.DOCUMENTATION, MEDIUM, "document", ends=_DOCUMENT),
    _Row(_R.DOCUMENTATION, MEDIUM, "picture", media=_PICTURES),
)


def guess(p: Place) -> Guess:
    """The first line of the table that fits; role `other` when none does."""
    for row in TABLE:
        if row.fits(p):
            return Guess(p.name, row.role, row.why, row.confidence)
    return Guess(p.name, Role.OTHER, "nothing says what it is", LOW)


def guess_name(name: str) -> Guess:
    """A guess by the name alone, for suggestions."""
    return guess(place(name))


def knowledge_folders(suffixes: Mapping[str, list[str]]) -> frozenset[str]:
    """Folders that hold many texts and little else: knowledge bases without a telling name.

    Args:
        suffixes: folder to the lower-case extensions of the files directly in it.
    """
    found = set()
    for folder, ends in suffixes.items():
        texts = sum(e in _PAGES for e in ends)
        named = set(folder.lower().split("/")) & _NO_KNOWLEDGE
        if folder and not named and texts >= 8 and texts * 10 >= len(ends) * 8:
            found.add(folder)
    return frozenset(found)
