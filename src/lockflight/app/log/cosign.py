"""`log cosign`, `log stamp`: getting the newest checkpoint cosigned by witnesses, over a network or by file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lockflight.app.log.demands import candidates, identity
from lockflight.app.realm.logs import open_reader
from lockflight.app.realm.view import open_view
from lockflight.core.release.release import SIGNATURE_NAME
from lockflight.core.verify.bundle import MAX_BUNDLE_BYTES, TlogEntry, read_bundle
from lockflight.core.verify.crypto.keys import load_der
from lockflight.core.verify.log.note import (
    KIND_ED25519,
    NoteKey,
    check_signature,
    format_note,
    parse_note,
    plain_number,
)
from lockflight.core.verify.log.submission import MAX_REPLY_BYTES, SIZE_TYPE, Submission
from lockflight.errors import (
    EnvironmentProblem,
    LockflightError,
    NotFound,
    UsageError,
    VerificationFailed,
)
from lockflight.infra.posting import checked, post
from lockflight.signing.oms import make_bundle
from lockflight.store.cosigned import CosignedNotes
from lockflight.store.files import read_file, replace_file

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from lockflight.app.log.demands import Demands
    from lockflight.app.realm.view import RealmView
    from lockflight.core.ports import AuditReader
    from lockflight.core.verify.log.log import LogCheckpoint
    from lockflight.core.verify.log.note import NoteSignature
    from lockflight.core.verify.log.witnesses import Party, WitnessPolicy


@dataclass(frozen=True, slots=True)
class Asked:
    """What came of asking one witness.

    Attributes:
        witness: its name in the policy.
        url: where it was asked; empty for a reply from a file.
        time: Unix seconds of its cosignature; 0 if it gave none.
        error: why it gave none.
    """

    witness: str
    url: str
    time: int
    error: LockflightError | None = None


@dataclass(frozen=True, slots=True)
class Cosigned:
    """What is known of the newest checkpoint now.

    Attributes:
        origin, size, root: which checkpoint (root: 32 bytes).
        asked: one for each witness.
        witnesses: when each witness of the policy has cosigned it, earlier ones included.
        quorum: whether that is enough.
    """

    origin: str
    size: int
    root: bytes
    asked: tuple[Asked, ...]
    witnesses: dict[str, int]
    quorum: bool


def cosign(
    home: Path, name: str, policy: WitnessPolicy, urls: Sequence[str] = (), *, offline: bool = False
) -> Cosigned:
    """Ask witnesses to cosign the newest checkpoint, and keep what they sign.

    Args:
        home: folder of realms.
        name: the realm.
        policy: their keys, and their addresses.
        urls: ask at these addresses only; empty for all that the policy gives.
        offline: whether sockets are forbidden.

    Raises:
        UsageError: LF0169 there is nobody to ask; LF0167 an address is none.
        NotFound, VerificationFailed: as `open_view`; LF7228 a witness knows another history of this log.
    """
    chosen = _chosen(policy, urls)
    view = open_view(home, name)
    reader = open_reader(view.folder)
    try:
        with reader.snapshot():
            note = reader.checkpoint()
            point = identity(view).open(note)
            asked = [_ask(reader, note, point, party, url, offline=offline) for party, url in chosen]
    finally:
        reader.close()
    return _keep(view, policy, note, point, asked)


def write_request(home: Path, name: str, out: Path, old: int) -> tuple[str, int]:
    """Write a request to a file, for a witness without a network.

    Args:
        home: folder of realms.
        name: the realm.
        out: the file.
        old: the size that the witness has cosigned last; 0 for none.

    Returns:
        Origin, and size of the checkpoint in the request.

    Raises:
        NotFound: LF7216 the log is not that long.
        EnvironmentProblem: LF5052 the file cannot be written.
    """
    view = open_view(home, name)
    reader = open_reader(view.folder)
    try:
        with reader.snapshot():
            note = reader.checkpoint()
            point = identity(view).open(note)
            proof = reader.consistency(old, point.size) if old else []
    finally:
        reader.close()
    write_out(out, Submission(old, tuple(proof), note).encode())
    return point.origin, point.size


def take_replies(home: Path, name: str, policy: WitnessPolicy, replies: Sequence[Path]) -> Cosigned:
    """Take in what witnesses without a network have answered, for the newest checkpoint.

    Raises:
        NotFound: LF5035 there is no such file; as `open_view`.
        VerificationFailed: LF7228 it holds no cosignature of a witness of the policy.
    """
    view = open_view(home, name)
    note = view.reader.checkpoint()
    point = identity(view).open(note)
    asked = []
    for path in replies:
        data = read_in(path, MAX_REPLY_BYTES)
        known = [
            (party, found)
            for party in policy.witnesses.values()
            if (found := _lines(note, data, party)) is not None
        ]
        if not known:
            raise _refusal(
                str(path), "it holds no cosignature of a witness of the policy over the newest checkpoint"
            )
        asked += [(Asked(party.name, "", time), [line]) for party, (line, time) in known]
    return _keep(view, policy, note, point, asked)


def renew_package(home: Path, name: str, package: Path, demands: Demands) -> tuple[int, int]:
    """Give a package the proof of its log entry under the newest checkpoint that meets the demands.

    Returns:
        Index of the entry, and size of the tree.

    Raises:
        VerificationFailed: LF7330 to LF7332 no signature that this log holds; LF7225, LF7226; as `open_view`.
        EnvironmentProblem: LF5052 it cannot be written.
    """
    view = open_view(home, name)
    signature = package / SIGNATURE_NAME
    bundle = read_bundle(read_in(signature, MAX_BUNDLE_BYTES), what=SIGNATURE_NAME)
    record = view.state.by_digest.get(bundle.envelope.digest)
    if record is None or record.key is None:
        raise VerificationFailed(
            "LF7332",
            f"The log of the realm {name!r} does not hold the signature of {package.name}.",
            hint="--realm NAME asks another realm.",
        )
    seen = demands.meet(identity(view), candidates(view), reader=view.reader, index=record.index)
    entry = tlog_entry(view, record.index, seen.note)
    write_out(signature, make_bundle(bundle.envelope, load_der(record.key.der).pem, entry))
    return record.index, seen.point.size


def tlog_entry(view: RealmView, index: int, note: str) -> TlogEntry:
    """The log entry at an index with its proof under a checkpoint of the log."""
    log = identity(view)
    point = log.open(note)
    return TlogEntry(
        index=index,
        log_id=NoteKey(log.origin, KIND_ED25519, log.log_key).full_id,
        leaf=next(iter(view.reader.entries(index, index + 1))).leaf,
        root=point.root,
        size=point.size,
        hashes=tuple(view.reader.inclusion(index, point.size)),
        checkpoint=note,
    )


def _keep(
    view: RealmView,
    policy: WitnessPolicy,
    note: str,
    point: LogCheckpoint,
    asked: Sequence[tuple[Asked, list[NoteSignature]]],
) -> Cosigned:
    lines = [line for _, found in asked for line in found]
    whole = CosignedNotes(view.folder).add(note, lines) if lines else candidates(view)[0]
    times = policy.cosigned(whole)
    return Cosigned(
        point.origin,
        point.size,
        point.root,
        tuple(one for one, _ in asked),
        times,
        policy.quorum_time(times) is not None,
    )


def _chosen(policy: WitnessPolicy, urls: Sequence[str]) -> list[tuple[Party, str]]:
    known = {party.url.rstrip("/"): party for party in policy.witnesses.values() if party.url}
    chosen = []
    for url in urls or known:
        checked(url)
        party = known.get(url.rstrip("/"))
        if party is None:
            raise UsageError(
                "LF0169",
                f"The policy names no witness at {url}, so nobody could tell what it signs.",
                hint="Add `witness NAME VKEY URL` to the policy; its operator says the key.",
            )
        chosen.append((party, url.rstrip("/")))
    if not chosen:
        raise UsageError(
            "LF0169",
            "The policy gives no address of a witness, so there is nobody to ask.",
            hint="Add the address to its line: witness NAME VKEY URL; or write a file: --request FILE",
        )
    return chosen


def _ask(
    reader: AuditReader, note: str, point: LogCheckpoint, party: Party, url: str, *, offline: bool
) -> tuple[Asked, list[NoteSignature]]:
    try:
        line, time = _answered(reader, note, point, party, url, offline=offline)
    except EnvironmentProblem as error:
        return Asked(party.name, url, 0, error), []
    return Asked(party.name, url, time), [line]


def _answered(
    reader: AuditReader, note: str, point: LogCheckpoint, party: Party, url: str, *, offline: bool
) -> tuple[NoteSignature, int]:
    """The witness's line; it says itself from which size it needs a proof."""
    old = 0
    for _ in range(2):
        proof = reader.consistency(old, point.size) if old else []
        body = Submission(old, tuple(proof), note).encode()
        reply = post(f"{url}/add-checkpoint", body, max_bytes=MAX_REPLY_BYTES, offline=offline)
        if reply.status != 409:
            break
        old = _known_size(reply.kind, reply.body, url)
        if old > point.size:
            raise _refusal(url, f"it has seen {old} entries of this log, and here are {point.size}")
    if reply.status == 200:
        found = _lines(note, reply.body, party)
        if found is None:
            raise _refusal(url, f"its answer is not signed by the key of {party.name}")
        return found
    said = "".join(
        char if char.isprintable() else " " for char in reply.body[:200].decode("utf-8", "replace")
    )
    if reply.status == 422:
        raise _refusal(url, f"this log does not continue what it has seen: {said.strip()}")
    if reply.status == 409:
        raise EnvironmentProblem(
            "LF5056",
            f"The witness at {url} was asked by somebody else at the same time.",
            hint="Ask it again.",
        )
    raise EnvironmentProblem(
        "LF5056",
        f"The witness at {url} does not cosign (status {reply.status}): {said.strip()}.",
        hint="404: its operator adds the log's key (lockflight log show). 403: it knows another key.",
    )


