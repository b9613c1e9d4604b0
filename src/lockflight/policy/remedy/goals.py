"""What is wanted of changed facts: one failed rule passes, and nothing else gets worse. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockflight.core.records import dataclass

if TYPE_CHECKING:
    from lockflight.core.gate.ruling import RuleResult, Ruling, Violation


@dataclass(frozen=True, slots=True)
class Goal:
    """A rule that failed about a term, and what was said of the facts as they were judged.

    Attributes:
        said: the failure.
        before: the whole ruling.
    """

    said: Violation
    before: Ruling

    @property
    def place(self) -> tuple[str, str]:
        """Code and term."""
        return self.said.code, self.said.term

    def met(self, after: Ruling) -> bool:
        """Whether the rule passes now, with a result, and no other rule fails that did not."""
        code, _ = self.place
        failed, failed_before = _failed(after), _failed(self.before)
        return (
            self.place not in failed
            and failed <= failed_before
            and _denied(after) <= _denied(self.before)
            # A rule that has become silent, or speaks no more about what it spoke about, was not satisfied.
            and _codes(self.before) <= _codes(after)
            and set(self.before.evaluated) <= set(after.evaluated)
            and set(after.skipped) <= set(self.before.skipped)
            and _still_speaks(self.before, after, code)
        )

    def moved(self, after: Ruling) -> bool:
        """Whether what the rule says is no longer what it said."""
        return _said(after, self.place) != _said(self.before, self.place)


def _failed(ruling: Ruling) -> set[tuple[str, str]]:
    return {(rule.code, rule.term) for rule in ruling.rules if not rule.passed}


def _denied(ruling: Ruling) -> set[tuple[str, str]]:
    return {(row.code, row.term) for row in ruling.violations}


def _codes(ruling: Ruling) -> set[str]:
    return {rule.code for rule in ruling.rules}


def _still_speaks(before: Ruling, after: Ruling, code: str) -> bool:
    """Whatever passed about a term still passes about it."""
    passed = {(r.code, r.term) for r in before.rules if r.passed and r.code == code and r.term}
    return passed <= {(r.code, r.term) for r in after.rules}


def _said(ruling: Ruling, place: tuple[str, str]) -> list[RuleResult]:
    return [rule for rule in ruling.rules if (rule.code, rule.term) == place]
