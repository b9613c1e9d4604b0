"""The two ways in which one JSON document says how another one differs: JSON Patch and JSON Merge Patch. Pure."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

from lockflight.core.shape import array, obj, text

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lockflight.core.canonical import JsonObject, JsonValue


def merged(document: JsonValue, change: JsonValue) -> JsonValue:
    """`document` with a merge patch (RFC 7396) applied: objects are joined, null removes, all else replaces."""
    if not isinstance(change, dict):
        return copy.deepcopy(change)
    result: JsonObject = dict(document) if isinstance(document, dict) else {}
    for key, value in change.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merged(result.get(key), value)
    return result


def patched(document: JsonObject, operations: Iterable[JsonValue]) -> JsonObject:
    """A copy with JSON Patch operations (RFC 6902: add, replace, remove) applied.

    Raises:
        KeyError, IndexError, TypeError, ValueError: an operation does not fit.
    """
    result = copy.deepcopy(document)
    for item in operations:
        operation = obj(item)
        pointer = text(operation["path"])
        if not pointer.startswith("/"):
            raise ValueError(f"{pointer!r} is not a JSON pointer into the facts")
        *parents, last = (p.replace("~1", "/").replace("~0", "~") for p in pointer[1:].split("/"))
        place: JsonValue = result
        for part in parents:
            place = obj(place)[part] if isinstance(place, dict) else array(place)[int(part)]
        _change(place, last, text(operation["op"]), copy.deepcopy(operation.get("value")))
    return result


def _change(place: JsonValue, last: str, op: str, value: JsonValue) -> None:
    if op not in {"add", "replace", "remove"}:
        raise ValueError(f"the operation {op!r} is not one of add, replace, remove")
    if isinstance(place, dict):
        if op != "add" and last not in place:
            raise KeyError(last)
        if op == "remove":
            del place[last]
        else:
            place[last] = value
        return
    rows = array(place)
    if op == "add":
        rows.insert(len(rows) if last == "-" else int(last), value)
    elif op == "remove":
        del rows[int(last)]
    else:
        rows[int(last)] = value
