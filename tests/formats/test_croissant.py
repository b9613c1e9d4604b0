from __future__ import annotations

import copy
import json

import pytest

from lockflight.core.findings import Verdict
from lockflight.core.release.datacard import DataCard
from lockflight.core.release.release import Asset
from lockflight.core.release.rows import Head, RowIndex
from lockflight.core.source import BytesSource
from lockflight.core.words import Role
from lockflight.formats.croissant import RAI, VERSIONS, BadCroissant, croissant_of, parse_croissant
from lockflight.formats.settings.jsontext import check_json
from tests.formats.files import mutants

ROWS = RowIndex(Head("text", ("patient", "year"), (), 2, "0" * 64), "1" * 64, "2" * 64)


def asset(name="data/train.csv", rows=ROWS, **said):
    return Asset(name, Role.DATASET, 9, "a" * 64, "b" * 64, "text/csv", rows=rows, data=DataCard(**said))


def document(**changes):
    return {**copy.deepcopy(croissant_of("visits", [asset(licence="CC-BY-4.0", source="clinic")])), **changes}


def parse(value):
    return parse_croissant(json.dumps(value).encode())


def refused(value):
    with pytest.raises(BadCroissant) as caught:
        parse(value)
    return str(caught.value)


def changed(path, value):
    """A document with one thing replaced, or removed where `value` is None."""
    found = document()
    place = found
    for key in path[:-1]:
        place = place[key]
    if value is None:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    return found


def test_what_is_written_is_read():
    found = parse(document())
    assert (found.name, found.version, found.licence) == ("visits", "1.0", "CC-BY-4.0")
    assert [(f.path, f.sha256, f.encoding) for f in found.files] == [("data/train.csv", "a" * 64, "text/csv")]
    assert found.records == (("data/train.csv/rows", 2),)


def test_what_is_said_about_data_is_in_it():
    one = asset(
        source="clinic", collected_from="2024-01-01", collected_until="2025-01-01", personal_data="yes"
    )
    two = asset("b.jsonl", rows=None, source="street", limits="small")
    found = croissant_of("x", [one, two])
    assert "license" not in found
    assert parse(found).licence == "unknown"
    assert found["rai:dataCollection"] == ["clinic", "street"]
    assert found["rai:dataCollectionTimeframe"] == ["2024-01-01", "2025-01-01"]
    assert found["rai:dataLimitations"] == "small"
    assert found["rai:personalSensitiveInformation"] == "Personal data: yes."
    assert found["distribution"][1]["encodingFormat"] == "application/jsonlines"
    assert len(found["recordSet"]) == 1


@pytest.mark.parametrize(
    ("change", "licence"),
    [
        ({"license": "https://spdx.org/licenses/MIT.html"}, "MIT"),
        ({"license": ["https://spdx.org/licenses/MIT"]}, "MIT"),
        (
            {"license": {"@type": "sc:CreativeWork", "url": "https://example.org/own"}},
            "https://example.org/own",
        ),
        ({"license": ["MIT", "CC0-1.0"]}, "unknown"),
        ({"license": ""}, "unknown"),
        ({"license": {}}, "unknown"),
    ],
)
def test_licences(change, licence):
    assert parse(document(**change)).licence == licence


def test_other_spellings():
    assert parse(document(conformsTo=VERSIONS[1])).version == "1.1"
    assert parse(document(**{"@type": "https://schema.org/Dataset"})).name == "visits"
    archive = {**document()["distribution"][0], "@id": "all.zip", "contentUrl": "./all.zip"}
    inside = {**document()["distribution"][0], "containedIn": {"@id": "all.zip"}, "contentUrl": "x/../y"}
    many = {"@type": "cr:FileSet", "@id": "set", "containedIn": [{"@id": "all.zip"}], "includes": "*.csv"}
    found = parse(document(distribution=[archive, inside, many]))
    assert [f.path for f in found.files] == ["all.zip", ""]
    nested = {"@type": "cr:Field", "@id": "deep", "subField": [{"@type": "cr:Field", "@id": "deeper"}]}
    records = {"@type": "cr:RecordSet", "@id": "r", "field": nested, "key": {"@id": "deep"}}
    assert parse(document(recordSet=records)).records == (("r", 2),)


