"""Proofs of one entry in a file (C2SP tlog-proof@v1): index, inclusion proof and checkpoint, read without a log.

Our files carry the leaf as `extra` data. Nobody signs it, and nobody needs to: it is what the proof leads from.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Final

from lockflight.core.attest.dsse import b64
from lockflight.core.log.merkle import leaf_hash
from lockflight.core.verify.log.leaf import MAX_LEAF_BYTES
from lockflight.core.verify.log.note import MAX_NOTE_BYTES, parse_checkpoint, parse_note, plain_number
from lockflight.core.verify.log.proofs import verify_inclusion
from lockflight.errors import VerificationFailed

HEADER: Final = "c2sp.org/tlog-proof@v1"
#: Sizes are below 2^63.
MAX_HASHES: Final = 63
MAX_EXTRA_BYTES: Final = MAX_LEAF_BYTES
MAX_PROOF_BYTES: Final = MAX_NOTE_BYTES + 4 * MAX_EXTRA_BYTES // 3 + MAX_HASHES * 45 + 256
_HASH_BYTES = 32


@dataclass(frozen=True, slots=True)
class TlogProof:
    """A proof as read; nothing is verified yet.

    Attributes:
        index: position of the entry.
        hashes: the inclusion proof (32 bytes each), nearest sibling first.
        checkpoint: the signed note over the tree.
        extra: opaque; in our files the leaf.
    """

    index: int
    hashes: tuple[bytes, ...]
    checkpoint: str
    extra: bytes = b""

    def encode(self) -> bytes:
        """The file."""
        lines = [HEADER]
        if self.extra:
            lines.append(f"extra {_text(self.extra)}")
        lines += [f"index {self.index}", *map(_text, self.hashes), "", self.checkpoint]
        return "\n".join(lines).encode()


def read_proof(data: bytes) -> TlogProof:
    """Read a proof strictly.

    Raises:
        VerificationFailed: LF7218 not a proof, or over budget; LF7202 its checkpoint is not a signed note, LF7203 not
            a checkpoint.
    """
    try:
        if len(data) > MAX_PROOF_BYTES:
            raise ValueError(f"it is longer than {MAX_PROOF_BYTES} bytes")
        head, found, checkpoint = data.decode("utf-8").partition("\n\n")
        if not found:
            raise ValueError("it has no checkpoint after an empty line")
        lines = head.split("\n")
        if lines.pop(0) != HEADER:
            raise ValueError(f"its first line is not {HEADER}")
        extra = (
            b64(lines.pop(0).removeprefix("extra ")) if lines[:1] and lines[0].startswith("extra ") else None
        )
        if extra is not None and not 0 < len(extra) <= MAX_EXTRA_BYTES:
            raise ValueError(f"its extra data are empty or longer than {MAX_EXTRA_BYTES} bytes")
        if not lines or not lines[0].startswith("index "):
            raise ValueError("it names no index")
        index = plain_number(lines.pop(0).removeprefix("index "))
        if len(lines) > MAX_HASHES:
            raise ValueError(f"it has more than {MAX_HASHES} hashes")
        hashes = tuple(map(b64, lines))
        if any(len(value) != _HASH_BYTES for value in hashes):
            raise ValueError("a hash is not 32 bytes long")
    except ValueError as error:
        why = "it is not UTF-8" if isinstance(error, UnicodeError) else str(error)
        raise VerificationFailed(
            "LF7218",
            f"This is not a proof of a log entry: {why}.",
            hint="lockflight log proof ENTRY --out FILE writes one.",
        ) from error
    parse_checkpoint(parse_note(checkpoint).text)
    return TlogProof(index, hashes, checkpoint, extra or b"")


def check_included(proof: TlogProof, leaf: bytes) -> None:
    """Check that the proof leads from a leaf to the root of its checkpoint. Whose checkpoint it is, others check.

    Raises:
        VerificationFailed: LF7200, LF7209 it does not.
    """
    point = parse_checkpoint(parse_note(proof.checkpoint).text)
    verify_inclusion(leaf_hash(leaf), proof.index, point.size, proof.hashes, point.root)


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()
