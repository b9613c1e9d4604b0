"""What every check declares about itself: which bytes it reads, at which grain, and with what.

A decision needs to know this of all checks and runs none of them, so it stands apart from what runs.
"""

from __future__ import annotations

from lockflight.core.attest.check import CheckInfo, Cost, Grain
from lockflight.core.words import MODEL_ROLES, Role
from lockflight.formats.media import GRAPH_TEXTS, JINJA, JSON, MARKDOWN, MODEL_TYPES, TEXT, TOML, XML, YAML

#: What is rendered into prompts, or read at the start of what serves the model: its texts may run code as well.
TEXT_ROLES = frozenset(
    {
        Role.PROMPT_TEMPLATE,
        Role.SYSTEM_PROMPT,
        Role.SERVING_CONFIG,
        Role.TOOL_MANIFEST,
        Role.FEATURE_REFERENCE,
        Role.OTHER,
    }
)
#: Files that loaders find by their names alone.
LOADED_NAMES = frozenset(
    {"mlmodel", "chat_template.jinja", "chat_template.jinja2", "chat_template.json", ".pmml", *GRAPH_TEXTS}
)

#: Key of a summary of `models`: rank of the verdict that a file with code would have if somebody judged the code.
APART_FROM_CODE = "apart_from_code"

#: Code that no check judges, by its extension.
OTHER_LANGUAGES = frozenset(
    [
        ".sh", ".bash", ".js", ".mjs", ".cjs", ".ts", ".tsx", ".jsx", ".go", ".rs", ".java", ".kt", ".c", ".cc",
        ".cpp", ".h", ".hpp", ".cu", ".cs", ".r", ".jl", ".rb", ".php", ".pl", ".lua", ".scala", ".swift", ".ps1",
    ]
)  # fmt: skip

MODELS = CheckInfo(
    name="models",
    version="7",
    title="Model files: code in pickles, archives, templates and configurations; damaged or ambiguous formats",
    grain=Grain.ASSET,
    reads=MODEL_ROLES,
    media_types=MODEL_TYPES,
    text_roles=TEXT_ROLES,
    text_types=frozenset({JINJA, JSON, MARKDOWN, TEXT, TOML, XML, YAML}),
    names=LOADED_NAMES,
    atlas=("AML.T0010", "AML.T0011.000", "AML.T0015"),
)

CODE = CheckInfo(
    name="code",
    version="3",
    title="Unsafe Python in ML and LLM code: deserialisation, remote code, model output that reaches a sink",
    grain=Grain.VIEW,
    views=("software",),
    atlas=("AML.T0010.001", "AML.T0011.000", "AML.T0050", "AML.T0051", "AML.T0053"),
)

BANDIT = CheckInfo(
    name="bandit",
    version="1",
    title="Bandit's rules for Python, in a pinned environment",
    grain=Grain.VIEW,
    views=("software",),
    tools=("bandit",),
    cost=Cost.MINUTES,
)

SECRETS = CheckInfo(
    name="secrets",
    version="1",
    title="Keys, tokens and passwords in code, prompts, configurations, notebooks and data",
    grain=Grain.VIEW,
    views=("behaviour", "software", "data"),
    atlas=("AML.T0055",),
)

DOCUMENTS = CheckInfo(
    name="documents",
    version="3",
    title="Secrets and hidden characters in documentation, model cards, licences, the manifest and a policy of its own",
    grain=Grain.RELEASE,
    reads=frozenset(
        {Role.RELEASE_MANIFEST, Role.RELEASE_POLICY, Role.DOCUMENTATION, Role.MODEL_CARD, Role.LICENCE}
    ),
    atlas=("AML.T0055", "AML.T0068"),
)

TEXT_INTEGRITY = CheckInfo(
    name="text-integrity",
    version="1",
    title="Bidirectional controls, tag characters and other hidden text in prompts, policies and knowledge",
    grain=Grain.VIEW,
    views=("behaviour",),
    atlas=("AML.T0051", "AML.T0068", "AML.T0110"),
)

#: What the check `data` reads of its view.
DATA_ROLES = frozenset({Role.DATASET, Role.EVAL_SET, Role.KNOWLEDGE_BASE})

DATA = CheckInfo(
    name="data",
    version="2",
    title="Personal data with check digits, hidden instructions, duplicates, and test rows that were in the training",
    grain=Grain.VIEW,
    views=("data",),
    cost=Cost.MINUTES,
    atlas=("AML.T0020", "AML.T0051.001", "AML.T0057"),
)

COMPLETENESS = CheckInfo(
    name="completeness",
    version="4",
    title="Roles that the kind and tier demand, and whether everything outside the folder is pinned",
    grain=Grain.RELEASE,
    reads=frozenset(Role),
    opens=frozenset({Role.FEATURE_REFERENCE}),
    atlas=("AML.T0010",),
)

#: Name to declaration, of every check of `scan.table`.
INFOS = {
    info.name: info for info in (MODELS, CODE, BANDIT, SECRETS, DOCUMENTS, TEXT_INTEGRITY, DATA, COMPLETENESS)
}
