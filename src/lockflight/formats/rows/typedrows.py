"""Rows of tables whose columns have types, as Parquet has them, each in its one spelling.

A row is the JSON array of its values, column by column, spelled as `formats.jsonlines` spells a value. What JSON has no
word for: bytes are lower-case hex, decimals their digits with the fraction of their type, doubles that are no number
`"NaN"`, `"Infinity"` or `"-Infinity"`; dates, times and durations are whole numbers in the unit of their type, maps are
arrays of pairs. The head of the table names the types, so no two values are spelled alike.
"""

from __future__ import annotations

import json
import math
from decimal import Decimal
from typing import TYPE_CHECKING

from lockflight.core.release.rows import TYPED
from lockflight.formats.rows.jsonlines import JsonTable, json_text
from lockflight.formats.rows.lines import Unreadable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from lockflight.core.canonical import JsonValue


class TypedRows:
    """How single rows of such a table read; it has none of its own.

    Args:
        columns: their names.
        types: their types, in the words of the table's head.
    """

    form = TYPED
    named = False
    header = b""

    def __init__(self, columns: tuple[str, ...], types: tuple[str, ...]) -> None:
        self.columns = columns
        self.types = types

    def __iter__(self) -> Iterator[list[bytes]]:
        return iter(())

    def row_of(self, data: bytes) -> bytes:
        """The spelling of a row that is given as a JSON array of its values, or as an object with every column.

        Raises:
            Unreadable: it is neither.
        """
        value = json.loads(JsonTable.one(data))
        if isinstance(value, dict):
            if sorted(value) != sorted(self.columns) or len(set(self.columns)) != len(self.columns):
                raise Unreadable("a record is an object with each column once, or an array of all values")
            value = [value[name] for name in self.columns]
        if not isinstance(value, list) or len(value) != len(self.columns):
            raise Unreadable(f"a record has {len(self.columns)} values, in the order of the columns")
        return JsonTable.one(json_text(value))


def typed_row(values: Sequence[object]) -> bytes:
    """The spelling of a row from Python's values.

    Raises:
        Unreadable: a value that has no spelling.
    """
    return json_text([_plain(value) for value in values])


def _plain(value: object) -> JsonValue:
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        if math.isfinite(value):
            return int(value) if value.is_integer() and abs(value) < 1e16 else value
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    raise Unreadable(f"a value of the type {type(value).__name__} has no spelling")
