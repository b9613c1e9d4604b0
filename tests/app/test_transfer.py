"""Backups and joining: a copy is whole and verified, and what others hand over is believed for its root alone."""

from __future__ import annotations

import os
import shutil
import sqlite3
import stat
from pathlib import Path

import pytest

from lockflight.app.identity import authority
from lockflight.app.identity import principals as identity
from lockflight.app.log.transfer import Copied, backup, join
from lockflight.app.realm.clock import now
from lockflight.app.realm.realm import Member, Realm, create_realm
from lockflight.app.realm.view import open_view
from lockflight.core.attest.trust import RealmKind
from lockflight.errors import (
    ConflictError,
    EnvironmentProblem,
    InvalidInput,
    LockflightError,
    NotFound,
    UsageError,
    VerificationFailed,
)
from lockflight.store.pins import PinStore


@pytest.fixture
def copy(realm: Realm, tmp_path: Path) -> Copied:
    """A backup of the realm without keys."""
    return backup(realm.home, "acme", tmp_path / "copy", keys=False)


@pytest.fixture
def other(tmp_path: Path) -> Path:
    """Another home."""
    folder = tmp_path / "other"
    folder.mkdir(mode=0o700)
    return folder


def take(home: Path, source: Path, root: str, **more: object) -> Copied:
    given: dict[str, object] = {"root": root, "name": "", "keys": False, **more}
    return join(home, source, **given)  # type: ignore[arg-type]


def left(home: Path) -> list[str]:
    """What a refused join left of the realm: nothing."""
    return [p.name for p in (home / "realms").glob("*") if p.name != ".lock"] if home.is_dir() else []


def test_a_copy_is_read_elsewhere_and_signs_nothing(realm: Realm, copy: Copied, other: Path) -> None:
    assert not (copy.folder / "keys").exists()
    assert copy.keys == ()
    done = take(other, copy.folder, f"sha256:{copy.root}")
    assert (done.name, done.size) == ("acme", realm.view.size)
    view = open_view(other, "acme")
    assert view.state.root == realm.state.root
    assert sorted(view.names().values()) == ["alice", "bob"]
    with pytest.raises(UsageError):
        Realm(other, "acme").actor("bob")
    with pytest.raises(EnvironmentProblem) as info:
        Realm(other, "acme").log()
    assert info.value.code == "LF5043"


def test_a_folder_of_a_realm_is_joined_like_a_backup(realm: Realm, other: Path) -> None:
    identity.add(realm.home, "acme", "dana", roles=["author"], actor="bob", now=now())
    done = take(other, realm.folder, realm.state.root)
    assert done.keys == ()
    assert not (done.folder / "keys").exists()
    assert open_view(other, "acme").size == Realm(realm.home, "acme").view.size


def test_a_backup_with_keys_is_a_restore(realm: Realm, tmp_path: Path, other: Path) -> None:
    made = backup(realm.home, "acme", tmp_path / "full", keys=True)
    assert "root" in made.keys
    for path in (made.folder / "keys").iterdir():
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0
    (made.folder / "keys" / "stranger.pem").write_bytes((made.folder / "keys" / "root.pem").read_bytes())
    done = take(other, made.folder, made.root, keys=True)
    assert sorted(done.keys) == sorted(made.keys)
    assert not (done.folder / "keys" / "stranger.pem").exists()
    restored = Realm(other, "acme")
    assert restored.actor("bob").name == "bob"
    with pytest.raises(ConflictError) as info:
        take(other, made.folder, made.root)
    assert info.value.code == "LF4511"
    identity.add(other, "acme", "dana", roles=["author"], actor="bob", now=now())


def test_the_keys_of_the_authority_come_along(realm: Realm, tmp_path: Path, other: Path) -> None:
    authority.found(realm.home, "acme", out=tmp_path / "safe")
    made = backup(realm.home, "acme", tmp_path / "full", keys=True)
    # Under the name of an authority's key, and not one of them.
    stranger = made.folder / "keys" / "ca-other.pem"
    stranger.write_bytes((made.folder / "keys" / "root.pem").read_bytes())
    stranger.chmod(0o600)
    done = take(other, made.folder, made.root, keys=True)
    assert {"ca", "ct", "tsa"} <= set(done.keys)
    assert "ca-other" not in done.keys
    assert authority.has_authority(Realm(other, "acme"))
    assert authority.short_lived(Realm(other, "acme"), "alice").name == "alice"


