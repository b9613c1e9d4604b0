"""One changed fact, and facts with several of them changed. Pure."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from lockflight.core.canonical import dumps
from lockflight.core.records import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from lockflight.core.canonical import JsonObject, JsonValue

Path = tuple[str | int, ...]

#: The place behind the last row of a list, as JSON Patch spells it.
END = "-"


class Reach(StrEnum):
    """What has to happen for a fact to change: new evidence, people, another release; or nothing can do it."""

    EVIDENCE = "evidence"
    PEOPLE = "people"
    RELEASE = "release"
    FIXED = "fixed"


REACHES = tuple(Reach)


@dataclass(frozen=True, slots=True)
class Edit:
    """One changed fact.

    Attributes:
        op: `add`, `replace` or `remove`, as in JSON Patch.
        path: keys and indices in the facts before any change; `-` for the end of a list.
        before, after: the values; None where there is none.
        reach: what has to happen for it.
        weight: how much it changes; of two that do, the lighter one is told.
        sure: it leads from what good facts do not have to what they have, so it may be done with many others.
    """

    op: str
    path: Path
    before: JsonValue
    after: JsonValue
    reach: Reach
    weight: tuple[int, ...] = (0,)
    sure: bool = True

    @property
    def key(self) -> bytes:
        """The same for edits that do the same."""
        return dumps([self.op, list(self.path), self.after])

    @property
    def place(self) -> Path:
        """What it changes; two edits of one place exclude each other, but rows can be added side by side."""
        return (*self.path, self.key.hex()) if self.at_end else self.path

    @property
    def at_end(self) -> bool:
        """Whether it is a new row behind the others; `-` may be a key too."""
        return self.op == "add" and self.path[-1] == END


def pointer(path: Path) -> str:
    """A JSON Pointer (RFC 6901)."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in path)


def in_order(edits: Sequence[Edit]) -> list[Edit]:
    """Edits so that each one's path is right when those before it are done.

    Changes in place come first, then rows at an end; then rows go, those behind before those in front of them, so that
    none moves before it is named.
    """
    moving = [edit for edit in edits if edit.op == "remove" and isinstance(edit.path[-1], int)]
    moved = {id(edit) for edit in moving}
    staying = [edit for edit in edits if id(edit) not in moved]
    staying.sort(key=lambda edit: (edit.at_end, pointer(edit.path), edit.key.hex()))
    return staying + sorted(moving, key=lambda edit: [_step(part) for part in edit.path], reverse=True)


def _step(part: str | int) -> tuple[int, str]:
    """What orders the parts of paths: rows by their number, members by their name."""
    return (part, "") if isinstance(part, int) else (-1, part)


def operations(edits: Sequence[Edit]) -> list[JsonValue]:
    """The JSON Patch (RFC 6902)."""
    found: list[JsonValue] = []
    for edit in in_order(edits):
        operation: JsonObject = {"op": edit.op, "path": pointer(edit.path)}
        if edit.op != "remove":
            operation["value"] = edit.after
        found.append(operation)
    return found


def fit(edits: Iterable[Edit]) -> list[Edit]:
    """Those that go together: of two about one place, or of one inside another's place, the first."""
    taken: list[Edit] = []
    places: set[Path] = set()
    for edit in edits:
        place = edit.place
        if any(place[:n] in places for n in range(1, len(place) + 1)):
            continue
        # Whatever was taken inside this place stays, and this one does not come.
        if any(other[: len(place)] == place for other in places):
            continue
        places.add(place)
        taken.append(edit)
    return taken


def changed(facts: JsonObject, edits: Sequence[Edit]) -> JsonObject:
    """Facts with all edits done; what does not change is shared with the facts given, so do not write into it.

    Raises:
        KeyError, IndexError, TypeError: an edit does not fit.
    """
    result = _changed(facts, [(edit.path, edit) for edit in edits])
    if not isinstance(result, dict):
        raise TypeError("facts are an object")
    return result


def _changed(value: JsonValue, edits: Sequence[tuple[Path, Edit]]) -> JsonValue:
    below: dict[str | int, list[tuple[Path, Edit]]] = {}
    for (head, *rest), edit in edits:
        below.setdefault(head, []).append((tuple(rest), edit))
    if isinstance(value, dict):
        return _object(value, below)
    if isinstance(value, list):
        return _list(value, below)
    raise TypeError("there is nothing below a value")


def _object(value: JsonObject, below: Mapping[str | int, Sequence[tuple[Path, Edit]]]) -> JsonObject:
    result = dict(value)
    for key, edits in below.items():
        path, edit = edits[0]
        if path:
            result[str(key)] = _changed(value[str(key)], edits)
        elif edit.op == "remove":
            del result[str(key)]
        else:
            result[str(key)] = edit.after
    return result


def _list(
    value: Sequence[JsonValue], below: Mapping[str | int, Sequence[tuple[Path, Edit]]]
) -> list[JsonValue]:
    rows = list(value)
    gone = set()
    for index, edits in below.items():
        if not isinstance(index, int):
            continue
        path, edit = edits[0]
        if path:
            rows[index] = _changed(value[index], edits)
        elif edit.op == "remove":
            gone.add(index)
        else:
            rows[index] = edit.after
    kept = [row for i, row in enumerate(rows) if i not in gone]
    return kept + [edit.after for _, edit in sorted(below.get(END, ()), key=lambda pair: pair[1].key)]
