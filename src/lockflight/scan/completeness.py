"""The `completeness` check: does the release hold what its kind and tier demand, and is everything pinned?

Roles, names, sizes and descriptors are part of the signed release. Of its files it reads two kinds: feature references,
since one that does not say its schema and digest refers to nothing in particular and is as good as missing; and ONNX
models, since their tensors may lie in files beside them.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from lockflight.core.attest.check import CheckResult, Status, Tool, severity_summary
from lockflight.core.findings import Finding, Severity
from lockflight.core.records import dataclass
from lockflight.core.words import VIEWS, Kind, Role, Tier
from lockflight.errors import InternalError
from lockflight.formats import media
from lockflight.formats.features import BadFeatures, read_features
from lockflight.formats.graphs.onnx import onnx_tables, parse_onnx
from lockflight.formats.report import shown
from lockflight.infra.allowlist import shipped_allow_list
from lockflight.scan._text import capped, suffix
from lockflight.scan.declared import COMPLETENESS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lockflight.core.attest.check import CheckContext, Subject
    from lockflight.core.release.release import Asset, Reference, Release


@dataclass(frozen=True, slots=True)
class Demand:
    """One thing that a release must hold.

    Attributes:
        roles: any of these meets it.
        why: what cannot be judged or repeated without it.
        dependency: a release that this one depends on may bring it.
    """

    roles: tuple[Role, ...]
    why: str
    dependency: bool = False


_R = Role
# An adapter alone is no model: what it adapts decides as much.
_MODEL = Demand(
    (_R.MODEL_WEIGHTS, _R.HOSTED_MODEL),
    "without it nobody knows which model answers",
    dependency=True,
)
_WEIGHTS = Demand((_R.MODEL_WEIGHTS,), "without it nobody knows which model answers")
_PROMPT = Demand((_R.SYSTEM_PROMPT, _R.PROMPT_TEMPLATE), "the prompt decides what the application does")
_SERVING = Demand((_R.SERVING_CONFIG,), "sampling and limits decide what the model answers")
_TOKENIZER = Demand(
    (_R.TOKENIZER, _R.HOSTED_MODEL), "the tokenizer decides what the model reads", dependency=True
)
_EMBEDDING = Demand((_R.EMBEDDING_MODEL,), "another embedding model finds other passages", dependency=True)
_KNOWLEDGE = Demand(
    (_R.RETRIEVAL_INDEX, _R.KNOWLEDGE_BASE), "the passages decide what is answered", dependency=True
)
_CODE = Demand((_R.CODE, _R.CONTAINER_IMAGE), "without it nobody knows what runs")
_LOCK = Demand(
    (_R.DEPENDENCY_LOCK, _R.CONTAINER_IMAGE), "without it the software cannot be listed or rebuilt"
)
_DATA = Demand((_R.DATASET, _R.DATASET_REFERENCE), "without it nobody knows what was learnt", dependency=True)
_TOOLS = Demand((_R.TOOL_MANIFEST,), "the tools decide what an agent can do", dependency=True)
_GUARD = Demand((_R.GUARD_POLICY, _R.SAFETY_POLICY), "an agent without rules may do anything its tools can")
_CARD = Demand((_R.MODEL_CARD,), "purpose, limits and measured quality must be written down")
_LICENCE = Demand((_R.LICENCE,), "without it nobody may use the release")
_EVAL = Demand((_R.EVAL_SET,), "quality and safety must be measured on a set that is kept", dependency=True)
_DOCUMENT = Demand((_R.MODEL_CARD, _R.DOCUMENTATION), "users must be told what it is for")

_LLM_APP = (_MODEL, _TOKENIZER, _PROMPT, _SERVING, _CODE, _LOCK)
DEMANDS: dict[Kind, tuple[Demand, ...]] = {
    Kind.DATASET: (_DATA,),
    Kind.BASE_MODEL: (_WEIGHTS, _LICENCE),
    Kind.CLASSIFIER: (_WEIGHTS, _CODE, _LOCK, _DATA),
    Kind.MODEL: (_MODEL,),
    Kind.EMBEDDING_SERVICE: (_EMBEDDING, _TOKENIZER, _SERVING, _CODE, _LOCK),
    Kind.LLM_APP: _LLM_APP,
    Kind.RAG_APP: (*_LLM_APP, _EMBEDDING, _KNOWLEDGE),
    Kind.AGENT: (*_LLM_APP, _TOOLS, _GUARD),
    Kind.KNOWLEDGE_BASE: (
        Demand((_R.KNOWLEDGE_BASE, _R.RETRIEVAL_INDEX), "a knowledge base holds passages"),
    ),
    Kind.TOOL_SERVER: (
        Demand((_R.TOOL_SERVER, _R.CODE, _R.CONTAINER_IMAGE), "without it nobody knows what runs"),
        _TOOLS,
        _LOCK,
    ),
    Kind.POLICY: (Demand((_R.GUARD_POLICY, _R.SAFETY_POLICY), "a policy holds rules"),),
}
#: What the tier `high` adds; an application has learnt nothing itself, so it needs no training data.
_HIGH_MODEL = (_CARD, _LICENCE, _DATA, _EVAL)
_HIGH_APP = (_CARD, _LICENCE, _EVAL)
_HIGH: dict[Kind, tuple[Demand, ...]] = {
    Kind.DATASET: (_DOCUMENT, _LICENCE),
    Kind.BASE_MODEL: _HIGH_MODEL,
    Kind.CLASSIFIER: _HIGH_MODEL,
    Kind.MODEL: _HIGH_MODEL,
    Kind.EMBEDDING_SERVICE: _HIGH_APP,
    Kind.LLM_APP: _HIGH_APP,
    Kind.RAG_APP: _HIGH_APP,
    Kind.AGENT: _HIGH_APP,
    Kind.KNOWLEDGE_BASE: (_DOCUMENT, _LICENCE),
    Kind.TOOL_SERVER: (_DOCUMENT, _LICENCE),
    Kind.POLICY: (_DOCUMENT,),
}
#: Software and rules that answer nobody directly need no card in the tier `limited`.
_SILENT = frozenset({Kind.TOOL_SERVER, Kind.POLICY})

#: A day in a version such as 2024-08-06 or claude-x-20250929.
_DATED = re.compile(
    r"(?<!\d)20[0-9]{2}(?P<dash>-?)(?:0[1-9]|1[0-2])(?P=dash)(?:0[1-9]|[12][0-9]|3[01])(?!\d)"
)
_DIGEST = re.compile(r"^sha256:[0-9a-f]{64}$")
_EXECUTABLE = frozenset(
    {".py", ".pyw", ".pyc", ".pyd", ".so", ".dll", ".dylib", ".exe", ".sh", ".bat", ".ps1"}
)
_EXECUTABLE_TYPES = frozenset({media.PYTHON, media.SHELL, media.ELF, media.PE, media.MACH_O, media.WASM})
_LEARNT_FROM = frozenset({_R.DATASET, _R.DATASET_REFERENCE, _R.FEATURE_REFERENCE, _R.KNOWLEDGE_BASE})
_LICENSED = _LEARNT_FROM | {_R.MODEL_WEIGHTS, _R.HOSTED_MODEL, _R.EMBEDDING_MODEL}


def demands(kind: Kind, tier: Tier) -> tuple[Demand, ...]:
    """What a release of this kind and tier must hold, each demand once."""
    extra: tuple[Demand, ...] = ()
    if tier is Tier.HIGH:
        extra = _HIGH[kind]
    elif tier is Tier.LIMITED and kind not in _SILENT:
        extra = (_DOCUMENT,)
    return tuple(dict.fromkeys((*DEMANDS[kind], *extra)))


class CompletenessCheck:
    """Demanded roles and pinned references (grain release)."""

    info = COMPLETENESS

    def run(self, subject: Subject, ctx: CheckContext) -> CheckResult:
        """Judge the release's description.

        Raises:
            InternalError: LF2548 the subject carries no release.
        """
        release = subject.release
        if release is None:
            raise InternalError("LF2548", "The completeness check was started without a release.")
        findings = [
            *_missing(release),
            *(f for reference in release.references for f in _reference(reference, release.tier)),
            *(f for asset in release.assets for f in _misplaced(asset)),
            *(f for asset in release.assets for f in _features(asset, ctx)),
            *(f for asset in release.assets for f in _tensors(asset, release, ctx)),
            *_undescribed(release),
        ]
        missing = sum(f.code in {"LF2540", "LF2546", "LF2547"} for f in findings)
        unpinned = sum(f.code == "LF2542" for f in findings)
        return CheckResult(
            status=Status.COMPLETE,
            tool=Tool("lockflight-completeness", self.info.version),
            findings=capped(findings, code="LF2549", rule="completeness:more"),
            summary=severity_summary(findings)
            | {
                "demanded": len(demands(release.kind, release.tier)),
                "missing": missing,
                "unpinned": unpinned,
                "references": len(release.references),
                "dependencies": len(release.dependencies),
            },
        )


def _missing(release: Release) -> Iterator[Finding]:
    # An empty file meets no demand.
    held = {a.role for a in release.assets if a.size} | {r.role for r in release.references}
    if any(a.role is _R.MODEL_WEIGHTS and a.media_type == media.GGUF for a in release.assets):
        held.add(_R.TOKENIZER)  # it is part of the file
    for demand in demands(release.kind, release.tier):
        if held.intersection(demand.roles) or (demand.dependency and release.dependencies):
            continue
        names = " or ".join(role.value for role in demand.roles)
        yield Finding(
            code="LF2540",
            rule=f"completeness:{demand.roles[0].value}",
            severity=Severity.HIGH,
            asset=release.assets[0].name,
            message=f"A release of kind {release.kind.value} and tier {release.tier.value} must hold an asset with the "
            f"role {names}: {demand.why}.",
            fix="Add the file or the reference to lockflight.toml, or correct the role of the file that is there.",
            salt=names,
        )


def _reference(reference: Reference, tier: Tier) -> Iterator[Finding]:
    name = reference.name
    if not _DIGEST.match(reference.digest) and not _DATED.search(reference.version):
        pinned = f"version {reference.version!r}, which is no date" if reference.version else "nothing"
        yield Finding(
            code="LF2542",
            rule="completeness:unpinned",
            severity=Severity.HIGH,
            asset=name,
            message=f"The reference with the role {reference.role.value} is pinned by {pinned}: "
            "what it names can change without a trace.",
            fix='Give it digest = "sha256:…", or a dated version of the provider.',
            ids=("CWE-494", "LLM03:2025", "AML.T0109"),
            salt=reference.role.value,
        )
    if reference.role in _LICENSED and not reference.licence:
        yield Finding(
            code="LF2543",
            rule="completeness:no-licence",
            severity=Severity.MEDIUM if tier is Tier.HIGH else Severity.LOW,
            asset=name,
            message=f"The reference with the role {reference.role.value} names no licence.",
            fix="Give it licence = with an SPDX identifier.",
            salt=reference.role.value,
        )
    if reference.role in _LEARNT_FROM and not reference.context:
        yield Finding(
            code="LF2544",
            rule="completeness:no-context",
            severity=Severity.MEDIUM if tier is Tier.HIGH else Severity.LOW,
            asset=name,
            message="The reference does not say where, when and for what the data were collected.",
            fix="Give it context = with one sentence on their origin.",
            salt=reference.role.value,
        )


def _features(asset: Asset, ctx: CheckContext) -> Iterator[Finding]:
    if asset.role is not _R.FEATURE_REFERENCE:
        return
    try:
        read_features(ctx.open(asset))
    except BadFeatures as error:
        yield Finding(
            code="LF2546",
            rule="completeness:feature-reference",
            severity=Severity.HIGH,
            asset=asset.name,
            message=f"The file does not say which features the model reads: {error}.",
            fix="Name each feature with its type, and the source with its digest: lockflight explain LF2546",
            salt=asset.role.value,
        )


def _tensors(asset: Asset, release: Release, ctx: CheckContext) -> Iterator[Finding]:
    """Files in which an ONNX model has its tensors: part of the release, and long enough."""
    if asset.media_type != media.ONNX:
        return
    found = parse_onnx(ctx.open(asset), onnx_tables(shipped_allow_list().tables["onnx"]))
    sizes = {other.name: other.size for other in release.assets}
    folder = asset.name.rpartition("/")[0]
    ends: dict[str, int] = {}
    for tensor in found.external:
        ends[tensor.path] = max(ends.get(tensor.path, 0), tensor.offset + tensor.length)
    for path, end in ends.items():
        name = f"{folder}/{path}" if folder else path
        if sizes.get(name, -1) >= end:
            continue
        why = (
            f"has {sizes[name]} bytes, and {end} are needed"
            if name in sizes
            else "is no asset of the release"
        )
        yield Finding(
            code="LF2547",
            rule="completeness:onnx-data",
            severity=Severity.HIGH,
            asset=asset.name,
            message=f"Tensors of the model lie in the file {shown(name)}, which {why}.",
            fix="Add the file to lockflight.toml with the role model-weights, whole and under that name.",
            salt=path,
        )


def _undescribed(release: Release) -> Iterator[Finding]:
    """A descriptor of features outside has no place for their schema: a file beside it must say that."""
    if any(asset.role is _R.FEATURE_REFERENCE for asset in release.assets):
        return
    for reference in release.references:
        if reference.role is _R.FEATURE_REFERENCE:
            yield Finding(
                code="LF2546",
                rule="completeness:feature-reference",
                severity=Severity.HIGH,
                asset=reference.name,
                message="The reference names a source of features, and no file says which of them the model reads.",
                fix="Add a file with the role feature-reference that names each feature with its type, and the source "
                "with its digest: lockflight explain LF2546",
                salt=reference.role.value,
            )


def _misplaced(asset: Asset) -> Iterator[Finding]:
    """Code under a role that no code check reads."""
    end = suffix(asset.name)
    notebook = end == ".ipynb" or asset.media_type == media.NOTEBOOK
    if asset.role in VIEWS["software"] or not (
        notebook or end in _EXECUTABLE or asset.media_type in _EXECUTABLE_TYPES
    ):
        return
    yield Finding(
        code="LF2545",
        rule="completeness:code-elsewhere",
        severity=Severity.MEDIUM if notebook else Severity.HIGH,
        asset=asset.name,
        message=f"The file holds code, but its role is {asset.role.value}, so the code checks do not read it.",
        fix="Give it the role `code` in lockflight.toml.",
        ids=("CWE-829", "LLM03:2025"),
        salt=asset.role.value,
    )
