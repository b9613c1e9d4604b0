"""The bytes of one stream, through a window that moves along with the machine, and the strings in it."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from lockflight.formats.pickle.records import MAX_LINE, Broken
from lockflight.formats.pickle.values import MAX_TEXT, Value

if TYPE_CHECKING:
    from lockflight.core.source import ByteSource

_U32 = struct.Struct("<I").unpack_from
_LINE = 256
_UNICODE = ord("V")
#: Opcodes of strings: how wide their length is.
_COUNTED = {0x8C: 1, 0x55: 1, 0x58: 4, 0x54: 4, 0x8D: 8}
_MAX_TEXTS = 65_536
#: The window ends in so many zero bytes, so that the loop may read any fixed argument without asking.
PAD = 16


class Reading:
    """A stream and where the machine stands in it.

    Attributes:
        source: the stream.
        pos: offset of what is read next.
        base, buf: offset of the window, and its bytes with `PAD` zero bytes behind them.
    """

    def __init__(self, source: ByteSource) -> None:
        self.source = source
        self.pos = 0
        self.buf = b""
        self.base = 0
        self._texts: dict[int, str | None] = {}

    def read(self, n: int) -> bytes:
        """The next `n` bytes, which must be there; small reads only."""
        start = self.pos - self.base
        if start >= 0 and start + n <= len(self.buf) - PAD:
            data = self.buf[start : start + n]
        else:
            data = self.source.read_at(self.pos, n)
            if len(data) < n:
                raise Broken("the file ends in the middle of an opcode")
        self.pos += n
        return data

    def count(self, width: int) -> int:
        """A little-endian length, which must fit into the file."""
        return int.from_bytes(self.read(width), "little")

    def line(self, most: int = 0) -> bytes:
        """The next line without its end; of a very long one only its start, or an error past `most` bytes.

        CPython drops the last byte of a line that the end of the file cuts.
        """
        start = self.pos
        inside = start - self.base
        end = self.buf.find(b"\n", inside, len(self.buf) - PAD) if inside >= 0 else -1
        if end >= 0:
            self.pos = self.base + end + 1
            return self.buf[inside : min(end, inside + MAX_LINE)]
        kept = self.source.read_at(start, most or _LINE)
        end = kept.find(b"\n")
        if end >= 0:
            self.pos = start + end + 1
            return kept[:end]
        if most and len(kept) == most:
            raise Broken("a line is longer than its opcode lets it be")
        at, data = start + len(kept), kept
        while data and end < 0:
            data = self.source.read_at(at, MAX_LINE)
            end = data.find(b"\n")
            at += end + 1 if end >= 0 else len(data)
        self.pos = at
        length = at - start - 1
        return (kept + self.source.read_at(start + len(kept), MAX_LINE))[: max(0, min(length, MAX_LINE))]

    def text(self, value: Value) -> str | None:
        """The literal string that a value is, or None when it is none or too long."""
        if type(value) is not int or value < 0:
            return value if type(value) is str else None
        inside, buf = value - self.base, self.buf
        edge = len(buf) - PAD
        try:
            if 0 <= inside < edge - 1:
                if buf[inside] == 0x8C:
                    end = inside + 2 + buf[inside + 1]
                    if end <= edge:
                        return str(buf[inside + 2 : end], "utf-8", "surrogatepass")
                elif buf[inside] == 0x58:
                    end = inside + 5 + _U32(buf, inside + 1)[0]
                    if end <= edge and end - inside <= MAX_TEXT:
                        return str(buf[inside + 5 : end], "utf-8", "surrogatepass")
            return self._far_text(value)
        except UnicodeDecodeError:
            return None

    def _far_text(self, value: int) -> str | None:
        if value in self._texts:
            return self._texts[value]
        data = self._string(value)
        if data is None:
            found = None
        elif self.peek(value, 1)[0] == _UNICODE:
            found = data.decode("raw-unicode-escape")
        else:
            found = data.decode("utf-8", "surrogatepass")
        if len(self._texts) >= _MAX_TEXTS:
            self._texts.clear()
        self._texts[value] = found
        return found

    def peek(self, start: int, length: int) -> bytes:
        """Bytes of the stream, wherever the machine stands; fewer at its end."""
        inside = start - self.base
        if inside >= 0 and inside + length <= len(self.buf) - PAD:
            return self.buf[inside : inside + length]
        return self.source.read_at(start, length)

    def _string(self, start: int) -> bytes | None:
        """The bytes of the string whose opcode lies at an offset."""
        head = self.peek(start, 9)
        width = _COUNTED.get(head[0])
        if width is not None:
            length = int.from_bytes(head[1 : 1 + width], "little")
            return self.peek(start + 1 + width, length) if length <= MAX_TEXT else None
        line, end, _ = self.peek(start + 1, MAX_TEXT + 1).partition(b"\n")
        if not end:
            return None
        return line if head[0] == _UNICODE else line.strip()[1:-1]