def _known_size(kind: str, body: bytes, url: str) -> int:
    try:
        if kind != SIZE_TYPE:
            raise ValueError("its conflict names no size")
        return plain_number(body.decode("ascii").removesuffix("\n"))
    except ValueError as error:
        raise EnvironmentProblem(
            "LF5056", f"What answers at {url} is not a witness: {error}.", hint="Check its address."
        ) from error


def _lines(note: str, data: bytes, party: Party) -> tuple[NoteSignature, int] | None:
    """The witness's line in an answer, and its time; lines of unknown keys are ignored."""
    try:
        answered = parse_note(format_note(parse_note(note).text, [data.decode("utf-8")]))
        time = check_signature(answered, party.key)
    except (UnicodeDecodeError, VerificationFailed):
        return None
    if not time:
        return None
    line = next(s for s in answered.signatures if (s.name, s.keyid) == (party.key.name, party.key.keyid))
    return line, time


def _refusal(who: str, why: str) -> VerificationFailed:
    return VerificationFailed(
        "LF7228",
        f"The witness at {who} does not stand for this log: {why}.",
        hint="Do not append. Either this log was put back to an older copy, or it was rewritten: compare with the "
        "witness's operator, and restore the newest copy.",
    )


def need_quorum(done: Cosigned) -> VerificationFailed | None:
    """LF7226 where too few witnesses have cosigned."""
    if done.quorum:
        return None
    failed = next((one.error for one in done.asked if one.error), None)
    return VerificationFailed(
        "LF7226",
        f"The checkpoint of {done.origin!r} at size {done.size} has not enough witnesses yet.",
        hint=failed.message if failed else "Ask the other witnesses of the policy.",
    )


def read_in(path: Path, max_bytes: int) -> bytes:
    """The bytes of a file that the caller named.

    Raises:
        NotFound: LF5035 there is none.
        EnvironmentProblem: LF5036 it cannot be read, or is longer.
    """
    try:
        data = read_file(path, max_bytes)
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else str(error)
        raise EnvironmentProblem("LF5036", f"{path} cannot be read: {why}.", hint=f"ls -l {path}") from error
    if data is None:
        raise NotFound("LF5035", f"There is no file {path}.", hint="Check the path.")
    return data


def write_out(path: Path, data: bytes) -> None:
    """Write a file that the caller named.

    Raises:
        EnvironmentProblem: LF5052 it cannot be written.
    """
    try:
        replace_file(path, data, mode=0o644)
    except OSError as error:
        raise EnvironmentProblem(
            "LF5052", f"{path} cannot be written: {error.strerror}.", hint=f"ls -ld {path.parent}"
        ) from error
