"""Loading on a host that has no home: a root digest, a snapshot of the realm's log, and what was seen before."""

from __future__ import annotations

import fcntl
import os
import secrets
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from lockflight.core.fold.snapshot import MAX_BYTES, decode, verify_snapshot
from lockflight.core.records import dataclass
from lockflight.core.verify.log.note import MAX_NOTE_BYTES
from lockflight.deploy.admission import MAX_AGE_S, fresh_enough, load_package
from lockflight.errors import EnvironmentProblem, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lockflight.core.state.state import State
    from lockflight.deploy.loaded import Loaded

_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_LOCK = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
_DIGITS = frozenset("0123456789abcdef")


@dataclass(frozen=True, slots=True)
class Trust:
    """What a host without a home believes, and where it remembers what it saw.

    Attributes:
        root: the realm's root digest, `sha256:` and 64 hex digits, as `lockflight realm show` prints it. Where it
            comes from is what everything rests on: put it into the host's image, not beside the package.
        snapshot: file from `lockflight realm snapshot`; nothing in it is believed before it is verified.
        seen: file in which the newest checkpoint seen is remembered, so that an older snapshot is refused; None to
            remember nothing.
        max_age_s: how old the snapshot's newest checkpoint may be, in seconds.
    """

    root: str
    snapshot: str | os.PathLike[str]
    seen: str | os.PathLike[str] | None = None
    max_age_s: int = MAX_AGE_S


def load_offline(
    package: Path, trust: Trust, *, environment: str = "", unpromoted: bool = False, now: int | None = None
) -> Loaded:
    """Open a package by a snapshot of its realm; see `lockflight.load`.

    Args:
        package: the signed folder.
        trust: what is believed.
        environment: whose slot must hold the release.
        unpromoted: do not ask for a slot.
        now: Unix seconds; None to read the clock.

    Raises:
        UsageError: LF7503 the root is no digest, or no environment was named.
        EvidenceMissing: LF7502 the snapshot is too old.
        VerificationFailed: LF7230 it is of another realm; LF7220, LF7221 it is older than, or another than, what was
            seen; LF7101 to LF7103, LF72xx, LF7501 it is damaged. Then as `admission.load_package`.
        EnvironmentProblem: LF7505 a file cannot be read or written.
    """
    state, seen_at = realm_state(trust, now)
    return load_package(
        package,
        state,
        realm=state.trust.name,
        seen_at=seen_at,
        environment=environment,
        unpromoted=unpromoted,
    )


def realm_state(trust: Trust, now: int | None = None) -> tuple[State, int]:
    """The verified state in a snapshot, and the Unix seconds of its newest checkpoint.

    Raises:
        As `load_offline`.
    """
    root = trust.root.removeprefix("sha256:")
    if len(root) != 64 or not _DIGITS.issuperset(root):
        raise UsageError(
            "LF7503",
            f"{trust.root[:80]!r} is no root digest.",
            hint="Trust(root='sha256:…'), as lockflight realm show prints it",
        )
    data = _read(Path(trust.snapshot), MAX_BYTES)
    if data is None:
        raise _trouble(Path(trust.snapshot), "there is no such file")
    snapshot = decode(data)
    if trust.seen is None:
        found = verify_snapshot(snapshot, root)
    else:
        memory = Path(trust.seen)
        with _locked(memory):
            before = (_read(memory, MAX_NOTE_BYTES) or b"").decode("utf-8", "replace")
            found = verify_snapshot(snapshot, root, before)
            if found.note != before:
                _write(memory, found.note.encode())
    fresh_enough(found.state.trust.name, found.timestamp, trust.max_age_s, now)
    return found.state, found.timestamp


def _read(path: Path, limit: int) -> bytes | None:
    try:
        with path.open("rb") as stream:
            return stream.read(limit + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _trouble(path, error.strerror) from error


def _write(path: Path, data: bytes) -> None:
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        fd = os.open(draft, _NEW, 0o600)
        try:
            with os.fdopen(fd, "wb") as stream:
                stream.write(data)
                stream.flush()
                os.fsync(stream.fileno())
            draft.rename(path)
        except OSError:
            with suppress(OSError):
                draft.unlink()
            raise
    except OSError as error:
        raise _trouble(path, error.strerror) from error


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """One process at a time compares and remembers, so that no older checkpoint replaces a newer one."""
    try:
        fd = os.open(path.with_name(f"{path.name}.lock"), _LOCK, 0o600)
    except OSError as error:
        raise _trouble(path, error.strerror) from error
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)


def _trouble(path: Path, why: str | None) -> EnvironmentProblem:
    return EnvironmentProblem(
        "LF7505",
        f"{path} cannot be used: {why}.",
        hint=f"ls -ld {path} {path.parent}",
    )
