"""What a policy says: the output of `data.lockflight.gate.decision`, read strictly.

The document is `{allow, violations, warnings, waived, rules, evaluated_rules, skipped}` with exactly these keys;
anything else, and any number that is not an integer, is a malformed output, and that is a denial.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import TYPE_CHECKING, TypeVar

from lockflight.core.canonical import MAX_INT, dumps
from lockflight.core.findings import Severity
from lockflight.core.records import dataclass
from lockflight.core.shape import array, hex64, obj, text, texts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from lockflight.core.canonical import JsonObject, JsonValue


MAX_ROWS = 100_000
MAX_TEXT = 4_000

_CODE = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{1,63}")


class InBasis(StrEnum):
    """How much of a rule's result belongs to the basis that approvals are bound to."""

    VALUE = "value"
    OUTCOME = "outcome"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class RuleResult:
    """What one rule said about one term; passing results too.

    Attributes:
        code: `LF` code of the rule.
        rule: its name for people.
        term: what it was applied to: a check, an asset, a dependency; empty for the whole release.
        passed: whether it holds.
        severity: how bad a failure is.
        value: what was measured.
        threshold: what is demanded.
        msg: the same as one sentence.
        evidence: envelope digests that were read.
        basis: `value`; `outcome` when the value is a time or an age; `none` for what strangers can change.
    """

    code: str
    rule: str
    term: str
    passed: bool
    severity: Severity
    value: int | str
    threshold: int | str
    msg: str
    evidence: tuple[str, ...] = ()
    basis: InBasis = InBasis.VALUE

    def to_json(self) -> JsonObject:
        """The form in policy outputs and decisions."""
        return {
            "code": self.code,
            "rule": self.rule,
            "term": self.term,
            "passed": self.passed,
            "severity": self.severity.value,
            "value": self.value,
            "threshold": self.threshold,
            "msg": self.msg,
            "evidence": list(self.evidence),
            "basis": self.basis.value,
        }


@dataclass(frozen=True, slots=True)
class Violation:
    """One reason to deny, or one warning, with what would make it pass.

    Attributes:
        code, rule, term, severity, value, threshold, msg, evidence: as in `RuleResult`.
        solution: what to do, and the command to type.
        controls: ids of the controls that the rule serves, such as `nist-ai-rmf:MEASURE-2.7`.
    """

    code: str
    rule: str
    term: str
    severity: Severity
    value: int | str
    threshold: int | str
    msg: str
    solution: str
    evidence: tuple[str, ...] = ()
    controls: tuple[str, ...] = ()

    def to_json(self) -> JsonObject:
        """The form in policy outputs and decisions."""
        return {
            "code": self.code,
            "rule": self.rule,
            "term": self.term,
            "severity": self.severity.value,
            "value": self.value,
            "threshold": self.threshold,
            "msg": self.msg,
            "solution": self.solution,
            "evidence": list(self.evidence),
            "controls": list(self.controls),
        }


@dataclass(frozen=True, slots=True)
class Waived:
    """A violation that a waiver takes away: its code and term, and the waiver's envelope digest."""

    code: str
    rule: str
    term: str
    waiver: str

    def to_json(self) -> JsonObject:
        """The form in policy outputs and decisions."""
        return {"code": self.code, "rule": self.rule, "term": self.term, "waiver": self.waiver}


@dataclass(frozen=True, slots=True)
class Ruling:
    """A policy's output, in a fixed order: engines do not agree on the order of sets."""

    allow: bool
    violations: tuple[Violation, ...]
    warnings: tuple[Violation, ...]
    waived: tuple[Waived, ...]
    rules: tuple[RuleResult, ...]
    evaluated: tuple[str, ...]
    skipped: tuple[str, ...]

    def to_json(self) -> JsonObject:
        """Canonical form: what two engines, or two years, are compared by."""
        return {
            "allow": self.allow,
            "violations": [v.to_json() for v in self.violations],
            "warnings": [w.to_json() for w in self.warnings],
            "waived": [w.to_json() for w in self.waived],
            "rules": [r.to_json() for r in self.rules],
            "evaluated_rules": list(self.evaluated),
            "skipped": list(self.skipped),
        }


T = TypeVar("T", RuleResult, Violation, Waived)


def parse_ruling(raw: JsonObject) -> Ruling:
    """Read a policy's output.

    Raises:
        KeyError, TypeError, ValueError: any other shape; the message names the place.
    """
    _only(raw, "allow", "violations", "warnings", "waived", "rules", "evaluated_rules", "skipped")
    allow = raw["allow"]
    if not isinstance(allow, bool):
        raise TypeError("allow: true or false is expected")
    return Ruling(
        allow=allow,
        violations=_rows(raw, "violations", violation_from_json),
        warnings=_rows(raw, "warnings", violation_from_json),
        waived=_rows(raw, "waived", waived_from_json),
        rules=_rows(raw, "rules", result_from_json),
        evaluated=_codes(raw, "evaluated_rules"),
        skipped=_codes(raw, "skipped"),
    )


