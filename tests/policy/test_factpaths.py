from __future__ import annotations

import pytest

from lockflight.policy.bundle import baseline, read_bundle
from lockflight.policy.shipped import PACKS, pack
from lockflight.policy.text.factpaths import allowed_values, facts_read, lint_facts, unknown
from tests.policy import factories as f
from tests.policy.small import REGO, small_bundle


def issues(body, path="policy/m.rego"):
    return [str(issue) for issue in lint_facts({path: f"package t\n{body}\n"})]


@pytest.mark.parametrize("name", PACKS)
def test_the_shipped_packs_read_only_facts_that_there_are(name):
    assert lint_facts({**pack(name).modules, **pack(name).tests}) == ()


@pytest.mark.parametrize(
    "body",
    [
        "x if input.release.name",
        "x if input",
        'x := input.evidence["scan/code"][0].anything',
        "x := input.expected.made_up",
        "x if some y in input.release.assets",
        "import input.release\nx := release.name",
        "import input.release as r\nx := r.version",
        "x if other.nmae",
        'x := "input.nmae"',
        "x := data.input.nmae",
    ],
)
def test_paths_that_there_are(body):
    assert issues(body) == []


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ("x if input.releas.name", "releas"),
        ("x if input.release.nmae", "nmae"),
        ("x if not input.state.frozzen", "frozzen"),
        ("x if input.release.name.first", "first"),
        ("x if input.waivers.rule", "rule"),
        ("import input.releas", "releas"),
        ("import input.release\nx := release.nmae", "nmae"),
        ("import input.release as r\nx := r.nmae", "nmae"),
    ],
)
def test_paths_that_there_are_not(body, named):
    found = issues(body)
    assert len(found) == 1
    assert found[0].endswith(f"is no path of facts v1: there is no {named}")


def test_tests_make_their_own_facts():
    assert issues("test_x if input.nothing", path="policy/m_test.rego") == []


def test_a_bundle_with_such_a_path_is_refused():
    rego = REGO.replace("short if count(input.release.name)", "short if count(input.release.nmae)")
    with pytest.raises(Exception, match="no path of facts v1") as caught:
        read_bundle(small_bundle(rego))
    assert caught.value.code == "LF4006"


def paths(value, prefix=()):
    if isinstance(value, dict):
        for key, below in value.items():
            yield (*prefix, key)
            yield from paths(below, (*prefix, key))


@pytest.mark.parametrize("facts", [f.facts(), baseline().base], ids=["factory", "base"])
def test_all_that_facts_hold_is_known(facts):
    assert [path for path in paths(facts) if unknown(list(path))] == []


def test_what_a_rule_reads_itself_and_through_others():
    direct, reached = facts_read(baseline().modules, "LF4106")
    assert ("release", "assets") in direct
    assert ("evidence",) in reached
    assert not direct & reached
    assert not any(path[0] in {"state", "waivers", "rejected"} for path in direct | reached)


def test_a_rule_about_results_reads_what_they_read():
    modules = pack("strict").modules
    direct, reached = facts_read(modules, "LF4118")
    assert direct == {("waivers",)}
    assert {("evidence",), ("rejected",), ("state", "revoked")} <= reached


def test_a_code_that_no_module_names_may_read_everything():
    direct, reached = facts_read(baseline().modules, "XX0001")
    assert ("evidence",) in direct
    assert reached == frozenset()


def test_words_that_may_stand_at_a_path():
    assert allowed_values(["evidence", "scan/code", "status"]) == ("complete", "incomplete")
    assert allowed_values(["realm", "kind"]) == ("personal", "team", "simulator")
    assert allowed_values(["release", "name"]) == ()
    assert allowed_values(["nothing", "here"]) == ()
