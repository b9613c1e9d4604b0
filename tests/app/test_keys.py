"""Replacing the realm's keys: what happens to files where it does not come to that."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from lockflight.app.realm.realm import Realm
from lockflight.app.realm.rootkey import replace_trust, root_signer
from lockflight.app.registry import keys
from lockflight.core.attest.trust import Duty, RealmKey, root_digest
from lockflight.errors import ConflictError, EnvironmentProblem, LockflightError
from lockflight.signing.keys import generate, save

if TYPE_CHECKING:
    from pathlib import Path


def names(realm: Realm) -> set[str]:
    return {path.name for path in (realm.folder / "keys").iterdir()}


def test_who_comes_second_leaves_no_file(realm: Realm, tmp_path: Path) -> None:
    trust, root = realm.state.trust, root_signer(realm)
    keys.rotate(realm.home, "acme", Duty.GATE)
    held = tuple(k for k in trust.keys if k.duty is not Duty.PRODUCER)
    late = replace(
        trust,
        keys=(*held, RealmKey(generate().public_der, Duty.PRODUCER)),
        prev=root_digest(trust.statement().payload()),
    )
    path = tmp_path / "late.pem"
    written = [save(generate(), path), path]
    fresh = Realm(realm.home, "acme")
    size = len(fresh.state.records)
    with pytest.raises(ConflictError) as caught:
        replace_trust(fresh, late, root, "rotate the producer key", written=written)
    assert caught.value.code == "LF4603"
    assert not any(file.exists() for file in written)
    assert len(Realm(realm.home, "acme").state.records) == size, "nothing was logged"


def test_a_key_that_the_log_may_name_is_never_deleted(realm: Realm) -> None:
    before = names(realm)
    (realm.folder / "keys" / "log.pem").rename(realm.folder / "elsewhere")
    with pytest.raises(EnvironmentProblem):
        keys.rotate(realm.home, "acme", Duty.GATE)
    left = names(realm) - before
    assert {name.partition("-")[0] for name in left} == {"gate"}
    (realm.folder / "elsewhere").rename(realm.folder / "keys" / "log.pem")
    # What stayed is not in force, so it changes nothing; the next rotation makes a key of its own.
    assert realm.signer(Duty.GATE).keyid == realm.state.trust.key(Duty.GATE).keyid
    done = keys.rotate(realm.home, "acme", Duty.GATE)
    assert Realm(realm.home, "acme").signer(Duty.GATE).keyid == done.new


def test_a_home_with_an_older_key_says_so(realm: Realm) -> None:
    old = (realm.folder / "keys" / "gate.pem").read_bytes()
    done = keys.rotate(realm.home, "acme", Duty.GATE)
    assert [path.name for path in done.removed] == ["gate.pem"]
    done.file.unlink()
    stale = realm.folder / "keys" / "gate.pem"
    stale.write_bytes(old)
    stale.chmod(0o600)
    fresh = Realm(realm.home, "acme")
    assert not fresh.holds(Duty.GATE)
    with pytest.raises(EnvironmentProblem, match="but one that was replaced") as caught:
        fresh.signer(Duty.GATE)
    assert caught.value.code == "LF5043"


def test_every_rotation_keeps_the_root_digest_and_the_rest(realm: Realm) -> None:
    first = realm.state.trust
    for _ in range(3):
        for duty in keys.ROTATED:
            keys.rotate(realm.home, "acme", duty)
    state = Realm(realm.home, "acme").state
    assert state.root == realm.state.root
    assert (state.trust.name, state.trust.origin, state.trust.ladder) == (
        first.name,
        first.origin,
        first.ladder,
    )
    assert [state.trust.key(d) for d in (Duty.LOG, Duty.CLOCK)] == [
        first.key(d) for d in (Duty.LOG, Duty.CLOCK)
    ]
    assert len(state.former) == 9
    shown = keys.show(realm.home, "acme", now=realm.view.timestamp, former=True, duty="root")
    assert [row.state for row in shown] == ["replaced"] * 3 + ["active"]


@pytest.mark.parametrize("duty", [Duty.LOG, Duty.CLOCK, Duty.PERSON])
def test_other_duties_are_refused(realm: Realm, duty: Duty) -> None:
    with pytest.raises(LockflightError) as caught:
        keys.rotate(realm.home, "acme", duty)
    assert caught.value.code == "LF0139"
