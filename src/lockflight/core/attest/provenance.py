"""SLSA provenance v1: how an asset came to be, read tolerantly; written by us, it is also read strictly. Pure.

Three origins. A *record* is written by `lockflight record`, which ran the step itself; an *intake* by
`lockflight intake`, which let something of others in; everything else is *foreign*: another builder's claim, shown in
a lineage, never taken for a record. `builder.id` of our own statements is the realm, because what a CI system's
environment says about itself is a claim that nothing has verified yet; it stands beside, as `ci`.
"""

from __future__ import annotations

import re
from dataclasses import field
from enum import StrEnum
from typing import TYPE_CHECKING

from lockflight.core.attest import statement as st
from lockflight.core.attest.signedby import MakerSignature, read_signed_by
from lockflight.core.canonical import dumps
from lockflight.core.records import dataclass
from lockflight.core.shape import array, hex64, natural, obj, text, texts
from lockflight.core.times import unix

if TYPE_CHECKING:
    from lockflight.core.canonical import JsonObject, JsonValue

RECORD = "https://lockflight.dev/build/record/v1"
INTAKE = "https://lockflight.dev/build/intake/v1"
#: An intake that says more of its maker's signature than which key made it.
INTAKE_V2 = "https://lockflight.dev/build/intake/v2"
#: What SLSA has no field for stands under this name, as the specification wants extensions to be named.
EXTENSION = "https://lockflight.dev/build/v1"

MAX_SUBJECTS = 20_000
MAX_MATERIALS = 20_000
#: Parameters, arguments, principals, digests of one thing.
MAX_ITEMS = 1_000
MAX_TEXT = 8_192
MAX_HARDWARE_BYTES = 4_096

_SHA256 = re.compile(r"[0-9a-f]{64}", re.ASCII)
_ALGORITHM = re.compile(r"[A-Za-z][A-Za-z0-9_.:+-]{0,63}", re.ASCII)


class Origin(StrEnum):
    """Who says how the products came to be."""

    RECORD = "record"
    INTAKE = "intake"
    FOREIGN = "foreign"


_ORIGINS = {RECORD: Origin.RECORD, INTAKE: Origin.INTAKE, INTAKE_V2: Origin.INTAKE}


@dataclass(frozen=True, slots=True)
class Material:
    """Something that a step used.

    Attributes:
        name: path in the workspace, or a name for people.
        uri: where it is from; may be empty for a file of the workspace.
        digests: (algorithm, value) pairs, sorted; empty when nothing pins it.
        read: whether the recorder hashed it itself; what is only declared is a claim.
    """

    name: str = ""
    uri: str = ""
    digests: tuple[tuple[str, str], ...] = ()
    read: bool = False

    @property
    def sha256(self) -> str:
        """SHA-256 (64 lower-case hex digits), or empty."""
        value = dict(self.digests).get("sha256", "")
        return value if _SHA256.fullmatch(value) else ""

    @property
    def label(self) -> str:
        """What a person calls it."""
        return self.name or self.uri

    def to_json(self) -> JsonObject:
        """An in-toto ResourceDescriptor."""
        result: JsonObject = {"digest": dict(self.digests), "annotations": {"read": self.read}}
        if self.name:
            result["name"] = self.name
        if self.uri:
            result["uri"] = self.uri
        return result


@dataclass(frozen=True, slots=True)
class Authors:
    """Who wrote what the step used.

    Attributes:
        principals: pseudonyms of people that the realm knows, sorted.
        unknown: how many further people there are.
        complete: whether all of the history was there to be read.
    """

    principals: tuple[str, ...] = ()
    unknown: int = 0
    complete: bool = False

    def to_json(self) -> JsonObject:
        """Fields as they stand."""
        return {"principals": list(self.principals), "unknown": self.unknown, "complete": self.complete}


@dataclass(frozen=True, slots=True)
class Run:
    """What our two kinds of provenance share: who ran it, where and when.

    Attributes:
        builder: URI of the realm that ran it.
        versions: (component, version) pairs, sorted.
        invocation: URI of this run.
        started, finished: claimed times, RFC 3339 Z.
        authors: people behind it.
        ci: what the CI system's environment says of itself, as sorted pairs; claimed, not verified.
    """

    builder: str
    versions: tuple[tuple[str, str], ...]
    invocation: str
    started: str
    finished: str
    authors: Authors = field(default_factory=Authors)
    ci: tuple[tuple[str, str], ...] = ()

    def details(self) -> JsonObject:
        """`runDetails`."""
        return {
            "builder": {"id": self.builder, "version": dict(self.versions)},
            "metadata": {
                "invocationId": self.invocation,
                "startedOn": self.started,
                "finishedOn": self.finished,
            },
            "byproducts": [],
        }


