"""Appending to the log: many submitters, one commit at a time, nothing signed before it is durable.

Order of a commit: entries and nodes, then the signed checkpoint, then the pin outside of the store, then receipts.
A crash between any two leaves a log that the next writer completes: entries without a checkpoint get one.
"""

from __future__ import annotations

import copy
import hashlib
import threading
from collections import deque
from dataclasses import field
from typing import TYPE_CHECKING, Final

from lockflight.core.attest.dsse import decode
from lockflight.core.log.edge import Edge
from lockflight.core.log.merkle import leaf_hash
from lockflight.core.ports import NewEntry, Receipt
from lockflight.core.records import dataclass
from lockflight.core.times import age, rfc3339
from lockflight.core.verify.crypto.keys import ED25519, load_der
from lockflight.core.verify.envelope import open_envelope
from lockflight.core.verify.log.leaf import check_form, check_leaf, leaf_for, read_signer
from lockflight.core.verify.log.log import (
    LogCheckpoint,
    chained_text,
    clock_name,
    contradiction,
    open_checkpoint,
)
from lockflight.core.verify.log.note import (
    KIND_COSIGNATURE,
    KIND_ED25519,
    NoteKey,
    cosignature_message,
    format_note,
    note_signature_line,
    timestamped,
)
from lockflight.errors import EnvironmentProblem, InvalidInput, LockflightError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from lockflight.core.ports import LogEntry, LogStore, Pins, Signer

#: Submissions that are waiting share a commit until they make this many entries.
BATCH: Final = 256
#: A decision is about the release and each of its assets (`core.release.MAX_ASSETS`).
MAX_SUBJECTS: Final = 20_001
MAX_TYPE_CHARS: Final = 512
#: A clock that is further behind the log than this is wrong; less is taken for the log's own time.
CLOCK_TOLERANCE: Final = 300


@dataclass(slots=True)
class _Submission:
    """Entries of one caller: in the log together or not at all."""

    entries: Sequence[NewEntry]
    receipts: list[Receipt] = field(default_factory=list)
    error: LockflightError | None = None
    done: bool = False


@dataclass(slots=True)
class _State:
    """The log as this writer left it: edge of all entries, and the newest checkpoint."""

    edge: Edge
    note: str = ""
    covered: int = 0
    timestamp: int = 0


