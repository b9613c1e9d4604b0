"""The gate's contract: `decide(facts, policy, evaluate)`. Pure; the engine that evaluates comes as an argument.

The policy proposes, this module disposes: the facts must have their shape, the output must read strictly, every rule
that the bundle demands must have been evaluated and must have a result, and `allow` is computed again. Whatever does
not fit is a denial. A policy that the release brings along judges the same facts beside the realm's, and both must
allow. The decision is recorded as a SLSA Verification Summary Attestation v1 (`core.vsa`).
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from lockflight.core.canonical import dumps
from lockflight.core.findings import Severity
from lockflight.core.gate.factshape import check_facts
from lockflight.core.gate.ruling import (
    InBasis,
    RuleResult,
    Ruling,
    Violation,
    Waived,
    codes,
    in_order,
    parse_ruling,
)
from lockflight.core.gate.unsettled import Said, Unsettled
from lockflight.core.gate.waived import objection
from lockflight.core.records import dataclass
from lockflight.core.release.ownpolicy import own_in_facts
from lockflight.core.shape import array, natural, obj, text
from lockflight.errors import EnvironmentProblem, PolicyDenied

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from lockflight.core.canonical import JsonObject, JsonValue


#: How the codes of Lockflight itself begin.
OURS = "LF"


@dataclass(frozen=True, slots=True)
class PolicyRef:
    """Which policy judges.

    Attributes:
        name, version: of the bundle, for people.
        digest: SHA-256 of the bundle, 64 hex digits.
        required_rules: codes of the rules without whose result nothing is allowed.
        waivable: codes of the rules whose failure a waiver may take away.
        rules: code and name of every rule.
    """

    name: str
    version: str
    digest: str
    required_rules: frozenset[str]
    waivable: frozenset[str] = frozenset()
    rules: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class OwnJudge:
    """The policy that a release brings along, and what evaluates it.

    Attributes:
        ref: which policy; its digest is that of the release's assets.
        evaluate: canonical facts in, policy output out.
    """

    ref: PolicyRef
    evaluate: Callable[[bytes], JsonObject]


@dataclass(frozen=True, slots=True)
class Decision:
    """A verdict with all that it rests on.

    Attributes:
        allow: whether the release may enter the environment, as far as evidence goes.
        violations: why not.
        warnings: what does not deny.
        waived: violations that waivers take away.
        rules: every rule result, passing ones too.
        basis: SHA-256 of canonical {policy digest, rule results with terms and values, waivers used}, and the own
            policy's digest where there is one; without times and evidence digests, so that approvals survive a
            repetition with the same outcome.
        policy: which policy judged.
        own: the release's own policy, which judged too; None where it has none.
        engines: name, version and library digest of the engines that evaluated.
        input_digest: SHA-256 of the canonical facts.
        output_digest: SHA-256 of the canonical output; of the list of both where two policies judged.
        environment: where to.
        release: release digest.
        name: release name.
        evaluated: codes of the rules that ran.
        skipped: codes of the rules that do not apply here.
        unsettled: what each engine said, where they gave no ruling that both stand for; then this denies.
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
    own: PolicyRef | None = None
    unsettled: tuple[Said, ...] = ()


def decide(
    facts: JsonObject,
    policy: PolicyRef,
    evaluate: Callable[[bytes], JsonObject],
    *,
    engines: Iterable[Mapping[str, str]] = (),
    own: OwnJudge | None = None,
) -> Decision:
    """Judge the facts of one release for one environment.

    Where two engines do not settle on one ruling, that is a decision too: a denial that keeps what each said.

    Args:
        facts: facts v1.
        policy: which policy `evaluate` holds.
        evaluate: canonical facts in, policy output out.
        engines: identities of the engines behind `evaluate`.
        own: the policy that the release brings along; it can only add to what speaks against.

    Raises:
        PolicyDenied: LF4014 the facts have another shape, LF4011 the output has, LF4029 the own policy's rules are
            taken, and what `evaluate` raises.
    """
    try:
        check_facts(facts)
        document = dumps(facts)
    except (TypeError, ValueError) as error:
        raise PolicyDenied(
            "LF4014", f"The facts about this release cannot be judged: {error}.", hint="lockflight doctor"
        ) from error
    release = obj(facts["release"])
    answers: tuple[Said, ...] = ()
    try:
        rulings, doubts = _rulings(facts, document, (policy, evaluate), own)
    except Unsettled as error:
        rulings, doubts, answers = (error.ruling(),), [], error.answers
    outputs: list[JsonValue] = [one.to_json() for one in rulings]
    ruling = joined(*rulings)
    violations = in_order((*ruling.violations, *doubts))
    output: JsonValue = outputs if len(outputs) > 1 else outputs[0]
    return Decision(
        allow=ruling.allow and not violations,
        violations=violations,
        warnings=ruling.warnings,
        waived=ruling.waived,
        rules=ruling.rules,
        basis=basis(
            policy.digest, ruling.rules, ruling.waived, violations, own.ref.digest if own is not None else ""
        ),
        policy=policy,
        engines=tuple(dict(engine) for engine in engines),
        input_digest=hashlib.sha256(document).hexdigest(),
        output_digest=hashlib.sha256(dumps(output)).hexdigest(),
        environment=text(facts["environment"]),
        release=text(release["digest"]),
        name=text(release["name"]),
        evaluated=ruling.evaluated,
        skipped=ruling.skipped,
        own=own.ref if own is not None else None,
        unsettled=answers,
    )


