"""Files that are whole or absent, whatever moment a crash picks: written aside, synced, then renamed."""

from __future__ import annotations

import fcntl
import os
import stat
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from lockflight.errors import EnvironmentProblem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

FOLDER_MODE = 0o700
FILE_MODE = 0o600

_LOCK_SECONDS = 30.0
_FIRST_PAUSE = 0.0005
_LONGEST_PAUSE = 0.02


def make_folder(folder: Path) -> None:
    """Create a folder (0700) with its parents, durably; one that exists is left as it is.

    Raises:
        OSError: it cannot be created.
    """
    if folder.is_dir():
        return
    make_folder(folder.parent)
    folder.mkdir(mode=FOLDER_MODE, exist_ok=True)
    sync_folder(folder.parent)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def replace_file(path: Path, data: bytes, *, mode: int = FILE_MODE, durable: bool = True) -> None:
    """Set the content of a file (0600) durably; a reader sees the old content or the new, never a part.

    The caller holds the lock under which this file is written: the file aside has one fixed name, so that
    crashes leave no litter behind.

    Args:
        path: the file.
        data: its content.
        mode: who may read it.
        durable: False where the caller syncs many files at once.

    Raises:
        OSError: it cannot be written.
    """
    aside = path.with_name(path.name + ".new")
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
    handle = os.open(aside, flags, mode)
    try:
        if mode != FILE_MODE:
            os.fchmod(handle, mode)
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(handle, rest) :]
        if durable:
            os.fsync(handle)
    finally:
        os.close(handle)
    aside.replace(path)
    if durable:
        sync_folder(path.parent)


def read_file(path: Path, max_bytes: int) -> bytes | None:
    """The content of a regular file; None if there is none.

    Raises:
        OSError: it cannot be read, or is a symbolic link.
        ValueError: not a regular file, or longer than `max_bytes`.
    """
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    with os.fdopen(handle, "rb") as stream:
        found = os.fstat(handle)
        if not stat.S_ISREG(found.st_mode):
            raise ValueError("it is not a regular file")
        data = stream.read(max_bytes + 1)
    if len(data) > max_bytes:
        raise ValueError(f"it is longer than {max_bytes} bytes")
    return data


@contextmanager
def locked(path: Path, what: str, *, patience: Callable[[], float] = time.monotonic) -> Iterator[None]:
    """Hold the lock file `path` (created as needed, never removed) against other processes and threads.

    The kernel lets go of it when its holder dies, so no lock is ever stale.

    Args:
        path: the lock file; its folder exists.
        what: what is locked, for messages.
        patience: seconds on a clock that only moves forward.

    Raises:
        EnvironmentProblem: LF5031 somebody else holds it for more than half a minute.
        OSError: it cannot be opened.
    """
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, FILE_MODE)
    try:
        _wait_for(handle, path, what, patience)
        yield
    finally:
        os.close(handle)


def _wait_for(handle: int, path: Path, what: str, patience: Callable[[], float]) -> None:
    deadline: float | None = None
    pause = _FIRST_PAUSE
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            deadline = patience() + _LOCK_SECONDS if deadline is None else deadline
            if patience() > deadline:
                raise EnvironmentProblem(
                    "LF5031",
                    f"Another process holds {path} and does not let go, so {what} cannot be written.",
                    hint=f"fuser -v {path}",
                ) from None
            time.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)
        else:
            return
