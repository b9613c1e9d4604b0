"""Tensors that lie in memory in some other order than row after row, brought into that order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

from lockflight.core.records import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lockflight.core.source import ByteSource

#: Bytes that are read or handed on at a time.
CHUNK: Final = 1024 * 1024
#: What of a storage is held in memory at once; a tensor that is in order needs none of it.
MAX_SPAN: Final = 16 * 1024**3
_VIEWS: Final[dict[int, Literal["B", "H", "I", "Q"]]] = {1: "B", 2: "H", 4: "I", 8: "Q"}

_SIGNS: Final = bytes(byte ^ 0x80 for byte in range(256))


@dataclass(frozen=True, slots=True)
class Strided:
    """A tensor in a storage.

    Attributes:
        storage: what its elements lie in.
        width: bytes of an element: 1, 2, 4 or 8.
        offset: elements before its first one.
        shape: extents.
        strides: elements from one to the next, for each dimension; not negative.
        swapped: the bytes of each element stand in the other order.
        conjugated: elements of 8 bytes are complex numbers whose imaginary part has the other sign.
    """

    storage: ByteSource
    width: int
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    swapped: bool = False
    conjugated: bool = False

    @property
    def count(self) -> int:
        """Number of elements."""
        total = 1
        for extent in self.shape:
            total *= extent
        return total

    @property
    def size(self) -> int:
        """Bytes of all elements, in order."""
        return self.count * self.width

    @property
    def reach(self) -> int:
        """Elements of the storage up to its last one; 0 where it has none."""
        if not self.count:
            return 0
        last = sum((n - 1) * s for n, s in zip(self.shape, self.strides, strict=True))
        return self.offset + last + 1

    @property
    def in_order(self) -> bool:
        """Whether its elements lie row after row without a gap."""
        expected = 1
        for extent, stride in zip(reversed(self.shape), reversed(self.strides), strict=True):
            if extent != 1 and stride != expected:
                return False
            expected *= extent
        return True

    def check(self) -> str:
        """Why it cannot be read; empty when it can."""
        if len(self.shape) != len(self.strides) or self.width not in _VIEWS:
            return "its shape and strides do not fit together"
        if min((self.offset, *self.shape, *self.strides), default=0) < 0:
            return "it has a negative extent, stride or offset"
        if self.reach * self.width > self.storage.size:
            return "it reaches beyond its storage"
        if not self.in_order and self.reach * self.width > MAX_SPAN:
            return "it is too large to be put in order"
        return ""


def pieces(tensor: Strided) -> Iterator[bytes]:
    """The elements of a tensor, row after row, in pieces.

    Args:
        tensor: one that `check` finds nothing wrong with.
    """
    if not tensor.count:
        return
    found = _ordered(tensor) if tensor.in_order else _gathered(tensor)
    if tensor.swapped and tensor.width > 1:
        found = (_swap(piece, tensor.width) for piece in found)
    if tensor.conjugated:
        found = (_conjugate(piece) for piece in found)
    yield from found


def _ordered(tensor: Strided) -> Iterator[bytes]:
    at, left = tensor.offset * tensor.width, tensor.size
    while left:
        piece = tensor.storage.read_at(at, min(CHUNK, left))
        if not piece:
            raise EOFError("the storage became shorter while it was read")
        yield piece
        at += len(piece)
        left -= len(piece)


def _gathered(tensor: Strided) -> Iterator[bytes]:
    start = tensor.offset * tensor.width
    length = tensor.reach * tensor.width - start
    data = tensor.storage.read_at(start, length)
    if len(data) != length:
        raise EOFError("the storage became shorter while it was read")
    view = memoryview(data).cast(_VIEWS[tensor.width])
    dims = _joined(tensor)
    inner, step = dims.pop()
    rows: list[bytes] = []
    held = 0
    for at in _starts(dims):
        row = (
            bytes(view[at : at + 1]) * inner
            if step == 0
            else view[at : at + (inner - 1) * step + 1 : step].tobytes()
        )
        rows.append(row)
        held += len(row)
        if held >= CHUNK:
            yield b"".join(rows)
            rows, held = [], 0
    if rows:
        yield b"".join(rows)


def _joined(tensor: Strided) -> list[tuple[int, int]]:
    """Dimensions of more than one element; two are one where the outer goes on where the inner ends."""
    dims: list[tuple[int, int]] = []
    for extent, stride in zip(tensor.shape, tensor.strides, strict=True):
        if extent == 1:
            continue
        if dims and dims[-1][1] == extent * stride:
            dims[-1] = (dims[-1][0] * extent, stride)
        else:
            dims.append((extent, stride))
    return dims or [(1, 1)]


def _starts(dims: list[tuple[int, int]]) -> Iterator[int]:
    """Where each row starts, in order."""
    if not dims:
        yield 0
        return
    (extent, stride), rest = dims[0], dims[1:]
    for i in range(extent):
        for at in _starts(rest):
            yield i * stride + at


def _conjugate(piece: bytes) -> bytes:
    """Turn the sign of every imaginary part: the highest bit of little-endian pairs of 4-byte floats."""
    turned = bytearray(piece)
    turned[7::8] = turned[7::8].translate(_SIGNS)
    return bytes(turned)


def _swap(piece: bytes, width: int) -> bytes:
    swapped = bytearray(len(piece))
    for i in range(width):
        swapped[i::width] = piece[width - 1 - i :: width]
    return bytes(swapped)
