from __future__ import annotations

import pytest

from lockflight.core.release.datacard import CardError, DataCard, make_card, parse_card
from lockflight.core.release.manifest import parse_manifest
from lockflight.core.release.release import Role
from lockflight.core.release.selection import select
from lockflight.core.release.spdx import LICENCES, read_expression
from lockflight.errors import InvalidInput

HEAD = '[release]\nname = "d"\nkind = "dataset"\ntier = "minimal"\n'
DATA = HEAD + '[[assets]]\nrole = "dataset"\nfiles = ["*.csv"]\n'


@pytest.mark.parametrize(
    ("text", "unknown"),
    [
        ("MIT", ()),
        ("Apache-2.0 AND (MIT OR CC-BY-4.0)", ()),
        ("GPL-2.0-or-later WITH Classpath-exception-2.0", ()),
        ("GPL-2.0+", ()),
        ("LicenseRef-acme-contract", ()),
        ("DocumentRef-a:LicenseRef-b", ()),
        ("CC-BY-4", ("CC-BY-4",)),
        ("MIT WITH Nonsense OR mit", ("Nonsense", "mit")),
    ],
)
def test_expressions(text, unknown):
    assert read_expression(text) == unknown


@pytest.mark.parametrize(
    "text",
    [
        "",
        "MIT MIT",
        "MIT AND",
        "AND MIT",
        "(MIT",
        "MIT)",
        "MIT OR OR MIT",
        "see file",
        "MIT/X11",
        "(" * 30 + "MIT" + ")" * 30,
        "MIT " * 200,
    ],
)
def test_no_expressions(text):
    with pytest.raises(ValueError, match=r"."):
        read_expression(text)


def test_the_list_is_whole():
    assert len(LICENCES) > 600
    assert {"MIT", "CC-BY-4.0", "CC0-1.0", "ODbL-1.0", "CDLA-Permissive-2.0"} <= LICENCES


def test_what_is_not_said_is_unknown():
    facts = make_card({"source": "a clinic"}).facts()
    assert (facts["licence"], facts["licence_known"], facts["personal_data"]) == ("unknown", False, "unknown")
    assert not make_card({"licence": "unknown"}).licence_known
    assert not make_card({"licence": "CC-BY-4"}).licence_known
    assert make_card({"licence": "LicenseRef-x"}).licence_known


@pytest.mark.parametrize(
    "said",
    [
        {"licence": "see the file"},
        {"collected_from": "2026-02-30"},
        {"collected_until": "yesterday"},
        {"collected_from": "2026-02-02", "collected_until": "2026-02-01"},
        {"personal_data": "maybe"},
    ],
)
def test_refused(said):
    with pytest.raises(CardError):
        make_card(said)
    with pytest.raises(ValueError, match=r"."):
        parse_card(said)


def test_read_back():
    card = make_card({"licence": "MIT", "personal_data": "yes"})
    assert parse_card(card.to_json()) == card
    for raw in ({}, {"licence": ""}, {"more": "x"}, {"licence": 1}, []):
        with pytest.raises((TypeError, ValueError)):
            parse_card(raw)


def test_in_a_manifest():
    manifest = parse_manifest(DATA + 'licence = "MIT"\npersonal_data = "unknown"\n')
    assert manifest.assets[0].data == DataCard(licence="MIT", personal_data="unknown")
    assert manifest.notices == ()
    found = select(manifest, ["a.csv"])
    assert (found.roles, found.data) == ({"a.csv": Role.DATASET}, {"a.csv": manifest.assets[0].data})
    assert [n.code for n in parse_manifest(DATA + 'licence = "CC-BY-4"\n').notices] == ["LF1032"]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (DATA + 'licence = "see file"\n', 8),
        (DATA + 'collected_from = "x"\n', 8),
        (DATA.replace('dataset"\nfiles', 'code"\nfiles') + 'licence = "MIT"\n', 8),
    ],
)
def test_refused_in_a_manifest(text, line):
    with pytest.raises(InvalidInput) as caught:
        parse_manifest(text)
    assert (caught.value.code, caught.value.details["line"]) == ("LF0175", line)


def test_two_things_about_one_file():
    text = DATA + 'licence = "MIT"\n[[assets]]\nrole = "dataset"\nfiles = ["a.*"]\n'
    assert select(parse_manifest(text), ["a.csv"]).data["a.csv"].licence == "MIT"
    with pytest.raises(InvalidInput) as caught:
        select(parse_manifest(text + 'licence = "CC0-1.0"\n'), ["a.csv"])
    assert caught.value.code == "LF0175"
