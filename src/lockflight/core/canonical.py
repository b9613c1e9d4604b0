"""Strict reading and canonical writing of JSON.

Signed JSON is parsed once, strictly, from the very bytes that were verified: duplicate keys, NaN, lone
surrogates, invalid UTF-8 and unbounded depth or size are refused. Canonical output follows RFC 8785 (JCS)
restricted to integers: no floats, keys sorted by UTF-16 code units, no insignificant space.
"""

from __future__ import annotations

import json
from json.encoder import encode_basestring
from math import isfinite
from typing import TYPE_CHECKING, NoReturn, TypeAlias

from lockflight.errors import VerificationFailed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

JsonValue: TypeAlias = "bool | int | float | str | list[JsonValue] | dict[str, JsonValue] | None"
JsonObject: TypeAlias = dict[str, JsonValue]

MAX_BYTES = 16 * 1024 * 1024
MAX_DEPTH = 64
MAX_VALUES = 3_000_000
#: I-JSON (RFC 7493) range in which every JSON implementation agrees on integers.
MAX_INT = 2**53 - 1


def loads_strict(
    data: bytes,
    *,
    what: str = "document",
    max_bytes: int = MAX_BYTES,
    max_depth: int = MAX_DEPTH,
    max_values: int = MAX_VALUES,
) -> JsonValue:
    """Parse UTF-8 JSON, refusing everything on which two parsers could disagree.

    Args:
        data: the bytes, exactly as they were verified.
        what: the name of the document for error messages.
        max_bytes: size budget.
        max_depth: nesting budget.
        max_values: budget of values, since three bytes of JSON can become a hundred in memory; commas and
            brackets inside strings count too.

    Raises:
        VerificationFailed: LF7101 not JSON, LF7102 duplicate key, LF7103 over budget.
    """
    if len(data) > max_bytes:
        raise VerificationFailed(
            "LF7103", f"The {what} is {len(data)} bytes long; at most {max_bytes} are read."
        )
    if sum(data.count(mark) for mark in (b",", b"[", b"{")) > max_values:
        raise VerificationFailed("LF7103", f"The {what} may hold more than {max_values} values.")

    def pairs(items: list[tuple[str, JsonValue]]) -> JsonObject:
        result = dict(items)
        if len(result) != len(items):
            keys = [key for key, _ in items]
            twice = next(key for i, key in enumerate(keys) if key in keys[:i])
            raise VerificationFailed(
                "LF7102",
                f"The {what} has the JSON key {twice[:80]!r} twice; two readers could see two documents.",
                hint="Ask the producer for a document with unique keys; do not use this one.",
            )
        return result

    def constant(name: str) -> NoReturn:
        raise VerificationFailed("LF7101", f"The {what} holds {name}, which is not JSON.")

    def integer(digits: str) -> int:
        number = int(digits)
        if abs(number) > MAX_INT:
            raise ValueError("an integer is outside the range that all JSON readers share")
        return number

    def decimal(digits: str) -> float:
        number = float(digits)
        if not isfinite(number):
            raise ValueError("a number is too large")
        return number

    try:
        value: JsonValue = json.loads(
            data.decode("utf-8"),
            object_pairs_hook=pairs,
            parse_constant=constant,
            parse_int=integer,
            parse_float=decimal,
        )
        # Only an escape makes a lone surrogate, and no tree is deeper than it has brackets.
        if b"\\u" in data or data.count(b"[") + data.count(b"{") > max_depth:
            _check_tree(value, what, max_depth)
    except RecursionError:
        raise _too_deep(what, max_depth) from None
    except ValueError as error:
        raise VerificationFailed("LF7101", f"The {what} is not valid JSON: {error}.") from error
    return value


def loads_object(
    data: bytes,
    *,
    what: str = "document",
    max_bytes: int = MAX_BYTES,
    max_depth: int = MAX_DEPTH,
    max_values: int = MAX_VALUES,
) -> JsonObject:
    """`loads_strict`, for documents that must be a JSON object.

    Raises:
        VerificationFailed: as `loads_strict`, and LF7101 for anything but an object.
    """
    value = loads_strict(data, what=what, max_bytes=max_bytes, max_depth=max_depth, max_values=max_values)
    if not isinstance(value, dict):
        raise VerificationFailed("LF7101", f"The {what} is not a JSON object.")
    return value


def _check_tree(value: JsonValue, what: str, max_depth: int) -> None:
    """Walk by level: depth, and no lone surrogate in any string or key."""
    level: list[JsonValue] = [value]
    depth = 0
    while level:
        below: list[JsonValue] = []
        containers = False
        for item in level:
            if isinstance(item, str):
                item.encode("utf-8")  # a lone surrogate is a UnicodeEncodeError, which is a ValueError
            elif isinstance(item, list):
                containers = True
                below += item
            elif isinstance(item, dict):
                containers = True
                below += item
                below += item.values()
        depth += containers
        if depth > max_depth:
            raise _too_deep(what, max_depth)
        level = below


def _too_deep(what: str, max_depth: int) -> VerificationFailed:
    return VerificationFailed("LF7103", f"The {what} is nested deeper than {max_depth} levels.")


def dumps(value: object) -> bytes:
    """Canonical JSON (RFC 8785, integers only) as UTF-8 bytes.

    Accepts None, bool, int within ±(2^53 - 1), str, and lists, tuples and mappings of those.

    Raises:
        TypeError: for floats and any other type: a statement must not hold them.
        ValueError: for integers outside the I-JSON range and for lone surrogates.
    """
    out: list[str] = []
    _write(value, out)
    return "".join(out).encode("utf-8")


def _write(value: object, out: list[str]) -> None:
    if type(value) is str:
        out.append(encode_basestring(value))
    elif type(value) is int:
        if abs(value) > MAX_INT:
            raise ValueError(f"integer {value} is outside the range that all JSON readers share")
        out.append(str(value))
    elif value is None:
        out.append("null")
    elif value is True:
        out.append("true")
    elif value is False:
        out.append("false")
    elif isinstance(value, (list, tuple)):
        _write_list(value, out)
    elif isinstance(value, dict):
        _write_dict(value, out)
    elif isinstance(value, str):
        out.append(encode_basestring(value))
    elif isinstance(value, int):
        _write(int(value), out)
    else:
        raise TypeError(f"{type(value).__name__} has no canonical JSON form")


def _write_list(value: Sequence[object], out: list[str]) -> None:
    comma = "["
    for item in value:
        out.append(comma)
        _write(item, out)
        comma = ","
    out.append("]" if value else "[]")


def _write_dict(value: Mapping[str, object], out: list[str]) -> None:
    # Only beyond ASCII can code points and UTF-16 units differ in order.
    plain = "".join(value).isascii()
    comma = "{"
    for key in sorted(value, key=None if plain else _utf16):
        out += (comma, encode_basestring(key), ":")
        _write(value[key], out)
        comma = ","
    out.append("}" if value else "{}")


def _utf16(key: str) -> bytes:
    return key.encode("utf-16-be", errors="strict")
