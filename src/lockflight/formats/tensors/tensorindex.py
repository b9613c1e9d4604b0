"""Digests of the parts of a safetensors file, taken while its bytes pass by; and the header again, by its digest.

The layout rules of `parse_safetensors` (no gap, no overlap, nothing behind the tensors) are what makes the parts
add up to the file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from blake3 import blake3

from lockflight.core.release.tensors import MAX_TENSORS, TensorIndex
from lockflight.formats.tensors.safetensors import MAX_HEADER, SafetensorsFile, Tensor, parse_safetensors

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lockflight.core.source import ByteSource


class TensorTap:
    """Takes the bytes of a file in order, and cuts them at the borders that its header names.

    Args:
        header: everything before the first tensor, as it was parsed.
        tensors: in order of their offsets, without gaps.
    """

    def __init__(self, header: bytes, tensors: Sequence[Tensor]) -> None:
        self._parsed = blake3(header).hexdigest()
        self._ends = [len(header), *(tensor.end for tensor in tensors)]
        self._found: list[str] = []
        self._state = blake3()
        self._at = 0
        self._over = False

    def update(self, part: bytes | memoryview) -> None:
        """The next bytes of the file."""
        view = memoryview(part)
        while len(self._found) < len(self._ends):
            end = self._ends[len(self._found)]
            take = min(end - self._at, len(view))
            if take:
                self._state.update(view[:take])
                self._at += take
                view = view[take:]
            if self._at < end:
                return
            self._found.append(self._state.hexdigest())
            self._state = blake3()
        self._over = self._over or len(view) > 0

    def index(self) -> TensorIndex | None:
        """What was found; None when the bytes were not those of the header that was parsed."""
        if self._over or len(self._found) != len(self._ends) or self._found[0] != self._parsed:
            return None
        return TensorIndex(self._found[0], tuple(self._found[1:]))


def tap_for(source: ByteSource) -> TensorTap | None:
    """A tap for a sound safetensors file; None for anything else, which is signed as a whole only."""
    header = read_header(source)
    if header is None:
        return None
    parsed = parse_safetensors(source)
    if parsed.issues or len(parsed.tensors) > MAX_TENSORS:
        return None
    return TensorTap(header, parsed.tensors)


def read_header(source: ByteSource) -> bytes | None:
    """Length and header, as bytes; None when they do not fit into the file or the budget."""
    length = int.from_bytes(source.read_at(0, 8), "little")
    if source.size < 10 or length > min(MAX_HEADER, source.size - 8):
        return None
    header = source.read_at(0, 8 + length)
    return header if len(header) == 8 + length else None


class HeaderSource:
    """A file of which only the header is at hand: enough to parse it, and no second look at the disk.

    Args:
        header: everything before the first tensor.
        size: bytes of the whole file.
        name: for messages.
    """

    def __init__(self, header: bytes, size: int, name: str) -> None:
        self._header = header
        self.size = size
        self.name = name

    def read_at(self, offset: int, n: int) -> bytes:
        """See `ByteSource.read_at`, up to the end of the header."""
        if offset < 0 or n < 0:
            raise ValueError("offset and length must not be negative")
        return self._header[offset : offset + n]


def check_header(header: bytes, size: int, index: TensorIndex, name: str) -> SafetensorsFile | None:
    """The tensors of a file whose header has the signed digest; None where anything differs.

    Args:
        header: the file's beginning, as `read_header` gives it.
        size: bytes of the whole file, as signed.
        index: what was signed about its parts.
        name: for messages.
    """
    if blake3(header).hexdigest() != index.header:
        return None
    parsed = parse_safetensors(HeaderSource(header, size, name))
    if parsed.issues or len(parsed.tensors) != len(index.digests):
        return None
    return parsed
