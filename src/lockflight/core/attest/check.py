"""The Check protocol: what a check declares, what it is given, what it returns.

A check declares which assets it reads and at which grain; the subjects that it must judge follow from the release
alone. It runs in a child process under budgets and never signs: the parent signs, and only what it started itself.
"""

from __future__ import annotations

from dataclasses import field, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

from lockflight.core.findings import Confidence, Finding, Location, Severity
from lockflight.core.records import dataclass
from lockflight.core.shape import array, integer, natural, obj, text
from lockflight.core.words import VIEWS, Role
from lockflight.errors import InternalError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from lockflight.core.canonical import JsonObject, JsonValue
    from lockflight.core.release.release import Asset, Release
    from lockflight.core.source import ByteSource

PPM = 1_000_000


class Grain(StrEnum):
    """What an attestation is about."""

    ASSET = "asset"
    VIEW = "view"
    RELEASE = "release"


class Status(StrEnum):
    """A crashed, skipped, killed or timed-out check is incomplete, never "no findings"."""

    COMPLETE = "complete"
    INCOMPLETE = "incomplete"


class Cost(StrEnum):
    """About how long a check takes."""

    SECONDS = "seconds"
    MINUTES = "minutes"
    HOURS = "hours"


@dataclass(frozen=True, slots=True)
class CheckInfo:
    """What a check declares about itself.

    Attributes:
        name: the name in evidence and policy, such as `models`.
        version: changes when the same bytes could get another result; older evidence stays what it was.
        title: one line for people.
        grain: asset, view or release.
        reads: roles of the assets that it reads (grain asset and release).
        media_types: at grain asset, media types that it reads whatever their role.
        text_roles, text_types: at grain asset, further roles of which it reads these media types.
        names: at grain asset, what it reads whatever the role: last parts of names in lower case, or their endings with
            a dot.
        views: at grain view, the views that it judges, one subject each.
        tools: names of foreign tools that it needs (`lockflight tools install NAME`).
        databases: names of databases that it needs.
        offline: works without a network.
        cost: about how long.
        atlas: MITRE ATLAS techniques that it looks for.
        opens: roles of the assets whose bytes it reads, where of the others their description is enough; None for all.
        data: what the policy in force lets it know (`with_data`); part of the version.
    """

    name: str
    version: str
    title: str
    grain: Grain
    reads: frozenset[Role] = frozenset()
    media_types: frozenset[str] = frozenset()
    text_roles: frozenset[Role] = frozenset()
    text_types: frozenset[str] = frozenset()
    names: frozenset[str] = frozenset()
    views: tuple[str, ...] = ()
    tools: tuple[str, ...] = ()
    databases: tuple[str, ...] = ()
    offline: bool = True
    cost: Cost = Cost.SECONDS
    atlas: tuple[str, ...] = ()
    opens: frozenset[Role] | None = None
    data: str = ""

    def with_data(self, data: str, digest: str) -> CheckInfo:
        """The same check, told something by a policy: it judges differently, so it is another version.

        Args:
            data: what it is told.
            digest: of what decides in it, 64 hex digits; `2` becomes `2+0123456789abcdef`.
        """
        return replace(self, version=f"{self.version}+{digest[:16]}", data=data)

    def selects(self, asset: Asset) -> bool:
        """Whether the check reads this asset (grain asset)."""
        return (
            asset.role in self.reads
            or asset.media_type in self.media_types
            or (asset.role in self.text_roles and asset.media_type in self.text_types)
            or self._named(base_name(asset.name).lower())
        )

    def _named(self, base: str) -> bool:
        return any(base.endswith(name) if name[0] == "." else base == name for name in self.names)

    def opened(self, assets: Iterable[Asset]) -> tuple[Asset, ...]:
        """Those of a subject's assets whose bytes the check reads."""
        return tuple(a for a in assets if self.opens is None or a.role in self.opens)


@dataclass(frozen=True, slots=True)
class Subject:
    """What one attestation of a check is about.

    Attributes:
        grain: asset, view or release.
        name: asset name, view name or release name.
        digest: asset SHA-256, view root or release digest, 64 hex digits.
        assets: the assets that the check reads for it.
        release: at grain release, the whole release; None otherwise, so that nothing else can matter.
    """

    grain: Grain
    name: str
    digest: str
    assets: tuple[Asset, ...]
    release: Release | None = None


@dataclass(frozen=True, slots=True)
class Tool:
    """Name, version and digest (of data or environment that decides the result) of what looked."""

    name: str
    version: str
    digest: str = ""

    def to_json(self) -> JsonObject:
        """The form in attestations."""
        return {"name": self.name, "version": self.version, "digest": self.digest}


