"""A writer to be killed. One process imports everything, then forks a victim for each line that it reads.

Command (JSON): home, acks, seed, rounds, and optionally kill_at (the n-th changing call, needs the preloaded library),
delay (seconds until the parent kills), careless (commits that are not synced). Reply (JSON): status, calls.
"""

from __future__ import annotations

import ctypes
import json
import os
import random
import select
import signal
import sqlite3
import sys
from pathlib import Path

from lockflight.store.log import sqlite as log_sqlite
from tests.log.making import START, Clock, item, opened


def append_some(home, acks, seed, rounds):
    """Append small batches, long envelopes and repeats among them; each receipt is noted outside of the home."""
    draw = random.Random(seed)
    log = opened(home, clock=Clock(START + seed))
    seen = []
    with acks.open("a", encoding="ascii", buffering=1) as out:
        for number in range(rounds):
            batch = [
                item(
                    (seed, number, i),
                    padding=70_000 if draw.random() < 0.15 else 0,
                )
                for i in range(draw.choice([1, 1, 2, 5]))
            ]
            if seen and draw.random() < 0.3:
                batch.append(draw.choice(seen))
            receipts = log.append(batch)
            seen += batch
            for receipt in receipts:
                line = [receipt.index, receipt.envelope, receipt.logged_at, receipt.size]
                out.write(json.dumps(line) + "\n")
    log.close()


def sync_all(home):
    """Make everything below the home durable, as it is after a start."""
    for folder, _, names in os.walk(home):
        for path in [Path(folder), *(Path(folder) / name for name in names)]:
            handle = os.open(path, os.O_RDONLY)
            os.fsync(handle)
            os.close(handle)


def connect_carelessly(path):
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=OFF")
    return connection


def live(command, report):
    home = Path(command["home"])
    library = ctypes.CDLL(None)
    if "LF_SHADOW" in os.environ:
        sync_all(home)
        library.lf_arm(command.get("kill_at", 0))
    if command.get("careless"):
        log_sqlite._connect = connect_carelessly
    append_some(home, Path(command["acks"]), command["seed"], command["rounds"])
    if "LF_SHADOW" in os.environ:
        library.lf_calls.restype = ctypes.c_long
        os.write(report, str(library.lf_calls()).encode())


def main():
    for line in sys.stdin:
        command = json.loads(line)
        reading, report = os.pipe()
        child = os.fork()
        if not child:
            status = 1
            try:
                live(command, report)
                status = 0
            finally:
                sys.stderr.flush()
                os._exit(status)
        os.close(report)
        if "delay" in command:
            select.select([reading], [], [], command["delay"])
            os.kill(child, signal.SIGKILL)
        calls = os.read(reading, 32)
        os.close(reading)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        sys.stdout.write(json.dumps({"status": status, "calls": int(calls or 0)}) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
