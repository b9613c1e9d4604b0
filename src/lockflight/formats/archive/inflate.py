"""Bounded decompression: gzip, zlib, raw deflate, bzip2, xz and lzma streams as byte sources.

Small output is kept; large output is inflated again from the start when a reader goes back behind the part that is
kept, and all of that work together has a budget. Output is never more than the caller's limit.
"""

from __future__ import annotations

import bz2
import zlib
from typing import TYPE_CHECKING, Protocol

from lockflight.core.records import dataclass
from lockflight.core.source import BytesSource

if TYPE_CHECKING:
    from lockflight.core.source import ByteSource

CHUNK = 256 * 1024
#: Output up to this size stays in memory; beyond it only a window does.
KEPT = 32 * 1024 * 1024
#: Default limit of one stream's output.
MAX_OUTPUT = 4 * 1024**3
#: A stream that grows by more than this factor, once it is past `RATIO_FREE` bytes, is taken for a bomb.
MAX_RATIO = 400
RATIO_FREE = 64 * 1024 * 1024
_LZMA_MEMORY = 256 * 1024 * 1024
#: Work of a source that is read backwards, as a multiple of its output.
_PASSES = 8

_MAGICS = (
    (b"\x1f\x8b", "gzip"),
    (b"BZh", "bzip2"),
    (b"\xfd7zXZ\x00", "xz"),
    (b"\x5d\x00\x00", "lzma"),
)


class _Decompressor(Protocol):
    @property
    def eof(self) -> bool: ...

    @property
    def unused_data(self) -> bytes: ...

    def decompress(self, data: bytes, max_length: int, /) -> bytes: ...


class BadStream(Exception):
    """The stream cannot be inflated; the argument says why: `corrupt`, `bomb` or `budget`. Never leaves `formats`."""


@dataclass(frozen=True, slots=True)
class Inflated:
    """What a compressed stream holds.

    Attributes:
        source: the output as a byte source; empty when `problem` says that it cannot be read.
        problem: empty, `corrupt`, `bomb`, or `budget`.
        trailing: bytes behind the end of the stream.
        spent: bytes that came out of it, also where they are not kept.
    """

    source: ByteSource
    problem: str = ""
    trailing: int = 0
    spent: int = 0


def compression_of(head: bytes) -> str:
    """Which compression the first bytes look like: gzip, bzip2, xz, lzma, zlib, or empty.

    zlib and lzma have weak magic numbers: the caller has to inflate and look at what comes out.
    """
    for magic, kind in _MAGICS:
        if head.startswith(magic):
            return kind
    # RFC 1950: CM 8 with a window of at most 32 KiB, and FCHECK makes the pair a multiple of 31.
    if len(head) > 2 and head[0] & 0x0F == 8 and head[0] >> 4 <= 7 and (head[0] << 8 | head[1]) % 31 == 0:
        return "zlib"
    return ""


def inflate(
    source: ByteSource, kind: str, *, max_output: int = MAX_OUTPUT, name: str = "", bomb_guard: bool = True
) -> Inflated:
    """Inflate a whole source of the given kind (`deflate` and those of `compression_of`)."""
    label = name or source.name
    puller = _Puller(source, kind)
    kept: list[bytes] | None = []
    total = 0
    try:
        while piece := puller.pull():
            total += len(piece)
            if total > max_output:
                raise BadStream("budget")
            if bomb_guard and total > RATIO_FREE and total > MAX_RATIO * max(1, puller.consumed):
                raise BadStream("bomb")
            if kept is not None:
                kept.append(piece)
                if total > KEPT:
                    kept = None
    except BadStream as problem:
        # What came out before the damage is real to a loader that reads as it goes, so it is shown to the caller.
        return Inflated(BytesSource(b"".join(kept or ()), label), str(problem), spent=total)
    if kept is not None:
        return Inflated(BytesSource(b"".join(kept), label), trailing=puller.trailing, spent=total)
    return Inflated(_Rewinding(source, kind, total, label), trailing=puller.trailing, spent=total)


def inflate_head(data: bytes, kind: str, limit: int = CHUNK) -> bytes:
    """The first `limit` bytes of output of the start of a stream; empty when there are none."""
    try:
        return _Puller(BytesSource(data), kind).pull(limit)
    except BadStream:
        return b""


