"""Signed notes, checkpoints and cosignatures.

Sources: C2SP signed-note v1.0.0, tlog-checkpoint v1.0.0, tlog-cosignature v1.0.1. A note is text, a blank
line, and signature lines. Signatures of unknown keys are ignored, since witnesses may add theirs; a bad
signature of a known key rejects the note.
"""

from __future__ import annotations

import base64
import hashlib
import re
from typing import Final

from lockflight.core.attest.dsse import b64
from lockflight.core.records import dataclass
from lockflight.core.verify.crypto import ed25519
from lockflight.errors import VerificationFailed

#: Room for far more than the 16 signatures that every reader must accept, post-quantum ones of 5 kB included.
MAX_NOTE_BYTES = 256 * 1024
MAX_SIGNATURES = 64
MAX_TIME = 2**63 - 1
MAX_SIZE = 2**63 - 1

KIND_ED25519: Final = 0x01
KIND_COSIGNATURE: Final = 0x04

_DASH = "\u2014 "
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f]")
_ROOT_BYTES = 32
_KEYID_BYTES = 4
_TIME_BYTES = 8


@dataclass(frozen=True, slots=True)
class NoteSignature:
    """One signature line: name of the key, first four bytes of its id, the signature without them."""

    name: str
    keyid: bytes
    signature: bytes


@dataclass(frozen=True, slots=True)
class Note:
    """A note as parsed; nothing is verified yet.

    Attributes:
        text: the signed text, its last newline included.
        signatures: in order, at least one.
    """

    text: str
    signatures: tuple[NoteSignature, ...]


@dataclass(frozen=True, slots=True)
class NoteKey:
    """A key that may sign notes.

    Attributes:
        name: its name in signature lines.
        kind: `KIND_ED25519` or `KIND_COSIGNATURE`.
        key: 32 bytes.
    """

    name: str
    kind: int
    key: bytes

    @property
    def full_id(self) -> bytes:
        """SHA-256(name || newline || kind || key), 32 bytes: the `logId` in bundles."""
        return hashlib.sha256(f"{self.name}\n".encode() + bytes([self.kind]) + self.key).digest()

    @property
    def keyid(self) -> bytes:
        """The four bytes that signature lines carry."""
        return self.full_id[:_KEYID_BYTES]

    @property
    def vkey(self) -> str:
        """The verifier key as text: `name+hex id+base64(kind || key)`."""
        return f"{self.name}+{self.keyid.hex()}+{_b64(bytes([self.kind]) + self.key)}"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Origin of a log, number of leaves and root (32 bytes) of its tree; extension lines as they are."""

    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class VerifiedCheckpoint:
    """A checkpoint that log and clock have signed; `timestamp` is the clock's, in Unix seconds."""

    origin: str
    size: int
    root: bytes
    timestamp: int


def parse_vkey(text: str) -> NoteKey:
    """Read a verifier key; the last part may itself hold plus signs.

    Raises:
        VerificationFailed: LF7208 not a verifier key, of a type that is not used here, or an unsound point.
    """
    try:
        name, keyid, body = text.split("+", 2)
        raw = b64(body)
        key = NoteKey(_key_name(name), raw[0] if raw else -1, raw[1:])
        if key.kind not in {KIND_ED25519, KIND_COSIGNATURE}:
            raise ValueError(f"signature type {key.kind:#04x} is not used here")
        if key.keyid.hex() != keyid:
            raise ValueError("its id is not that of its key")
        if not ed25519.sound_point(key.key):
            raise ValueError("its key is not a sound Ed25519 key")
    except ValueError as error:
        raise VerificationFailed(
            "LF7208",
            f"{text[:120]!r} is not a verifier key: {error!s}.",
            hint="It has the form name+id+key; copy it again from the operator of the log.",
        ) from error
    return key


def parse_note(data: str | bytes) -> Note:
    """Read a note strictly: UTF-8, no control characters but newlines, signatures after the last blank line.

    Raises:
        VerificationFailed: LF7202 not a signed note, or over budget.
    """
    try:
        text = data.decode("utf-8") if isinstance(data, bytes) else data
        if len(text) > MAX_NOTE_BYTES or len(text.encode()) > MAX_NOTE_BYTES:
            raise ValueError(f"it is longer than {MAX_NOTE_BYTES} bytes")
        if _CONTROL.search(text):
            raise ValueError("it holds a control character")
        split = text.rfind("\n\n")
        if split < 0 or not text.endswith("\n"):
            raise ValueError("it has no signatures after a blank line")
        lines = text[split + 2 : -1].split("\n")
        if len(lines) > MAX_SIGNATURES:
            raise ValueError(f"it has more than {MAX_SIGNATURES} signatures")
        return Note(text[: split + 1], tuple(_signature(line) for line in lines))
    except ValueError as error:
        raise VerificationFailed("LF7202", f"This is not a signed note: {_plain(error)}.") from error


