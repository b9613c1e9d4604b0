"""A bundle with its engine: what `core.gate.decide` evaluates with.

Before a bundle judges, it must bite: facts that are fine are allowed, and for every rule there are facts that make
that rule fail. A rule that can no longer fail, because somebody mistyped a path, is found here and not in production.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockflight.core.canonical import dumps
from lockflight.core.factshape import check_facts
from lockflight.core.ruling import Ruling, parse_ruling
from lockflight.errors import EnvironmentProblem
from lockflight.policy.patch import patched

if TYPE_CHECKING:
    from collections.abc import Container, Mapping

    from lockflight.core.canonical import JsonObject
    from lockflight.core.gate import PolicyRef
    from lockflight.core.ports import PolicyEngine
    from lockflight.policy.bundle import Bundle

#: The fixture of facts that every rule must let pass, and how the name of one begins that a single rule must.
BASE_NAME = "base"
CALM = "calm"


class PolicyGate:
    """Holds a bundle and an engine; the bundle is proven once, before its first verdict."""

    def __init__(self, bundle: Bundle, engine: PolicyEngine) -> None:
        self.bundle = bundle
        self._engine = engine
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
        if self._proven:
            return
        failures = [f"{name}: {why}" for name, why in self.bites(every=False).items() if why]
        if failures:
            raise EnvironmentProblem(
                "LF4008",
                f"The policy bundle {self.bundle.name} {self.bundle.version} does not bite: {failures[0]}.",
                hint="lockflight policy test BUNDLE",
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
        bundle = self.bundle
        result = dict.fromkeys(sorted(bundle.rules), "it has no fixture bite/CODE.json")
        documents = {BASE_NAME: bundle.base}
        for name, operations in bundle.bites.items():
            if not every and "." in name:
                continue
            try:
                documents[name] = patched(bundle.base, operations)
            except (KeyError, IndexError, TypeError, ValueError) as error:
                result[name] = f"its fixture cannot be applied to bite/base.json: {error!s}"
        for name, facts in list(documents.items()):
            try:
                check_facts(facts)
            except ValueError as error:
                result[name] = f"its fixture is not facts v1: {error}"
                del documents[name]
        outputs = self._engine.evaluate_all(
            bundle.modules, bundle.data, bundle.entrypoint, [dumps(facts) for facts in documents.values()]
        )
        for name, output in zip(documents, outputs, strict=True):
            try:
                result[name] = _fault(name, parse_ruling(output), bundle.rules)
            except (KeyError, TypeError, ValueError) as error:
                result[name] = f"the output is not a decision: {error!s}"
        return result


def _fault(name: str, ruling: Ruling, rules: Container[str]) -> str:
    code, _, word = name.partition(".")
    if code == BASE_NAME:
        failed = sorted({rule.code for rule in ruling.rules if not rule.passed})
        return (
            ""
            if ruling.allow and not failed
            else f"facts that are fine are refused by {', '.join(failed) or 'it'}"
        )
    if code not in rules:
        return "there is no rule of that code"
    passed = {rule.passed for rule in ruling.rules if rule.code == code}
    if word.startswith(CALM):
        return "" if passed == {True} else "it does not pass on its known-good facts"
    told = {v.code for v in (*ruling.violations, *ruling.warnings)}
    if code not in told or False not in passed:
        return "it does not fail on its known-bad facts"
    if ruling.allow and code in {v.code for v in ruling.violations}:
        return "it fails, and the output allows all the same"
    return ""
