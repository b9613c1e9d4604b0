"""The wire format of Protocol Buffers, read without a schema, and the SentencePiece model that is written in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockflight.core.findings import Verdict
from lockflight.formats.report import Issue

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lockflight.core.source import ByteSource

MAX_FIELDS = 4_000_000
_CHUNK = 64 * 1024
#: ModelProto (sentencepiece_model.proto): pieces, trainer, normalizer, self test, denormalizer; 200 and up extend.
_SENTENCEPIECE_FIELDS = frozenset({1, 2, 3, 4, 5})


class BadWire(Exception):
    """The bytes are not in the wire format. Never leaves `formats`."""


def fields(source: ByteSource, start: int, end: int) -> Iterator[tuple[int, int, int, int]]:
    """The fields of a message: (number, wire type, offset of the value, length or number of it).

    For wire type 0 the last item is the value, for 1, 2 and 5 the length of what lies at the offset.

    Raises:
        BadWire: a field is malformed or reaches over the end.
    """
    window, base = b"", start
    at = start
    for _ in range(MAX_FIELDS):
        if at >= end:
            break
        if at + 20 > base + len(window):
            window, base = source.read_at(at, _CHUNK), at
        tag, n = _varint(window, at - base)
        at += n
        number, wire = tag >> 3, tag & 7
        if wire == 0:
            value, n = _varint(window, at - base)
            yield number, wire, at, value
            at += n
            continue
        if wire == 2:
            length, n = _varint(window, at - base)
            at += n
        elif wire in {1, 5}:
            length = 8 if wire == 1 else 4
        else:
            raise BadWire("a field has a wire type that does not exist")
        if number == 0 or at + length > end:
            raise BadWire("a field reaches over the end of its message")
        yield number, wire, at, length
        at += length
    if at != end:
        raise BadWire("the message has more fields than are read, or does not end where it should")


def _varint(window: bytes, at: int) -> tuple[int, int]:
    value = 0
    for i in range(10):
        if at + i >= len(window):
            raise BadWire("a number is cut off")
        byte = window[at + i]
        value |= (byte & 0x7F) << (7 * i)
        if not byte & 0x80:
            return value, i + 1
    raise BadWire("a number is longer than ten bytes")


def looks_like_sentencepiece(head: bytes) -> bool:
    """Whether the first bytes are pieces: field 1 with, first inside, the text of a piece and its score."""
    if len(head) < 12 or head[0] != 0x0A or head[2] != 0x0A:
        return False
    outer, inner = head[1], head[3]
    return outer < 0x80 and inner < outer and head[4 + inner : 5 + inner] == b"\x15"


def check_sentencepiece(source: ByteSource) -> tuple[Issue, ...]:
    """Whether a whole file is a SentencePiece model: pure data, so its structure is all there is to judge."""
    try:
        for number, wire, _, _ in fields(source, 0, source.size):
            if number not in _SENTENCEPIECE_FIELDS or wire != 2:
                message = f"The file has a field {number} that a SentencePiece model does not have."
                return (Issue("sentencepiece:field", Verdict.UNKNOWN, message),)
    except BadWire as error:
        return (
            Issue("sentencepiece:broken", Verdict.UNKNOWN, f"The file is no SentencePiece model: {error}."),
        )
    return ()
