"""Packages: exactly the assets of a release and nothing else, written whole or not at all, and read back strictly."""

from __future__ import annotations

import errno
import hashlib
import os
import secrets
import shutil
from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from lockflight.app.files.describe import Described
from lockflight.app.files.ocilayout import layout_files
from lockflight.app.files.package import Layout
from lockflight.core.records import dataclass
from lockflight.core.source import ByteSource
from lockflight.errors import EnvironmentProblem, UsageError
from lockflight.infra.files import changed
from lockflight.infra.progress import SILENT, Progress

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
