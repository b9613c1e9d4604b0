"""The rows of JSON lines, each in its one spelling, strictly and as a stream.

A row is one JSON value in the form of RFC 8785 (JCS): keys sorted by UTF-16 units, no space, the shortest number that
reads back. One thing differs: whole numbers written without fraction and exponent keep every digit, where JCS would
round them to 53 bits and make two identifiers one. Refused are keys that stand twice, NaN, numbers beyond the range of
doubles, lone surrogates, and nesting over budget. Lines of nothing but space are no rows.
"""

from __future__ import annotations

import json
from json.encoder import encode_basestring
from math import isfinite
from typing import TYPE_CHECKING, Final, NoReturn

from lockflight.core.release.rows import JSON, MAX_COLUMN_BYTES, MAX_COLUMNS
from lockflight.core.source import BytesSource
from lockflight.formats.rows.lines import Unreadable, blocks_of_lines

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lockflight.core.canonical import JsonValue
    from lockflight.core.source import ByteSource

MAX_DEPTH: Final = 64
#: Digits of a whole number; Python itself gives up later, and how much later depends on the host.
MAX_DIGITS: Final = 1000
_SPACE: Final = b" \t\r"
#: Between these, Python writes a double as ECMAScript does.
_PLAIN: Final = (1e-4, 1e16)


class JsonTable:
    """JSON lines; iterating gives the rows in batches, and raises `Unreadable` where there is no telling.

    Attributes:
        columns: keys of all rows that are objects, sorted; complete after the last row. Empty where they are more
            than are kept.
    """

    form = JSON
    types: tuple[str, ...] = ()
    named = False

    def __init__(self, source: ByteSource) -> None:
        self._source = source
        self._row = 0
        self._keys: dict[str, None] | None = {}
        self._bytes = 0
        self._last: tuple[str, ...] = ()

    def __iter__(self) -> Iterator[list[bytes]]:
        for lines in blocks_of_lines(self._source):
            rows = []
            for line in lines:
                if not line or not line.strip(_SPACE):
                    continue
                self._row += 1
                value, plain = self._read(line)
                rows.append(self._spelled(value, plain=plain))
                if self._keys is not None and isinstance(value, dict):
                    self._note(value)
            if rows:
                yield rows

    def row_of(self, data: bytes) -> bytes:
        """The spelling of one row, given as JSON, over several lines if need be.

        Raises:
            Unreadable: it is no JSON value, or several.
        """
        return self.one(data)

    @classmethod
    def one(cls, data: bytes) -> bytes:
        """The spelling of one JSON value, as `row_of`.

        Raises:
            Unreadable: it is no JSON value, or several.
        """
        one = b" ".join(line for lines in blocks_of_lines(BytesSource(data, "the record")) for line in lines)
        reader = cls(BytesSource(b""))
        value, plain = reader._read(one)
        return reader._spelled(value, plain=plain)

    @property
    def columns(self) -> tuple[str, ...]:
        """Keys of the rows so far."""
        return tuple(sorted(self._keys or ()))

    @property
    def header(self) -> bytes:
        """No row names columns here."""
        return b""

    def _note(self, value: dict[str, JsonValue]) -> None:
        keys = tuple(value)
        if keys == self._last or self._keys is None:
            return
        self._last = keys
        for key in value:
            if key not in self._keys:
                self._keys[key] = None
                self._bytes += len(key.encode())
        if len(self._keys) > MAX_COLUMNS or self._bytes > MAX_COLUMN_BYTES:
            self._keys = None

    def _read(self, line: bytes) -> tuple[JsonValue, bool]:
        """The value, and whether the library's own writer spells it right."""
        careful = _Careful()
        deep = line.count(b"[") + line.count(b"{") > MAX_DEPTH
        ascii_keys = line.isascii() and b"\\u" not in line
        try:
            value: JsonValue = json.loads(
                line.decode(),
                object_pairs_hook=_pairs if ascii_keys else careful.pairs,
                parse_float=careful.decimal,
                parse_int=_whole if len(line) > MAX_DIGITS else None,
                parse_constant=_constant,
            )
            if deep and _too_deep(value):
                raise Unreadable(f"row {self._row} is nested deeper than {MAX_DEPTH} levels", budget=True)
        except RecursionError:
            raise Unreadable(
                f"row {self._row} is nested deeper than {MAX_DEPTH} levels", budget=True
            ) from None
        except Unreadable:
            raise
        except ValueError as error:
            raise Unreadable(f"row {self._row} is not JSON of one meaning: {error}") from None
        return value, careful.plain

    def _spelled(self, value: JsonValue, *, plain: bool) -> bytes:
        try:
            if plain:
                return _WRITER.encode(value).encode()
            out: list[str] = []
            _write(value, out)
            return "".join(out).encode()
        except UnicodeEncodeError:
            raise Unreadable(f"row {self._row} holds half a character") from None


