"""Writer, exporter and witness killed at random moments: one origin never has two histories.

All three live in one child that is killed with SIGKILL; what it had given away before (checkpoints, cosignatures,
exports) is kept by the parent, and everything ever given away must lie on one line.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import sys
import time
import warnings
from pathlib import Path

import pytest

from lockflight.app.realm.logs import open_reader
from lockflight.core.verify.log.log import open_checkpoint, verify_log
from lockflight.core.verify.log.note import (
    KIND_COSIGNATURE,
    NoteKey,
    check_signature,
    parse_checkpoint,
    parse_note,
)
from lockflight.core.verify.log.proofs import verify_consistency
from lockflight.errors import NotFound
from lockflight.log.witness import Witness
from lockflight.store.log.publish import publish
from lockflight.store.log.static import StaticReader
from lockflight.store.witnessed import WitnessFolder
from tests.log.making import CLOCK_KEY, LOG_KEY, ORIGIN, START, Clock, item, opened, verified
from tests.log.witnessing import NAME, SIGNER, made, request

#: A world lives through this many deaths before a new one is made.
LIVES = 10
ROUNDS = 6


def live(world, seed, out):
    """Append, have it cosigned, publish; tell what was given away, one line each."""
    draw = random.Random(seed)
    clock = Clock(START + seed)
    log = opened(world / "home", clock=clock)
    witness = Witness(WitnessFolder(world / "witness"), SIGNER, clock)

    def tell(kind, text):
        os.write(out, json.dumps([kind, text]).encode() + b"\n")

    for number in range(ROUNDS):
        log.append([item((seed, number, i)) for i in range(draw.choice([1, 3, 90]))])
        note = log.checkpoint()
        tell("checkpoint", note)
        old = witness.logs()[ORIGIN].size
        line = witness.add_checkpoint(request(world / "home", old, note))
        tell("cosigned", note + line)
        with log._store.reader.snapshot():
            publish(
                log._store.reader,
                world / "web",
                origin=ORIGIN,
                log_key=LOG_KEY,
                clock_key=CLOCK_KEY,
                note=note + line,
            )
        tell("published", note)
    log.close()


def once(world, seed, delay):
    """One life, ended after a while; what it had told, and whether it was killed."""
    reading, writing = os.pipe()
    with warnings.catch_warnings():
        # The test runner has a thread of its own, which the child neither has nor needs.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if not child:
        os.close(reading)
        status = 1
        try:
            live(world, seed, writing)
            status = 0
        finally:
            sys.stderr.flush()
            os._exit(status)
    os.close(writing)
    if delay is not None:
        time.sleep(delay)
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
    with os.fdopen(reading, "rb") as stream:
        told = stream.read().split(b"\n")[:-1]
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert status in {0, -signal.SIGKILL}
    return [json.loads(line) for line in told], status == -signal.SIGKILL


def check(world, told, seed):
    """What was ever given away lies on one line, and everything that is there is sound."""
    home = world / "home"
    opened(home, clock=Clock(START + seed)).close()
    report = verified(home)
    reader = open_reader(home / "realm")
    key = NoteKey(NAME, KIND_COSIGNATURE, SIGNER.public_key.raw)
    for kind, note in told:
        point = open_checkpoint(note, origin=ORIGIN, log_key=LOG_KEY, clock_key=CLOCK_KEY)
        proof = reader.consistency(point.size, report.size)
        verify_consistency(point.size, report.size, proof, point.root, report.root)
        if kind == "cosigned":
            assert check_signature(parse_note(note), key)
    watched = WitnessFolder(world / "witness").logs()[ORIGIN]
    cosigned = [parse_checkpoint(parse_note(note).text).size for kind, note in told if kind == "cosigned"]
    assert watched.size >= max(cosigned, default=0)
    if watched.size:
        proof = reader.consistency(watched.size, report.size)
        verify_consistency(watched.size, report.size, proof, watched.root, report.root)
    reader.close()
    published = [parse_checkpoint(parse_note(note).text).size for kind, note in told if kind == "published"]
    try:
        export = StaticReader(world / "web")
    except NotFound:
        assert not published
        return
    found = verify_log(export, ORIGIN, LOG_KEY, CLOCK_KEY)
    assert found.size >= max(published, default=0)
    assert found.missing == 0


def new_world(folder: Path):
    (folder / "home").mkdir(parents=True, mode=0o700)
    made(folder / "witness", clock=Clock())
    return folder


@pytest.mark.parametrize(
    "count", [12, pytest.param(500, marks=pytest.mark.long)], ids=lambda count: f"{count}-times"
)
def test_killed_at_any_moment_there_is_one_history(tmp_path, count):
    started = time.perf_counter()
    once(new_world(tmp_path / "first"), 0, None)
    span = time.perf_counter() - started
    draw = random.Random(7)
    told, kills, world = [], 0, None
    for number in range(count):
        if number % LIVES == 0:
            world, told = new_world(tmp_path / f"world{number}"), []
        heard, killed = once(world, number, draw.uniform(0, span))
        told += heard
        kills += killed
        check(world, told, number)
    assert kills >= count / 3