class _Puller:
    """Inflates a source piece by piece, over all members of a multi-member stream."""

    def __init__(self, source: ByteSource, kind: str) -> None:
        self._source = source
        self._kind = kind
        self._state = _decompressor(kind)
        self._pending = b""
        self._offset = 0
        self._fresh = True
        self._ended = False
        self.trailing = 0

    @property
    def consumed(self) -> int:
        """Input bytes read so far."""
        return self._offset - len(self._pending)

    def pull(self, limit: int = 0) -> bytes:
        """The next piece of output; empty at the end.

        Raises:
            BadStream: the data is damaged or ends early.
        """
        while not self._ended:
            if not self._pending:
                self._pending = self._source.read_at(self._offset, CHUNK)
                self._offset += len(self._pending)
            at_end = not self._pending
            piece = self._step(limit or CHUNK)
            self._fresh = self._fresh and not piece
            if self._state.eof:
                self._next_member()
            elif at_end and not piece:
                raise BadStream("corrupt")
            if piece:
                return piece
        return b""

    def _step(self, limit: int) -> bytes:
        try:
            piece = self._state.decompress(self._pending, limit)
        except (zlib.error, OSError, EOFError, ValueError, MemoryError) as error:
            raise BadStream("corrupt") from error
        except Exception as error:
            # That of lzma, which some builds of Python do not have.
            if type(error).__name__ != "LZMAError":
                raise
            raise BadStream("corrupt") from error
        # zlib hands back what it did not take; bz2 and lzma keep it inside.
        self._pending = getattr(self._state, "unconsumed_tail", b"")
        return piece

    def _next_member(self) -> None:
        rest = self._state.unused_data
        if not rest:
            rest = self._source.read_at(self._offset, CHUNK)
            self._offset += len(rest)
        if self._kind in {"gzip", "bzip2", "xz"}:
            rest = self._past_padding(rest)
            if compression_of(rest) == self._kind:
                self._state = _decompressor(self._kind)
                self._pending = rest
                return
        self._ended = True
        self.trailing = len(rest) + self._source.size - self._offset

    def _past_padding(self, rest: bytes) -> bytes:
        """Readers of gzip and xz skip zero bytes between members."""
        if self._kind == "bzip2":
            return rest
        while not (stripped := rest.lstrip(b"\0")):
            rest = self._source.read_at(self._offset, CHUNK)
            self._offset += len(rest)
            if not rest:
                return b""
        return stripped


def _decompressor(kind: str) -> _Decompressor:
    if kind == "gzip":
        return zlib.decompressobj(31)
    if kind == "zlib":
        return zlib.decompressobj(15)
    if kind == "deflate":
        return zlib.decompressobj(-15)
    if kind == "bzip2":
        return bz2.BZ2Decompressor()
    import lzma

    form = lzma.FORMAT_XZ if kind == "xz" else lzma.FORMAT_ALONE
    return lzma.LZMADecompressor(form, _LZMA_MEMORY)


class _Rewinding:
    """A large inflated stream, read forwards; going back far starts again, within a budget of work."""

    def __init__(self, parent: ByteSource, kind: str, size: int, name: str) -> None:
        self._parent = parent
        self._kind = kind
        self.size = size
        self.name = name
        self._work = _PASSES * size
        self._restart()

    def _restart(self) -> None:
        self._puller = _Puller(self._parent, self._kind)
        self._start = 0
        self._window = b""

    def read_at(self, offset: int, n: int) -> bytes:
        """See `ByteSource.read_at`; empty once the budget of work is spent."""
        if offset < 0 or n < 0:
            raise ValueError("offset and length must not be negative")
        n = max(0, min(n, self.size - offset))
        if offset < self._start:
            self._restart()
        parts = []
        while n:
            inside = offset - self._start
            if inside < len(self._window):
                part = self._window[inside : inside + n]
                parts.append(part)
                offset += len(part)
                n -= len(part)
                continue
            # Half of the old window stays, so that short steps back are free.
            tail = self._window[-CHUNK:]
            piece = self._pull()
            if not piece:
                break
            self._start += len(self._window) - len(tail)
            self._window = tail + piece
        return b"".join(parts)

    def _pull(self) -> bytes:
        if self._work <= 0:
            return b""
        try:
            piece = self._puller.pull()
        except BadStream:
            return b""
        self._work -= len(piece)
        return piece
