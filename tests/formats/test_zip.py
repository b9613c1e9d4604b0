from __future__ import annotations

import io
import struct
import zipfile
import zlib

import pytest

from lockflight.core.findings import Verdict
from lockflight.formats.archive import zip as module
from lockflight.formats.archive.zip import ends_like_zip, member_names, read_archive
from tests.formats.files import archive, assembled, central, ending, local, mutants, rules, source, verdict


def read(data):
    return read_archive(source(data))


def content(found, name):
    member = next(m for m in found.members if m.name == name)
    opened = found.open(member)
    return opened.problem, opened.source.read_at(0, opened.source.size)


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2])
def test_a_good_archive(method):
    found = read(archive({"a": b"one", "b/c": b"two" * 1000, "d/": b"", "e": b""}, method=method))
    assert found.issues == ()
    assert found.readable
    assert found.names() == {"a", "b/c", "d/", "e"}
    assert content(found, "b/c") == ("", b"two" * 1000)
    assert [m.name for m in found.members if m.folder] == ["d/"]


def test_an_empty_archive_and_a_comment():
    assert read(archive({})).issues == ()
    assert read(assembled([local("a", b"x")], [central("a", b"x", 0)], comment=b"hello")).issues == ()


def test_an_archive_that_was_written_to_a_pipe_has_descriptors():
    class Pipe(io.RawIOBase):
        def __init__(self):
            self.data = b""

        def writable(self):
            return True

        def write(self, data):
            self.data += bytes(data)
            return len(data)

    pipe = Pipe()
    with zipfile.ZipFile(pipe, "w") as made:
        made.writestr("a", b"hello")
        made.writestr("b", b"world" * 100, zipfile.ZIP_DEFLATED)
    found = read(pipe.data)
    assert found.issues == ()
    assert content(found, "b") == ("", b"world" * 100)


def wide(end_count=1):
    """As torch writes: descriptors of 24 bytes, and the wide end records beside the narrow one."""
    data = b"hello"
    first = local("a", data, flags=0x808, crc=0, size=0, packed=0)
    crc = struct.unpack("<I", central("a", data, 0)[16:20])[0]
    body = first + b"PK\7\x08" + struct.pack("<IQQ", crc, 5, 5)
    directory = central("a", data, 0, flags=0x808)
    record = struct.pack(
        "<4sQHHIIQQQQ", b"PK\6\6", 44, 798, 45, 0, 0, end_count, end_count, len(directory), len(body)
    )
    locator = struct.pack("<4sIQI", b"PK\6\7", 0, len(body) + len(directory), 1)
    return body + directory + record + locator + ending(1, len(directory), len(body))


def test_wide_records_of_torch():
    found = read(wide())
    assert found.issues == ()
    assert content(found, "a") == ("", b"hello")
    assert {"zip:two-ends", "zip:directory"} <= rules(read(wide(end_count=2)).issues)


def test_sizes_in_the_wide_field():
    data = b"hello"
    extra = struct.pack("<HHQQ", 1, 16, 5, 5)
    big = {"size": 0xFFFFFFFF, "packed": 0xFFFFFFFF, "extra": extra}
    found = read(assembled([local("a", data, **big)], [central("a", data, 0, **big)]))
    assert found.issues == ()
    assert content(found, "a") == ("", b"hello")


A, B = local("a", b"first"), local("b", b"second")
CA, CB = central("a", b"first", 0), central("b", b"second", len(A))
HIDDEN = local("x", b"hidden")

TRICKS = {
    "a name twice": (assembled([A, A], [CA, central("a", b"first", len(A))]), "zip:duplicate"),
    "a member that only local headers have": (
        assembled([A, HIDDEN, B], [CA, central("b", b"second", len(A) + len(HIDDEN))]),
        "zip:hidden",
    ),
    "a member behind the last": (assembled([A], [CA], between=HIDDEN), "zip:hidden"),
    "bytes between members": (
        assembled([A, b"junk", B], [CA, central("b", b"second", len(A) + 4)]),
        "zip:gap",
    ),
    "another local name": (assembled([local("z", b"first"), B], [CA, CB]), "zip:mismatch"),
    "another local size": (assembled([local("a", b"first", size=9), B], [CA, CB]), "zip:mismatch"),
    "another local checksum": (assembled([local("a", b"first", crc=1), B], [CA, CB]), "zip:mismatch"),
    "another local method": (assembled([local("a", b"first", method=8), B], [CA, CB]), "zip:mismatch"),
    "other local flags": (assembled([local("a", b"first", flags=0x800), B], [CA, CB]), "zip:mismatch"),
    "encrypted": (
        assembled([local("a", b"first", flags=1)], [central("a", b"first", 0, flags=1)]),
        "zip:encrypted",
    ),
    "encrypted in one header": (assembled([local("a", b"first", flags=1)], [CA]), "zip:mismatch"),
    "one member twice": (assembled([A], [CA, central("b", b"first", 0)]), "zip:overlap"),
    "a member over the directory": (
        assembled([A], [central("a", b"first", 0, packed=30, size=30)]),
        "zip:overlap",
    ),
    "a member over the end": (
        assembled([A], [central("a", b"first", 0, packed=3000, size=3000)]),
        "zip:header",
    ),
    "no local header": (assembled([A], [central("a", b"first", 3)]), "zip:header"),
    "something before": (b"\x80\x04N." + assembled([A], [CA]), "zip:prefix"),
    "something before, with offsets that know of it": (
        assembled([A], [central("a", b"first", 4)], before=b"abcd"),
        "zip:gap",
    ),
    "something behind": (assembled([A], [CA]) + b"abcd", "zip:trailing"),
    "an end record in a comment": (
        assembled([A], [CA], comment=CA + ending(1, len(CA), len(A + CA) + 22)),
        "zip:two-ends",
    ),
    "fewer members than said": (assembled([A], [CA], count=2), "zip:directory"),
    "a path that climbs": (assembled([local("../a", b"")], [central("../a", b"", 0)]), "zip:path"),
    "an absolute path": (assembled([local("/a", b"")], [central("/a", b"", 0)]), "zip:path"),
    "a drive": (assembled([local("c:a", b"")], [central("c:a", b"", 0)]), "zip:path"),
    "a backslash": (assembled([local("..\\a", b"")], [central("..\\a", b"", 0)]), "zip:path"),
    "a link": (assembled([local("a", b"b")], [central("a", b"b", 0, attributes=0xA1FF0000)]), "zip:link"),
}


