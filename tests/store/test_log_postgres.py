"""What only a log in a database server does: getting in, waiting, losing the connection, and who may do what."""

from __future__ import annotations

import builtins
import os
import subprocess
import sys
import threading

import pytest

from lockflight.app.realm.logs import open_log, open_reader, open_store
from lockflight.errors import EnvironmentProblem, NotFound, VerificationFailed
from lockflight.store.log import postgres as log_postgres
from lockflight.store.log.address import OFFLINE, fault, read_address, shown, write_address
from lockflight.store.log.layout import INLINE_BYTES
from tests.log.making import CLOCK, LOG, ORIGIN, Clock, item, items, opened, verified
from tests.log.tamper import rows, tamper
from tests.store.making import entry, nodes, refused

STORES = ("postgres",)


@pytest.fixture
def store(home):
    return open_store(home / "realm", ORIGIN)


@pytest.fixture
def ask(home, postgres):
    """Ask the server about the test's database, or tell it to do something."""
    name = read_address(home / "realm").split("@/")[1].split("?")[0]
    return lambda *statements, fetch=False: postgres.execute(*statements, database=name, fetch=fetch)


def test_each_commit_is_on_disk_when_it_returns(store, ask):
    assert ask("SHOW synchronous_commit", fetch=True) == [("off",)]
    with store.transaction() as connection:
        assert connection.exec_driver_sql("SHOW synchronous_commit").scalar() == "on"
        assert connection.exec_driver_sql("SHOW transaction_isolation").scalar() == "serializable"


def test_a_long_envelope_is_a_row_like_all(home):
    writer = opened(home)
    receipt = writer.append([item("long", padding=INLINE_BYTES * 3)])[0]
    writer.close()
    assert sorted(path.name for path in (home / "realm").iterdir()) == ["store.toml"]
    assert len(open_reader(home / "realm").envelope(receipt.envelope)) > INLINE_BYTES
    assert verified(home).missing == 0


def test_an_erased_envelope_leaves_its_entry(home):
    writer = opened(home, clock=Clock())
    receipts = writer.append(items(3))
    writer._store.erase(receipts[1].envelope)
    assert writer.envelope(receipts[1].envelope) is None
    writer.append([item("d")])
    writer.close()
    report = verified(home)
    assert (report.size, report.missing, report.pending) == (4, 1, 0)
    assert rows(home, "SELECT idx FROM envelopes ORDER BY idx") == [(0,), (2,), (3,)]


def test_a_snapshot_does_not_change(home):
    writer = opened(home)
    writer.append(items(5))
    reader = open_reader(home / "realm")
    with reader.snapshot():
        before = reader.checkpoint()
        writer.append([item("more")])
        assert (reader.checkpoint(), reader.size()) == (before, 5)
        with reader.snapshot():
            assert reader.size() == 5
    assert (reader.checkpoint(), reader.size()) == (writer.checkpoint(), 6)


def test_nothing_can_be_written_in_a_snapshot(home):
    opened(home).close()
    reader = open_reader(home / "realm")
    with reader.snapshot():
        refused(
            EnvironmentProblem,
            "LF5036",
            lambda: reader._rows("INSERT INTO meta VALUES ('x', 'y') RETURNING key"),
        )


def test_who_waits_too_long_is_told_to_try_again(home, store, monkeypatch):
    monkeypatch.setitem(log_postgres._SESSION, "lock_timeout", "50ms")
    log_postgres._engine.cache_clear()
    hasty = open_store(home / "realm", ORIGIN)
    with store.exclusive():
        error = refused(EnvironmentProblem, "LF5031", lambda: hasty.exclusive().__enter__())
    assert "again" in error.hint
    with hasty.exclusive():
        pass
    log_postgres._engine.cache_clear()


def test_who_lost_the_connection_has_lost_the_lock_and_writes_nothing(home, store, ask):
    """A server that restarted lets the next writer in; the one before must not go on as if it still held the lock."""
    with store.exclusive():
        ask("SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'")
        other = open_store(home / "realm", ORIGIN)
        with other.exclusive():
            other.add_entries(0, [entry(1)], nodes((0, 0)))
        refused(EnvironmentProblem, "LF5047", lambda: store.add_entries(1, [entry(2)], nodes((0, 1))))
        with pytest.raises(EnvironmentProblem):
            store.add_entries(1, [entry(2)], nodes((0, 1)))
    assert store.size() == 1
    with store.exclusive():
        store.add_entries(1, [entry(2)], nodes((0, 1), (1, 0)))
    assert store.size() == 2


HOLDER = """
import sys
from pathlib import Path
from lockflight.app.realm.logs import open_store
with open_store(Path(sys.argv[1]), sys.argv[2]).exclusive():
    print("held", flush=True)
    sys.stdin.readline()
"""


def test_a_lock_ends_with_its_holder(home, store, project_root):
    child = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(home / "realm"), ORIGIN],
        env={**os.environ, "PYTHONPATH": str(project_root / "src")},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert child.stdout.readline() == "held\n"
    entered = threading.Event()

    def enter():
        with store.exclusive():
            entered.set()

    thread = threading.Thread(target=enter)
    thread.start()
    assert not entered.is_set()
    child.kill()
    child.communicate()
    thread.join()
    assert entered.is_set()


