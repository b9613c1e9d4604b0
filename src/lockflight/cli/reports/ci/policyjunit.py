"""The tests of a policy bundle as JUnit XML."""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from lockflight.cli.reports.visible import plain

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lockflight.policy.testing import BundleTest


def junit(bundle: str, tests: Iterable[BundleTest]) -> str:
    """The whole document: one test case for each fixture and each Rego test."""
    suite = ET.Element("testsuite", {"name": plain(f"policy {bundle}"), "time": "0"})
    for test in tests:
        group = "fixtures" if test.name.startswith("bite:") else "rego"
        case = ET.SubElement(suite, "testcase", {"name": plain(test.name), "classname": group, "time": "0"})
        if test.passed is not True:
            tag = "skipped" if test.passed is None else "failure"
            ET.SubElement(case, tag, {"message": plain(test.detail)})
    suite.set("tests", str(len(suite)))
    suite.set("failures", str(len(suite.findall("*/failure"))))
    suite.set("skipped", str(len(suite.findall("*/skipped"))))
    ET.indent(suite)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(suite, encoding="unicode") + "\n"
