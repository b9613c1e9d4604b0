"""A realm's log in one file, for a host that has no home: every entry, envelope and checkpoint. Pure.

Nothing in it is believed. Whoever knows the realm's root digest recomputes the tree, checks each checkpoint with the
keys of the realm's trust statement, and folds the entries, exactly as a home does with its own log.
"""

from __future__ import annotations

import hashlib
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Final, cast

from lockflight.core.attest.trust import Duty
from lockflight.core.canonical import JsonObject, JsonValue, dumps, loads_object
from lockflight.core.fold.run import fold
from lockflight.core.log.edge import Edge
from lockflight.core.log.merkle import leaf_hash
from lockflight.core.ports import LogEntry
from lockflight.core.records import dataclass
from lockflight.core.shape import array, hex64, integer, obj, text
from lockflight.core.state.state import FoldEntry, State
from lockflight.core.verify.crypto.keys import load_der
from lockflight.core.verify.log.log import verify_log
from lockflight.errors import VerificationFailed

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from lockflight.core.ports import AuditReader

SCHEMA: Final = "https://lockflight.dev/schema/realm-log/v1"
MAX_BYTES: Final = 512 * 1024 * 1024
MAX_VALUES: Final = 8_000_000


class Snapshot:
    """A log in memory, as far as `verify_log` and `fold` read one.

    Args:
        entries: as stored, those under the newest checkpoint.
        envelopes: the bytes of each entry's envelope, in the same order; None where they are gone.
        notes: every checkpoint, oldest first.
    """

    def __init__(
        self, entries: Sequence[LogEntry], envelopes: Sequence[bytes | None], notes: Sequence[str]
    ) -> None:
        self._entries = tuple(entries)
        self._envelopes = tuple(envelopes)
        self._notes = tuple(notes)
        self._nodes: dict[int, list[bytes]] | None = None

    def encode(self) -> bytes:
        """Canonical JSON: all that `decode` needs."""
        return dumps(
            {
                "schema": SCHEMA,
                "checkpoints": list(self._notes),
                "entries": [
                    _row(entry, envelope)
                    for entry, envelope in zip(self._entries, self._envelopes, strict=True)
                ],
            }
        )

    def fold_entries(self) -> list[FoldEntry]:
        """What the fold reads."""
        pairs = zip(self._entries, self._envelopes, strict=True)
        return [FoldEntry(e.index, e.leaf, e.envelope, envelope, e.logged_at) for e, envelope in pairs]

    def snapshot(self) -> AbstractContextManager[None]:
        """See `AuditReader.snapshot`; nothing here ever changes."""
        return nullcontext()

    def checkpoint(self) -> str:
        """See `LogReader.checkpoint`."""
        return self._notes[-1] if self._notes else ""

    def checkpoints(self, start: int = 0) -> Iterator[str]:
        """See `AuditReader.checkpoints`."""
        return iter(self._notes[start:])

    def entries(self, start: int = 0) -> Iterator[LogEntry]:
        """See `LogReader.entries`."""
        return iter(self._entries[start:])

    def pending(self) -> Iterator[LogEntry]:
        """None: what no checkpoint covers is not taken along."""
        return iter(())

    def nodes(self, level: int, start: int = 0) -> Iterator[bytes]:
        """Hashes of the complete subtrees of 2^level leaves, computed: none are stored that could be wrong."""
        if self._nodes is None:
            self._nodes = {}
            edge = Edge()
            for entry in self._entries:
                for height, _, value in edge.push(leaf_hash(entry.leaf)):
                    self._nodes.setdefault(height, []).append(value)
        return iter(self._nodes.get(level, [])[start:])


@dataclass(frozen=True, slots=True)
class Seen:
    """What a verified snapshot adds up to.

    Attributes:
        state: the fold of its entries.
        timestamp: Unix seconds of its newest checkpoint, cosigned by the log's clock.
        note: that checkpoint.
    """

    state: State
    timestamp: int
    note: str


def decode(data: bytes) -> Snapshot:
    """Read a snapshot strictly; nothing is verified yet.

    Raises:
        VerificationFailed: LF7101 to LF7103 (JSON), LF7501 it is none.
    """
    body = loads_object(data, what="snapshot of the realm", max_bytes=MAX_BYTES, max_values=MAX_VALUES)
    try:
        if set(body) != {"schema", "checkpoints", "entries"} or body["schema"] != SCHEMA:
            raise ValueError("it has another schema or other fields")
        rows = [_read(index, row) for index, row in enumerate(array(body["entries"]))]
        return Snapshot(
            [entry for entry, _ in rows],
            [envelope for _, envelope in rows],
            [text(note) for note in array(body["checkpoints"])],
        )
    except (KeyError, TypeError, ValueError) as error:
        raise VerificationFailed(
            "LF7501",
            f"The file is no snapshot of a realm: {error}.",
            hint="lockflight realm snapshot --out FILE writes one.",
        ) from error


def verify_snapshot(snapshot: Snapshot, root: str, seen: str = "") -> Seen:
    """Recompute and check everything, beginning with the root digest.

    Args:
        snapshot: from `decode`.
        root: 64 hex digits, the realm's root digest, known from elsewhere.
        seen: the newest checkpoint that was seen of this realm; empty for none.

    Raises:
        VerificationFailed: LF7230 another realm; LF72xx the log contradicts itself or its keys, or is older than, or
            another than, what was seen; LF7240, LF7241 an envelope is missing or another.
    """
    state = fold(root, snapshot.fold_entries())
    log_key, clock_key = (load_der(state.trust.key(duty).der).raw for duty in (Duty.LOG, Duty.CLOCK))
    # Without envelopes, which the fold has read, only what a snapshot has is asked for.
    reader = cast("AuditReader", snapshot)
    report = verify_log(reader, state.trust.origin, log_key, clock_key, seen, envelopes=False)
    return Seen(state, report.timestamp, snapshot.checkpoint())


def _row(entry: LogEntry, envelope: bytes | None) -> JsonObject:
    row: JsonObject = {"leaf": entry.leaf.decode(), "logged_at": entry.logged_at}
    # Envelopes are canonical JSON; what is gone is named by its digest.
    return row | ({"digest": entry.envelope} if envelope is None else {"envelope": envelope.decode()})


def _read(index: int, value: JsonValue) -> tuple[LogEntry, bytes | None]:
    row = obj(value)
    if set(row) not in ({"leaf", "logged_at", "digest"}, {"leaf", "logged_at", "envelope"}):
        raise ValueError(f"entry {index} has other fields")
    envelope = text(row["envelope"]).encode() if "envelope" in row else None
    digest = hex64(row["digest"]) if envelope is None else hashlib.sha256(envelope).hexdigest()
    return LogEntry(index, text(row["leaf"]).encode(), digest, integer(row["logged_at"])), envelope
