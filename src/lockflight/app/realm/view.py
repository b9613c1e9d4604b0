"""A realm, read and verified: what every reading verb starts from. Imports no database library beyond sqlite3.

The log is recomputed from its leaves, its checkpoint's signatures are checked with the keys of the pinned trust
statement, and the newest checkpoint that this home has seen must be a prefix of it.
"""

from __future__ import annotations

import json
import re
from dataclasses import field, replace
from typing import TYPE_CHECKING

from lockflight.app.realm.logs import open_reader
from lockflight.core.attest.acts import Registration
from lockflight.core.attest.trust import Duty, Grant
from lockflight.core.fold.run import advance, fold
from lockflight.core.records import dataclass
from lockflight.core.state.state import FoldEntry, State
from lockflight.core.text.suggest import did_you_mean
from lockflight.core.times import rfc3339
from lockflight.core.verify.crypto.keys import load_der
from lockflight.core.verify.log.log import open_checkpoint, verify_log
from lockflight.errors import EnvironmentProblem, NotFound, UsageError, VerificationFailed
from lockflight.store.log.address import has_log
from lockflight.store.pins import PinStore

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from lockflight.core.attest.trust import Trust
    from lockflight.core.ports import AuditReader
    from lockflight.core.verify.log.log import Known, LogCheckpoint, LogReport

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,38}")
_DIGEST = re.compile(r"[0-9a-f]{64}", re.ASCII)


@dataclass(slots=True)
class RealmView:
    """A verified realm.

    Attributes:
        name: name of the realm's folder in the home.
        folder: where it lies.
        state: the fold of its log.
        size, root_hash: the checkpoint that the fold read.
        timestamp: Unix seconds of the clock's cosignature.
        reader: the log.
        known: what `continued` goes on from.
    """

    name: str
    folder: Path
    state: State
    size: int
    root_hash: str
    timestamp: int
    reader: AuditReader
    known: Known | None = field(default=None, repr=False)
    _names: dict[str, str] | None = field(default=None, repr=False)

    @property
    def checkpoint(self) -> str:
        """`size:root`, as facts name the checkpoint."""
        return f"{self.size}:{self.root_hash}"

    def names(self) -> dict[str, str]:
        """Pseudonym to name, for people and machines whose profile is still held; who has left keeps the last one."""
        if self._names is None:
            granted = [record.fact.key for record in self.state.records if isinstance(record.fact, Grant)]
            profiles = {key.principal: key.profile for key in granted}
            profiles |= {key.principal: key.profile for key in self.state.keys.values() if key.principal}
            self._names = {
                principal: profile.name
                for principal, digest in profiles.items()
                if (profile := read_profile(self.folder, digest)) is not None
            }
        return self._names

    def name_of(self, principal: str) -> str:
        """The person's name, or the pseudonym where it was erased."""
        return self.names().get(principal, principal)


def realm_folder(home: Path, name: str) -> Path:
    """Folder of a realm in the home.

    Raises:
        UsageError: LF0110 the name is not one.
    """
    if not _NAME.fullmatch(name):
        raise UsageError(
            "LF0110",
            f"{name!r} is no name of a realm: lower-case letters, digits and hyphens, at most 39.",
            hint="lockflight config show --origin says where the name comes from.",
        )
    return home / "realms" / name


def need_environment(state: State, name: str) -> None:
    """See that the realm has an environment.

    Raises:
        UsageError: LF0121 it has none of that name.
    """
    if state.environment(name) is None:
        known = f"Environments: {', '.join(state.environments)}."
        raise UsageError(
            "LF0121",
            f"There is no environment {name!r}.",
            hint=did_you_mean(name, state.environments, otherwise=known),
        )


def projects(state: State) -> frozenset[str]:
    """Every project that the realm knows: those with slots, and the names of registered releases."""
    names = {
        r.fact.name
        for records in state.registrations.values()
        for r in records
        if isinstance(r.fact, Registration)
    }
    return frozenset(names | {key[0] for key in state.slots})


def need_project(state: State, name: str) -> None:
    """See that the realm knows a project.

    Raises:
        NotFound: LF4543 it does not.
    """
    known = sorted(projects(state))
    if name not in known:
        raise NotFound(
            "LF4543",
            f"The realm knows no project {name!r}.",
            hint=did_you_mean(name, known, otherwise=f"Projects: {', '.join(known) or 'none yet'}."),
        )


def no_realm(home: Path, name: str) -> NotFound:
    """LF4510, with the realms that the home does hold."""
    known = sorted(path.name for path in (home / "realms").glob("[!.]*") if has_log(path))
    hint = did_you_mean(name, known)
    hint += f" Realms here: {', '.join(known)}." if known else "lockflight realm init NAME makes one."
    if name == "personal":
        hint += " `lockflight check DIR` makes the personal one."
    return NotFound("LF4510", f"There is no realm {name!r} in {home}.", hint=hint.strip())


