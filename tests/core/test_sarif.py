from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockflight.core.findings import Confidence, Finding, Location, Severity
from lockflight.core.sarif import RuleText, Unread, sarif, uri


def finding(**changes):
    given = {
        "code": "LF2100",
        "rule": "pickle:global",
        "severity": Severity.CRITICAL,
        "asset": "model/a b.pkl",
        "message": "It calls posix.system.",
        "fix": "Do not load it.",
        "confidence": Confidence.MEDIUM,
        "ids": ("CWE-502",),
    }
    return Finding(**given | changes)


def run(*findings, **options):
    document = sarif(findings, version="1.2.3", rules=options.pop("rules", {}), **options)
    json.dumps(document)
    assert document["version"] == "2.1.0"
    (only,) = document["runs"]
    return only


def test_nothing_found():
    found = run()
    assert found["results"] == []
    assert found["tool"]["driver"] == {
        "name": "lockflight",
        "version": "1.2.3",
        "informationUri": "https://lockflight.dev/",
        "rules": [],
    }
    assert found["invocations"] == [{"executionSuccessful": True, "toolExecutionNotifications": []}]


def test_a_result_points_to_its_rule():
    other = finding(code="LF2001", severity=Severity.LOW)
    found = run(finding(), other, finding(severity=Severity.MEDIUM))
    rules = found["tool"]["driver"]["rules"]
    assert [rule["id"] for rule in rules] == ["LF2001", "LF2100"]
    for result in found["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
    assert [r["level"] for r in found["results"]] == ["error", "note", "warning"]
    assert rules[1]["properties"] == {"security-severity": "9.5", "tags": ["security", "CWE-502"]}


def test_what_a_result_says():
    (result,) = run(finding(location=Location(member="data.pkl", offset=7)))["results"]
    assert result["message"] == {"text": "It calls posix.system. Do not load it."}
    assert result["locations"] == [
        {
            "physicalLocation": {"artifactLocation": {"uri": "model/a%20b.pkl"}, "region": {"startLine": 1}},
            "logicalLocations": [{"fullyQualifiedName": "data.pkl", "kind": "member"}],
        }
    ]
    assert result["properties"] == {
        "severity": "critical",
        "confidence": "medium",
        "rule": "pickle:global",
        "ids": ["CWE-502"],
        "offset": 7,
    }


def test_a_line_is_kept():
    (result,) = run(finding(location=Location(line=12), fix=""))["results"]
    assert result["locations"][0]["physicalLocation"]["region"] == {"startLine": 12}
    assert result["message"] == {"text": "It calls posix.system."}
    assert "offset" not in result["properties"]


def test_the_fingerprint_does_not_move_with_the_line():
    first, second = (run(finding(location=Location(line=n)))["results"][0] for n in (1, 99))
    assert first["partialFingerprints"] == second["partialFingerprints"]


def test_texts_of_rules():
    (rule,) = run(finding(), rules={"LF2100": RuleText("Title", "Why.", "Fix.")})["tool"]["driver"]["rules"]
    assert rule["shortDescription"] == {"text": "Title"}
    assert rule["fullDescription"] == {"text": "Why."}
    assert rule["help"] == {"text": "Fix."}


def test_what_was_not_analysed_is_no_success():
    (invocation,) = run(unread=[Unread("x.bin", "nobody reads it")])["invocations"]
    assert invocation["executionSuccessful"] is False
    assert invocation["toolExecutionNotifications"][0]["message"] == {
        "text": "x.bin was not analysed: nobody reads it"
    }


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("a/b.txt", "a/b.txt"),
        ("ä#?%.txt", "%C3%A4%23%3F%25.txt"),
        ("c:/x", "c%3A/x"),
        ("/abs/x", "file:///abs/x"),
        ("bad\udcff", "bad%FF"),
    ],
)
def test_uri(name, wanted):
    assert uri(name) == wanted


@given(st.text(st.characters(codec="utf-8"), max_size=30))
def test_a_uri_is_ascii_without_spaces(name):
    assert uri(name).isascii()
    assert not set(uri(name)) & set(' "<>\\^`{|}#?')
