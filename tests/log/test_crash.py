"""A writer that is killed at any point leaves a log that the next one completes, and never breaks a promise.

Promises: whatever was acknowledged is in the log, at its place and time; no checkpoint covers what is not there; no
pin is ahead of the log. Held against SIGKILL, and against a disk that forgets what was not synced.
"""

from __future__ import annotations

import itertools
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lockflight.errors import NotFound, VerificationFailed
from lockflight.store.log.readonly import SqliteReader
from lockflight.store.pins import PinStore
from tests.log.making import ORIGIN, START, Clock, item, opened, verified

HERE = Path(__file__).resolve().parent
ROUNDS = 7
#: A home lives through this many crashes before a new one is made.
LIVES = 5


class Nursery:
    """The process that makes victims, and the disk below them."""

    def __init__(self, folder, library=None):
        self.home, self.acks, self.shadow = folder / "home", folder / "acks", folder / "shadow"
        root = HERE.parent.parent
        environment = {**os.environ, "PYTHONPATH": f"{root / 'src'}:{root}"}
        if library:
            environment |= {
                "LD_PRELOAD": str(library),
                "LF_HOME": str(self.home),
                "LF_SHADOW": str(self.shadow),
            }
        self.process = subprocess.Popen(
            [sys.executable, "-W", "error", str(HERE / "victim.py")],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.renew()

    def renew(self):
        for path in (self.home, self.shadow):
            shutil.rmtree(path, ignore_errors=True)
        self.home.mkdir(mode=0o700)
        for part in ("inodes", "dirs"):
            (self.shadow / part).mkdir(parents=True)
        self.acks.write_text("")

    def run(self, **command):
        command = {"home": str(self.home), "acks": str(self.acks), "rounds": ROUNDS, **command}
        self.process.stdin.write(json.dumps(command) + "\n")
        self.process.stdin.flush()
        reply = json.loads(self.process.stdout.readline())
        if reply["status"] == 77:
            pytest.skip(
                "this file system keeps no birth times, by which the forgetting disk tells files apart"
            )
        return reply

    def lose_power(self):
        """Put what is durable in the place of what is there."""
        shutil.rmtree(self.home)
        self._restore("%", self.home)

    def _restore(self, name, target):
        target.mkdir(mode=0o700)
        listing = self.shadow / "dirs" / name
        for line in listing.read_text().splitlines() if listing.exists() else []:
            kind, key, child = line.split(" ", 2)
            if kind == "d":
                inner = child if name == "%" else f"{name.removesuffix('%')}%{child}"
                self._restore(f"{inner}%", target / child)
            else:
                kept = self.shadow / "inodes" / key
                (target / child).write_bytes(kept.read_bytes() if kept.exists() else b"")
                (target / child).chmod(0o600)

    def acknowledged(self):
        # A line that the crash cut off was not read by anybody.
        return [json.loads(line) for line in self.acks.read_text().split("\n")[:-1]]

    def close(self):
        self.process.stdin.close()
        self.process.stdout.close()
        assert self.process.wait() == 0


@pytest.fixture
def nursery(tmp_path):
    found = Nursery(tmp_path)
    yield found
    found.close()


@pytest.fixture(scope="session")
def dropper(tmp_path_factory):
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None or not sys.platform.startswith("linux"):
        pytest.skip("no C compiler for Linux here: the disk that forgets is a preloaded library in C")
    library = tmp_path_factory.mktemp("dropper") / "dropper.so"
    command = [compiler, "-shared", "-fPIC", "-O1", "-o", str(library), str(HERE / "dropper.c"), "-ldl"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return library


@pytest.fixture
def forgetful(tmp_path, dropper):
    found = Nursery(tmp_path, dropper)
    yield found
    found.close()


def check_promises(nursery, seed):
    home, promised = nursery.home, nursery.acknowledged()
    # As it lies there: sound, and the pin is not ahead (`verified` compares with it).
    try:
        report = verified(home)
        assert report.size == 0 or PinStore(home).read(ORIGIN) or not promised
    except NotFound:
        assert not promised
    # As the next writer leaves it.
    log = opened(home, clock=Clock(START + seed))
    log.append([item(("after", seed))])
    log.close()
    report = verified(home)
    assert report.pending == report.missing == 0
    assert report.pinned == report.size
    reader = SqliteReader(home / "realm")
    for index, envelope, logged_at, size in promised:
        entry = reader.find(envelope)
        assert entry is not None, f"{envelope} was acknowledged and is lost"
        assert (entry.index, entry.logged_at) == (index, logged_at)
        assert reader.covering(index) == (size, logged_at)
    reader.close()


def crashes(nursery, count, draw, *, lose_power, **kill):
    """Crash `count` times at points from `draw`; a good part of them must hit a writer at work."""
    hits = 0
    for number in range(count):
        if number % LIVES == 0:
            nursery.renew()
        reply = nursery.run(seed=number, **{name: choose(draw) for name, choose in kill.items()})
        assert reply["status"] in {0, -signal.SIGKILL}
        hits += reply["status"] == -signal.SIGKILL
        if lose_power:
            nursery.lose_power()
        check_promises(nursery, number)
    assert hits >= count / 4


def some_and_all(short):
    return pytest.mark.parametrize(
        "count", [short, pytest.param(200, marks=pytest.mark.long)], ids=lambda count: f"{count}-times"
    )


@some_and_all(30)
def test_killed_at_any_moment(nursery, count):
    for seed in range(2):
        started = time.perf_counter()
        nursery.run(seed=seed)
        span = time.perf_counter() - started
    crashes(nursery, count, random.Random(1), lose_power=False, delay=lambda draw: draw.uniform(0, span))


@some_and_all(30)
def test_killed_at_any_call_with_torn_writes(forgetful, count):
    calls = forgetful.run(seed=0)["calls"]
    crashes(forgetful, count, random.Random(2), lose_power=False, kill_at=lambda draw: draw.randint(1, calls))


@some_and_all(30)
def test_power_lost_at_any_call(forgetful, count):
    calls = forgetful.run(seed=0)["calls"]
    assert calls > 50
    crashes(forgetful, count, random.Random(3), lose_power=True, kill_at=lambda draw: draw.randint(1, calls))


def test_power_lost_at_each_call_of_the_first_append(forgetful):
    for kill_at in itertools.count(1):
        forgetful.renew()
        reply = forgetful.run(seed=0, rounds=1, kill_at=kill_at)
        forgetful.lose_power()
        check_promises(forgetful, kill_at)
        if reply["status"] == 0:
            break
    assert kill_at > 20


def test_without_power_loss_nothing_is_lost(forgetful):
    reply = forgetful.run(seed=0)
    assert reply["status"] == 0
    forgetful.lose_power()
    assert len(forgetful.acknowledged()) >= ROUNDS
    check_promises(forgetful, 0)


def test_the_disk_that_forgets_catches_a_careless_writer(forgetful):
    assert forgetful.run(seed=0, careless=True)["status"] == 0
    assert forgetful.acknowledged()
    forgetful.lose_power()
    with pytest.raises((AssertionError, VerificationFailed)):
        check_promises(forgetful, 0)
