"""A folder and its files, opened once and never through a link.

Every open is relative to a descriptor of the folder above, with O_NOFOLLOW, so that nothing that is swapped
while we look can lead outside. What was opened stays what it was: device, inode, size and times are compared
before and after reading. That is sound only where no untrusted process may write the files, because a write
through a shared mapping that is already dirty changes no time stamp.
"""

from __future__ import annotations

import errno
import os
import stat
import threading
from enum import StrEnum
from operator import attrgetter
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Protocol, Self

from lockflight.core.records import dataclass
from lockflight.core.release.release import MAX_ASSETS, SIGNATURE_NAME
from lockflight.core.source import ByteSource
from lockflight.errors import EnvironmentProblem, InvalidInput, LockflightError, NotFound

MAX_FILES = MAX_ASSETS
MAX_DEPTH = 64

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
# Without O_NONBLOCK, opening a pipe that took a file's place would wait for ever.
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_OUTSIDE = frozenset({"", ".", ".."})
#: A folder that holds this file is a Python virtual environment, whatever its name.
ENVIRONMENT_MARK = "pyvenv.cfg"


class FileKind(StrEnum):
    """What stands in a folder under a name; folders themselves are not listed."""

    FILE = "file"
    SYMLINK = "symlink"
    SPECIAL = "special"


@dataclass(frozen=True, slots=True)
class NeverCandidate:
    """A name that is never part of a release.

    Attributes:
        name: the exact name, at any depth.
        folder: True for folders (and links in their place), False for files.
        why: a few words for people.
    """

    name: str
    folder: bool
    why: str


def _never(why: str, folders: str = "", files: str = "") -> tuple[NeverCandidate, ...]:
    both = [(n, True) for n in folders.split()] + [(n, False) for n in files.split()]
    return tuple(NeverCandidate(name, folder, why) for name, folder in both)


#: The fixed list, printed by `lockflight init`. Packages are judged without it: there everything counts.
NEVER_CANDIDATES: tuple[NeverCandidate, ...] = (
    *_never(
        "version control data",
        ".git .hg .svn .bzr .jj _darcs CVS .github",
        ".git .gitignore .gitattributes .gitmodules .gitkeep .mailmap .github .hgignore .hgtags .hgsub .hgsubstate",
    ),
    *_never(
        "caches",
        "__pycache__ .cache .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache .tox .nox"
        " .eggs .ipynb_checkpoints",
        ".coverage .DS_Store Thumbs.db desktop.ini",
    ),
    *_never("virtual environments", ".venv venv .virtualenv virtualenv node_modules .conda"),
)

_NEVER_FOLDERS = frozenset(n.name for n in NEVER_CANDIDATES if n.folder)
_NEVER_FILES = frozenset(n.name for n in NEVER_CANDIDATES if not n.folder)


class Identity(NamedTuple):
    """What tells that a file is still the one that was read."""

    dev: int
    inode: int
    size: int
    mtime_ns: int
    ctime_ns: int


class Entry(NamedTuple):
    """One name in a folder, relative to its top, with `/` between the parts."""

    name: str
    kind: FileKind


@dataclass(frozen=True, slots=True)
class Listing:
    """What a folder holds.

    Attributes:
        entries: files, links and other things, in code point order.
        skipped: never candidates that were met, folders with a `/` at their end.
    """

    entries: tuple[Entry, ...]
    skipped: tuple[str, ...]


class FileSource(ByteSource, Protocol):
    """A file as a source: bytes that are checked to be those of the moment when it was opened."""

    @property
    def identity(self) -> Identity:
        """What it was when it was opened."""
        ...

    def check(self) -> None:
        """Refuse a file that has changed since.

        Raises:
            InvalidInput: LF1003.
        """
        ...

    def close(self) -> None:
        """Give back what is held."""
        ...


