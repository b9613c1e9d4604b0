"""Typed access to parsed JSON: each function returns the value or raises, so a wrong shape never passes on."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lockflight.core.canonical import JsonObject, JsonValue

_HEX = frozenset("0123456789abcdef")
_DIGEST_DIGITS = 64


def obj(value: JsonValue) -> JsonObject:
    """A JSON object, or TypeError."""
    if not isinstance(value, dict):
        raise TypeError("an object is expected")
    return value


def array(value: JsonValue) -> list[JsonValue]:
    """A JSON array, or TypeError."""
    if not isinstance(value, list):
        raise TypeError("a list is expected")
    return value


def text(value: JsonValue) -> str:
    """A string, or TypeError."""
    if not isinstance(value, str):
        raise TypeError("a string is expected")
    return value


def integer(value: JsonValue) -> int:
    """An integer (never a boolean), or TypeError."""
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError("an integer is expected")
    return value


def natural(value: JsonValue) -> int:
    """A whole number that is not negative, or TypeError."""
    number = integer(value)
    if number < 0:
        raise TypeError("a whole number is expected")
    return number


def hex64(value: JsonValue) -> str:
    """64 lower-case hex digits, or ValueError."""
    digits = text(value)
    if len(digits) != _DIGEST_DIGITS or not _HEX.issuperset(digits):
        raise ValueError("64 lower-case hex digits are expected")
    return digits


def texts(value: JsonValue) -> tuple[str, ...]:
    """An array of strings, or TypeError."""
    return tuple(text(item) for item in array(value))
