from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lockflight.app.realm.logs import open_store
from lockflight.errors import VerificationFailed
from lockflight.store.log.rebuild import rebuild
from tests.log.making import ORIGIN, digest, item, opened, verified
from tests.log.tamper import guards, rows, tamper

STORES = ("sqlite", "postgres")

DERIVED = ("SELECT * FROM nodes ORDER BY level, idx", "SELECT * FROM subjects ORDER BY subject, type, idx")


def fill(home, count):
    writer = opened(home)
    writer.append(
        [
            item(i, subjects=[digest(("s", i % 5)), digest(i)], padding=70_000 if i == 2 else 0)
            for i in range(count)
        ]
    )
    writer.close()


def rebuilt(home):
    store = open_store(home / "realm", ORIGIN)
    try:
        return rebuild(store)
    finally:
        store.close()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=8)
@given(count=st.integers(0, 40))
def test_what_is_rebuilt_is_what_was_there_byte_for_byte(tmp_path_factory, count):
    home = tmp_path_factory.mktemp("home")
    if count:
        fill(home, count)
    else:
        opened(home).close()
    before = [rows(home, sql) for sql in DERIVED]
    report = rebuilt(home)
    assert [rows(home, sql) for sql in DERIVED] == before
    assert (report.entries, report.changed) == (count, False)
    assert (report.nodes, report.subjects) == tuple(map(len, before))
    assert verified(home).size == count


@pytest.mark.parametrize(
    "damage",
    [
        "DELETE FROM nodes WHERE level = 2",
        ("UPDATE nodes SET hash = ? WHERE level = 0 AND idx = 3", bytes(32)),
        ("INSERT INTO nodes VALUES (9, 9, ?)", bytes(32)),
        "DELETE FROM subjects",
        ("INSERT INTO subjects VALUES (?, 'x', 1)", bytes(32)),
    ],
)
def test_damage_to_derived_tables_is_mended(home, damage):
    fill(home, 9)
    before = [rows(home, sql) for sql in DERIVED]
    tamper(home, damage)
    with pytest.raises(VerificationFailed):
        verified(home)
    assert rebuilt(home).changed
    assert [rows(home, sql) for sql in DERIVED] == before
    assert verified(home).size == 9
    assert rebuilt(home).changed is False


def test_damage_to_entries_is_not_mended_away(home):
    fill(home, 9)
    tamper(home, ("UPDATE entries SET leaf = ? WHERE idx = 3", b"{}"))
    assert rebuilt(home).changed
    with pytest.raises(VerificationFailed) as caught:
        verified(home)
    assert caught.value.code in {"LF7210", "LF7213"}
    with pytest.raises(VerificationFailed) as caught:
        opened(home)
    assert caught.value.code == "LF7210"


def test_pending_entries_are_rebuilt_too(home):
    fill(home, 9)
    before = [rows(home, sql) for sql in DERIVED]
    tamper(home, "DELETE FROM checkpoints", "DELETE FROM nodes")
    assert rebuilt(home).entries == 9
    assert [rows(home, sql) for sql in DERIVED] == before


def test_a_rebuild_that_fails_changes_nothing(home):
    fill(home, 9)
    tamper(home, ("UPDATE envelopes SET body = ? WHERE idx = 3", b"{}"))
    before, guarded = [rows(home, sql) for sql in DERIVED], guards(home)
    with pytest.raises(VerificationFailed):
        rebuilt(home)
    assert [rows(home, sql) for sql in DERIVED] == before
    assert guards(home) == guarded


def test_erased_envelopes_leave_no_trace_in_the_index(home):
    fill(home, 9)
    store = open_store(home / "realm", ORIGIN)
    name = next(iter(store.reader.entries(4))).envelope
    store.erase(name)
    before = [rows(home, sql) for sql in DERIVED]
    assert rebuild(store).changed is False
    assert [rows(home, sql) for sql in DERIVED] == before
    store.close()
