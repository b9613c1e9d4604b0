"""What one policy asks and another one no longer asks: to be read before the second takes the place of the first.

Data are compared where it is known which way is weaker: demanded evidence, thresholds, engines, and the lists of the
shipped rules. Whatever else makes a rule forgive more shows in the fixtures of the policy in force: a rule of the
same code has to fail wherever it failed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockflight.core.canonical import dumps
from lockflight.core.gate.ruling import parse_ruling
from lockflight.core.records import dataclass
from lockflight.core.shape import array, natural, obj, text
from lockflight.core.times import age
from lockflight.errors import PolicyDenied
from lockflight.policy.engines.mode import weaker
from lockflight.policy.gate import BASE_NAME, CALM, WAIVED
from lockflight.policy.patch import patched

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from lockflight.core.canonical import JsonObject, JsonValue
    from lockflight.core.ports import PolicyEngine
    from lockflight.policy.bundle import Bundle

ANY = "*"
_RANKS = ("info", "low", "medium", "high", "critical")
#: Lists that the shipped rules read, by what makes them forgive more.
_WEAKER_LONGER = (
    "draft_environments",
    "known_provenance",
    "optional",
    "paperless_environments",
    "partial_environments",
    "personal_environments",
    "undecided_dependencies",
    "unsaid_environments",
)
_WEAKER_SHORTER = (
    "carded_roles",
    "described_roles",
    "model_roles",
    "moving_versions",
    "recorded_roles",
    "released_environments",
)


@dataclass(frozen=True, slots=True)
class Loss:
    """One thing that is asked now and would not be asked any more.

    Attributes:
        what: `policy`, `rule`, `environment`, `evidence`, `threshold`, `engines` or `data`.
        name: a rule's code, a check, or the name of the data.
        says: what changes, for people.
        environments: where, in order; empty for everywhere that the policy judges.
    """

    what: str
    name: str
    says: str
    environments: tuple[str, ...] = ()

    def __str__(self) -> str:
        where = f" in {', '.join(self.environments)}" if self.environments else ""
        return f"{self.what} {self.name}{where}: {self.says}"


def losses(
    before: Bundle, after: Bundle, environments: Iterable[str], engine: PolicyEngine
) -> tuple[Loss, ...]:
    """Everything that falls away when one policy takes the place of another.

    Args:
        before: the policy in force.
        after: the one that would judge instead; proven.
        environments: where.
        engine: evaluates the fixtures of `before` with `after`.

    Raises:
        EnvironmentProblem: LF4001 to LF4004 the engine or the policy does not load.
        PolicyDenied: LF4010 to LF4020 the policy cannot judge these facts.
    """
    if before.digest == after.digest:
        return ()
    found: dict[tuple[str, str, str], list[str]] = {}
    for environment in environments:
        for what, name, says in _there(before, after, environment):
            found.setdefault((what, name, says), []).append(environment)
    there = [Loss(what, name, says, tuple(places)) for (what, name, says), places in found.items()]
    return (*_rules(before, after, engine), *there, *_lists(before.data, after.data))


def _rules(before: Bundle, after: Bundle, engine: PolicyEngine) -> Iterator[Loss]:
    kept: list[str] = []
    for code, raw in sorted(before.rules.items()):
        old, new = obj(raw), after.rules.get(code)
        if new is None:
            yield Loss("rule", code, f"falls away ({text(old['title'])})")
            continue
        kept.append(code)
        meta = obj(new)
        if old["effect"] == "deny" and meta["effect"] != "deny":
            yield Loss("rule", code, "only warns")
        elif "effective_on" in meta and meta["effective_on"] != old.get("effective_on"):
            yield Loss("rule", code, f"only warns until {meta['effective_on']}")
        if meta["waivable"] and not old["waivable"]:
            yield Loss("rule", code, "can be waived")
        if code in before.required_rules and code not in after.required_rules:
            yield Loss("rule", code, "may be left out")
    yield from _forgiven(before, after, kept, engine)


def _forgiven(before: Bundle, after: Bundle, codes: list[str], engine: PolicyEngine) -> Iterator[Loss]:
    """Rules that are still there, and let pass what they refuse today, without another rule in their place."""
    documents = {"": dumps(before.base)}
    for name, bite in before.bites.items():
        code, _, word = name.partition(".")
        if code in codes and not word.startswith((CALM, WAIVED)):
            documents[name] = dumps(patched(before.base, bite.operations))
    outputs = engine.evaluate_all(after.modules, after.data, after.entrypoint, [*documents.values()])
    failing: dict[str, frozenset[str]] = {}
    for name, output in zip(documents, outputs, strict=True):
        try:
            failing[name] = frozenset(rule.code for rule in parse_ruling(output).rules if not rule.passed)
        except (KeyError, TypeError, ValueError) as error:
            raise PolicyDenied(
                "LF4011",
                f"The policy {after.name} {after.version} returned something that is not a decision about the "
                f"fixture {name or BASE_NAME} of {before.name} {before.version}: {error}.",
                hint="lockflight policy test BUNDLE",
            ) from error
    always = failing.pop("")
    told: set[str] = set()
    for name, codes_now in failing.items():
        code = name.partition(".")[0]
        if code not in told and codes_now <= always - {code}:
            told.add(code)
            yield Loss("rule", code, f"lets pass what it refuses now (bite/{name}.json)")


def _there(before: Bundle, after: Bundle, environment: str) -> Iterator[tuple[str, str, str]]:
    old = list(_demands(before.data, environment))
    new = list(_demands(after.data, environment))
    if old and not new:
        yield "environment", environment, "nothing is demanded there any more"
        return
    for kind, tier, check, seconds in old:
        ages = [a for k, t, c, a in new if c == check and k in {kind, ANY} and t in {tier, ANY}]
        of = "" if (kind, tier) == (ANY, ANY) else f" of kind {kind}, tier {tier}"
        if not ages:
            yield "evidence", check, f"is no longer demanded{of}"
        elif min(ages) > seconds:
            yield "evidence", check, f"may be {age(min(ages))} old, not {age(seconds)}{of}"
    thresholds = obj(obj(after.data.get("blocks", {})).get(environment, {}))
    for check, severity in obj(obj(before.data.get("blocks", {})).get(environment, {})).items():
        now, then = text(severity), thresholds.get(check)
        if then is None:
            yield "threshold", check, f"no finding blocks; now from {now}"
        elif _rank(text(then)) > _rank(now):
            yield "threshold", check, f"findings block from {text(then)}, not from {now}"
    if weaker(after.mode(environment), before.mode(environment)):
        yield "engines", environment, f"{after.mode(environment)} instead of {before.mode(environment)}"


def _rank(severity: str) -> int:
    return _RANKS.index(severity) if severity in _RANKS else len(_RANKS)


def _demands(data: JsonObject, environment: str) -> Iterator[tuple[str, str, str, int]]:
    for kind, tiers in obj(obj(data.get("required", {})).get(environment, {})).items():
        for tier, items in obj(tiers).items():
            for item in map(obj, array(items)):
                yield kind, tier, text(item["check"]), natural(item["max_age_s"])


def _lists(before: JsonObject, after: JsonObject) -> Iterator[Loss]:
    # A list that is not there has no rule that reads it: that is told of the rule, or shows in its fixtures.
    for name in _WEAKER_LONGER:
        more = _words(after, name) - _words(before, name)
        if more and name in before:
            yield Loss("data", name, f"also holds {', '.join(sorted(more))}")
    for name in _WEAKER_SHORTER:
        gone = _words(before, name) - _words(after, name)
        if gone and name in after:
            yield Loss("data", name, f"no longer holds {', '.join(sorted(gone))}")
    if "demanded_roles" in after:
        yield from _roles(obj(before.get("demanded_roles", {})), obj(after["demanded_roles"]))
    limits = obj(after.get("waiver_limits", {}))
    for term, limit in obj(before.get("waiver_limits", {})).items():
        if natural(limits.get(term, 0)) > natural(limit):
            yield Loss("data", "waiver_limits", f"{term} may be {limits[term]}, not {limit}")


def _roles(before: JsonObject, after: JsonObject) -> Iterator[Loss]:
    for kind, groups in before.items():
        asked = [_set(group) for key in {kind, ANY} for group in array(after.get(key, []))]
        gone = [group for group in map(_set, array(groups)) if not any(other <= group for other in asked)]
        if gone:
            names = "; ".join(" or ".join(sorted(group)) for group in gone)
            yield Loss("data", "demanded_roles", f"kind {kind} needs no more: {names}")


def _words(data: JsonObject, name: str) -> frozenset[str]:
    return _set(data.get(name, []))


def _set(value: JsonValue) -> frozenset[str]:
    return frozenset(text(word) for word in array(value))
