"""A realm on its way: backups of it, and joining one that somebody else holds.

What is joined is believed for one thing only: that its root digest is the one that the operator gave, or that this
home pinned before. Everything else follows from the log, which is verified before it is put in place.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
from typing import TYPE_CHECKING

from lockflight.app.realm.logs import open_reader
from lockflight.app.realm.view import open_view, realm_folder
from lockflight.core.attest.trust import Authorities, Duty
from lockflight.core.fold.run import fold
from lockflight.core.records import dataclass
from lockflight.core.state.state import FoldEntry
from lockflight.core.verify.crypto.keys import load_der
from lockflight.core.verify.log.log import verify_log
from lockflight.errors import ConflictError, EnvironmentProblem, UsageError
from lockflight.signing.keys import load, save
from lockflight.store.files import locked, make_folder, read_file, replace_file, sync_folder
from lockflight.store.log.address import read_address
from lockflight.store.log.copies import copy_log, take_blobs, take_log
from lockflight.store.pins import PinStore

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from lockflight.core.state.state import State

SCHEMA = "https://lockflight.dev/schema/realm-copy/v1"
_ROOT = re.compile(r"(?:sha256:)?([0-9a-f]{64})", re.ASCII)
_MAX_SECRET = 16 * 1024


@dataclass(frozen=True, slots=True)
class Copied:
    """A copy of a realm.

    Attributes:
        folder: where it is.
        name, root, origin: of the realm; the root is hex.
        size: entries.
        blobs: how many were copied.
        keys: names of the private keys that were copied.
    """

    folder: Path
    name: str
    root: str
    origin: str
    size: int
    blobs: int
    keys: tuple[str, ...]


def backup(home: Path, name: str, out: Path, *, keys: bool) -> Copied:
    """Copy a realm as it is between two commits; the copy appears only when it is whole and verified.

    Args:
        home: folder of realms.
        name: the realm.
        out: a new folder.
        keys: the private keys too; whoever holds these is everybody in the realm.

    Raises:
        UsageError: LF0131 `out` is there already.
        NotFound, VerificationFailed: as `open_view`.
        EnvironmentProblem: LF4622 the log is in a database server; LF5044 it cannot be written.
    """
    if os.path.lexists(out):
        raise UsageError("LF0131", f"{out} exists already.", hint="Choose a new folder with --out.")
    if read_address(realm_folder(home, name)):
        raise EnvironmentProblem(
            "LF4622",
            f"The realm {name!r} keeps its log in a database server, not in this home.",
            hint="pg_dump copies it; keep the realm's folder with the dump.",
        )
    view = open_view(home, name)
    draft = out.absolute().with_name(f".{out.name}.{secrets.token_hex(4)}")
    try:
        make_folder(draft)
        # The log first: what its entries refer to was stored before they were, so no blob is missed.
        copy_log(view.folder, draft)
        blobs = take_blobs(view.folder, draft)
        copied = _secrets(view.folder / "keys", draft / "keys") if keys else ()
        state, size = _verified(draft, view.state.root, "")
        about = {"schema": SCHEMA, "name": name, "root": f"sha256:{state.root}", "origin": state.trust.origin}
        replace_file(draft / "realm.json", json.dumps({**about, "size": size}, indent=2).encode() + b"\n")
        draft.rename(out.absolute())
        sync_folder(out.absolute().parent)
    except OSError as error:
        raise _unwritable(out, error) from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return Copied(out, name, state.root, state.trust.origin, size, blobs, tuple(copied))


def join(home: Path, source: Path, *, root: str, name: str, keys: bool) -> Copied:
    """Take a realm over from a folder or backup, after it proved to be the one that was asked for.

    Args:
        home: folder of realms.
        source: folder with `log.db`; nothing in it is trusted.
        root: root digest; empty for what this home pinned under `name`.
        name: what to call it here; empty for the name in its trust statement.
        keys: take those private keys over that belong to the realm.

    Raises:
        UsageError: LF0110 the name; LF0128 no root digest.
        NotFound: LF5035 there is no log.
        InvalidInput: LF4621 links, odd files or sizes.
        VerificationFailed: LF7230 another root; LF72xx the log; LF7224 the name is pinned to another realm.
        ConflictError: LF4511 there is one of that name, with keys.
        EnvironmentProblem: LF5044 it cannot be written.
    """
    wanted = _root(home, root, name)
    building = home / "realms" / f".join-{secrets.token_hex(8)}"
    try:
        make_folder(building / "raw")
        take_log(source, building / "raw")
        copy_log(building / "raw", building)
        shutil.rmtree(building / "raw")
        blobs = take_blobs(source, building)
        state, size = _verified(building, wanted, _seen(home, building, wanted))
        name = name or state.trust.name
        folder = realm_folder(home, name)
        taken = tuple(_own_keys(state, source / "keys", building / "keys")) if keys else ()
        with locked(home / "realms" / ".lock", "home"):
            if folder.exists() and any((folder / "keys").glob("*.pem")):
                raise ConflictError(
                    "LF4511",
                    f"The realm {name!r} exists already in {home}, with its keys.",
                    hint="--name NAME takes it over under another name.",
                )
            PinStore(home).set(name, root=f"sha256:{wanted}", origin=state.trust.origin)
            _put(building, folder)
    except OSError as error:
        raise _unwritable(home, error) from error
    finally:
        shutil.rmtree(building, ignore_errors=True)
    return Copied(folder, name, wanted, state.trust.origin, size, blobs, taken)


def _root(home: Path, word: str, name: str) -> str:
    if not word:
        pin = PinStore(home).get(name) if name else None
        if pin is None:
            raise UsageError(
                "LF0128",
                "Which realm is it? Without a root digest any folder would do.",
                hint="--root sha256:…, as your team published it (lockflight realm show)",
            )
        return pin.root.removeprefix("sha256:")
    found = _ROOT.fullmatch(word)
    if found is None:
        raise UsageError(
            "LF0128", f"{word[:80]!r} is no root digest.", hint="--root sha256: and 64 hex digits"
        )
    return found[1]


def _entries(folder: Path) -> Iterable[FoldEntry]:
    reader = open_reader(folder)
    try:
        with reader.snapshot():
            yield from (
                FoldEntry(e.index, e.leaf, e.envelope, reader.envelope(e.envelope), e.logged_at)
                for e in reader.entries()
            )
    finally:
        reader.close()


def _seen(home: Path, folder: Path, root: str) -> str:
    """The newest checkpoint of this very log that the home has seen; an older copy is refused."""
    return PinStore(home).read(fold(root, _entries(folder)).trust.origin)


def _verified(folder: Path, root: str, seen: str) -> tuple[State, int]:
    state = fold(root, _entries(folder))
    trust = state.trust
    reader = open_reader(folder)
    try:
        log_key, clock_key = (load_der(trust.key(duty).der).raw for duty in (Duty.LOG, Duty.CLOCK))
        report = verify_log(reader, trust.origin, log_key, clock_key, seen)
    finally:
        reader.close()
    return state, report.size


def _put(building: Path, folder: Path) -> None:
    old = building.with_name(building.name + ".old")
    if folder.exists():
        folder.rename(old)
    building.rename(folder)
    sync_folder(folder.parent)
    shutil.rmtree(old, ignore_errors=True)


def _secrets(source: Path, target: Path) -> list[str]:
    """Copy every key file and second factor of our own realm."""
    make_folder(target)
    names = []
    for path in sorted(source.iterdir()):
        if path.suffix in {".pem", ".pub", ".totp"} and (data := read_file(path, _MAX_SECRET)) is not None:
            replace_file(target / path.name, data)
            names += [path.stem] if path.suffix == ".pem" else []
    return names


#: How the key files of a realm's authorities begin; see `app.authority`.
_AUTHORITIES = ("ca", "ct", "tsa")


def _own_keys(state: State, source: Path, target: Path) -> Iterable[str]:
    """Copy the private keys that belong to keys of the realm, under the names that this home uses."""
    make_folder(target)
    for key in state.keys.values():
        first = key.principal or key.duty.value
        for name in (first, f"{first}-{key.keyid[:16]}"):
            path = source / f"{name}.pem"
            if path.is_file() and (signer := load(path)).keyid == key.keyid:
                save(signer, target / path.name)
                yield name
                break
        factor = read_file(source / f"{key.principal}.totp", _MAX_SECRET) if key.principal else None
        if factor is not None:
            replace_file(target / f"{key.principal}.totp", factor)
    known = _authority_keys(state)
    for path in (
        sorted(path for name in _AUTHORITIES for path in source.glob(f"{name}*.pem")) if known else ()
    ):
        if (signer := load(path)).public_der in known:
            save(signer, target / path.name)
            yield path.stem


def _authority_keys(state: State) -> frozenset[bytes]:
    """Public keys of the realm's certificate authorities, certificate logs and time-stamp authorities."""
    if state.trust.authorities == Authorities():
        return frozenset()
    # Certificates cost an import that realms without an authority do not need.
    from lockflight.core.verify.realmroot import trust_root

    root = trust_root(state.trust)
    chains = [one.certificates for one in root.issuers] + [one.certificates for one in root.stampers]
    return frozenset(
        [one.public_der for chain in chains for one in chain] + [one.key.der for one in root.certificate_logs]
    )


def _unwritable(path: Path, error: OSError) -> EnvironmentProblem:
    return EnvironmentProblem(
        "LF5044",
        f"{path} cannot be written or read: {error.strerror}.",
        hint=f"ls -ld {path}; df -h {path}",
    )
