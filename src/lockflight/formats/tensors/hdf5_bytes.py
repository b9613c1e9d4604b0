"""Bytes of an HDF5 file, and the headers of its objects: lists of messages, in pieces, in two versions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lockflight.core.source import ByteSource

#: The address of what is not there.
NOWHERE: Final = (1 << 64) - 1
MAX_MESSAGES: Final = 2_000_000
#: One piece of the file that is read at once.
MAX_PIECE: Final = 32 * 1024 * 1024
#: All pieces together: a small file cannot send its reader over the same bytes for ever.
MAX_READ: Final = 1 << 28
_CONTINUED: Final = 16
_SHARED: Final = 2
_MAX_BLOCKS: Final = 10_000


class BadHdf5(Exception):
    """The file cannot be judged; `kind` is `broken`, `unread` or `budget`. Never leaves `formats`."""

    def __init__(self, message: str, *, kind: str = "broken", offset: int = -1) -> None:
        super().__init__(message)
        self.kind = kind
        self.offset = offset


class Message(NamedTuple):
    """One message of an object's header."""

    kind: int
    shared: bool
    offset: int
    data: bytes


class Bytes:
    """Reads pieces of a file, each whole or not at all, within a budget."""

    def __init__(self, source: ByteSource) -> None:
        self._source = source
        self._left = MAX_READ
        self.messages = MAX_MESSAGES

    def at(self, offset: int, n: int, *, short: bool = False) -> bytes:
        """The bytes there.

        Raises:
            BadHdf5: they are not all in the file, or too many.
        """
        if n > MAX_PIECE:
            raise BadHdf5(
                f"a part of it is larger than the {MAX_PIECE >> 20} MiB that are read", kind="budget"
            )
        # A look at the file costs about as much as this many bytes.
        self._left -= n + 256
        if self._left < 0:
            raise BadHdf5(
                f"it has more than the {MAX_READ >> 20} MiB of headers that are read", kind="budget"
            )
        if not short and offset + n > self._source.size:
            raise BadHdf5("a part of it lies behind its end")
        return self._source.read_at(offset, n)


def messages_of(source: Bytes, address: int) -> Iterator[Message]:
    """The messages of the object there, of all pieces of its header.

    Raises:
        BadHdf5: the header is damaged, or not one that is known here.
    """
    head = source.at(address, 16)
    if head[:4] == b"OHDR":
        yield from _second(source, address, head)
    elif head[0] == 1:
        count = int.from_bytes(head[2:4], "little")
        yield from _first(source, address + 16, int.from_bytes(head[8:12], "little"), count)
    else:
        raise BadHdf5("an object is not where it should be", offset=address)


def _first(source: Bytes, address: int, size: int, count: int) -> Iterator[Message]:
    blocks = [(address, size)]
    done = 0
    while blocks and done < _MAX_BLOCKS:
        start, length = blocks.pop(0)
        done += 1
        data = source.at(start, length)
        at = 0
        while at + 8 <= len(data):
            kind, size = (
                int.from_bytes(data[at : at + 2], "little"),
                int.from_bytes(data[at + 2 : at + 4], "little"),
            )
            message = _message(source, kind, data[at + 4], start + at, data[at + 8 : at + 8 + size], size)
            at += 8 + size
            count -= 1
            if kind == _CONTINUED:
                blocks.append(_place(message))
            else:
                yield message
    if blocks or count:
        raise BadHdf5("the header of an object does not hold what it says", offset=address)


def _second(source: Bytes, address: int, head: bytes) -> Iterator[Message]:
    if head[4] != 2:
        raise BadHdf5("an object is of a version that is not known here", kind="unread", offset=address)
    flags = head[5]
    at = address + 6 + (16 if flags & 32 else 0) + (4 if flags & 16 else 0)
    width = 1 << (flags & 3)
    size = int.from_bytes(source.at(at, width), "little")
    blocks = [(at + width, size)]
    step = 6 if flags & 4 else 4
    done = 0
    while blocks and done < _MAX_BLOCKS:
        start, length = blocks.pop(0)
        done += 1
        data = source.at(start, length)
        at = 0
        while at + step <= len(data):
            kind, size = data[at], int.from_bytes(data[at + 1 : at + 3], "little")
            body = data[at + step : at + step + size]
            message = _message(source, kind, data[at + 3], start + at, body, size)
            at += step + size
            if kind == _CONTINUED:
                where, length = _place(message)
                if source.at(where, 4) != b"OCHK" or length < 8:
                    raise BadHdf5("a part of a header is not where it should be", offset=where)
                blocks.append((where + 4, length - 8))
            else:
                yield message
    if blocks:
        raise BadHdf5(
            f"the header of an object has more than the {_MAX_BLOCKS:,} parts that are read",
            kind="budget",
            offset=address,
        )


def _message(source: Bytes, kind: int, flags: int, offset: int, data: bytes, size: int) -> Message:
    source.messages -= 1
    if source.messages < 0:
        raise BadHdf5(f"its objects have more than the {MAX_MESSAGES:,} parts that are read", kind="budget")
    if len(data) != size:
        raise BadHdf5("a part of an object is cut off", offset=offset)
    return Message(kind, bool(flags & _SHARED) and kind != 0, offset, data)


def _place(message: Message) -> tuple[int, int]:
    if len(message.data) < 16:
        raise BadHdf5("a header is cut off", offset=message.offset)
    return int.from_bytes(message.data[:8], "little"), int.from_bytes(message.data[8:16], "little")
