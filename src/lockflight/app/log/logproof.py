"""`log proof` and `log verify --proof`: one entry with its proof in a file, checked without a log."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lockflight.app.log.cosign import read_in, write_out
from lockflight.app.log.demands import Demands, LogIdentity, candidates, identity
from lockflight.app.realm.view import open_view
from lockflight.core.attest.dsse import MAX_ENVELOPE_BYTES, decode
from lockflight.core.verify.log.leaf import check_leaf, read_leaf
from lockflight.core.verify.log.log import clock_name, rewritten
from lockflight.core.verify.log.note import (
    KIND_COSIGNATURE,
    KIND_ED25519,
    NoteKey,
    VerifiedCheckpoint,
    check_signature,
    parse_checkpoint,
    parse_note,
    parse_vkey,
    verify_checkpoint,
)
from lockflight.core.verify.log.tlogproof import MAX_PROOF_BYTES, TlogProof, check_included, read_proof
from lockflight.errors import NotFound, UsageError, VerificationFailed
from lockflight.store.pins import PinStore

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from lockflight.core.verify.log.log import LogCheckpoint

_INDEX = re.compile(r"[0-9]{1,10}", re.ASCII)
_DIGEST = re.compile(r"[0-9a-f]{8,64}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Written:
    """A proof that was written: entry, envelope (hex), size of the tree, and how long its path is."""

    origin: str
    index: int
    envelope: str
    size: int
    hashes: int


@dataclass(frozen=True, slots=True)
class Proven:
    """An entry that is proven.

    Attributes:
        origin: name of the log.
        index: position of the entry.
        size, root: the tree (root: 32 bytes).
        time: Unix seconds since when that checkpoint counts; 0 where neither clock nor witness is known.
        witnesses: Unix seconds by witness of the policy.
        signed: SHA-256 (hex) of what was signed: of the envelope's pre-authentication encoding.
        keyid: of the key that the entry names.
        envelope: digest of the envelope that was given and is the recorded one; empty if none was.
    """

    origin: str
    index: int
    size: int
    root: bytes
    time: int
    witnesses: Mapping[str, int]
    signed: str
    keyid: str
    envelope: str


def write_proof(home: Path, name: str, entry: str, out: Path, demands: Demands) -> Written:
    """Write the proof of an entry, under the newest checkpoint that meets the demands.

    Args:
        home: folder of realms.
        name: the realm.
        entry: its index, or the start of its envelope's digest.
        out: the file.
        demands: with a policy, the checkpoint has its quorum.

    Raises:
        UsageError: LF0170 neither index nor digest.
        NotFound: LF7216 there is none, or several.
        VerificationFailed: LF7225, LF7226; as `open_view`.
        EnvironmentProblem: LF5052 it cannot be written.
    """
    view = open_view(home, name)
    records = view.state.records
    if not _INDEX.fullmatch(entry) and not _DIGEST.fullmatch(entry):
        raise UsageError(
            "LF0170",
            f"{entry[:80]!r} is neither the index of an entry nor a digest.",
            hint="lockflight log show",
        )
    if _INDEX.fullmatch(entry) and int(entry) < view.size:
        found = [r for r in records if r.index == int(entry)]
    else:
        found = [r for r in records if r.digest.startswith(entry)]
    if len({r.digest for r in found}) != 1:
        why = "no entry" if not found else "several entries"
        raise NotFound("LF7216", f"The log has {why} {entry!r}.", hint="lockflight log show --all")
    index = found[0].index
    log = identity(view)
    seen = demands.meet(log, candidates(view), reader=view.reader, index=index)
    leaf = next(iter(view.reader.entries(index, index + 1))).leaf
    hashes = view.reader.inclusion(index, seen.point.size)
    proof = TlogProof(index, tuple(hashes), seen.note, leaf)
    check_included(proof, leaf)
    write_out(out, proof.encode())
    return Written(log.origin, index, found[0].digest, seen.point.size, len(hashes))


def known_log(home: Path, name: str) -> LogIdentity:
    """The log of a realm of this home."""
    return identity(open_view(home, name))


def verify_proof(
    home: Path,
    path: Path,
    demands: Demands,
    *,
    log: LogIdentity | None = None,
    log_key: str = "",
    clock_key: str = "",
    envelope: Path | None = None,
) -> Proven:
    """Check a proof against keys that the caller knows; no log and no realm is needed.

    Args:
        home: for the pins; it may hold none.
        path: the proof.
        demands: witnesses and age.
        log: the identity of the log; or else
        log_key: its verifier key (`name+id+key`); empty where the policy names the log.
        clock_key: that of its clock; empty for none.
        envelope: a file with the envelope that should be the recorded one.

    Raises:
        NotFound: LF5035 there is no such file.
        UsageError: LF0170 no key of a log is known.
        VerificationFailed: LF7218 not a proof; LF7200 to LF7209, LF7225, LF7226; LF7160 to LF7165 the leaf.
    """
    proof = read_proof(read_in(path, MAX_PROOF_BYTES))
    note = parse_note(proof.checkpoint)
    origin = parse_checkpoint(note.text).origin
    keys = _keys(demands, origin, log, log_key, clock_key)
    point = _opened(proof.checkpoint, origin, *keys)
    times, time = demands.policy.demand(proof.checkpoint) if demands.policy is not None else ({}, 0)
    demands.fresh_at(origin, time or point.timestamp)
    leaf = read_leaf(proof.extra)
    check_included(proof, proof.extra)
    _not_another(home, origin, point)
    digest = ""
    if envelope is not None:
        opened = decode(read_in(envelope, MAX_ENVELOPE_BYTES))
        check_leaf(proof.extra, opened)
        digest = opened.digest
    return Proven(
        origin,
        proof.index,
        point.size,
        point.root,
        time or point.timestamp,
        times,
        leaf.digest.hex(),
        leaf.key.keyid,
        digest,
    )


def _keys(
    demands: Demands, origin: str, log: LogIdentity | None, log_key: str, clock_key: str
) -> tuple[list[bytes], bytes]:
    """Keys of the log that may have signed, and that of its clock; empty where it is not known."""
    clock = log.clock_key if log is not None else b""
    if clock_key:
        clock = _key(clock_key, clock_name(origin), KIND_COSIGNATURE)
    if log is not None:
        if log.origin != origin:
            raise VerificationFailed(
                "LF7204", f"The proof is of the log {origin[:120]!r}, not of {log.origin!r}."
            )
        return [log.log_key], clock
    if log_key:
        return [_key(log_key, origin, KIND_ED25519)], clock
    named = demands.policy.logs if demands.policy is not None else ()
    if not named:
        raise UsageError(
            "LF0170",
            "No key of a log is known, so nothing could be checked.",
            hint="--log-key VKEY, or a policy with a line `log VKEY`, or --realm NAME",
        )
    keys = [party.key.key for party in named if party.key.name == origin]
    if not keys:
        raise VerificationFailed(
            "LF7204", f"The policy for witnesses does not name the log {origin[:120]!r}."
        )
    return keys, clock


def _key(text: str, name: str, kind: int) -> bytes:
    key = parse_vkey(text)
    if (key.name, key.kind) != (name, kind):
        raise VerificationFailed(
            "LF7204",
            f"The proof is of the log whose key is called {name[:120]!r}; the one given is {key.name!r}.",
        )
    return key.key


def _opened(note: str, origin: str, keys: list[bytes], clock: bytes) -> VerifiedCheckpoint:
    if clock:
        key = next((k for k in keys if _signed(note, origin, k)), keys[0])
        return verify_checkpoint(
            note, origin=origin, log_key=key, clock_key=clock, clock_name=clock_name(origin)
        )
    signed = [_signed(note, origin, key) for key in keys]
    if not any(signed):
        raise VerificationFailed(
            "LF7205",
            f"The checkpoint of {origin!r} is not signed by the key of that log.",
            hint="Fetch it again.",
        )
    point = parse_checkpoint(parse_note(note).text)
    return VerifiedCheckpoint(origin, point.size, point.root, 0)


def _signed(note: str, origin: str, key: bytes) -> bool:
    return check_signature(parse_note(note), NoteKey(origin, KIND_ED25519, key)) is not None


def _not_another(home: Path, origin: str, point: VerifiedCheckpoint) -> None:
    """Two roots of one size are two logs; what lies between two sizes a proof of one entry cannot say."""
    pin = PinStore(home).read(origin)
    if not pin:
        return
    seen = parse_checkpoint(parse_note(pin).text)
    if seen.size == point.size and seen.root != point.root:
        raise rewritten(origin, _pinned(pin), "the proof leads to another root of the same size")


def _pinned(pin: str) -> LogCheckpoint:
    from lockflight.core.verify.log.log import LogCheckpoint

    found = parse_checkpoint(parse_note(pin).text)
    return LogCheckpoint(found.origin, found.size, found.root, 0, 0, "", "")
