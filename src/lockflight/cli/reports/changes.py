"""What would have made failed rules pass, for people and for `--json`: the changes, and who brings them about."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockflight.cli.reports.changewords import lines
from lockflight.cli.reports.record import Change
from lockflight.cli.style import count
from lockflight.policy.remedy.edits import Reach, pointer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lockflight.app.gate.remedies import Remedies
    from lockflight.core.canonical import JsonObject
    from lockflight.policy.remedy.search import Remedy

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
        told = "; ".join(lines(row.edits, facts))
        return Change((), f"No change of evidence helps, since {why} ({told}). {do}")
    if row.edits:
        return Change(tuple(lines(row.edits, facts)), _note(row))
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


def tried(found: Remedies) -> Iterator[str]:
    """How the changes were found, and whether they do together."""
    if found.together:
        yield "With all these changes the policy allows it."
    engines = " and ".join(found.engines)
    yield (
        f"Each change was judged by {engines}: {count(found.evaluations, 'trial')} in {found.seconds:.1f} s."
    )
