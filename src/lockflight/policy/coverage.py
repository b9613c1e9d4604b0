"""How much of a bundle its fixtures and tests reach: lines of the judging modules."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from lockflight.core.canonical import dumps
from lockflight.core.records import dataclass
from lockflight.errors import EnvironmentProblem
from lockflight.infra.proc import MIB, Limits, Worker
from lockflight.policy.patch import patched
from lockflight.policy.testing import rules_to_test

if TYPE_CHECKING:
    from lockflight.policy.bundle import Bundle

#: Budgets of one bundle with all its tests.
LIMITS = Limits(cpu_s=120, memory_bytes=1024 * MIB, wall_s=300.0, output_bytes=8 * MIB, file_bytes=MIB)


@dataclass(frozen=True, slots=True)
class Covered:
    """One judging module.

    Attributes:
        path: of the module.
        reached: lines that something evaluated.
        missed: lines that nothing did.
    """

    path: str
    reached: tuple[int, ...]
    missed: tuple[int, ...]


def coverage(bundle: Bundle) -> tuple[Covered, ...]:
    """Which lines every fixture and every Rego test together reach.

    Raises:
        EnvironmentProblem: LF4025 they could not be counted.
    """
    facts = [bundle.base]
    for bite in bundle.bites.values():
        try:
            facts.append(patched(bundle.base, bite.operations))
        except (KeyError, IndexError, TypeError, ValueError):
            continue
    runs: list[tuple[str, list[str]]] = [(dumps(f).decode(), [bundle.entrypoint]) for f in facts]
    runs.append(("{}", [rule for _, rule, pending in rules_to_test(bundle) if not pending]))
    request = {"modules": {**bundle.modules, **bundle.tests}, "data": bundle.data, "runs": runs}
    worker = Worker("lockflight.policy.engines._coverage:lines", limits=LIMITS)
    try:
        outcome = worker.call(json.dumps(request).encode())
    finally:
        worker.close()
    if outcome.result is None:
        raise EnvironmentProblem(
            "LF4025",
            f"The lines that the tests of {bundle.name} reach could not be counted: {outcome.detail}.",
            hint="lockflight doctor",
        )
    found = json.loads(outcome.result)
    return tuple(
        Covered(path, tuple(found[path]["reached"]), tuple(found[path]["missed"]))
        for path in sorted(bundle.modules)
    )
