"""The start-up canary: what an engine must get right before it may decide anything.

An engine that answers "undefined" where a value is wanted lets a rule pass that never ran. Some do so for a time
stamp that ends in `Z`; they are refused here, before they see facts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

PACKAGE = "lockflight.canary"

#: Right-hand sides of rules, and the values that they must have.
VALUES: tuple[tuple[str, object], ...] = (
    ('time.parse_rfc3339_ns("2026-01-01T00:00:00Z")', 1767225600000000000),
    ('time.parse_rfc3339_ns("2026-01-01T01:00:00+01:00")', 1767225600000000000),
    ('{k: v | some k, v in {"a": 1, "b": 2}}', {"a": 1, "b": 2}),
    ('[v | some v in ["b", "a"]]', ["b", "a"]),
    ("{v | some v in [3, 1, 2, 1]}", [1, 2, 3]),
    ('{"a"} | {"b"}', ["a", "b"]),
    ('{"a", "b"} - {"b"}', ["a"]),
    ("count([1 | input.nothing.at.all == 1])", 0),
    ('object.get({"a": {"b": 1}}, ["a", "c"], 7)', 7),
    ('object.union({"a": 1}, {"b": 2})', {"a": 1, "b": 2}),
    ('sprintf("%d %s", [3, "x"])', "3 x"),
    ('concat(", ", sort({"b", "a"}))', "a, b"),
    ("array.slice([1, 2, 3, 4], 0, 3)", [1, 2, 3]),
    ('substring("abcdef", 0, 3)', "abc"),
    ("min([3, 1, 2])", 1),
    ("max([3, 1, 2])", 3),
    ("sum([1, 2, 3])", 6),
    ('net.cidr_contains("10.0.0.0/8", "10.1.2.3")', True),
    ('regex.match("^LF[0-9]{4}$", "LF4101")', True),
    ('semver.compare("1.10.0", "1.9.0")', 1),
    ("9007199254740991 + 0", 9007199254740991),
    ("[x | every_positive; x := 1]", [1]),
    ("partial", ["a", "b"]),
    ('table["x"]', [1]),
    ("picked", "second"),
    ("negated", True),
)

_HELPERS = """
every_positive if {
	every v in [1, 2] { v > 0 }
}
partial contains "a"
partial contains "b" if { 1 == 1 }
partial contains "c" if { 1 == 2 }
table[k] contains v if { some k, v in {"x": 1} }
default picked := "third"
picked := "first" if { input.nothing }
else := "second" if { not input.nothing }
negated if { not input.nothing.at.all }
"""

#: Path of the rule of each of `VALUES`.
RULES = tuple(f"data.{PACKAGE}.v{i}" for i in range(len(VALUES)))

#: Rules that must raise: an error in a built-in function is an error, never "undefined".
ERRORS = ('to_number("a")', "1 / 0")


def modules() -> dict[str, str]:
    """The canary's policy; rules `v0`, `v1`, … hold the values, each error has a module and package of its own."""
    body = "".join(f"v{i} := {text}\n" for i, (text, _) in enumerate(VALUES))
    result = {"canary/values.rego": f"package {PACKAGE}\n{_HELPERS}{body}"}
    for i, text in enumerate(ERRORS):
        result[f"canary/error{i}.rego"] = f"package {PACKAGE}.error{i}\nv := {text}\n"
    return result


def refusal(evaluate: Callable[[str], object]) -> str:
    """Why an engine must not be used; empty when it may.

    Args:
        evaluate: rule path to value, with an empty object as input; raises for an error.
    """
    for rule, (text, wanted) in zip(RULES, VALUES, strict=True):
        try:
            value = evaluate(rule)
        except Exception as error:  # noqa: BLE001 - engines raise what they like; each is a refusal
            return f"{text} fails with {str(error).strip().splitlines()[0][:200]}"
        if value != wanted or isinstance(value, bool) != isinstance(wanted, bool):
            return f"{text} is {value!r} instead of {wanted!r}"
    for i, text in enumerate(ERRORS):
        try:
            value = evaluate(f"data.{PACKAGE}.error{i}.v")
        except Exception:  # noqa: BLE001, S112 - this is what has to happen
            continue
        return f"{text} is {value!r} instead of an error"
    return ""
