"""A witness of logs (C2SP tlog-witness v1.0.0, cosignature/v1): it cosigns what continues what it cosigned before."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

from lockflight.core.times import rfc3339
from lockflight.core.verify.crypto.keys import ED25519, load_der
from lockflight.core.verify.log.note import (
    KIND_COSIGNATURE,
    NoteKey,
    cosignature_message,
    format_note,
    note_signature_line,
    parse_note,
    parse_vkey,
    timestamped,
)
from lockflight.core.verify.log.submission import Seen, judge, read_submission
from lockflight.errors import EnvironmentProblem

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from lockflight.core.ports import Signer, WatchedLog, WitnessState
    from lockflight.core.verify.log.note import Note

#: A clock that is further behind the last cosignature than this is wrong.
CLOCK_TOLERANCE: Final = 300


class Witness:
    """Judges requests and cosigns; safe for threads, and for several processes over one state.

    Args:
        state: its memory.
        signer: its own Ed25519 key.
        clock: Unix seconds.

    Raises:
        EnvironmentProblem: LF5037 the key cannot be used, LF5054 the state cannot.
    """

    def __init__(self, state: WitnessState, signer: Signer, clock: Callable[[], int]) -> None:
        public = load_der(signer.public_der)
        if public.algorithm != ED25519:
            raise EnvironmentProblem(
                "LF5037", f"A witness signs with Ed25519, and its key is {public.algorithm}."
            )
        self._state, self._signer, self._clock = state, signer, clock
        self.key = NoteKey(state.name, KIND_COSIGNATURE, public.raw)

    def add_checkpoint(self, body: bytes) -> str:
        """Answer a request: the line of the cosignature.

        Raises:
            Refused: 400, 403, 404, 409, 422.
            EnvironmentProblem: LF5032 the clock is behind, LF5031, LF5054 the state cannot be read or written.
        """
        submission = read_submission(body)
        with self._state.exclusive():
            logs = self._state.logs()
            keys = {origin: [parse_vkey(key) for key in log.keys] for origin, log in logs.items()}
            seen = {origin: Seen(log.size, log.root) for origin, log in logs.items()}
            point = judge(submission, keys, seen)
            note = parse_note(submission.checkpoint)
            now = self._now(logs[point.origin].time)
            signature = self._signer.sign(cosignature_message(note.text, now))
            line = note_signature_line(self.key, timestamped(now, signature))
            # Written before it is said, and only here: a crash in between cosigns nothing that was not kept.
            kept = format_note(note.text, [*_own_lines(note, keys[point.origin]), line])
            self._state.record(point.origin, size=point.size, root=point.root, time=now, note=kept)
        return line

    def checkpoint(self, origin_hash: str) -> str | None:
        """The newest cosigned checkpoint of the log whose origin has that SHA-256 (hex); None for none."""
        for origin, log in self._state.logs().items():
            if hashlib.sha256(origin.encode()).hexdigest() == origin_hash:
                return log.note or None
        return None

    def logs(self) -> Mapping[str, WatchedLog]:
        """What it watches."""
        return self._state.logs()

    def _now(self, last: int) -> int:
        now = self._clock()
        if now < last - CLOCK_TOLERANCE:
            raise EnvironmentProblem(
                "LF5032",
                f"The clock of this witness says {rfc3339(now)}, but it has cosigned at {rfc3339(last)} already.",
                hint="Set the clock (timedatectl status).",
            )
        return max(now, last, 1)


def _own_lines(note: Note, keys: Sequence[NoteKey]) -> list[str]:
    """The log's own signature lines, which were verified; lines of others were not."""
    return [
        note_signature_line(key, line.signature)
        for key in keys
        for line in note.signatures
        if (line.name, line.keyid) == (key.name, key.keyid)
    ]
