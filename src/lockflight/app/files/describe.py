"""From a folder to a release: every asset opened once, hashed and looked at, and held open for the checks."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import field
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from blake3 import blake3

from lockflight.app.files.rows import signed_rows, table_indexes
from lockflight.app.files.tensors import tensor_index, tensor_tap
from lockflight.core.records import dataclass
from lockflight.core.release.datacard import TABLE_ROLES, DataCard
from lockflight.core.release.manifest import Manifest, Notice, parse_manifest
from lockflight.core.release.release import MANIFEST_NAME, SIGNATURE_NAME, Asset, Release, make_release
from lockflight.core.release.selection import Excluded, Selection, select
from lockflight.core.source import ByteSource, BytesSource
from lockflight.core.text.names import check_names
from lockflight.core.text.toml_lines import MAX_BYTES
from lockflight.core.words import OWN_ROLES, Kind, Role
from lockflight.errors import InvalidInput, NotFound
from lockflight.formats.sniff import sniff
from lockflight.infra.files import (
    Entry,
    FdSource,
    FileKind,
    FileSource,
    Folder,
    Listing,
    ReopenedSource,
    changed,
    linked,
    special,
)
from lockflight.infra.hashing import HashedFile, hash_files, hash_source
from lockflight.infra.progress import SILENT, Progress

if TYPE_CHECKING:
    from lockflight.app.files.guess import Guess
    from lockflight.app.files.remembered import Remembered
    from lockflight.core.release.rows import RowIndex


@dataclass(frozen=True, slots=True)
class Reused:
    """Files that were not read again, and their bytes."""

    files: int = 0
    size: int = 0

    def to_json(self) -> dict[str, int]:
        """As replies tell it."""
        return {"files": self.files, "size": self.size}


def reused_by(memory: Remembered | None) -> Reused:
    """What the last description that asked a memory did not read."""
    sizes = memory.recalled.values() if memory is not None else ()
    return Reused(len(sizes), sum(sizes))


@dataclass(slots=True)
class Described:
    """A release and its bytes. A context manager; holds files open until it is closed.

    Attributes:
        release: what one signature would cover.
        sources: asset name to its bytes, which are those that were hashed.
        manifest: what `lockflight.toml` says.
        notices: what the author should know: ignored keys, exclusions that name nothing, tables that do not read.
        skipped: never candidates that were met (version control data, caches, virtual environments).
        excluded: files that the manifest leaves out, with its reasons.
        guesses: when the manifest was guessed, why each file has its role.
    """

    release: Release
    sources: Mapping[str, ByteSource]
    manifest: Manifest
    notices: tuple[Notice, ...] = ()
    skipped: tuple[str, ...] = ()
    excluded: tuple[Excluded, ...] = ()
    guesses: tuple[Guess, ...] = ()
    folder: Path = field(default_factory=Path)
    _held: tuple[FileSource, ...] = field(default=(), repr=False)
    _opened: Folder | None = field(default=None, repr=False)
    _memory: Remembered | None = field(default=None, repr=False)

    @property
    def reused(self) -> Reused:
        """What was not read, because the home remembers it."""
        return reused_by(self._memory)

    def confirm(self, names: Iterable[str]) -> None:
        """Read those of these files that were remembered: whoever judges bytes judges those that have the digest.

        Raises:
            InvalidInput: LF1003 one has other bytes than were remembered.
        """
        if self._memory is None or not self._memory.recalled:
            return
        for name in self._memory.recalled.keys() & set(names):
            source, asset = self.sources[name], self.release.asset(name)
            again = source.reopen() if isinstance(source, ReopenedSource) else source
            try:
                if not isinstance(again, FdSource) or asset is None:
                    raise changed(name)
                if hash_source(again) != (asset.sha256, asset.blake3):
                    raise changed(name)
            finally:
                if again is not source and isinstance(again, FdSource):
                    again.close()
            del self._memory.recalled[name]

    def recheck(self) -> None:
        """Refuse what changed since it was hashed; to be called after the last check has read its bytes.

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
        if self._memory is not None and isinstance(error, InvalidInput) and error.code == "LF1003":
            self._memory.forget()  # what changed unseen must not be found again
        self.close()


