"""What a verifier demands of a log beyond its own keys: enough witnesses, and a checkpoint that is not old."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lockflight.app.realm import clock
from lockflight.core.attest.trust import Duty
from lockflight.core.log.merkle import range_root
from lockflight.core.times import age, duration, rfc3339
from lockflight.core.verify.crypto.keys import load_der
from lockflight.core.verify.log.log import clock_name, contradiction, open_checkpoint
from lockflight.core.verify.log.note import (
    KIND_COSIGNATURE,
    KIND_ED25519,
    MAX_SIZE,
    NoteKey,
    parse_note,
    parse_vkey,
)
from lockflight.core.verify.log.witnesses import MAX_POLICY_BYTES, WitnessPolicy, all_of, parse_policy
from lockflight.errors import EnvironmentProblem, InvalidInput, NotFound, UsageError, VerificationFailed
from lockflight.store.cosigned import CosignedNotes
from lockflight.store.files import read_file

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from lockflight.app.realm.view import RealmView
    from lockflight.core.ports import AuditReader
    from lockflight.core.verify.log.log import LogCheckpoint
    from lockflight.store.pins import RealmPin

#: As for writers: a clock that is further behind the log than this is wrong.
CLOCK_TOLERANCE = 300


@dataclass(frozen=True, slots=True)
class LogIdentity:
    """By what a log is recognised: origin and the keys (32 bytes, Ed25519) of log and clock."""

    origin: str
    log_key: bytes
    clock_key: bytes

    @property
    def vkeys(self) -> tuple[str, str]:
        """Verifier keys of log and clock, as others are told them."""
        clock_key = NoteKey(clock_name(self.origin), KIND_COSIGNATURE, self.clock_key)
        return NoteKey(self.origin, KIND_ED25519, self.log_key).vkey, clock_key.vkey

    def open(self, note: str) -> LogCheckpoint:
        """Check a checkpoint of this log; see `core.verify.log.open_checkpoint`."""
        return open_checkpoint(note, origin=self.origin, log_key=self.log_key, clock_key=self.clock_key)


@dataclass(frozen=True, slots=True)
class Witnessed:
    """A checkpoint that meets the demands.

    Attributes:
        note: the checkpoint with every signature line.
        point: the same, opened.
        witnesses: Unix seconds at which each witness of the policy has cosigned, by its name in the policy.
        time: since when it counts: the time of the quorum, or of the clock where no witness is demanded.
    """

    note: str
    point: LogCheckpoint
    witnesses: Mapping[str, int]
    time: int


@dataclass(frozen=True, slots=True)
class Demands:
    """What must hold.

    Attributes:
        policy: which witnesses must have cosigned; None for none.
        max_age: seconds; 0 for any age.
        now: Unix seconds.
    """

    policy: WitnessPolicy | None = None
    max_age: int = 0
    now: int = 0

    def with_pin(self, pin: RealmPin | None) -> Demands:
        """These demands; where they name no policy, the witnesses that a realm is pinned with."""
        if self.policy is not None or pin is None or not pin.witnesses:
            return self
        return Demands(all_of(tuple(map(parse_vkey, pin.witnesses))), self.max_age, self.now)

    def meet(
        self, log: LogIdentity, notes: Iterable[str], *, reader: AuditReader | None = None, index: int = -1
    ) -> Witnessed:
        """The checkpoint that meets the demands best.

        Args:
            log: whose checkpoints these are.
            notes: candidates, at least one; the newest of the log first.
            reader: the log; with it each candidate must be one of its trees.
            index: an entry that must be under the checkpoint; -1 for none.

        Raises:
            VerificationFailed: LF7225 the best is too old, LF7226 none has enough witnesses, LF7210 a candidate is
                none of the log's trees; LF7202 to LF7207.
            EnvironmentProblem: LF5032 the clock of this machine is behind the checkpoint.
        """
        self._known(log)
        found, missing = [], None
        size = reader.size() if reader is not None else MAX_SIZE
        for note in notes:
            point = log.open(note)
            if not index < point.size <= size:
                continue
            if reader is not None and range_root(reader.node, 0, point.size) != point.root:
                raise contradiction(
                    log.origin, f"a cosigned checkpoint of size {point.size} is of another tree"
                )
            try:
                times, time = self.policy.demand(note) if self.policy is not None else ({}, point.timestamp)
            except VerificationFailed as error:
                if error.code != "LF7226":
                    raise
                missing = missing or error
                continue
            found.append(Witnessed(note, point, times, time or point.timestamp))
        if not found:
            raise missing or VerificationFailed(
                "LF7226", f"No checkpoint of {log.origin!r} that is at hand covers entry {index}."
            )
        best = max(found, key=lambda item: (item.time, item.point.size))
        self.fresh_at(log.origin, best.time)
        return best

    def fresh_at(self, origin: str, time: int) -> None:
        """Check that a checkpoint is young enough.

        Raises:
            VerificationFailed: LF7225 it is not.
            EnvironmentProblem: LF5032 the clock of this machine is behind it.
        """
        if not self.max_age:
            return
        if not time:
            raise VerificationFailed(
                "LF7225",
                f"Nothing that is known here says when the checkpoint of {origin!r} was made.",
                hint="--clock-key VKEY, or a policy with witnesses",
            )
        if self.now < time - CLOCK_TOLERANCE:
            raise EnvironmentProblem(
                "LF5032",
                f"The clock of this machine says {rfc3339(self.now)}, {age(time - self.now)} behind the newest "
                f"checkpoint of the log {origin!r} ({rfc3339(time)}).",
                hint="Set the clock (timedatectl status).",
            )
        if self.now - time > self.max_age:
            raise VerificationFailed(
                "LF7225",
                f"The newest checkpoint of the log {origin!r} is {age(self.now - time)} old "
                f"({rfc3339(time)}); at most {age(self.max_age)} is demanded. "
                "A log that is held back hides a revocation.",
                hint="Get the log again from where it is kept. There, `lockflight log stamp` keeps a quiet log young, "
                "and `lockflight log cosign` asks its witnesses.",
                details={"time": time, "now": self.now, "max_age": self.max_age},
            )

    def _known(self, log: LogIdentity) -> None:
        named = self.policy.logs if self.policy is not None else ()
        if named and not any((p.key.name, p.key.key) == (log.origin, log.log_key) for p in named):
            raise VerificationFailed(
                "LF7204",
                f"The policy for witnesses does not name the log {log.origin!r} with its key.",
                hint="Add the line `log VKEY` to it: lockflight log show prints the key.",
            )


def identity(view: RealmView) -> LogIdentity:
    """By what the log of a realm is recognised."""
    trust = view.state.trust
    return LogIdentity(
        trust.origin, load_der(trust.key(Duty.LOG).der).raw, load_der(trust.key(Duty.CLOCK).der).raw
    )


def candidates(view: RealmView, *more: str) -> list[str]:
    """The checkpoints of a realm that witnesses may have cosigned: the newest, `more`, and what is kept."""
    kept = CosignedNotes(view.folder).notes()
    newest = view.reader.checkpoint()
    text = parse_note(newest).text
    same = [note for note in kept if parse_note(note).text == text]
    return [*(same or [newest]), *more, *(note for note in kept if note not in same)]


def identity_of(log_key: str, clock_key: str) -> LogIdentity:
    """The log whose verifier keys were given.

    Raises:
        VerificationFailed: LF7208 not verifier keys, LF7204 not those of a log and its clock.
    """
    log, clock_ = parse_vkey(log_key), parse_vkey(clock_key)
    if (log.kind, clock_.kind, clock_.name) != (KIND_ED25519, KIND_COSIGNATURE, clock_name(log.name)):
        raise VerificationFailed(
            "LF7204",
            f"{log.name!r} and {clock_.name!r} are not a log and its clock.",
            hint=f"The clock of a log is called {clock_name(log.name)!r}: lockflight log show prints both keys.",
        )
    return LogIdentity(log.name, log.key, clock_.key)


def demands(policy: str = "", max_age: str = "") -> Demands:
    """The demands of a command.

    Args:
        policy: path of a policy file; empty for none.
        max_age: a duration; empty for any age.

    Raises:
        UsageError: LF0168 not a duration.
        NotFound: LF5035 there is no such file.
        InvalidInput: LF7227 not a policy.
    """
    from pathlib import Path

    return Demands(read_policy(Path(policy)) if policy else None, _seconds(max_age), clock.now())


def read_policy(path: Path) -> WitnessPolicy:
    """A policy for witnesses out of a file.

    Raises:
        NotFound: LF5035 there is none.
        InvalidInput: LF7227 it is not a policy.
        EnvironmentProblem: LF5036 it cannot be read.
    """
    try:
        data = read_file(path, MAX_POLICY_BYTES)
    except ValueError as error:
        raise InvalidInput("LF7227", f"{path} is not a policy for witnesses: {error}.") from error
    except OSError as error:
        raise EnvironmentProblem(
            "LF5036", f"{path} cannot be read: {error.strerror}.", hint=f"ls -l {path}"
        ) from error
    if data is None:
        raise NotFound("LF5035", f"There is no policy for witnesses at {path}.", hint="Check the path.")
    return parse_policy(data)


def _seconds(word: str) -> int:
    try:
        return duration(word) if word else 0
    except ValueError as error:
        raise UsageError(
            "LF0168", f"The greatest age of a checkpoint: {error}.", hint="--max-age 24h"
        ) from error
