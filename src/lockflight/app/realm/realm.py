"""A realm that can be written: making one, appending statements, acting as a person.

`file:` realms run commands in this process with the keys of the home; each duty has its own key. A realm is built in
a temporary folder and renamed into place, so that a half-written home never exists.
"""

from __future__ import annotations

import contextlib
import json
import secrets
import shutil
from typing import TYPE_CHECKING

from lockflight.app.realm import clock
from lockflight.app.realm.asof import view_at
from lockflight.app.realm.logs import open_log
from lockflight.app.realm.settings import PERSONAL
from lockflight.app.realm.view import RealmView, continued, gone, realm_folder
from lockflight.core.attest.trust import LADDER, Duty, Grant, RealmKey, RealmKind, Trust, root_digest
from lockflight.core.canonical import dumps
from lockflight.core.records import dataclass
from lockflight.core.text.suggest import did_you_mean
from lockflight.core.verify.crypto.keys import ED25519, P256
from lockflight.core.words import PERSON_ROLES
from lockflight.errors import ConflictError, EnvironmentProblem, PolicyDenied, UsageError
from lockflight.signing.keys import PUBLIC_SUFFIX, FileSigner, generate, load, save
from lockflight.signing.oms import sign_statement
from lockflight.store.blobs import BlobStore
from lockflight.store.files import locked, make_folder, sync_folder
from lockflight.store.log.address import fault, has_log, write_address
from lockflight.store.pins import PinStore

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from lockflight.core.attest.statement import Statement
    from lockflight.core.ports import Receipt, Signer
    from lockflight.core.state.state import State
    from lockflight.log.writer import LogWriter


@dataclass(frozen=True, slots=True)
class Member:
    """A person to be granted a key: name and roles."""

    name: str
    roles: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Actor:
    """A person of the realm whose key is in this home."""

    principal: str
    name: str
    roles: tuple[str, ...]
    signer: FileSigner