def _rulings(
    facts: JsonObject,
    document: bytes,
    realms: tuple[PolicyRef, Callable[[bytes], JsonObject]],
    own: OwnJudge | None,
) -> tuple[tuple[Ruling, ...], list[Violation]]:
    """What the realm's policy says, and the release's own where it has one, with the gate's doubts about both."""
    policy, evaluate = realms
    first = _ruling(policy, evaluate, document)
    doubts = _doubts(first, policy, facts)
    if own_in_facts(facts) != (own.ref.digest if own is not None else ""):
        doubts.append(
            _doubt(
                "LF4031", "own-policy", "policy", "The release's own policy did not judge, or another did."
            )
        )
    if own is None:
        return (first,), doubts
    check_apart(policy, own.ref)
    second = _ruling(own.ref, own.evaluate, document)
    return (first, second), [*doubts, *_doubts(second, own.ref, facts), *_strays(second, own.ref)]


def check_apart(policy: PolicyRef, own: PolicyRef) -> None:
    """See that an own policy speaks of rules that nobody else speaks of: by code and by name.

    Raises:
        PolicyDenied: LF4029 it does not.
    """
    codes_, names = dict(policy.rules), {name for _, name in policy.rules}
    for code, name in own.rules:
        if code in codes_ or name in names or code.upper().startswith(OURS):
            what = f"name {name!r}" if name in names else f"code {code!r}"
            whose = "Lockflight's" if code.upper().startswith(OURS) else f"the policy {policy.name}'s"
            raise PolicyDenied(
                "LF4029",
                f"The release's own policy {own.name} has a rule of the {what}, which is {whose}.",
                hint="Give the rule a code and a name of its own, then: lockflight policy lint BUNDLE --write",
            )


def joined(*rulings: Ruling) -> Ruling:
    """What policies say together: all that each says, and yes only if all do."""
    return Ruling(
        allow=all(one.allow for one in rulings),
        violations=in_order(row for one in rulings for row in one.violations),
        warnings=in_order(row for one in rulings for row in one.warnings),
        waived=in_order(row for one in rulings for row in one.waived),
        rules=in_order(row for one in rulings for row in one.rules),
        evaluated=tuple(sorted({code for one in rulings for code in one.evaluated})),
        skipped=tuple(sorted({code for one in rulings for code in one.skipped})),
    )


def _strays(ruling: Ruling, own: PolicyRef) -> list[Violation]:
    """An own policy speaks of its own rules only: it passes, waives and skips nothing for anybody else."""
    said = {*ruling.evaluated, *ruling.skipped}
    for rows in (ruling.rules, ruling.violations, ruling.warnings, ruling.waived):
        said |= codes(rows)
    return [
        _doubt("LF4030", "own-policy", code, "The release's own policy speaks of a rule that is not its own.")
        for code in sorted(said - {code for code, _ in own.rules})
    ]


def _ruling(policy: PolicyRef, evaluate: Callable[[bytes], JsonObject], document: bytes) -> Ruling:
    try:
        return parse_ruling(evaluate(document))
    except Unsettled as error:
        raise error.about(policy.digest) from error
    except (KeyError, TypeError, ValueError) as error:
        raise PolicyDenied(
            "LF4011",
            f"The policy {policy.name} {policy.version} returned something that is not a decision: {error}.",
            hint="lockflight policy test BUNDLE",
        ) from error


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
    policy: str,
    rules: Iterable[RuleResult],
    waived: Iterable[Waived],
    violations: Iterable[Violation],
    own: str = "",
) -> str:
    """SHA-256 (hex) of what approvals are bound to; with the digest of the own policy where one judged.

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
    used: list[JsonValue] = [list(row) for row in sorted((w.code, w.term, w.waiver) for w in waived)]
    document: JsonObject = {"policy": policy, "results": results, "waivers": used}
    if own:
        document["own"] = own
    return hashlib.sha256(dumps(document)).hexdigest()


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