_WRITER: Final = json.JSONEncoder(
    ensure_ascii=False, check_circular=False, allow_nan=False, sort_keys=True, separators=(",", ":")
)


class _Careful:
    """Hooks that notice what the library's writer would spell in another way."""

    def __init__(self) -> None:
        self.plain = True

    def pairs(self, items: list[tuple[str, JsonValue]]) -> dict[str, JsonValue]:
        """Only beyond ASCII can code points and UTF-16 units differ in order."""
        result = _pairs(items)
        self.plain = self.plain and "".join(result).isascii()
        return result

    def decimal(self, digits: str) -> float | int:
        """A double; one without a fraction is the whole number that it is written as."""
        number = float(digits)
        if not isfinite(number):
            raise ValueError("a number is too large for a double")
        size = abs(number)
        if number.is_integer() and size < _PLAIN[1]:
            return int(number)
        if not _PLAIN[0] <= size < _PLAIN[1]:
            self.plain = False
        return number


def _pairs(items: list[tuple[str, JsonValue]]) -> dict[str, JsonValue]:
    result = dict(items)
    if len(result) != len(items):
        raise ValueError("a key stands twice")
    return result


def _whole(digits: str) -> int:
    if len(digits) > MAX_DIGITS:
        raise ValueError(f"a number has more than {MAX_DIGITS} digits")
    return int(digits)


def _constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


def _too_deep(value: JsonValue) -> bool:
    level: list[JsonValue] = [value]
    for _ in range(MAX_DEPTH):
        level = [
            below
            for item in level
            if isinstance(item, (list, dict))
            for below in (item.values() if isinstance(item, dict) else item)
        ]
    return any(isinstance(item, (list, dict)) for item in level)


def _write(value: JsonValue, out: list[str]) -> None:
    """As the library writes, with keys in the order of UTF-16 and numbers as ECMAScript writes them."""
    if isinstance(value, str):
        out.append(encode_basestring(value))
    elif isinstance(value, float):
        out.append(number_text(value))
    elif isinstance(value, list):
        out.append("[")
        for i, item in enumerate(value):
            if i:
                out.append(",")
            _write(item, out)
        out.append("]")
    elif isinstance(value, dict):
        out.append("{")
        for i, key in enumerate(sorted(value, key=lambda key: key.encode("utf-16-be"))):
            out += (*([","] if i else ()), encode_basestring(key), ":")
            _write(value[key], out)
        out.append("}")
    else:
        out.append("null" if value is None else str(value).lower())  # true, false, or a whole number


def json_text(value: JsonValue) -> bytes:
    """The spelling of a value that is at hand.

    Raises:
        Unreadable: it holds half a character.
    """
    out: list[str] = []
    _write(value, out)
    try:
        return "".join(out).encode()
    except UnicodeEncodeError:
        raise Unreadable("a value holds half a character") from None


def number_text(number: float) -> str:
    """A double as ECMAScript writes it (ECMA-262, Number::toString), which is the form of RFC 8785."""
    if number == 0:
        return "0"
    mantissa, _, power = repr(abs(number)).partition("e")
    whole, _, fraction = mantissa.partition(".")
    shifted = (whole + fraction).lstrip("0")
    exponent = int(power or 0) + len(whole) - (len(whole + fraction) - len(shifted))
    digits = shifted.rstrip("0")
    count = len(digits)
    sign = "-" if number < 0 else ""
    if count <= exponent <= 21:
        return sign + digits + "0" * (exponent - count)
    if 0 < exponent <= 21:
        return f"{sign}{digits[:exponent]}.{digits[exponent:]}"
    if -6 < exponent <= 0:
        return f"{sign}0.{'0' * -exponent}{digits}"
    shown = digits[0] + ("." + digits[1:] if count > 1 else "")
    return f"{sign}{shown}e{'+' if exponent > 0 else '-'}{abs(exponent - 1)}"
