"""The gate's contract: `decide(facts, policy, evaluate)`. Pure; the engine that evaluates comes as an argument.

The policy proposes, this module disposes: the facts must have their shape, the output must read strictly, every rule
that the bundle demands must have been evaluated and must have a result, and `allow` is computed again. Whatever does
not fit is a denial. The decision is recorded as a SLSA Verification Summary Attestation v1.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from lockflight.core import statement as st
from lockflight.core.canonical import dumps
from lockflight.core.factshape import check_facts
from lockflight.core.findings import Severity
from lockflight.core.records import dataclass
from lockflight.core.ruling import (
    InBasis,
    RuleResult,
    Ruling,
    Violation,
    Waived,
    codes,
    in_order,
    parse_ruling,
)
from lockflight.core.shape import array, hex64, natural, obj, text, texts
from lockflight.core.times import unix
from lockflight.core.waived import objection
from lockflight.errors import EnvironmentProblem, PolicyDenied

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from lockflight.core.canonical import JsonObject, JsonValue

#: Our fields in the predicate of a VSA stand under this key: the specification asks for a URI.
EXTENSION = "https://lockflight.dev/gate/v1"
SLSA_VERSION = "1.1"


@dataclass(frozen=True, slots=True)
class PolicyRef:
    """Which policy judges.

    Attributes:
        name, version: of the bundle, for people.
        digest: SHA-256 of the bundle, 64 hex digits.
        required_rules: codes of the rules without whose result nothing is allowed.
        waivable: codes of the rules whose failure a waiver may take away.
    """

    name: str
    version: str
    digest: str
    required_rules: frozenset[str]
    waivable: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Decision:
    """A verdict with all that it rests on.

    Attributes:
        allow: whether the release may enter the environment, as far as evidence goes.
        violations: why not.
        warnings: what does not deny.
        waived: violations that waivers take away.
        rules: every rule result, passing ones too.
        basis: SHA-256 of canonical {policy digest, rule results with terms and values, waivers used}; without
            times and evidence digests, so that approvals survive a repetition with the same outcome.
        policy: which policy judged.
        engines: name, version and library digest of the engines that evaluated.
        input_digest: SHA-256 of the canonical facts.
        output_digest: SHA-256 of the canonical output.
        environment: where to.
        release: release digest.
        name: release name.
        evaluated: codes of the rules that ran.
        skipped: codes of the rules that do not apply here.
    """

    allow: bool
    violations: tuple[Violation, ...]
    warnings: tuple[Violation, ...]
    waived: tuple[Waived, ...]
    rules: tuple[RuleResult, ...]
    basis: str
    policy: PolicyRef
    engines: tuple[Mapping[str, str], ...]
    input_digest: str
    output_digest: str
    environment: str
    release: str
    name: str
    evaluated: tuple[str, ...]
    skipped: tuple[str, ...]


def decide(
    facts: JsonObject,
    policy: PolicyRef,
    evaluate: Callable[[bytes], JsonObject],
    *,
    engines: Iterable[Mapping[str, str]] = (),
) -> Decision:
    """Judge the facts of one release for one environment.

    Args:
        facts: facts v1.
        policy: which policy `evaluate` holds.
        evaluate: canonical facts in, policy output out.
        engines: identities of the engines behind `evaluate`.

    Raises:
        PolicyDenied: LF4014 the facts have another shape, LF4011 the output has, and what `evaluate` raises.
    """
    try:
        check_facts(facts)
        document = dumps(facts)
    except (TypeError, ValueError) as error:
        raise PolicyDenied(
            "LF4014", f"The facts about this release cannot be judged: {error}.", hint="lockflight doctor"
        ) from error
    release = obj(facts["release"])
    output = evaluate(document)
    try:
        ruling = parse_ruling(output)
    except (KeyError, TypeError, ValueError) as error:
        raise PolicyDenied(
            "LF4011",
            f"The policy {policy.name} {policy.version} returned something that is not a decision: {error}.",
            hint="lockflight policy test BUNDLE",
        ) from error
    violations = in_order((*ruling.violations, *_doubts(ruling, policy, facts)))
    return Decision(
        allow=ruling.allow and not violations,
        violations=violations,
        warnings=ruling.warnings,
        waived=ruling.waived,
        rules=ruling.rules,
        basis=basis(policy.digest, ruling.rules, ruling.waived, violations),
        policy=policy,
        engines=tuple(dict(engine) for engine in engines),
        input_digest=hashlib.sha256(document).hexdigest(),
        output_digest=hashlib.sha256(dumps(ruling.to_json())).hexdigest(),
        environment=text(facts["environment"]),
        release=text(release["digest"]),
        name=text(release["name"]),
        evaluated=ruling.evaluated,
        skipped=ruling.skipped,
    )


def _doubts(ruling: Ruling, policy: PolicyRef, facts: JsonObject) -> list[Violation]:
    """What the gate itself holds against an output that reads, but does not fit together."""
    doubts = [
        _doubt("LF4016", "rule-missing", code, "The policy did not evaluate a rule that its bundle demands.")
        for code in sorted(policy.required_rules.difference(ruling.evaluated))
    ]
    doubts += [
        _doubt(
            "LF4017", "result-missing", code, "A demanded rule has no result, so nothing says that it holds."
        )
        for code in sorted(policy.required_rules - codes(ruling.rules))
    ]
    failed = _places(rule for rule in ruling.rules if not rule.passed)
    denied = _places(ruling.violations) | _places(ruling.waived)
    doubts += [
        _doubt("LF4018", "output-contradicts", code, "A rule failed, but nothing in the output tells of it.")
        for code in sorted({code for code, _ in failed - denied - _places(ruling.warnings)})
    ]
    doubts += [
        _doubt("LF4018", "output-contradicts", code, "The output tells of a failure, but the rule passed.")
        for code in sorted({code for code, _ in denied - failed})
    ]
    doubts += [
        _doubt("LF4018", "output-contradicts", row.code, f"The output waives what it may not, since {why}.")
        for row in ruling.waived
        if (why := objection(row, facts, policy.waivable))
    ]
    if ruling.allow and ruling.violations:
        doubts.append(
            _doubt("LF4018", "output-contradicts", "allow", "The output allows in spite of violations.")
        )
    if not ruling.allow and not ruling.violations and not doubts:
        doubts.append(_doubt("LF4018", "output-contradicts", "allow", "The output denies without a reason."))
    return doubts


def _places(rows: Iterable[RuleResult | Violation | Waived]) -> set[tuple[str, str]]:
    return {(row.code, row.term) for row in rows}


def _doubt(code: str, rule: str, term: str, msg: str) -> Violation:
    return Violation(
        code=code,
        rule=rule,
        term=term,
        severity=Severity.CRITICAL,
        value="",
        threshold="",
        msg=f"{msg[:-1]}: {term}.",
        solution="The policy bundle needs mending: lockflight policy test BUNDLE",
    )


def basis(
    policy: str, rules: Iterable[RuleResult], waived: Iterable[Waived], violations: Iterable[Violation]
) -> str:
    """SHA-256 (hex) of what approvals are bound to.

    A result that a stranger can change (`none`) stays out, unless it denies.
    """
    denying = codes(violations)
    results: list[JsonValue] = [
        [rule.code, rule.term, rule.passed, rule.value if rule.basis is InBasis.VALUE else ""]
        for rule in rules
        if rule.basis is not InBasis.NONE or rule.code in denying
    ]
    # By their bytes: a term may have a number in one result and a word in another, which do not compare.
    results.sort(key=dumps)
    waivers = sorted([w.code, w.term, w.waiver] for w in waived)
    return hashlib.sha256(dumps({"policy": policy, "results": results, "waivers": waivers})).hexdigest()


def required(data: JsonObject, environment: str, kind: str, tier: str) -> dict[str, int]:
    """Checks that a bundle demands, with the maximal age of their evidence in seconds.

    `data.required` maps environment, kind and tier to `[{check, max_age_s}]`; `*` stands for every kind or tier.
    All entries that fit count together and the smallest age wins, so no entry can weaken another.

    Raises:
        EnvironmentProblem: LF4005 the bundle's data has another shape.
    """
    result: dict[str, int] = {}
    try:
        kinds = obj(obj(data["required"]).get(environment, {}))
        for some_kind in ("*", kind):
            tiers = obj(kinds.get(some_kind, {}))
            for some_tier in ("*", tier):
                for item in array(tiers.get(some_tier, [])):
                    entry = obj(item)
                    name, age = text(entry["check"]), natural(entry["max_age_s"])
                    result[name] = min(age, result.get(name, age))
    except (KeyError, TypeError) as error:
        raise EnvironmentProblem(
            "LF4005",
            f"The policy's data does not say what evidence it demands: {error!s}.",
            hint="lockflight policy test BUNDLE",
        ) from error
    return result


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
        policy: digest of the policy bundle.
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
        extension: JsonObject = {
            "environment": self.environment,
            "basis": self.basis,
            "separation": self.separation,
            "inputDigest": {"sha256": self.input_digest},
            "outputDigest": {"sha256": self.output_digest},
            "engines": [dict(engine) for engine in self.engines],
            "capsule": {"facts": self.input_digest, "bundle": self.bundle},
            "waivers": {standing: list(digests) for standing, digests in self.waivers},
            "ruling": ruling.to_json(),
        }
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
    """
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
    )
    unix(result.time_verified)
    if result.allow and (result.violations or texts(raw["verifiedLevels"]) != result.levels):
        raise ValueError("a verdict that its own violations contradict")
    if basis(result.policy, result.rules, result.waived, result.violations) != result.basis:
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


def _digest_or_none(value: JsonValue) -> str:
    return hex64(value) if value else ""


def _sha256(value: JsonObject) -> str:
    return hex64(obj(value["digest"])["sha256"])


def _pairs(value: JsonValue) -> tuple[tuple[str, str], ...]:
    return tuple(sorted((key, text(item)) for key, item in obj(value).items()))
