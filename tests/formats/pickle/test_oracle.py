"""Mutated pickles, judged by the machine and loaded by CPython with stubs instead of imports.

The machine must have seen every global that either of CPython's unpicklers asks for, and may call nothing safe that
asks for a global outside of the allow-list.
"""

from __future__ import annotations

import collections
import datetime as dt
import pickle
import random
import subprocess
import sys
from pathlib import Path

import pytest

from lockflight.core.source import BytesSource
from lockflight.formats.pickle.opcodes import OPCODES
from lockflight.formats.pickle.records import Budget
from lockflight.formats.pickle.streams import analyse
from lockflight.formats.pickle.vm import Machine
from tests.formats.pickles import HOSTILE, shipped

CHILD = Path(__file__).with_name("inert.py")
_BENIGN = [
    {"a": [1, 2.5, "text", b"bytes", None, True], "b": (1, (2, 3)), "c": {4}},
    [collections.OrderedDict(a=1), collections.deque([1, 2]), collections.Counter("aab"), frozenset({1})],
    [
        dt.datetime(2024, 1, 2, tzinfo=dt.UTC),
        dt.timedelta(1),
        range(3),
        slice(1, 2),
        1 + 2j,
    ],
    {str(i): [i, str(i)] for i in range(12)},
]
SEEDS = [pickle.dumps(thing, p) for thing in _BENIGN for p in range(6)] * 3 + list(HOSTILE.values())
#: Real models, small enough to be changed in a place that matters.
MODELS = Path(__file__).parents[2] / "vectors" / "models"
SEEDS += [path.read_bytes() for path in sorted(MODELS.glob("*.pkl")) if path.stat().st_size <= 4_000]
BATCH = 20_000
_BYTES = bytes(op.code for op in OPCODES)


def mutate(chance, seed):
    data = bytearray(seed)
    for _ in range(chance.choice((1, 1, 1, 2, 3, 6))):
        at = chance.randrange(len(data) + 1)
        kind = chance.randrange(6)
        if kind == 0 and at < len(data):
            data[at] ^= 1 << chance.randrange(8)
        elif kind == 1:
            del data[at : at + chance.choice((1, 1, 2, 5))]
        elif kind == 2:
            data[at:at] = bytes([chance.choice(_BYTES)])
        elif kind == 3 and at < len(data):
            data[at] = chance.choice(_BYTES)
        elif kind == 4:
            other = chance.choice(SEEDS)
            start = chance.randrange(len(other))
            data[at:at] = other[start : start + chance.randrange(1, 40)]
        else:
            start = chance.randrange(len(data) + 1)
            data[at:at] = data[start : start + chance.randrange(1, 20)]
    return bytes(data[:4000])


def loads(mutants):
    """What CPython asks for, per mutant and unpickler, from a process of its own."""
    import json

    frames = b"".join(len(m).to_bytes(4, "little") + m for m in mutants)
    done = subprocess.run(
        [sys.executable, "-I", "-W", "ignore", str(CHILD)],
        input=frames,
        capture_output=True,
        timeout=1200,
        check=True,
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


def compare(count, seed):
    chance = random.Random(seed)
    mutants = [mutate(chance, chance.choice(SEEDS)) for _ in range(count)]
    allow = shipped()
    tally = collections.Counter()
    for data, found in zip(mutants, loads(mutants), strict=True):
        machine = Machine(BytesSource(data), allow, Budget())
        outcome = machine.run(0)
        seen = {(use.module, use.name) for _, use in machine.globals.values()}
        if machine.ext_codes:
            seen.add(("extension", "one"))
        report = analyse(BytesSource(data), allow)
        safe = not report.issues
        tally["safe"] += safe
        for asked, persistent, loaded in found:
            names = {tuple(pair) for pair in asked}
            tally["loaded"] += loaded
            tally["asked"] += bool(names)
            # CPython's two unpicklers disagree about what crosses the end of a frame; we refuse it.
            crossed = any(issue.rule == "pickle:frame" for issue in machine.issues.frozen())
            assert not (crossed and safe), data
            if outcome.stopped and not crossed:
                assert names <= seen, (data, names - seen)
                assert persistent <= machine.persistent_ids, data
            if safe:
                assert not persistent, data
                # A stream of protocol 3 and up is not renamed; an older one may be, so both names are asked for.
                refused = {
                    n for n in names if allow.get(*n) is None and allow.get(*allow.python3_name(*n)) is None
                }
                assert not refused, (data, refused)
    return tally


def compare_many(count, seed):
    """In batches, each with a child process and a seed of its own."""
    total = collections.Counter()
    for number in range(count // BATCH):
        total += compare(BATCH, seed * 10_000 + number)
    return total


def test_nothing_that_cpython_imports_goes_unseen_in_100_000():
    tally = compare_many(100_000, 20)
    assert tally["safe"] > 2_500
    assert tally["asked"] > 50_000
    assert tally["loaded"] > 20_000


@pytest.mark.long
@pytest.mark.parametrize("part", range(10))
def test_nothing_goes_unseen_in_ten_million(part):
    tally = compare_many(1_000_000, part)
    assert tally["safe"] > 25_000


def test_the_oracle_sees_an_import_and_runs_nothing(tmp_path):
    marker = tmp_path / "ran"

    class Touch:
        def __reduce__(self):
            return open, (str(marker), "w")

    (found,) = loads([pickle.dumps(Touch())])
    assert found == [[[["io", "open"]], 0, True]] * 2
    assert not marker.exists()
