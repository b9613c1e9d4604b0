"""Somebody who can write a realm's folder, and holds none of its keys, changes nothing unseen."""

from __future__ import annotations

import hashlib
import sqlite3
from typing import TYPE_CHECKING

import pytest

from lockflight.app.gate.approvals import revoke
from lockflight.app.realm.view import open_view
from lockflight.app.release.sign import sign
from lockflight.app.release.verify import verify_package
from lockflight.core.attest.acts import Scope
from lockflight.core.attest.dsse import Envelope, decode
from lockflight.errors import VerificationFailed

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from lockflight.app.realm.realm import Realm


def _open(folder: Path) -> sqlite3.Connection:
    """The log's database without the triggers that keep honest tools from mistakes."""
    database = sqlite3.connect(folder / "log.db")
    for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
        database.execute(f'DROP TRIGGER "{name}"')
    return database


def _erase(database: sqlite3.Connection, index: int) -> None:
    database.execute("DELETE FROM envelopes WHERE idx = ?", (index,))


def _swap(database: sqlite3.Connection, index: int) -> None:
    """Another envelope of the same log in its place, with a digest that fits."""
    (body,) = database.execute("SELECT body FROM envelopes WHERE idx = 1").fetchone()
    _put(database, index, body)


def _rename(database: sqlite3.Connection, index: int) -> None:
    """The same statement and signature under another hint: another digest, which the leaf does not commit to."""
    (body,) = database.execute("SELECT body FROM envelopes WHERE idx = ?", (index,)).fetchone()
    envelope = decode(body)
    _put(database, index, Envelope(envelope.payload, envelope.signature, "0" * 64).encode())


def _put(database: sqlite3.Connection, index: int, body: bytes) -> None:
    digest = hashlib.sha256(body).digest()
    database.execute("UPDATE entries SET envelope = ? WHERE idx = ?", (digest, index))
    database.execute("UPDATE envelopes SET body = ? WHERE idx = ?", (body, index))


@pytest.mark.parametrize("attack", [_erase, _swap, _rename])
def test_a_revocation_cannot_be_lost(
    realm: Realm, workspace: Path, tmp_path: Path, attack: Callable[[sqlite3.Connection, int], None]
) -> None:
    package = tmp_path / "package"
    done = sign(realm.home, "acme", workspace, package, actor="alice")
    said = revoke(
        realm.home,
        "acme",
        scope=Scope.RELEASE,
        digest=done.release.digest,
        name="five",
        reason="compromised",
        note="",
        actor="bob",
    )
    with pytest.raises(VerificationFailed, match="revoked"):
        verify_package(realm.home, "acme", package)
    with _open(realm.folder) as database:
        attack(database, said.index)
    with pytest.raises(VerificationFailed) as caught:
        verify_package(realm.home, "acme", package)
    assert caught.value.code in {"LF7240", "LF7241"}


def test_a_grant_cannot_lose_the_name_by_which_its_withdrawal_refers_to_it(realm: Realm) -> None:
    alice = realm.actor("alice")
    index = next(r.index for r in realm.state.records if r.signer and r.subject == alice.signer.keyid)
    with _open(realm.folder) as database:
        _rename(database, index)
    with pytest.raises(VerificationFailed) as caught:
        open_view(realm.home, "acme")
    assert caught.value.code == "LF7241"