class LogWriter:
    """A `Log` over a store; safe for threads. Several processes may write to one log.

    Args:
        store: where the rows go.
        origin: name of the log, one word.
        log_signer: Ed25519 key that signs checkpoints.
        clock_signer: Ed25519 key that cosigns them with the time; another one than the log's.
        clock: Unix seconds.
        pins: where the newest checkpoint is remembered; None for a log that nobody has seen yet.

    Raises:
        VerificationFailed: LF7202 to LF7222 the log contradicts itself, its keys or its pin.
        EnvironmentProblem: LF5030, LF5031 it cannot be written, LF5032 the clock is behind it, LF5037 a key or the
            origin cannot be used.
    """

    def __init__(
        self,
        store: LogStore,
        *,
        origin: str,
        log_signer: Signer,
        clock_signer: Signer,
        clock: Callable[[], int],
        pins: Pins | None,
    ) -> None:
        if not origin or "+" in origin or not origin.isprintable() or any(char.isspace() for char in origin):
            raise EnvironmentProblem("LF5037", f"{origin!r} cannot name a log: it must be one plain word.")
        self._store = store
        self._origin = origin
        self._log_signer = log_signer
        self._clock_signer = clock_signer
        self._log_key = NoteKey(origin, KIND_ED25519, _raw(log_signer, "log"))
        self._clock_key = NoteKey(clock_name(origin), KIND_COSIGNATURE, _raw(clock_signer, "clock"))
        if self._log_key.key == self._clock_key.key:
            raise EnvironmentProblem(
                "LF5037", "The log and its clock have the same key; each duty needs its own."
            )
        self._clock = clock
        self._pins = pins
        self._pinned = ""
        self._state: _State | None = None
        self._turn = threading.Condition()
        self._queue: deque[_Submission] = deque()
        self._busy = False
        with store.exclusive():
            self._current()

    def append(self, items: Sequence[tuple[bytes, bytes]]) -> list[Receipt]:
        """See `Log.append`. A call of more than `BATCH` items is one long commit."""
        return self.record([self.prepare(envelope, signer) for envelope, signer in items])

    def renew(self) -> str:
        """Sign the log as it is again, with the time of now; returns the newest checkpoint.

        A log to which nobody appends looks the same as one that is held back. This shows that it is neither.

        Raises:
            VerificationFailed: LF7210 to LF7222 the log contradicts itself or its pin.
            EnvironmentProblem: LF5030, LF5031 it cannot be written, LF5032 the clock is behind it.
        """
        with self._turn:
            self._turn.wait_for(lambda: not self._busy)
            try:
                with self._store.exclusive():
                    state = self._current()
                    if (now := self._now(state)) > state.timestamp:
                        self._sign(state, now)
                    self._pin(state)
                    return state.note
            except BaseException:
                self._state = None
                raise

    def prepare(self, envelope: bytes, signer: bytes) -> NewEntry:
        """Check an envelope and make the entry that records it.

        Args:
            envelope: canonical form.
            signer: SubjectPublicKeyInfo of the key that signed, or the certificate that names it; DER.

        Raises:
            VerificationFailed: LF7101 to LF7130 not an envelope over a statement, LF7001 to LF7003 not a key, LF7123
                the signature is not of that key, LF7165 the envelope could be written in another way.
            InvalidInput: LF7212 more subjects than the index takes.
            EnvironmentProblem: LF5030 a long envelope cannot be stored.
        """
        key, certificate = read_signer(signer)
        opened = decode(envelope)
        statement = open_envelope(opened, key)
        check_form(opened, key)
        subjects = tuple(dict.fromkeys(bytes.fromhex(subject.sha256) for subject in statement.subjects))
        if len(subjects) > MAX_SUBJECTS or len(statement.predicate_type) > MAX_TYPE_CHARS:
            raise InvalidInput(
                "LF7212",
                f"The statement has {len(subjects)} subjects and a type of {len(statement.predicate_type)} characters; "
                f"the log takes {MAX_SUBJECTS} and {MAX_TYPE_CHARS}.",
                hint="Split the statement, or make it about the digest of a view.",
            )
        digest = hashlib.sha256(envelope).digest()
        entry = NewEntry(
            leaf_for(opened, key, certificate), digest, envelope, statement.predicate_type, subjects
        )
        self._store.stage(entry)
        return entry

    def record(self, entries: Sequence[NewEntry]) -> list[Receipt]:
        """Record entries from `prepare`, in order, all of them or none; the second half of `append`.

        Raises:
            VerificationFailed: LF7210 to LF7222 the log contradicts itself or its pin.
            EnvironmentProblem: LF5030, LF5031 it cannot be written, LF5032 the clock is behind it.
        """
        if not entries:
            return []
        mine = _Submission(entries)
        with self._turn:
            self._queue.append(mine)
            self._turn.wait_for(lambda: mine.done or not self._busy)
            # Whoever finds no commit in flight makes the next one, for everybody who waits by then.
            while not mine.done:
                self._busy = True
                batch = self._take()
                self._turn.release()
                try:
                    self._commit(batch)
                finally:
                    self._turn.acquire()
                    self._busy = False
                    self._turn.notify_all()
        if mine.error is not None:
            raise copy.copy(mine.error) from mine.error
        return mine.receipts

    def _take(self) -> list[_Submission]:
        batch = [self._queue.popleft()]
        count = len(batch[0].entries)
        while self._queue and count + len(self._queue[0].entries) <= BATCH:
            batch.append(self._queue.popleft())
            count += len(batch[-1].entries)
        return batch

    def _commit(self, batch: list[_Submission]) -> None:
        error: LockflightError | None = EnvironmentProblem(
            "LF5030",
            "Recording was interrupted before the log had confirmed it.",
            hint="Append again: what is in the log already gets the receipt of its first entry.",
        )
        try:
            with self._store.exclusive():
                self._write(batch)
            error = None
        except LockflightError as failure:
            error = failure
        finally:
            if error is not None:
                # What the store holds now is known only to the store.
                self._state = None
            for submission in batch:
                submission.error = error
                submission.done = True

    def _write(self, batch: list[_Submission]) -> None:
        state = self._current()
        now = self._now(state)
        wanted = {entry.envelope: None for submission in batch for entry in submission.entries}
        places = {
            (envelope, leaf): index
            for envelope, found in self._store.places(list(wanted)).items()
            for index, leaf in reversed(found)
        }
        first = state.edge.size
        fresh: list[NewEntry] = []
        for submission in batch:
            for entry in submission.entries:
                if places.setdefault((entry.envelope, entry.leaf), first + len(fresh)) == first + len(fresh):
                    fresh.append(entry)
        if fresh:
            edge = state.edge.copy()
            nodes = [node for entry in fresh for node in edge.push(leaf_hash(entry.leaf))]
            self._store.add_entries(first, fresh, nodes)
            state.edge = edge
        if state.covered < state.edge.size:
            self._sign(state, now)
        self._pin(state)
        for submission in batch:
            submission.receipts = [
                self._receipt(entry, places[entry.envelope, entry.leaf], first, state)
                for entry in submission.entries
            ]

    def _receipt(self, entry: NewEntry, index: int, first: int, state: _State) -> Receipt:
        size, logged_at = state.covered, state.timestamp
        if index < first:
            cover = self._store.covering(index)
            if cover is None:
                raise contradiction(self._origin, f"no checkpoint covers entry {index}")
            size, logged_at = cover
        return Receipt(index, entry.envelope.hex(), logged_at, size)

    def _now(self, state: _State) -> int:
        now = self._clock()
        if now < state.timestamp - CLOCK_TOLERANCE:
            raise EnvironmentProblem(
                "LF5032",
                f"The clock of this machine says {rfc3339(now)}, {age(state.timestamp - now)} behind the newest "
                f"checkpoint of the log {self._origin!r} ({rfc3339(state.timestamp)}).",
                hint="Set the clock (timedatectl status) and append again.",
                details={"clock": now, "log": state.timestamp},
            )
        return max(now, state.timestamp)

    def _current(self) -> _State:
        """The state under the store's lock: ours if nobody else has written, else read and checked anew."""
        state = self._state
        reader = self._store.reader
        if state is None or (state.edge.size, state.note) != (self._store.size(), reader.checkpoint()):
            self._state = None
            state = self._load()
            self._see(state)
            if state.covered < state.edge.size:
                self._sign(state, self._now(state))
                self._pin(state)
            self._state = state
        elif self._pins is not None and self._pins.read(self._origin) != self._pinned:
            self._see(state)
        return state

    def _load(self) -> _State:
        reader = self._store.reader
        state = _State(Edge(), reader.checkpoint())
        if state.note:
            point = self._opened(state.note)
            if point.size > self._store.size():
                raise contradiction(
                    self._origin,
                    f"its checkpoint covers {point.size} entries, but {self._store.size()} are there",
                )
            state = _State(Edge.load(reader.node, point.size), state.note, point.size, point.timestamp)
            if state.edge.root() != point.root:
                raise contradiction(
                    self._origin, "its stored hashes do not lead to the root that it has signed"
                )
        for entry in reader.pending():
            self._check_pending(entry)
            for level, index, value in state.edge.push(leaf_hash(entry.leaf)):
                if reader.node(level, index) != value:
                    raise contradiction(
                        self._origin, f"the stored hashes are not those of entry {entry.index}"
                    )
        if state.edge.size != self._store.size():
            raise contradiction(self._origin, "entries are missing")
        return state

    def _check_pending(self, entry: LogEntry) -> None:
        # These will be signed for, so they are held to what `append` demands.
        body = self._store.reader.envelope(entry.envelope)
        if body is None:
            raise contradiction(self._origin, f"the envelope of entry {entry.index} is missing")
        check_leaf(entry.leaf, decode(body))

    def _sign(self, state: _State, now: int) -> None:
        before = self._opened(state.note) if state.note else None
        text = chained_text(self._origin, state.edge.size, state.edge.root(), before)
        log_line = note_signature_line(self._log_key, self._log_signer.sign(text.encode()))
        cosignature = self._clock_signer.sign(cosignature_message(text, now))
        clock_line = note_signature_line(self._clock_key, timestamped(now, cosignature))
        note = format_note(text, [log_line, clock_line])
        # A signer may be a device: what it returns is checked before it becomes the log's word.
        self._opened(note)
        self._store.add_checkpoint(state.edge.size, now, note)
        state.note, state.covered, state.timestamp = note, state.edge.size, now

    def _opened(self, note: str) -> LogCheckpoint:
        return open_checkpoint(
            note, origin=self._origin, log_key=self._log_key.key, clock_key=self._clock_key.key
        )

    def _pin(self, state: _State) -> None:
        if state.note != self._pinned:
            self._see(state)

    def _see(self, state: _State) -> None:
        if self._pins is not None:
            self._pins.see(
                self._store.reader,
                origin=self._origin,
                log_key=self._log_key.key,
                clock_key=self._clock_key.key,
            )
        self._pinned = state.note

    def stamp(self) -> str:
        """Sign the entries that are there once more, with the time of now: a quiet log that is still kept.

        Returns:
            The newest checkpoint; empty for a log without entries.

        Raises:
            VerificationFailed: LF7210 to LF7222 the log contradicts itself or its pin.
            EnvironmentProblem: LF5030, LF5031 it cannot be written, LF5032 the clock is behind it.
        """
        try:
            with self._store.exclusive():
                state = self._current()
                now = self._now(state)
                if state.edge.size and now > state.timestamp:
                    self._sign(state, now)
                    self._pin(state)
                return state.note
        except LockflightError:
            self._state = None
            raise

    def checkpoint(self) -> str:
        """See `LogReader.checkpoint`."""
        return self._store.reader.checkpoint()

    def entries(self, start: int = 0, end: int | None = None) -> Iterator[LogEntry]:
        """See `LogReader.entries`."""
        return self._store.reader.entries(start, end)

    def envelope(self, digest: str) -> bytes | None:
        """See `LogReader.envelope`."""
        return self._store.reader.envelope(digest)

    def find(self, envelope: str) -> LogEntry | None:
        """See `LogReader.find`."""
        return self._store.reader.find(envelope)

    def inclusion(self, index: int, size: int) -> list[bytes]:
        """See `LogReader.inclusion`."""
        return self._store.reader.inclusion(index, size)

    def consistency(self, old: int, new: int) -> list[bytes]:
        """See `LogReader.consistency`."""
        return self._store.reader.consistency(old, new)

    def query(self, subject: str | None = None, types: Iterable[str] = ()) -> Iterator[LogEntry]:
        """See `LogReader.query`."""
        return self._store.reader.query(subject, types)

    def close(self) -> None:
        """Let go of the store's files."""
        self._store.close()


def _raw(signer: Signer, duty: str) -> bytes:
    key = load_der(signer.public_der)
    if key.algorithm != ED25519:
        raise EnvironmentProblem(
            "LF5037",
            f"The key of the {duty} is {key.algorithm}; checkpoints are signed with Ed25519.",
            hint="Give it an Ed25519 key: openssl genpkey -algorithm ed25519",
        )
    return key.raw
