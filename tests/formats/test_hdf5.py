from __future__ import annotations

import random

import pytest

from lockflight.core.findings import Verdict
from lockflight.formats.tensors import hdf5, hdf5_bytes
from lockflight.formats.tensors.hdf5 import parse_hdf5
from tests.formats.files import mutants, rules, source, verdict


@pytest.fixture(scope="module")
def files(project_root):
    """What h5py and Keras wrote, by name."""
    folder = project_root / "tests" / "vectors" / "models"
    return {path.name: path.read_bytes() for path in (*folder.glob("*.h5"), *folder.glob("hdf5/*.h5"))}


def parse(data):
    return parse_hdf5(source(data, "m.h5"))


@pytest.mark.parametrize(
    "name", ["dense.h5", "branched.h5", "lambda.h5", "dense.weights.h5", "latest.h5", "packed.h5"]
)
def test_what_h5py_writes_is_read(files, name):
    found = parse(files[name])
    assert found.issues == ()
    config = found.text("model_config")
    assert (config is None) == (name == "dense.weights.h5")
    if config is not None:
        assert config.startswith(b'{"class_name": "')
        assert config.endswith(b"}")


ATTACKS = {
    "link.h5": "hdf5:external",
    "storage.h5": "hdf5:external",
    "virtual.h5": "hdf5:external",
    "virtual.latest.h5": "hdf5:external",
}


@pytest.mark.parametrize("name", ATTACKS)
def test_data_of_other_files_are_refused(files, name):
    found = parse(files[name]).issues
    assert rules(found) == {ATTACKS[name]}
    assert verdict(found) is Verdict.MALICIOUS


UNKNOWN = {
    "soft.h5": "hdf5:link",
    "filter.h5": "hdf5:filter",
    "huge.h5": "hdf5:size",
    "heap.h5": "hdf5:unread",
    "complex.h5": "hdf5:type",
    "tables.h5": "hdf5:pytables",
}


@pytest.mark.parametrize("name", UNKNOWN)
def test_what_is_not_read_is_unknown(files, name):
    found = parse(files[name]).issues
    assert rules(found) == {UNKNOWN[name]}
    assert verdict(found) is Verdict.UNKNOWN


def test_attributes_are_handed_on(files):
    texts = {(a.path, a.name): a.value for a in parse(files["tables.h5"]).texts}
    assert texts["", "note"] == b"cos\nsystem\n(S'true'\ntR."


def test_a_file_that_is_cut_off_or_longer_is_none(files):
    data = files["dense.weights.h5"]
    for spoiled in (data[:-1], data + b"x", data[:20], data[:700], bytes(600) + data):
        assert verdict(parse(spoiled).issues) is Verdict.UNKNOWN


def test_a_group_and_the_entry_that_leads_to_it_agree(files):
    data = bytearray(files["dense.weights.h5"])
    # The root's tree, as the superblock repeats it.
    data[80:88] = (4096).to_bytes(8, "little")
    found = parse(bytes(data)).issues
    assert rules(found) == {"hdf5:broken"}
    assert "disagree" in found[0].message


def test_budgets(files, monkeypatch):
    data = files["dense.h5"]
    monkeypatch.setattr(hdf5, "MAX_VALUES", 100)
    assert rules(parse(data).issues) == {"hdf5:budget"}
    monkeypatch.undo()
    monkeypatch.setattr(hdf5, "MAX_OBJECTS", 3)
    assert verdict(parse(data).issues) is Verdict.UNKNOWN
    monkeypatch.undo()
    for name, value in (("MAX_READ", 5_000), ("MAX_MESSAGES", 5), ("MAX_PIECE", 100)):
        monkeypatch.setattr(hdf5_bytes, name, value)
        assert rules(parse(data).issues) == {"hdf5:budget"}
        monkeypatch.undo()


def test_damage_is_an_issue_and_never_more(files):
    seeds = [
        files[name] for name in ("latest.h5", "tables.h5", "link.h5", "storage.h5", "soft.h5", "lambda.h5")
    ]
    seen = {verdict(parse(data).issues) for data in mutants(seeds, 1500, 61)}
    assert {Verdict.SAFE, Verdict.UNKNOWN, Verdict.MALICIOUS} <= seen


def test_addresses_that_lead_anywhere_end(files):
    """Numbers of the file put in place of others: trees that hold themselves, headers in heaps."""
    chance = random.Random(62)
    seen = set()
    for _ in range(1500):
        data = bytearray(files[chance.choice(("lambda.h5", "dense.weights.h5", "latest.h5"))])
        numbers = [at for at in range(0, len(data) - 8, 8) if any(data[at : at + 4])]
        for _ in range(chance.choice((1, 2, 4))):
            at, other = chance.choice(numbers), chance.choice(numbers)
            data[at : at + 8] = data[other : other + 8]
        seen.add(verdict(parse(bytes(data)).issues))
    assert {Verdict.SAFE, Verdict.UNKNOWN} <= seen
