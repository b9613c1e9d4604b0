"""Small signed things for tests: releases, envelopes, log entries and bundles with real keys."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from blake3 import blake3

from lockflight.core.log.merkle import inclusion_proof, leaf_hash, root
from lockflight.core.release.release import Asset, Release, make_release
from lockflight.core.verify.bundle import TlogEntry
from lockflight.core.verify.log import note
from lockflight.core.verify.log.leaf import leaf_for
from lockflight.core.words import Kind, Role, Tier
from lockflight.signing.keys import ALGORITHMS, ED25519, FileSigner, generate

VECTORS = Path(__file__).parent / "vectors"
ORIGIN = "example.com/log"
CLOCK = "example.com/log/clock"
TIME = 1_700_000_000

# A tree in which the two orders of names differ: a/b, a-b/c, a.b by path, a-b/c, a.b, a/b by code point.
FILES = {
    "lockflight.toml": b"[release]\n",
    "a/b": b"1",
    "a-b/c": b"2",
    "a.b": b"",
    "weights.safetensors": b"\x08" * 100,
}


def vectors(name):
    return json.loads((VECTORS / name).read_text(encoding="utf-8"))


@cache
def signer(algorithm: str = "ecdsa-p256", number: int = 0) -> FileSigner:
    """The same key for the same arguments within one run."""
    assert algorithm in ALGORITHMS, number
    return generate(algorithm)


def asset(name: str, body: bytes, role: Role = Role.OTHER) -> Asset:
    return Asset(name, role, len(body), hashlib.sha256(body).hexdigest(), blake3(body).hexdigest())


def release(files: dict[str, bytes] | None = None) -> Release:
    files = FILES if files is None else files
    return make_release(
        name="demo",
        version="1.0",
        kind=Kind.MODEL,
        tier=Tier.MINIMAL,
        assets=[asset(name, body) for name, body in files.items()],
    )


def write(folder: Path, files: dict[str, bytes] | None = None) -> Path:
    for name, body in (FILES if files is None else files).items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)
    return folder


@dataclass(frozen=True)
class TinyLog:
    """A log and its clock, with their keys."""

    log: FileSigner
    clock: FileSigner
    origin: str = ORIGIN
    clock_name: str = CLOCK

    @property
    def log_key(self) -> note.NoteKey:
        return note.NoteKey(self.origin, note.KIND_ED25519, self.log.public_key.raw)

    @property
    def clock_key(self) -> note.NoteKey:
        return note.NoteKey(self.clock_name, note.KIND_COSIGNATURE, self.clock.public_key.raw)

    @property
    def trust(self) -> dict[str, object]:
        """Arguments of `verify_checkpoint`."""
        return {
            "origin": self.origin,
            "log_key": self.log_key.key,
            "clock_key": self.clock_key.key,
            "clock_name": self.clock_name,
        }

    def log_line(self, text: str) -> str:
        return note.note_signature_line(self.log_key, self.log.sign(text.encode()))

    def clock_line(self, text: str, time: int = TIME) -> str:
        signature = self.clock.sign(note.cosignature_message(text, time))
        return note.note_signature_line(self.clock_key, note.timestamped(time, signature))

    def checkpoint(self, leaves: list[bytes], time: int = TIME) -> str:
        text = note.checkpoint_text(self.origin, len(leaves), root([leaf_hash(leaf) for leaf in leaves]))
        return note.format_note(text, [self.log_line(text), self.clock_line(text, time)])

    def entry(self, leaves: list[bytes], index: int) -> TlogEntry:
        hashes = [leaf_hash(leaf) for leaf in leaves]

        def read(level: int, i: int) -> bytes:
            return root(hashes[i << level : (i + 1) << level])

        return TlogEntry(
            index=index,
            log_id=self.log_key.full_id,
            leaf=leaves[index],
            root=root(hashes),
            size=len(leaves),
            hashes=tuple(inclusion_proof(read, index, len(leaves))),
            checkpoint=self.checkpoint(leaves),
        )


@cache
def tiny_log() -> TinyLog:
    return TinyLog(signer(ED25519, 1), signer(ED25519, 2))


def logged(envelope, public_key, *, others: int = 4, index: int = 2) -> TlogEntry:
    """The envelope as entry `index` among others."""
    leaves = [b"leaf %d" % i for i in range(others)]
    leaves.insert(index, leaf_for(envelope, public_key))
    return tiny_log().entry(leaves, index)


def mutate(data: bytes, draw) -> bytes:
    """One change of a byte string: a bit, a cut, a repeated or inserted piece."""
    from hypothesis import strategies as st

    kind = draw(st.sampled_from(["flip", "cut", "repeat", "insert"]))
    # Lengths of signatures vary from run to run; what is drawn must not depend on them.
    at = draw(st.integers(0, 0xFFFF)) % max(1, len(data))
    if kind == "flip" and data:
        return data[:at] + bytes([data[at] ^ (1 << draw(st.integers(0, 7)))]) + data[at + 1 :]
    if kind == "cut":
        return data[:at] + data[at + draw(st.integers(1, 40)) :]
    if kind == "repeat":
        end = at + draw(st.integers(1, 40))
        return data[:end] + data[at:end] + data[end:]
    return data[:at] + draw(st.binary(min_size=1, max_size=8)) + data[at:]
