"""`policy explain` says what would have made each failed rule pass: for people, for machines and on the page."""

from __future__ import annotations

import json

import pytest

from lockflight.app.gate.remedies import Remedies
from lockflight.cli.reports.changes import changes, changes_json
from lockflight.core.findings import Severity
from lockflight.core.gate.ruling import Violation
from lockflight.policy.engines import regorus
from lockflight.policy.patch import patched
from lockflight.policy.remedy.edits import END, Edit, Reach
from lockflight.policy.remedy.search import Remedy
from tests.cli.test_page import HOSTILE, seen_of
from tests.policy import factories as f

DANGEROUS = "cposix\nsystem\n(S'true'\ntR."


def denied(world, version="1.1.0"):
    (world.work / "model" / "adapter.pkl").write_text(DANGEROUS)
    manifest = world.work / "lockflight.toml"
    manifest.write_text(manifest.read_text().replace("1.0.0", version))
    done = world.run("check work --env development --record --json --as alice")
    assert done.code == 10
    return done.json()["result"]["judgements"]["development"]["recorded"]


def blob_of(world, recorded, *keys):
    predicate = world.ok(f"evidence show {recorded} --json").json()["result"]["statement"]["predicate"]
    place = predicate["https://lockflight.dev/gate/v1"]
    for key in keys:
        place = place[key]
    (path,) = (world.home / "realms" / "acme" / "blobs").rglob(place)
    return path


def test_a_denial_says_what_would_have_changed_it(world):
    recorded = denied(world)
    done = world.ok(f"policy explain {recorded} --html page.html --json").json()["result"]
    rows = {row["code"]: row for row in done["changes"]["rows"]}
    assert {v["code"] for v in done["violations"]} <= set(rows)
    assert done["changes"]["together"] is True
    assert "regorus" in done["changes"]["engines"]
    assert all(row["found"] and row["complete"] and row["edits"] for row in rows.values())
    # What is told is a JSON Patch of the very facts that were judged.
    facts = json.loads(blob_of(world, recorded, "inputDigest", "sha256").read_text())
    for edit in rows["LF4105"]["edits"]:
        place = facts
        parts = edit["path"][1:].split("/")
        for part in (p.replace("~1", "/").replace("~0", "~") for p in parts):
            place = place[int(part)] if isinstance(place, list) else place[part]
        assert place == edit["from"]
    told = [{"op": e["op"], "path": e["path"], "value": e["to"]} for e in rows["LF4105"]["edits"]]
    summary = patched(facts, told)["evidence"]["scan/models"]
    assert all(row["summary"]["malicious"] == 0 for row in summary)
    shown = world.ok(f"policy explain {recorded}").out
    page = seen_of(world, "page.html").text
    for words in (
        *rows["LF4105"]["words"],
        *rows["LF4106"]["words"],
        "With all these changes the policy allows it.",
    ):
        assert words in shown
        assert words.replace(" -> ", " → ") in page
    assert "“malicious” counted for model/adapter.pkl (1 -> 0)" in shown


def test_a_version_that_belongs_to_others_is_no_matter_of_evidence(world):
    recorded = denied(world, version="1.0.0")
    done = world.ok(f"policy explain {recorded} --json").json()["result"]["changes"]
    (row,) = [row for row in done["rows"] if row["code"] == "LF4112"]
    assert (row["reach"], row["words"], done["together"]) == ("fixed", [], False)
    shown = world.ok(f"policy explain {recorded}").out
    assert "No change of evidence helps" in shown
    assert "Sign another release." in shown
    assert "With all these changes" not in shown


def test_nobody_has_to_look(world):
    recorded = denied(world)
    assert world.ok(f"policy explain {recorded} --seconds 0 --json").json()["result"]["changes"] is None
    assert "change:" not in world.ok(f"policy explain {recorded} --seconds 0").out
    assert world.run(f"policy explain {recorded} --seconds -1").code == 2


def test_what_was_allowed_needs_no_change(world):
    rows = world.ok("evidence list --all --type decision --json").json()["result"]["evidence"]
    done = world.ok(f"policy explain {rows[-1]['index']} --json").json()["result"]
    assert done["verdict"] == "allowed"
    assert all(row["code"] == "LF4114" for row in (done["changes"] or {"rows": []})["rows"])


@pytest.mark.parametrize("gone", [("inputDigest", "sha256"), ("capsule", "bundle")])
def test_without_its_facts_or_policy_there_is_nothing_to_try(world, gone):
    recorded = denied(world)
    blob_of(world, recorded, *gone).unlink()
    done = world.ok(f"policy explain {recorded} --json").json()["result"]
    assert (done["verdict"], done["changes"]) == ("denied", None)
    assert "were not kept" in world.ok(f"policy explain {recorded}").out


def test_without_an_engine_the_decision_is_explained_all_the_same(world, monkeypatch):
    recorded = denied(world)
    monkeypatch.setattr(regorus, "DISTRIBUTION", "no-such-engine")
    done = world.ok(f"policy explain {recorded}").out
    assert "cannot be tried" in done
    assert "(LF4001)" in done
    assert "Convert them to safetensors, or remove them." in done


SAID = Violation("LF4105", "rule", "models", Severity.HIGH, 1, 0, "msg", "solution")


def told(*edits, facts=None, reach=None, complete=True):
    reach = reach or (edits[0].reach if edits else None)
    row = Remedy(SAID, edits, reach, complete)
    found = Remedies((row,), together=False, engines=("one",), evaluations=3, seconds=0.1)
    facts = facts or f.facts()
    json.dumps(changes_json(found, facts))
    (change,) = changes(found, facts).values()
    return change


