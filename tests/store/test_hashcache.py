"""A file is not read again only where its bytes cannot have changed; every doubt means that it is read."""

from __future__ import annotations

import hashlib
import json
import mmap
import os
import time
from dataclasses import replace

import pytest

from lockflight.core.release.tensors import TensorIndex
from lockflight.infra.files import Folder
from lockflight.infra.hashing import SMALL, Digests, hash_source
from lockflight.store import hashcache
from lockflight.store.hashcache import SETTLED, STEP, Found, HashCache, Moment, file_system, read_clocks

BODY = b"0123456789abcdef" * (SMALL // 8)
SECOND = 1_000_000_000


class Clocks:
    """Those of this machine, some time later, so that no test has to wait until a file is settled."""

    def __init__(self, later=10 * SECOND):
        self.later = later
        self.boot = "one"

    def __call__(self):
        moment = read_clocks()
        return Moment(moment.now + self.later, self.boot, moment.ahead + self.later)


@pytest.fixture
def clocks():
    return Clocks()


@pytest.fixture
def folder(tmp_path):
    place = tmp_path / "work"
    place.mkdir()
    write(place / "w.bin", BODY)
    return place


def write(path, data):
    """A file whose time stamp is no whole second, as nearly all are."""
    while True:
        path.write_bytes(data)
        path.chmod(0o644)
        if path.stat().st_ctime_ns % SECOND:
            return


def opened(home, folder, clocks, *, kind="ext4", version="1"):
    return HashCache.open(home, folder, version=version, clocks=clocks, kind=lambda _: kind)


def ask(cache, folder, name="w.bin"):
    """As `hash_files` does: the digest, and whether the file was read for it."""
    with Folder(folder) as top:
        source = top.open(name)
        try:
            found = cache.recall(source)
            if found is not None:
                return found.digests.sha256, False
            settled = cache.settle(source)
            digests = hash_source(source)
            if settled:
                cache.keep(source, Found(digests, "x/y", TensorIndex("a" * 64, ("b" * 64,))))
            return digests.sha256, True
        finally:
            source.close()


def learnt(home, folder, clocks, **options):
    cache = opened(home, folder, clocks, **options)
    ask(cache, folder)
    cache.save()
    return opened(home, folder, clocks, **options)


def sha(data):
    return hashlib.sha256(data).hexdigest()


def test_what_is_known_is_not_read(home, folder, clocks):
    cache = learnt(home, folder, clocks)
    assert ask(cache, folder) == (sha(BODY), False)
    with Folder(folder) as top:
        source = top.open("w.bin")
        found = cache.recall(source)
        source.close()
    assert (found.media_type, found.tensors) == ("x/y", TensorIndex("a" * 64, ("b" * 64,)))
    assert isinstance(found.digests, Digests)


def test_a_write_that_puts_size_and_mtime_back(home, folder, clocks):
    """`touch -r`: ctime cannot be put back."""
    cache = learnt(home, folder, clocks)
    path = folder / "w.bin"
    before = path.stat()
    other = BODY[::-1]
    path.write_bytes(other)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert (path.stat().st_size, path.stat().st_mtime_ns) == (before.st_size, before.st_mtime_ns)
    assert ask(cache, folder) == (sha(other), True)


def test_another_file_in_its_place(home, folder, clocks):
    cache = learnt(home, folder, clocks)
    other = BODY[::-1]
    write(folder / "new", other)
    (folder / "new").replace(folder / "w.bin")
    assert ask(cache, folder) == (sha(other), True)


@pytest.mark.skipif(
    file_system(os.open("/tmp", os.O_RDONLY)) not in hashcache.LOCAL,
    reason="the folder for temporary files lies on a file system where nothing is remembered",
)
def test_a_write_through_a_mapping_that_is_dirty_already(home, folder, clocks):
    """Such a write changes no time stamp; the sync before the read makes it change one."""
    path = folder / "w.bin"
    cache = HashCache.open(home, folder, version="1", clocks=clocks)
    assert cache is not None
    with path.open("r+b") as stream, mmap.mmap(stream.fileno(), 0) as view:
        view[0:1] = b"!"
        first = path.stat().st_ctime_ns
        while first % SECOND == 0:
            path.chmod(0o644)
            first = path.stat().st_ctime_ns
        while time.time_ns() < path.stat().st_ctime_ns + 20_000_000:
            pass  # until a tick of the kernel's clock has passed
        assert ask(cache, folder) == (sha(bytes(view)), True)
        cache.save()
        view[0:1] = b"?"
        again = HashCache.open(home, folder, version="1", clocks=clocks)
        assert again is not None
        assert ask(again, folder) == (sha(bytes(view)), True)
    assert ask(again, folder)[0] == sha(path.read_bytes())


def test_racily_clean(home, folder):
    """What was written a moment ago could be written again within the same moment."""
    clocks = Clocks(later=0)
    cache = learnt(home, folder, clocks)
    assert ask(cache, folder) == (sha(BODY), True)
    clocks.later = SETTLED - SECOND
    assert ask(learnt(home, folder, clocks), folder)[1]
    clocks.later = SETTLED + SECOND
    assert not ask(learnt(home, folder, clocks), folder)[1]


def test_times_of_whole_seconds(home, folder, clocks, monkeypatch):
    """A file system that knows no smaller ones writes two states of a file with one time."""
    cache = opened(home, folder, clocks)
    with Folder(folder) as top:
        source = top.open("w.bin")
        assert cache.settle(source)
        seen = source.identity
        coarse = seen._replace(ctime_ns=seen.ctime_ns // SECOND * SECOND)
        monkeypatch.setattr(type(source), "identity", coarse)
        assert not cache.settle(source)
        source.close()


def test_a_clock_that_was_set_back(home, folder, clocks):
    """A time that comes again could be given to other bytes: nothing that was known before counts."""
    learnt(home, folder, clocks)
    clocks.later -= STEP + SECOND
    assert ask(opened(home, folder, clocks), folder)[1]
    clocks.later += 3600 * SECOND
    assert ask(opened(home, folder, clocks), folder)[1]


def test_a_clock_that_was_set_back_and_has_caught_up(home, folder, clocks):
    learnt(home, folder, clocks)

    def later():
        moment = clocks()
        # An hour has passed, and the clock says that less has.
        return Moment(moment.now + 3600 * SECOND, moment.boot, moment.ahead - STEP - SECOND)

    assert ask(opened(home, folder, later), folder)[1]


def test_small_steps_back_add_up(home, folder, clocks):
    passed = 0

    def moved(back):
        def read():
            moment = clocks()
            return Moment(moment.now + passed * 60 * SECOND, moment.boot, moment.ahead - back)

        return read

    ask(cache := opened(home, folder, moved(0)), folder)
    cache.save()
    write(folder / "v.bin", BODY)
    passed = 1
    cache = opened(home, folder, moved(STEP * 2 // 3))
    assert not ask(cache, folder)[1]
    ask(cache, folder, "v.bin")
    cache.save()
    passed = 2
    assert ask(opened(home, folder, moved(STEP * 4 // 3)), folder)[1]


def test_another_start_of_the_system_compares_only_the_time(home, folder, clocks):
    learnt(home, folder, clocks)
    clocks.boot = "two"
    assert not ask(opened(home, folder, clocks), folder)[1]
    clocks.later -= 5 * SECOND
    assert ask(opened(home, folder, clocks), folder)[1]


@pytest.mark.parametrize("mode", [0o664, 0o646, 0o666, 0o622])
def test_files_that_others_may_write(home, folder, clocks, mode):
    cache = learnt(home, folder, clocks)
    (folder / "w.bin").chmod(mode)
    assert ask(cache, folder)[1]
    assert ask(learnt(home, folder, clocks), folder)[1]


@pytest.mark.parametrize("kind", ["nfs4", "overlay", "tmpfs", "fuse.sshfs", "9p", "cifs", "vfat", ""])
def test_file_systems_whose_times_prove_nothing(home, folder, clocks, kind):
    assert opened(home, folder, clocks, kind=kind) is None


def test_the_kind_of_a_file_system():
    with Folder("/proc") as top:
        assert file_system(top.fileno()) == "proc"
    assert file_system(-1) == ""


def test_small_files_are_always_read(home, folder, clocks):
    write(folder / "w.bin", BODY[:SMALL])
    assert ask(learnt(home, folder, clocks), folder)[1]


def test_a_home_within_what_is_hashed_remembers_nothing(folder, clocks):
    assert opened(folder / "home", folder, clocks) is None
    assert opened(folder, folder, clocks) is None
    assert list(folder.iterdir()) == [folder / "w.bin"]


def test_the_cache_lies_in_the_home_and_is_ours_alone(home, folder, clocks):
    learnt(home, folder, clocks)
    assert [p.name for p in folder.iterdir()] == ["w.bin"]
    kept = [p for p in (home / "cache").rglob("*") if p.is_file()]
    assert len(kept) == 3
    assert all(p.stat().st_mode & 0o077 == 0 for p in kept)


def place(home):
    return next((home / "cache" / "hashes").glob("*.json"))


def test_what_somebody_changed_is_not_asked(home, folder, clocks):
    learnt(home, folder, clocks)
    path = place(home)
    data = path.read_bytes()
    for changed in (
        data.replace(sha(BODY).encode(), sha(b"evil").encode()),
        data[:-1],
        data + b" ",
        b"",
        data.split(b"\n", 1)[1],
        b"0" * 64 + b"\n" + data.split(b"\n", 1)[1],
        hashlib.sha256(data.split(b"\n", 1)[1]).hexdigest().encode() + b"\n" + data.split(b"\n", 1)[1],
    ):
        assert changed != data
        path.write_bytes(changed)
        assert ask(opened(home, folder, clocks), folder) == (sha(BODY), True)
    path.write_bytes(data)
    assert not ask(opened(home, folder, clocks), folder)[1]


def test_another_homes_cache_is_not_asked(home, folder, clocks, tmp_path):
    learnt(home, folder, clocks)
    other = tmp_path / "other-home"
    opened(other, folder, clocks)
    place(home).rename(other / "cache" / "hashes" / place(home).name)
    assert ask(opened(other, folder, clocks), folder)[1]


def test_the_cache_of_another_folder_is_not_asked(home, folder, clocks, tmp_path):
    learnt(home, folder, clocks)
    moved = folder.rename(tmp_path / "moved")
    cache = opened(home, moved, clocks)
    data = place(home).read_bytes()
    cache._place.write_bytes(data)
    assert ask(opened(home, moved, clocks), moved)[1]


def test_another_version_looks_again(home, folder, clocks):
    learnt(home, folder, clocks)
    assert ask(opened(home, folder, clocks, version="2"), folder)[1]


@pytest.mark.parametrize(
    "spoil", [lambda k: k.chmod(0o644), lambda k: k.write_bytes(b"short")], ids=["open", "short"]
)
def test_a_key_that_is_not_ours_alone(home, folder, clocks, spoil):
    learnt(home, folder, clocks)
    spoil(home / "cache" / "hashes.key")
    assert opened(home, folder, clocks) is None


def test_a_key_that_is_a_link(home, folder, clocks, tmp_path):
    (home / "cache").mkdir(parents=True)
    (tmp_path / "key").write_bytes(b"k" * 32)
    (tmp_path / "key").chmod(0o600)
    (home / "cache" / "hashes.key").symlink_to(tmp_path / "key")
    assert opened(home, folder, clocks) is None


def test_what_is_gone_is_forgotten(home, folder, clocks):
    write(folder / "v.bin", BODY)
    cache = opened(home, folder, clocks)
    ask(cache, folder)
    ask(cache, folder, "v.bin")
    cache.save()
    assert '"v.bin"' in place(home).read_text()
    learnt(home, folder, clocks)
    assert '"v.bin"' not in place(home).read_text()
    opened(home, folder, clocks).forget()
    assert ask(opened(home, folder, clocks), folder)[1]


def test_it_stays_small(home, tmp_path, clocks, monkeypatch):
    monkeypatch.setattr(hashcache, "MAX_FOLDERS", 3)
    folders = []
    for i in range(5):
        folder = tmp_path / f"work{i}"
        folder.mkdir()
        write(folder / "w.bin", BODY)
        learnt(home, folder, clocks)
        folders.append(folder)
    assert len(list((home / "cache" / "hashes").glob("*.json"))) == 3
    assert not ask(opened(home, folders[-1], clocks), folders[-1])[1]
    monkeypatch.setattr(hashcache, "MAX_BYTES", 100)
    assert ask(learnt(home, folders[0], clocks), folders[0])[1]


def test_a_home_that_cannot_be_written(folder, clocks, tmp_path):
    (tmp_path / "file").write_text("")
    assert opened(tmp_path / "file", folder, clocks) is None
    assert opened(tmp_path / "home", tmp_path / "none", clocks) is None


def test_rows_say_what_was_found():
    identity = hashcache.Identity(1, 2, 3, 4, 5)
    found = Found(Digests("a" * 64, "b" * 64), "x/y")
    for one in (found, replace(found, tensors=TensorIndex("c" * 64, ()))):
        row = json.loads(json.dumps(hashcache._row(identity, one)))
        assert hashcache._held(row) == (identity, one)
