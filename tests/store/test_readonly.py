from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
import threading

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lockflight.core.attest.statement import SCAN
from lockflight.errors import EnvironmentProblem, InvalidInput, LockflightError, NotFound, VerificationFailed
from lockflight.store.log import reader as common
from lockflight.store.log import readonly
from lockflight.store.log.readonly import SqliteReader, open_reader
from tests.log.making import ORIGIN, digest, item, items, opened, verified
from tests.log.tamper import tamper


@pytest.fixture
def log(home):
    writer = opened(home)
    writer.append(items(40))
    writer.append(items(5, 40))
    writer.close()
    return home / "realm"


@pytest.fixture
def reader(log):
    found = open_reader(log)
    yield found
    found.close()


def refused(error, code, work):
    with pytest.raises(error) as caught:
        work()
    assert caught.value.code == code, caught.value
    return caught.value


def test_entries_come_in_order_from_any_place(reader):
    assert [e.index for e in reader.entries()] == list(range(45))
    assert [e.index for e in reader.entries(38, 43)] == [38, 39, 40, 41, 42]
    assert [e.index for e in reader.entries(43, 9999)] == [43, 44]
    assert [e.index for e in reader.entries(-5, 2)] == [0, 1]
    assert list(reader.entries(45)) == []
    assert list(reader.entries(5, 5)) == []


@pytest.mark.parametrize("page", [1, 7, 45, 46])
def test_pages_are_never_seen(reader, monkeypatch, page):
    whole = list(reader.entries()), list(reader.query(types=[SCAN])), list(reader.checkpoints())
    nodes = list(reader.nodes(0))
    monkeypatch.setattr(common, "_PAGE", page)
    monkeypatch.setattr(common, "_NODE_PAGE", page)
    assert (list(reader.entries()), list(reader.query(types=[SCAN])), list(reader.checkpoints())) == whole
    assert list(reader.nodes(0)) == nodes
    assert (len(whole[0]), len(whole[1]), len(nodes)) == (45, 45, 45)


def test_a_writer_that_goes_on_is_seen(home, log, reader):
    writer = opened(home)
    with reader.snapshot():
        before = reader.checkpoint()
        writer.append([item("more")])
        assert reader.checkpoint() == before
        assert reader.size() == 45
        with reader.snapshot():
            assert reader.size() == 45
    assert reader.size() == 46
    assert reader.checkpoint() == writer.checkpoint()
    writer.close()


def test_nothing_can_be_written_through_a_reader(reader):
    with pytest.raises(sqlite3.OperationalError):
        reader._connection.execute("INSERT INTO meta VALUES ('x', 'y')")


def test_reading_needs_no_database_library_but_the_standard_one(project_root, log):
    code = (
        "import sys; from pathlib import Path\n"
        "from lockflight.app.realm.logs import open_reader\n"
        f"assert len(list(open_reader(Path({str(log)!r})).entries())) == 45\n"
        "assert 'sqlalchemy' not in sys.modules\n"
    )
    environment = {"PYTHONPATH": str(project_root / "src")}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(("index", "size"), [(45, 45), (0, 46), (-1, 5), (5, 5), (0, 0)])
def test_there_is_no_proof_of_what_is_not_there(reader, index, size):
    refused(NotFound, "LF7216", lambda: reader.inclusion(index, size))


@pytest.mark.parametrize(("old", "new"), [(0, 5), (6, 5), (5, 46)])
def test_there_is_no_consistency_of_sizes_that_are_not_there(reader, old, new):
    refused(NotFound, "LF7216", lambda: reader.consistency(old, new))


def test_what_is_no_digest_is_told(reader):
    for work in (reader.envelope, reader.find, reader.query):
        refused(InvalidInput, "LF7215", lambda work=work: work("sha256:abc"))


def test_what_is_not_there_is_none(reader):
    assert reader.envelope(digest("nothing")) is None
    assert reader.find(digest("nothing")) is None


def test_nodes_are_dropped_from_memory_when_they_are_too_many(reader, monkeypatch):
    monkeypatch.setattr(common, "_CACHED_BLOCKS", 8)
    before = [reader.inclusion(index, 45) for index in range(0, 45, 4)]
    assert len(reader._cache) <= 8
    reader.forget()
    assert [reader.inclusion(index, 45) for index in range(0, 45, 4)] == before


