"""One changed fact in the words of a person: what, about what, from what to what."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from lockflight.cli.lines.rules import duration
from lockflight.cli.style import count, short
from lockflight.core.shape import array, obj, text

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lockflight.core.canonical import JsonObject, JsonValue
    from lockflight.policy.remedy.edits import Edit, Path

_MOST = 5
_LONG = 60
_SEVERITIES = frozenset({"critical", "high", "medium", "low", "info"})


def lines(edits: Iterable[Edit], facts: JsonObject) -> list[str]:
    """A line for each changed fact; findings that go from one statement share theirs.

    Args:
        edits: the changes.
        facts: the facts that were judged.
    """
    gone: dict[Path, list[Edit]] = {}
    told = []
    for edit in edits:
        if edit.op == "remove" and len(edit.path) > 1 and edit.path[-2] == "findings":
            gone.setdefault(edit.path[:-1], []).append(edit)
        else:
            told.append(_line(edit, facts))
    return [*(_findings(path, some, facts) for path, some in gone.items()), *told]


def _findings(path: Path, edits: list[Edit], facts: JsonObject) -> str:
    check = _check(path)
    found = [obj(edit.before) for edit in edits]
    names = list(dict.fromkeys(text(finding["asset"]) for finding in found))
    name = names[0] if len(names) == 1 else _name(facts, path)
    told = [_finding(finding, full=len(names) > 1) for finding in found]
    more = f" and {len(told) - _MOST} more" if len(told) > _MOST else ""
    total = len(array(obj(_at(facts, path[:-1]))["findings"]))
    return (
        f"{check}: {name} may no longer have {', '.join(told[:_MOST])}{more}"
        f" ({count(total, 'finding')} -> {total - len(told)})"
    )


def _finding(finding: JsonObject, *, full: bool) -> str:
    place = finding.get("location")
    line = f" in line {place['line']}" if isinstance(place, dict) and "line" in place else ""
    where = f" of {text(finding['asset'])}" if full else ""
    return f"{text(finding['code'])} {text(finding['severity'])}{line}{where}"


def _line(edit: Edit, facts: JsonObject) -> str:
    head = edit.path[0]
    if head == "evidence":
        return _evidence(edit, facts)
    if head == "rejected":
        row = obj(edit.before)
        return f"no rejected statement {short(text(row['digest']))} of the type {row['type']} ({row['code']})"
    if head == "dependencies":
        row = obj(edit.after) if edit.at_end else obj(_at(facts, edit.path[:-1]))
        was = "no decision" if edit.at_end else _word(edit.before)
        return f"the release that this one uses as {row.get('asset')} is allowed ({was} -> PASSED)"
    if head == "state":
        return _state(edit)
    if head == "release":
        return _release(edit, facts)
    if head == "expected":
        return f"the check {_check(edit.path)} is known (no -> yes)"
    return f"{' '.join(map(str, edit.path))}: {_word(edit.before)} -> {_word(edit.after)}"


def _evidence(edit: Edit, facts: JsonObject) -> str:
    check, last = _check(edit.path), edit.path[-1]
    if len(edit.path) == 2 or edit.at_end:
        return _ran(edit, facts, check)
    name = _name(facts, edit.path)
    if edit.op == "remove":
        return f"{check}: without the statement {short(text(obj(edit.before)['digest']))} about {name}"
    was, becomes = _word(edit.before), _word(edit.after)
    if last == "age_s" and isinstance(edit.before, int) and isinstance(edit.after, int):
        was, becomes = _ages(edit.before, edit.after)
        return f"{check}: younger evidence about {name} ({was} -> {becomes})"
    if last == "status":
        return f"{check}: finishes for {name} ({was} -> {becomes})"
    if last == "coverage_ppm":
        return f"{check}: judges all of {name} ({was} -> {becomes} parts per million)"
    if len(edit.path) == 5 and edit.path[3] == "summary":
        return f"{check}: {_counted(name, str(last), edit.after)} ({was} -> {becomes})"
    return f"{check}: {' '.join(map(str, edit.path[3:]))} of {name} ({was} -> {becomes})"


def _counted(name: str, what: str, number: JsonValue) -> str:
    if what not in _SEVERITIES:
        return f"“{what}” counted for {name}"
    allowed = f"only {number}" if number else "no"
    return f"{name} may have {allowed} {what} finding{'' if number in {0, 1} else 's'}"


def _ran(edit: Edit, facts: JsonObject, check: str) -> str:
    rows = [obj(row) for row in (array(edit.after) if len(edit.path) == 2 else [edit.after])]
    names = [text(row["name"]) for row in rows]
    more = f" and {len(names) - _MOST} more" if len(names) > _MOST else ""
    about = {row["subject"] for row in rows}
    old = array(obj(facts["evidence"]).get(str(edit.path[1]), []))
    again = any(obj(row)["subject"] in about for row in old)
    was = "what it said -> newer evidence" if again else "no evidence -> complete"
    return f"{check}: finishes for {', '.join(names[:_MOST])}{more} and finds nothing that denies ({was})"


def _ages(before: int, after: int) -> tuple[str, str]:
    was, becomes = duration(before), duration(after)
    return (was, becomes) if was != becomes else (f"{before} seconds", f"{after} seconds")


def _state(edit: Edit) -> str:
    if edit.path[1] == "frozen":
        return "the environment is open (frozen -> open)"
    if edit.path[1] == "revoked":
        row = obj(edit.before)
        return f"sha256:{short(text(row['digest']))} is revoked: {row.get('reason', 'no reason given')}"
    return f"the version belongs to the release {short(text(edit.before))}"


def _release(edit: Edit, facts: JsonObject) -> str:
    part, last = edit.path[1], edit.path[-1]
    if edit.at_end:
        row = obj(edit.after)
        kind = "a file" if part == "assets" else "a reference"
        return f"{kind} under the role {row['role']} (none -> one, such as {row['name']})"
    was, becomes = _word(edit.before), _word(edit.after)
    if part == "version":
        return f"the release has a numbered version ({was} -> such as {becomes})"
    if len(edit.path) < 4:
        return f"the {part} of the release is another ({was} -> {becomes})"
    name = _name(facts, edit.path)
    if last == "provenance":
        return f"how {name} was made is on record ({was} -> {becomes})"
    if last == "size":
        return f"{name} holds something ({was} -> {becomes} bytes)"
    if last == "digest":
        return f"the reference {name} says its digest ({was} -> sha256:…)"
    if last == "pinned":
        return f"the reference {name} is pinned ({was} -> {becomes})"
    return f"the reference {name} says its {last} ({was} -> such as {becomes})"


def _check(path: Path) -> str:
    return str(path[1]).removeprefix("scan/")


def _name(facts: JsonObject, path: Path) -> str:
    row = _at(facts, path[:3])
    return str(row.get("name") or "it") if isinstance(row, dict) else "it"


def _at(facts: JsonValue, path: Path) -> JsonValue:
    value = facts
    for part in path:
        value = array(value)[part] if isinstance(part, int) else obj(value)[part]
    return value


def _word(value: JsonValue) -> str:
    if value is None or value == "":
        return "nothing"
    if isinstance(value, bool):
        return "yes" if value else "no"
    words = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return words if len(words) <= _LONG else words[: _LONG - 1] + "…"
