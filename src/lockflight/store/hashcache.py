"""What hashing found out about large files, so that files whose bytes cannot have changed are not read again.

A file is recognised by device, inode, size, mtime and ctime. That is sound only under conditions, and wherever one of
them is not met the file is read:

- it lies on a local file system that changes ctime with every write (never a network, overlay or memory one), and only
  its owner, who must be us or root, may write it;
- ctime is older than the moment before the read by more than any clock's granularity and any step back of the clock
  that goes unnoticed: else a later write could leave the same time behind (git calls such a file racily clean);
- it was synced before the read: writes through a mapping whose pages are dirty already change no time stamp, and the
  sync makes the next one do so.

The cache lies in the home, never in what is hashed; a key in the home authenticates it, so that nobody without that
home writes it. Whoever acts as the same user could as well sign. It only ever spares work: what goes into a package
is hashed when it is copied, what a check reads is hashed before, and verification never asks a cache.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import secrets
import stat
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

from lockflight.core.records import dataclass
from lockflight.core.release.rows import RowIndex, parse_row_index
from lockflight.core.release.tensors import TensorIndex
from lockflight.errors import EnvironmentProblem
from lockflight.infra.files import Folder, Identity
from lockflight.infra.hashing import SMALL, Digests
from lockflight.store.files import locked, make_folder, read_file, replace_file

if TYPE_CHECKING:
    from collections.abc import Callable

    from lockflight.infra.files import FdSource, FileSource

SCHEMA: Final = "lockflight-hash-cache/v1"
#: Raised when what is found out about the same bytes changes: media types, tensor indexes, rows.
LOOK: Final = 2
#: Nanoseconds by which ctime must be past. More than the granularity of any clock of `LOCAL`, and than `STEP`.
SETTLED: Final = 2_000_000_000
#: A step back of the clock, in nanoseconds, that may go unnoticed.
STEP: Final = 1_500_000_000
#: File systems that keep their time stamps themselves and see the first write to a clean page of a mapping.
LOCAL: Final = frozenset({"ext2", "ext3", "ext4", "xfs", "btrfs", "f2fs"})
MAX_BYTES: Final = 32 * 1024 * 1024
MAX_FOLDERS: Final = 64
MAX_TOTAL: Final = 128 * 1024 * 1024
_KEY_BYTES: Final = 32
_OTHERS: Final = 0o022
_SECOND: Final = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Found:
    """What is known of a file: digests, media type, the parts of a safetensors file, rows or why there are none."""

    digests: Digests
    media_type: str
    tensors: TensorIndex | None = None
    rows: RowIndex | str | None = None


@dataclass(frozen=True, slots=True)
class Moment:
    """A reading of the clocks.

    Attributes:
        now: nanoseconds since 1970, as the system says.
        boot: which start of the system this is.
        ahead: `now` less the nanoseconds since then; smaller than before, the clock was set back.
    """

    now: int
    boot: str
    ahead: int


def read_clocks() -> Moment:
    """The clocks of this machine.

    Raises:
        OSError: it has none that only moves forward.
    """
    boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    now = time.time_ns()
    return Moment(now, boot, now - time.clock_gettime_ns(time.CLOCK_BOOTTIME))


def file_system(fd: int) -> str:
    """Type of the file system that an open file or folder lies on, such as `ext4`; empty where it cannot be said."""
    try:
        told = Path(f"/proc/self/fdinfo/{fd}").read_text(encoding="ascii")
        mount = next(line.split()[1] for line in told.splitlines() if line.startswith("mnt_id:"))
        for line in Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines():
            if line.split(" ", 1)[0] == mount:
                return line.partition(" - ")[2].split(" ", 1)[0]
    except (OSError, ValueError, StopIteration, IndexError):
        pass
    return ""


class HashCache:
    """What is remembered of one folder's files. Made by `open`; every trouble with it means that files are read.

    Args:
        place: the file that it is kept in.
        key: 32 bytes.
        folder: absolute path of the folder that is hashed.
        device: number of the file system that the folder lies on.
        version: of the program; what another one found out is not asked.
        clocks: read before each file that may be remembered.
    """

    def __init__(
        self,
        place: Path,
        key: bytes,
        folder: str,
        device: int,
        version: str = "",
        clocks: Callable[[], Moment] = read_clocks,
    ) -> None:
        self._place = place
        self._key = key
        self._folder = folder
        self._device = device
        self._made = f"{version} {LOOK}"
        self._clocks = clocks
        self._known: dict[str, tuple[Identity, Found]] = {}
        self._used: dict[str, tuple[Identity, Found]] = {}
        self._started = clocks()
        self._ahead = self._started.ahead
        self._load()

    @classmethod
    def open(
        cls,
        home: Path,
        folder: Path,
        *,
        version: str = "",
        clocks: Callable[[], Moment] = read_clocks,
        kind: Callable[[int], str] = file_system,
    ) -> Self | None:
        """The cache for a folder; None where none would be sound, or none can be kept.

        Args:
            home: where it is kept; not in the folder.
            folder: what is hashed.
            version: of the program.
            clocks: of this machine.
            kind: type of the file system of a descriptor.
        """
        try:
            real = folder.resolve(strict=True)
            if home.resolve().is_relative_to(real):
                return None
            with Folder(real) as opened:
                device = os.fstat(opened.fileno()).st_dev
                if kind(opened.fileno()) not in LOCAL:
                    return None
            kept = home / "cache" / "hashes"
            make_folder(kept)
            key = _key(home / "cache")
            name = hashlib.sha256(os.fsencode(real)).hexdigest()
            return cls(kept / f"{name}.json", key, str(real), device, version, clocks)
        except (OSError, ValueError, AttributeError):
            return None

    def recall(self, source: FdSource) -> Found | None:
        """What is known of an open file, if it cannot be another than it was."""
        held = self._known.get(source.name)
        if held is None or held[0] != source.identity or not self._protected(source):
            return None
        self._used[source.name] = held
        return held[1]

    def settle(self, source: FdSource) -> bool:
        """Before a file is read: whether what is found may be remembered; see the rules above."""
        if source.size <= SMALL or not self._protected(source):
            return False
        ctime = source.identity.ctime_ns
        try:
            os.fdatasync(source.fileno())
            now = self._clocks().now
        except OSError:
            return False
        # Whole seconds are what a file system writes that knows no smaller ones.
        return ctime % _SECOND != 0 and ctime + SETTLED <= now

    def keep(self, source: FileSource, found: Found) -> None:
        """Remember a file that `settle` allowed and that is still the one that was opened."""
        self._used[source.name] = (source.identity, found)

    def keep_rows(self, name: str, rows: RowIndex | str) -> None:
        """Remember the rows of a file that is remembered, or in words why it has none."""
        held = self._used.get(name)
        if held is not None and held[1].rows is None:
            self._used[name] = (held[0], replace(held[1], rows=rows))

    def save(self) -> None:
        """Write down what was used and learnt; what was not asked for is gone from the folder, and forgotten."""
        if self._used == self._known:
            return
        try:
            moment = self._clocks()
            body = json.dumps(
                {
                    "schema": SCHEMA,
                    "made": self._made,
                    "folder": self._folder,
                    "now": moment.now,
                    "boot": moment.boot,
                    "ahead": max(moment.ahead, self._ahead),
                    "files": {name: _row(*held) for name, held in sorted(self._used.items())},
                },
                separators=(",", ":"),
            ).encode()
            if len(body) > MAX_BYTES or moment.now < self._started.now:
                return
            with locked(self._place.parent / "lock", "the cache of hashes"):
                replace_file(self._place, self._tag(body) + b"\n" + body, durable=False)
                _prune(self._place)
            self._known = dict(self._used)
        except (OSError, ValueError, EnvironmentProblem):
            return

    def forget(self) -> None:
        """Everything about this folder; for whoever saw that something in it does not hold."""
        self._known.clear()
        self._used.clear()
        with suppress(OSError):
            self._place.unlink(missing_ok=True)

    def _protected(self, source: FdSource) -> bool:
        info = os.fstat(source.fileno())
        return (
            info.st_dev == self._device
            and info.st_uid in {0, os.geteuid()}
            and not stat.S_IMODE(info.st_mode) & _OTHERS
        )

    def _load(self) -> None:
        try:
            data = read_file(self._place, MAX_BYTES + 2 * _KEY_BYTES + 1) or b""
            tag, _, body = data.partition(b"\n")
            if not hmac.compare_digest(tag, self._tag(body)):
                return
            raw = json.loads(body)
            if (raw["schema"], raw["made"], raw["folder"]) != (SCHEMA, self._made, self._folder):
                return
            start = self._started
            same = start.boot == raw["boot"]
            if start.now < raw["now"] or (same and start.ahead < raw["ahead"] - STEP):
                self.forget()  # the clock was set back, and what was refused must not count when it has caught up
                return
            self._ahead = max(self._ahead, raw["ahead"]) if same else self._ahead
            self._known = {name: _held(row) for name, row in raw["files"].items()}
        except (OSError, ValueError, KeyError, TypeError, IndexError):
            self._known = {}

    def _tag(self, body: bytes) -> bytes:
        return hmac.new(self._key, body, hashlib.sha256).hexdigest().encode()


def _row(identity: Identity, found: Found) -> list[Any]:
    tensors = [found.tensors.header, *found.tensors.digests] if found.tensors is not None else []
    rows = found.rows.to_json() if isinstance(found.rows, RowIndex) else found.rows
    return [*identity, *found.digests, found.media_type, tensors, rows]


def _held(row: list[Any]) -> tuple[Identity, Found]:
    """What `_row` wrote; it was authenticated."""
    *identity, sha256, blake3, media_type, tensors, rows = row
    index = TensorIndex(tensors[0], tuple(tensors[1:])) if tensors else None
    known = parse_row_index(rows) if isinstance(rows, dict) else rows
    return Identity(*identity), Found(Digests(sha256, blake3), media_type, index, known)


def _key(folder: Path) -> bytes:
    """The home's key; made when there is none.

    Raises:
        ValueError: it is not a file of ours alone.
        OSError: it cannot be read or made.
    """
    place = folder / "hashes.key"
    if not os.path.lexists(place):
        _make_key(place)
    info = place.lstat()
    key = read_file(place, _KEY_BYTES) or b""
    if info.st_uid != os.geteuid() or stat.S_IMODE(info.st_mode) & 0o077 or len(key) != _KEY_BYTES:
        raise ValueError("the key of the cache is not ours alone")
    return key


def _make_key(place: Path) -> None:
    aside = place.with_name(f".{secrets.token_hex(8)}.key")
    fd = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        os.write(fd, secrets.token_bytes(_KEY_BYTES))
        with suppress(FileExistsError):
            os.link(aside, place)  # whole or not at all, and never over another
    finally:
        os.close(fd)
        aside.unlink()


def _prune(newest: Path) -> None:
    """Keep as many folders as fit, the newest first."""
    rows = []
    for path in newest.parent.glob("*.json"):
        info = path.stat()
        rows.append((path != newest, -info.st_mtime_ns, info.st_size, path))
    total = 0
    for count, (_, _, size, path) in enumerate(sorted(rows)):
        total += size
        if count >= MAX_FOLDERS or total > MAX_TOTAL:
            path.unlink(missing_ok=True)