def open_view(home: Path, name: str, *, verified: list[FoldEntry] | None = None) -> RealmView:
    """Read and verify a realm.

    Args:
        home: the home folder.
        name: the realm.
        verified: takes the entries that were read and verified; what is read a second time may be another log.

    Raises:
        NotFound: LF4510 there is no such realm in this home.
        EnvironmentProblem: LF5042 the realm is here but its root is not pinned.
        VerificationFailed: LF72xx the log contradicts itself, its keys, its pin or what this home has seen.
    """
    folder = realm_folder(home, name)
    if not has_log(folder):
        raise no_realm(home, name)
    pins = PinStore(home)
    pin = pins.get(name)
    if pin is None:
        raise EnvironmentProblem(
            "LF5042",
            f"The realm {name!r} is in this home, but its root is not pinned in {home / 'trust.toml'}.",
            hint=f'Put the root digest that your team published there: [realms.{name}] root = "sha256:…", origin = "…"',
        )
    reader = open_reader(folder)
    seen = pins.read(pin.origin)  # before the log, so that a log that grows meanwhile never looks old
    with reader.snapshot():
        entries = list(_entries(reader))
        state = fold(pin.root.removeprefix("sha256:"), entries)
        log = _LogKeys.of(state.trust)
        if log.origin != pin.origin:
            raise VerificationFailed(
                "LF7232",
                f"The realm {name!r} is pinned to the log {pin.origin!r}, but its root names {log.origin!r}.",
                hint=f"Compare {home / 'trust.toml'} with what your team published.",
            )
        report = verify_log(
            reader, log.origin, log.log_key, log.clock_key, seen, envelopes=False, chained=True
        )
    if verified is not None:
        verified += entries
    return _seen(pins, log, RealmView(name, folder, state, 0, "", 0, reader), report)


def continued(home: Path, view: RealmView) -> RealmView:
    """The view of a realm whose log may have grown since: only what was added is read and verified.

    Raises:
        NotFound, EnvironmentProblem, VerificationFailed: as `open_view`.
    """
    pins = PinStore(home)
    pin, log, known = pins.get(view.name), _LogKeys.of(view.state.trust), view.known
    if pin is None or known is None or (pin.root, pin.origin) != (f"sha256:{view.state.root}", log.origin):
        return open_view(home, view.name)
    seen = pins.read(log.origin)
    # The pin is the checkpoint of the view, or one that others saw since. An older one was put there; see what it says.
    if not seen or log.open(seen).size < known.point.size:
        return open_view(home, view.name)
    reader = view.reader
    with reader.snapshot():
        state = view.state.fork()
        for entry in _entries(reader, view.size):
            advance(state, entry)
        report = verify_log(
            reader, log.origin, log.log_key, log.clock_key, seen, envelopes=False, known=known
        )
    return _seen(pins, log, replace(view, state=state, _names=None), report)


def _entries(reader: AuditReader, start: int = 0) -> Iterator[FoldEntry]:
    for e in reader.entries(start):
        yield FoldEntry(e.index, e.leaf, e.envelope, reader.envelope(e.envelope), e.logged_at)


def _seen(pins: PinStore, log: _LogKeys, view: RealmView, report: LogReport) -> RealmView:
    """The view with what the report found, which is from now on what this home has seen."""
    pins.see(view.reader, origin=log.origin, log_key=log.log_key, clock_key=log.clock_key)
    return replace(
        view,
        size=report.size,
        root_hash=report.root.hex(),
        timestamp=report.timestamp,
        known=report.known,
    )


@dataclass(frozen=True, slots=True)
class _LogKeys:
    origin: str
    log_key: bytes
    clock_key: bytes

    def open(self, note: str) -> LogCheckpoint:
        """A checkpoint of the log, verified."""
        return open_checkpoint(note, origin=self.origin, log_key=self.log_key, clock_key=self.clock_key)

    @staticmethod
    def of(trust: Trust) -> _LogKeys:
        return _LogKeys(
            trust.origin, load_der(trust.key(Duty.LOG).der).raw, load_der(trust.key(Duty.CLOCK).der).raw
        )


@dataclass(frozen=True, slots=True)
class Profile:
    """What a realm knows of a person beside the pseudonym; lies in an erasable blob.

    Attributes:
        name: what people call them.
        emails: addresses under which they commit to version control.
    """

    name: str
    emails: tuple[str, ...] = ()


def read_profile(folder: Path, digest: str) -> Profile | None:
    """The profile in a blob (SHA-256, hex); None when it was erased, or there is none."""
    table = read_blob(folder, digest)
    name, emails = table.get("name"), table.get("emails", [])
    if not isinstance(name, str) or not isinstance(emails, list):
        return None  # whoever granted it wrote no profile: the pseudonym stands for itself
    return Profile(name, tuple(word for word in emails if isinstance(word, str)))


def read_blob(folder: Path, digest: str) -> dict[str, object]:
    """What an erasable blob of a realm's folder says; empty when it was erased, or is no JSON object of that digest."""
    from lockflight.store.blobs import BlobStore

    body = BlobStore(folder / "blobs").get(digest) if _DIGEST.fullmatch(digest) else None
    try:
        found = json.loads(body) if body is not None else {}
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def gone(view: RealmView, name: str) -> str:
    """Since when, and how, a person or machine is gone, as the start of a sentence; empty for everybody else.

    Args:
        view: the realm.
        name: name or pseudonym; whoever bears it now is not gone, whoever bore it before.
    """
    state = view.state
    present = {key.principal for key in state.keys.values() if key.principal}
    if any(name in {principal, view.name_of(principal)} for principal in present):
        return ""
    for record in reversed(state.records):
        fact = record.fact
        if not record.effective or not isinstance(fact, Grant):
            continue
        key = fact.key
        if name not in {key.principal, view.name_of(key.principal)}:
            continue
        taken = state.revoked_people.get(key.principal)
        if taken is not None:
            return f"{name} was revoked at {rfc3339(taken[1].logged_at)} ({taken[0].reason})"
        taken = state.revoked_keys.get(key.keyid)
        if taken is not None:
            return f"{name} lost their key, which was revoked at {rfc3339(taken[1].logged_at)} ({taken[0].reason})"
        if key.principal in state.grant_heads:
            return f"{name} has left"
    return ""
