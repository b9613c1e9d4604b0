"""Changes of facts in the words of a person: which fact, from what to what, and who brings it about."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from lockflight.cli.reports.record import Change
from lockflight.cli.rules import duration
from lockflight.cli.style import count, short
from lockflight.core.shape import array, obj, text
from lockflight.policy.remedy.edits import Reach, pointer

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from lockflight.app.remedies import Remedies
    from lockflight.core.canonical import JsonObject, JsonValue
    from lockflight.policy.remedy.edits import Edit, Path
    from lockflight.policy.remedy.search import Remedy

_MOST = 5
_LONG = 60
_SEVERITIES = frozenset({"critical", "high", "medium", "low", "info"})
#: Beginning of a fixed path to what stands in the way, and what to do instead.
_FIXED = {
    "environment": ("the policy says otherwise only for other environments", "Name another environment."),
    "realm": ("it depends on the realm", "Let a realm of a team with whole separation of duties decide."),
    "expected": ("this installation does not know the check", "Install a version of Lockflight that has it."),
    "state": ("it was said about these very bytes or this version", "Sign another release."),
    "release": ("it depends on what kind of release this is", "Sign another release."),
}


def changes(found: Remedies | None, facts: JsonObject | None) -> dict[tuple[str, str], Change]:
    """What would have made each failed rule pass, by code and term.

    Args:
        found: what was found.
        facts: the facts that were judged.
    """
    if found is None or facts is None:
        return {}
    return {(row.said.code, row.said.term): _change(row, facts) for row in found.rows}


def changes_json(found: Remedies, facts: JsonObject) -> JsonObject:
    """The form in results."""
    return {
        "engines": [*found.engines],
        "evaluations": found.evaluations,
        "together": found.together,
        "rows": [_row_json(row, facts) for row in found.rows],
    }


def _row_json(row: Remedy, facts: JsonObject) -> JsonObject:
    change = _change(row, facts)
    return {
        "code": row.said.code,
        "term": row.said.term,
        "found": bool(row.edits),
        "reach": row.reach.value if row.reach is not None else None,
        "edits": [{"op": e.op, "path": pointer(e.path), "from": e.before, "to": e.after} for e in row.edits],
        "words": [*change.lines],
        "note": change.note or None,
        "complete": row.complete,
    }


def _change(row: Remedy, facts: JsonObject) -> Change:
    if row.reach is Reach.FIXED:
        why, do = _FIXED[str(row.edits[0].path[0])]
        told = "; ".join(_lines(row.edits, facts))
        return Change((), f"No change of evidence helps, since {why} ({told}). {do}")
    if row.edits:
        return Change(tuple(_lines(row.edits, facts)), _note(row))
    if row.complete:
        return Change(
            (), f"No change of up to {row.most} facts was found that makes it pass and no other rule fail."
        )
    return Change((), "No change was found in the time that was given; --seconds N gives more.")


def _note(row: Remedy) -> str:
    if row.reach is Reach.RELEASE:
        return "That makes another release: change lockflight.toml or the files, then sign again."
    if row.reach is Reach.PEOPLE:
        return "People decide that, not evidence."
    if any({"findings", "summary"} & set(edit.path) for edit in row.edits):
        return "What a check finds changes when the files do: mend them, let it run again, and sign again."
    return ""


def _lines(edits: Iterable[Edit], facts: JsonObject) -> list[str]:
    gone: dict[Path, list[Edit]] = {}
    lines = []
    for edit in edits:
        if edit.op == "remove" and len(edit.path) > 1 and edit.path[-2] == "findings":
            gone.setdefault(edit.path[:-1], []).append(edit)
        else:
            lines.append(_line(edit, facts))
    return [*(_findings(path, some, facts) for path, some in gone.items()), *lines]


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


def tried(found: Remedies) -> Iterator[str]:
    """How the changes were found, and whether they do together."""
    if found.together:
        yield "With all these changes the policy allows it."
    engines = " and ".join(found.engines)
    yield (
        f"Each change was judged by {engines}: {count(found.evaluations, 'trial')} in {found.seconds:.1f} s."
    )
