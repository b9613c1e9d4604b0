"""Single changes that may help a failed rule, each towards what is known to be good. Pure.

Known to be good are the facts that a bundle is tested with (`bite/base.json`) and the threshold that a failure names.
Nothing is offered that takes away what a rule judges: rows of evidence go only where others about the same remain.
"""

from __future__ import annotations

from collections import Counter
from itertools import chain, islice
from typing import TYPE_CHECKING

from lockflight.core.canonical import dumps
from lockflight.policy.remedy.edits import END, REACHES, Edit, Reach, pointer
from lockflight.policy.remedy.newrows import evidence_added, rows_added
from lockflight.policy.remedy.reaches import ANY, reach_of
from lockflight.policy.text.factpaths import allowed_values

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from lockflight.core.canonical import JsonObject, JsonValue
    from lockflight.core.gate.ruling import Violation
    from lockflight.policy.remedy.edits import Path

#: Kinds of change, the smallest first.
_NUMBER, _CHOICE, _TEXT, _REMOVED = range(4)
#: Changes that are looked at for one failure at most.
MAX_CANDIDATES = 20_000


def candidates(facts: JsonObject, base: JsonObject, said: Violation) -> list[Edit]:
    """Every single change that is worth a try, the lightest first.

    Args:
        facts: what was judged.
        base: facts that the policy lets pass.
        said: the failure.
    """
    every = chain(_walk(facts, (), base, said), evidence_added(facts, base, said), rows_added(facts, base))
    found: dict[object, Edit] = {}
    for edit in islice(every, MAX_CANDIDATES):
        # Rows are compared as a whole; the same words are the same change.
        same = edit.after if isinstance(edit.after, (str, int)) else edit.key
        found.setdefault((edit.op, edit.path, type(edit.after), same), edit)
    return sorted(found.values(), key=lambda e: (REACHES.index(e.reach), e.weight, pointer(e.path)))


def _walk(value: JsonValue, path: Path, base: JsonObject, said: Violation) -> Iterator[Edit]:
    if isinstance(value, dict):
        for key, below in value.items():
            yield from _walk(below, (*path, key), base, said)
        yield from _absent(value, path, base)
    elif isinstance(value, list):
        subjects = Counter(map(_subject, value))
        for i, row in enumerate(value):
            yield from _walk(row, (*path, i), base, said)
            # Evidence goes only where other evidence about the same subject stays.
            yield from _removed(row, (*path, i), alone=subjects[_subject(row)] < 2)
    elif (reach := reach_of(path)) is not None:
        for better, weight, sure in _better(value, path, base, said):
            yield Edit("replace", path, value, better, reach, weight, sure)


def _absent(value: JsonObject, path: Path, base: JsonObject) -> Iterator[Edit]:
    """Keys that good facts have at such a place and these have not."""
    for key, good in _beside(base, path):
        if key not in value and (reach := reach_of((*path, key))) is not None:
            yield Edit("add", (*path, key), None, good, reach, (_TEXT, 0))


def _beside(base: JsonObject, path: Path) -> Iterator[tuple[str, JsonValue]]:
    # The tables of evidence are added by those who know how a row looks.
    if path and path != ("evidence",):
        for row in values_at(base, path):
            if isinstance(row, dict):
                yield from row.items()


def _removed(row: JsonValue, path: Path, *, alone: bool) -> Iterator[Edit]:
    among, reach = path[:-1], reach_of(path)
    droppable = among in {("rejected",), ("state", "revoked")} or among[-1] == "findings"
    if reach is not None and (droppable or (len(among) == 2 and among[0] == "evidence" and not alone)):
        yield Edit("remove", path, row, None, reach, (_REMOVED, len(dumps(row))))


def _subject(row: JsonValue) -> tuple[str, str]:
    return (str(row.get("subject")), str(row.get("grain"))) if isinstance(row, dict) else ("", "")


def _better(
    value: JsonValue, path: Path, base: JsonObject, said: Violation
) -> Iterator[tuple[JsonValue, tuple[int, ...], bool]]:
    good = [v for v in values_at(base, path) if type(v) is type(value)]
    sure = value not in good
    if isinstance(value, bool):
        yield not value, (_CHOICE, 1), sure
    elif isinstance(value, int):
        for number in _numbers(good, said.threshold):
            if number != value:
                yield number, (_NUMBER, abs(number - value)), sure
    elif isinstance(value, str):
        words = good or allowed_values([part for part in path if isinstance(part, str)])
        for word in dict.fromkeys(words):
            if word != value:
                yield word, (_TEXT if good else _CHOICE, 0), sure and bool(good)


def _numbers(good: Iterable[JsonValue], demanded: JsonValue) -> list[int]:
    found = [
        v for v in (demanded, *(good or [0])) if isinstance(v, int) and not isinstance(v, bool) and v >= 0
    ]
    return list(dict.fromkeys(found))


def values_at(value: JsonValue, path: Path) -> list[JsonValue]:
    """What stands at a place of other facts, whatever the indices."""
    found = [value]
    for part in path:
        found = [below for v in found for below in _below(v, part)]
    return found


def _below(value: JsonValue, part: str | int) -> Iterable[JsonValue]:
    if isinstance(value, list) and (isinstance(part, int) or part in {END, ANY}):
        return value
    return [value[part]] if isinstance(value, dict) and isinstance(part, str) and part in value else []


def is_fixed(edit: Edit) -> bool:
    """Whether nobody can bring the change about for this release here."""
    return edit.reach is Reach.FIXED
