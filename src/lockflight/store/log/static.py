"""A log as files that any web server serves: C2SP tlog-tiles, and beside them what a fold needs.

    checkpoint                      the newest published checkpoint, with the lines of witnesses
    tile/<L>/<N>[.p/<W>]            hashes
    tile/entries/<N>[.p/<W>]        leaves
    log.json                        origin and number of checkpoints
    history/<N>[.p/<W>]             every checkpoint up to that one, packed like entries
    names/<N>[.p/<W>]               SHA-256 of the envelope of each entry, 32 bytes each
    envelope/<SHA-256>              the envelopes that are held

A reader of such a folder believes nothing of it: `core.verify` checks it like any other log.
"""

from __future__ import annotations

import hashlib
import re
from bisect import bisect_right
from contextlib import nullcontext
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from lockflight.core.attest.dsse import MAX_ENVELOPE_BYTES, decode
from lockflight.core.attest.statement import parse
from lockflight.core.canonical import loads_object
from lockflight.core.log import tiles
from lockflight.core.log.merkle import consistency_proof, inclusion_proof
from lockflight.core.ports import LogEntry
from lockflight.core.verify.log.log import clock_name
from lockflight.core.verify.log.note import MAX_NOTE_BYTES, parse_checkpoint, parse_note
from lockflight.errors import EnvironmentProblem, InvalidInput, NotFound, VerificationFailed
from lockflight.store.files import read_file

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

CHECKPOINT: Final = "checkpoint"
ABOUT: Final = "log.json"
HISTORY: Final = "history"
NAMES: Final = "names"
ENVELOPE: Final = "envelope"
SCHEMA: Final = "https://lockflight.dev/schema/log-export/v1"
MAX_ABOUT_BYTES: Final = 4096
_DIGEST = re.compile(r"[0-9a-f]{64}", re.ASCII)
_CACHED_TILES = 512
_TIME_BYTES = 8


