"""What every store of a log does, whatever database the rows lie in."""

from __future__ import annotations

import pytest

from lockflight.app.realm.logs import open_store
from lockflight.core.ports import NewEntry
from lockflight.errors import ConflictError, EnvironmentProblem, InvalidInput, NotFound, VerificationFailed
from tests.log.making import ORIGIN, digest, items, opened, verified
from tests.log.tamper import act, tamper
from tests.store.making import entry, nodes, refused

STORES = ("sqlite", "postgres")


@pytest.fixture
def store(home):
    found = open_store(home / "realm", ORIGIN)
    yield found
    found.close()


def test_what_is_added_is_read(store):
    store.add_entries(0, [entry(1), entry(2)], nodes((0, 0), (0, 1), (1, 0)))
    assert store.size() == 2
    assert store.places([bytes([2]) * 32, bytes([9]) * 32]) == {bytes([2]) * 32: [(1, b"leaf 2")]}
    assert list(store.reader.entries()) == []
    assert store.covering(1) is None
    store.add_checkpoint(1, 100, "first")
    store.add_checkpoint(2, 100, "second")
    store.add_checkpoint(2, 130, "third")
    assert [store.covering(i) for i in range(3)] == [(1, 100), (2, 100), None]
    assert list(store.reader.checkpoints()) == ["first", "second", "third"]
    assert [(e.index, e.logged_at) for e in store.reader.entries()] == [(0, 100), (1, 100)]


def test_all_entries_of_an_envelope_are_found_first_one_first(store):
    twice = [entry(1), NewEntry(b"other leaf", bytes([1]) * 32, b"x", "type", ())]
    store.add_entries(0, twice, nodes((0, 0), (0, 1), (1, 0)))
    wanted = [bytes([number]) * 32 for number in range(200)]
    assert store.places(wanted) == {bytes([1]) * 32: [(0, b"leaf 1"), (1, b"other leaf")]}


def test_a_commit_that_fails_leaves_nothing(store):
    with pytest.raises((EnvironmentProblem, VerificationFailed)):
        store.add_entries(0, [entry(1), entry(2)], nodes((0, 0), (0, 0)))
    assert store.size() == 0
    assert store.reader.indexed_rows() == 0
    store.add_entries(0, [entry(1)], nodes((0, 0)))
    assert store.size() == 1


@pytest.mark.parametrize("first", [1, 5])
def test_an_entry_goes_to_the_end(store, first):
    refused(EnvironmentProblem, "LF5030", lambda: store.add_entries(first, [entry(1)], []))
    assert store.size() == 0


@pytest.mark.parametrize(("size", "timestamp"), [(3, 200), (1, 200), (2, 99)])
def test_a_checkpoint_continues_the_one_before(store, size, timestamp):
    store.add_entries(0, [entry(1), entry(2)], nodes((0, 0), (0, 1), (1, 0)))
    store.add_checkpoint(2, 100, "good")
    refused(EnvironmentProblem, "LF5030", lambda: store.add_checkpoint(size, timestamp, "bad"))
    assert list(store.reader.checkpoints()) == ["good"]


def test_only_one_writer_at_a_time(home, store):
    """The store's lock is what other processes wait for; see tests/log/test_together.py."""
    other = open_store(home / "realm", ORIGIN)
    order = []
    with store.exclusive():
        order.append("first")
    with other.exclusive():
        order.append("second")
    other.close()
    assert order == ["first", "second"]


def test_an_error_inside_is_not_taken_for_a_lock(store):
    with pytest.raises(FileNotFoundError), store.exclusive():
        raise FileNotFoundError
    with pytest.raises(ConflictError), store.exclusive():
        raise ConflictError("LF5031", "inside")
    with store.exclusive():
        pass


def test_only_what_is_in_the_log_is_erased(store):
    refused(NotFound, "LF7216", lambda: store.erase(digest("nothing")))
    refused(InvalidInput, "LF7215", lambda: store.erase("nothing"))


def test_a_damaged_database_is_no_full_disk(home):
    writer = opened(home)
    writer.append(items(3))
    tamper(home, "DELETE FROM nodes WHERE level = 1")
    refused(VerificationFailed, "LF7210", lambda: opened(home))
    writer.close()


@pytest.mark.parametrize(
    "text",
    [
        "DELETE FROM entries",
        "DELETE FROM nodes",
        "DELETE FROM checkpoints",
        "UPDATE entries SET leaf = x'00'",
        "UPDATE nodes SET hash = x'00'",
        "UPDATE checkpoints SET note = ''",
        "UPDATE envelopes SET body = x'00'",
        "INSERT INTO entries SELECT * FROM entries WHERE idx = 1 ON CONFLICT (idx) DO UPDATE SET leaf = x'00'",
        "INSERT INTO entries SELECT 7, leaf, envelope FROM entries WHERE idx = 1",
        "INSERT INTO checkpoints SELECT seq + 1, size - 1, timestamp, note FROM checkpoints",
    ],
)
def test_what_is_in_the_log_does_not_change(home, text):
    writer = opened(home)
    writer.append(items(3))
    writer.close()
    with pytest.raises(Exception, match=r"append-only|end of the log|continues the one"):
        act(home, text)
    assert verified(home).size == 3
