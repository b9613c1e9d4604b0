"""What authors of policies do: start, lint, write metadata, mutate, pack and compare bundles."""

from __future__ import annotations

import pytest

from lockflight.app.policy import policytools as tools
from lockflight.app.policy.inspect import bundle_of, shared_modules
from lockflight.app.policy.inspect import test as run_tests
from lockflight.app.policy.policysource import Trust
from lockflight.errors import LockflightError, NotFound, UsageError
from lockflight.infra.progress import SILENT
from lockflight.policy.shipped import PACKS, pack


@pytest.fixture
def rules(tmp_path):
    tools.create("our-rules", tmp_path / "rules")
    return tmp_path / "rules"


def test_a_new_bundle_works_as_it_is(rules):
    assert tools.lint(str(rules)).issues == ()
    done = run_tests(bundle_of(rules))
    assert [t for t in done.tests if t.passed is not True] == []
    assert {c.path: c.missed for c in done.coverage} == {"policy/our_rules.rego": ()}
    assert done.engines[0][0] == "regorus"


def test_a_new_bundle_notices_what_is_done_to_it(rules):
    done = tools.mutate(bundle_of(rules), SILENT)
    assert done.score_ppm >= 900_000
    assert done.shared == ("policy/gate.rego", "policy/lib.rego", "policy/waivers.rego")


@pytest.mark.parametrize("name", ["a", "our-rules", "x9-y", "clinic"])
def test_names(tmp_path, name):
    bundle = tools.create(name, tmp_path / "out")
    assert bundle.name == name
    assert bundle.required_rules == frozenset(bundle.rules)


@pytest.mark.parametrize("name", ["", "Our", "our_rules", "-a", "a-", "a--b", "9a", "a/b", "x" * 40, "a b"])
def test_other_names_are_refused(tmp_path, name):
    with pytest.raises(UsageError) as caught:
        tools.create(name, tmp_path / "out")
    assert caught.value.code == "LF0180"
    assert not (tmp_path / "out").exists()


def test_nothing_is_written_over(rules):
    with pytest.raises(UsageError) as caught:
        tools.create("other", rules)
    assert caught.value.code == "LF0181"


def test_metadata_is_written_from_the_comments(rules):
    module = rules / "policy" / "our_rules.rego"
    module.write_text(module.read_text().replace("severity: high", "severity: low"))
    [issue] = tools.lint(str(rules)).issues
    assert "--write" in issue
    assert tools.lint(str(rules), write=True) == tools.Linted("our-rules", (), written=True)
    assert tools.lint(str(rules), write=True) == tools.Linted("our-rules", (), written=False)


def test_every_issue_is_listed(rules):
    module = rules / "policy" / "our_rules.rego"
    module.write_text(module.read_text() + "\nx := time.now_ns()\n\ny if input.releas.name\n\nz := 0.5\n")
    issues = tools.lint(str(rules)).issues
    assert len(issues) >= 3
    assert all(issue.startswith("policy/our_rules.rego:") for issue in issues)


def test_a_rule_without_a_fixture_is_an_issue(rules):
    (rules / "bite" / "OR1001.json").unlink()
    assert "bite/OR1001.json" in tools.lint(str(rules)).issues[0]


def test_metadata_is_written_in_folders_only(rules, tmp_path):
    for place in ("pack:baseline", str(tmp_path / "nowhere")):
        with pytest.raises(UsageError) as caught:
            tools.lint(place, write=True)
        assert caught.value.code == "LF0107"


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("policy/our_rules.rego", "count(strange) > 0", "foo {{"),
        ("policy/our_rules.rego", "count(strange) > 0", "nobody > 0"),
        ("policy/our_rules.rego", "count(strange) > 0", "count(strange) > 9"),
        ("policy/our_rules.rego", "severity: high", "severity: grave"),
        (".manifest", "OR1001", "OR1009"),
    ],
)
def test_what_adopting_would_refuse_is_an_issue_and_is_not_packed(rules, tmp_path, file, old, new):
    path = rules / file
    path.write_text(path.read_text().replace(old, new))
    assert tools.lint(str(rules)).issues
    with pytest.raises(LockflightError):
        tools.archive(str(rules), tmp_path / "rules.tar.gz")
    assert not (tmp_path / "rules.tar.gz").exists()


def test_what_is_no_bundle_is_an_issue_and_what_is_not_there_an_error(tmp_path):
    [issue] = tools.lint(str(tmp_path)).issues
    assert "LF4005" in issue
    with pytest.raises(NotFound):
        tools.lint(str(tmp_path / "nowhere"))


@pytest.mark.parametrize("name", PACKS)
def test_a_pack_in_one_file_is_the_same_policy(tmp_path, name):
    out = tmp_path / f"{name}.tar.gz"
    assert tools.archive(f"pack:{name}", out).digest == pack(name).digest
    assert bundle_of(out) == pack(name)
    assert tools.difference(f"pack:{name}", str(out), Trust())[2] == ()


def test_an_archive_is_called_so(rules, tmp_path):
    with pytest.raises(UsageError) as caught:
        tools.archive(str(rules), tmp_path / "rules.zip")
    assert caught.value.code == "LF0182"


def test_where_nothing_can_be_written(rules, tmp_path):
    with pytest.raises(LockflightError) as caught:
        tools.archive(str(rules), tmp_path / "nowhere" / "rules.tar.gz")
    assert caught.value.code == "LF0905"


def test_packs_are_mutated_whole(rules):
    assert [shared_modules(pack(name)) for name in PACKS] == [()] * len(PACKS)


def test_some_mutants_of_a_pack():
    done = tools.mutate(pack("baseline"), SILENT, every=97)
    assert done.trials
    assert done.score_ppm >= 800_000