def result_from_json(raw: JsonObject) -> RuleResult:
    """Read one rule result.

    Raises:
        KeyError, TypeError, ValueError: any other shape.
    """
    fields = ("code", "rule", "term", "passed", "severity", "value", "threshold", "msg", "evidence", "basis")
    _only(raw, *fields)
    passed = raw["passed"]
    if not isinstance(passed, bool):
        raise TypeError("passed: true or false is expected")
    return RuleResult(
        code=_code(raw["code"]),
        rule=_text(raw["rule"]),
        term=_text(raw["term"]),
        passed=passed,
        severity=Severity(text(raw["severity"])),
        value=_measure(raw["value"]),
        threshold=_measure(raw["threshold"]),
        msg=_text(raw["msg"]),
        evidence=_digests(raw["evidence"]),
        basis=InBasis(text(raw["basis"])),
    )


def violation_from_json(raw: JsonObject) -> Violation:
    """Read one violation or warning.

    Raises:
        KeyError, TypeError, ValueError: any other shape.
    """
    fields = (
        "code",
        "rule",
        "term",
        "severity",
        "value",
        "threshold",
        "msg",
        "solution",
        "evidence",
        "controls",
    )
    _only(raw, *fields)
    return Violation(
        code=_code(raw["code"]),
        rule=_text(raw["rule"]),
        term=_text(raw["term"]),
        severity=Severity(text(raw["severity"])),
        value=_measure(raw["value"]),
        threshold=_measure(raw["threshold"]),
        msg=_text(raw["msg"]),
        solution=_text(raw["solution"]),
        evidence=_digests(raw["evidence"]),
        controls=texts(raw["controls"]),
    )


def waived_from_json(raw: JsonObject) -> Waived:
    """Read one waived violation.

    Raises:
        KeyError, TypeError, ValueError: any other shape.
    """
    _only(raw, "code", "rule", "term", "waiver")
    return Waived(_code(raw["code"]), _text(raw["rule"]), _text(raw["term"]), hex64(raw["waiver"]))


def _only(raw: JsonObject, *fields: str) -> None:
    unknown = sorted(set(raw).difference(fields))
    if unknown:
        raise ValueError(f"unknown field {unknown[0]!r}")


def _rows(raw: JsonObject, field: str, read: Callable[[JsonObject], T]) -> tuple[T, ...]:
    rows = array(raw[field])
    if len(rows) > MAX_ROWS:
        raise ValueError(f"{field}: more than {MAX_ROWS} entries")
    result: list[T] = []
    for i, row in enumerate(rows):
        try:
            result.append(read(obj(row)))
        except KeyError as error:
            raise ValueError(f"{field}[{i}]: no field {error}") from error
        except (TypeError, ValueError) as error:
            raise ValueError(f"{field}[{i}]: {error}") from error
    return in_order(result)


def in_order(rows: Iterable[T]) -> tuple[T, ...]:
    """Rows by code, term and content: sets have no order that two engines would share."""
    found = list(rows)
    if len({(row.code, row.term) for row in found}) == len(found):
        return tuple(sorted(found, key=lambda row: (row.code, row.term)))
    return tuple(sorted(found, key=lambda row: (row.code, row.term, dumps(row.to_json()))))


def _codes(raw: JsonObject, field: str) -> tuple[str, ...]:
    codes = {_code(item) for item in array(raw[field])}
    return tuple(sorted(codes))


def _code(value: JsonValue) -> str:
    code = text(value)
    if not _CODE.fullmatch(code):
        raise ValueError(f"{code[:80]!r} is not a rule code")
    return code


def _text(value: JsonValue) -> str:
    words = text(value)
    if len(words) > MAX_TEXT:
        raise ValueError(f"a text is longer than {MAX_TEXT} characters")
    return words


def _measure(value: JsonValue) -> int | str:
    if isinstance(value, str):
        return _text(value)
    if not isinstance(value, int) or isinstance(value, bool) or abs(value) > MAX_INT:
        raise TypeError("an integer or a text is expected; engines differ on decimals")
    return value


def _digests(value: JsonValue) -> tuple[str, ...]:
    return tuple(sorted({hex64(item) for item in array(value)}))


def codes(rows: Iterable[Violation | RuleResult | Waived]) -> set[str]:
    """The codes of some rows."""
    return {row.code for row in rows}
