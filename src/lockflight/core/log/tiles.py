"""Names and content of the files of a tiled log (C2SP tlog-tiles v0.1.0).

A tile holds up to 256 hashes of one level; level L stands for subtrees of 256^L leaves. A bundle holds the entries of a
tile of level 0, each after its length in two bytes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lockflight.core.log.merkle import root
from lockflight.errors import VerificationFailed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

WIDTH: Final = 256
_HEIGHT = 8
HASH_BYTES: Final = 32
MAX_ENTRY_BYTES: Final = 65_535
#: A full bundle of the longest entries.
MAX_BUNDLE_BYTES: Final = WIDTH * (2 + MAX_ENTRY_BYTES)
MAX_TILE_BYTES: Final = WIDTH * HASH_BYTES


def grouped(number: int) -> str:
    """An index as path elements of three digits; all but the last begin with an x."""
    elements = [f"{number % 1000:03d}"]
    while number := number // 1000:
        elements.insert(0, f"x{number % 1000:03d}")
    return "/".join(elements)


def tile_path(level: int | str, index: int, width: int = WIDTH) -> str:
    """Path of a tile; `level` is a number, or `entries`. A width below 256 names a partial one."""
    return f"tile/{level}/{bundle_name(index, width)}"


def bundle_name(index: int, width: int = WIDTH) -> str:
    """The last part of a path: the grouped index, and the width of a partial file."""
    return grouped(index) if width == WIDTH else f"{grouped(index)}.p/{width}"


def spans(count: int) -> Iterator[tuple[int, int]]:
    """(index, width) of the files that hold `count` things, 256 in each but the last."""
    yield from ((index, WIDTH) for index in range(count // WIDTH))
    if count % WIDTH:
        yield count // WIDTH, count % WIDTH


def levels(size: int) -> Iterator[tuple[int, int]]:
    """(level, number of hashes) for each level of a tree of that size that has tiles."""
    level = 0
    while size:
        yield level, size
        level, size = level + 1, size // WIDTH


def pack_entries(entries: Iterable[bytes]) -> bytes:
    """A bundle: each entry after its length in two bytes, big-endian.

    Raises:
        ValueError: an entry is longer than 65,535 bytes.
    """
    found = bytearray()
    for entry in entries:
        if len(entry) > MAX_ENTRY_BYTES:
            raise ValueError(f"an entry of {len(entry)} bytes does not fit into a bundle")
        found += len(entry).to_bytes(2, "big") + entry
    return bytes(found)


def read_entries(data: bytes, width: int, where: str) -> list[bytes]:
    """The entries of a bundle that must hold exactly `width` of them.

    Raises:
        VerificationFailed: LF7217 it holds more, fewer, or is cut off.
    """
    found: list[bytes] = []
    place = 0
    while place < len(data) and len(found) < width:
        end = place + 2 + int.from_bytes(data[place : place + 2], "big")
        if place + 2 > len(data) or end > len(data):
            raise malformed(where, "an entry is cut off")
        found.append(data[place + 2 : end])
        place = end
    if len(found) != width or place != len(data):
        raise malformed(where, f"it does not hold exactly {width} entries")
    return found


def read_hashes(data: bytes, width: int, where: str) -> list[bytes]:
    """The hashes of a tile that must hold exactly `width` of them.

    Raises:
        VerificationFailed: LF7217 it has another length.
    """
    if len(data) != width * HASH_BYTES:
        raise malformed(where, f"it has {len(data)} bytes; {width} hashes have {width * HASH_BYTES}")
    return [data[start : start + HASH_BYTES] for start in range(0, len(data), HASH_BYTES)]


def node_of(tile: Callable[[int, int], Sequence[bytes]], level: int, index: int) -> bytes:
    """The hash of a complete subtree from tiles; `tile` returns the hashes of the tile (level, index)."""
    row, inner = divmod(level, _HEIGHT)
    first = index << inner
    # 256 is a power of two, so the whole subtree stands in one tile.
    start = first % WIDTH
    return root(tile(row, first // WIDTH)[start : start + (1 << inner)])


def malformed(where: str, why: str) -> VerificationFailed:
    """LF7217 for a static export that is not what it must be."""
    return VerificationFailed(
        "LF7217",
        f"The export is not that of a log: {where}: {why}.",
        hint="Fetch it again; if it still fails, do not trust where it comes from.",
    )
