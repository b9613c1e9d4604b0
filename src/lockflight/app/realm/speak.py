"""Statements by people: tried on the fold before they are logged, so that nobody logs what would not count."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockflight.app.realm import clock
from lockflight.core.fold.run import advance
from lockflight.core.records import dataclass
from lockflight.core.state.state import FoldEntry
from lockflight.core.verify.crypto.keys import load_der
from lockflight.core.verify.log.leaf import leaf_for
from lockflight.errors import ConflictError, InternalError, LockflightError, PolicyDenied
from lockflight.signing.oms import sign_statement

if TYPE_CHECKING:
    from collections.abc import Collection

    from lockflight.app.realm.realm import Actor, Realm
    from lockflight.core.attest.statement import Statement
    from lockflight.core.ports import Signer
    from lockflight.core.state.state import Record

#: Why a statement does not count that no person can mend: it was made wrongly.
_OURS = frozenset({"LF7164", "LF7240", "LF7241", "LF7242", "LF7245", "LF7257", "LF7258", "LF7259"})
_MOVED = "LF7246"
_HINT = "lockflight realm show lists who has which role"


@dataclass(frozen=True, slots=True)
class Said:
    """A statement by a person that is now in the log."""

    envelope: str
    index: int
    principal: str
    name: str


def say(realm: Realm, person: Actor, statement: Statement, what: str, *, code: str = "LF4602") -> Said:
    """Log a person's statement, if it counts.

    Args:
        realm: where.
        person: who says it.
        statement: what.
        what: the act in words, such as `grant a role`.
        code: of the refusal.

    Raises:
        PolicyDenied: `code` it would not count; the reason is in the message, and nothing was logged.
        ConflictError: LF4603 somebody else changed the same thing first.
    """
    rehearse(realm, person, statement, what, code=code)
    return log(realm, person, statement, what, code=code)


def log(realm: Realm, person: Actor, statement: Statement, what: str, *, code: str = "LF4602") -> Said:
    """Log a person's statement that was rehearsed.

    Raises:
        PolicyDenied, ConflictError: as `say`; the realm changed in between.
    """
    receipt = realm.append([(statement, person.signer)])[0]
    record = realm.state.by_digest.get(receipt.envelope)
    if record is not None and not record.effective:
        raise refusal(record, person.name, what, code)
    must_be_effective(realm, receipt.envelope)
    return Said(receipt.envelope, receipt.index, person.principal, person.name)


def rehearse(realm: Realm, person: Actor, statement: Statement, what: str, *, code: str = "LF4602") -> None:
    """See that a statement would count if it were logged now; logs nothing.

    Raises:
        PolicyDenied, ConflictError: as `say`.
    """
    record = tried(realm, statement, person.signer)
    if not record.effective:
        raise refusal(record, person.name, what, code)


def tried(realm: Realm, statement: Statement, signer: Signer) -> Record:
    """What the fold would make of a statement that was logged now; logs nothing."""
    view = realm.view
    envelope = sign_statement(statement, signer)
    leaf = leaf_for(envelope, load_der(signer.public_der))
    now = max(clock.now(), view.timestamp)
    entry = FoldEntry(len(view.state.records), leaf, envelope.digest, envelope.encode(), now)
    return advance(view.state.fork(), entry)


def refusal(record: Record, name: str, what: str, code: str = "LF4602") -> LockflightError:
    """Why a record does not count, as the error of whoever said it."""
    details: dict[str, object] = {"code": record.code}
    if record.code in _OURS:
        return InternalError(
            "LF0903", f"A statement of {name} has no effect: {record.code}, {record.reason}."
        )
    if record.code == _MOVED:
        return ConflictError(
            "LF4603",
            f"{name} cannot {what}: {record.reason}.",
            hint="lockflight review lists what waits; then try again",
            details=details,
        )
    return PolicyDenied(code, f"{name} cannot {what}: {record.reason}.", hint=_HINT, details=details)


def need_role(
    realm: Realm, person: Actor, roles: Collection[str], what: str, *, code: str = "LF4602"
) -> None:
    """See that a person holds one of some roles before any work is done; in a personal realm one holds them all.

    Raises:
        PolicyDenied: `code` the person holds none of them, or the key expired.
    """
    if realm.personal:
        return
    held = ", ".join(person.roles) or "none"
    key = realm.state.people().get(person.principal)
    if key is not None and key.expired(max(clock.now(), realm.view.timestamp)):
        raise PolicyDenied(
            code,
            f"{person.name} cannot {what}: the key expired at {key.expires}.",
            hint=f"lockflight identity renew {person.name}",
        )
    if not set(roles).intersection(person.roles):
        wanted = " or ".join(sorted(roles))
        raise PolicyDenied(
            code,
            f"{person.name} cannot {what} (roles: {held}); it needs the role {wanted}.",
            hint=_HINT,
        )


def must_be_effective(realm: Realm, digest: str) -> None:
    """See that a statement that was just recorded counts.

    Raises:
        PolicyDenied: LF4602 who signed it may not say this.
        ConflictError: LF4603 somebody else changed the same thing first.
        InternalError: LF0903 it was made wrongly, or is not in the log.
    """
    record = realm.state.by_digest.get(digest)
    if record is None:
        raise InternalError("LF0903", "A statement that was just recorded is not in the log.")
    if not record.effective:
        name = realm.view.name_of(record.key.principal) if record.key is not None else "a stranger"
        raise refusal(record, name, f"make this {record.type}", "LF4602")
