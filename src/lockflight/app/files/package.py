"""Reading a package back: every name in it with its kind and digests, nothing skipped, nothing believed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field, replace
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

from lockflight.app.files.tensors import tensor_index, tensor_tap
from lockflight.core.records import dataclass
from lockflight.core.release.tensors import TensorIndex
from lockflight.core.source import ByteSource, Window
from lockflight.core.verify.package import FileKind as FoundKind
from lockflight.errors import VerificationFailed
from lockflight.infra.files import FileKind, FileSource, Folder
from lockflight.infra.hashing import hash_files
from lockflight.infra.progress import SILENT, Progress

Layout = Literal["folder", "oci"]
#: As `ocilayout.LAYOUT_FILE`; that module is loaded only for such packages.
_LAYOUT_FILE = "oci-layout"

_KINDS: dict[FileKind, FoundKind] = {
    FileKind.FILE: "file",
    FileKind.SYMLINK: "symlink",
    FileKind.SPECIAL: "special",
}


@dataclass(frozen=True, slots=True)
class Found:
    """One thing in a package, as it is and not as anybody says.

    Attributes:
        name: relative to the package's top.
        kind: only files belong into a package.
        size: bytes; 0 for anything but a file.
        sha256: 64 hex digits; empty for anything but a file.
        blake3: as `sha256`.
        tensors: digests of the parts of a safetensors file.
    """

    name: str
    kind: FoundKind
    size: int = 0
    sha256: str = ""
    blake3: str = ""
    tensors: TensorIndex | None = None


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
        hashed = hash_files(opened, names, lambda _: None, tap=tensor_tap, progress=progress)
        held = [h.source for h in hashed]
        found = {e.name: Found(e.name, _KINDS[e.kind]) for e in entries}
        for file in hashed:
            name = file.source.name
            found[name] = Found(name, "file", file.source.size, *file.digests, tensor_index(file))
        sources: dict[str, ByteSource] = {s.name: s for s in held}
        layout: Layout = "folder"
        if _LAYOUT_FILE in sources:
            layout = "oci"
            found, sources = _unfold(found, sources)
    except BaseException:
        for source in held:
            source.close()
        opened.close()
        raise
    ordered = tuple(found[name] for name in sorted(found))
    return Package(layout, ordered, sources, tuple(held), opened)


def load_file(path: Path, *, progress: Progress = SILENT) -> Package:
    """Take stock of one file as if it lay in a folder alone.

    Raises:
        NotFound: LF1009 no such folder.
        InvalidInput: LF1001 to LF1003 a link, no regular file, or it changes meanwhile.
        EnvironmentProblem: LF1008 it cannot be read.
    """
    opened = Folder(path.parent)
    try:
        (file,) = hash_files(opened, [path.name], lambda _: None, progress=progress)
    except BaseException:
        opened.close()
        raise
    entry = Found(path.name, "file", file.source.size, *file.digests)
    return Package("folder", (entry,), {path.name: file.source}, (file.source,), opened)


def _unfold(
    found: dict[str, Found], sources: dict[str, ByteSource]
) -> tuple[dict[str, Found], dict[str, ByteSource]]:
    """Assets under their own names; what the layout does not account for stays under its path."""
    from lockflight.app.files.ocilayout import read_layout  # most packages are plain folders

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