@dataclass(frozen=True, slots=True)
class Build:
    """A step that `lockflight record` ran.

    Attributes:
        step: its name.
        command: its arguments.
        parameters: declared (name, value) pairs, sorted.
        products: what it made.
        materials: what it used, in order.
        run: who, where, when.
        exit_code: the command's own.
        dirty: whether the commit among the materials is not all of the source.
        since: commit from which on authors were read; empty for the whole history.
        hardware: a small summary.
    """

    step: str
    command: tuple[str, ...]
    parameters: tuple[tuple[str, str], ...]
    products: tuple[st.SubjectRef, ...]
    materials: tuple[Material, ...]
    run: Run
    exit_code: int = 0
    dirty: bool = False
    since: str = ""
    hardware: JsonObject = field(default_factory=dict)

    def statement(self) -> st.Statement:
        """The statement to sign with a producer's key."""
        predicate: JsonObject = {
            "buildDefinition": {
                "buildType": RECORD,
                "externalParameters": {
                    "step": self.step,
                    "command": list(self.command),
                    "parameters": dict(self.parameters),
                },
                "internalParameters": {},
                "resolvedDependencies": [m.to_json() for m in self.materials],
            },
            "runDetails": self.run.details(),
            EXTENSION: {
                "authors": self.run.authors.to_json(),
                "ci": dict(self.run.ci),
                "exitCode": self.exit_code,
                "hardware": self.hardware,
                "source": {"dirty": self.dirty, "since": self.since},
            },
        }
        return st.Statement(st.PROVENANCE, self.products, predicate)


@dataclass(frozen=True, slots=True)
class Intake:
    """Something of others that the gate of the environment `intake` let in.

    Attributes:
        uri: where it is from.
        kind: what it is, as a release's kind.
        licence: SPDX expression, or empty.
        context: how the data was collected or the model trained, in words; may be empty.
        products: its files.
        decision: envelope digest of the decision that let it in.
        signer: SHA-256 of the public key that its own signature was verified with; empty without one.
        run: who, where, when.
        signature: how that was verified, where it was not simply with a key, strictly.
    """

    uri: str
    kind: str
    licence: str
    context: str
    products: tuple[st.SubjectRef, ...]
    decision: str
    run: Run
    signer: str = ""
    signature: MakerSignature | None = None

    def statement(self) -> st.Statement:
        """The statement to sign with a producer's key."""
        predicate: JsonObject = {
            "buildDefinition": {
                "buildType": INTAKE if self.signature is None else INTAKE_V2,
                "externalParameters": {
                    "uri": self.uri,
                    "kind": self.kind,
                    "licence": self.licence,
                    "context": self.context,
                },
                "internalParameters": {},
                "resolvedDependencies": [Material(uri=self.uri).to_json()],
            },
            "runDetails": self.run.details(),
            EXTENSION: {
                "authors": self.run.authors.to_json(),
                "ci": dict(self.run.ci),
                "decision": self.decision,
                "signer": self.signer,
                **({"signature": self.signature.to_json()} if self.signature is not None else {}),
            },
        }
        return st.Statement(st.PROVENANCE, self.products, predicate)


@dataclass(frozen=True, slots=True)
class Provenance:
    """What a lineage needs of any SLSA provenance v1.

    Attributes:
        origin: record, intake or foreign.
        build_type: URI of the kind of build.
        builder: `builder.id`.
        products: the subjects.
        materials: the resolved dependencies.
        step: name of the recorded step; empty for others.
        complete: a recorded step whose inputs are all pinned: no uncommitted source, every material with a digest.
        build: the whole record, where it is one.
        intake: the whole intake, where it is one.
    """

    origin: Origin
    build_type: str
    builder: str
    products: tuple[st.SubjectRef, ...]
    materials: tuple[Material, ...]
    step: str = ""
    complete: bool = False
    build: Build | None = None
    intake: Intake | None = None

    @property
    def run(self) -> Run | None:
        """Who, where and when, of our own statements."""
        own = self.build or self.intake
        return own.run if own is not None else None

    @property
    def authors(self) -> Authors:
        """People behind it; nothing is believed of foreign ones."""
        return self.run.authors if self.run is not None else Authors()


def parse_provenance(statement: st.Statement) -> Provenance:
    """Read SLSA provenance v1: that of others as far as a lineage needs it, our own strictly.

    Raises:
        KeyError, TypeError, ValueError: another shape or over a budget, or one of our build types with fields that
            we do not write.
    """
    raw = statement.predicate
    if len(statement.subjects) > MAX_SUBJECTS:
        raise ValueError(f"more than {MAX_SUBJECTS} subjects")
    for subject in statement.subjects:
        _short(subject.name)
    definition, details = obj(raw["buildDefinition"]), obj(raw["runDetails"])
    build_type = _short(definition["buildType"])
    builder = _short(obj(details["builder"])["id"])
    if not build_type or not builder:
        raise ValueError("no build type or no builder")
    dependencies = _list(definition.get("resolvedDependencies", []), MAX_MATERIALS)
    materials = tuple(_material(obj(item)) for item in dependencies)
    origin = _ORIGINS.get(build_type, Origin.FOREIGN)
    build = intake = None
    if origin is Origin.RECORD:
        build = _build(statement, materials)
    elif origin is Origin.INTAKE:
        intake = _intake(statement)
    own = build or intake
    if own is not None and own.statement() != statement:
        raise ValueError("unknown fields in a statement of one of Lockflight's own build types")
    return Provenance(
        origin=origin,
        build_type=build_type,
        builder=builder,
        products=statement.subjects,
        materials=materials,
        step=build.step if build is not None else "",
        complete=build is not None and _complete(build),
        build=build,
        intake=intake,
    )


