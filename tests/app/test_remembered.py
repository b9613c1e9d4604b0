"""Describing a folder again reads what may have changed and nothing else, and always says what a full read says."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from lockflight.app.files import remembered
from lockflight.app.files.describe import Reused, describe
from lockflight.app.files.remembered import Remembered
from lockflight.app.gate.check import CheckOptions, check
from lockflight.app.realm.clock import now
from lockflight.app.release.sign import sign
from lockflight.app.release.verify import verify_package
from lockflight.errors import InvalidInput
from lockflight.store.hashcache import HashCache
from tests.store.test_hashcache import Clocks, write

MANIFEST = """\
[release]
name = "big"
version = "1.0.0"
kind = "dataset"
tier = "minimal"

[[assets]]
role = "dataset"
files = ["data/**"]

[[assets]]
role = "model-weights"
files = ["*.safetensors"]

[[assets]]
role = "documentation"
files = ["README.md"]

[[assets]]
role = "licence"
files = ["LICENSE"]
"""
BIG = 100_000


@pytest.fixture
def work(tmp_path):
    folder = tmp_path / "big"
    (folder / "data").mkdir(parents=True)
    for i in range(8):
        write(folder / "data" / f"{i}.csv", b"x,y\n" + os.urandom(BIG // 2).hex().encode())
    write(folder / "model.safetensors", tensors(1))
    write(folder / "lockflight.toml", MANIFEST.encode())
    write(folder / "README.md", b"# Big\n")
    write(folder / "LICENSE", b"CC0-1.0\n")
    return folder


def tensors(fill):
    import json

    header = json.dumps(
        {
            "a": {"dtype": "U8", "shape": [BIG], "data_offsets": [0, BIG]},
            "b": {"dtype": "U8", "shape": [9], "data_offsets": [BIG, BIG + 9]},
        }
    ).encode()
    header += b" " * (-len(header) % 8)
    return len(header).to_bytes(8, "little") + header + bytes([fill]) * (BIG + 9)


@pytest.fixture
def memory(home, monkeypatch):
    """The memory of a home, on any file system, as if every file were settled."""
    clocks = Clocks()

    def of(cls, where, folder):
        cache = HashCache.open(where, folder, version="1", clocks=clocks, kind=lambda _: "ext4")
        return cls(cache)

    monkeypatch.setattr(remembered.Remembered, "of", classmethod(of))
    return lambda folder: Remembered.of(home, folder)


def bytes_read(action):
    """What the process reads meanwhile, by the kernel's count."""

    def count():
        return int(Path("/proc/self/io").read_text().split("rchar:")[1].split()[0])

    before = count()
    result = action()
    return count() - before, result


def described(folder, memory=None):
    with describe(folder, memory=memory) as found:
        found.recheck()
        return found.release, found.reused


def test_a_readme_change_reads_no_large_file(work, memory):
    whole, (first, reused) = bytes_read(lambda: described(work, memory(work)))
    assert reused == Reused()
    assert whole > 9 * BIG
    (work / "README.md").write_text("# Bigger\n")
    few, (second, reused) = bytes_read(lambda: described(work, memory(work)))
    assert reused.files == 9
    assert reused.size > 9 * BIG
    assert few < BIG
    assert second.payload == described(work)[0].payload
    assert second.payload != first.payload
    assert second.asset("model.safetensors").tensors is not None


def edit(folder, choose):
    """One thing that happens to a workspace."""
    files = sorted(
        p for p in folder.rglob("*") if p.is_file() and p.name not in {"lockflight.toml", "LICENSE"}
    )
    path = choose.choice(files)
    before = path.stat()
    data = bytearray(path.read_bytes())
    what = choose.randrange(8)
    if what == 0:
        data[choose.randrange(len(data))] ^= 0xFF
        path.write_bytes(data)
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    elif what == 1:
        with path.open("ab") as stream:
            stream.write(b"more\n")
    elif what == 2:
        write(path.with_name("aside"), bytes(reversed(data)))
        path.with_name("aside").replace(path)
    elif what == 3 and path.parent.name == "data":
        path.rename(path.with_name(f"n{choose.randrange(1000)}.csv"))
    elif what == 4:
        write(folder / "data" / f"m{choose.randrange(1000)}.csv", choose.randbytes(BIG))
    elif what == 5 and path.parent.name == "data" and len(files) > 5:
        path.unlink()
    elif what == 6:
        other = choose.choice([f for f in files if f.suffix == path.suffix])
        data, theirs = path.read_bytes(), other.read_bytes()
        path.write_bytes(theirs)
        other.write_bytes(data)
    elif what == 7:
        write(folder / "model.safetensors", tensors(choose.randrange(256)))


