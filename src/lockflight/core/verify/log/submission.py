"""Asking a witness for a cosignature (C2SP tlog-witness v1.0.0, `add-checkpoint`): request, judgement, reply.

The judgement is a pure function of the request and of what the witness has recorded. The caller records the outcome
before it lets the cosignature out, under the same lock.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from lockflight.core.attest.dsse import b64
from lockflight.core.log.merkle import EMPTY_ROOT
from lockflight.core.verify.log.note import (
    MAX_NOTE_BYTES,
    NoteKey,
    check_signature,
    parse_checkpoint,
    parse_note,
    plain_number,
)
from lockflight.core.verify.log.proofs import verify_consistency
from lockflight.errors import VerificationFailed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lockflight.core.verify.log.note import Checkpoint

MAX_HASHES: Final = 63
MAX_REQUEST_BYTES: Final = MAX_NOTE_BYTES + MAX_HASHES * 45 + 64
MAX_REPLY_BYTES: Final = 64 * 1024
SIZE_TYPE: Final = "text/x.tlog.size"
_HASH_BYTES = 32


@dataclass(frozen=True, slots=True)
class Submission:
    """What a log sends: the size that the witness is believed to know, the proof from there, the checkpoint."""

    old: int
    proof: tuple[bytes, ...]
    checkpoint: str

    def encode(self) -> bytes:
        """The body of the request."""
        hashes = "".join(f"{base64.b64encode(value).decode()}\n" for value in self.proof)
        return f"old {self.old}\n{hashes}\n{self.checkpoint}".encode()


@dataclass(frozen=True, slots=True)
class Seen:
    """What a witness has cosigned last for a log: size and root (32 bytes)."""

    size: int = 0
    root: bytes = EMPTY_ROOT


class Refused(Exception):
    """A witness does not cosign.

    Attributes:
        status: of HTTP: 400, 403, 404, 409 or 422.
        body: what it answers; for 409 the size that it knows.
    """

    def __init__(self, status: int, body: str) -> None:
        super().__init__(body)
        self.status = status
        self.body = body


def read_submission(data: bytes) -> Submission:
    """Read a request strictly.

    Raises:
        Refused: 400.
    """
    try:
        if len(data) > MAX_REQUEST_BYTES:
            raise ValueError(f"it is longer than {MAX_REQUEST_BYTES} bytes")
        head, found, checkpoint = data.decode("utf-8").partition("\n\n")
        if not found:
            raise ValueError("it has no checkpoint after an empty line")
        first, *lines = head.split("\n")
        if not first.startswith("old "):
            raise ValueError("its first line does not name an old size")
        if len(lines) > MAX_HASHES:
            raise ValueError(f"it has more than {MAX_HASHES} hashes")
        proof = tuple(map(b64, lines))
        if any(len(value) != _HASH_BYTES for value in proof):
            raise ValueError("a hash is not 32 bytes long")
        parse_checkpoint(parse_note(checkpoint).text)
        return Submission(plain_number(first.removeprefix("old ")), proof, checkpoint)
    except VerificationFailed as error:
        raise Refused(400, error.message) from error
    except ValueError as error:
        why = "it is not UTF-8" if isinstance(error, UnicodeError) else str(error)
        raise Refused(400, f"This is no request: {why}.") from error


def judge(
    submission: Submission, logs: Mapping[str, Sequence[NoteKey]], seen: Mapping[str, Seen]
) -> Checkpoint:
    """Whether a witness may cosign.

    Args:
        submission: the request.
        logs: keys of each log that this witness watches, by origin.
        seen: what it has cosigned last, by origin.

    Returns:
        The checkpoint to record and cosign.

    Raises:
        Refused: 400, 403, 404, 409, 422, in the order of the specification.
    """
    note = parse_note(submission.checkpoint)
    point = parse_checkpoint(note.text)
    keys = logs.get(point.origin)
    if not keys:
        raise Refused(404, "This witness does not know the log.")
    try:
        signed = [check_signature(note, key) for key in keys]
    except VerificationFailed as error:
        raise Refused(403, error.message) from error
    if all(found is None for found in signed):
        raise Refused(403, "The checkpoint is not signed by a key of its log.")
    if submission.old > point.size:
        raise Refused(400, "The old size is greater than that of the checkpoint.")
    last = seen.get(point.origin, Seen())
    if submission.old != last.size:
        raise Refused(409, f"{last.size}\n")
    _continues(last, point, submission.proof)
    return point


def _continues(last: Seen, point: Checkpoint, proof: tuple[bytes, ...]) -> None:
    if point.size == 0 and point.root != EMPTY_ROOT:
        raise Refused(422, "A log without entries has another root.")
    if last.size == 0:
        if proof:
            raise Refused(422, "From size 0 there is nothing to prove.")
        return
    try:
        verify_consistency(last.size, point.size, proof, last.root, point.root)
    except VerificationFailed as error:
        raise Refused(422, error.message) from error
