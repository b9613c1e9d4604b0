from __future__ import annotations

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockflight.core.release.manifest import parse_manifest
from lockflight.core.release.selection import Excluded, select
from lockflight.core.words import Role
from lockflight.errors import InvalidInput

HEAD = '[release]\nname = "bot"\nkind = "agent"\ntier = "high"\n'


def manifest(*rules, exclude=()):
    text = HEAD
    for role, files in rules:
        text += f'[[assets]]\nrole = "{role}"\nfiles = {files!r}\n'
    if exclude:
        text += f'[[exclude]]\nfiles = {list(exclude)!r}\nreason = "scratch"\n'
    return parse_manifest(text)


def refused(rules, names, **more):
    with pytest.raises(InvalidInput) as raised:
        select(rules, names, **more)
    return raised.value


def test_roles_by_rule():
    rules = manifest(("code", ["app/**", "run.py"]), ("system-prompt", ["prompts/*.md"]))
    found = select(rules, ["prompts/s.md", "run.py", "app/x/y.py", "lockflight.toml"])
    assert found.roles == {
        "app/x/y.py": Role.CODE,
        "prompts/s.md": Role.SYSTEM_PROMPT,
        "run.py": Role.CODE,
    }
    assert list(found.roles) == sorted(found.roles)
    assert found.excluded == found.notices == ()


def test_two_rules_of_one_role_may_meet():
    assert select(manifest(("code", ["**"]), ("code", ["a.py"])), ["a.py"]).roles == {"a.py": Role.CODE}


def test_a_file_with_two_roles_names_both_rules():
    error = refused(
        manifest(("code", ["app/**"]), ("tool-manifest", ["**/*.json"])), ["app/t.json", "a.json"]
    )
    assert error.code == "LF1006"
    assert "code (lockflight.toml:5, 'app/**')" in error.message
    assert "tool-manifest (lockflight.toml:8, '**/*.json')" in error.message


def test_a_later_rule_never_overrides():
    for order in (("code", "other"), ("other", "code")):
        rules = manifest((order[0], ["**"]), (order[1], ["a.py"]))
        assert refused(rules, ["a.py"]).code == "LF1006"


def test_a_file_that_no_rule_names():
    error = refused(manifest(("code", ["a.py"])), ["a.py", "b.csv"], suggest=lambda _: "dataset")
    assert error.code == "LF1004"
    assert "'b.csv'" in error.message
    assert '[[assets]]  role = "dataset"  files = ["b.csv"]' in error.hint
    assert '[[exclude]]  files = ["b.csv"]  reason = "why it stays out"' in error.hint
    assert error.details == {"names": ["b.csv"], "count": 1}


def test_what_is_no_role_is_proposed_to_stay_out():
    rules = manifest(("code", ["a.py"]))
    hint = refused(rules, ["a.py", ".pre-commit-config.yaml"], suggest=lambda _: "exclude").hint
    assert "role" not in hint
    lines = hint.partition(":  ")[2].replace("  ", "\n")
    assert tomllib.loads(lines) == {
        "exclude": [{"files": [".pre-commit-config.yaml"], "reason": "why it stays out"}]
    }


def test_many_unnamed_files_are_counted():
    error = refused(manifest(("code", ["a"])), ["a", *(f"x{i}" for i in range(9))])
    assert "and 4 more" in error.message
    assert error.details["count"] == 9
    assert 'role = "other"' in error.hint


def test_a_rule_that_names_nothing():
    error = refused(manifest(("code", ["a.py", "b/*.py"])), ["a.py"])
    assert error.code == "LF1005"
    assert "lockflight.toml:5: 'b/*.py'" in error.message
    error = refused(manifest(("code", ["a.py", ".git/hooks/*"])), ["a.py"], skipped=(".git/", ".gitignore"))
    assert ".git/ is never a candidate" in error.message
    error = refused(manifest(("code", ["a.py", ".gitignore"])), ["a.py"], skipped=(".git/", ".gitignore"))
    assert ".gitignore is never a candidate" in error.message


def test_the_manifest_is_nobodys():
    assert refused(manifest(("code", ["lockflight.toml"])), ["lockflight.toml"]).code == "LF1005"
    assert select(manifest(("code", ["**"])), ["lockflight.toml", "a"]).roles == {"a": Role.CODE}


def test_exclusion_is_said_openly():
    found = select(manifest(("code", ["**"]), exclude=["t/**", "gone/**"]), ["a", "t/b"])
    assert found.roles == {"a": Role.CODE}
    assert found.excluded == (Excluded("t/b", "scratch"),)
    assert [(n.code, n.line) for n in found.notices] == [("LF1031", 8)]
    assert "'gone/**'" in found.notices[0].message


def test_a_literal_name_with_special_characters():
    found = select(manifest(("code", ["a[*]b", "c"])), ["a*b", "c"])
    assert set(found.roles) == {"a*b", "c"}


NAMES = st.sets(st.sampled_from(["a", "b.py", "d/a", "d/b.py", "d/e/c.md", "f/x"]), min_size=1)
PATTERNS = st.sampled_from(["**", "a", "*.py", "d/**", "**/*.md", "f/x"])
RULES = st.lists(
    st.tuples(st.sampled_from(["code", "other"]), st.lists(PATTERNS, min_size=1, max_size=2)), max_size=3
)


@given(RULES, st.lists(st.sampled_from(["d/**", "a", "q"]), max_size=2), NAMES)
def test_every_file_has_exactly_one_fate(rules, exclude, names):
    found = manifest(*rules, exclude=exclude)
    try:
        selection = select(found, names)
    except InvalidInput:
        return
    out = {e.name for e in selection.excluded}
    assert out | set(selection.roles) == names
    assert not out & set(selection.roles)
    for name, role in selection.roles.items():
        claims = {r.role for r in found.assets if any(g.matches(name) for g in r.globs)}
        assert claims == {role}
