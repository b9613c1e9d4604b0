"""Files that were signed in pieces (method `shards` of OpenSSF Model Signing v1.0, section 6.3.2).

A file counts as one thing again: its pieces must cover it without gap or overlap, and their digests are joined into
one that can be computed from the file's bytes alone.
"""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Final

from blake3 import blake3

from lockflight.core.records import dataclass
from lockflight.errors import VerificationFailed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from typing import Protocol

    from lockflight.core.source import ByteSource

    class _Hash(Protocol):
        def update(self, data: bytes, /) -> object: ...
        def hexdigest(self) -> str: ...


MAX_PIECES = 200_000
_BUFFER = 1024 * 1024
#: Names may hold colons themselves, so only the last two count.
_PIECE = re.compile(
    r"(?P<name>.+):(?P<start>0|[1-9][0-9]{0,15}):(?P<end>[1-9][0-9]{0,15})", re.ASCII | re.DOTALL
)

HASHERS: Final[dict[str, Callable[[], _Hash]]] = {
    "sha256": hashlib.sha256,
    "blake2b": hashlib.blake2b,
    "blake3": blake3,
}


@dataclass(frozen=True, slots=True)
class Piece:
    """Bytes `start` to `end` (excluded) of a file, and their digest in lower-case hex."""

    name: str
    start: int
    end: int
    digest: str


def read_piece(name: str, digest: str) -> Piece:
    """Split the name of a piece: `path:start:end`.

    Raises:
        ValueError: it is not of that form.
    """
    found = _PIECE.fullmatch(name)
    if found is None:
        raise ValueError(f"{name[:80]!r} does not name a piece of a file")
    return Piece(found["name"], int(found["start"]), int(found["end"]), digest)


def joined(pieces: Sequence[Piece], size: int) -> str:
    """One digest (64 hex digits) for all pieces of a file, in order of their place.

    Args:
        pieces: at least one.
        size: bytes of each piece but the last, which may be shorter.

    Raises:
        VerificationFailed: LF7155 they leave a gap, overlap, or are of another size.
    """
    at = 0
    for piece in pieces:
        full = piece.end - piece.start == size or piece is pieces[-1]
        if piece.start != at or piece.end <= piece.start or piece.end - piece.start > size or not full:
            raise VerificationFailed(
                "LF7155",
                f"The pieces of {piece.name!r} do not cover it one after the other in the size that was signed.",
                hint="Do not use it; ask the producer for a signature over whole files.",
            )
        at = piece.end
    return _join((piece.start, piece.end, piece.digest) for piece in pieces)


def digest_of(source: ByteSource, hash_type: str, size: int) -> str:
    """The digest of a file as a signature gives it.

    Args:
        source: the file.
        hash_type: `sha256`, `blake2b` or `blake3`.
        size: bytes of a piece, for the digest of `joined`; 0 for the digest of the whole file.
    """
    if not size:
        return _hashed(source, hash_type, 0, source.size)
    spans = ((start, min(start + size, source.size)) for start in range(0, source.size, size))
    return _join((start, end, _hashed(source, hash_type, start, end)) for start, end in spans)


def _hashed(source: ByteSource, hash_type: str, start: int, end: int) -> str:
    state = HASHERS[hash_type]()
    for at in range(start, end, _BUFFER):
        state.update(source.read_at(at, min(_BUFFER, end - at)))
    return state.hexdigest()


def _join(rows: Iterable[tuple[int, int, str]]) -> str:
    state = hashlib.sha256()
    for start, end, digest in rows:
        state.update(b"%d:%d:%s\n" % (start, end, digest.encode()))
    return state.hexdigest()