def describe(
    folder: Path,
    *,
    progress: Progress = SILENT,
    manifest_text: str | None = None,
    package: bool = False,
    memory: Remembered | None = None,
) -> Described:
    """Describe the release in a folder.

    Args:
        folder: a workspace or a package.
        progress: told about the bytes that are hashed.
        manifest_text: used instead of the folder's `lockflight.toml`; then it is the release's first asset.
        package: the folder is a package: nothing is skipped and nothing may be excluded, except the signature.
        memory: what is known of large files of a workspace; a package is always read.

    Raises:
        NotFound: LF1009 no such folder, LF0165 it has no manifest.
        InvalidInput: LF0151 to LF0164 for the manifest, LF1001 to LF1007 for files, LF1010 to LF1020 for names and
            for an empty release.
        EnvironmentProblem: LF1008 something cannot be read.
    """
    opened = Folder(folder)
    hashed: list[HashedFile[str]] = []
    try:
        listing = opened.listing(skip=not package)
        kinds = {e.name: e.kind for e in listing.entries}
        if package and kinds.get(SIGNATURE_NAME) is FileKind.FILE:
            del kinds[SIGNATURE_NAME]
        text = _manifest_bytes(opened, kinds) if manifest_text is None else manifest_text.encode()
        manifest = parse_manifest(text)
        selection = choose(manifest, listing, kinds, package=package)
        check_names([MANIFEST_NAME, *selection.roles])
        names = [*selection.roles] if manifest_text is not None else [MANIFEST_NAME, *selection.roles]
        memory = None if package else memory
        if memory is not None:
            memory.begin([MANIFEST_NAME, *(n for n, role in selection.roles.items() if role in OWN_ROLES)])
        hashed = hash_files(opened, names, sniff, tap=tensor_tap, progress=progress, memory=memory)
        sources: dict[str, ByteSource] = {h.source.name: h.source for h in hashed}
        if manifest_text is not None:
            sources[MANIFEST_NAME] = BytesSource(text, MANIFEST_NAME)
        roles = {MANIFEST_NAME: Role.RELEASE_MANIFEST, **selection.roles}
        tables = [name for name, role in selection.roles.items() if role in TABLE_ROLES]
        said = signed_rows(opened) if package else None
        rows, unread = table_indexes(
            [sources[name] for name in tables if said is None or name in said],
            progress=progress,
            memory=memory,
        )
        assets = [
            _asset(h, roles[h.source.name], rows.get(h.source.name), selection.data.get(h.source.name))
            for h in hashed
        ]
        own = _manifest_asset(text)
        if manifest_text is not None:
            assets.append(own)
        elif hashed[0].digests.sha256 != own.sha256:
            raise changed(MANIFEST_NAME)
        release = make_release(
            name=manifest.name,
            version=manifest.version,
            kind=manifest.kind,
            tier=manifest.tier,
            assets=assets,
            references=manifest.references,
            dependencies=manifest.dependencies,
            policy=manifest.policy,
        )
    except BaseException:
        for file in hashed:
            file.source.close()
        opened.close()
        raise
    if memory is not None:
        memory.save()
    return Described(
        release=release,
        sources=sources,
        manifest=manifest,
        notices=(*manifest.notices, *unread, *(() if package else selection.notices)),
        skipped=listing.skipped,
        excluded=selection.excluded,
        folder=folder,
        _held=tuple(h.source for h in hashed),
        _opened=opened,
        _memory=memory,
    )


def describe_guess(
    folder: Path,
    *,
    kind: Kind | None = None,
    progress: Progress = SILENT,
    memory: Remembered | None = None,
) -> Described:
    """Describe a folder that has no manifest, with the one that `lockflight init` would propose, in memory.

    A proposal leaves links out for a person to judge; here nobody reads it first, so a link is refused.

    Raises:
        As `describe` and `app.init.propose`.
    """
    from lockflight.app.files.init import propose  # what only a folder without a manifest needs

    proposal = propose(folder, kind=kind)
    if proposal.links:
        raise linked(proposal.links[0])
    described = describe(folder, progress=progress, manifest_text=proposal.text, memory=memory)
    described.guesses = proposal.guesses
    return described


def _label(name: str) -> str:
    from lockflight.app.files.guess import guess_name

    return guess_name(name).label


def choose(
    manifest: Manifest, listing: Listing, kinds: Mapping[str, FileKind], *, package: bool = False
) -> Selection:
    """The role of each file, refusing what cannot be an asset unless it is excluded.

    Raises:
        InvalidInput: LF1001 a link, LF1002 no regular file, LF1004 to LF1006 (see `core.selection`), LF1105 a
            package that holds what its manifest excludes.
    """
    for name, kind in kinds.items():
        if kind is not FileKind.FILE and not _excluded(manifest, name):
            refuse_kind(Entry(name, kind))
    selection = select(
        manifest,
        kinds,
        skipped=listing.skipped,
        suggest=_label,
    )
    if package and selection.excluded:
        first = selection.excluded[0]
        raise InvalidInput(
            "LF1105",
            f"The package holds {first.name!a}, which its own manifest excludes ({first.reason}).",
            hint="lockflight release pack DIR OUT makes a package of exactly the assets.",
        )
    return selection


def _excluded(manifest: Manifest, name: str) -> bool:
    return any(glob.matches(name) for rule in manifest.excludes for glob in rule.globs)


def refuse_kind(entry: Entry) -> None:
    """Refuse links and special files.

    Raises:
        InvalidInput: LF1001 a link, LF1002 no regular file.
    """
    if entry.kind is FileKind.SYMLINK:
        raise linked(entry.name)
    if entry.kind is FileKind.SPECIAL:
        raise special(entry.name)


def _manifest_bytes(opened: Folder, kinds: Mapping[str, FileKind]) -> bytes:
    if MANIFEST_NAME not in kinds:
        raise NotFound(
            "LF0165",
            f"{str(opened.path)!r} has no {MANIFEST_NAME}, so nothing says what its files are for.",
            hint="lockflight init DIR",
        )
    refuse_kind(Entry(MANIFEST_NAME, kinds[MANIFEST_NAME]))
    source = opened.open(MANIFEST_NAME)
    try:
        return source.read_at(0, MAX_BYTES + 1)
    finally:
        source.close()


def _asset(file: HashedFile[str], role: Role, rows: RowIndex | None, data: DataCard | None) -> Asset:
    return Asset(
        name=file.source.name,
        role=role,
        size=file.source.size,
        sha256=file.digests.sha256,
        blake3=file.digests.blake3,
        media_type=file.seen,
        tensors=tensor_index(file),
        rows=rows,
        data=data,
    )


def _manifest_asset(text: bytes) -> Asset:
    return Asset(
        name=MANIFEST_NAME,
        role=Role.RELEASE_MANIFEST,
        size=len(text),
        sha256=hashlib.sha256(text).hexdigest(),
        blake3=blake3(text).hexdigest(),
        media_type=sniff(BytesSource(text, MANIFEST_NAME)),
    )