def test_another_realm_is_refused(copy: Copied, other: Path, tmp_path: Path) -> None:
    members = [Member("mallory", ("author",)), Member("eve", ("approver",))]
    create_realm(tmp_path / "evil", "acme", RealmKind.TEAM, members)
    with pytest.raises(VerificationFailed) as info:
        take(other, tmp_path / "evil" / "realms" / "acme", copy.root)
    assert info.value.code == "LF7230"
    assert left(other) == []
    assert PinStore(other).realms() == {}


@pytest.mark.parametrize("root", ["", "sha256:", "abc", "sha256:" + "g" * 64, "sha512:" + "a" * 64])
def test_without_a_root_nothing_is_joined(copy: Copied, other: Path, root: str) -> None:
    with pytest.raises(UsageError) as info:
        take(other, copy.folder, root)
    assert info.value.code == "LF0128"


def test_a_pin_stands_for_the_root(copy: Copied, other: Path) -> None:
    PinStore(other).set("acme", root=f"sha256:{copy.root}", origin=copy.origin)
    assert take(other, copy.folder, "", name="acme").root == copy.root
    PinStore(other).set("else", root="sha256:" + "0" * 64, origin="x")
    with pytest.raises(VerificationFailed) as info:
        take(other, copy.folder, copy.root, name="else")
    assert info.value.code == "LF7224"


def test_an_older_copy_is_refused_where_a_newer_was_seen(
    realm: Realm, copy: Copied, tmp_path: Path, other: Path
) -> None:
    identity.add(realm.home, "acme", "dana", roles=["author"], actor="bob", now=now())
    newer = backup(realm.home, "acme", tmp_path / "newer", keys=False)
    take(other, copy.folder, copy.root)
    take(other, newer.folder, copy.root)
    open_view(other, "acme")
    with pytest.raises(VerificationFailed) as info:
        take(other, copy.folder, copy.root)
    assert info.value.code == "LF7220"
    assert open_view(other, "acme").size == newer.size
    assert left(other) == ["acme"]


def _tampered(folder: Path) -> None:
    connection = sqlite3.connect(folder / "log.db")
    connection.execute("DROP TRIGGER entries_no_update")
    connection.execute("UPDATE entries SET leaf = zeroblob(40) WHERE idx = 1")
    connection.commit()
    connection.close()


def _programmed(folder: Path) -> None:
    connection = sqlite3.connect(folder / "log.db")
    connection.execute("CREATE TRIGGER sly AFTER INSERT ON nodes BEGIN DELETE FROM subjects; END")
    connection.commit()
    connection.close()


def _no_log(folder: Path) -> None:
    (folder / "log.db").unlink()


def _linked(folder: Path) -> None:
    (folder / "log.db").rename(folder / "real.db")
    (folder / "log.db").symlink_to("real.db")


def _pipe(folder: Path) -> None:
    (folder / "log.db").unlink()
    os.mkfifo(folder / "log.db")


def _folder(folder: Path) -> None:
    (folder / "log.db").unlink()
    (folder / "log.db").mkdir()


def _garbage(folder: Path) -> None:
    (folder / "log.db").write_bytes(b"SQLite format 3\x00" + os.urandom(4096))


def _empty(folder: Path) -> None:
    (folder / "log.db").write_bytes(b"")


def _huge(folder: Path) -> None:
    os.truncate(folder / "log.db", 9 * 1024**3)


def _other_database(folder: Path) -> None:
    (folder / "log.db").unlink()
    connection = sqlite3.connect(folder / "log.db")
    connection.execute("CREATE TABLE t (x)")
    connection.commit()
    connection.close()


