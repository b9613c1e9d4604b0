"""A bundle in one file: the same bytes for the same files, and no hostile archive gets past the reader."""

from __future__ import annotations

import gzip
import io
import tarfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockflight.errors import EnvironmentProblem, LockflightError
from lockflight.policy import archive as archive_module
from lockflight.policy.archive import archive_files, packed, unpacked
from lockflight.policy.bundle import MAX_FILE_BYTES, read_bundle
from tests.policy.small import small_bundle


def test_there_and_back():
    files = small_bundle()
    assert unpacked(packed(files)) == files
    assert packed(dict(reversed(files.items()))) == packed(files)
    assert read_bundle(unpacked(packed(files))).digest == read_bundle(files).digest


def test_a_stock_tar_reads_it():
    with tarfile.open(fileobj=io.BytesIO(packed(small_bundle()))) as archive:
        members = archive.getmembers()
    assert [m.name for m in members] == sorted(small_bundle())
    assert {(m.mtime, m.uid, m.gid, m.uname, m.mode) for m in members} == {(0, 0, 0, "", 0o644)}


def test_long_names_survive():
    files = {"policy/" + "x" * 150 + ".rego": b"package x\n"}
    assert unpacked(packed(files)) == files


def tar(*members, body=b"x", **options):
    """An archive as a stranger would make it; members are names or whole entries."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", **options) as archive:
        for member in members:
            entry = tarfile.TarInfo(member) if isinstance(member, str) else member
            content = body if entry.isreg() else b""
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return gzip.compress(buffer.getvalue())


def entry(kind, name="policy/x.rego", target="/etc/passwd"):
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, target
    return member


HOSTILE = [
    ("nothing", b"", "cannot be read|cut off"),
    ("no gzip", b"PK\x03\x04" + b"x" * 100, "cannot be read"),
    ("no tar", gzip.compress(b"x" * 2048), "cannot be read"),
    ("a symbolic link", tar(entry(tarfile.SYMTYPE)), "not a regular file"),
    ("a hard link", tar("data.json", entry(tarfile.LNKTYPE, target="data.json")), "not a regular file"),
    ("a folder", tar(entry(tarfile.DIRTYPE, "policy")), "not a regular file"),
    ("a device", tar(entry(tarfile.CHRTYPE)), "not a regular file"),
    ("a pipe", tar(entry(tarfile.FIFOTYPE)), "not a regular file"),
    ("a name twice", tar("data.json", "data.json"), "twice"),
    ("a big file", tar("data.json", body=b"\0" * (MAX_FILE_BYTES + 1)), "at most"),
    ("too many files", tar(*(f"policy/{i}.rego" for i in range(600))), "more than 512 files"),
    ("cut off", packed(small_bundle())[:-20], "cut off|cannot be read"),
    ("followed by more", packed(small_bundle()) + b"more", "more follows"),
    ("two streams", packed(small_bundle()) * 2, "more follows"),
    ("a bomb", gzip.compress(b"\0" * (64 * 1024 * 1024)), "holds more than"),
]


@pytest.mark.parametrize(("body", "words"), [h[1:] for h in HOSTILE], ids=[h[0] for h in HOSTILE])
def test_hostile_archives_are_refused(body, words):
    with pytest.raises(EnvironmentProblem, match=words) as caught:
        unpacked(body)
    assert caught.value.code == "LF4005"


def sparse():
    """A file that claims to be a thousand times larger than its bytes."""
    headers = {
        "GNU.sparse.major": "0",
        "GNU.sparse.minor": "1",
        "GNU.sparse.size": "99999999",
        "GNU.sparse.map": "0,1",
    }
    member = tarfile.TarInfo("data.json")
    member.pax_headers = headers
    return tar(member, format=tarfile.PAX_FORMAT)


def test_a_sparse_file_is_refused():
    with pytest.raises(EnvironmentProblem, match="not a regular file"):
        unpacked(sparse())


@pytest.mark.parametrize(
    "name", ["../policy/x.rego", "/policy/x.rego", "policy/../../x.rego", "policy//x.rego", "./data.json"]
)
def test_names_that_lead_elsewhere_are_refused(name):
    files = unpacked(tar(name)) if not name.startswith("/") else {name: b"x"}
    with pytest.raises(EnvironmentProblem) as caught:
        read_bundle(small_bundle() | files)
    assert caught.value.code == "LF4005"


def test_an_archive_is_read_from_a_file_but_not_through_a_link(tmp_path):
    path = tmp_path / "small.tar.gz"
    path.write_bytes(packed(small_bundle()))
    assert archive_files(path) == small_bundle()
    (tmp_path / "link.tar.gz").symlink_to(path)
    with pytest.raises(LockflightError):
        archive_files(tmp_path / "link.tar.gz")


def test_a_file_over_its_budget_is_not_read(tmp_path, monkeypatch):
    monkeypatch.setattr(archive_module, "MAX_BYTES", 10)
    (tmp_path / "small.tar.gz").write_bytes(packed(small_bundle()))
    with pytest.raises(EnvironmentProblem, match="bytes long"):
        archive_files(tmp_path / "small.tar.gz")


@given(st.data())
def test_a_mutated_archive_reads_or_is_refused(data):
    inner = bytearray(gzip.decompress(packed(small_bundle())))
    for _ in range(data.draw(st.integers(1, 6))):
        inner[data.draw(st.integers(0, len(inner) - 1))] = data.draw(st.integers(0, 255))
    body = bytearray(gzip.compress(bytes(inner), mtime=0))
    if data.draw(st.booleans()):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    try:
        read_bundle(unpacked(bytes(body)))
        code = ""
    except EnvironmentProblem as error:
        code = error.code
    assert code in {"", "LF4005", "LF4006", "LF4007"}


@given(st.binary(max_size=4096))
def test_any_bytes_are_read_or_refused(body):
    for tried in (body, gzip.compress(body)):
        try:
            code = "" if isinstance(unpacked(tried), dict) else "?"
        except EnvironmentProblem as error:
            code = error.code
        assert code in {"", "LF4005"}
