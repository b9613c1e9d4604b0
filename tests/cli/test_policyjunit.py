from __future__ import annotations

from xml.etree import ElementTree as ET

from lockflight.cli.reports.ci.policyjunit import junit
from lockflight.policy.testing import BundleTest

TESTS = (
    BundleTest("bite:LF4102", passed=True),
    BundleTest("bite:LF4103", passed=False, detail='it says <b>"this"</b> \x1b[31m\u202e'),
    BundleTest("data.x.test_y", passed=True),
    BundleTest("data.x.todo_test_z", None, "not written yet"),
)


def test_every_test_is_a_case():
    suite = ET.fromstring(junit("small", TESTS))
    assert suite.attrib["name"] == "policy small"
    assert [(case.get("classname"), case.get("name")) for case in suite] == [
        ("fixtures", "bite:LF4102"),
        ("fixtures", "bite:LF4103"),
        ("rego", "data.x.test_y"),
        ("rego", "data.x.todo_test_z"),
    ]
    assert (suite.get("tests"), suite.get("failures"), suite.get("skipped")) == ("4", "1", "1")


def test_what_a_policy_says_is_text():
    suite = ET.fromstring(junit("small", TESTS))
    message = suite.find("*/failure").get("message")
    assert message.startswith('it says <b>"this"</b>')
    assert not set("\x1b\u202e") & set(message)
    assert suite.find("*/skipped").get("message") == "not written yet"


def test_no_tests_are_no_failure():
    suite = ET.fromstring(junit("small", ()))
    assert (suite.get("tests"), suite.get("failures")) == ("0", "0")