class FdSource:
    """An open regular file. Not closed by the garbage collector: whoever opens it closes it."""

    __slots__ = ("_fd", "_seen", "name", "size")

    def __init__(self, fd: int, name: str, info: os.stat_result) -> None:
        self._fd = fd
        self._seen = _identity(info)
        self.name = name
        self.size = info[6]

    @property
    def identity(self) -> Identity:
        """What it was when it was opened."""
        return Identity(*self._seen)

    def fileno(self) -> int:
        """The descriptor; ValueError once it is closed."""
        if self._fd < 0:
            raise ValueError(f"{self.name} is closed")
        return self._fd

    def read_at(self, offset: int, n: int) -> bytes:
        """See `ByteSource.read_at`.

        Raises:
            InvalidInput: LF1003 the file became shorter.
        """
        if offset < 0 or n < 0:
            raise ValueError("offset and length must not be negative")
        want = max(0, min(n, self.size - offset))
        data = os.pread(self.fileno(), want, offset)
        while len(data) < want:
            more = os.pread(self.fileno(), want - len(data), offset + len(data))
            if not more:
                raise changed(self.name)
            data += more
        return data

    def check(self) -> None:
        """See `FileSource.check`."""
        if _identity(os.fstat(self.fileno())) != self._seen:
            raise changed(self.name)

    def close(self) -> None:
        """Close the descriptor; again is harmless."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


class ReopenedSource:
    """A file whose descriptor was given back because there are too many: opened again for each read."""

    __slots__ = ("_folder", "identity", "name", "size")

    def __init__(self, folder: Folder, name: str, identity: Identity) -> None:
        self._folder = folder
        self.name = name
        self.identity = identity
        self.size = identity.size

    def read_at(self, offset: int, n: int) -> bytes:
        """See `ByteSource.read_at`; the same file as before, or LF1003."""
        source = self.reopen()
        try:
            data = source.read_at(offset, n)
            source.check()
            return data
        finally:
            source.close()

    def check(self) -> None:
        """See `FileSource.check`."""
        self.reopen().close()

    def close(self) -> None:
        """Nothing is held."""

    def reopen(self) -> FdSource:
        """The same file, open; the caller closes it.

        Raises:
            InvalidInput: LF1003 it is another file now.
        """
        source = self._folder.open(self.name)
        if source.identity != self.identity:
            source.close()
            raise changed(self.name)
        return source


class Folder:
    """An open folder. A context manager; usable from several threads.

    Args:
        path: the folder; a link here is followed, because its user named it.

    Raises:
        NotFound: LF1009 there is no such folder.
        EnvironmentProblem: LF1008 it cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._fds = [os.open(path, _FOLDER)]
        except (FileNotFoundError, NotADirectoryError):
            raise NotFound(
                "LF1009", f"There is no folder {path}.", hint="Name the folder of a release."
            ) from None
        except OSError as error:
            raise _trouble(str(path), error) from None
        self._parts: list[str] = []
        self._at = ""
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def fileno(self) -> int:
        """The descriptor of the folder itself."""
        return self._fds[0]

    def close(self) -> None:
        """Close the folder; sources that were opened from it stay open."""
        with self._lock:
            while self._fds:
                os.close(self._fds.pop())

    def listing(self, *, skip: bool) -> Listing:
        """Everything in the folder, at any depth, links never followed.

        Args:
            skip: leave out `NEVER_CANDIDATES`, virtual environments and the signature at the top (workspaces);
                False for packages, where everything counts.

        Raises:
            InvalidInput: LF1001, LF1003 the folder changed while it was listed; LF1007 too many files or levels.
            EnvironmentProblem: LF1008 a folder cannot be read.
        """
        entries: list[Entry] = []
        skipped: list[str] = []
        self._walk(self._fds[0], "", entries, skipped if skip else None)
        entries.sort()
        return Listing(tuple(entries), tuple(sorted(skipped)))

    def _walk(
        self, fd: int, prefix: str, entries: list[Entry], skipped: list[str] | None, depth: int = 0
    ) -> None:
        if depth > MAX_DEPTH:
            raise InvalidInput(
                "LF1007", f"{prefix!a} lies more than {MAX_DEPTH} folders deep.", hint="Flatten the folder."
            )
        folders: list[str] = []
        regular = FileKind.FILE
        try:
            with os.scandir(fd) as found:
                for entry in found:
                    base = entry.name
                    if entry.is_file(follow_symlinks=False):
                        kind = regular
                    elif entry.is_dir(follow_symlinks=False):
                        folders.append(base)
                        continue
                    else:
                        kind = FileKind.SYMLINK if entry.is_symlink() else FileKind.SPECIAL
                    if skipped is not None and _never_file(prefix, base, kind):
                        skipped.append(prefix + base)
                        continue
                    entries.append(Entry(prefix + base, kind))
                    if len(entries) > MAX_FILES:
                        raise InvalidInput(
                            "LF1007",
                            f"{str(self.path)!r} holds more than {MAX_FILES} files.",
                            hint="Pack small files into archives, or move what is no part of the release away.",
                        )
        except OSError as error:
            raise _trouble(prefix or str(self.path), error) from None
        for base in folders:
            below = f"{prefix}{base}/"
            if skipped is not None and base in _NEVER_FOLDERS:
                skipped.append(below)
                continue
            try:
                inner = os.open(base, _FOLDER | os.O_NOFOLLOW, dir_fd=fd)
            except OSError as error:
                raise _refusal(prefix + base, error) from None
            try:
                if skipped is not None and _exists(inner, ENVIRONMENT_MARK):
                    skipped.append(below)
                else:
                    self._walk(inner, below, entries, skipped, depth + 1)
            finally:
                os.close(inner)

    def open(self, name: str) -> FdSource:
        """Open one file by its name in the listing.

        Raises:
            InvalidInput: LF1001 a link, LF1002 no regular file, LF1003 it is gone, LF1012 `.` or `..` in its name.
            EnvironmentProblem: LF1008 it cannot be opened.
        """
        folder, _, base = name.rpartition("/")
        try:
            with self._lock:
                if folder != self._at:
                    self._descend(folder)
                fd = os.open(base, _FILE, dir_fd=self._fds[-1])
            info = os.fstat(fd)
        except OSError as error:
            raise _refusal(name, error) from None
        if not stat.S_ISREG(info[0]):
            os.close(fd)
            raise special(name)
        return FdSource(fd, name, info)

    def size(self, name: str) -> int:
        """Bytes of a file now, for progress; 0 when it cannot be said."""
        folder, _, base = name.rpartition("/")
        try:
            with self._lock:
                if folder != self._at:
                    self._descend(folder)
                return os.stat(base, dir_fd=self._fds[-1], follow_symlinks=False).st_size
        except OSError:
            return 0

    def _descend(self, folder: str) -> None:
        parts = folder.split("/") if folder else []
        if not _OUTSIDE.isdisjoint(parts):
            raise InvalidInput(
                "LF1012", f"The name {folder!r} could leave the folder.", hint="Use a plain relative path."
            )
        same = 0
        while same < min(len(parts), len(self._parts)) and parts[same] == self._parts[same]:
            same += 1
        while len(self._parts) > same:
            self._parts.pop()
            os.close(self._fds.pop())
        self._at = "/".join(self._parts)
        for part in parts[same:]:
            self._fds.append(os.open(part, _FOLDER | os.O_NOFOLLOW, dir_fd=self._fds[-1]))
            self._parts.append(part)
            self._at = "/".join(self._parts)


