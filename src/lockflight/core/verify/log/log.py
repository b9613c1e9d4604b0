"""Checking a whole log: every leaf, every stored node and checkpoint, every envelope that is held."""

from __future__ import annotations

import hashlib
import re
from functools import lru_cache
from typing import TYPE_CHECKING

from lockflight.core.attest.dsse import decode
from lockflight.core.attest.statement import parse
from lockflight.core.log.edge import Edge
from lockflight.core.log.merkle import leaf_hash
from lockflight.core.records import dataclass
from lockflight.core.verify.log.leaf import check_leaf
from lockflight.core.verify.log.note import (
    KIND_COSIGNATURE,
    NoteKey,
    checkpoint_text,
    cosignature_message,
    parse_checkpoint,
    parse_note,
    said_checkpoint,
    verify_checkpoint,
)
from lockflight.errors import VerificationFailed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lockflight.core.ports import AuditReader, LogEntry
    from lockflight.core.verify.log.note import VerifiedCheckpoint

#: No log has 2^63 leaves, so no subtree is higher (C2SP tlog-tiles).
_LEVELS = 63

_PREVIOUS = "previous "
_PREVIOUS_LINE = re.compile(r"previous (0|[1-9][0-9]{0,18}) ([0-9a-f]{64})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Known:
    """A log as far as this process has verified it.

    Attributes:
        edge: of the tree under the checkpoint.
        point: the checkpoint.
        checkpoints: how many there are up to it.
    """

    edge: Edge
    point: LogCheckpoint
    checkpoints: int


@dataclass(frozen=True, slots=True)
class LogReport:
    """What `verify_log` has found sound; all numbers count things.

    Attributes:
        origin: name of the log.
        size: entries under the newest checkpoint.
        root: root of the tree of that size, 32 bytes.
        timestamp: Unix seconds of that checkpoint; 0 for a log without one.
        checkpoints: stored checkpoints.
        pending: entries beyond the newest checkpoint; a writer that opens the log will sign for them.
        missing: envelopes that are erased or were never held here; their entries are proven all the same. 0
            if envelopes were left out, as `indexed`.
        indexed: rows of the index of subjects.
        pinned: size of the checkpoint that the log was compared with; 0 for none.
        known: what `verify_log` can go on from when the log has grown; None for a log without a checkpoint.
    """

    origin: str
    size: int
    root: bytes
    timestamp: int
    checkpoints: int
    pending: int
    missing: int
    indexed: int
    pinned: int
    known: Known | None = None


def clock_name(origin: str) -> str:
    """The name under which the clock of a log cosigns its checkpoints."""
    return f"{origin}/clock"


@dataclass(frozen=True, slots=True)
class LogCheckpoint:
    """A checkpoint of a log with a clock of its own, verified.

    Attributes:
        origin: name of the log.
        size: number of entries.
        root: root of their tree, 32 bytes.
        timestamp: Unix seconds, cosigned by the clock.
        previous_size: size of the checkpoint before it; 0 for the first. The log signs this too, so an entry
            from `previous_size` on was logged at `timestamp` and not before.
        previous: `digest` of the checkpoint before it; empty for the first.
        digest: SHA-256 (hex) of what the clock has signed, time included.
    """

    origin: str
    size: int
    root: bytes
    timestamp: int
    previous_size: int
    previous: str
    digest: str


def chained_text(origin: str, size: int, root: bytes, previous: LogCheckpoint | None) -> str:
    """The text that a log signs: a C2SP checkpoint whose extension line names the checkpoint before it.

    Without that line whoever holds the database could drop old checkpoints, and entries would look younger.
    """
    text = checkpoint_text(origin, size, root)
    return f"{text}{_PREVIOUS}{previous.size} {previous.digest}\n" if previous else text


def open_checkpoint(note: str, *, origin: str, log_key: bytes, clock_key: bytes) -> LogCheckpoint:
    """Check a checkpoint of a log with a clock of its own; keys are 32 bytes, Ed25519.

    Raises:
        VerificationFailed: LF7202 to LF7207, LF7210 the line that names the checkpoint before it is
            malformed.
    """
    return _open_checkpoint(note, origin, log_key, clock_key)


# A writer meets each checkpoint three times: signed, to be pinned, and as the pin before the next one.
@lru_cache(maxsize=64)
def _open_checkpoint(note: str, origin: str, log_key: bytes, clock_key: bytes) -> LogCheckpoint:
    point = verify_checkpoint(
        note, origin=origin, log_key=log_key, clock_key=clock_key, clock_name=clock_name(origin)
    )
    return _chained(note, point)


def _chained(note: str, point: VerifiedCheckpoint) -> LogCheckpoint:
    """A checkpoint with what its text says about the one before it."""
    origin, text = point.origin, parse_note(note).text
    lines = [line for line in parse_checkpoint(text).extensions if line.startswith(_PREVIOUS)]
    found = _PREVIOUS_LINE.fullmatch(lines[0]) if lines else None
    if len(lines) > 1 or (lines and not found) or (found and int(found[1]) > point.size):
        raise contradiction(origin, "its checkpoint does not say which one came before")
    return LogCheckpoint(
        origin=origin,
        size=point.size,
        root=point.root,
        timestamp=point.timestamp,
        previous_size=int(found[1]) if found else 0,
        previous=found[2] if found else "",
        digest=hashlib.sha256(cosignature_message(text, point.timestamp)).hexdigest(),
    )


def contradiction(origin: str, why: str) -> VerificationFailed:
    """LF7210 for a log whose parts cannot all be true."""
    return VerificationFailed(
        "LF7210",
        f"The log {origin!r} contradicts itself: {why}.",
        hint="lockflight log verify; then restore the newest backup, and keep this log as evidence",
        details={"origin": origin},
    )


def older(origin: str, seen: LogCheckpoint, found: LogCheckpoint | None) -> VerificationFailed:
    """LF7220 for a log that is behind what was seen of it."""
    size = found.size if found else 0
    return VerificationFailed(
        "LF7220",
        f"The log {origin!r} is older than what this machine has seen of it: it has {size} entries, "
        f"but {seen.size} were seen. An old copy was put in its place, or entries were cut off.",
        hint="Do not append. Restore the newest copy of the realm, and compare with other holders.",
        details={"origin": origin, "size": size, "seen": seen.size},
    )


def rewritten(origin: str, seen: LogCheckpoint, why: str) -> VerificationFailed:
    """LF7221 for a log that does not continue what was seen of it."""
    return VerificationFailed(
        "LF7221",
        f"The log {origin!r} does not continue the {seen.size} entries that this machine has seen of it: "
        f"{why}.",
        hint="Do not use this log. Keep it as evidence, and compare checkpoints with other holders.",
        details={"origin": origin, "seen": seen.size},
    )


def verify_log(
    reader: AuditReader,
    origin: str,
    log_key: bytes,
    clock_key: bytes,
    pin: str = "",
    *,
    envelopes: bool = True,
    chained: bool = False,
    known: Known | None = None,
) -> LogReport:
    """Recompute a log from its leaves and compare everything that is stored about it.

    Args:
        reader: the log.
        origin: its name.
        log_key: Ed25519 key (32 bytes) of the log.
        clock_key: Ed25519 key (32 bytes) of its clock.
        pin: a checkpoint that was seen earlier, read before this call; empty for none.
        envelopes: also open each envelope that is held, check its signature, and compare the index of
            subjects. Whoever opens them all the same, as the fold does, may leave this out.
        chained: take the checkpoints before the pin as it names them: each names the digest of the one before, text and
            time, and log and clock signed for the pin's. Their own signatures are then not checked once more.
        known: from the report of an earlier call with the same keys; only what the log has got since is read.

    Raises:
        VerificationFailed: LF7202 to LF7207 a checkpoint is not of these keys, LF7210 the log contradicts
            itself, LF7213 an envelope is not the one that its entry records, LF7214 the index is not that of
            the entries, LF7220, LF7221 the log is older than the pin, or another.
    """

    def check(note: str) -> LogCheckpoint:
        return open_checkpoint(note, origin=origin, log_key=log_key, clock_key=clock_key)

    def said(note: str) -> LogCheckpoint:
        clock = NoteKey(clock_name(origin), KIND_COSIGNATURE, clock_key)
        return _chained(note, said_checkpoint(note, origin=origin, clock=clock))

    def points() -> Iterator[LogCheckpoint]:
        bound = chained and bool(pin) and pin in reader.checkpoints(start)
        for note in reader.checkpoints(start):
            bound = bound and note != pin
            yield said(note) if bound else check(note)

    start = known.checkpoints if known else 0
    seen = check(pin) if pin else None
    with reader.snapshot():
        note = reader.checkpoint()
        newest = check(note) if note else None
        for floor in (seen, known.point if known else None):
            if floor and (newest is None or (newest.size, newest.timestamp) < (floor.size, floor.timestamp)):
                raise older(origin, floor, newest)
        walk = _Walk(reader, origin, points(), seen, known, envelopes=envelopes)
        for entry in reader.entries(walk.edge.size):
            walk.step(entry)
        if walk.edge.size != (newest.size if newest else 0):
            raise contradiction(origin, f"it shows {walk.edge.size} entries under its newest checkpoint")
        edge = walk.edge.copy()
        for entry in reader.pending():
            walk.step(entry)
        walk.finish(newest)
    return LogReport(
        origin=origin,
        size=newest.size if newest else 0,
        root=newest.root if newest else Edge().root(),
        timestamp=newest.timestamp if newest else 0,
        checkpoints=walk.checkpoints,
        pending=walk.edge.size - (newest.size if newest else 0),
        missing=walk.missing,
        indexed=walk.indexed,
        pinned=seen.size if seen else 0,
        known=Known(edge, newest, walk.checkpoints) if newest else None,
    )


class _Walk:
    """One pass over the entries, in which nodes and checkpoints are compared as the tree reaches them."""

    def __init__(
        self,
        reader: AuditReader,
        origin: str,
        points: Iterator[LogCheckpoint],
        seen: LogCheckpoint | None,
        known: Known | None,
        *,
        envelopes: bool,
    ) -> None:
        self._reader = reader
        self._envelopes = envelopes
        self._origin = origin
        self._points = points
        self._seen = seen
        self.edge = known.edge.copy() if known else Edge()
        self._nodes = [reader.nodes(level, self.edge.size >> level) for level in range(_LEVELS)]
        self._last: LogCheckpoint | None = None
        self._next = known.point if known else None
        self.checkpoints = known.checkpoints if known else 0
        self.missing = self.indexed = 0
        self._advance()
        self._compare_roots()

    def step(self, entry: LogEntry) -> None:
        """Take in the next entry."""
        index = self.edge.size
        if entry.index != index:
            raise contradiction(self._origin, f"entry {index} is missing")
        if entry.logged_at != (self._next.timestamp if self._next else -1):
            raise contradiction(
                self._origin, f"entry {index} has another time than the first checkpoint over it"
            )
        for level, place, value in self.edge.push(leaf_hash(entry.leaf)):
            if next(self._nodes[level], None) != value:
                raise contradiction(
                    self._origin,
                    f"the stored hash of subtree {place} at level {level} is not that of its leaves",
                )
        if self._envelopes:
            self._check_envelope(entry)
        self._compare_roots()

    def finish(self, newest: LogCheckpoint | None) -> None:
        """Make sure that nothing is left over."""
        if self._next is not None:
            raise contradiction(
                self._origin, f"a checkpoint covers {self._next.size} entries, but {self.edge.size} are there"
            )
        if self._last != newest:
            raise contradiction(self._origin, "its newest checkpoint is not the last of its checkpoints")
        if any(next(nodes, None) is not None for nodes in self._nodes):
            raise contradiction(self._origin, "it stores hashes of subtrees that no entries fill")
        if self._envelopes and self._reader.indexed_rows() != self.indexed:
            raise _other_index("it lists more than the entries say")

    def _advance(self) -> None:
        self._last = self._next
        self._next = next(self._points, None)
        if self._next is None:
            return
        self.checkpoints += 1
        before = (self._last.size, self._last.digest) if self._last else (0, "")
        if (self._next.previous_size, self._next.previous) != before:
            raise contradiction(
                self._origin, f"a checkpoint before that of size {self._next.size} is missing or is another"
            )
        if self._last and self._next.timestamp < self._last.timestamp:
            raise contradiction(
                self._origin, f"time goes backwards at the checkpoint of size {self._next.size}"
            )

    def _compare_roots(self) -> None:
        size = self.edge.size
        if self._seen and self._seen.size == size and self._seen.root != self.edge.root():
            raise rewritten(self._origin, self._seen, "the entries are others")
        while self._next and self._next.size == size:
            if self._next.root != self.edge.root():
                raise contradiction(
                    self._origin, f"the signed root of size {size} is not that of its first {size} entries"
                )
            self._advance()

    def _check_envelope(self, entry: LogEntry) -> None:
        body = self._reader.envelope(entry.envelope)
        if body is None:
            self.missing += 1
            return
        try:
            if hashlib.sha256(body).hexdigest() != entry.envelope:
                raise VerificationFailed("LF7213", "Its bytes have another digest.")
            envelope = decode(body)
            check_leaf(entry.leaf, envelope)
            statement = parse(envelope.payload)
        except VerificationFailed as error:
            raise VerificationFailed(
                "LF7213",
                f"Entry {entry.index} of the log {self._origin!r} and its envelope do not agree: "
                f"{error.message}",
                hint="Do not use this entry; import the evidence again from its producer.",
                details={"origin": self._origin, "index": entry.index, "cause": error.code},
            ) from error
        for subject in {s.sha256 for s in statement.subjects}:
            self.indexed += 1
            if not self._reader.indexed(bytes.fromhex(subject), statement.predicate_type, entry.index):
                raise _other_index(f"entry {entry.index} is not listed under its subject {subject}")


def _other_index(why: str) -> VerificationFailed:
    return VerificationFailed(
        "LF7214",
        f"The index of subjects is not that of the log's entries: {why}.",
        hint="lockflight log rebuild",
    )
