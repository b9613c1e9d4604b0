"""Mutation testing of bundles: how many small wrongs do the lint, the fixtures and the tests notice?"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from lockflight.core.records import dataclass
from lockflight.errors import LockflightError
from lockflight.policy.gate import BASE_NAME, PolicyGate
from lockflight.policy.testing import rego_tests
from lockflight.policy.text.annotations import rule_metadata
from lockflight.policy.text.factpaths import lint_facts
from lockflight.policy.text.lint import lint
from lockflight.policy.text.mutants import Mutant, mutants

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from lockflight.core.ports import PolicyEngine
    from lockflight.policy.bundle import Bundle

#: Fixtures that are evaluated together. A mutant that one of the first notices needs no more.
_AT_ONCE = 12


@dataclass(frozen=True, slots=True)
class Trial:
    """One mutant and who noticed it.

    Attributes:
        mutant: what was done.
        noticed: `refused` by reader, lint or engine, `fixture`, `test`, or empty when it survived.
        detail: which one, for people.
    """

    mutant: Mutant
    noticed: str
    detail: str = ""


def all_mutants(bundle: Bundle) -> list[Mutant]:
    """The mutants of every judging module."""
    return [mutant for path in sorted(bundle.modules) for mutant in mutants(path, bundle.modules[path])]


def trials(bundle: Bundle, chosen: Iterable[Mutant], engine: PolicyEngine) -> Iterator[Trial]:
    """Try mutants of a bundle, one at a time.

    Args:
        bundle: the bundle that they are mutants of.
        chosen: from `all_mutants`.
        engine: what loads and evaluates them.
    """
    for mutant in chosen:
        yield _trial(bundle, mutant, engine)


def _trial(bundle: Bundle, mutant: Mutant, engine: PolicyEngine) -> Trial:
    # Comments, data and fixtures stay as they are, so only the lint has to look again.
    modules = {**bundle.modules, mutant.path: mutant.source}
    issues = lint({**modules, **bundle.tests}, bundle.roots) or lint_facts({mutant.path: mutant.source})
    if issues:
        return Trial(mutant, "refused", str(issues[0]))
    wrong = replace(bundle, modules=modules)
    faults = PolicyGate(wrong, engine).faults(_ordered(bundle, mutant.path), at_once=_AT_ONCE)
    try:
        toothless = next((f"{name}: {why}" for name, why in faults if why), "")
    except LockflightError as error:
        return Trial(mutant, "refused", f"{error.code} {error.message}")
    if toothless:
        return Trial(mutant, "fixture", toothless)
    failed = next((test for test in rego_tests(wrong, engine) if test.passed is False), None)
    return Trial(mutant, "test", failed.name) if failed is not None else Trial(mutant, "")


def _ordered(bundle: Bundle, path: str) -> list[str]:
    """Every fixture, those of the rules of one module first: they are the likeliest to notice."""
    own = set(rule_metadata({path: bundle.modules[path]}))
    names = [BASE_NAME, *bundle.bites]
    return sorted(names, key=lambda name: name.partition(".")[0] not in own)