def _signature(line: str) -> NoteSignature:
    name, space, body = line.removeprefix(_DASH).partition(" ")
    if not line.startswith(_DASH) or not space:
        raise ValueError("a signature line has another form than: dash, name, base64")
    raw = b64(body)
    if len(raw) <= _KEYID_BYTES:
        raise ValueError("a signature line holds no signature")
    return NoteSignature(_key_name(name), raw[:_KEYID_BYTES], raw[_KEYID_BYTES:])


def _key_name(name: str) -> str:
    if "+" in name or name.split() != [name]:
        raise ValueError("the name of a key is empty or holds a space or a plus sign")
    return name


def format_note(text: str, lines: list[str]) -> str:
    """The note of a text (ending in a newline) and signature lines from `note_signature_line`."""
    return f"{text}\n{''.join(lines)}"


def note_signature_line(key: NoteKey, signature: bytes) -> str:
    """A signature line with its newline.

    Args:
        key: the key that signed.
        signature: 64 bytes for `KIND_ED25519`; the result of `timestamped` for `KIND_COSIGNATURE`.
    """
    return f"{_DASH}{key.name} {_b64(key.keyid + signature)}\n"


def signature_line(signature: NoteSignature) -> str:
    """A signature as it stands in a note, with its newline."""
    return f"{_DASH}{signature.name} {_b64(signature.keyid + signature.signature)}\n"


def timestamped(timestamp: int, signature: bytes) -> bytes:
    """Body of a cosignature: the time as eight bytes, big-endian, and 64 bytes of signature."""
    return timestamp.to_bytes(_TIME_BYTES, "big") + signature


def checkpoint_text(origin: str, size: int, root: bytes) -> str:
    """The text that a log signs.

    Raises:
        ValueError: the origin has a newline or is empty, the size is negative, the root is not 32 bytes.
    """
    if (
        not origin
        or any(char < " " for char in origin)
        or not 0 <= size <= MAX_SIZE
        or len(root) != _ROOT_BYTES
    ):
        raise ValueError("a checkpoint is an origin of one line, a size and a root of 32 bytes")
    return f"{origin}\n{size}\n{_b64(root)}\n"


def parse_checkpoint(text: str) -> Checkpoint:
    """Read the text of a checkpoint.

    Raises:
        VerificationFailed: LF7203 not a checkpoint.
    """
    try:
        lines = text.removesuffix("\n").split("\n")
        if not text.endswith("\n") or len(lines) < 3 or not all(lines):
            raise ValueError("it has no three lines")
        origin, digits, root = lines[:3]
        size = plain_number(digits)
        value = b64(root)
        if len(value) != _ROOT_BYTES:
            raise ValueError("its root is not 32 bytes long")
        return Checkpoint(origin, size, value, tuple(lines[3:]))
    except ValueError as error:
        raise VerificationFailed(
            "LF7203", f"The signed text is not a checkpoint of a log: {_plain(error)}."
        ) from error


def plain_number(digits: str) -> int:
    """A number up to 2^63 - 1 in ASCII digits without leading zeros; ValueError for anything else."""
    if not (digits.isascii() and digits.isdigit() and len(digits) <= len(str(MAX_SIZE))):
        raise ValueError("a number is not written in plain digits")
    number = int(digits)
    if str(number) != digits or number > MAX_SIZE:
        raise ValueError("a number is out of range or has leading zeros")
    return number


def cosignature_message(text: str, timestamp: int) -> bytes:
    """What a cosigner signs (cosignature/v1): the whole text of the checkpoint, under a time in Unix seconds.

    Raises:
        ValueError: the time is not within 0 and 2^63 - 1.
    """
    if not 0 <= timestamp <= MAX_TIME:
        raise ValueError(f"{timestamp} is not a time in Unix seconds")
    return f"cosignature/v1\ntime {timestamp}\n{text}".encode()