FILE = ("distribution", 0)
FIELD = ("recordSet", 0, "field", 0)


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ([], "no object"),
        (changed(("@type",), "sc:Thing"), "no sc:Dataset"),
        (changed(("name",), ""), "no name"),
        (changed(("conformsTo",), None), "conformsTo"),
        (changed(("conformsTo",), RAI), "conformsTo"),
        (changed(("conformsTo",), [*VERSIONS]), "conformsTo"),
        (changed(("conformsTo",), [VERSIONS[0], "http://mlcommons.org/other"]), "conformsTo"),
        (changed(("conformsTo",), 1), "no text"),
        (changed((*FILE, "sha256"), None), "no sha256"),
        (changed((*FILE, "sha256"), "A" * 64), "no sha256"),
        (changed((*FILE, "encodingFormat"), None), "encodingFormat"),
        (changed((*FILE, "@id"), None), "no @id"),
        (changed((*FILE, "@type"), "cr:File"), "no cr:FileObject"),
        (changed((*FILE, "contentUrl"), None), "contentUrl"),
        (changed((*FILE, "contentUrl"), "../secret.csv"), "does not stay"),
        (changed((*FILE, "contentUrl"), "a/../../secret.csv"), "does not stay"),
        (changed((*FILE, "contentUrl"), "/etc/passwd"), "does not stay"),
        (changed((*FILE, "contentUrl"), "..\\secret.csv"), "does not stay"),
        (changed((*FILE, "contentUrl"), "file:///etc/passwd"), "does not stay"),
        (changed((*FILE, "contentUrl"), "https://example.org/a.csv"), "does not stay"),
        (changed((*FILE, "contentUrl"), "%2e%2e/secret.csv"), "an address"),
        (changed((*FILE, "containedIn"), {"@id": "none.zip"}), "no such FileObject"),
        (changed((*FILE, "containedIn"), "none.zip"), "no object"),
        (changed(("distribution",), [document()["distribution"][0]] * 2), "stands twice"),
        (changed(("recordSet", 0, "@type"), "cr:Set"), "no cr:RecordSet"),
        (changed(("recordSet", 0, "field"), []), "no field"),
        (changed(("recordSet", 0, "key"), {"@id": "nobody"}), "no such Field"),
        (changed((*FIELD, "@type"), "cr:RecordSet"), "no cr:Field"),
        (changed((*FIELD, "source", "fileObject", "@id"), "other.csv"), "no such FileObject"),
        (changed((*FIELD, "source"), {"extract": {}}), "neither file nor field"),
        (changed((*FIELD, "references"), {"field": {"@id": "nobody"}}), "no such Field"),
        (changed((*FIELD, "references"), {"field": {}}), "without @id"),
        (changed((*FIELD, "dataType"), 5), "no text"),
    ],
)
def test_refused(value, why):
    assert why in refused(value)


def test_nested_too_deeply():
    field = {"@type": "cr:Field", "@id": "f"}
    for i in range(20):
        field = {"@type": "cr:Field", "@id": f"f{i}", "subField": field}
    assert "nested" in refused(changed(("recordSet", 0, "field"), [field]))


def test_no_json_of_one_meaning(monkeypatch):
    for data in (b"{", b'{"a":1,"a":2}', b"\xff", b"[" * 100_000):
        with pytest.raises(BadCroissant):
            parse_croissant(data)
    monkeypatch.setattr("lockflight.formats.croissant.MAX_NODES", 2)
    assert "more than 2 parts" in refused(document())
    monkeypatch.setattr("lockflight.formats.croissant.MAX_BYTES", 2)
    with pytest.raises(BadCroissant, match="larger"):
        parse_croissant(b"{}\n")


def test_damage_is_refused_or_names_files_of_the_folder():
    good = 0
    seeds = [json.dumps(document()).encode()]
    for data in mutants(seeds, 3000, 9, (b'"../x"', b'"@id"', b"null", b"[", b"{}", b'"sha256"')):
        try:
            found = parse_croissant(data)
        except BadCroissant:
            continue
        good += 1
        assert all(len(f.sha256) == 64 and ".." not in f.path.split("/") for f in found.files)
    assert good > 100


def test_the_scan_finds_it_safe():
    data = json.dumps(document(), indent=2).encode()
    assert [i for i in check_json(BytesSource(data, "croissant.json")) if i.verdict is not Verdict.SAFE] == []
