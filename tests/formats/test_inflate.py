from __future__ import annotations

import bz2
import gzip
import lzma
import pickle
import struct
import zlib

import pytest

from lockflight.formats.archive import inflate as module
from lockflight.formats.archive.inflate import compression_of, inflate, inflate_head
from lockflight.formats.media import PICKLE_GZIP
from lockflight.formats.sniff import sniff
from tests.formats.files import mutants, source

PACK = {
    "gzip": gzip.compress,
    "bzip2": bz2.compress,
    "xz": lzma.compress,
    "lzma": lambda data: lzma.compress(data, lzma.FORMAT_ALONE),
    "zlib": zlib.compress,
    "deflate": lambda data: zlib.compress(data)[2:-4],
}
DATA = b"some words " * 5000


def read(opened):
    return opened.source.read_at(0, opened.source.size)


@pytest.mark.parametrize("kind", PACK)
def test_what_was_packed_comes_out(kind):
    opened = inflate(source(PACK[kind](DATA)), kind)
    assert (opened.problem, opened.trailing) == ("", 0)
    assert read(opened) == DATA
    assert inflate_head(PACK[kind](DATA)[:2000], kind, 100) == DATA[:100] or kind == "bzip2"


@pytest.mark.parametrize("kind", [k for k in PACK if k != "deflate"])
def test_a_kind_is_told_by_its_first_bytes(kind):
    assert compression_of(PACK[kind](DATA)) == kind


@pytest.mark.parametrize("head", [b"", b"x", b"\x78\x00\x00", b"BA", b"GGUF", b"{}"])
def test_other_bytes_are_no_compression(head):
    assert compression_of(head) == ""


@pytest.mark.parametrize("kind", ["gzip", "bzip2", "xz"])
def test_members_one_after_the_other(kind):
    assert read(inflate(source(PACK[kind](b"one") + PACK[kind](b"two")), kind)) == b"onetwo"


@pytest.mark.parametrize("kind", ["gzip", "xz"])
def test_zeros_between_members_are_padding(kind):
    opened = inflate(source(PACK[kind](b"one") + bytes(8) + PACK[kind](b"two") + bytes(4)), kind)
    assert read(opened) == b"onetwo"
    assert opened.trailing == 0


@pytest.mark.parametrize("kind", PACK)
def test_bytes_behind_the_end(kind):
    assert inflate(source(PACK[kind](b"one") + b"junk"), kind).trailing == 4


@pytest.mark.parametrize("kind", PACK)
def test_a_stream_that_is_cut(kind):
    opened = inflate(source(PACK[kind](DATA)[:-9]), kind)
    assert opened.problem == "corrupt"
    assert DATA.startswith(read(opened))


@pytest.mark.parametrize("kind", PACK)
def test_the_output_is_limited(kind):
    assert inflate(source(PACK[kind](DATA)), kind, max_output=100).problem == "budget"


def test_a_bomb(monkeypatch):
    monkeypatch.setattr(module, "RATIO_FREE", 100_000)
    assert inflate(source(gzip.compress(bytes(1_000_000))), "gzip").problem == "bomb"
    assert inflate(source(gzip.compress(bytes(1_000_000))), "gzip", bomb_guard=False).problem == ""


@pytest.mark.parametrize("kind", PACK)
def test_large_output_is_read_by_windows(kind, monkeypatch):
    monkeypatch.setattr(module, "KEPT", 1000)
    monkeypatch.setattr(module, "CHUNK", 700)
    opened = inflate(source(PACK[kind](DATA)), kind, name="x")
    assert type(opened.source).__name__ == "_Rewinding"
    assert (opened.source.size, opened.source.name) == (len(DATA), "x")
    assert opened.source.read_at(30_000, 50) == DATA[30_000:30_050]
    assert opened.source.read_at(29_900, 50) == DATA[29_900:29_950]
    assert opened.source.read_at(5, 20_000) == DATA[5:20_005]
    assert opened.source.read_at(len(DATA) - 3, 100) == DATA[-3:]
    assert opened.source.read_at(len(DATA) + 3, 100) == b""
    with pytest.raises(ValueError):
        opened.source.read_at(-1, 1)


def test_going_back_is_budgeted(monkeypatch):
    monkeypatch.setattr(module, "KEPT", 1000)
    monkeypatch.setattr(module, "CHUNK", 700)
    opened = inflate(source(gzip.compress(DATA)), "gzip").source
    ends = [opened.read_at(len(DATA) - 5, 5) for _ in range(20) if opened.read_at(0, 1) is not None]
    assert ends[0] == DATA[-5:]
    assert ends[-1] == b""


@pytest.mark.parametrize("kind", PACK)
def test_damage_is_a_problem_and_never_more(kind):
    seeds = [PACK[kind](b"hello" * 50), PACK[kind](b"a") + PACK[kind](b"b")]
    problems = {inflate(source(data), kind, max_output=5000).problem for data in mutants(seeds, 600, 5)}
    assert problems <= {"", "corrupt", "budget"}
    assert "corrupt" in problems


def gzipped(data, *, flags, broken=False):
    """A stream with the fields of RFC 1952 that `flags` names."""
    head = b"\x1f\x8b\x08" + bytes([flags]) + bytes(4) + b"\0\xff"
    head += struct.pack("<H", 5) + b"hello" if flags & 4 else b""
    head += b"name\0" if flags & 8 else b""
    head += b"comment\0" if flags & 16 else b""
    head += struct.pack("<H", (zlib.crc32(head) & 0xFFFF) ^ broken) if flags & 2 else b""
    return head + zlib.compress(data)[2:-4] + struct.pack("<II", zlib.crc32(data), len(data))


@pytest.mark.parametrize("flags", range(32))
def test_every_field_of_a_gzip_header(flags):
    data = pickle.dumps(list(range(50)))
    packed = gzipped(data, flags=flags)
    assert gzip.decompress(packed) == data
    found = inflate(source(packed), "gzip")
    assert (found.problem, found.trailing, found.source.read_at(0, 9999)) == ("", 0, data)
    assert inflate_head(packed, "gzip") == data
    assert sniff(source(packed)) == PICKLE_GZIP


def test_a_header_that_readers_do_not_take_alike():
    """Python's own module does not compare the header's checksum, zlib does; bits that mean nothing are refused."""
    assert inflate(source(gzipped(b"data", flags=2, broken=True)), "gzip").problem == "corrupt"
    assert inflate(source(gzipped(b"data", flags=32)), "gzip").problem == "corrupt"
