from __future__ import annotations

import resource
import sqlite3

import pytest
from sqlalchemy import insert
from sqlalchemy.dialects.sqlite import dialect

from lockflight.errors import EnvironmentProblem
from lockflight.store.log import sqlite as log_sqlite
from lockflight.store.log.layout import INLINE_BYTES
from lockflight.store.log.sqlite import open_store
from lockflight.store.log.tables import TRIGGERS, checkpoints, entries, envelopes, subjects
from lockflight.store.log.tables import nodes as log_nodes
from tests.log.making import ORIGIN, Clock, digest, item, items, opened, verified
from tests.log.tamper import rows
from tests.store.making import entry, nodes, refused


@pytest.fixture
def store(home):
    found = open_store(home / "realm", ORIGIN)
    yield found
    found.close()


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


def test_the_texts_of_the_hot_path_are_those_of_the_tables():
    def text(statement):
        return " ".join(str(statement.compile(dialect=dialect())).replace("\n", " ").split())

    tables = {
        log_sqlite._ADD_ENTRY: entries,
        log_sqlite._ADD_NODE: log_nodes,
        log_sqlite._ADD_CHECKPOINT: checkpoints,
        log_sqlite._ADD_ENVELOPE: envelopes,
        log_sqlite._ADD_SUBJECT: subjects,
    }
    for wanted, table in tables.items():
        assert text(insert(table)) == wanted
