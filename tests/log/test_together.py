"""Many submitters: threads share commits, processes take turns, and nobody is lost."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from lockflight.errors import EnvironmentProblem
from tests.log.making import Clock, item, items, opened, verified
from tests.log.tamper import rows

STORES = ("sqlite", "postgres")

ROOT = Path(__file__).resolve().parents[2]

APPENDER = """
import json, sys
from pathlib import Path
from tests.log.making import item, opened
home, name, count = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
log = opened(home)
print("ready", flush=True)
sys.stdin.readline()
for number in range(count):
    for receipt in log.append([item((name, number)), item(("both", number))]):
        print(json.dumps([receipt.index, receipt.envelope, receipt.size]), flush=True)
log.close()
"""


def crowd(count, work):
    """Run `work(number)` in threads that start together; the results in order, exceptions included."""
    gate = threading.Barrier(count)
    found = [None] * count

    def run(number):
        gate.wait()
        try:
            found[number] = work(number)
        except EnvironmentProblem as error:
            found[number] = error

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def test_threads_share_commits(home):
    writer = opened(home)
    receipts = crowd(24, lambda number: [writer.append([item((number, i))])[0] for i in range(10)])
    writer.close()
    indexes = [receipt.index for mine in receipts for receipt in mine]
    assert sorted(indexes) == list(range(240))
    for mine in receipts:
        assert [r.index for r in mine] == sorted(r.index for r in mine)
        assert all(r.index < r.size for r in mine)
    report = verified(home)
    assert report.size == 240
    assert report.checkpoints < 240


def test_a_batch_waits_for_nobody_and_takes_whoever_waits(home, monkeypatch):
    """While one commit is in flight, all who come meanwhile share the next one."""
    writer = opened(home)
    inside, go_on = threading.Event(), threading.Event()
    add = writer._store.add_entries

    def slow(first, entries, nodes):
        if first == 0:
            inside.set()
            go_on.wait()
        add(first, entries, nodes)

    monkeypatch.setattr(writer._store, "add_entries", slow)
    leader = threading.Thread(target=writer.append, args=([item("first")],))
    leader.start()
    inside.wait()
    followers = [threading.Thread(target=writer.append, args=([item(i)],)) for i in range(20)]
    for follower in followers:
        follower.start()
    while len(writer._queue) < 20:
        pass
    go_on.set()
    for thread in (leader, *followers):
        thread.join()
    writer.close()
    assert rows(home, "SELECT size FROM checkpoints ORDER BY seq") == [(1,), (21,)]


def test_a_batch_ends_before_it_grows_too_long(home, monkeypatch):
    writer = opened(home)
    inside, go_on = threading.Event(), threading.Event()
    add = writer._store.add_entries

    def slow(first, entries, nodes):
        if first == 0:
            inside.set()
            go_on.wait()
        add(first, entries, nodes)

    monkeypatch.setattr(writer._store, "add_entries", slow)
    leader = threading.Thread(target=writer.append, args=([item("first")],))
    leader.start()
    inside.wait()
    followers = [threading.Thread(target=writer.append, args=(items(100, 100 * i),)) for i in range(4)]
    for follower in followers:
        follower.start()
    while len(writer._queue) < 4:
        pass
    go_on.set()
    for thread in (leader, *followers):
        thread.join()
    writer.close()
    assert rows(home, "SELECT size FROM checkpoints ORDER BY seq") == [(1,), (201,), (401,)]


def test_a_failed_commit_fails_all_who_shared_it_and_nobody_else(home):
    clock = Clock()
    writer = opened(home, clock=clock)
    writer.append([item("first")])
    clock.now -= 1000
    found = crowd(8, lambda number: writer.append([item(number)]))
    assert {error.code for error in found} == {"LF5032"}
    assert len({id(error) for error in found}) == 8
    clock.now += 1000
    found = crowd(8, lambda number: writer.append([item(number)])[0].index)
    assert sorted(found) == list(range(1, 9))
    writer.close()
    assert verified(home).size == 9


def test_processes_take_turns(home):
    environment = {**os.environ, "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"}
    count = 40
    children = [
        subprocess.Popen(
            [sys.executable, "-W", "error", "-c", APPENDER, str(home), name, str(count)],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for name in ("one", "two")
    ]
    for child in children:
        assert child.stdout.readline() == "ready\n"
    for child in children:
        child.stdin.write("go\n")
        child.stdin.flush()
    outputs = [child.communicate()[0] for child in children]
    assert [child.returncode for child in children] == [0, 0]
    receipts = [[json.loads(line) for line in output.splitlines()] for output in outputs]
    assert [len(mine) for mine in receipts] == [2 * count, 2 * count]
    places = {}
    for index, envelope, size in receipts[0] + receipts[1]:
        assert places.setdefault(envelope, index) == index < size
    # What both append is there once.
    assert sorted(places.values()) == list(range(3 * count))
    report = verified(home)
    assert (report.size, report.pending) == (3 * count, 0)


@pytest.mark.parametrize("count", [2, 5])
def test_writers_of_one_process_take_turns(home, count):
    writers = [opened(home) for _ in range(count)]
    found = crowd(
        count, lambda number: [writers[number].append([item((number, i))])[0].index for i in range(10)]
    )
    for writer in writers:
        writer.close()
    assert sorted(index for mine in found for index in mine) == list(range(10 * count))
    assert verified(home).size == 10 * count