def _short(folder: Path) -> None:
    os.truncate(folder / "log.db", (folder / "log.db").stat().st_size // 2)


def _lying_blob(folder: Path) -> None:
    (folder / "blobs" / "aa").mkdir(exist_ok=True)
    (folder / "blobs" / "aa" / ("aa" * 32)).write_bytes(b"another")


def _linked_blob(folder: Path) -> None:
    (folder / "blobs" / "aa").mkdir(exist_ok=True)
    (folder / "blobs" / "aa" / ("aa" * 32)).symlink_to("/etc/passwd")


@pytest.mark.parametrize(
    ("spoil", "error"),
    [
        (_tampered, VerificationFailed),
        (_programmed, VerificationFailed),
        (_no_log, NotFound),
        (_linked, InvalidInput),
        (_pipe, InvalidInput),
        (_folder, InvalidInput),
        (_huge, InvalidInput),
        (_garbage, VerificationFailed),
        (_empty, VerificationFailed),
        (_other_database, VerificationFailed),
        (_short, VerificationFailed),
        (_lying_blob, VerificationFailed),
        (_linked_blob, LockflightError),
    ],
    ids=lambda x: x.__name__.strip("_"),
)
def test_a_hostile_folder_is_refused(copy: Copied, other: Path, spoil, error) -> None:  # type: ignore[no-untyped-def]
    spoil(copy.folder)
    with pytest.raises(error):
        take(other, copy.folder, copy.root)
    assert left(other) == []
    assert PinStore(other).realms() == {}


def test_what_is_no_blob_is_left_where_it_is(copy: Copied, other: Path) -> None:
    blobs = copy.folder / "blobs"
    (blobs / "..x").mkdir()
    (blobs / "zz").mkdir()
    (blobs / "zz" / ("a" * 64)).write_bytes(b"x")
    (blobs / "ab").mkdir(exist_ok=True)
    (blobs / "ab" / "readme").write_bytes(b"x")
    (blobs / "cc").symlink_to("/")
    done = take(other, copy.folder, copy.root)
    assert done.blobs == copy.blobs
    assert not (done.folder / "blobs" / "zz").exists()


def test_keys_of_others_are_not_taken(realm: Realm, tmp_path: Path, other: Path) -> None:
    made = backup(realm.home, "acme", tmp_path / "full", keys=True)
    bob = realm.actor("bob")
    (made.folder / "keys" / f"{bob.principal}.pem").write_bytes(
        (made.folder / "keys" / "gate.pem").read_bytes()
    )
    done = take(other, made.folder, made.root, keys=True)
    assert bob.principal not in done.keys


def test_a_backup_never_replaces(realm: Realm, copy: Copied, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as info:
        backup(realm.home, "acme", copy.folder, keys=False)
    assert info.value.code == "LF0131"
    with pytest.raises(EnvironmentProblem) as refused:
        backup(realm.home, "acme", tmp_path / ("x" * 300), keys=False)
    assert refused.value.code == "LF5044"
    assert not [p for p in tmp_path.iterdir() if p.name.startswith(".")]


def test_a_damaged_realm_is_not_backed_up(realm: Realm, tmp_path: Path) -> None:
    path = next((realm.folder / "blobs").glob("??/*"))
    path.write_bytes(b"another")
    with pytest.raises(VerificationFailed):
        backup(realm.home, "acme", tmp_path / "copy", keys=False)
    assert not (tmp_path / "copy").exists()
    shutil.rmtree(realm.folder)
    with pytest.raises(NotFound):
        backup(realm.home, "acme", tmp_path / "copy", keys=False)


def test_a_log_in_a_database_server_is_not_copied(realm: Realm, tmp_path: Path) -> None:
    for path in realm.folder.glob("log.db*"):
        path.unlink()
    address = realm.folder / "store.toml"
    address.write_text('url = "postgresql://log@db.invalid/log"')
    address.chmod(0o600)
    with pytest.raises(EnvironmentProblem) as info:
        backup(realm.home, "acme", tmp_path / "copy", keys=False)
    assert info.value.code == "LF4622"
    assert not (tmp_path / "copy").exists()


def test_an_address_in_a_hostile_folder_is_not_followed(copy: Copied, other: Path) -> None:
    (copy.folder / "store.toml").write_text('url = "postgresql://log@db.invalid/log"')
    done = take(other, copy.folder, copy.root)
    assert not (done.folder / "store.toml").exists()
