from __future__ import annotations

import pytest

from lockflight.core.source import BytesSource
from lockflight.formats.xmltext import check_xml
from tests.corpus.loose import HONEST, LOOSE
from tests.scan.fuzzing import mutants


def rules(data):
    return {issue.rule for issue in check_xml(BytesSource(data, "a.xml"))}


@pytest.mark.parametrize("name", [n for n, (_, rule) in LOOSE.items() if rule.startswith("xml:")])
def test_what_takes_in_others(name):
    data, rule = LOOSE[name]
    assert rule in rules(data)
    assert rules(data.replace(b"<!ENTITY", b"<!-- ENTITY").replace(b"<!DOCTYPE", b"<!--")) <= {"xml:encoding"}


@pytest.mark.parametrize("name", [n for n in HONEST if n.endswith((".xml", ".svg", ".plist", ".html"))])
def test_ordinary_documents(name):
    assert rules(HONEST[name]) == set()


def test_an_entity_that_is_not_understood():
    assert rules(b"<!DOCTYPE a [<!ENTITY x>]>") == {"xml:expansion"}
    assert rules(b"\xff") == {"file:text"}


def test_damage_is_an_issue_and_never_more():
    seeds = [data for data, rule in LOOSE.values() if rule.startswith("xml:")]
    assert {bool(rules(data)) for data in mutants(seeds, 500, 3)} == {True, False}
