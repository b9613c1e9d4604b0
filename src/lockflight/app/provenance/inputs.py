"""Files that a step uses and makes: named on the command line, hashed before and after it, compared."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from lockflight.core.attest.provenance import MAX_MATERIALS, Material
from lockflight.core.records import dataclass
from lockflight.errors import InvalidInput, NotFound, UsageError
from lockflight.infra.files import FileKind, Folder, Identity, linked, special
from lockflight.infra.hashing import hash_files
from lockflight.infra.progress import SILENT

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from lockflight.infra.progress import Progress

#: Files that pin what a step installs; at the top of the workspace they are materials without being named.
LOCK_FILES = frozenset(
    {
        "requirements.txt",
        "pylock.toml",
        "uv.lock",
        "poetry.lock",
        "pdm.lock",
        "Pipfile.lock",
        "conda-lock.yml",
        "package-lock.json",
        "pnpm-lock.yaml",
        "yarn.lock",
        "Cargo.lock",
        "go.sum",
        "renv.lock",
    }
)
_PINNED = re.compile(r"(?P<uri>[a-z][a-z0-9+.-]*:\S+)@sha256:(?P<digest>[0-9a-f]{64})", re.ASCII)
_URI = re.compile(r"[a-z][a-z0-9+.-]+:\S+", re.ASCII)
_CREDENTIALS = re.compile(r"//[^/@\s]*:[^/@\s]*@")


@dataclass(frozen=True, slots=True)
class Seen:
    """A file as it was when it was hashed; `name` is its path in the workspace, or its last part outside of it."""

    path: Path
    name: str
    sha256: str
    identity: Identity


def has_password(uri: str) -> bool:
    """Whether a URI carries a password."""
    return _CREDENTIALS.search(uri) is not None


def declared(word: str) -> Material | None:
    """A material that is somewhere else: `URI@sha256:DIGEST`; None for a path.

    Raises:
        UsageError: LF1046 a URI without digest, or one with a password.
    """
    found = _PINNED.fullmatch(word)
    if has_password(word):
        raise UsageError(
            "LF1046",
            "A material's URI holds a password, which the log would keep for ever.",
            hint="Leave the credentials out; the digest says which bytes are meant.",
        )
    if found is not None:
        return Material(uri=found["uri"], digests=(("sha256", found["digest"]),))
    if _URI.fullmatch(word) and not Path(word).exists():
        raise UsageError(
            "LF1046",
            f"--material {word!r} does not say which bytes are meant.",
            hint=f"--material {word}@sha256:DIGEST, or download it and name the file.",
        )
    return None


def files_of(workspace: Path, word: str, *, option: str) -> Iterator[Path]:
    """Absolute paths of the file, or of the files below the folder, that a word names.

    Raises:
        NotFound: LF1043 there is nothing of that name.
        InvalidInput: LF1001 a link, LF1002 no regular file.
    """
    path = workspace / word
    if path.is_symlink():
        raise linked(word)
    if path.is_file():
        yield _absolute(path)
        return
    if path.exists() and not path.is_dir():
        raise special(word)
    if not path.is_dir():
        raise NotFound(
            "LF1043",
            f"{option} {word!r} names nothing in {workspace}.",
            hint="Paths are relative to the workspace (--workspace DIR, else the current folder).",
        )
    with Folder(path) as folder:
        for entry in folder.listing(skip=True).entries:
            if entry.kind is FileKind.SYMLINK:
                raise linked(f"{word}/{entry.name}")
            if entry.kind is FileKind.FILE:
                yield _absolute(path / entry.name)


def _absolute(path: Path) -> Path:
    return Path(os.path.normpath(path.absolute()))


def hashed(workspace: Path, paths: Iterable[Path], *, progress: Progress = SILENT) -> list[Seen]:
    """Hash files, each once, in order; none may change meanwhile.

    Raises:
        InvalidInput: LF1001 to LF1003 a link, no file, or a file that changed; LF1048 too many files.
        EnvironmentProblem: LF1008 a file cannot be read.
    """
    wanted = list(dict.fromkeys(paths))
    if len(wanted) > MAX_MATERIALS:
        raise InvalidInput(
            "LF1048",
            f"{len(wanted)} files are named; a record names at most {MAX_MATERIALS}.",
            hint="Pack many small files into one, such as Parquet or an archive.",
        )
    by_folder: dict[Path, list[Path]] = {}
    for path in wanted:
        top = workspace if path.is_relative_to(workspace) else path.parent
        by_folder.setdefault(top, []).append(path)
    found: dict[Path, Seen] = {}
    for top, inside in by_folder.items():
        with Folder(top) as folder:
            names = [path.relative_to(top).as_posix() for path in inside]
            files = hash_files(folder, names, lambda _: None, progress=progress)
            try:
                for path, file in zip(inside, files, strict=True):
                    file.source.check()
                    name = file.source.name
                    found[path] = Seen(path, name, file.digests.sha256, file.source.identity)
            finally:
                for file in files:
                    file.source.close()
    return [found[path] for path in wanted]


def identity(path: Path) -> Identity | None:
    """What tells whether a file is still the same; None where there is none."""
    try:
        info = path.lstat()
    except OSError:
        return None
    return Identity(info.st_dev, info.st_ino, info.st_size, info.st_mtime_ns, info.st_ctime_ns)


def unchanged(workspace: Path, before: Iterable[Seen]) -> None:
    """Refuse a material that the step itself, or somebody else, has changed since it was hashed.

    Raises:
        InvalidInput: LF1044.
    """
    for seen in before:
        now = identity(seen.path)
        if now == seen.identity:
            continue
        same = now is not None and hashed(workspace, [seen.path])[0].sha256 == seen.sha256
        if not same:
            raise InvalidInput(
                "LF1044",
                f"The material {seen.name!r} changed while the command ran, so nobody can say which bytes it used.",
                hint="Let the step write elsewhere than it reads, and run it again.",
            )
