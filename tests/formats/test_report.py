from __future__ import annotations

from lockflight.core.findings import Verdict
from lockflight.formats.report import MAX_ISSUES, Issue, Issues, join_member, shown


def issue(rule="a:b", verdict=Verdict.REVIEW, **more):
    return Issue(rule, verdict, "what", **more)


def test_the_same_issue_stands_once_with_its_worst_verdict():
    issues = Issues()
    issues.add(issue(offset=1))
    issues.add(issue(offset=2, verdict=Verdict.MALICIOUS))
    issues.add(issue(offset=3))
    assert [i.offset for i in issues.frozen()] == [2]
    assert issues.verdict is Verdict.MALICIOUS


def test_many_issues_are_cut_and_the_worst_still_counts():
    issues = Issues()
    for i in range(MAX_ISSUES):
        issues.add(issue(subject=str(i)))
    issues.add(issue(subject="more", verdict=Verdict.MALICIOUS))
    issues.add(issue(subject="again"))
    assert issues.verdict is Verdict.MALICIOUS
    assert len(issues.frozen()) == MAX_ISSUES + 1
    assert issues.frozen()[-1] == Issue(
        "file:many-issues",
        Verdict.MALICIOUS,
        f"There are more than {MAX_ISSUES} issues; the rest is not listed.",
    )


def test_none_is_safe():
    assert Issues().verdict is Verdict.SAFE
    assert Issues().frozen() == ()


def test_members_are_joined():
    outer = Issues()
    outer.extend([issue(member="b"), issue()], "a")
    assert [i.member for i in outer.frozen()] == ["a!b", "a"]
    assert join_member("", "x") == "x"


def test_hostile_names_are_harmless():
    assert shown("a\n\x1b[31m\u202eb") == "'a\\n\\x1b[31m\\u202eb'"
    assert len(shown("x" * 500)) < 100
    assert shown("x" * 500).endswith("...'")
