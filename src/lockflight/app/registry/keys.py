"""Keys of people and of the realm: made, shown, and replaced before or after they are lost.

A rotation takes nothing back. What the old key signed counts as it did; from the trust statement or grant on, only the
new key adds to it. Taking back is `revoke`, which knows keys that were replaced too.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from lockflight.app.identity.proposals import waiting
from lockflight.app.realm.asof import view_at
from lockflight.app.realm.realm import open_realm, own_files
from lockflight.app.realm.rootkey import replace_trust, root_signer
from lockflight.app.release.resolve import digest_of, keys_ever
from lockflight.core.attest.trust import Duty, Grant, RealmKey, root_digest
from lockflight.core.records import dataclass
from lockflight.core.text.suggest import did_you_mean
from lockflight.core.times import unix
from lockflight.core.verify.crypto.keys import load_der, load_pem
from lockflight.core.verify.realmroot import trust_root
from lockflight.errors import LockflightError, NotFound, UsageError
from lockflight.signing.keys import PUBLIC_SUFFIX, generate, save
from lockflight.signing.uris import public_of, silent

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from lockflight.app.realm.realm import Realm
    from lockflight.app.realm.view import RealmView
    from lockflight.core.state.state import Record, State
    from lockflight.signing.uris import Ask

_ID = re.compile(r"[0-9a-f]{8,64}", re.ASCII)

#: Duties whose keys a trust statement replaces.
ROTATED = (Duty.GATE, Duty.PRODUCER, Duty.ROOT)


@dataclass(frozen=True, slots=True)
class Made:
    """A new key pair as files: the private one (0600), and the public one beside it."""

    path: Path
    public: Path
    keyid: str
    algorithm: str
    protected: bool


def new(path: Path, algorithm: str, passphrase: bytes | None) -> Made:
    """Make a key; no file is ever replaced.

    Raises:
        UsageError: LF7010 another algorithm.
        ConflictError: LF7007 one of the files exists.
        EnvironmentProblem: LF7008 the folder cannot be written.
    """
    signer = generate(algorithm)
    public = save(signer, path, passphrase=passphrase)
    return Made(path, public, signer.keyid, algorithm, protected=passphrase is not None)


@dataclass(frozen=True, slots=True)
class Shown:
    """A key, and what the realm knows of it.

    Attributes:
        keyid: hex SHA-256 of the public key.
        algorithm: of `signing.keys.ALGORITHMS`.
        duty, principal, name, roles, expires: as in `RealmKey`; empty where the realm does not know the key.
        state: active, expired, revoked, replaced, withdrawn, waiting or unknown.
        since: index of the entry that named it first; -1 for none.
        revoked: index of the revocation that hits it; -1 for none.
        here: whether this home holds the private key.
    """

    keyid: str
    algorithm: str
    duty: str = ""
    principal: str = ""
    name: str = ""
    roles: tuple[str, ...] = ()
    expires: str = ""
    state: str = "unknown"
    since: int = -1
    revoked: int = -1
    here: bool = False


def show(
    home: Path, realm_name: str, *, now: int, former: bool, person: str = "", duty: str = ""
) -> list[Shown]:
    """Keys of a realm, its own ones first.

    Args:
        home: folder of realms.
        realm_name: the realm.
        now: Unix seconds.
        former: those that count no more too.
        person: only those of this person or machine, by name or pseudonym; empty for all.
        duty: only those of this duty; empty for all.

    Raises:
        NotFound: LF4510 no such realm, LF4605 nobody of that name.
        VerificationFailed: LF72xx the realm's log.
    """
    view = view_at(home, realm_name, None)
    everything = keys_ever(view.state)
    if person:
        known = {
            key.principal: view.name_of(key.principal) for key, _ in everything.values() if key.principal
        }
        if person not in known and person not in known.values():
            raise NotFound(
                "LF4605",
                f"Nobody called {person!r} ever held a key in the realm {view.name!r}.",
                hint=did_you_mean(person, sorted(known.values()), otherwise="lockflight identity list"),
            )
    rows = []
    for key, record in everything.values():
        if key.keyless or (duty and key.duty.value != duty):
            continue
        if person and person not in {key.principal, view.name_of(key.principal)}:
            continue
        row = _shown(view, key, record, now)
        if row.state and (former or row.state in {"active", "expired", "waiting"}):
            rows.append(row)
    return sorted(rows, key=lambda row: (row.principal != "", row.since))


def show_one(home: Path, realm_name: str, word: str, *, now: int, ask: Ask = silent) -> Shown:
    """The key that a file, a URI or the start of an id names; no passphrase is needed where a `.pub` is there.

    Raises:
        NotFound: LF4524 no key of the realm starts so; as `public_of`.
        VerificationFailed: LF72xx the realm's log.
    """
    view: RealmView | None = None
    missing: NotFound | None = None
    try:
        view = view_at(home, realm_name, None)
    except NotFound as error:
        missing = error  # a key can be looked at without a realm
    word = word.removeprefix("sha256:")
    try:
        public = public_of(word, ask)
    except NotFound:
        if not _ID.fullmatch(word):
            raise
        if view is None:
            raise missing or NotFound("LF4524", "There is no realm to look in.") from None
        everything = keys_ever(view.state)
        keyid, _ = digest_of(word, {keyid: key.principal for keyid, (key, _) in everything.items()}, "key")
        if keyid not in everything:
            raise NotFound(
                "LF4523",
                f"The realm never knew a key of the id {keyid[:16]}.",
                hint="lockflight key show --all",
            ) from None
        return _shown(view, *everything[keyid], now)
    found = keys_ever(view.state).get(public.keyid) if view is not None else None
    if view is None or found is None:
        return Shown(public.keyid, public.algorithm)
    return _shown(view, *found, now)


def _shown(view: RealmView, key: RealmKey, record: Record, now: int) -> Shown:
    state = view.state
    hit = state.revoked_keys.get(key.keyid) or state.revoked_people.get(key.principal)
    return Shown(
        keyid=key.keyid,
        algorithm="" if key.keyless else load_der(key.der).algorithm,
        duty=key.duty.value,
        principal=key.principal,
        name=view.name_of(key.principal) if key.principal else "",
        roles=key.roles,
        expires=_expires(state, key),
        state=_standing(state, key, now),
        since=record.index,
        revoked=hit[1].index if hit is not None else -1,
        here=key.keyid in _here(view.folder / "keys"),
    )


def _standing(state: State, key: RealmKey, now: int) -> str:
    """Where a key stands; empty for one that was proposed, and never given."""
    if key.keyid in state.revoked_keys or key.principal in state.revoked_people:
        return "revoked"
    held = state.keys.get(key.keyid)
    if held is not None:
        ends = _expires(state, held)
        return "expired" if ends and unix(ends) <= now else "active"
    if key.keyid in state.former:
        return "replaced"
    asked = [p for p in waiting(state, now) if isinstance(p.fact, Grant) and p.fact.key.keyid == key.keyid]
    if asked:
        return "waiting"
    given = any(
        record.effective
        and isinstance(record.fact, Grant)
        and record.fact.key.keyid == key.keyid
        and ((asked_for := state.proposals.get(record.digest)) is None or asked_for.consented)
        for record in state.records
    )
    if not given:
        return ""
    return "withdrawn" if key.principal in state.withdrawn else "replaced"


def _expires(state: State, key: RealmKey) -> str:
    """From when it counts no more, RFC 3339 Z: with its grant, or with the realm's trust; empty for never."""
    ends = state.trust.expires if state.keys.get(key.keyid) is not None and key.duty is not Duty.ROOT else ""
    if key.duty in {Duty.LOG, Duty.CLOCK}:
        return ""  # a log without an end may be read, stamped and renewed
    return min(filter(None, (key.expires, ends)), default="")


