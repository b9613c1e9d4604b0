"""Evidence between homes: adding statements of other producers, exporting and importing signed envelopes.

An export is JSON lines of {schema, key, envelope}: the signer's public key and the envelope exactly as it was
logged. An import believes nothing: each envelope must verify under its key, be of a type that producers may sign,
and its key must hold the duty of a producer here, by an earlier grant or by one that this import is told to make.
"""

from __future__ import annotations

import base64
import json
import secrets
from typing import TYPE_CHECKING

from lockflight.app.identity.proposals import second_person
from lockflight.app.realm.realm import open_realm
from lockflight.app.realm.speak import say
from lockflight.core.attest import statement as st
from lockflight.core.attest.dsse import MAX_ENVELOPE_BYTES, b64, decode, from_json
from lockflight.core.attest.provenance import own_build, parse_provenance
from lockflight.core.attest.scanfact import parse_scan
from lockflight.core.attest.trust import DUTY_OF, Duty, Grant, RealmKey
from lockflight.core.canonical import loads_object
from lockflight.core.records import dataclass
from lockflight.core.shape import text
from lockflight.core.verify.crypto.keys import load_der
from lockflight.errors import InternalError, InvalidInput, LockflightError, UsageError, VerificationFailed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path
    from typing import BinaryIO

    from lockflight.app.realm.realm import Realm
    from lockflight.app.realm.view import RealmView
    from lockflight.core.attest.dsse import Envelope
    from lockflight.core.ports import Receipt
    from lockflight.core.state.state import Record
    from lockflight.core.verify.crypto.keys import PublicKey

SCHEMA = "https://lockflight.dev/schema/evidence-export/v1"
MAX_LINE_BYTES = MAX_ENVELOPE_BYTES + 64 * 1024
MAX_LINES = 100_000
MAX_EXPORT_BYTES = 512 * 1024 * 1024
#: Longest statement that `add` reads.
MAX_STATEMENT_BYTES = 32 * 1024 * 1024
SHORTEST_KEYID = 16