def test_the_application_needs_only_to_read_and_to_add(home, store, postgres, ask):
    store.add_entries(0, [entry(1)], nodes((0, 0)))
    role = f"clerk_{os.getpid()}"
    ask(
        f"DROP ROLE IF EXISTS {role}",
        f"CREATE ROLE {role} LOGIN",
        f"GRANT USAGE ON SCHEMA lockflight TO {role}",
        f"GRANT SELECT, INSERT ON ALL TABLES IN SCHEMA lockflight TO {role}",
    )
    address = read_address(home / "realm").replace("keeper@", f"{role}@")
    clerk = log_postgres.open_store(address, ORIGIN)
    with clerk.exclusive():
        clerk.add_entries(1, [entry(2)], nodes((0, 1), (1, 0)))
        clerk.add_checkpoint(2, 100, "note")
    assert store.size() == 2
    for text in (
        "DELETE FROM entries",
        "UPDATE meta SET value = '2'",
        "ALTER TABLE nodes DISABLE TRIGGER USER",
        "DROP TABLE entries",
        "TRUNCATE subjects",
    ):
        with pytest.raises(EnvironmentProblem) as caught, clerk.transaction() as connection:
            connection.exec_driver_sql(text)
        assert "permission denied" in caught.value.message or "must be owner" in caught.value.message
    clerk._engine.dispose()
    ask(f"DROP OWNED BY {role}", f"DROP ROLE {role}")


def test_a_table_is_emptied_by_nobody(store, ask):
    store.add_entries(0, [entry(1)], nodes((0, 0)))
    for table in ("entries", "nodes", "checkpoints", "envelopes"):
        with pytest.raises(Exception, match="append-only"):
            ask(f"TRUNCATE lockflight.{table}")


# What is found there


def test_where_there_is_no_log_nothing_is_made(home, ask):
    refused(NotFound, "LF5035", lambda: open_reader(home / "realm"))
    assert ask("SELECT count(*) FROM pg_namespace WHERE nspname = 'lockflight'", fetch=True) == [(0,)]


def test_one_database_holds_one_log(home, store):
    error = refused(EnvironmentProblem, "LF5039", lambda: opened(home, origin="other.example/realm"))
    assert ORIGIN in error.message


def test_another_version_is_not_guessed_at(home, store):
    tamper(home, "UPDATE meta SET value = '2' WHERE key = 'schema'")
    refused(EnvironmentProblem, "LF5034", lambda: open_reader(home / "realm"))


@pytest.mark.parametrize(
    "change",
    [
        "CREATE VIEW lockflight.extra AS SELECT 1",
        "CREATE TABLE lockflight.extra (x int)",
        "DROP TABLE lockflight.subjects",
        "DROP TABLE lockflight.meta",
    ],
)
def test_other_tables_are_refused(home, store, ask, change):
    ask(change)
    refused(VerificationFailed, "LF7210", lambda: open_reader(home / "realm"))


@pytest.mark.parametrize(
    "change",
    [
        "ALTER TABLE checkpoints ALTER note TYPE bytea USING note::bytea",
        "ALTER TABLE entries ALTER leaf TYPE text USING 'x'",
        "ALTER TABLE checkpoints ALTER size TYPE text",
        "UPDATE entries SET envelope = x'00'",
        "ALTER TABLE entries DROP COLUMN leaf",
    ],
)
def test_values_of_other_types_are_refused(home, change):
    writer = opened(home)
    writer.append(items(3))
    tamper(home, change)
    with pytest.raises(VerificationFailed):
        verified(home, pin=False)


def test_an_older_copy_of_the_database_is_noticed(home, postgres):
    writer = opened(home)
    writer.append(items(3))
    url = read_address(home / "realm")
    postgres.leave(url)
    copy = postgres.url(postgres.database(like=url.split("@/")[1].split("?")[0]))
    writer.append(items(3, 3))
    write_address(home / "realm", copy)
    refused(VerificationFailed, "LF7220", lambda: opened(home))
    postgres.leave(copy)


# Getting there


def test_without_the_driver_the_extra_is_named(home, monkeypatch):
    real = builtins.__import__

    def without(name, *rest):
        if name == "psycopg":
            raise ImportError(name)
        return real(name, *rest)

    log_postgres._engine.cache_clear()
    with monkeypatch.context() as bare:
        bare.setattr(builtins, "__import__", without)
        error = refused(EnvironmentProblem, "LF5046", lambda: open_reader(home / "realm"))
    assert "lockflight[postgres]" in error.hint


@pytest.mark.parametrize(
    "address",
    [
        "postgresql://keeper:hush@/nowhere?host=%2Fnonexistent",
        "postgresql://keeper:hush@/{missing}?host={host}",
        "postgresql://nobody-here:hush@/postgres?host={host}",
    ],
)
def test_a_server_that_lets_nobody_in_is_told_without_the_password(home, postgres, address):
    address = address.format(missing="missing", host=str(postgres.folder).replace("/", "%2F"))
    write_address(home / "realm", address)
    for work in (lambda: open_reader(home / "realm"), lambda: open_store(home / "realm", ORIGIN)):
        error = refused(EnvironmentProblem, "LF5047", work)
        assert "hush" not in f"{error.message} {error.hint} {error.details}"


def test_offline_opens_no_socket(home):
    opened(home).close()
    token = OFFLINE.set(True)
    try:
        refused(EnvironmentProblem, "LF5049", lambda: open_reader(home / "realm"))
        refused(EnvironmentProblem, "LF5049", lambda: opened(home))
    finally:
        OFFLINE.reset(token)


def test_the_address_is_that_of_the_realm(home):
    assert shown(read_address(home / "realm")).startswith("postgresql://keeper@/t")
    assert fault(read_address(home / "realm")) == ""
    log = open_log(
        home / "realm", origin=ORIGIN, log_signer=LOG, clock_signer=CLOCK, clock=Clock(), pins=None
    )
    assert log.append(items(1))[0].index == 0
