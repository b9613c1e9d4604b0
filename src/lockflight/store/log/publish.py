"""Writing a log as files (`store.static`): only what is new, and the checkpoint last."""

from __future__ import annotations

import os
import re
import shutil
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Final

from lockflight.core.canonical import dumps
from lockflight.core.log import tiles
from lockflight.core.verify.log.log import LogCheckpoint, contradiction, older, open_checkpoint, rewritten
from lockflight.core.verify.log.note import MAX_NOTE_BYTES, parse_checkpoint, parse_note
from lockflight.core.verify.log.proofs import verify_consistency
from lockflight.errors import EnvironmentProblem, VerificationFailed
from lockflight.store.files import locked, read_file, replace_file, sync_folder
from lockflight.store.log.static import ABOUT, CHECKPOINT, ENVELOPE, HISTORY, NAMES, SCHEMA

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from lockflight.core.ports import AuditReader

#: A web server runs as somebody else.
FILE_MODE: Final = 0o644
FOLDER_MODE: Final = 0o755
LOCK: Final = ".lock"
_DIGEST = re.compile(r"[0-9a-f]{64}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Published:
    """What an export has done.

    Attributes:
        size, root: the published tree (root: 32 bytes).
        before: size that was published before; 0 for a new export.
        files: how many files were written, the checkpoint included.
        envelopes: how many envelopes are held there.
        erased: how many envelopes were removed, since the log holds them no more.
    """

    size: int
    root: bytes
    before: int
    files: int
    envelopes: int
    erased: int


def publish(
    reader: AuditReader, folder: Path, *, origin: str, log_key: bytes, clock_key: bytes, note: str
) -> Published:
    """Bring an export up to a checkpoint of the log.

    Args:
        reader: the log, verified, inside of a snapshot.
        folder: the export; made as needed.
        origin: name of the log.
        log_key: Ed25519 key (32 bytes) of the log.
        clock_key: Ed25519 key (32 bytes) of its clock.
        note: the checkpoint to publish, with the lines of witnesses; one of the log's.

    Raises:
        VerificationFailed: LF7202 to LF7207 the note; LF7220, LF7221 the log is older than what lies there, or was
            rewritten; LF7229 another log, or something else, lies there.
        EnvironmentProblem: LF5052 it cannot be written, LF5031 another export is at work there.
    """
    point = open_checkpoint(note, origin=origin, log_key=log_key, clock_key=clock_key)
    try:
        if not folder.is_dir():
            folder.mkdir(parents=True)
            folder.chmod(FOLDER_MODE)
        with locked(folder / LOCK, f"the export {folder}"):
            there = _there(folder, origin)
            before = _opened(folder, there, origin, log_key, clock_key) if there else None
            if before is not None:
                _continues(reader, before, point)
            return _Writer(reader, folder, point, note, before.size if before else 0, there).write()
    except OSError as error:
        raise EnvironmentProblem(
            "LF5052",
            f"The export {folder} cannot be written: {error.strerror}.",
            hint=f"df -h {folder}; ls -ld {folder}",
        ) from error


def _there(folder: Path, origin: str) -> str:
    """The checkpoint that lies there; empty for none. A folder with other things in it is no export."""
    try:
        data = read_file(folder / CHECKPOINT, MAX_NOTE_BYTES)
        if data is None:
            strange = sorted(path.name for path in folder.iterdir() if path.name not in _OURS)
            if strange:
                raise _other(folder, f"it holds {strange[0][:80]!r}")
            return ""
        found = parse_checkpoint(parse_note(data).text).origin
    except ValueError as error:
        raise _other(folder, str(error)) from error
    except VerificationFailed as error:
        raise (error if error.code == "LF7229" else _other(folder, error.message.rstrip("."))) from error
    if found != origin:
        raise _other(folder, f"it is of the log {found[:120]!r}, not of {origin!r}")
    return data.decode("utf-8")


def _opened(folder: Path, note: str, origin: str, log_key: bytes, clock_key: bytes) -> LogCheckpoint:
    try:
        return open_checkpoint(note, origin=origin, log_key=log_key, clock_key=clock_key)
    except VerificationFailed as error:
        raise _other(folder, error.message.rstrip(".")) from error


_OURS = frozenset({LOCK, ABOUT, HISTORY, NAMES, ENVELOPE, "tile", CHECKPOINT + ".new", ABOUT + ".new"})


def _continues(reader: AuditReader, before: LogCheckpoint, point: LogCheckpoint) -> None:
    if (point.size, point.timestamp) < (before.size, before.timestamp):
        raise older(point.origin, before, point)
    if before.size == 0:
        return
    try:
        proof = reader.consistency(before.size, point.size)
        verify_consistency(before.size, point.size, proof, before.root, point.root)
    except VerificationFailed as error:
        raise rewritten(point.origin, before, error.message) from error


class _Writer:
    """One export: everything beside the checkpoint, then the checkpoint, then what is not needed any more."""

    def __init__(
        self, reader: AuditReader, folder: Path, point: LogCheckpoint, note: str, safe: int, before: str
    ) -> None:
        self._reader, self._folder, self._point, self._note = reader, folder, point, note
        # What is under a published checkpoint is durable; anything else may be half of a crashed export.
        self._safe, self._before = safe, before
        self._files = 0
        self._folders: set[Path] = set()

    def write(self) -> Published:
        size = self._point.size
        for level, count in tiles.levels(size):
            hashes = islice(self._reader.nodes(level * 8), count)
            self._rows(f"tile/{level}", count, self._safe // tiles.WIDTH**level, hashes, b"".join)
        held, erased = self._entries()
        self._histories()
        self._sync()
        replace_file(self._folder / CHECKPOINT, self._note.encode(), mode=FILE_MODE)
        self._tidy()
        return Published(size, self._point.root, self._safe, self._files + 1, held, erased)

    def _entries(self) -> tuple[int, int]:
        leaves: list[bytes] = []
        names: list[bytes] = []
        held: set[str] = set()
        gone: set[str] = set()
        for entry in self._reader.entries(0, self._point.size):
            leaves.append(entry.leaf)
            names.append(bytes.fromhex(entry.envelope))
            self._envelope(entry.envelope, held, gone, fresh=entry.index >= self._safe)
            if len(leaves) == tiles.WIDTH or entry.index + 1 == self._point.size:
                index = entry.index // tiles.WIDTH
                self._file("tile/entries", index, len(leaves), self._safe, lambda: tiles.pack_entries(leaves))
                self._file(NAMES, index, len(names), self._safe, lambda: b"".join(names))
                leaves.clear()
                names.clear()
        return len(held), len(gone)

    def _envelope(self, digest: str, held: set[str], gone: set[str], *, fresh: bool) -> None:
        if digest in held:
            return
        path = self._folder / ENVELOPE / digest
        body = self._reader.envelope(digest)
        if body is None:
            if path.exists():
                path.unlink()
                gone.add(digest)
            return
        held.add(digest)
        if fresh or not path.exists():
            self._put(path, body)

    def _histories(self) -> None:
        notes = list(_until(self._reader.checkpoints(), self._note, self._point.origin))
        covered = next((n for n, found in enumerate(notes, 1) if self._before.startswith(found)), 0)
        for index, width in tiles.spans(len(notes)):
            part = notes[index * tiles.WIDTH : index * tiles.WIDTH + width]
            content = partial(_packed, part)
            self._file(HISTORY, index, width, covered, content)
        about = {"schema": SCHEMA, "origin": self._point.origin, "checkpoints": len(notes)}
        self._put(self._folder / ABOUT, dumps(about))

    def _rows(
        self, name: str, count: int, safe: int, rows: Iterable[bytes], pack: Callable[[list[bytes]], bytes]
    ) -> None:
        source = iter(rows)
        for index, width in tiles.spans(count):
            part = list(islice(source, width))
            self._file(name, index, width, safe, partial(pack, part))

    def _file(self, name: str, index: int, width: int, safe: int, content: Callable[[], bytes]) -> None:
        path = self._folder / name / tiles.bundle_name(index, width)
        if index * tiles.WIDTH + width > safe or not path.exists():
            self._put(path, content())

    def _put(self, path: Path, data: bytes) -> None:
        if path.parent not in self._folders:
            _make(path.parent, self._folder)
            self._folders.add(path.parent)
        replace_file(path, data, mode=FILE_MODE, durable=False)
        self._files += 1

    def _sync(self) -> None:
        # One call for hundreds of files: each fsync of its own would cost a turn of the disk.
        os.sync()
        for folder in self._folders:
            sync_folder(folder)

    def _tidy(self) -> None:
        """Remove partial files whose full file is published now."""
        counts = [
            (f"tile/{level}", self._safe // tiles.WIDTH**level) for level, _ in tiles.levels(self._point.size)
        ]
        for name, count in [*counts, ("tile/entries", self._safe), (NAMES, self._safe)]:
            full = self._folder / name / tiles.grouped(count // tiles.WIDTH)
            if full.is_file():
                shutil.rmtree(full.with_name(full.name + ".p"), ignore_errors=True)
        for cut in sorted((self._folder / HISTORY).rglob("*.p")):
            if cut.with_name(cut.name.removesuffix(".p")).is_file():
                shutil.rmtree(cut, ignore_errors=True)


def _until(notes: Iterator[str], last: str, origin: str) -> Iterator[str]:
    for note in notes:
        yield note
        # Witnesses add their lines behind those of log and clock.
        if last.startswith(note):
            return
    raise contradiction(origin, "the checkpoint to publish is not one of its checkpoints")


def _packed(notes: list[str]) -> bytes:
    return tiles.pack_entries(map(str.encode, notes))


def _make(folder: Path, top: Path) -> None:
    if folder == top or folder.is_dir():
        return
    _make(folder.parent, top)
    folder.mkdir(exist_ok=True)
    folder.chmod(FOLDER_MODE)


def _other(folder: Path, why: str) -> VerificationFailed:
    return VerificationFailed(
        "LF7229",
        f"{folder} is not an export of this log: {why}.",
        hint="Choose another folder with --out; what lies there stays as it is.",
    )