def own_build(statement: st.Statement) -> bool:
    """Whether a statement claims one of our own build types, which only the process that ran the step signs."""
    definition = statement.predicate.get("buildDefinition")
    return isinstance(definition, dict) and str(definition.get("buildType", "")).startswith(
        "https://lockflight.dev/"
    )


def _complete(build: Build) -> bool:
    return (
        build.exit_code == 0
        and not build.dirty
        and bool(build.materials)
        and all(m.digests for m in build.materials)
    )


def _build(statement: st.Statement, materials: tuple[Material, ...]) -> Build:
    definition, extension = obj(statement.predicate["buildDefinition"]), obj(statement.predicate[EXTENSION])
    external, source = obj(definition["externalParameters"]), obj(extension["source"])
    hardware = obj(extension["hardware"])
    if len(dumps(hardware)) > MAX_HARDWARE_BYTES:
        raise ValueError(f"a summary of hardware over {MAX_HARDWARE_BYTES} bytes")
    return Build(
        step=_word(external["step"]),
        command=tuple(_short(item) for item in _list(external["command"])),
        parameters=_pairs(external["parameters"]),
        products=statement.subjects,
        materials=materials,
        run=_run(statement.predicate, extension),
        exit_code=natural(extension["exitCode"]),
        dirty=_flag(source["dirty"]),
        since=_short(source["since"]),
        hardware=hardware,
    )


def _intake(statement: st.Statement) -> Intake:
    definition, extension = obj(statement.predicate["buildDefinition"]), obj(statement.predicate[EXTENSION])
    external = obj(definition["externalParameters"])
    signer = text(extension["signer"])
    return Intake(
        uri=_word(external["uri"]),
        kind=_word(external["kind"]),
        licence=_short(external["licence"]),
        context=_short(external["context"]),
        products=statement.subjects,
        decision=hex64(extension["decision"]),
        run=_run(statement.predicate, extension),
        signer=hex64(signer) if signer else "",
        signature=read_signed_by(extension["signature"]) if definition["buildType"] == INTAKE_V2 else None,
    )


def _run(predicate: JsonObject, extension: JsonObject) -> Run:
    details, authors = obj(predicate["runDetails"]), obj(extension["authors"])
    builder, metadata = obj(details["builder"]), obj(details["metadata"])
    run = Run(
        builder=_word(builder["id"]),
        versions=_pairs(builder["version"]),
        invocation=_short(metadata["invocationId"]),
        started=text(metadata["startedOn"]),
        finished=text(metadata["finishedOn"]),
        authors=Authors(
            principals=texts(_list(authors["principals"])),
            unknown=natural(authors["unknown"]),
            complete=_flag(authors["complete"]),
        ),
        ci=_pairs(extension["ci"]),
    )
    if unix(run.finished) < unix(run.started):
        raise ValueError("it ends before it starts")
    return run


def _material(raw: JsonObject) -> Material:
    digests = {key: _short(value) for key, value in obj(raw.get("digest", {})).items()}
    if len(digests) > MAX_ITEMS or any(not _ALGORITHM.fullmatch(key) for key in digests):
        raise ValueError("a digest of an algorithm without a plain name")
    notes = raw.get("annotations")
    return Material(
        name=_short(raw.get("name", "")),
        uri=_short(raw.get("uri", "")),
        digests=tuple(sorted(digests.items())),
        read=isinstance(notes, dict) and notes.get("read") is True,
    )


def _flag(value: JsonValue) -> bool:
    if not isinstance(value, bool):
        raise TypeError("true or false is expected")
    return value


def _list(value: JsonValue, limit: int = MAX_ITEMS) -> list[JsonValue]:
    items = array(value)
    if len(items) > limit:
        raise ValueError(f"more than {limit} items")
    return items


def _short(value: JsonValue) -> str:
    word = text(value)
    if len(word) > MAX_TEXT:
        raise ValueError(f"a text of more than {MAX_TEXT} characters")
    return word


def _word(value: JsonValue) -> str:
    word = _short(value)
    if not word:
        raise ValueError("a text is expected that is not empty")
    return word


def _pairs(value: JsonValue) -> tuple[tuple[str, str], ...]:
    pairs = obj(value)
    if len(pairs) > MAX_ITEMS:
        raise ValueError(f"more than {MAX_ITEMS} items")
    return tuple(sorted((_short(key), _short(item)) for key, item in pairs.items()))