#: Types of producers whose predicates the fold reads.
_READERS: Mapping[str, Callable[[st.Statement], object]] = {
    st.SCAN: parse_scan,
    st.PROVENANCE: parse_provenance,
}


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import did.

    Attributes:
        recorded: receipts of the entries that are new here.
        known: how many envelopes the log held already.
        trusted: ids of keys that were granted the duty of a producer.
    """

    recorded: tuple[Receipt, ...]
    known: int
    trusted: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Line:
    number: int
    envelope: Envelope
    key: PublicKey


def producer_type(predicate_type: str) -> bool:
    """Whether producers may sign statements of this type."""
    return DUTY_OF.get(predicate_type, Duty.PRODUCER) is Duty.PRODUCER


def add(
    home: Path, realm_name: str, data: Iterable[tuple[str, bytes]], *, actor: str = ""
) -> list[tuple[st.Statement, Receipt]]:
    """Sign statements of other tools (SBOMs, provenance, test results) and record them.

    A machine signs with its own key, else this home's producer key does.

    Lockflight's own types are refused: a check's result is signed only by the process that ran the check.

    Args:
        home: the home folder.
        realm_name: where to record.
        data: name and bytes of in-toto statements.
        actor: the machine that adds them; a person's name changes nothing.

    Raises:
        PolicyDenied: LF4604 the machine's key expired.
        VerificationFailed: LF7101 to LF7103, LF7130 a document is not a statement.
        InvalidInput: LF4561 a statement is of a type that is not taken from outside, LF1040 SLSA provenance that
            does not read, LF1059 a statement has no canonical form.
    """
    statements = []
    for name, body in data:
        try:
            statement = st.parse(body)
        except VerificationFailed as error:
            raise VerificationFailed(error.code, f"{name}: {error.message}", hint=error.hint) from error
        if _own(name, statement):
            raise InvalidInput(
                "LF4561",
                f"{name} is a statement of the type {statement.short_type}, which is not taken from outside.",
                hint="Results of checks are signed where the check runs: lockflight check DIR --record, "
                "or lockflight evidence export there and import here.",
            )
        _writable(name, statement)
        statements.append(statement)
    realm = open_realm(home, realm_name)
    known = realm.state.by_digest  # reads and verifies the realm before anything else is asked of it
    signer = realm.producer(actor)
    receipts = realm.append([(statement, signer) for statement in statements])
    for receipt in receipts:
        if receipt.envelope not in known:
            _must_count(realm, receipt)
    return list(zip(statements, receipts, strict=True))


def _own(name: str, statement: st.Statement) -> bool:
    """Whether only Lockflight itself signs such statements.

    Raises:
        InvalidInput: LF1040 SLSA provenance that does not read.
    """
    if statement.predicate_type != st.PROVENANCE:
        return statement.predicate_type.startswith(st.BASE) or statement.predicate_type in st.SHORT_NAMES
    if own_build(statement):
        return True
    try:
        parse_provenance(statement)
    except (KeyError, TypeError, ValueError) as error:
        raise InvalidInput(
            "LF1040",
            f"{name} names the type of SLSA provenance v1, but does not read as such: {error}.",
            hint="Get the document from its builder again.",
        ) from error
    return False


def _writable(name: str, statement: st.Statement) -> None:
    try:
        statement.payload()
    except (TypeError, ValueError) as error:
        raise InvalidInput(
            "LF1059",
            f"{name} cannot be written in canonical form: {error}.",
            hint="Ask the producer for whole numbers (parts per million) or texts instead of fractions.",
        ) from error


def exportable(view: RealmView, subjects: frozenset[str] | None = None) -> list[Record]:
    """Effective entries that producers signed, of these subjects (all if None), oldest first."""
    return [
        record
        for record in view.state.records
        if record.effective
        and record.key is not None
        and record.key.duty is Duty.PRODUCER
        and (subjects is None or record.subject in subjects)
    ]


def export(view: RealmView, records: Sequence[Record]) -> Iterator[bytes]:
    """One JSON line for each record.

    Raises:
        VerificationFailed: LF7240 an envelope was erased.
    """
    for record in records:
        body = view.reader.envelope(record.digest)
        if body is None or record.key is None:
            raise VerificationFailed(
                "LF7240", f"The envelope of entry {record.index} was erased or never held."
            )
        line = {
            "schema": SCHEMA,
            "key": base64.b64encode(record.key.der).decode(),
            "envelope": json.loads(body),
        }
        yield json.dumps(line, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def import_(
    home: Path, realm_name: str, stream: BinaryIO, *, trust: Sequence[str] = (), actor: str = ""
) -> Imported:
    """Verify every line of an export, then record what is new; all of it or nothing.

    Args:
        home: the home folder.
        realm_name: where to record.
        stream: the export.
        trust: ids of keys (full, or at least 16 digits) that shall hold the duty of a producer from now on.
        actor: who proposes that, where the root key is not in this home.

    Raises:
        InvalidInput: LF4562 not an export, or too long.
        UsageError: LF0119 an id of `trust` is too short, or fits no key or several keys of the export.
        PolicyDenied: LF4526 the grant of a key waits for a second person; LF4602 the person may not propose it.
        VerificationFailed: LF4563 an envelope does not verify, LF4564 its type is not a producer's, LF4565 its key
            is not a producer's here.
    """
    lines = list(_read(stream))
    realm = open_realm(home, realm_name)
    chosen = _chosen(lines, trust)
    strangers: dict[str, PublicKey] = {}
    for line in lines:
        held = realm.state.keys.get(line.key.keyid)
        if line.key.keyid in realm.state.revoked_keys:
            raise _not_trusted(line, "was revoked in this realm", realm)
        if held is None and line.key.keyid in chosen:
            strangers[line.key.keyid] = line.key
        elif held is None or held.duty is not Duty.PRODUCER:
            why = "is unknown in this realm" if held is None else f"has the duty {held.duty.value} here"
            raise _not_trusted(line, why, realm)
    for key in strangers.values():
        _grant(realm, key, actor)
    fresh: dict[str, _Line] = {}
    known = 0
    for line in lines:
        if line.envelope.digest in realm.state.by_digest or line.envelope.digest in fresh:
            known += 1
        else:
            fresh[line.envelope.digest] = line
    items = [(line.envelope.encode(), line.key.der) for line in fresh.values()]
    receipts = realm.append_envelopes(items) if items else []
    for receipt in receipts:
        _must_count(realm, receipt)
    return Imported(tuple(receipts), known, tuple(strangers))


def _read(stream: BinaryIO) -> Iterator[_Line]:
    number = total = 0
    while raw := stream.readline(MAX_LINE_BYTES + 1):
        number += 1
        total += len(raw)
        if len(raw) > MAX_LINE_BYTES or number > MAX_LINES or total > MAX_EXPORT_BYTES:
            raise InvalidInput(
                "LF4562", f"The export is too long: line {number} is over the limit.", hint="Export in parts."
            )
        if raw.strip():
            yield _line(number, raw)


def _line(number: int, raw: bytes) -> _Line:
    try:
        body = loads_object(raw, what=f"line {number}", max_bytes=MAX_LINE_BYTES)
        if body.get("schema") != SCHEMA or set(body) != {"schema", "key", "envelope"}:
            raise ValueError(f"not of the form {SCHEMA}")
        key = load_der(b64(text(body["key"])))
        envelope = from_json(body["envelope"])
    except (KeyError, TypeError, ValueError, LockflightError) as error:
        why = error.message if isinstance(error, LockflightError) else str(error)
        raise InvalidInput(
            "LF4562",
            f"Line {number} is not a line of an export: {why.rstrip('.')}.",
            hint="lockflight evidence export --out FILE writes one.",
        ) from error
    envelope = decode(envelope.encode())
    if not key.verify(envelope.signed_bytes, envelope.signature):
        raise VerificationFailed(
            "LF4563",
            f"The envelope in line {number} is not signed by the key {key.keyid[:16]} beside it.",
            hint="Get the export again from where it was made; do not use this one.",
        )
    statement = st.parse(envelope.payload)
    if not producer_type(statement.predicate_type):
        raise VerificationFailed(
            "LF4564",
            f"Line {number} is a {statement.short_type}: only evidence of producers is taken from another home.",
            hint="Decisions, approvals and promotions are made where they count.",
        )
    reader = _READERS.get(statement.predicate_type)
    if reader is not None:
        try:
            reader(statement)
        except (KeyError, TypeError, ValueError, InternalError) as error:
            raise VerificationFailed(
                "LF4563",
                f"Line {number} is signed, but does not read as a {statement.short_type}: {error}.",
                hint="It was made by another version; make it again here.",
            ) from error
    return _Line(number, envelope, key)


def _chosen(lines: Sequence[_Line], trust: Sequence[str]) -> set[str]:
    keyids = {line.key.keyid for line in lines}
    chosen = set()
    for word in trust:
        prefix = word.lower().removeprefix("sha256:")
        found = {keyid for keyid in keyids if keyid.startswith(prefix)}
        if len(prefix) < SHORTEST_KEYID or len(found) != 1:
            raise UsageError(
                "LF0119",
                f"--trust-producer {word!r} is not at least {SHORTEST_KEYID} digits of the id of one key here.",
                hint=f"Keys of this export: {', '.join(sorted(keyids)) or 'none'}.",
            )
        chosen |= found
    return chosen


def _not_trusted(line: _Line, why: str, realm: Realm) -> VerificationFailed:
    return VerificationFailed(
        "LF4565",
        f"Line {line.number} is signed by the key {line.key.keyid}, which {why}: nothing was taken.",
        hint="Compare the id with what `lockflight evidence export` printed, over another channel; then: "
        f"lockflight evidence import FILE --realm {realm.name} --trust-producer {line.key.keyid}",
        details={"line": line.number, "keyid": line.key.keyid},
    )


def _grant(realm: Realm, key: PublicKey, actor: str) -> None:
    """Give a key the duty of a producer; later than at the founding of a team's realm two people do that."""
    for proposal in realm.state.proposals.values():
        if isinstance(proposal.fact, Grant) and proposal.fact.key.der == key.der and proposal.decided_at < 0:
            raise second_person(realm, proposal.digest, f"The grant for the key {key.keyid[:16]}")
    principal = f"p-{secrets.token_hex(8)}"
    grant = Grant(RealmKey(key.der, Duty.PRODUCER, principal), realm=realm.state.root)
    if not realm.personal and not realm.holds(Duty.ROOT):
        said = say(realm, realm.actor(actor), grant.statement(), f"propose the producer {key.keyid[:16]}")
        raise second_person(realm, said.envelope, f"The grant for the key {key.keyid[:16]}")
    receipt = realm.append([(grant.statement(), realm.signer(Duty.ROOT))])[0]
    _must_count(realm, receipt)
    if receipt.envelope in realm.state.proposals:
        raise second_person(realm, receipt.envelope, f"The grant for the key {key.keyid[:16]}")


def _must_count(realm: Realm, receipt: Receipt) -> None:
    record = realm.state.by_digest.get(receipt.envelope)
    if record is None or not record.effective:
        why = f"{record.code}, {record.reason}" if record is not None else "it is not in the log"
        raise InternalError("LF0903", f"A statement that was just recorded has no effect: {why}.")
