"""The fold: from log entries to the state of a realm. Pure.

Nothing is true because it is in the log. An entry is effective only if its leaf commits to its envelope, its signer
held the duty at that index, its statement reads strictly, what it refers to is effective, and its `prev` equals the
head that it changes. Ineffective entries stay visible with their reason.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from lockflight.core.attest import statement as st
from lockflight.core.attest.acts import Approval, Registration, Revocation, Scope
from lockflight.core.attest.dsse import Envelope, decode
from lockflight.core.attest.issuance import Issuance, parse_issuance
from lockflight.core.attest.provenance import Provenance, parse_provenance
from lockflight.core.attest.scanfact import ScanFact, parse_scan
from lockflight.core.attest.trust import (
    DUTY_OF,
    READER,
    Duty,
    Grant,
    RealmKey,
    Trust,
    follows,
    parse_trust,
    root_digest,
)
from lockflight.core.fold import people, slots
from lockflight.core.fold.item import Ineffective, Item, own
from lockflight.core.fold.vouch import vouched
from lockflight.core.gate.vsa import StoredDecision, parse_vsa
from lockflight.core.state.state import FoldEntry, Record, Signed, State, contents, header, own_policy
from lockflight.core.times import unix
from lockflight.core.verify.log.leaf import check_form, check_leaf, read_leaf
from lockflight.errors import LockflightError, VerificationFailed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from lockflight.core.verify.crypto.keys import PublicKey


#: Longest reason that a record keeps: what strangers write is quoted in it, and it stands in facts.
MAX_REASON = 300
#: The one thing in the log that stops the fold: what follows could take back what this reader would still believe.
_TOO_NEW = "LF7233"


def fold(root: str, entries: Iterable[FoldEntry]) -> State:
    """Fold entries, in order from index 0, into the realm's state.

    Args:
        root: the pinned root digest of the realm.
        entries: every entry of the log, none left out.

    Raises:
        VerificationFailed: LF7230 the log does not start with the pinned trust statement, LF7231 an entry is
            missing in the sequence, LF7240, LF7241 the envelope of somebody who holds a grant is gone or another:
            what it took back would count again.
    """
    state: State | None = None
    for position, entry in enumerate(entries):
        if entry.index != position:
            raise VerificationFailed(
                "LF7231", f"The log jumps from entry {position - 1} to {entry.index}: one is missing."
            )
        if state is None:
            state = _genesis(root, entry)
            continue
        advance(state, entry)
    if state is None:
        raise VerificationFailed("LF7230", "The log is empty, so the realm's root of trust cannot be read.")
    return state


def advance(state: State, entry: FoldEntry) -> Record:
    """Take the next entry into a state, in place; what `fold` does with each entry but the first.

    Raises:
        VerificationFailed: LF7240, LF7241, LF7233 as `fold`.
    """
    record = _read(state, entry)
    state.records.append(record)
    if record.statement is not None and (record.effective or record.digest not in state.by_digest):
        state.by_digest[record.digest] = record
    return record


def _genesis(root: str, entry: FoldEntry) -> State:
    hint = "lockflight realm show"
    if entry.envelope is None:
        raise VerificationFailed("LF7230", "The realm's first statement is gone from the log.", hint=hint)
    envelope = decode(entry.envelope, what="realm's first statement")
    if root_digest(envelope.payload) != root:
        raise VerificationFailed(
            "LF7230",
            f"The log starts with the root sha256:{root_digest(envelope.payload)[:16]}…, "
            f"but sha256:{root[:16]}… is pinned.",
            hint="Somebody replaced this realm's log, or the pin belongs to another realm. "
            "Compare `lockflight realm show` with what your team published.",
        )
    key = check_leaf(entry.leaf, envelope)
    try:
        statement = st.parse(envelope.payload)
        trust = parse_trust(statement)
        if trust.key(Duty.ROOT).keyid != key.keyid:
            raise ValueError("it is not signed by the root key that it names")
    except (KeyError, TypeError, ValueError) as error:
        raise VerificationFailed(
            "LF7230", f"The realm's first statement is not usable: {error}.", hint=hint
        ) from error
    if trust.reader > READER:
        raise _too_new(trust)
    state = State(root=root, trust=trust, ladder=trust.ladder)
    state.keys = {k.keyid: k for k in trust.keys}
    record = Record(
        0,
        entry.digest,
        entry.logged_at,
        "trust",
        root,
        trust.name,
        key.keyid,
        state.keys[key.keyid],
        fact=trust,
        statement=statement,
    )
    state.records.append(record)
    state.by_digest[entry.digest] = record
    return state


def _read(state: State, entry: FoldEntry) -> Record:
    signer = kind = subject = name = ""
    key: RealmKey | None = None
    statement: st.Statement | None = None
    fact: object = None
    code = reason = ""
    opened, key = _open(state, entry)
    try:
        if opened is None:
            raise Ineffective("LF7240", "its envelope is not the logged one, and its signer is a stranger")
        envelope, public = opened
        if not public.verify(envelope.signed_bytes, envelope.signature):
            raise Ineffective("LF7164", "its signature is not of the key that it names")
        check_form(envelope, public)
        signer = public.keyid
        statement = st.parse(envelope.payload)
        kind, subject, name = statement.short_type, statement.subjects[0].sha256, statement.subjects[0].name
        holder = _check_duty(state, statement, key, signer, entry.logged_at)
        _check_new(state, entry)
        payload = root_digest(envelope.payload)
        fact = _apply(state, Item(statement, entry.digest, payload, entry.index, entry.logged_at, holder))
    except Ineffective as stop:
        code, reason = stop.code, stop.reason
    except LockflightError as error:
        if error.code == _TOO_NEW:
            raise
        code, reason = error.code, error.message
    except (KeyError, TypeError, ValueError) as error:
        code, reason = "LF7242", f"its predicate does not read: {error!s}"
    reason = reason[:MAX_REASON]
    record = Record(
        entry.index,
        entry.digest,
        entry.logged_at,
        kind,
        subject,
        name,
        signer,
        key,
        code,
        reason,
        fact,
        statement,
    )
    if record.effective:
        if key is not None and signer not in state.keys:
            state.vouched[signer] = next(k.keyid for k in state.keys.values() if k.principal == key.principal)
        _index(state, record)
    return record


def _open(state: State, entry: FoldEntry) -> tuple[tuple[Envelope, PublicKey] | None, RealmKey | None]:
    """The envelope and key that the leaf commits to, and the realm's key behind that; None for a stranger's.

    The leaf is proven by the log's root, the envelope's bytes are not. What is missing or another must never count as
    "no effect": the bytes may have been those of a revocation.
    """
    try:
        leaf = read_leaf(entry.leaf)
    except VerificationFailed:
        return None, None  # committed as it is; nobody signed it
    known = vouched(state, leaf, entry.logged_at)
    code, why = "LF7240", "is gone from the store"
    if entry.envelope is not None:
        code, why = "LF7241", "is not the one that the log's entry commits to"
        try:
            envelope = decode(entry.envelope)
        except VerificationFailed:
            envelope = None
        if (
            envelope is not None
            and envelope.keyid == leaf.key.keyid
            and envelope.signature == leaf.signature
            and hashlib.sha256(envelope.signed_bytes).digest() == leaf.digest
            and hashlib.sha256(entry.envelope).hexdigest() == entry.digest  # the bytes are its canonical form
        ):
            return (envelope, leaf.key), known
    if known is not None:
        raise VerificationFailed(
            code,
            f"The envelope of log entry {entry.index}, signed by the key {leaf.key.keyid[:16]}, {why}. It may take "
            "back something that would count again without it.",
            hint="Restore the realm's folder from a backup; lockflight log verify says what else differs.",
            details={"index": entry.index},
        )
    return None, None


def _check_new(state: State, entry: FoldEntry) -> None:
    """An envelope counts once, where it was first logged: a repetition is neither fresh nor a change of mind."""
    first = state.by_digest.get(entry.digest)
    if first is not None and first.effective:
        raise Ineffective("LF7257", f"it repeats entry {first.index}")


def _check_duty(
    state: State, statement: st.Statement, key: RealmKey | None, signer: str, logged_at: int
) -> RealmKey:
    if signer in state.revoked_keys:
        raise Ineffective("LF7243", f"its key {signer[:16]} was revoked before")
    if key is None:
        raise Ineffective("LF7244", f"its key {signer[:16]} holds no grant in this realm")
    if key.expired(logged_at):
        raise Ineffective("LF7267", f"its key {signer[:16]} expired at {key.expires}")
    wanted = DUTY_OF.get(statement.predicate_type, Duty.PRODUCER)
    if state.trust.expires and logged_at >= unix(state.trust.expires) and wanted is not Duty.ROOT:
        raise Ineffective("LF7270", f"the realm's trust expired at {state.trust.expires}")
    if statement.predicate_type == st.GRANT and key.duty is Duty.ROOT:
        return key
    if key.duty is not wanted and not _builds(state, statement, key, signer):
        raise Ineffective(
            "LF7245",
            f"a {statement.short_type} needs a key of duty {wanted.value}, but this one has {key.duty.value}",
        )
    return key


def _builds(state: State, statement: st.Statement, key: RealmKey, signer: str) -> bool:
    """Whether a machine signs a release: as a builder, for its owner, under a certificate; its own key never does."""
    lent = signer not in state.keys
    machine = key.duty is Duty.PRODUCER and bool(key.owner) and "builder" in key.roles
    return lent and machine and statement.predicate_type in {st.OMS, st.REGISTRATION}


def _apply(state: State, item: Item) -> object:
    statement = item.statement
    reader = _READERS.get(statement.predicate_type)
    if reader is not None:
        return reader(state, item)
    if statement.predicate_type == st.SCAN:
        return parse_scan(statement)
    if statement.predicate_type == st.PROVENANCE:
        return parse_provenance(statement)
    if statement.predicate_type == st.CERTIFICATE:
        return _issuance(state, item)
    if statement.predicate_type == st.VSA:
        return parse_vsa(statement)
    if statement.predicate_type == st.OMS:
        return Signed(item.payload, contents(statement), header(statement), own_policy(statement))
    if statement.predicate_type.startswith(st.BASE):
        raise Ineffective(
            "LF7258", f"this version does not know statements of the type {statement.predicate_type}"
        )
    return None


def _issuance(state: State, item: Item) -> Issuance:
    fact = parse_issuance(item.statement)
    own(state, fact.realm)
    if item.key.principal:
        raise Ineffective("LF7245", "a certificate is put on record by the realm's own producer key")
    state.issued.setdefault(fact.digest, fact.principal)
    return fact


def _trust(state: State, item: Item) -> Trust:
    trust = parse_trust(item.statement)
    fault = follows(state.trust, trust)
    if fault:
        raise Ineffective("LF7246", fault)
    for key in trust.keys:
        _check_own(state, key)
    if trust.reader > READER:
        raise _too_new(trust)
    kept = {key.keyid for key in trust.keys}
    for old in state.trust.keys:
        state.keys.pop(old.keyid, None)
        if old.keyid not in kept:
            state.former[old.keyid] = old
    state.keys.update({k.keyid: k for k in trust.keys})
    state.trust = trust
    return trust


def _check_own(state: State, key: RealmKey) -> None:
    """Refuse a key of the realm that had another duty or owner before, or that was replaced or revoked."""
    held = state.keys.get(key.keyid)
    if held is not None and held.duty is key.duty and not held.principal:
        return
    short = key.keyid[:16]
    if key.keyid in state.revoked_keys:
        raise Ineffective("LF7247", f"the key {short} was revoked")
    if key.keyid in state.former:
        raise Ineffective("LF7247", f"the key {short} was replaced before, and does not come back")
    if held is not None or any(
        isinstance(r.fact, Grant) and r.fact.key.keyid == key.keyid for r in state.records
    ):
        raise Ineffective("LF7247", f"the key {short} already belongs to another principal or duty")


def _too_new(trust: Trust) -> VerificationFailed:
    return VerificationFailed(
        _TOO_NEW,
        f"The realm {trust.name!r} needs a reader of version {trust.reader}; this Lockflight has version {READER}.",
        hint="pip install --upgrade lockflight",
    )


_READERS: dict[str, Callable[[State, Item], object]] = {
    st.TRUST: _trust,
    st.GRANT: people.grant,
    st.ENVIRONMENT: people.ladder,
    st.POLICY: people.policy,
    st.WAIVER: people.waiver,
    st.FREEZE: people.freeze,
    st.ISSUER: people.issuer,
    st.REVIEW: people.review,
    st.REGISTRATION: slots.registration,
    st.APPROVAL: slots.approval,
    st.PROMOTION: slots.promotion,
    st.REVOCATION: slots.revocation,
}


def _take_back_vouched(state: State, record: Record, keyids: set[str]) -> None:
    """What short-lived keys signed for a revoked key falls with it."""
    fact = record.fact
    if isinstance(fact, Revocation):
        for lent, behind in state.vouched.items():
            if behind in keyids:
                state.revoked_keys.setdefault(lent, (fact, record))


def _index(state: State, record: Record) -> None:
    fact = record.fact
    if record.type not in {"trust", "grant"}:
        state.founding = False
    if isinstance(fact, Registration):
        state.registrations.setdefault(fact.release, []).append(record)
    elif isinstance(fact, Approval):
        state.approvals.setdefault((fact.release, fact.environment), []).append(record)
    elif isinstance(fact, Revocation):
        if fact.scope is Scope.KEY:
            state.revoked_keys.setdefault(fact.digest, (fact, record))
            state.keys.pop(fact.digest, None)
            _take_back_vouched(state, record, {fact.digest})
        elif fact.scope is Scope.IDENTITY:
            state.revoked_people.setdefault(fact.name, (fact, record))
            for keyid in [k for k, v in state.keys.items() if fact.name in {v.principal, v.owner}]:
                state.revoked_keys.setdefault(keyid, (fact, record))
                del state.keys[keyid]
                _take_back_vouched(state, record, {keyid})
        else:
            state.revoked.setdefault(fact.digest, (fact, record))
    elif isinstance(fact, ScanFact):
        state.scans.setdefault(record.subject, []).append(record)
    elif isinstance(fact, StoredDecision):
        state.decisions.setdefault((fact.release, fact.environment), []).append(record)
    elif isinstance(fact, Provenance):
        for digest in dict.fromkeys(s.sha256 for s in fact.products):
            state.provenance.setdefault(digest, []).append(record)
    elif isinstance(fact, Signed):
        state.signatures.setdefault(fact.release, []).append(record)
    elif fact is None:
        state.others.setdefault(record.subject, []).append(record)