class Realm:
    """A `file:` realm: view, keys and log in one process.

    Args:
        home, name: where it is.
        as_of: Unix seconds of an earlier time to read it at; None for now.
    """

    def __init__(self, home: Path, name: str, *, as_of: int | None = None) -> None:
        self.home = home
        self.name = name
        self.as_of = as_of
        self.folder = realm_folder(home, name)
        self._view: RealmView | None = None
        self._grown = False
        self._log: LogWriter | None = None

    @property
    def view(self) -> RealmView:
        """The verified view; after each append it goes on with what the log has got since."""
        if self._view is None or (self._grown and self.as_of is not None):
            self._view = view_at(self.home, self.name, self.as_of)
        elif self._grown:
            self._view = continued(self.home, self._view)
        self._grown = False
        return self._view

    @property
    def state(self) -> State:
        """The fold."""
        return self.view.state

    @property
    def personal(self) -> bool:
        """Whether its decisions count for development only."""
        return self.state.trust.kind is RealmKind.PERSONAL

    def holds(self, duty: Duty) -> bool:
        """Whether the realm's own key of a duty is in this home; the root key may be kept offline."""
        return self._own(duty) is not None

    def signer(self, duty: Duty) -> FileSigner:
        """The realm's own key of a duty.

        Raises:
            EnvironmentProblem: LF5043 the home does not hold it.
        """
        found = self._own(duty)
        if found is None:
            older = next((self.folder / "keys").glob(f"{duty.value}*.pem"), None)
            but = ", but one that was replaced" if older is not None else ""
            raise EnvironmentProblem(
                "LF5043",
                f"This home does not hold the {duty.value} key of the realm {self.name!r}{but}.",
                hint="Run the command where the realm's keys are, or export your evidence for it.",
            )
        return found

    def _own(self, duty: Duty) -> FileSigner | None:
        """The key that the trust statement in force names; one that it replaced signs nothing that counts."""
        keys = {key.keyid for key in self.state.trust.keys if key.duty is duty}
        for keyid in keys:
            for path in own_files(self.folder / "keys", duty, keyid):
                if path.is_file() and (signer := load(path)).keyid == keyid:
                    return signer
        return None

    def actor(self, name: str = "") -> Actor:
        """The person who acts.

        Raises:
            UsageError: LF0111 several people and no name; LF0112 nobody of that name with a key here.
            PolicyDenied: LF4607 who is named left, or was revoked.
        """
        actors = list(self.actors())
        names = sorted(a.name for a in actors)
        if name:
            for actor in actors:
                if name in {actor.name, actor.principal}:
                    return actor
            why = gone(self.view, name)
            if why:
                raise PolicyDenied(
                    "LF4607",
                    f"{why}, and says nothing more in the realm {self.name!r}.",
                    hint="lockflight identity list shows who does; --as NAME",
                )
            raise UsageError(
                "LF0112",
                f"This home holds no key of {name!r} in the realm {self.name!r}.",
                hint=did_you_mean(name, names, otherwise=f"Known here: {', '.join(names) or 'nobody'}."),
            )
        if len(actors) == 1:
            return actors[0]
        raise UsageError(
            "LF0111",
            f"The realm {self.name!r} has {len(actors)} people with a key in this home; who acts?",
            hint=f"Add --as NAME (or LOCKFLIGHT_AS): {', '.join(names) or 'nobody'}.",
        )

    def actors(self) -> Iterable[Actor]:
        """People whose key is in this home."""
        for principal, key in sorted(self.state.people().items()):
            signer = self.key_of(key)
            if signer is not None:
                yield Actor(principal, self.view.name_of(principal), key.roles, signer)

    def key_of(self, key: RealmKey) -> FileSigner | None:
        """The private key of a person or machine; None where this home does not hold it."""
        folder = self.folder / "keys"
        for name in (key.principal, f"{key.principal}-{key.keyid[:16]}"):
            path = folder / f"{name}.pem"
            if path.is_file() and (signer := load(path)).keyid == key.keyid:
                return signer
        return None

    def keep(self, principal: str, signer: FileSigner) -> Path:
        """Write a new private key of a person or machine (0600), beside those that they had before."""
        folder = self.folder / "keys"
        path = folder / f"{principal}.pem"
        if path.exists():
            path = folder / f"{principal}-{signer.keyid[:16]}.pem"
        save(signer, path)
        return path

    def producer(self, name: str = "") -> FileSigner:
        """The key that signs evidence: that of the named machine, if it is one, else the realm's own.

        Raises:
            UsageError: LF0112 the machine's key is not here.
            PolicyDenied: LF4604 the machine's key expired.
            EnvironmentProblem: LF5043 the home does not hold the realm's.
        """
        machine = self.machine(name)
        if machine is None:
            return self.signer(Duty.PRODUCER)
        signer = self.key_of(machine)
        if signer is None:
            raise UsageError(
                "LF0112",
                f"This home holds no key of the machine {name!r} in the realm {self.name!r}.",
                hint="lockflight identity list",
            )
        if machine.expired(max(clock.now(), self.view.timestamp)):
            raise PolicyDenied(
                "LF4604",
                f"The key of the machine {name} expired at {machine.expires}; what it signs does not count.",
                hint=f"lockflight identity renew {name} --as NAME",
            )
        return signer

    def machine(self, name: str) -> RealmKey | None:
        """The machine of that name or pseudonym; None when it is none."""
        for key in self.state.keys.values():
            named = key.principal and name in {key.principal, self.view.name_of(key.principal)}
            if named and key.duty is Duty.PRODUCER:
                return key
        return None

    def reread(self) -> None:
        """Let the next look at the realm read and verify it again."""
        self._view = None

    def append(self, items: Sequence[tuple[Statement, Signer]]) -> list[Receipt]:
        """Sign statements and record them."""
        return self.append_envelopes(
            [(sign_statement(statement, signer).encode(), signer.public_der) for statement, signer in items]
        )

    def append_envelopes(self, items: Sequence[tuple[bytes, bytes]]) -> list[Receipt]:
        """Record envelopes (bytes, signer's public key) durably; the next look at the view shows them."""
        receipts = self.log().append(items)
        self._grown = True
        return receipts

    def log(self) -> LogWriter:
        """The log, opened for writing once."""
        if self._log is None:
            self._log = open_log(
                self.folder,
                origin=self.state.trust.origin,
                log_signer=self.signer(Duty.LOG),
                clock_signer=self.signer(Duty.CLOCK),
                clock=clock.now,
                pins=PinStore(self.home),
            )
        return self._log

    def put_blob(self, body: dict[str, object]) -> str:
        """Store an erasable blob with a salt, so that its digest tells nothing; returns the digest."""
        return BlobStore(self.folder / "blobs").put(dumps({**body, "salt": secrets.token_hex(16)}))

    def erase_blob(self, digest: str) -> None:
        """Forget a blob."""
        BlobStore(self.folder / "blobs").erase(digest)

    def blob(self, digest: str) -> dict[str, object]:
        """An erasable blob's content; empty when it was erased."""
        raw = BlobStore(self.folder / "blobs").get(digest) if digest else None
        return json.loads(raw) if raw is not None else {}