def _here(folder: Path) -> frozenset[str]:
    """Ids of the private keys in a folder, as the `.pub` beside each says."""
    found = set()
    for path in folder.glob(f"*.pem{PUBLIC_SUFFIX}"):
        if path.with_name(path.name.removesuffix(PUBLIC_SUFFIX)).is_file():
            try:
                found.add(load_pem(path.read_bytes()).keyid)
            except (OSError, LockflightError):
                continue
    return frozenset(found)


@dataclass(frozen=True, slots=True)
class Rotated:
    """A key of the realm's own that another one replaced.

    Attributes:
        duty: of both.
        old, new: their ids.
        file: where the new private key is.
        index: of the trust statement that names it.
        removed: files of the old one that were deleted; what it signed needs only its public half, which is in the log.
    """

    duty: Duty
    old: str
    new: str
    file: Path
    index: int
    removed: tuple[Path, ...]


def rotate(
    home: Path,
    realm_name: str,
    duty: Duty,
    *,
    root_key: str = "",
    ask: Ask = silent,
    out: Path | None = None,
    protect: Callable[[], bytes | None] = lambda: None,
) -> Rotated:
    """Replace a key of the realm's own by a trust statement that the root key in force signs.

    Args:
        home: folder of realms.
        realm_name: the realm.
        duty: gate, producer or root.
        root_key: URI of the realm's root key; empty for the one in the home.
        ask: for its passphrase.
        out: where the new root key is written; None for the home, which keeps those of other duties always.
        protect: gives the passphrase of the new root key in `out`; called when the old one is open.

    Raises:
        UsageError: LF0139 a duty whose key stays; LF0107 `out` for another duty than root, or none for a root key
            that is kept elsewhere.
        ConflictError: LF7007 a file is in the way.
        LockflightError: as `root_signer` and `replace_trust`.
    """
    if duty not in ROTATED:
        raise UsageError(
            "LF0139",
            f"The key of the duty {duty.value} is not replaced: it stays as long as the realm."
            if duty in {Duty.LOG, Duty.CLOCK}
            else "A person's key is replaced by a grant, not by the root key.",
            hint="A new realm succeeds it: docs/how-to/rotate-keys.md"
            if duty in {Duty.LOG, Duty.CLOCK}
            else "lockflight key rotate --as NAME",
        )
    if (duty is Duty.ROOT and bool(root_key) != (out is not None)) or (
        duty is not Duty.ROOT and out is not None
    ):
        raise UsageError(
            "LF0107",
            "A root key that is kept outside of the home is replaced by one outside: --root-key and --out go together."
            if duty is Duty.ROOT
            else f"The {duty.value} key stays in the home: --out is for the root key.",
            hint="lockflight key rotate --help",
        )
    realm = open_realm(home, realm_name)
    trust = realm.state.trust
    root = root_signer(realm, root_key, ask)
    gone = [key for key in trust.keys if key.duty is duty]
    fresh = generate()
    passphrase = protect() if out is not None else None
    path = out if out is not None else own_files(realm.folder / "keys", duty, fresh.keyid)[1]
    keys = [key for key in trust.keys if key.duty is not duty] + [RealmKey(fresh.public_der, duty)]
    order = list(Duty)
    changed = replace(
        trust,
        keys=tuple(sorted(keys, key=lambda key: order.index(key.duty))),
        prev=root_digest(trust.statement().payload()),
    )
    trust_root(changed)
    written = [save(fresh, path, passphrase=passphrase), path]
    index = replace_trust(realm, changed, root, f"rotate the {duty.value} key", written=written)
    removed = tuple(file for key in gone for file in _remove(realm, key))
    return Rotated(duty, gone[0].keyid if gone else "", fresh.keyid, path, index, removed)


def _remove(realm: Realm, key: RealmKey) -> list[Path]:
    """Delete the files of a key that signs nothing more; one that cannot be deleted does no harm by staying."""
    removed = []
    for path in own_files(realm.folder / "keys", key.duty, key.keyid):
        public = path.with_name(path.name + PUBLIC_SUFFIX)
        try:
            if load_pem(public.read_bytes()).keyid == key.keyid:
                path.unlink()
                public.unlink()
                removed.append(path)
        except (OSError, LockflightError):
            continue
    return removed
