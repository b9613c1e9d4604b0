"""Lines of a large text, block by block: UTF-8 only, each line within a budget."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lockflight.core.source import ByteSource

#: Bytes of one row.
MAX_ROW: Final = 16 * 1024 * 1024
_BLOCK: Final = 1024 * 1024
_BOM: Final = b"\xef\xbb\xbf"
_OTHER_BOMS: Final = (b"\xff\xfe", b"\xfe\xff")


class Unreadable(ValueError):
    """Rows that cannot be told for sure; the message goes on from "it cannot be read as a table: ".

    Args:
        why: in words, with the row.
        budget: it is only too large.
    """

    def __init__(self, why: str, *, budget: bool = False) -> None:
        super().__init__(why)
        self.budget = budget


def blocks_of_lines(source: ByteSource) -> Iterator[list[bytes]]:
    """The lines of a text without their line feeds; a byte order mark is left out.

    Raises:
        Unreadable: no UTF-8, a NUL, a line over budget, or the bytes end early.
    """
    held: list[bytes] = []
    size, offset = 0, _start(source.read_at(0, len(_BOM)))
    while offset < source.size:
        part = source.read_at(offset, _BLOCK)
        if not part:
            raise Unreadable("its bytes end early")
        offset += len(part)
        cut = part.rfind(b"\n")
        if cut >= 0:
            held.append(part[:cut])
            yield _lines(b"".join(held))
            held, size = [], 0
            part = part[cut + 1 :]
        held.append(part)
        size += len(part)
        if size > MAX_ROW:
            raise _long()
    rest = b"".join(held)
    if rest:
        yield _lines(rest)


def _start(head: bytes) -> int:
    """Where the text begins."""
    if head.startswith(_OTHER_BOMS):
        raise Unreadable("it is not UTF-8")
    return len(_BOM) if head == _BOM else 0


def _lines(block: bytes) -> list[bytes]:
    try:
        block.decode()
    except UnicodeDecodeError:
        raise Unreadable("it is not UTF-8") from None
    if b"\x00" in block:
        raise Unreadable("it holds a NUL")
    lines = block.split(b"\n")
    if len(block) > MAX_ROW and max(map(len, lines)) > MAX_ROW:
        raise _long()
    return lines


def _long() -> Unreadable:
    return Unreadable(f"a row is longer than {MAX_ROW} bytes", budget=True)
