"""Decisions as the log keeps them: SLSA Verification Summary Attestations v1, written and read back strictly. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockflight.core.attest import statement as st
from lockflight.core.gate.gate import basis
from lockflight.core.gate.ruling import Ruling, parse_ruling
from lockflight.core.gate.unsettled import Said, said_from_json
from lockflight.core.records import dataclass
from lockflight.core.shape import array, hex64, obj, text, texts
from lockflight.core.times import unix

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from lockflight.core.canonical import JsonObject, JsonValue
    from lockflight.core.gate.gate import Decision
    from lockflight.core.gate.ruling import RuleResult, Violation, Waived

#: Our fields in the predicate of a VSA stand under this key: the specification asks for a URI.
EXTENSION = "https://lockflight.dev/gate/v1"
SLSA_VERSION = "1.1"


@dataclass(frozen=True, slots=True)
class OwnPolicy:
    """The release's own policy as a decision names it.

    Attributes:
        name, version: of the bundle, for people.
        digest: over the release's assets that make it up, as `core.ownpolicy` makes it.
        blob: SHA-256 of the blob with these assets.
    """

    name: str
    version: str
    digest: str
    blob: str

    def to_json(self) -> JsonObject:
        """The form in decisions."""
        return {"name": self.name, "version": self.version, "digest": {"sha256": self.digest}}


@dataclass(frozen=True, slots=True)
class StoredDecision:
    """A decision as its VSA records it.

    Attributes:
        release, name, environment, allow, basis, input_digest, output_digest, rules, violations, warnings, waived,
            evaluated, skipped, engines: as in `Decision`.
        assets: name and SHA-256 of every asset, as further subjects.
        oms_root: what OMS tools show as the release's digest; empty if unknown.
        bundle: SHA-256 of the blob with the policy's files; that with the facts is named by `input_digest`.
        waivers: envelope digests of waivers by standing: used, unused, pending, expired, …
        unsettled: as in `Decision`, without the outputs; the realm's store holds them by their digests.
        policy: digest of the policy bundle.
        own: the release's own policy, which judged too; None where it has none.
        policy_uri, resource_uri, verifier: URIs.
        versions: versions of what verified.
        time_verified: RFC 3339 Z.
        attestations: envelope digests of all evidence that was read.
        separation: `none` in a personal realm, else `people`.
    """

    release: str
    name: str
    environment: str
    allow: bool
    basis: str
    policy: str
    policy_uri: str
    resource_uri: str
    verifier: str
    versions: tuple[tuple[str, str], ...]
    time_verified: str
    attestations: tuple[str, ...]
    separation: str
    input_digest: str
    output_digest: str
    engines: tuple[tuple[tuple[str, str], ...], ...]
    rules: tuple[RuleResult, ...]
    violations: tuple[Violation, ...]
    warnings: tuple[Violation, ...]
    waived: tuple[Waived, ...]
    evaluated: tuple[str, ...]
    skipped: tuple[str, ...]
    assets: tuple[tuple[str, str], ...] = ()
    oms_root: str = ""
    bundle: str = ""
    waivers: tuple[tuple[str, tuple[str, ...]], ...] = ()
    own: OwnPolicy | None = None
    unsettled: tuple[Said, ...] = ()

    @property
    def own_digest(self) -> str:
        """Digest of the own policy that judged; empty for none."""
        return self.own.digest if self.own is not None else ""

    @property
    def levels(self) -> tuple[str, ...]:
        """SLSA results: no track was judged, so the highest level that may be claimed is none; or `FAILED`."""
        if not self.allow:
            return ("FAILED",)
        return ("SLSA_BUILD_LEVEL_UNEVALUATED", f"LOCKFLIGHT_{self.environment.upper()}")

    def statement(self) -> st.Statement:
        """The statement to sign with the gate key (SLSA VSA v1)."""
        ruling = Ruling(
            self.allow, self.violations, self.warnings, self.waived, self.rules, self.evaluated, self.skipped
        )
        capsule: JsonObject = {"facts": self.input_digest, "bundle": self.bundle}
        extension: JsonObject = {
            "environment": self.environment,
            "basis": self.basis,
            "separation": self.separation,
            "inputDigest": {"sha256": self.input_digest},
            "outputDigest": {"sha256": self.output_digest},
            "engines": [dict(engine) for engine in self.engines],
            "capsule": capsule,
            "waivers": {standing: list(digests) for standing, digests in self.waivers},
            "ruling": ruling.to_json(),
        }
        if self.own is not None:
            capsule["own"] = self.own.blob
            extension["ownPolicy"] = self.own.to_json()
        if self.unsettled:
            extension["unsettled"] = [one.to_json() for one in self.unsettled]
        predicate: JsonObject = {
            "verifier": {"id": self.verifier, "version": dict(self.versions)},
            "timeVerified": self.time_verified,
            "resourceUri": self.resource_uri,
            "policy": {"uri": self.policy_uri, "digest": {"sha256": self.policy}},
            "inputAttestations": [
                {"uri": f"lockflight:evidence@sha256:{digest}", "digest": {"sha256": digest}}
                for digest in self.attestations
            ],
            "verificationResult": "PASSED" if self.allow else "FAILED",
            "verifiedLevels": list(self.levels),
            "slsaVersion": SLSA_VERSION,
            EXTENSION: extension,
        }
        others = (("omsRoot", self.oms_root),) if self.oms_root else ()
        subjects = [st.SubjectRef(self.name, self.release, others)]
        subjects += [st.SubjectRef(name, digest) for name, digest in self.assets]
        return st.Statement(st.VSA, tuple(subjects), predicate)


def to_vsa(  # noqa: PLR0913 - the fields of a VSA that the decision itself cannot know
    decision: Decision,
    *,
    assets: Iterable[tuple[str, str]],
    verifier: str,
    versions: Mapping[str, str],
    time_verified: str,
    resource_uri: str,
    policy_uri: str,
    attestations: Iterable[str],
    separation: str,
    oms_root: str = "",
    bundle: str = "",
    waivers: Mapping[str, Iterable[str]] | None = None,
    own: str = "",
) -> st.Statement:
    """The SLSA VSA v1 statement of a decision; denied ones are recorded too.

    Args:
        decision: what was decided.
        assets: name and SHA-256 of every asset.
        verifier: URI of who verified.
        versions: versions of what verified.
        time_verified: RFC 3339 Z.
        resource_uri: URI of the release.
        policy_uri: URI of the policy bundle.
        attestations: envelope digests of all evidence in the facts; the specification wants every one.
        separation: `none` or `people`.
        oms_root: what OMS tools show as the release's digest.
        bundle: SHA-256 of the blob with the policy's files.
        waivers: standing to the envelope digests of the waivers of the facts, as `waivers_told` sorts them.
        own: SHA-256 of the blob with the assets of the release's own policy; empty where none judged.
    """
    ref = decision.own
    return StoredDecision(
        release=decision.release,
        name=decision.name,
        environment=decision.environment,
        allow=decision.allow,
        basis=decision.basis,
        policy=decision.policy.digest,
        policy_uri=policy_uri,
        resource_uri=resource_uri,
        verifier=verifier,
        versions=tuple(sorted(versions.items())),
        time_verified=time_verified,
        attestations=tuple(sorted(set(attestations))),
        separation=separation,
        input_digest=decision.input_digest,
        output_digest=decision.output_digest,
        engines=tuple(tuple(sorted(engine.items())) for engine in decision.engines),
        rules=decision.rules,
        violations=decision.violations,
        warnings=decision.warnings,
        waived=decision.waived,
        evaluated=decision.evaluated,
        skipped=decision.skipped,
        assets=tuple(assets),
        oms_root=oms_root,
        bundle=bundle,
        waivers=tuple((key, tuple(sorted(value))) for key, value in sorted((waivers or {}).items())),
        own=OwnPolicy(ref.name, ref.version, ref.digest, own) if ref is not None else None,
        unsettled=decision.unsettled,
    ).statement()


def parse_vsa(statement: st.Statement) -> StoredDecision:
    """Read a decision back, strictly: only what `to_vsa` would write.

    Raises:
        KeyError, TypeError, ValueError: another shape, or a basis or verdict that its own rules contradict.
    """
    raw = statement.predicate
    extension = obj(raw[EXTENSION])
    verifier, policy = obj(raw["verifier"]), obj(raw["policy"])
    ruling = parse_ruling(obj(extension["ruling"]))
    main, *assets = statement.subjects
    result = StoredDecision(
        release=main.sha256,
        name=main.name,
        environment=text(extension["environment"]),
        allow=ruling.allow,
        basis=hex64(extension["basis"]),
        policy=_sha256(policy),
        policy_uri=text(policy["uri"]),
        resource_uri=text(raw["resourceUri"]),
        verifier=text(verifier["id"]),
        versions=_pairs(verifier["version"]),
        time_verified=text(raw["timeVerified"]),
        attestations=tuple(_sha256(obj(item)) for item in array(raw["inputAttestations"])),
        separation=text(extension["separation"]),
        input_digest=hex64(obj(extension["inputDigest"])["sha256"]),
        output_digest=hex64(obj(extension["outputDigest"])["sha256"]),
        engines=tuple(_pairs(engine) for engine in array(extension["engines"])),
        rules=ruling.rules,
        violations=ruling.violations,
        warnings=ruling.warnings,
        waived=ruling.waived,
        evaluated=ruling.evaluated,
        skipped=ruling.skipped,
        assets=tuple((s.name, s.sha256) for s in assets),
        oms_root=dict(main.others).get("omsRoot", ""),
        bundle=_digest_or_none(obj(extension["capsule"])["bundle"]),
        waivers=tuple(
            (standing, tuple(hex64(digest) for digest in array(rows)))
            for standing, rows in sorted(obj(extension["waivers"]).items())
        ),
        own=_own(extension),
        unsettled=tuple(said_from_json(row) for row in array(extension.get("unsettled", []))),
    )
    unix(result.time_verified)
    if result.unsettled and (result.allow or not result.violations):
        raise ValueError("engines that did not settle, and no denial")
    if result.allow and (result.violations or texts(raw["verifiedLevels"]) != result.levels):
        raise ValueError("a verdict that its own violations contradict")
    if (
        basis(result.policy, result.rules, result.waived, result.violations, result.own_digest)
        != result.basis
    ):
        raise ValueError("a basis that its own rule results contradict")
    if result.statement() != statement:
        raise ValueError("unknown or altered fields")
    return result


def waivers_told(facts: JsonObject, used: Iterable[Waived]) -> dict[str, list[str]]:
    """Every waiver of the facts that is about this release, by what became of it.

    Args:
        facts: facts v1.
        used: what the decision waived.

    Returns:
        `used`, `unused` (active and not needed), `pending`, `expired` and so on to envelope digests; without those
        that are about other releases.
    """
    taken = {row.waiver for row in used}
    release = obj(facts["release"])
    inside = {text(obj(a)["digest"]) for a in array(release["assets"])} | {text(release["digest"])}
    told: dict[str, list[str]] = {}
    for item in array(facts["waivers"]):
        waiver = obj(item)
        scope, digest = obj(waiver["scope"]), text(waiver["digest"])
        here = scope["environment"] in {"", facts["environment"]}
        about = scope["digest"] in inside if scope["digest"] else scope["project"] == facts["project"]
        if digest in taken:
            told.setdefault("used", []).append(digest)
        elif here and about:
            status = text(waiver["status"])
            told.setdefault("unused" if status == "active" else status, []).append(digest)
    return told


def _own(extension: JsonObject) -> OwnPolicy | None:
    if "ownPolicy" not in extension:
        return None
    raw = obj(extension["ownPolicy"])
    blob = hex64(obj(extension["capsule"])["own"])
    return OwnPolicy(text(raw["name"]), text(raw["version"]), _sha256(raw), blob)


def _digest_or_none(value: JsonValue) -> str:
    return hex64(value) if value else ""


def _sha256(value: JsonObject) -> str:
    return hex64(obj(value["digest"])["sha256"])


def _pairs(value: JsonValue) -> tuple[tuple[str, str], ...]:
    return tuple(sorted((key, text(item)) for key, item in obj(value).items()))