_identity = attrgetter("st_dev", "st_ino", "st_size", "st_mtime_ns", "st_ctime_ns")


def changed(name: str) -> InvalidInput:
    """LF1003: the file is not what it was."""
    return InvalidInput(
        "LF1003",
        f"{name!r} changed while it was read, so nothing that was found out about it holds.",
        hint="Stop what writes to it and run the command again.",
        details={"name": name},
    )


def linked(name: str) -> InvalidInput:
    """LF1001: links are never followed."""
    return InvalidInput(
        "LF1001",
        f"{name!r} is a symbolic link; a release holds files, because a link can point elsewhere tomorrow.",
        hint="Replace it by a copy of its target, or exclude it in lockflight.toml.",
        details={"name": name},
    )


def special(name: str) -> InvalidInput:
    """LF1002: only regular files have bytes to sign."""
    return InvalidInput(
        "LF1002",
        f"{name!r} is no regular file (a device, pipe, socket or folder took its place).",
        hint="Remove it, or exclude it in lockflight.toml.",
        details={"name": name},
    )


def descriptor_budget(reserve: int = 256) -> int:
    """How many files may be held open; raises the process's soft limit first, within its hard limit."""
    try:
        import resource  # POSIX only
    except ImportError:
        return 256
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 65_536 if hard == resource.RLIM_INFINITY else min(hard, 65_536)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
            soft = wanted
        except (ValueError, OSError):  # a sandbox may forbid it; the old limit still serves
            pass
    usable = wanted if soft == resource.RLIM_INFINITY else soft
    return max(16, usable - reserve)


def _never_file(prefix: str, base: str, kind: FileKind) -> bool:
    if base in _NEVER_FILES:
        return True
    if kind is FileKind.SYMLINK:
        return base in _NEVER_FOLDERS
    return base == SIGNATURE_NAME and not prefix and kind is FileKind.FILE


def _exists(fd: int, name: str) -> bool:
    try:
        os.stat(name, dir_fd=fd, follow_symlinks=False)
    except OSError:
        return False
    return True


def _refusal(name: str, error: OSError) -> LockflightError:
    if error.errno == errno.ELOOP:
        return linked(name)
    if error.errno == errno.ENXIO:
        return special(name)
    if error.errno in {errno.ENOENT, errno.ENOTDIR}:
        return changed(name)
    return _trouble(name, error)


def _trouble(name: str, error: OSError) -> EnvironmentProblem:
    return EnvironmentProblem(
        "LF1008",
        f"{name!r} cannot be read: {error.strerror}.",
        hint="Check its owner and mode (ls -l), or the limit of open files (ulimit -n).",
        details={"name": name},
    )
