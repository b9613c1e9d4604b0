"""A writer that changes the package while it is loaded changes what is refused, never what is returned."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest

from tests.deploy.conftest import MODEL
from tests.deploy.test_tensors import attempt

#: Rewrites, cuts, replaces, links and maps one file without end, until its standard input closes.
HAMMER = """
import mmap, os, sys, threading
path, good_path, evil_path = sys.argv[1:]
good, evil = open(good_path, "rb").read(), open(evil_path, "rb").read()
threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()
def write(body):
    fd = os.open(path, os.O_RDWR | os.O_CREAT)
    os.pwrite(fd, body, 0)
    os.ftruncate(fd, len(body))
    os.close(fd)
def put(make):
    draft = path + ".draft"
    if os.path.lexists(draft):
        os.unlink(draft)
    make(draft)
    os.rename(draft, path)
def plain(body):
    return lambda draft: open(draft, "wb").write(body)
def mapped():
    fd = os.open(path, os.O_RDWR | os.O_CREAT)
    os.ftruncate(fd, len(good))
    view = mmap.mmap(fd, len(good))
    for body in (evil, good) * 3:
        view[:] = body
    view.close()
    os.close(fd)
acts = [
    lambda: put(plain(good)), mapped, lambda: write(evil), lambda: write(good),
    lambda: os.truncate(path, len(good) // 2),
    lambda: put(plain(evil)), lambda: put(plain(good)), lambda: put(lambda draft: os.symlink(evil_path, draft)),
    lambda: put(plain(good)), mapped, lambda: put(lambda draft: os.link(evil_path, draft)), lambda: put(plain(good)),
]
sys.stdout.write("ready\\n"); sys.stdout.flush()
while True:
    for act in acts:
        act()
"""
#: Why a round may end without bytes.
REFUSALS = {"LF7510", "LF7512", "LF7513"}


@pytest.fixture
def hammer(world):
    good = (world.work / MODEL).read_bytes()
    evil = bytes(byte ^ 0x55 if n > len(good) // 2 else byte for n, byte in enumerate(good))
    (world.folder / "good").write_bytes(good)
    (world.folder / "evil").write_bytes(evil)
    path = world.package / MODEL
    path.chmod(0o644)
    child = subprocess.Popen(
        [sys.executable, "-c", HAMMER, path, world.folder / "good", world.folder / "evil"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert child.stdout.readline() == b"ready\n"
    yield good
    assert child.poll() is None, "the writer must have been at work until the end"
    child.stdin.close()
    child.wait(30)
    child.stdout.close()


def rounds(seconds, least):
    """At least so many, and as many as fit into the time."""
    end, n = time.monotonic() + seconds, 0
    while n < least or time.monotonic() < end:
        yield n
        n += 1


def test_a_racing_writer_never_gets_a_byte_in(hammer, load):
    release = load()
    seen = {"signed": 0, "refused": 0}

    def whole(read):
        return read() == hammer

    def opened():
        with release.open(MODEL) as stream:
            return stream.read() == hammer

    def copied():
        return (release.private_copy("model/") / "model.safetensors").read_bytes() == hammer

    def tensors():
        found = release.tensors(MODEL)
        try:
            return all(
                bytes(found.raw(name)) == hammer[found.info(name).start : found.info(name).end]
                for name in found
            )
        finally:
            found.close()

    doors = [lambda: whole(lambda: release.read(MODEL)), opened, copied, tensors]
    for n in rounds(8, 400):
        good, code = attempt(doors[n % len(doors)])
        assert code in REFUSALS | {""}
        assert code or good, "bytes that nobody signed"
        seen["refused" if code else "signed"] += 1
    # Both must have been met, or the race was none.
    assert seen["signed"] > 5, seen
    assert seen["refused"] > 5, seen
