"""Packages: exactly the assets of a release and nothing else, written whole or not at all, and read back strictly."""

from __future__ import annotations

import errno
import hashlib
import os
import secrets
import shutil
from collections import deque
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

from lockflight.app.describe import Described
from lockflight.app.ocilayout import LAYOUT_FILE, layout_files, read_layout
from lockflight.core.source import ByteSource, Window
from lockflight.core.verify.package import FileKind as FoundKind
from lockflight.errors import EnvironmentProblem, UsageError, VerificationFailed
from lockflight.infra.files import FileKind, FileSource, Folder, changed
from lockflight.infra.hashing import hash_files
from lockflight.infra.progress import SILENT, Progress

Layout = Literal["folder", "oci"]

_KINDS: dict[FileKind, FoundKind] = {
    FileKind.FILE: "file",
    FileKind.SYMLINK: "symlink",
    FileKind.SPECIAL: "special",
}
_PART = 1024 * 1024
_SYNCS = 32
_FILE_MODE = 0o644
_FOLDER_MODE = 0o755
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


@dataclass(frozen=True, slots=True)
class Packed:
    """A package that was written.

    Attributes:
        path: where it is.
        layout: `folder` or `oci`.
        digest: of the release, 64 hex digits.
        files: how many assets it holds.
        size: their bytes.
    """

    path: Path
    layout: Layout
    digest: str
    files: int
    size: int


@dataclass(frozen=True, slots=True)
class Found:
    """One thing in a package, as it is and not as anybody says.

    Attributes:
        name: relative to the package's top.
        kind: only files belong into a package.
        size: bytes; 0 for anything but a file.
        sha256: 64 hex digits; empty for anything but a file.
        blake3: as `sha256`.
    """

    name: str
    kind: FoundKind
    size: int = 0
    sha256: str = ""
    blake3: str = ""


@dataclass(slots=True)
class Package:
    """Everything that a package holds. A context manager.

    Attributes:
        layout: `folder` or `oci`.
        entries: in code point order; nothing is skipped, whatever its name.
        sources: the bytes of the files, which are those that were hashed.
    """

    layout: Layout
    entries: tuple[Found, ...]
    sources: Mapping[str, ByteSource]
    _held: tuple[FileSource, ...] = field(default=(), repr=False)
    _opened: Folder | None = field(default=None, repr=False)

    def recheck(self) -> None:
        """Refuse what changed since it was hashed.

        Raises:
            InvalidInput: LF1003, naming the file.
        """
        for source in self._held:
            source.check()

    def close(self) -> None:
        """Close every file."""
        for source in self._held:
            source.close()
        if self._opened is not None:
            self._opened.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def pack(
    described: Described, out: Path, *, layout: Layout = "folder", progress: Progress = SILENT
) -> Packed:
    """Write the package of a release.

    Every byte is copied from the descriptors that were hashed and hashed again on the way; the package appears under
    its name only when it is complete and durable. Modes are 0644 and 0755: they are not part of a release.

    Args:
        described: the release and its bytes.
        out: a folder that does not exist yet, or is empty.
        layout: plain files, or an OCI image layout in the form of ModelPack.
        progress: told about bytes.

    Raises:
        UsageError: LF1101 `out` is not empty, LF1102 it lies in the folder that it is made of, and would be part of
            the next release.
        InvalidInput: LF1003 a file changed since it was hashed.
        EnvironmentProblem: LF1104 it cannot be written.
    """
    _refuse_inside(described, out)
    release = described.release
    files: list[tuple[str, ByteSource, str]]
    if layout == "oci":
        files = layout_files(release, described.sources)
    else:
        files = [(a.name, described.sources[a.name], a.sha256) for a in release.assets]
    total = sum(source.size for _, source, _ in files)
    progress.begin("packing", total)
    try:
        with _folder_in_the_making(out) as draft:
            for name, source, digest in files:
                _copy(source, draft / name, digest, progress)
            _make_durable(draft)
    except OSError as error:
        raise EnvironmentProblem(
            "LF1104",
            f"The package {str(out)!r} cannot be written: {error.strerror or error}.",
            hint="Check its folder's owner and mode, and the free space (df -h).",
        ) from None
    finally:
        progress.end()
    return Packed(out, layout, release.digest, len(release.assets), sum(a.size for a in release.assets))


