from __future__ import annotations

import struct
import zipfile

import pytest

from lockflight.core.findings import Verdict
from lockflight.core.source import BytesSource
from lockflight.formats.torch.file import is_archive, is_legacy, read_checkpoint
from lockflight.scan.models import scan_source
from tests.corpus.hostile import samples
from tests.corpus.programs import VECTORS, changed
from tests.formats.files import archive, mutants, source
from tests.formats.pickle.test_streams import legacy, storage
from tests.formats.pickles import shipped


def read(data):
    return read_checkpoint(source(data), shipped())


def vector(name):
    return (VECTORS / name).read_bytes()


@pytest.mark.parametrize(
    "name", ["state.pt", "dtypes.pt", "checkpoint.pt", "unusual.pt", "protocol5.pt", "views.pt"]
)
def test_an_archive(name):
    found = read(vector(name))
    assert found.issues == ()
    assert not found.big
    assert found.keys is None
    assert {pin.key for pin in found.report.pins} == set(found.storages)


@pytest.mark.parametrize(
    "name", ["state.legacy.bin", "dtypes.legacy.bin", "checkpoint.legacy.bin", "views.legacy.bin"]
)
def test_the_old_format(name):
    data = vector(name)
    assert is_legacy(source(data))
    found = read(data)
    assert found.issues == ()
    assert found.keys is not None
    assert 0 < found.tail < len(data)
    assert found.stream.read_at(found.stream.size - 1, 1) == b"."


def test_a_plain_pickle():
    found = read(b"\x80\x04}.")
    assert (found.issues, found.stream.size) == ((), 4)


@pytest.mark.parametrize(
    ("more", "rule"),
    [
        ({"extra/x": b"hello"}, "torch:member"),
        ({"data/0": b"short"}, "torch:storage"),
        ({"../b/data.pkl": b"N."}, "torch:roots"),
        ({"data.pkl": b"cos\nsystem\n."}, "pickle:global"),
        ({"data.pkl": b"K"}, "pickle:broken"),
    ],
)
def test_what_torch_does_not_write(more, rule):
    assert rule in {issue.rule for issue in read(changed("state.pt", more)).issues}


@pytest.mark.parametrize("old", [False, True])
@pytest.mark.parametrize(
    ("first", "second", "sound"),
    [
        ({}, {}, True),
        ({"kind": "ByteStorage"}, {"kind": "CharStorage"}, False),
        ({}, {"kind": "IntStorage"}, False),
        ({}, {"numel": 2}, False),
        ({"numel": 2}, {}, False),
        ({"numel": 0}, {"kind": "IntStorage", "numel": 0}, True),
        ({"numel": 0}, {}, False),
    ],
)
def test_a_storage_is_one_thing(first, second, sound, old):
    both = b"\x80\x02](" + storage(**first) + storage(**second) + b"e."
    numel = max(first.get("numel", 3), second.get("numel", 3))
    width = 1 if "kind" in first else 4
    bytes_ = bytes(numel * width)
    if old:
        data = legacy(body=both, storages=struct.pack("<q", numel) + bytes_)
    else:
        data = archive({"a/data.pkl": both, "a/version": b"3\n", "a/data/0": bytes_})
    issues = read(data).issues
    said = [issue for issue in issues if "twice" in issue.message]
    assert bool(said) is not sound
    assert {issue.rule for issue in said} <= {"torch:storage"}
    if sound:
        assert issues == ()
    else:
        # Whichever comes first, the walk says the same.
        found = scan_source(BytesSource(data, "model.pt"), shipped())
        assert found.verdict is not Verdict.SAFE
        assert any("twice" in finding.message for finding in found.findings)


def test_storages_that_are_compressed():
    with zipfile.ZipFile(VECTORS / "state.pt") as opened:
        members = {name: opened.read(name) for name in opened.namelist()}
    rules = {issue.rule for issue in read(archive(members, method=zipfile.ZIP_DEFLATED)).issues}
    assert "torch:storage" in rules


def test_big_numbers():
    assert read(changed("state.pt", {"byteorder": b"big"})).big


def test_no_hostile_checkpoint_is_without_issues():
    tried = 0
    for sample in samples():
        data = sample.data
        if (is_archive(source(data)) or is_legacy(source(data))) and sample.family == "pickle":
            tried += 1
            assert read(data).issues, sample.name
    assert tried > 20


def test_the_fuzz_never_raises():
    seeds = [vector("state.pt"), vector("dtypes.legacy.bin"), vector("tensor.pt")]
    for data in mutants(seeds, 800, 11, [b"PK\x03\x04", b"cos\nsystem\n", b"."]):
        read(data)