@dataclass(frozen=True, slots=True)
class Database:
    """A database that a check used, with the time of its data (RFC 3339 Z)."""

    name: str
    digest: str
    updated: str

    def to_json(self) -> JsonObject:
        """The form in attestations."""
        return {"name": self.name, "digest": self.digest, "updated": self.updated}


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What a check found out about one subject.

    Attributes:
        status: complete or incomplete.
        reason: why it is incomplete; empty when complete.
        findings: what was found.
        summary: counts and integer measures that policy reads.
        coverage_ppm: share of the bytes that had to be judged which were, in parts per million.
        tool: what looked.
        databases: what it looked things up in.
    """

    status: Status
    tool: Tool
    reason: str = ""
    findings: tuple[Finding, ...] = ()
    summary: Mapping[str, int] = field(default_factory=dict)
    coverage_ppm: int = PPM
    databases: tuple[Database, ...] = ()

    def to_json(self) -> JsonObject:
        """Canonical form, as a child process returns it and an attestation holds it."""
        return {
            "status": self.status.value,
            "reason": self.reason,
            "tool": self.tool.to_json(),
            "databases": [d.to_json() for d in self.databases],
            "coverage_ppm": self.coverage_ppm,
            "summary": dict(self.summary),
            "findings": [f.to_json() for f in self.findings],
        }


class CheckContext(Protocol):
    """What a running check may use; `data` is that of its declaration."""

    @property
    def data(self) -> str: ...  # noqa: D102 - as above

    def open(self, asset: Asset) -> ByteSource:
        """The bytes of one of the subject's assets, read from the descriptor that was hashed."""
        ...

    def tool(self, name: str) -> str:
        """Absolute path of an installed foreign tool's executable.

        Raises:
            EnvironmentProblem: LF5010, naming the install command.
        """
        ...


class Check(Protocol):
    """One check: a declaration and a function."""

    info: CheckInfo

    def run(self, subject: Subject, ctx: CheckContext) -> CheckResult:
        """Judge one subject. Raising means incomplete evidence with the error as its reason."""
        ...


def base_name(name: str) -> str:
    """The last part of a file's name: loaders choose by it what they make of the bytes."""
    return name.rpartition("/")[2]


def subjects(info: CheckInfo, release: Release) -> tuple[Subject, ...]:
    """The subjects that a check must judge for a release; pure, so producers and the gate agree on them."""
    if info.grain is Grain.ASSET:
        different: dict[tuple[str, str], Asset] = {}
        for asset in release.assets:
            if info.selects(asset):
                different.setdefault((asset.sha256, base_name(asset.name)), asset)
        return tuple(Subject(Grain.ASSET, a.name, a.sha256, (a,)) for a in different.values())
    if info.grain is Grain.VIEW:
        result = []
        for view in info.views:
            assets = tuple(a for a in release.assets if a.role in VIEWS[view])
            if assets:
                result.append(Subject(Grain.VIEW, view, release.view(view), assets))
        return tuple(result)
    assets = tuple(a for a in release.assets if a.role in info.reads)
    return (Subject(Grain.RELEASE, release.name, release.digest, assets, release),)


def severity_summary(findings: Iterable[Finding]) -> dict[str, int]:
    """Number of findings by severity; every severity is present, so that absent never means zero."""
    counts = {severity.value: 0 for severity in Severity}
    for finding in findings:
        counts[finding.severity.value] += 1
    return counts


def result_from_json(raw: JsonObject) -> CheckResult:
    """Read a result that came back from a child process; the child has seen hostile bytes, so be strict.

    Raises:
        InternalError: LF0901 for anything that `CheckResult.to_json` would not write.
    """
    try:
        result = _result(raw)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InternalError("LF0901", f"A check process returned a malformed result: {error!r}.") from error
    if result.to_json() != raw:
        raise InternalError("LF0901", "A check process returned a result with unknown or altered fields.")
    return result


def _result(raw: JsonObject) -> CheckResult:
    return CheckResult(
        status=Status(text(raw["status"])),
        reason=text(raw["reason"]),
        tool=Tool(**{k: text(v) for k, v in obj(raw["tool"]).items()}),
        databases=tuple(Database(**{k: text(v) for k, v in obj(d).items()}) for d in array(raw["databases"])),
        coverage_ppm=_ppm(raw["coverage_ppm"]),
        # A negative count would cancel what another producer has counted.
        summary={k: natural(v) for k, v in obj(raw["summary"]).items()},
        findings=tuple(finding_from_json(obj(f)) for f in array(raw["findings"])),
    )


def _ppm(value: JsonValue) -> int:
    share = natural(value)
    if share > PPM:
        raise ValueError("a share is over a million parts")
    return share


def finding_from_json(raw: JsonObject) -> Finding:
    """Read one finding back; its fingerprint must be carried, because the salt is not part of the form.

    Raises:
        KeyError, TypeError, ValueError: for a malformed finding.
    """
    place = obj(raw["location"])
    return StoredFinding(
        code=text(raw["code"]),
        rule=text(raw["rule"]),
        severity=Severity(text(raw["severity"])),
        confidence=Confidence(text(raw["confidence"])),
        asset=text(raw["asset"]),
        message=text(raw["message"]),
        fix=text(raw["fix"]),
        location=Location(
            member=text(place.get("member", "")),
            line=integer(place.get("line", 0)),
            offset=integer(place.get("offset", -1)),
        ),
        ids=tuple(text(i) for i in array(raw["ids"])),
        salt=text(raw["fingerprint"]),
    )


@dataclass(frozen=True, slots=True)
class StoredFinding(Finding):
    """A finding that was read back: its salt is its fingerprint."""

    @property
    def fingerprint(self) -> str:
        """The fingerprint as its producer wrote it."""
        return self.salt