def test_threads_share_a_reader(reader):
    expected = [e.envelope for e in reader.entries()]
    found = []
    threads = [
        threading.Thread(target=lambda: found.append([e.envelope for e in reader.entries()]))
        for _ in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [expected] * 6


# Where it lies


def test_where_there_is_no_log_nothing_is_made(tmp_path):
    refused(NotFound, "LF5035", lambda: SqliteReader(tmp_path / "realm"))
    assert list(tmp_path.iterdir()) == []


def test_a_log_on_media_that_cannot_be_written_is_read_as_it_lies(home, log, monkeypatch):
    """A folder of somebody else, or a mounted image: no file may be made beside the database."""
    for name in ("log.db-wal", "log.db-shm"):
        (log / name).unlink(missing_ok=True)
    monkeypatch.setattr(readonly.os, "access", lambda path, how: False)
    before = sorted(log.iterdir())
    report = verified(home)
    assert report.size == 45
    assert sorted(log.iterdir()) == before


def test_a_write_ahead_log_is_never_left_out(home, log, monkeypatch):
    """A copy taken while a writer was at work: its newest entries are in the write-ahead log only."""
    writer = opened(home)
    writer.append([item("newest")])
    shutil.copytree(log, home / "copy")
    writer.close()
    monkeypatch.setattr(readonly.os, "access", lambda path, how: False)
    assert verified(home, folder="copy").size == 46


# Hostile and damaged databases


def test_a_file_that_is_no_database_is_refused(log):
    (log / "log.db").write_bytes(b"not a database, " * 1000)
    refused(VerificationFailed, "LF7210", lambda: SqliteReader(log))


def test_an_empty_file_is_refused(log):
    for name in ("log.db-wal", "log.db-shm"):
        (log / name).unlink(missing_ok=True)
    (log / "log.db").write_bytes(b"")
    refused(VerificationFailed, "LF7210", lambda: SqliteReader(log))


def test_another_version_is_not_guessed_at(home, log):
    tamper(home, "UPDATE meta SET value = '2' WHERE key = 'schema'")
    error = refused(EnvironmentProblem, "LF5034", lambda: SqliteReader(log))
    assert "'2'" in error.message


@pytest.mark.parametrize(
    "change",
    [
        "CREATE VIEW extra AS SELECT 1",
        "CREATE TABLE extra (x)",
        "DROP TABLE subjects",
    ],
)
def test_other_tables_are_refused(log, change):
    database = sqlite3.connect(log / "log.db")
    database.execute(change)
    database.commit()
    database.close()
    refused(VerificationFailed, "LF7210", lambda: SqliteReader(log))


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE checkpoints SET note = 5",
        "UPDATE checkpoints SET note = x'00'",
        "UPDATE checkpoints SET size = 'many'",
        "UPDATE checkpoints SET size = -1",
        "UPDATE entries SET leaf = 'text'",
        "UPDATE entries SET envelope = x'00'",
        "UPDATE envelopes SET body = 7",
        "UPDATE meta SET value = x'00' WHERE key = 'origin'",
    ],
)
def test_values_of_other_types_are_refused(home, log, change):
    tamper(home, change)
    with pytest.raises(VerificationFailed):
        verified(home, pin=False)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(place=st.integers(0, 10**6), noise=st.binary(min_size=1, max_size=60))
def test_no_damage_is_overlooked_or_escapes_as_another_error(tmp_path_factory, log, place, noise):
    """Bytes anywhere in the file change: either every entry is as before, or the log is refused."""
    home = tmp_path_factory.mktemp("damaged")
    (home / "realm").mkdir()
    data = bytearray((log / "log.db").read_bytes())
    place %= len(data)
    data[place : place + len(noise)] = noise
    (home / "realm" / "log.db").write_bytes(data[: max(len(data), 1)])
    refusal = None
    try:
        report = verified(home)
    except LockflightError as error:
        refusal = error.exit_code
    if refusal is None:
        assert (report.size, report.pending, report.missing) == (45, 0, 0)
    assert refusal in {None, 4, 12}


def test_the_reader_knows_the_name_of_the_log(reader):
    assert reader.origin == ORIGIN
