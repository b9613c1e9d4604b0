"""Child process of the oracle: mutates pickles, judges them, and loads them with stubs instead of imports.

The machine must have seen every global that either of CPython's unpicklers asks for, and may call nothing safe that
asks for a global outside of the allow-list. Prints one line of JSON: how many cases there were of each kind, or the
first case that breaks the promise. All is in one process, so that a case costs no more than what it does.
"""

from __future__ import annotations

import collections
import datetime as dt
import json
import os
import pickle
import random
import sys
from pathlib import Path

from lockflight.core.source import BytesSource
from lockflight.formats.pickle.opcodes import OPCODES
from lockflight.formats.pickle.streams import Streams, finish
from tests.formats.pickle import inert
from tests.formats.pickles import HOSTILE, shipped

ROOT = Path(__file__).resolve().parents[3]
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
#: Real models, small enough to be changed in a place that matters.
MODELS = ROOT / "tests" / "vectors" / "models"
LONGEST = 4_000
SEEDS = [pickle.dumps(thing, p) for thing in _BENIGN for p in range(6)] * 3 + list(HOSTILE.values())
SEEDS += [path.read_bytes() for path in sorted(MODELS.glob("*.pkl")) if path.stat().st_size <= LONGEST]
_BYTES = bytes(op.code for op in OPCODES)


class Unseen(Exception):
    """The machine did not see, or let pass, what an unpickler asked for."""


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
    return bytes(data[:LONGEST])


def judge(data, allow, tally):
    """Compare one case.

    Raises:
        Unseen: with what was not seen.
    """
    streams = Streams(BytesSource(data), allow)
    seen = {(module, name) for module, name, _ in streams.found}
    if streams.ext_codes:
        seen.add(("extension", "one"))
    # CPython's two unpicklers disagree about what crosses the end of a frame; we refuse it.
    crossed = any(issue.rule == "pickle:frame" for issue in streams.issues.frozen())
    followed = streams.first.stopped and not crossed
    many = streams.persistent_ids
    safe = not finish(streams).issues
    tally["safe"] += safe
    if crossed and safe:
        raise Unseen("crosses a frame and is safe")
    for asked, persistent, loaded in inert.look(data):
        tally["loaded"] += loaded
        tally["asked"] += bool(asked)
        if followed and not (asked <= seen and persistent <= many):
            raise Unseen(f"not seen: {asked - seen}, persistent ids {persistent} of {many}")
        if safe and persistent:
            raise Unseen("persistent ids in a safe file")
        # A stream of protocol 3 and up is not renamed; an older one may be, so both names are asked for.
        refused = {n for n in asked if allow.get(*n) is None and allow.get(*allow.python3_name(*n)) is None}
        if safe and refused:
            raise Unseen(f"safe, and asks for {refused}")


def run(seed, count):
    """So many cases; what they were, or the first that breaks the promise."""
    allow, chance, tally = shipped(), random.Random(seed), collections.Counter()
    # CPython 3.11 complains of a bytearray that it gave up itself, a thousand times.
    with Path(os.devnull).open("w") as sys.stderr:
        inert.jail()
        for _ in range(count):
            data = mutate(chance, chance.choice(SEEDS))
            try:
                judge(data, allow, tally)
            except Exception as error:  # noqa: BLE001 - the machine raises for no bytes at all
                return {"case": data.hex(), "why": f"{type(error).__name__}: {error}"}
            tally["cases"] += 1
    return tally


def main():
    """Seed and number of cases come as arguments."""
    sys.stdout.write(json.dumps(run(*map(int, sys.argv[1:]))))