def load_package(folder: Path, *, progress: Progress = SILENT) -> Package:
    """Take stock of a package: every name in it with its kind and digests, nothing skipped, nothing believed.

    An OCI layout is read through its manifest: names are those of its layers, and whatever the manifest does not
    account for is found under its path in the layout.

    Raises:
        NotFound: LF1009 no such folder.
        InvalidInput: LF1003 it changes meanwhile, LF1007 too many files.
        VerificationFailed: LF1106 an OCI layout that contradicts itself.
        EnvironmentProblem: LF1008 something cannot be read.
    """
    opened = Folder(folder)
    held: list[FileSource] = []
    try:
        entries = opened.listing(skip=False).entries
        names = [e.name for e in entries if e.kind is FileKind.FILE]
        hashed = hash_files(opened, names, lambda _: None, progress=progress)
        held = [h.source for h in hashed]
        found = {e.name: Found(e.name, _KINDS[e.kind]) for e in entries}
        for file in hashed:
            name = file.source.name
            found[name] = Found(name, "file", file.source.size, *file.digests)
        sources: dict[str, ByteSource] = {s.name: s for s in held}
        layout: Layout = "folder"
        if LAYOUT_FILE in sources:
            layout = "oci"
            found, sources = _unfold(found, sources)
    except BaseException:
        for source in held:
            source.close()
        opened.close()
        raise
    ordered = tuple(found[name] for name in sorted(found))
    return Package(layout, ordered, sources, tuple(held), opened)


def _unfold(
    found: dict[str, Found], sources: dict[str, ByteSource]
) -> tuple[dict[str, Found], dict[str, ByteSource]]:
    """Assets under their own names; what the layout does not account for stays under its path."""
    paths, own = read_layout(sources, {name: f.sha256 for name, f in found.items()})
    used = own | set(paths.values())
    told = {name: replace(found[path], name=name) for name, path in paths.items()}
    foreign = {path: f for path, f in found.items() if path not in used}
    for name in told.keys() & foreign.keys():
        raise VerificationFailed(
            "LF1106",
            f"The OCI layout holds {name!a} twice: as a layer and as a file of its own.",
            hint="Fetch it again; do not use this one.",
        )
    views = {name: Window(sources[path], 0, sources[path].size, name) for name, path in paths.items()}
    return foreign | told, {p: s for p, s in sources.items() if p in foreign} | views


def _refuse_inside(described: Described, out: Path) -> None:
    source, target = described.folder.resolve(), out.resolve()
    if target != source and source not in target.parents:
        return
    inside = target.relative_to(source).as_posix()
    if any(glob.matches(f"{inside}/x") for rule in described.manifest.excludes for glob in rule.globs):
        return
    raise UsageError(
        "LF1102",
        f"The package {str(out)!r} would lie in the folder that it is made of, and be part of its next release.",
        hint=f"Choose a folder outside, or exclude {inside}/** in lockflight.toml.",
    )


@contextmanager
def _folder_in_the_making(out: Path) -> Iterator[Path]:
    """A new folder beside `out` that takes its place at the end, or leaves nothing behind."""
    out.parent.mkdir(parents=True, exist_ok=True)
    if out.is_symlink() or (out.exists() and (not out.is_dir() or any(out.iterdir()))):
        raise _not_empty(out)
    draft = out.parent / f".{out.name}.{secrets.token_hex(8)}.partial"
    draft.mkdir(mode=0o700)
    try:
        yield draft
        try:
            draft.rename(out)
        except OSError as error:
            if error.errno in {errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR}:
                raise _not_empty(out) from None
            raise
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise
    _sync(out.resolve().parent)


def _not_empty(out: Path) -> UsageError:
    return UsageError(
        "LF1101",
        f"{str(out)!r} is there already and not an empty folder; a package is never written over another.",
        hint="Name a new folder.",
    )


def _copy(source: ByteSource, target: Path, digest: str, progress: Progress) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    fd = os.open(target, _CREATE, _FILE_MODE)
    try:
        state, offset = hashlib.sha256(), 0
        while part := source.read_at(offset, _PART):
            state.update(part)
            rest = memoryview(part)
            while rest:
                rest = rest[os.write(fd, rest) :]
            offset += len(part)
            progress.advance(len(part))
        if state.hexdigest() != digest:
            raise changed(source.name)
        os.fchmod(fd, _FILE_MODE)
    finally:
        os.close(fd)


def _make_durable(top: Path) -> None:
    """Sync every file, then every folder; many at once, so that a journal commits them together."""
    files: list[Path] = []
    folders: list[Path] = []
    for folder, _, names in os.walk(top):
        folders.append(Path(folder))
        files += [Path(folder, name) for name in names]
    with ThreadPoolExecutor(_SYNCS) as pool:
        deque(pool.map(_sync, files), maxlen=0)
        deque(pool.map(partial(_sync, mode=_FOLDER_MODE), folders), maxlen=0)


def _sync(path: Path, mode: int | None = None) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        if mode is not None:
            os.fchmod(fd, mode)
        os.fsync(fd)
    finally:
        os.close(fd)
