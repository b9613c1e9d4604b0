from __future__ import annotations

import hashlib
import os
from pathlib import Path

import blake3
import pytest

from lockflight.errors import InvalidInput
from lockflight.infra import files, hashing
from lockflight.infra.files import FdSource, Folder, ReopenedSource
from lockflight.infra.hashing import BUFFER, SMALL, blake3_source, hash_files, hash_source, sha256_source
from lockflight.infra.progress import SILENT

SIZES = [0, 1, SMALL - 1, SMALL, SMALL + 1, BUFFER - 1, BUFFER, BUFFER + 1, 3 * BUFFER + 7]


def content(size):
    return (bytes(range(251)) * (size // 251 + 1))[:size]


class Recorder:
    def __init__(self):
        self.calls = []

    def begin(self, task, total):
        self.calls.append((task, total))

    def advance(self, n):
        self.calls.append(n)

    def end(self):
        self.calls.append("end")

    @property
    def told(self):
        return sum(c for c in self.calls if isinstance(c, int))


@pytest.fixture
def tree(tmp_path):
    for size in SIZES:
        path = tmp_path / f"d{size % 3}" / f"f{size}"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content(size))
    return tmp_path


def names_of(folder):
    return [e.name for e in folder.listing(skip=True).entries]


@pytest.mark.parametrize("size", SIZES)
def test_digests_are_those_of_the_libraries(tmp_path, size):
    data = content(size)
    (tmp_path / "f").write_bytes(data)
    with Folder(tmp_path) as folder:
        source = folder.open("f")
        sha, blake = hashlib.sha256(data).hexdigest(), blake3.blake3(data).hexdigest()
        assert hash_source(source) == (sha, blake)
        assert (sha256_source(source), blake3_source(source)) == (sha, blake)
        source.close()


@pytest.mark.parametrize(("workers", "hold"), [(1, 0), (3, 0), (1, 1), (3, 2), (2, 100)])
def test_many_files_in_their_order(tree, workers, hold):
    with Folder(tree) as folder:
        names = names_of(folder)[::-1]
        hashed = hash_files(folder, names, lambda s: s.read_at(0, 2), workers=workers, hold=hold)
        assert [h.source.name for h in hashed] == names
        for h in hashed:
            data = (tree / h.source.name).read_bytes()
            assert h.digests.sha256 == hashlib.sha256(data).hexdigest()
            assert h.digests.blake3 == blake3.blake3(data).hexdigest()
            assert h.seen == data[:2]
            assert h.source.read_at(0, h.source.size) == data
            h.source.check()
        held = [h for h in hashed if isinstance(h.source, FdSource)]
        assert len(held) == min(hold or len(names), len(names))
        if 0 < hold < len(names):
            assert all(h.source.size > SMALL for h in held)
            assert all(isinstance(h.source, ReopenedSource) for h in hashed if h not in held)
        for h in hashed:
            h.source.close()


def test_progress_counts_every_byte_once(tree, monkeypatch):
    monkeypatch.setattr(hashing, "_REPORT", 2 * BUFFER)
    progress = Recorder()
    with Folder(tree) as folder:
        for h in hash_files(folder, names_of(folder), lambda _: None, progress=progress):
            h.source.close()
    assert progress.calls[0] == ("hashing", sum(SIZES))
    assert progress.calls[-1] == "end"
    assert progress.told == sum(SIZES)


def test_no_files(tmp_path):
    with Folder(tmp_path) as folder:
        assert hash_files(folder, [], lambda _: None) == []


def open_descriptors():
    """How many the process holds; 0 where the system does not say."""
    folder = Path("/proc/self/fd")
    return len(list(folder.iterdir())) if folder.is_dir() else 0


@pytest.mark.parametrize("size", [10, SMALL + 10])
def test_a_file_that_grows_while_it_is_read(tmp_path, monkeypatch, size):
    """Whatever moment the writer picks: here between the first stat and the read."""
    path = tmp_path / "f"
    path.write_bytes(content(size))
    real = {"pread": os.pread, "preadv": os.preadv}

    def meddle(name):
        def call(*arguments):
            if path.stat().st_size == size:
                with path.open("ab") as more:
                    more.write(b"more")
            return real[name](*arguments)

        return call

    before = open_descriptors()
    with Folder(tmp_path) as folder:
        monkeypatch.setattr(hashing.os, "pread", meddle("pread"))
        monkeypatch.setattr(hashing.os, "preadv", meddle("preadv"))
        with pytest.raises(InvalidInput) as raised:
            hash_files(folder, ["f"], lambda _: None)
    assert raised.value.code == "LF1003"
    assert open_descriptors() <= before


@pytest.mark.parametrize("size", [10, SMALL + 10])
def test_a_file_that_shrinks_while_it_is_read(tmp_path, monkeypatch, size):
    path = tmp_path / "f"
    path.write_bytes(content(size))
    with Folder(tmp_path) as folder:
        source = folder.open("f")
        os.truncate(path, size - 1)
        with pytest.raises(InvalidInput) as raised:
            hash_source(source)
        assert raised.value.code == "LF1003"
        source.close()


@pytest.mark.parametrize("size", [4, SMALL + 4])
def test_the_same_size_is_no_excuse(tmp_path, size):
    path = tmp_path / "f"
    path.write_bytes(b"good" + bytes(size - 4))
    with Folder(tmp_path) as folder:
        source = folder.open("f")
        before = path.stat().st_ctime_ns
        while path.stat().st_ctime_ns == before:
            path.write_bytes(b"evil" + bytes(size - 4))
        if size > SMALL:
            with pytest.raises(InvalidInput):
                hash_source(source)
        # The single read of a small file is covered by the check that follows the last read of all.
        with pytest.raises(InvalidInput) as raised:
            source.check()
        assert raised.value.code == "LF1003"
        source.close()


def test_an_error_closes_everything(tree):
    def look(source):
        if source.size > BUFFER:
            raise InvalidInput("LF1003", "stop")

    before = open_descriptors()
    with Folder(tree) as folder:
        names = [*names_of(folder)] * 3
        with pytest.raises(InvalidInput, match="stop"):
            hash_files(folder, names, look, workers=2)
        with pytest.raises(InvalidInput):
            hash_files(folder, [*names, "gone"], lambda _: None, workers=1)
    assert open_descriptors() <= before


def test_silence_asks_no_sizes(tree, monkeypatch):
    monkeypatch.setattr(files.Folder, "size", lambda *_: pytest.fail("asked"))
    with Folder(tree) as folder:
        for h in hash_files(folder, names_of(folder), lambda _: None, progress=SILENT):
            h.source.close()
