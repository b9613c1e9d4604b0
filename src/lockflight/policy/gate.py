"""A bundle with its engine: what `core.gate.decide` evaluates with.

Before a bundle judges, it must bite: facts that are fine are allowed, and for every rule there are facts that make
that rule fail. A rule that can no longer fail, because somebody mistyped a path, is found here and not in production.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockflight.core.canonical import dumps
from lockflight.core.facts.precedents import engines_told
from lockflight.core.gate.factshape import check_facts
from lockflight.core.gate.ruling import Ruling, parse_ruling
from lockflight.core.gate.unsettled import Unsettled
from lockflight.errors import EnvironmentProblem, PolicyDenied
from lockflight.policy.patch import patched

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from lockflight.core.canonical import JsonObject
    from lockflight.core.facts.precedents import Engines
    from lockflight.core.gate.gate import PolicyRef
    from lockflight.core.gate.ruling import RuleResult, Violation
    from lockflight.core.ports import PolicyEngine
    from lockflight.policy.bundle import Bundle

#: The fixture of facts that every rule must let pass, and how the others begin: see `bundle`.
BASE_NAME = "base"
CALM = "calm"
WAIVED = "waived"


class PolicyGate:
    """Holds a bundle and an engine; the bundle is proven once, before its first verdict.

    Args:
        bundle: judges.
        engine: evaluates it.
        precedents: on which engines, as records of decisions name them, this version has proven this very bundle
            before; the caller vouches for that.
    """

    def __init__(self, bundle: Bundle, engine: PolicyEngine, precedents: Collection[Engines] = ()) -> None:
        self.bundle = bundle
        self._engine = engine
        self._precedents = precedents
        self._proven = False

    @property
    def ref(self) -> PolicyRef:
        """Which policy judges."""
        return self.bundle.ref

    @property
    def engines(self) -> tuple[Mapping[str, str], ...]:
        """Which engines judge: name, version and sha256 of each; two where both must agree."""
        return self._engine.identities

    def evaluate(self, document: bytes) -> JsonObject:
        """The bundle's output for canonical facts.

        Raises:
            EnvironmentProblem: LF4001 to LF4008.
            PolicyDenied: LF4010 to LF4020.
        """
        self.prove()
        return self._engine.evaluate(self.bundle.modules, self.bundle.data, self.bundle.entrypoint, document)

    def prove(self) -> None:
        """See that every rule bites; again is free.

        Raises:
            EnvironmentProblem: LF4008 a rule has no fixture, or does not fail on it; LF4001 to LF4004.
            PolicyDenied: LF4010 to LF4020 the bundle cannot judge its own fixtures.
        """
        if self._proven or (self._precedents and engines_told(self.engines) in self._precedents):
            return
        try:
            failures = [f"{name}: {why}" for name, why in self.bites(every=False).items() if why]
        except Unsettled as error:
            # About the fixtures of the bundle, not about anything that anybody asked: no decision comes of it.
            raise PolicyDenied(error.code, error.message, hint=error.hint, details=error.details) from error
        if failures:
            raise EnvironmentProblem(
                "LF4008",
                f"The policy bundle {self.bundle.name} {self.bundle.version} does not bite: {failures[0]}.",
                hint="lockflight policy lint BUNDLE",
                details={"failures": failures},
            )
        self._proven = True

    def bites(self, *, every: bool = True) -> dict[str, str]:
        """Fixture to why it has not bitten, empty if it has; `base` stands for the facts that are fine.

        Args:
            every: also the fixtures `CODE.WORD`, which tests run; one of each rule is enough before a verdict.

        Raises:
            EnvironmentProblem, PolicyDenied: as `prove`, but for LF4008.
        """
        missing = dict.fromkeys(sorted(self.bundle.rules), "it has no fixture bite/CODE.json")
        names = [BASE_NAME, *(name for name in self.bundle.bites if every or "." not in name)]
        return missing | dict(self.faults(names, at_once=len(names)))

    def faults(self, names: Sequence[str], *, at_once: int) -> Iterator[tuple[str, str]]:
        """Each fixture with why it has not bitten; evaluated so many at once, as far as the caller reads.

        Raises:
            EnvironmentProblem, PolicyDenied: as `bites`.
        """
        for start in range(0, len(names), at_once):
            yield from self._faults(names[start : start + at_once])

    def _faults(self, names: Sequence[str]) -> Iterator[tuple[str, str]]:
        bundle = self.bundle
        documents = {}
        for name in names:
            try:
                facts = patched(bundle.base, bundle.bites[name].operations if name != BASE_NAME else ())
            except (KeyError, IndexError, TypeError, ValueError) as error:
                yield name, f"its fixture cannot be applied to bite/base.json: {error!s}"
                continue
            try:
                check_facts(facts)
            except ValueError as error:
                yield name, f"its fixture is not facts v1: {error}"
                continue
            documents[name] = dumps(facts)
        outputs = self._engine.evaluate_all(
            bundle.modules, bundle.data, bundle.entrypoint, [*documents.values()]
        )
        for name, output in zip(documents, outputs, strict=True):
            try:
                yield name, self._fault(name, parse_ruling(output))
            except (KeyError, TypeError, ValueError) as error:
                raise PolicyDenied(
                    "LF4011",
                    f"The policy {bundle.name} {bundle.version} returned something that is not a decision"
                    f" about its own fixture {name}: {error}.",
                    hint="lockflight policy lint BUNDLE",
                ) from error

    def _fault(self, name: str, ruling: Ruling) -> str:
        code, _, word = name.partition(".")
        if name == BASE_NAME:
            against = sorted({rule.code for rule in ruling.rules if not rule.passed})
            fine = ruling.allow and not against
            return "" if fine else f"facts that are fine are refused by {', '.join(against) or 'it'}"
        if code not in self.bundle.rules:
            return "there is no rule of that code"
        says = self.bundle.bites[name].says
        results = [rule for rule in ruling.rules if rule.code == code]
        if {rule.term for rule in results if rule.passed} & {
            rule.term for rule in results if not rule.passed
        }:
            return "it passes and fails at once"
        if word.startswith(CALM):
            if not results or not all(rule.passed for rule in results):
                return "it does not pass on its known-good facts"
            return _unsaid(says, results)
        failed = [rule for rule in results if not rule.passed]
        told = [row for row in (*ruling.violations, *ruling.warnings) if row.code == code]
        if word.startswith(WAIVED):
            used = sorted(row.waiver for row in ruling.waived if row.code == code)
            if not failed or told or not ruling.allow or used != says.get(WAIVED):
                return f"its failure is not waived by {says.get(WAIVED)}, but by {used}"
            return _unsaid({key: value for key, value in says.items() if key != WAIVED}, failed)
        if not failed or not told:
            return "it does not fail on its known-bad facts"
        if ruling.allow and code in {v.code for v in ruling.violations}:
            return "it fails, and the output allows all the same"
        return _unsaid(says, told)


def _unsaid(says: JsonObject, rows: Iterable[RuleResult | Violation]) -> str:
    """What no row says that the fixture expects; empty when one says all of it."""
    if not says:
        return ""
    said = [{key: row.get(key) for key in says} for row in (row.to_json() for row in rows)]
    return "" if says in said else f"it says {said[0] if len(said) == 1 else said}, not {says}"