@pytest.mark.parametrize("name", TRICKS)
def test_a_trick_is_seen(name):
    data, rule = TRICKS[name]
    found = read(data)
    assert rule in rules(found.issues)
    assert verdict(found.issues).rank >= Verdict.UNKNOWN.rank


def test_a_trick_does_not_end_the_walk():
    data = assembled([local("z", b"first"), B], [CA, CB])
    assert read(data).names() == {"a", "b"}


def test_an_archive_inside_an_archive_has_one_end():
    assert read(archive({"inner.zip": archive({"x": b"y"})})).issues == ()


@pytest.mark.parametrize("data", [b"", b"PK\3\4", b"PK\5\6", bytes(100), archive({"a": b"x"})[:-1]])
def test_no_archive(data):
    found = read(data)
    assert not found.readable
    assert rules(found.issues) == {"zip:broken"}
    assert member_names(source(data)) == frozenset()
    assert not ends_like_zip(source(data))


def test_members_are_budgeted(monkeypatch):
    monkeypatch.setattr(module, "MAX_MEMBERS", 2)
    assert rules(read(archive({"a": b"", "b": b"", "c": b""})).issues) >= {"zip:budget"}


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"size": 3}, "corrupt"),
        ({"size": 9}, "corrupt"),
        ({"size": 5000}, "corrupt"),
        ({"method": 14}, "corrupt"),
        ({"method": 0}, "corrupt"),
    ],
)
def test_content_that_is_not_what_the_directory_says(change, problem):
    data = archive({"a": b"hello" * 3}, method=zipfile.ZIP_DEFLATED)
    found = read(data)
    member = found.members[0]
    values = {slot: getattr(member, slot) for slot in member.__slots__} | change
    assert module.content(found.source, type(member)(**values), max_output=1000).problem == problem


def test_names_that_are_no_utf_8():
    assert member_names(source(assembled([A], [CA.replace(b"a", b"\xe9")]))) == {"\u0398"}


def test_damage_is_an_issue_and_never_more():
    seeds = [
        archive({"a": b"x" * 40, "b/c": b"y" * 10}),
        archive({"a": b"x" * 400}, method=zipfile.ZIP_DEFLATED),
        wide(),
    ]
    safe = 0
    for data in mutants(seeds, 3000, 4, (b"PK\3\4", b"PK\1\2", b"PK\5\6")):
        found = read(data)
        for member in found.members:
            opened = found.open(member, max_output=10_000)
            assert opened.source.size <= max(10_000, len(data))
        if found.issues:
            continue
        safe += 1
        # What we find nothing wrong with, Python's reader sees as we do.
        try:
            theirs = zipfile.ZipFile(io.BytesIO(data))
        except NotImplementedError:
            continue  # it needs a newer version of the format, which we do not look at
        with theirs:
            assert {info.filename for info in theirs.infolist()} == {
                m.name.split("\0")[0] for m in found.members
            }
    assert 0 < safe < 2500


def beside(name, of, kind=0x7075):
    """A field of Info-ZIP with a name in UTF-8, and the checksum of the ordinary one."""
    inner = struct.pack("<BI", 1, zlib.crc32(of)) + name.encode()
    return struct.pack("<HH", kind, len(inner)) + inner


@pytest.mark.parametrize("place", ["local", "central", "both"])
@pytest.mark.parametrize("name", ["../../b.npy", "/tmp/x", "b.npy", "a.npy/", ""])
def test_another_name_in_a_field_of_its_own(place, name):
    extra = struct.pack("<HH", 0x5455, 1) + b"x" + beside(name, b"a.npy")
    here = local("a.npy", b"x", extra=extra if place in {"local", "both"} else b"")
    there = central("a.npy", b"x", 0, extra=extra if place in {"central", "both"} else b"")
    found = read(assembled([here], [there]))
    assert rules(found.issues) == {"zip:mismatch"}
    assert verdict(found.issues) is Verdict.MALICIOUS


def test_the_same_name_and_a_comment_in_fields_of_their_own():
    for extra in (beside("a.npy", b"a.npy"), beside("../../x", b"", kind=0x6375), b"\x75\x70"):
        data = assembled([local("a.npy", b"x", extra=extra)], [central("a.npy", b"x", 0, extra=extra)])
        assert read(data).issues == ()


def test_a_name_in_an_old_code_page_is_not_read_alike():
    for name, what in (
        ("日本.txt", Verdict.UNKNOWN),
        ("../日.txt", Verdict.MALICIOUS),
        ("日.pkl", Verdict.MALICIOUS),
    ):
        extra = beside(name, b"")
        data = assembled([local("é.txt", b"x", extra=extra)], [central("é.txt", b"x", 0, extra=extra)])
        assert verdict(read(data).issues) is what
