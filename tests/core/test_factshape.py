from __future__ import annotations

import copy

import pytest

from lockflight.core.facts import facts as facts_module
from lockflight.core.gate import factshape
from lockflight.core.gate.factshape import check_facts
from tests.policy import factories as f


def test_facts_pass():
    check_facts(f.facts())


def test_the_schema_is_that_of_the_facts():
    assert factshape.SCHEMA == facts_module.SCHEMA


def test_keys_may_be_added():
    facts = f.facts()
    facts["novel"] = {"x": 1}
    facts["release"]["novel"] = []
    facts["evidence"]["scan/code"][0]["novel"] = "x"
    check_facts(facts)


WRONG = [
    (("schema",), "https://lockflight.dev/schema/facts/v2", "schema: "),
    (("now",), "2026-10-31", "now: "),
    (("now",), 5, "now: "),
    (("environment",), "", "environment: "),
    (("project",), None, "project: "),
    (("realm",), [], "realm: "),
    (("realm", "root"), "abc", "realm.root: "),
    (("realm", "kind"), 1, "realm.kind: "),
    (("release", "digest"), "A" * 64, "release.digest: "),
    (("release", "kind"), "spaceship", "release.kind: "),
    (("release", "tier"), "none", "release.tier: "),
    (("release", "version"), "", "release.version: "),
    (("release", "assets", 0, "role"), "hat", "release.assets.0.role: "),
    (("release", "assets", 1, "size"), -1, "release.assets.1.size: "),
    (("release", "references", 0, "pinned"), 1, "release.references.0.pinned: "),
    (("release", "depends"), [{"digest": ""}], "release.depends.0.name: missing"),
    (("release", "depends"), [{"name": "x", "digest": 4}], "release.depends.0.digest: "),
    (("release", "views"), [], "release.views: "),
    (("expected", "scan/code"), {}, "expected.scan/code: "),
    (("expected", "scan/code", 0, "grain"), "file", "expected.scan/code.0.grain: "),
    (("expected", "scan/code", 0, "subject"), "x", "expected.scan/code.0.subject: "),
    (("evidence",), [], "evidence: "),
    (("evidence", "scan/code", 0), "row", "evidence.scan/code.0: "),
    (("evidence", "scan/code", 0, "status"), "fine", "evidence.scan/code.0.status: "),
    (("evidence", "scan/code", 0, "age_s"), -1, "evidence.scan/code.0.age_s: "),
    (("evidence", "scan/code", 0, "age_s"), True, "evidence.scan/code.0.age_s: "),
    (("evidence", "scan/code", 0, "coverage_ppm"), 0.5, "evidence.scan/code.0.coverage_ppm: "),
    (("evidence", "scan/code", 0, "summary"), {"high": "0"}, "evidence.scan/code.0.summary.high: "),
    (("evidence", "scan/code", 0, "findings"), [{"code": "x", "asset": "y"}], "findings.0.severity: missing"),
    (("evidence", "scan/code", 0, "findings"), [f.finding("worst")], "findings.0.severity: "),
    (("rejected",), [{"digest": "x"}], "rejected.0.digest: "),
    (("release", "assets", 0, "provenance"), "good", "release.assets.0.provenance: "),
    (("provenance",), {}, "provenance: "),
    (("provenance", 0, "origin"), "me", "provenance.0.origin: "),
    (("provenance", 0, "builder"), "", "provenance.0.builder: "),
    (("provenance", 0, "products"), ["x"], "provenance.0.products.0: "),
    (("provenance", 0, "materials"), [{"uri": "x", "sha256": "x"}], "provenance.0.materials.0.sha256: "),
    (("provenance", 0, "materials"), [{"uri": "x", "sha256": ""}], "materials.0.pinned: missing"),
    (("provenance", 0, "complete"), 1, "provenance.0.complete: "),
    (("provenance", 0, "authors"), {"known": 1}, "provenance.0.authors.unknown: missing"),
    (("provenance", 0, "let_in"), "no", "provenance.0.let_in: "),
    (("dependencies",), [{"release": "a" * 64}], "dependencies.0.decision: missing"),
    (("waivers",), [3], "waivers.0: "),
    *(
        (
            ("waivers",),
            [f.spoiled(f.waiver("LF4102", "code"), *path, value=value)],
            f"waivers.0.{'.'.join(path)}: ",
        )
        for path, value in (
            (("digest",), "x"),
            (("rule",), ""),
            (("term",), None),
            (("kind",), "wish"),
            (("status",), "fine"),
            (("status",), True),
            (("expires",), ""),
            (("expires",), "2026-12-01"),
            (("renewals",), -1),
            (("scope",), "release"),
            (("scope", "kind"), "*"),
            (("scope", "digest"), "*"),
            (("scope", "project"), None),
            (("scope", "environment"), ["staging"]),
        )
    ),
    (("state", "revoked"), ["a" * 64], "state.revoked.0: "),
    (("state", "frozen"), 0, "state.frozen: "),
    (("state", "frozen"), None, "state.frozen: "),
    (("state", "version_owner"), "me", "state.version_owner: "),
    (("state", "slots"), {}, "state.slots: "),
]


@pytest.mark.parametrize(("path", "value", "words"), WRONG)
def test_another_shape_is_refused_with_its_place(path, value, words):
    with pytest.raises(ValueError) as caught:
        check_facts(f.spoiled(f.facts(), *path, value=value))
    assert words in str(caught.value)


@pytest.mark.parametrize("key", f.facts()["provenance"][0])
def test_no_key_of_a_record_may_be_missing(key):
    facts = f.facts()
    del facts["provenance"][0][key]
    with pytest.raises(ValueError, match=f"provenance.0.{key}: missing"):
        check_facts(facts)


def paths(value, prefix=()):
    if isinstance(value, dict):
        for key, item in value.items():
            yield (*prefix, key)
            yield from paths(item, (*prefix, key))


@pytest.mark.parametrize("key", f.waiver("LF4102", "code"))
def test_a_waiver_is_whole(key):
    waiver = f.waiver("LF4102", "code")
    check_facts(f.facts() | {"waivers": [waiver]})
    del waiver[key]
    with pytest.raises(ValueError, match="missing"):
        check_facts(f.facts() | {"waivers": [waiver]})


@pytest.mark.parametrize(
    "path", [p for p in paths(f.facts()) if "scan/" not in str(p) and p[:2] != ("release", "views")]
)
def test_no_key_that_a_rule_reads_may_be_missing(path):
    facts = copy.deepcopy(f.facts())
    place = facts
    for key in path[:-1]:
        place = place[key]
    del place[path[-1]]
    if path in {("realm", "name"), ("realm", "separation")}:
        check_facts(facts)
        return
    with pytest.raises(ValueError, match="missing"):
        check_facts(facts)
