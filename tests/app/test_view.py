"""A view that goes on after the log has grown is the one that a fresh look gives, or a refusal."""

from __future__ import annotations

import shutil
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from lockflight.app.gate.approvals import revoke
from lockflight.app.realm import clock
from lockflight.app.realm.logs import open_reader
from lockflight.app.realm.realm import Realm
from lockflight.app.realm.speak import rehearse
from lockflight.app.realm.view import RealmView, continued, open_view
from lockflight.app.registry.freeze import freeze
from lockflight.app.release.sign import sign
from lockflight.core.attest.acts import Revocation, Scope
from lockflight.errors import EnvironmentProblem, VerificationFailed
from lockflight.store.pins import PinStore

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def same(one: RealmView, other: RealmView) -> bool:
    """Whether two views say the same."""
    keys = ("state", "size", "root_hash", "timestamp", "known")
    return all(getattr(one, key) == getattr(other, key) for key in keys) and one.names() == other.names()


@pytest.fixture
def grow(realm: Realm, workspace: Path, tmp_path: Path) -> Callable[[int], None]:
    """Somebody else's work on the same realm: a release is signed, and now and then something is taken back."""

    def act(number: int) -> None:
        text = (workspace / "lockflight.toml").read_text().replace('"1.0.0"', f'"2.0.{number}"')
        (workspace / "lockflight.toml").write_text(text.replace(f'"2.0.{number - 1}"', f'"2.0.{number}"'))
        done = sign(realm.home, "acme", workspace, tmp_path / f"package-{number}", actor="alice")
        if number % 2:
            revoke(
                realm.home,
                "acme",
                scope=Scope.RELEASE,
                digest=done.release.digest,
                name="five",
                reason="compromised",
                note="",
                actor="bob",
            )
        else:
            freeze(
                realm.home,
                "acme",
                project="five",
                environment="staging",
                reason="",
                hours=1,
                actor="bob",
                now=clock.now(),
            )

    return act


def test_it_is_what_a_fresh_look_gives(realm: Realm, grow: Callable[[int], None]) -> None:
    views = [open_view(realm.home, "acme")]
    for number in range(4):
        grow(number)
        views.append(continued(realm.home, views[-1]))
        assert same(views[-1], open_view(realm.home, "acme"))
    skipped = continued(realm.home, views[1])
    assert same(skipped, views[-1])
    for view in views[:-1]:  # who holds an earlier view keeps it
        assert len(view.state.records) == view.size < views[-1].size
    assert same(continued(realm.home, views[-1]), views[-1])


def test_it_goes_on_when_the_log_was_only_signed_again(realm: Realm) -> None:
    before = realm.view
    now = clock.now() + 30
    writer = realm.log()
    writer._clock = lambda: now
    writer.renew()
    after = continued(realm.home, before)
    assert (after.size, after.timestamp) == (before.size, now)
    assert same(after, open_view(realm.home, "acme"))


def test_an_older_copy_of_the_realm_is_noticed(
    realm: Realm, grow: Callable[[int], None], tmp_path: Path
) -> None:
    shutil.copytree(realm.folder, tmp_path / "older")
    grow(0)
    view = open_view(realm.home, "acme")
    shutil.rmtree(realm.folder)
    shutil.copytree(tmp_path / "older", realm.folder)
    view.reader.close()
    again = replace(view, reader=open_reader(realm.folder))
    with pytest.raises(VerificationFailed) as caught:
        continued(realm.home, again)
    assert caught.value.code == "LF7220"


def test_another_history_by_the_same_keys_is_noticed(
    realm: Realm, grow: Callable[[int], None], tmp_path: Path
) -> None:
    assert realm.view
    for kept in (realm.folder, realm.home / "pins"):
        shutil.copytree(kept, tmp_path / kept.name)
    grow(0)
    view = open_view(realm.home, "acme")
    view.reader.close()
    for kept in (realm.folder, realm.home / "pins"):
        shutil.rmtree(kept)
        shutil.copytree(tmp_path / kept.name, kept)
    for number in (1, 2, 3):
        grow(number)
        with pytest.raises(VerificationFailed) as caught:
            continued(realm.home, replace(view, reader=open_reader(realm.folder)))
        assert caught.value.code in {"LF7210", "LF7220", "LF7221"}


def test_an_older_pin_is_compared_with_the_whole_log(
    realm: Realm, grow: Callable[[int], None], tmp_path: Path
) -> None:
    pins = PinStore(realm.home)
    origin = realm.state.trust.origin
    (path,) = (realm.home / "pins").glob("*.note")
    older = path.read_bytes()
    grow(0)
    view = open_view(realm.home, "acme")
    path.write_bytes(older)
    assert same(continued(realm.home, view), view)
    assert pins.read(origin).encode() != older


def test_a_realm_that_is_pinned_no_more_is_not_read_on(realm: Realm) -> None:
    view = realm.view
    PinStore(realm.home).forget("acme")
    with pytest.raises(EnvironmentProblem) as caught:
        continued(realm.home, view)
    assert caught.value.code == "LF5042"


def test_what_was_rehearsed_leaves_no_trace(realm: Realm) -> None:
    before = realm.view
    bob = realm.actor("bob")
    fact = Revocation(Scope.RELEASE, "ab" * 32, "five", "compromised", realm=realm.state.root)
    rehearse(realm, bob, fact.statement(), "revoke")
    assert realm.view is before
    assert not before.state.revoked
    assert len(before.state.records) == before.size
    assert same(before, open_view(realm.home, "acme"))


def test_an_earlier_time_is_read_again_whole(realm: Realm, grow: Callable[[int], None]) -> None:
    then = Realm(realm.home, "acme", as_of=realm.view.timestamp)
    before = then.view
    grow(0)
    assert same(then.view, before)