class StaticReader:
    """The `AuditReader` of an export; it shows the log as of the checkpoint that it found when it was opened.

    Args:
        folder: the export.

    Raises:
        NotFound: LF5035 there is no export.
        VerificationFailed: LF7217 it is malformed; LF7202, LF7203 its checkpoint is.
        EnvironmentProblem: LF5036 it cannot be read.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        # The checkpoint first: an exporter writes it last, so whatever it needs is there.
        note = self._read(CHECKPOINT, MAX_NOTE_BYTES)
        if note is None:
            raise NotFound(
                "LF5035", f"There is no export of a log at {folder}.", hint="lockflight log export --out DIR"
            )
        try:
            self._note = note.decode("utf-8")
        except UnicodeDecodeError as error:
            raise tiles.malformed(CHECKPOINT, "it is not UTF-8") from error
        text = parse_note(self._note).text
        point = parse_checkpoint(text)
        self.origin = point.origin
        self._size = point.size
        self._notes = self._history(text)
        sizes = [(parse_checkpoint(parse_note(item).text).size, self._time(item)) for item in self._notes]
        self._covers = sizes
        self._tile = lru_cache(maxsize=_CACHED_TILES)(self._load_tile)
        self._index: dict[tuple[str, str], list[int]] | None = None

    def close(self) -> None:
        """Nothing is held between calls."""

    def snapshot(self) -> AbstractContextManager[None]:
        """See `AuditReader.snapshot`; what was opened never changes."""
        return nullcontext()

    def checkpoint(self) -> str:
        """See `LogReader.checkpoint`."""
        return self._note

    def checkpoints(self, start: int = 0) -> Iterator[str]:
        """See `AuditReader.checkpoints`."""
        return iter(self._notes[start:])

    def size(self) -> int:
        """Number of entries."""
        return self._size

    def entries(self, start: int = 0, end: int | None = None) -> Iterator[LogEntry]:
        """See `LogReader.entries`."""
        start, end = max(start, 0), self._size if end is None else min(end, self._size)
        for index, width in tiles.spans(self._size):
            first = index * tiles.WIDTH
            if first >= end or first + width <= start:
                continue
            where = tiles.tile_path("entries", index, width)
            leaves = tiles.read_entries(self._cut("tile/entries", index, width), width, where)
            names = tiles.read_hashes(self._cut(NAMES, index, width), width, f"{NAMES}/{index}")
            for place in range(max(start - first, 0), min(end - first, width)):
                number = first + place
                yield LogEntry(number, leaves[place], names[place].hex(), self._logged_at(number))

    def pending(self) -> Iterator[LogEntry]:
        """See `AuditReader.pending`; an export holds none."""
        return iter(())

    def envelope(self, digest: str) -> bytes | None:
        """See `LogReader.envelope`.

        Raises:
            InvalidInput: LF7215 not a digest.
            VerificationFailed: LF7213 what is kept under the digest are other bytes.
        """
        _check(digest)
        body = self._read(f"{ENVELOPE}/{digest}", MAX_ENVELOPE_BYTES)
        if body is not None and hashlib.sha256(body).hexdigest() != digest:
            raise VerificationFailed(
                "LF7213",
                f"The export keeps other bytes under the envelope {digest[:16]}… than those that were recorded.",
                hint="Fetch it again; if it still fails, do not trust where it comes from.",
            )
        return body

    def find(self, envelope: str) -> LogEntry | None:
        """See `LogReader.find`."""
        _check(envelope)
        return next((entry for entry in self.entries() if entry.envelope == envelope), None)

    def inclusion(self, index: int, size: int) -> list[bytes]:
        """See `LogReader.inclusion`.

        Raises:
            NotFound: LF7216 there is no such entry, or the log is not that long.
        """
        if not 0 <= index < size <= self._size:
            raise NotFound("LF7216", f"The log has no entry {index} under size {size}.")
        return inclusion_proof(self.node, index, size)

    def consistency(self, old: int, new: int) -> list[bytes]:
        """See `LogReader.consistency`.

        Raises:
            NotFound: LF7216 the log is not that long, or the sizes are not in order.
        """
        if not 1 <= old <= new <= self._size:
            raise NotFound("LF7216", f"There is no proof from size {old} to size {new} of the log.")
        return consistency_proof(self.node, old, new)

    def node(self, level: int, index: int) -> bytes:
        """See `AuditReader.node`."""
        if index + 1 << level > self._size:
            raise tiles.malformed(str(self._folder), f"subtree {index} at level {level} is not complete")
        return tiles.node_of(self._tile, level, index)

    def nodes(self, level: int, start: int = 0) -> Iterator[bytes]:
        """See `AuditReader.nodes`."""
        return (tiles.node_of(self._tile, level, index) for index in range(start, self._size >> level))

    def covering(self, index: int) -> tuple[int, int] | None:
        """(size, timestamp) of the first checkpoint that includes the entry; None while none does."""
        place = bisect_right(self._covers, index, key=lambda cover: cover[0])
        return self._covers[place] if place < len(self._covers) else None

    def query(self, subject: str | None = None, types: Iterable[str] = ()) -> Iterator[LogEntry]:
        """See `LogReader.query`; the index is made from the envelopes when it is first asked for."""
        if subject is not None:
            _check(subject)
        kinds = set(types)
        if subject is None and not kinds:
            return self.entries()
        found = {
            index
            for (about, kind), places in self._listed().items()
            if subject in {None, about} and (not kinds or kind in kinds)
            for index in places
        }
        return (next(self.entries(index, index + 1)) for index in sorted(found))

    def indexed(self, subject: bytes, predicate_type: str, index: int) -> bool:
        """See `AuditReader.indexed`."""
        return index in self._listed().get((subject.hex(), predicate_type), ())

    def indexed_rows(self) -> int:
        """See `AuditReader.indexed_rows`."""
        return sum(map(len, self._listed().values()))

    def _listed(self) -> dict[tuple[str, str], list[int]]:
        if self._index is None:
            self._index = {}
            for entry in self.entries():
                body = self.envelope(entry.envelope)
                if body is None:
                    continue
                statement = parse(decode(body).payload)
                for subject in {s.sha256 for s in statement.subjects}:
                    self._index.setdefault((subject, statement.predicate_type), []).append(entry.index)
        return self._index

    def _logged_at(self, index: int) -> int:
        cover = self.covering(index)
        return -1 if cover is None else cover[1]

    def _history(self, text: str) -> list[str]:
        """Every checkpoint up to the published one; a later export may have written more already."""
        found = []
        for index, width in tiles.spans(self._count()):
            where = f"{HISTORY}/{tiles.bundle_name(index, width)}"
            for raw in tiles.read_entries(self._cut(HISTORY, index, width), width, where):
                try:
                    note = raw.decode("utf-8")
                except UnicodeDecodeError as error:
                    raise tiles.malformed(where, "it is not UTF-8") from error
                found.append(note)
                if parse_note(note).text == text and self._time(note) == self._time(self._note):
                    return found
        raise tiles.malformed(HISTORY, "it does not lead to the published checkpoint")

    def _count(self) -> int:
        data = self._read(ABOUT, MAX_ABOUT_BYTES)
        if data is None:
            raise tiles.malformed(ABOUT, "it is missing")
        about = loads_object(data, what=ABOUT, max_bytes=MAX_ABOUT_BYTES, max_depth=4)
        count = about.get("checkpoints")
        if about.get("schema") != SCHEMA or about.get("origin") != self.origin:
            raise tiles.malformed(ABOUT, "it is of another log, or of another version")
        if not isinstance(count, int) or isinstance(count, bool) or count < 1:
            raise tiles.malformed(ABOUT, "it names no number of checkpoints")
        return count

    def _time(self, note: str) -> int:
        # Only read here; whether the clock has said so is checked by `core.verify.log`.
        name = clock_name(self.origin)
        for line in parse_note(note).signatures:
            if line.name == name:
                return int.from_bytes(line.signature[:_TIME_BYTES], "big")
        return -1

    def _load_tile(self, level: int, index: int) -> list[bytes]:
        width = min(self._size // tiles.WIDTH**level - index * tiles.WIDTH, tiles.WIDTH)
        where = tiles.tile_path(level, index, width)
        return tiles.read_hashes(self._cut(f"tile/{level}", index, width), width, where)

    def _cut(self, folder: str, index: int, width: int) -> bytes:
        """The bytes of a file of `width` things; where the partial one is gone, the start of the full one."""
        path = f"{folder}/{tiles.bundle_name(index, width)}"
        data = self._read(path, tiles.MAX_BUNDLE_BYTES)
        if data is None and width < tiles.WIDTH:
            whole = self._read(f"{folder}/{tiles.bundle_name(index)}", tiles.MAX_BUNDLE_BYTES)
            if whole is not None:
                return _start(whole, width, folder, hashes=folder not in {"tile/entries", HISTORY})
        if data is None:
            raise tiles.malformed(path, "it is missing")
        return data

    def _read(self, name: str, max_bytes: int) -> bytes | None:
        try:
            return read_file(self._folder / name, max_bytes)
        except ValueError as error:
            raise tiles.malformed(name, str(error)) from error
        except NotADirectoryError:
            return None
        except OSError as error:
            raise EnvironmentProblem(
                "LF5036",
                f"The export {self._folder / name} cannot be read: {error.strerror}.",
                hint=f"ls -l {self._folder}",
            ) from error


def _start(whole: bytes, width: int, where: str, *, hashes: bool) -> bytes:
    if hashes:
        return whole[: width * tiles.HASH_BYTES]
    return tiles.pack_entries(tiles.read_entries(whole, tiles.WIDTH, where)[:width])


def _check(digest: str) -> None:
    if not _DIGEST.fullmatch(digest):
        raise InvalidInput(
            "LF7215", f"{digest[:80]!r} is not a SHA-256: 64 lower-case hex digits are expected."
        )