def said_checkpoint(note: str | bytes, *, origin: str, clock: NoteKey) -> VerifiedCheckpoint:
    """What a checkpoint says, with the time in its clock's line; no signature is checked.

    For checkpoints that a verified one names by their digest, so that log and clock have signed for them there.

    Raises:
        VerificationFailed: LF7202 not a note, LF7203 not a checkpoint, LF7204 of another log, LF7206 a time out of
            range, LF7207 not cosigned by the clock.
    """
    parsed = parse_note(note)
    point = _of_log(parse_checkpoint(parsed.text), origin)
    lines = [s for s in parsed.signatures if s.name == clock.name and s.keyid == clock.keyid]
    if len(lines) != 1:
        raise _no_time(origin, clock.name)
    timestamp = int.from_bytes(lines[0].signature[:_TIME_BYTES], "big")
    if timestamp > MAX_TIME:
        raise _bad_signature(clock, "its time is out of range")
    return VerifiedCheckpoint(origin, point.size, point.root, timestamp)


def check_signature(note: Note, key: NoteKey) -> int | None:
    """Check the signature of `key` on a note.

    Returns:
        None if the note has no line of that key; else the time of a cosignature, or 0 for a plain signature.

    Raises:
        VerificationFailed: LF7206 a signature of that key is bad, or there are several of it.
    """
    lines = [s for s in note.signatures if s.name == key.name and s.keyid == key.keyid]
    if not lines:
        return None
    if len(lines) > 1:
        raise _bad_signature(key, "there are several of it")
    signature = lines[0].signature
    timestamp = 0
    message = note.text.encode()
    if key.kind == KIND_COSIGNATURE:
        timestamp = int.from_bytes(signature[:_TIME_BYTES], "big")
        signature = signature[_TIME_BYTES:]
        if timestamp > MAX_TIME:
            raise _bad_signature(key, "its time is out of range")
        message = cosignature_message(note.text, timestamp)
    if not ed25519.verify(key.key, signature, message):
        raise _bad_signature(key, "it is not over this text")
    return timestamp


def verify_checkpoint(
    note: str | bytes, *, origin: str, log_key: bytes, clock_key: bytes, clock_name: str
) -> VerifiedCheckpoint:
    """Check a checkpoint: the log's own signature and the clock's cosignature, both demanded.

    Args:
        note: the signed note.
        origin: the log's origin, which is also the name of its key.
        log_key: 32 bytes, Ed25519.
        clock_key: 32 bytes, Ed25519; never the log's.
        clock_name: name of the clock in its signature line.

    Raises:
        VerificationFailed: LF7202 not a note, LF7203 not a checkpoint, LF7204 of another log, LF7205 not
            signed by the log, LF7206 a bad signature, LF7207 not cosigned by the clock.
    """
    parsed = parse_note(note)
    point = _of_log(parse_checkpoint(parsed.text), origin)
    if check_signature(parsed, NoteKey(origin, KIND_ED25519, log_key)) is None:
        raise VerificationFailed(
            "LF7205",
            f"The checkpoint of {origin!r} is not signed by the key of that log.",
            hint="Fetch it again.",
        )
    timestamp = check_signature(parsed, NoteKey(clock_name, KIND_COSIGNATURE, clock_key))
    if timestamp is None:
        raise _no_time(origin, clock_name)
    return VerifiedCheckpoint(origin, point.size, point.root, timestamp)


def _of_log(point: Checkpoint, origin: str) -> Checkpoint:
    if point.origin != origin:
        raise VerificationFailed(
            "LF7204",
            f"The checkpoint is of the log {point.origin[:120]!r}, not of {origin!r}.",
            hint="Check which realm this is; a checkpoint of another log proves nothing here.",
        )
    return point


def _no_time(origin: str, clock_name: str) -> VerificationFailed:
    return VerificationFailed(
        "LF7207",
        f"The checkpoint of {origin!r} is not cosigned by the clock {clock_name!r}, so its time is unknown.",
        hint="Fetch it again; a log shows only checkpoints that its clock has cosigned.",
    )


def _bad_signature(key: NoteKey, why: str) -> VerificationFailed:
    return VerificationFailed(
        "LF7206",
        f"The note carries a bad signature of the known key {key.name!r}: {why}.",
        hint="Fetch it again; if it still fails, do not trust where it comes from.",
    )


def _plain(error: ValueError) -> str:
    return "it is not UTF-8" if isinstance(error, UnicodeError) else str(error)


def _b64(data: bytes) -> str:
    return base64.b64encode(data).decode()