@pytest.mark.parametrize("seed", range(6))
def test_the_same_as_a_full_read_whatever_happens(work, memory, seed):
    choose = random.Random(seed)
    spared = 0
    for _ in range(12):
        for _ in range(choose.randrange(3)):
            edit(work, choose)
        release, reused = described(work, memory(work))
        spared += reused.files
        assert release.payload == described(work)[0].payload
    assert spared > 20


def test_a_package_is_always_read(work, memory, home, realm, tmp_path):
    sign(home, "acme", work, tmp_path / "package", actor="alice")
    for _ in range(2):
        with describe(tmp_path / "package", package=True, memory=memory(tmp_path / "package")) as found:
            assert found.reused == Reused()


def test_signing_and_checking_again(work, memory, home, realm, tmp_path):
    first = sign(home, "acme", work, tmp_path / "one", actor="alice", remember=True)
    assert first.reused == Reused()
    (work / "README.md").write_text("# Bigger\n")
    second = sign(home, "acme", work, tmp_path / "two", actor="alice", remember=True)
    assert second.reused.files == 9
    assert second.release.payload == described(work)[0].payload
    assert verify_package(home, "acme", tmp_path / "two").release.digest == second.release.digest
    third = sign(home, "acme", work, tmp_path / "three", actor="alice")
    assert third.reused == Reused()
    assert third.release.digest == second.release.digest


def lie(work, home, name, body):
    """A memory that is wrong, as if a write had left every time stamp as it was: other bytes, the old identity."""
    memory = Remembered.of(home, work)
    described(work, memory)
    cache = memory._cache
    (work / name).write_bytes(body)
    identity, found = cache._used[name]
    info = (work / name).stat()
    now = (info.st_dev, info.st_ino, info.st_size, info.st_mtime_ns, info.st_ctime_ns)
    cache._used[name] = (type(identity)(*now), found)
    cache._known = {}
    cache.save()


def test_nothing_is_signed_that_was_not_hashed(work, memory, home, realm, tmp_path):
    old = (work / "data" / "0.csv").read_bytes()
    lie(work, home, "data/0.csv", old[::-1])
    with pytest.raises(InvalidInput) as caught:
        sign(home, "acme", work, tmp_path / "package", actor="alice", remember=True)
    assert caught.value.code == "LF1003"
    assert not (tmp_path / "package").exists()
    # What did not hold is forgotten: the next one reads.
    signed = sign(home, "acme", work, tmp_path / "package", actor="alice", remember=True)
    assert signed.reused == Reused()
    assert verify_package(home, "acme", signed.package)


def test_no_check_judges_other_bytes_than_were_hashed(work, memory, home, realm):
    """Else a clean file would earn evidence for the digest of another."""
    options = CheckOptions(environment="staging", only=("models",), remember=True)
    lie(work, home, "model.safetensors", tensors(7))
    with pytest.raises(InvalidInput) as caught:
        check(home, "acme", work, options, clock=now)
    assert caught.value.code == "LF1003"
    found = check(home, "acme", work, options, clock=now)
    assert found.reused == Reused()
    assert [r.subject for r in found.ran] == ["model.safetensors"]


def test_a_check_reads_what_it_judges_and_leaves_the_rest(work, memory, home, realm):
    options = CheckOptions(environment="staging", only=("completeness", "models"), remember=True)
    check(home, "acme", work, options, clock=now)
    (work / "README.md").write_text("# Bigger\n")
    again = check(home, "acme", work, options, clock=now)
    assert again.reused.files == 9
    assert [r.check for r in again.ran] == ["completeness"]
    assert all(r.result.status.value == "complete" for r in again.ran)


def test_with_fewer_descriptors_than_files(work, memory, monkeypatch):
    from lockflight.infra import hashing

    described(work, memory(work))
    monkeypatch.setattr(hashing, "descriptor_budget", lambda: 3)
    with describe(work, memory=memory(work)) as found:
        assert found.reused.files == 9
        found.recheck()
        found.confirm(found.sources)
        assert found.reused == Reused()


def test_verification_and_loading_know_no_memory():
    """By what they import: neither they nor what they call can reach it."""
    import subprocess
    import sys

    modules = "app.release.verify", "app.release.load", "deploy.loaded", "deploy.trust"
    words = "import sys, " + ", ".join(f"lockflight.{module}" for module in modules)
    said = f"{words}; print([m for m in sys.modules if 'hashcache' in m or 'remembered' in m])"
    done = subprocess.run([sys.executable, "-c", said], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
