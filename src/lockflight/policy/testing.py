"""The test runner of bundles: every rule bites, and every `test_*` rule of the `*_test.rego` modules is true."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockflight.core.records import dataclass
from lockflight.errors import LockflightError
from lockflight.policy.text.tokens import tokens

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lockflight.core.ports import PolicyEngine
    from lockflight.policy.bundle import Bundle
    from lockflight.policy.gate import PolicyGate

SKIPPED = "todo_test_"


@dataclass(frozen=True, slots=True)
class BundleTest:
    """One test of a bundle.

    Attributes:
        name: `bite:FIXTURE`, or the path of a Rego rule such as `data.example.test_refuses`.
        passed: whether it passed; None when it is marked `todo_`.
        detail: why it did not pass.
    """

    name: str
    passed: bool | None
    detail: str = ""


def run_tests(bundle: Bundle, gate: PolicyGate, engine: PolicyEngine) -> tuple[BundleTest, ...]:
    """Run every test of a bundle.

    Raises:
        EnvironmentProblem: LF4001 to LF4003 the engine or the policy does not load.
        PolicyDenied: LF4010 to LF4020 the bundle cannot judge its own fixtures.
    """
    bites = [BundleTest(f"bite:{name}", not why, why) for name, why in gate.bites().items()]
    return (*bites, *rego_tests(bundle, engine))


def rego_tests(bundle: Bundle, engine: PolicyEngine) -> Iterator[BundleTest]:
    """Run the `test_*` rules of the `*_test.rego` modules."""
    modules = {**bundle.modules, **bundle.tests}
    for path, rule, pending in rules_to_test(bundle):
        if pending:
            yield BundleTest(rule, None, f"{path} marks it as not written yet")
        else:
            yield _rego_test(engine, modules, bundle, rule)


def rules_to_test(bundle: Bundle) -> Iterator[tuple[str, str, bool]]:
    """Each test rule of a bundle: its module's path, its own path, and whether it is marked as not written yet."""
    for path, source in sorted(bundle.tests.items()):
        package = ""
        seen: set[str] = set()
        before = ""
        for token in tokens(source):
            if before == "package":
                package = token.text
            before = token.text
            name = token.text
            if token.first and name not in seen and name.startswith(("test_", SKIPPED)):
                seen.add(name)
                yield path, f"data.{package}.{name}", name.startswith(SKIPPED)


def _rego_test(engine: PolicyEngine, modules: dict[str, str], bundle: Bundle, rule: str) -> BundleTest:
    try:
        value = engine.rules(modules, bundle.data, [rule])[rule]
    except LockflightError as error:
        return BundleTest(rule, passed=False, detail=f"{error.code} {error.message}")
    if value == "true":
        return BundleTest(rule, passed=True)
    return BundleTest(rule, passed=False, detail=f"it is {value[:200]}, not true")
