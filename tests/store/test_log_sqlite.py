from __future__ import annotations

import resource
import sqlite3

import pytest

from lockflight.core.ports import NewEntry
from lockflight.errors import ConflictError, EnvironmentProblem, InvalidInput, NotFound, VerificationFailed
from lockflight.store.layout import INLINE_BYTES
from lockflight.store.log_sqlite import open_store
from lockflight.store.log_tables import TRIGGERS
from tests.log.making import ORIGIN, Clock, digest, item, items, opened, verified
from tests.log.tamper import rows, tamper


def entry(number, size=10):
    return NewEntry(
        b"leaf %d" % number, bytes([number]) * 32, b"x" * size, "type", (bytes(32), bytes([1]) * 32)
    )


def nodes(*places):
    return [(level, index, bytes(32)) for level, index in places]


@pytest.fixture
def store(home):
    found = open_store(home / "realm", ORIGIN)
    yield found
    found.close()


def refused(error, code, work):
    with pytest.raises(error) as caught:
        work()
    assert caught.value.code == code, caught.value
    return caught.value


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


# SQLite has no trigger for a row that REPLACE drops; `nodes`, which has no order to keep, is guarded by signed roots.
@pytest.mark.parametrize(
    "act",
    [
        "DELETE FROM entries",
        "DELETE FROM nodes",
        "DELETE FROM checkpoints",
        "UPDATE entries SET leaf = x'00'",
        "UPDATE nodes SET hash = x'00'",
        "UPDATE checkpoints SET note = ''",
        "UPDATE envelopes SET body = x'00'",
        "REPLACE INTO entries SELECT * FROM entries",
        "REPLACE INTO checkpoints SELECT * FROM checkpoints",
    ],
)
def test_what_is_in_the_log_does_not_change(home, act):
    writer = opened(home)
    writer.append(items(3))
    writer.close()
    database = sqlite3.connect(home / "realm" / "log.db")
    with pytest.raises(sqlite3.DatabaseError):
        database.execute(act)
    database.close()
    assert verified(home).size == 3


def test_every_table_has_its_guards(home, store):
    found = {name for (name,) in rows(home, "SELECT name FROM sqlite_schema WHERE type = 'trigger'")}
    assert found == set(TRIGGERS)


def test_each_commit_is_on_disk_when_it_returns(store):
    ask = store._driver.execute
    assert ask("PRAGMA journal_mode").fetchone() == ("wal",)
    assert ask("PRAGMA synchronous").fetchone() == (2,)


def test_long_bodies_are_staged_before_the_entry(home, store):
    short, long = entry(1, INLINE_BYTES), entry(2, INLINE_BYTES + 1)
    store.stage(short)
    store.stage(long)
    assert len(list((home / "realm" / "blobs").glob("??/*"))) == 1
    store.add_entries(0, [short, long], nodes((0, 0), (0, 1), (1, 0)))
    assert rows(home, "SELECT idx FROM envelopes") == [(0,)]


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


def test_a_file_in_the_place_of_the_folder_is_told(tmp_path):
    (tmp_path / "realm").write_text("in the way")
    refused(EnvironmentProblem, "LF5030", lambda: open_store(tmp_path / "realm", ORIGIN))


def test_a_lock_that_cannot_be_opened_is_told(home, store):
    (home / "realm" / "log.lock").unlink()
    (home / "realm" / "log.lock").mkdir()
    with pytest.raises(EnvironmentProblem) as caught, store.exclusive():
        pass
    assert caught.value.code == "LF5030"


def test_a_half_made_log_is_made_anew(home):
    (home / "realm").mkdir()
    for name in ("log.db.new", "log.db.new-journal", "log.db.new-wal"):
        (home / "realm" / name).write_bytes(b"half")
    open_store(home / "realm", ORIGIN).close()
    assert verified(home).size == 0
    assert not list((home / "realm").glob("*.new*"))


def test_a_full_disk_is_told_and_the_log_goes_on_after(home):
    writer = opened(home)
    writer.append(items(2))
    driver = writer._store._driver
    pages = driver.execute("PRAGMA page_count").fetchone()[0]
    driver.execute(f"PRAGMA max_page_count = {pages}")
    error = refused(EnvironmentProblem, "LF5030", lambda: writer.append(items(200, 2)))
    assert "full" in error.message
    driver.execute("PRAGMA max_page_count = 1000000")
    assert writer.append(items(200, 2))[-1].index == 201
    writer.close()
    assert verified(home).pending == 0


def test_a_disk_without_room_for_a_new_log_is_told(home):
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, limits[1]))
    try:
        refused(EnvironmentProblem, "LF5030", lambda: open_store(home / "realm", ORIGIN))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    open_store(home / "realm", ORIGIN).close()


@pytest.mark.parametrize("padding", [0, 70_000])
def test_an_erased_envelope_leaves_its_entry_and_no_bytes(home, padding):
    writer = opened(home, clock=Clock())
    word = "unmistakable"
    receipts = writer.append([item("a"), item(word * 3, padding=padding), item("c")])
    name = receipts[1].envelope
    secret = writer.envelope(name)
    writer._store.erase(name)
    assert writer.envelope(name) is None
    assert writer.find(name).index == 1
    assert list(writer.query(digest(word * 3))) == []
    writer.append([item("d")])
    writer.close()
    report = verified(home)
    assert (report.size, report.missing, report.pending) == (4, 1, 0)
    for path in home.rglob("*"):
        assert path.is_dir() or secret[100:200] not in path.read_bytes(), path


def test_only_what_is_in_the_log_is_erased(store):
    refused(NotFound, "LF7216", lambda: store.erase(digest("nothing")))
    refused(InvalidInput, "LF7215", lambda: store.erase("nothing"))


def test_a_damaged_database_is_no_full_disk(home):
    writer = opened(home)
    writer.append(items(3))
    tamper(home, "DELETE FROM nodes WHERE level = 1")
    refused(VerificationFailed, "LF7210", lambda: opened(home))
    writer.close()
