"""The closed vocabularies of the house: roles, kinds, tiers, environments (DESIGN §2)."""

from __future__ import annotations

from enum import StrEnum


class Role(StrEnum):
    """What an asset is for."""

    RELEASE_MANIFEST = "release-manifest"
    RELEASE_POLICY = "release-policy"
    MODEL_WEIGHTS = "model-weights"
    ADAPTER = "adapter"
    ARCHITECTURE_CONFIG = "architecture-config"
    TOKENIZER = "tokenizer"
    EMBEDDING_MODEL = "embedding-model"
    HOSTED_MODEL = "hosted-model"
    SERVING_CONFIG = "serving-config"
    SYSTEM_PROMPT = "system-prompt"
    PROMPT_TEMPLATE = "prompt-template"
    SAFETY_POLICY = "safety-policy"
    GUARD_POLICY = "guard-policy"
    TOOL_MANIFEST = "tool-manifest"
    TOOL_SERVER = "tool-server"
    DATASET = "dataset"
    DATASET_REFERENCE = "dataset-reference"
    FEATURE_REFERENCE = "feature-reference"
    KNOWLEDGE_BASE = "knowledge-base"
    RETRIEVAL_INDEX = "retrieval-index"
    EVAL_SET = "eval-set"
    CODE = "code"
    BUILD_RECIPE = "build-recipe"
    DEPENDENCY_LOCK = "dependency-lock"
    CONTAINER_IMAGE = "container-image"
    IMAGE_BASE = "image-base"
    MODEL_CARD = "model-card"
    LICENCE = "licence"
    DOCUMENTATION = "documentation"
    OTHER = "other"


class Kind(StrEnum):
    """What a release is."""

    DATASET = "dataset"
    BASE_MODEL = "base-model"
    CLASSIFIER = "classifier"
    MODEL = "model"
    EMBEDDING_SERVICE = "embedding-service"
    LLM_APP = "llm-app"
    RAG_APP = "rag-app"
    AGENT = "agent"
    KNOWLEDGE_BASE = "knowledge-base"
    TOOL_SERVER = "tool-server"
    POLICY = "policy"


class Tier(StrEnum):
    """Risk tier, after the EU AI Act's ladder without its prohibited step."""

    MINIMAL = "minimal"
    LIMITED = "limited"
    HIGH = "high"


#: Environments of a new realm in order of promotion.
ENVIRONMENTS = ("development", "staging", "production")

#: Where what others made enters; it stands beside the order of promotion.
INTAKE = "intake"

#: The environments for which the decisions of a personal realm count.
PERSONAL_ENVIRONMENTS = ("development", INTAKE)

#: Roles of people and machines in a realm.
PERSON_ROLES = (
    "author",
    "builder",
    "evaluator",
    "risk-owner",
    "approver",
    "releaser",
    "auditor",
    "realm-admin",
)

#: Roles whose asset may be a descriptor of something outside the folder.
REFERENCE_ROLES = frozenset(
    {
        Role.HOSTED_MODEL,
        Role.MODEL_WEIGHTS,
        Role.EMBEDDING_MODEL,
        Role.DATASET,
        Role.DATASET_REFERENCE,
        Role.FEATURE_REFERENCE,
        Role.KNOWLEDGE_BASE,
        Role.CONTAINER_IMAGE,
        Role.IMAGE_BASE,
        Role.TOOL_SERVER,
    }
)

#: Roles that the manifest gives by itself: to its own file, and to those of its `[policy]`.
OWN_ROLES = frozenset({Role.RELEASE_MANIFEST, Role.RELEASE_POLICY})

#: Roles of files that a loader turns into a running model.
MODEL_ROLES = frozenset(
    {Role.MODEL_WEIGHTS, Role.ADAPTER, Role.EMBEDDING_MODEL, Role.TOKENIZER, Role.ARCHITECTURE_CONFIG}
)

#: The fixed views: which roles decide behaviour, make up the software, are data.
#: Documentation and the release's own policy are in none.
VIEWS: dict[str, frozenset[Role]] = {
    "behaviour": frozenset(
        {
            Role.MODEL_WEIGHTS,
            Role.ADAPTER,
            Role.ARCHITECTURE_CONFIG,
            Role.TOKENIZER,
            Role.EMBEDDING_MODEL,
            Role.HOSTED_MODEL,
            Role.SERVING_CONFIG,
            Role.SYSTEM_PROMPT,
            Role.PROMPT_TEMPLATE,
            Role.SAFETY_POLICY,
            Role.GUARD_POLICY,
            Role.TOOL_MANIFEST,
            Role.TOOL_SERVER,
            Role.FEATURE_REFERENCE,
            Role.KNOWLEDGE_BASE,
            Role.RETRIEVAL_INDEX,
        }
    ),
    "software": frozenset(
        {
            Role.CODE,
            Role.BUILD_RECIPE,
            Role.DEPENDENCY_LOCK,
            Role.CONTAINER_IMAGE,
            Role.IMAGE_BASE,
            Role.TOOL_SERVER,
            Role.OTHER,
        }
    ),
    "data": frozenset(
        {Role.DATASET, Role.DATASET_REFERENCE, Role.KNOWLEDGE_BASE, Role.EVAL_SET, Role.FEATURE_REFERENCE}
    ),
}