def own_files(folder: Path, duty: Duty, keyid: str) -> tuple[Path, Path]:
    """Where a key of the realm's own may lie: the first one of a duty, or one that came by rotation."""
    return folder / f"{duty.value}.pem", folder / f"{duty.value}-{keyid[:16]}.pem"


def open_realm(home: Path, name: str, *, person: str = "you") -> Realm:
    """Open a realm for writing; the personal one is made on first use.

    Raises:
        NotFound: LF4510 no team realm of that name.
    """
    realm = Realm(home, name)
    if name == PERSONAL and not has_log(realm.folder):
        with contextlib.suppress(ConflictError):  # another process made it between the look and the lock
            create_realm(home, name, RealmKind.PERSONAL, [Member(person, ("author",))])
    return realm


def create_realm(
    home: Path,
    name: str,
    kind: RealmKind,
    members: Sequence[Member],
    *,
    root_key: Path | None = None,
    passphrase: bytes | None = None,
    store: str = "",
) -> Realm:
    """Make a realm: keys by duty, the trust statement, a grant for each member, the pin.

    Args:
        home: where.
        name: of the realm.
        kind: personal, team or simulator.
        members: its first people.
        root_key: where the root key is written instead of the home, to be taken offline; None for the home.
        passphrase: protects that file; None for none.
        store: address of the database for its log; empty for a file in its folder.

    Raises:
        UsageError: LF0110, LF0113 unknown role, LF0114 a name twice, LF0115 nobody to approve, LF0129 the store's
            address.
        ConflictError: LF4511 there is one of that name.
        EnvironmentProblem: LF5044 the home cannot be written, LF5030 to LF5047 the store.
    """
    folder = realm_folder(home, name)
    _check_members(kind, members)
    _check_store(store)
    try:
        make_folder(home)
        make_folder(folder.parent)
        with locked(folder.parent / ".lock", "home"):
            _remove_half_built(folder)
            if folder.exists():
                raise ConflictError(
                    "LF4511",
                    f"The realm {name!r} exists already in {home}.",
                    hint=f"lockflight realm show --realm {name}",
                )
            building = folder.parent / f".{name}.building"
            make_folder(building)
            if store:
                write_address(building, store)
            path = root_key if root_key is not None else building / "keys" / "root.pem"
            trust = _build(building, name, kind, members, (path, passphrase))
            try:
                root = root_digest(trust.statement().payload())
                PinStore(home).set(name, root=f"sha256:{root}", origin=trust.origin)
                building.rename(folder)
                sync_folder(folder.parent)
            except BaseException:
                _forget_root(root_key)
                raise
    except OSError as error:
        raise EnvironmentProblem(
            "LF5044",
            f"The home {home} cannot be written: {error.strerror}.",
            hint="Set LOCKFLIGHT_HOME to a folder of yours.",
        ) from error
    return Realm(home, name)


def _remove_half_built(folder: Path) -> None:
    """What a killed first use left behind; the lock is held, so nobody is building now."""
    shutil.rmtree(folder.parent / f".{folder.name}.building", ignore_errors=True)


