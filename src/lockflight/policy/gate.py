"""A bundle with its engine: what `core.gate.decide` evaluates with.

Before a bundle judges, it must bite: facts that are fine are allowed, and for every rule there are facts that make
that rule fail. A rule that can no longer fail, because somebody mistyped a path, is found here and not in production.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

from lockflight.core.canonical import dumps
from lockflight.core.factshape import check_facts
from lockflight.core.ruling import Ruling, parse_ruling
from lockflight.core.shape import array, obj, text
from lockflight.errors import EnvironmentProblem, PolicyDenied
from lockflight.policy.regorus import RegorusEngine

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from lockflight.core.canonical import JsonObject, JsonValue
    from lockflight.core.gate import PolicyRef
    from lockflight.policy.bundle import Bundle


class PolicyGate:
    """Holds a bundle and an engine; the bundle is proven once, before its first verdict."""

    def __init__(self, bundle: Bundle, engine: RegorusEngine | None = None) -> None:
        self.bundle = bundle
        self._engine = engine or RegorusEngine()
        self._proven = False

    @property
    def ref(self) -> PolicyRef:
        """Which policy judges."""
        return self.bundle.ref

    @property
    def engines(self) -> tuple[Mapping[str, str], ...]:
        """Which engines judge: name, version and sha256 of each."""
        return (self._engine.identity,)

    def evaluate(self, document: bytes) -> JsonObject:
        """The bundle's output for canonical facts.

        Raises:
            EnvironmentProblem: LF4001 to LF4008.
            PolicyDenied: LF4010 to LF4019.
        """
        self.prove()
        return self._engine.evaluate(self.bundle.modules, self.bundle.data, self.bundle.entrypoint, document)

    def prove(self) -> None:
        """See that every rule bites; again is free.

        Raises:
            EnvironmentProblem: LF4008 a rule has no fixture, or does not fail on it; LF4001 to LF4004.
            PolicyDenied: LF4010 to LF4019 the bundle cannot judge its own fixtures, LF4011 in another shape among them.
        """
        if self._proven:
            return
        failures = [f"{code}: {why}" for code, why in self.bites().items() if why]
        if failures:
            raise EnvironmentProblem(
                "LF4008",
                f"The policy bundle {self.bundle.name} {self.bundle.version} does not bite: {failures[0]}.",
                hint="lockflight policy test BUNDLE",
                details={"failures": failures},
            )
        self._proven = True

    def bites(self) -> dict[str, str]:
        """Rule code to why it has not bitten, empty if it has; `base` stands for the facts that are fine.

        Raises:
            EnvironmentProblem, PolicyDenied: as `prove`, but for LF4008.
        """
        bundle = self.bundle
        result = dict.fromkeys(sorted(bundle.rules), "it has no fixture bite/CODE.json")
        documents = {"base": bundle.base}
        for code, operations in bundle.bites.items():
            try:
                documents[code] = patched(bundle.base, operations)
            except (KeyError, IndexError, TypeError, ValueError) as error:
                result[code] = f"its fixture cannot be applied to bite/base.json: {error!s}"
        for code, facts in list(documents.items()):
            try:
                check_facts(facts)
            except ValueError as error:
                result[code] = f"its fixture is not facts v1: {error}"
                del documents[code]
        outputs = self._engine.evaluate_all(
            bundle.modules, bundle.data, bundle.entrypoint, [dumps(facts) for facts in documents.values()]
        )
        for code, output in zip(documents, outputs, strict=True):
            try:
                result[code] = _bitten(code, parse_ruling(output))
            except (KeyError, TypeError, ValueError) as error:
                raise PolicyDenied(
                    "LF4011",
                    f"The policy {bundle.name} {bundle.version} returned something that is not a decision"
                    f" about its own fixture {code}: {error}.",
                    hint="lockflight policy test BUNDLE",
                ) from error
        return result


def _bitten(code: str, ruling: Ruling) -> str:
    if code == "base":
        failed = sorted({rule.code for rule in ruling.rules if not rule.passed})
        return (
            ""
            if ruling.allow and not failed
            else f"facts that are fine are refused by {', '.join(failed) or 'it'}"
        )
    told = {v.code for v in (*ruling.violations, *ruling.warnings)}
    if code not in told or all(rule.passed for rule in ruling.rules if rule.code == code):
        return "it does not fail on its known-bad facts"
    if ruling.allow and code in {v.code for v in ruling.violations}:
        return "it fails, and the output allows all the same"
    return ""


def patched(document: JsonObject, operations: Iterable[JsonValue]) -> JsonObject:
    """A copy with JSON Patch operations (RFC 6902: add, replace, remove) applied.

    Raises:
        KeyError, IndexError, TypeError, ValueError: an operation does not fit.
    """
    result = copy.deepcopy(document)
    for item in operations:
        operation = obj(item)
        pointer = text(operation["path"])
        if not pointer.startswith("/"):
            raise ValueError(f"{pointer!r} is not a JSON pointer into the facts")
        *parents, last = (p.replace("~1", "/").replace("~0", "~") for p in pointer[1:].split("/"))
        place: JsonValue = result
        for part in parents:
            place = obj(place)[part] if isinstance(place, dict) else array(place)[int(part)]
        _change(place, last, text(operation["op"]), copy.deepcopy(operation.get("value")))
    return result


def _change(place: JsonValue, last: str, op: str, value: JsonValue) -> None:
    if op not in {"add", "replace", "remove"}:
        raise ValueError(f"the operation {op!r} is not one of add, replace, remove")
    if isinstance(place, dict):
        if op != "add" and last not in place:
            raise KeyError(last)
        if op == "remove":
            del place[last]
        else:
            place[last] = value
        return
    rows = array(place)
    if op == "add":
        rows.insert(len(rows) if last == "-" else int(last), value)
    elif op == "remove":
        del rows[int(last)]
    else:
        rows[int(last)] = value