def edit(op, *path, before=None, after=None, reach=Reach.EVIDENCE):
    return Edit(op, path, before, after, reach)


@pytest.mark.parametrize(
    ("one", "words"),
    [
        (
            edit("replace", "evidence", "scan/code", 0, "age_s", before=800_000, after=604_800),
            "younger evidence about app.py (9 days -> 7 days)",
        ),
        (
            edit("replace", "evidence", "scan/code", 0, "age_s", before=604_801, after=604_800),
            "(604801 seconds -> 604800 seconds)",
        ),
        (
            edit("replace", "evidence", "scan/code", 0, "status", before="incomplete", after="complete"),
            "code: finishes for app.py (incomplete -> complete)",
        ),
        (
            edit("replace", "evidence", "scan/code", 0, "coverage_ppm", before=3, after=1_000_000),
            "code: judges all of app.py (3 -> 1000000 parts per million)",
        ),
        (
            edit("replace", "evidence", "scan/code", 0, "summary", "high", before=2, after=0),
            "code: app.py may have no high finding (2 -> 0)",
        ),
        (
            edit("replace", "evidence", "scan/code", 0, "summary", "high", before=9, after=3),
            "code: app.py may have only 3 high findings (9 -> 3)",
        ),
        (
            edit("replace", "evidence", "scan/code", 0, "summary", "-", before=9, after=3),
            "code: “-” counted for app.py (9 -> 3)",
        ),
        (
            edit("add", "evidence", "scan/code", END, after=f.facts()["evidence"]["scan/code"][0]),
            "(what it said -> newer evidence)",
        ),
        (
            edit("remove", "rejected", 0, before={"digest": "ab" * 32, "type": "scan", "code": "LF7245"}),
            "no rejected statement abababababab of the type scan (LF7245)",
        ),
        (
            edit(
                "add",
                "dependencies",
                END,
                after={"asset": "encoder", "release": "ab" * 32, "decision": "PASSED"},
            ),
            "uses as encoder is allowed (no decision -> PASSED)",
        ),
        (
            edit("replace", "state", "frozen", before=True, after=False, reach=Reach.PEOPLE),
            "the environment is open (frozen -> open)",
        ),
        (
            edit("replace", "release", "version", before="dev", after="1.0.0", reach=Reach.RELEASE),
            "numbered version (dev -> such as 1.0.0)",
        ),
        (
            edit("replace", "release", "assets", 0, "provenance", before="unknown", after="recorded"),
            "is on record (unknown -> recorded)",
        ),
        (
            edit(
                "add", "release", "assets", END, after={"role": "licence", "name": "L"}, reach=Reach.RELEASE
            ),
            "a file under the role licence (none -> one, such as L)",
        ),
        (
            edit(
                "replace", "release", "references", 0, "pinned", before=False, after=True, reach=Reach.RELEASE
            ),
            "is pinned (no -> yes)",
        ),
    ],
)
def test_each_change_in_words(one, words):
    change = told(one)
    assert words in change.lines[0], change
    assert ("another release" in change.note) == (one.reach is Reach.RELEASE)


@pytest.mark.parametrize(
    ("one", "words"),
    [
        (
            edit("replace", "environment", before="moon", after="production", reach=Reach.FIXED),
            "Name another environment.",
        ),
        (
            edit("replace", "realm", "kind", before="personal", after="team", reach=Reach.FIXED),
            "Let a realm of a team",
        ),
        (
            edit(
                "remove",
                "state",
                "revoked",
                0,
                before={"digest": "ab" * 32, "reason": "bad"},
                reach=Reach.FIXED,
            ),
            "Sign another release.",
        ),
        (
            edit("replace", "state", "version_owner", before="ab" * 32, after="", reach=Reach.FIXED),
            "Sign another release.",
        ),
        (
            edit("add", "expected", "scan/x", after=[], reach=Reach.FIXED),
            "a version of Lockflight that has it",
        ),
    ],
)
def test_what_nobody_can_change_is_not_offered(one, words):
    change = told(one)
    assert change.lines == ()
    assert change.note.startswith("No change of evidence helps")
    assert words in change.note


def test_what_was_not_found_is_said_so():
    assert told().note.startswith("No change of up to 40 facts was found")
    assert "--seconds" in told(complete=False).note


@pytest.mark.parametrize("word", HOSTILE, ids=lambda w: ascii(w)[:24])
def test_facts_are_only_text(word):
    facts = f.facts()
    facts["evidence"]["scan/code"][0]["name"] = word
    finding = f.finding() | {"asset": word, "code": word, "location": {"line": word}}
    facts["evidence"]["scan/code"][0]["findings"] = [finding]
    change = told(edit("remove", "evidence", "scan/code", 0, "findings", 0, before=finding), facts=facts)
    assert word in change.lines[0]


def test_findings_of_one_statement_are_one_line():
    facts = f.facts()
    findings = [f.finding("high", asset=name) for name in ("a.py", "b.py", "a.py", "c.py", "d.py", "e.py")]
    facts["evidence"]["scan/code"][0]["findings"] = findings
    gone = [
        edit("remove", "evidence", "scan/code", 0, "findings", i, before=row)
        for i, row in enumerate(findings)
    ]
    (line,) = told(*gone, facts=facts).lines
    assert line.startswith(
        "code: app.py may no longer have LF2301 high in line 3 of a.py, LF2301 high in line 3 of b.py"
    )
    assert line.endswith("and 1 more (6 findings -> 0)")
    (line,) = told(gone[1], facts=facts).lines
    assert line == "code: b.py may no longer have LF2301 high in line 3 (6 findings -> 5)"