def _check_members(kind: RealmKind, members: Sequence[Member]) -> None:
    names = [m.name for m in members]
    if len(set(names)) != len(names):
        raise UsageError(
            "LF0114",
            "A member is named twice; one person has one entry.",
            hint="lockflight realm init --help",
        )
    for member in members:
        for role in member.roles:
            if role not in PERSON_ROLES:
                raise UsageError(
                    "LF0113", f"{role!r} is no role.", hint=f"Use one of {', '.join(PERSON_ROLES)}."
                )
    approvers = {m.name for m in members if "approver" in m.roles}
    if kind is not RealmKind.PERSONAL and not any(approvers - {m.name} for m in members):
        raise UsageError(
            "LF0115",
            "Nobody could approve what another person made: a team realm needs two people, one of them an approver.",
            hint="lockflight realm init NAME --member alice=author --member bob=approver",
        )


def _check_store(store: str) -> None:
    why = fault(store) if store else ""
    if why:
        raise UsageError(
            "LF0129",
            f"The address of the store cannot be used: {why}.",
            hint="postgresql://USER@HOST/DATABASE; lockflight config show --origin says where it comes from.",
        )


def _forget_root(root_key: Path | None) -> None:
    """Remove the key of a realm that was not made after all."""
    if root_key is not None:
        root_key.unlink(missing_ok=True)
        root_key.with_name(root_key.name + PUBLIC_SUFFIX).unlink(missing_ok=True)


def _build(
    folder: Path,
    name: str,
    kind: RealmKind,
    members: Sequence[Member],
    root_file: tuple[Path, bytes | None],
) -> Trust:
    keys = folder / "keys"
    make_folder(keys)
    duties = {Duty.ROOT: generate(P256)}
    save(duties[Duty.ROOT], root_file[0], passphrase=root_file[1])
    try:
        for duty in (Duty.LOG, Duty.CLOCK, Duty.GATE, Duty.PRODUCER):
            algorithm = ED25519 if duty in {Duty.LOG, Duty.CLOCK} else P256
            duties[duty] = _new_key(keys / f"{duty.value}.pem", algorithm)
        return _found(folder, name, kind, members, duties)
    except BaseException:
        _forget_root(root_file[0])
        raise


def _found(
    folder: Path, name: str, kind: RealmKind, members: Sequence[Member], duties: Mapping[Duty, FileSigner]
) -> Trust:
    """Write the realm's first entries: its trust statement and the grants of its first people."""
    keys = folder / "keys"
    trust = Trust(
        name=name,
        kind=kind,
        origin=_origin(name, duties[Duty.ROOT]),
        keys=tuple(RealmKey(s.public_der, duty) for duty, s in duties.items()),
        ladder=LADDER,
    )
    root = duties[Duty.ROOT]
    blobs = BlobStore(folder / "blobs")
    items = [(sign_statement(trust.statement(), root).encode(), root.public_der)]
    for member in members:
        principal = f"p-{secrets.token_hex(8)}"
        signer = _new_key(keys / f"{principal}.pem", P256)
        profile = blobs.put(dumps({"name": member.name, "salt": secrets.token_hex(16)}))
        grant = Grant(
            RealmKey(signer.public_der, Duty.PERSON, principal, member.roles, profile),
            realm=root_digest(trust.statement().payload()),
        )
        items.append((sign_statement(grant.statement(), root).encode(), root.public_der))
    log = open_log(
        folder,
        origin=trust.origin,
        log_signer=duties[Duty.LOG],
        clock_signer=duties[Duty.CLOCK],
        clock=clock.now,
        pins=None,
    )
    log.append(items)
    log.close()
    return trust


def _new_key(path: Path, algorithm: str) -> FileSigner:
    signer = generate(algorithm)
    save(signer, path)
    return signer


def _origin(name: str, root: FileSigner) -> str:
    """The log's origin: unique by its key, under a host that can never resolve (RFC 2606)."""
    return f"realm.invalid/{name}-{root.keyid[:16]}"
