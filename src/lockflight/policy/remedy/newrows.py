"""Rows that good facts have and judged facts lack: evidence of a check, files, references, dependencies. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from lockflight.core.attest.check import PPM, Grain
from lockflight.core.canonical import dumps
from lockflight.core.shape import array, obj, text
from lockflight.policy.remedy.edits import END, Edit, Reach

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lockflight.core.canonical import JsonObject, JsonValue
    from lockflight.core.gate.ruling import Violation

#: Stands where evidence that nobody has made yet would have its digest.
NO_DIGEST = "0" * 64
_ADDED = 4
_DIGEST = re.compile("sha256:[0-9a-f]{64}")
_WHOLE = 0


def evidence_added(facts: JsonObject, base: JsonObject, said: Violation) -> Iterator[Edit]:
    """What checks have not said yet: each subject that is expected, and no evidence speaks of."""
    evidence = obj(facts["evidence"])
    expected = obj(facts["expected"])
    for table in dict.fromkeys([*expected, f"scan/{said.term}"]):
        rows = [obj(row) for row in array(evidence.get(table, []))]
        have = {(row["subject"], row["grain"]) for row in rows}
        wanted = [obj(subject) for subject in array(expected.get(table, []))]
        lacking = [s for s in wanted if (s["subject"], s["grain"]) not in have]
        made = [_row(facts, base, table, subject) for subject in lacking]
        if made and not rows:
            op = "replace" if table in evidence else "add"
            before = evidence.get(table)
            yield Edit(op, ("evidence", table), before, [*made], Reach.EVIDENCE, (_ADDED, _WHOLE, len(made)))
        else:
            yield from (_append(table, row) for row in made)
        if table == f"scan/{said.term}" and rows:
            yield from (
                _append(table, row, sure=False) for row in _again(facts, base, table, wanted, lacking)
            )


def _again(
    facts: JsonObject, base: JsonObject, table: str, wanted: list[JsonObject], lacking: list[JsonObject]
) -> Iterator[JsonObject]:
    """New evidence beside the old one, and about files that nobody expected the check to judge."""
    known = {subject["subject"] for subject in wanted}
    files: list[JsonObject] = [
        {"grain": Grain.ASSET.value, "subject": asset["digest"], "name": asset["name"]}
        for asset in map(obj, array(obj(facts["release"])["assets"]))
        if asset["digest"] not in known
    ]
    for subject in (*wanted, *files):
        if subject not in lacking:
            yield _row(facts, base, table, subject)


def _append(table: str, row: JsonObject, *, sure: bool = True) -> Edit:
    weight = (_ADDED, not sure, len(dumps(row)))
    return Edit("add", ("evidence", table, END), None, row, Reach.EVIDENCE, weight, sure)


def _row(facts: JsonObject, base: JsonObject, table: str, subject: JsonObject) -> JsonObject:
    """Evidence as a check would give it that ran now, finished and found nothing."""
    known = array(obj(base["evidence"]).get(table, []))
    sample = obj(known[0]) if known else {}
    producer: JsonObject = {"issuer": "realm", "subject": "realm", "roles": ["producer"]}
    blank: JsonObject = {"name": f"lockflight-{table.removeprefix('scan/')}", "version": "1", "digest": ""}
    return {
        "signer": producer,
        "tool": blank,
        "databases": [],
        "summary": dict.fromkeys(("critical", "high", "medium", "low", "info"), 0),
        **sample,
        "digest": NO_DIGEST,
        "grain": subject["grain"],
        "subject": subject["subject"],
        "name": subject["name"],
        "logged_at": facts["now"],
        "age_s": 0,
        "status": "complete",
        "reason": "",
        "coverage_ppm": PPM,
        "findings": [],
    }


def rows_added(facts: JsonObject, base: JsonObject) -> Iterator[Edit]:
    """Files and references under roles that only good facts have, decisions about dependencies, expected subjects."""
    release, good = obj(facts["release"]), obj(base["release"])
    for part in ("assets", "references"):
        have = {text(obj(row)["role"]) for row in array(release[part])}
        for row in map(obj, array(good[part])):
            if row["role"] not in have:
                yield Edit(
                    "add",
                    ("release", part, END),
                    None,
                    row,
                    Reach.RELEASE,
                    (_ADDED, part != "assets", len(dumps(row))),
                )
    yield from _digests(array(release["references"]))
    for used in map(obj, array(release["depends"])):
        row = {"asset": used["name"], "release": used.get("digest", NO_DIGEST), "decision": "PASSED"}
        yield Edit("add", ("dependencies", END), None, row, Reach.EVIDENCE, (_ADDED, len(dumps(row))))
    known = obj(facts["expected"])
    for table, subjects in obj(base["expected"]).items():
        if table not in known:
            mine: JsonValue = []
            yield Edit("add", ("expected", table), None, mine, Reach.FIXED, (_ADDED, len(array(subjects))))


def _digests(references: list[JsonValue]) -> Iterator[Edit]:
    """References that are named by no digest, or by something that is none; which one, only its owner knows."""
    for i, row in enumerate(map(obj, references)):
        before = row.get("digest")
        if not (isinstance(before, str) and _DIGEST.fullmatch(before)):
            path = ("release", "references", i, "digest")
            op = "add" if before is None else "replace"
            yield Edit(op, path, before, f"sha256:{NO_DIGEST}", Reach.RELEASE, (_ADDED, 0), sure=False)
