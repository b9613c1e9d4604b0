"""A realm at an earlier time, and the whole log recomputed."""

from __future__ import annotations

import sqlite3

import pytest

from lockflight.app.log.logbook import rebuild, verify
from lockflight.app.realm import clock
from lockflight.app.realm.asof import view_at
from lockflight.app.realm.realm import Member, create_realm
from lockflight.core.attest.acts import Revocation, Scope
from lockflight.core.attest.trust import RealmKind
from lockflight.errors import EnvironmentProblem, NotFound, VerificationFailed

START = 1_780_000_000


@pytest.fixture
def later(home, monkeypatch):
    """A realm that began at START; something was revoked 100 seconds later."""
    monkeypatch.setattr(clock, "now", lambda: START)
    realm = create_realm(home, "acme", RealmKind.PERSONAL, [Member("bob", ("approver",))])
    monkeypatch.setattr(clock, "now", lambda: START + 100)
    (bob,) = realm.actors()
    realm.append(
        [(Revocation(Scope.ASSET, "a" * 64, "it", "other", realm=realm.state.root).statement(), bob.signer)]
    )
    return realm


@pytest.mark.parametrize(("as_of", "size"), [(None, 3), (START + 100, 3), (START + 99, 2), (START, 2)])
def test_what_was_logged_by_then(later, as_of, size):
    view = view_at(later.home, "acme", as_of)
    assert (view.size, len(view.state.records)) == (size, size)
    assert bool(view.state.revoked) == (size == 3)
    assert len(view.root_hash) == 64


def test_the_end_of_the_log_is_the_same_both_ways(later):
    now, then = view_at(later.home, "acme"), view_at(later.home, "acme", START + 100)
    assert (now.checkpoint, now.timestamp) == (then.checkpoint, then.timestamp)


def test_before_it_began(later):
    with pytest.raises(NotFound) as caught:
        view_at(later.home, "acme", START - 1)
    assert caught.value.code == "LF4512"


def test_log_verify(later):
    view, report, _ = verify(later.home, "acme")
    assert (report.size, report.pending, report.missing, report.pinned) == (3, 0, 0, 3)
    assert report.root.hex() == view.root_hash


def test_log_rebuild_of_a_sound_log(later):
    _, done = rebuild(later.home, "acme")
    assert (done.entries, done.changed) == (3, False)


def test_log_rebuild_mends_an_index(later):
    if later._log is not None:
        later._log.close()
    with sqlite3.connect(later.folder / "log.db") as db:
        triggers = db.execute(
            "SELECT name FROM sqlite_master WHERE type='trigger' AND tbl_name='subjects'"
        ).fetchall()
        for (name,) in triggers:
            db.execute(f"DROP TRIGGER {name}")
        db.execute("DELETE FROM subjects")
    db.close()
    with pytest.raises(VerificationFailed):
        verify(later.home, "acme")
    _, done = rebuild(later.home, "acme")
    assert done.changed


def test_rebuild_needs_a_realm_and_its_pin(later):
    with pytest.raises(NotFound):
        rebuild(later.home, "nowhere")
    (later.home / "trust.toml").unlink()
    with pytest.raises(EnvironmentProblem) as caught:
        rebuild(later.home, "acme")
    assert caught.value.code == "LF5042"
