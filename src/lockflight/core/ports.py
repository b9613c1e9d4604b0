"""Every Protocol that rooms implement and `app` joins: signers, the log's store, the realm, the policy engine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from lockflight.core.records import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

    from lockflight.core.canonical import JsonObject


class Signer(Protocol):
    """Something that can sign; the private key may be a file, an agent or a device."""

    @property
    def public_der(self) -> bytes:
        """SubjectPublicKeyInfo, DER."""
        ...

    @property
    def keyid(self) -> str:
        """Hex SHA-256 of `public_der`."""
        ...

    def sign(self, message: bytes) -> bytes:
        """Raw signature: DER for ECDSA (with the curve's SHA-2), 64 bytes for Ed25519.

        Raises:
            EnvironmentProblem: LF5020 the key cannot be used.
        """
        ...


@dataclass(frozen=True, slots=True)
class Receipt:
    """Proof of recording, as `append` returns it.

    Attributes:
        index: position in the log.
        envelope: hex SHA-256 of the envelope.
        logged_at: Unix seconds of the first clock-cosigned checkpoint that includes the entry.
        size: tree size of that checkpoint.
    """

    index: int
    envelope: str
    logged_at: int
    size: int


@dataclass(frozen=True, slots=True)
class LogEntry:
    """One entry as stored.

    Attributes:
        index: position.
        leaf: the `hashedrekord` body, exact bytes.
        envelope: hex SHA-256 of the envelope that the leaf commits to.
        logged_at: Unix seconds of the first clock-cosigned checkpoint that includes it; -1 while none does.
    """

    index: int
    leaf: bytes
    envelope: str
    logged_at: int


class LogReader(Protocol):
    """Reading side of a log; verified by `core.verify`, never believed."""

    def checkpoint(self) -> str:
        """Newest signed checkpoint (C2SP tlog-checkpoint note, with the clock's cosignature line); empty if none."""
        ...

    def entries(self, start: int = 0, end: int | None = None) -> Iterator[LogEntry]:
        """Entries in order, only those under the newest checkpoint."""
        ...

    def envelope(self, digest: str) -> bytes | None:
        """The envelope's bytes; None when erased or never held."""
        ...

    def find(self, envelope: str) -> LogEntry | None:
        """The first entry of an envelope, by its digest."""
        ...

    def inclusion(self, index: int, size: int) -> list[bytes]:
        """Audit path (32-byte hashes) of leaf `index` in the tree of `size` leaves."""
        ...

    def consistency(self, old: int, new: int) -> list[bytes]:
        """Consistency proof (32-byte hashes) between two sizes."""
        ...

    def query(self, subject: str | None = None, types: Iterable[str] = ()) -> Iterator[LogEntry]:
        """Entries whose statement has that subject digest and one of these predicate types (all if none given)."""
        ...


class Log(LogReader, Protocol):
    """A log that can be written."""

    def append(self, items: Sequence[tuple[bytes, bytes]]) -> list[Receipt]:
        """Record envelopes durably and in order, all of them or none.

        Returns after the checkpoint that includes them is durable too. An envelope that is already in the log gets
        the receipt of its first entry.

        Args:
            items: the envelope in canonical form, and its signer's public key (SubjectPublicKeyInfo, DER).

        Raises:
            VerificationFailed: LF7101 to LF7130 not an envelope over a statement, LF7001 to LF7003 not a key, LF7123
                the signature is not of that key, LF7210 to LF7221 the log contradicts itself or its pin.
            InvalidInput: LF7212 more subjects than the index takes.
            EnvironmentProblem: LF5030 the log cannot be written, LF5031 another process holds it, LF5032 the clock is
                behind the log.
        """
        ...


class AuditReader(LogReader, Protocol):
    """A reader that shows what only an auditor needs: pending entries, stored nodes, old checkpoints."""

    def snapshot(self) -> AbstractContextManager[None]:
        """One unchanging view of the log for everything that is read inside."""
        ...

    def checkpoints(self, start: int = 0) -> Iterator[str]:
        """Every stored checkpoint from the number `start` on, oldest first."""
        ...

    def size(self) -> int:
        """Number of entries, pending ones included."""
        ...

    def pending(self) -> Iterator[LogEntry]:
        """Entries beyond the newest checkpoint, in order."""
        ...

    def nodes(self, level: int, start: int = 0) -> Iterator[bytes]:
        """Stored hashes (32 bytes) of the complete subtrees of 2^level leaves, left to right from `start` on."""
        ...

    def node(self, level: int, index: int) -> bytes:
        """The stored hash of one complete subtree.

        Raises:
            VerificationFailed: LF7210 it is not there.
        """
        ...

    def indexed(self, subject: bytes, predicate_type: str, index: int) -> bool:
        """Whether the index of `query` lists an entry under a subject (32-byte digest) and its type."""
        ...

    def indexed_rows(self) -> int:
        """How many rows the index of `query` has."""
        ...


@dataclass(frozen=True, slots=True)
class NewEntry:
    """One entry on its way into the log.

    Attributes:
        leaf: `hashedrekord` body.
        envelope: SHA-256 of `body` (32 bytes).
        body: the envelope in canonical form.
        predicate_type: type of its statement.
        subjects: SHA-256 of each subject (32 bytes), without repeats.
    """

    leaf: bytes
    envelope: bytes
    body: bytes
    predicate_type: str
    subjects: tuple[bytes, ...]


class LogStore(Protocol):
    """Where a log keeps its rows. Each `add` is durable when it returns; nothing stored is ever changed."""

    @property
    def reader(self) -> AuditReader:
        """Reads what is committed."""
        ...

    def exclusive(self) -> AbstractContextManager[None]:
        """Keeps every other writer out, in this process and in others.

        Raises:
            EnvironmentProblem: LF5031 another writer does not let go.
        """
        ...

    def size(self) -> int:
        """Number of entries, pending ones included."""
        ...

    def places(self, envelopes: Sequence[bytes]) -> Mapping[bytes, Sequence[tuple[int, bytes]]]:
        """For each envelope (32-byte digest) that is in the log: (index, leaf) of its entries, first one first."""
        ...

    def covering(self, index: int) -> tuple[int, int] | None:
        """(size, timestamp) of the first checkpoint that includes the entry; None while none does."""
        ...

    def stage(self, entry: NewEntry) -> None:
        """Make durable what does not fit into a row, before the entry itself."""
        ...

    def add_entries(
        self, first: int, entries: Sequence[NewEntry], nodes: Sequence[tuple[int, int, bytes]]
    ) -> None:
        """Store entries from index `first` on and the subtrees (level, index, hash) that they complete."""
        ...

    def add_checkpoint(self, size: int, timestamp: int, note: str) -> None:
        """Store a signed checkpoint."""
        ...

    def close(self) -> None:
        """Let go of files and connections."""
        ...


class Pins(Protocol):
    """What this machine has seen of each log, kept outside of the log."""

    def read(self, origin: str) -> str:
        """The newest checkpoint seen; empty if none."""
        ...

    def see(self, reader: LogReader, *, origin: str, log_key: bytes, clock_key: bytes) -> None:
        """Compare the newest checkpoint of a log with the newest one seen, and remember it if it continues that one.

        Args:
            reader: the log, outside of any snapshot.
            origin: its name.
            log_key: Ed25519 key (32 bytes) of the log.
            clock_key: Ed25519 key (32 bytes) of its clock.

        Raises:
            VerificationFailed: LF7202 to LF7207 the checkpoint is not signed by these keys, LF7220 it is older than
                what was seen, LF7221 it does not continue that, LF7222 the pin is damaged.
            EnvironmentProblem: LF5030 the pin cannot be written.
        """
        ...


class WatchedLog(Protocol):
    """What a witness knows of a log: its keys, and the tree that it has cosigned last."""

    @property
    def keys(self) -> tuple[str, ...]:
        """Verifier keys (`name+id+key`) that may sign its checkpoints."""
        ...

    @property
    def size(self) -> int:
        """Number of entries; 0 if nothing was cosigned."""
        ...

    @property
    def root(self) -> bytes:
        """32 bytes."""
        ...

    @property
    def time(self) -> int:
        """Unix seconds of that cosignature; 0 for none."""
        ...

    @property
    def note(self) -> str:
        """The checkpoint with the log's signature and the witness's; empty for none."""
        ...


class WitnessState(Protocol):
    """The memory of a witness, kept outside of every log."""

    @property
    def name(self) -> str:
        """Name of the witness in its signature lines."""
        ...

    def exclusive(self) -> AbstractContextManager[None]:
        """Keeps every other request out, in this process and in others.

        Raises:
            EnvironmentProblem: LF5031 another one does not let go, LF5054 the state cannot be used.
        """
        ...

    def logs(self) -> Mapping[str, WatchedLog]:
        """Every log that it watches, by origin.

        Raises:
            EnvironmentProblem: LF5054 the state cannot be used.
        """
        ...

    def record(self, origin: str, *, size: int, root: bytes, time: int, note: str) -> None:
        """Remember what is cosigned now, durably, before anybody is told.

        Raises:
            EnvironmentProblem: LF5054 it cannot be written.
        """
        ...


class PolicyEngine(Protocol):
    """A Rego engine, or two that must agree; every call runs in child processes under CPU, memory and wall limits."""

    @property
    def identities(self) -> tuple[Mapping[str, str], ...]:
        """name, version and sha256 of each engine's library, and what else tells them apart.

        Raises:
            EnvironmentProblem: LF4001, LF4002 an engine is missing or refused.
        """
        ...

    def evaluate(
        self, modules: Mapping[str, str], data: JsonObject, entrypoint: str, document: bytes
    ) -> JsonObject:
        """Evaluate `entrypoint` (such as `data.lockflight.gate.decision`) with `document` (JSON) as input.

        Raises:
            EnvironmentProblem: LF4001 to LF4009: engine missing or refused, policy does not load.
            PolicyDenied: LF4010 to LF4020: undefined or malformed output, time or memory limit, disagreement.
        """
        ...

    def evaluate_all(
        self, modules: Mapping[str, str], data: JsonObject, entrypoint: str, documents: Sequence[bytes]
    ) -> list[JsonObject]:
        """`evaluate` for several documents, which know nothing of each other; none may fail.

        Raises:
            EnvironmentProblem, PolicyDenied: as `evaluate`.
        """
        ...

    def rules(
        self, modules: Mapping[str, str], data: JsonObject, rules: Sequence[str], document: bytes = b""
    ) -> dict[str, str]:
        """The JSON texts of several rules; for the tests of a bundle. An empty document leaves `input` undefined.

        Raises:
            EnvironmentProblem, PolicyDenied: as `evaluate`.
        """
        ...

    def close(self) -> None:
        """End the child processes; the next call starts new ones."""
        ...
