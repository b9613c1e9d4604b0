"""Statements by people: approve, deny, revoke."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lockflight.app.gate import Gate, Judgement
from lockflight.app.realm import open_realm
from lockflight.app.verify import verify_package
from lockflight.app.view import need_environment
from lockflight.core.acts import Approval, Revocation, Scope
from lockflight.core.authors import authors
from lockflight.core.state import REVOKERS
from lockflight.core.times import rfc3339
from lockflight.errors import InternalError, NotFound, PolicyDenied, UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from lockflight.app.realm import Actor, Realm
    from lockflight.core.release import Release

APPROVAL_HOURS = 72


@dataclass(frozen=True, slots=True)
class Said:
    """A statement by a person that is now in the log."""

    envelope: str
    index: int
    principal: str
    name: str


def approve(
    home: Path,
    realm_name: str,
    package: Path,
    *,
    environment: str,
    actor: str,
    verdict: str,
    reason: str,
    now: int,
    hours: int = APPROVAL_HOURS,
) -> tuple[Said, Release, Judgement]:
    """Say yes or no to a release for an environment, bound to the basis of today's decision.

    Raises:
        VerificationFailed: the package does not verify.
        PolicyDenied: LF4520 the gate denies it, so there is nothing to approve; LF4521 the person made the release
            or may not approve.
        UsageError: LF0121, LF0122 the expiry is out of range.
    """
    if not 0 < hours <= 24 * 30:
        raise UsageError("LF0122", f"An approval lasts between 1 and 720 hours, not {hours}.")
    verified = verify_package(home, realm_name, package)
    realm = open_realm(home, realm_name)
    person = realm.actor(actor)
    need_environment(realm.state, environment)
    judgement = Gate(realm).judge(
        release=verified.release,
        environment=environment,
        view=realm.view,
        state=realm.state,
        requester="",
        now=now,
    )
    if verdict == "approve":
        _may_approve(realm, person, verified.release, judgement, environment)
    note = realm.put_blob({"reason": reason}) if reason else ""
    approval = Approval(
        release=verified.release.digest,
        name=verified.release.name,
        environment=environment,
        basis=judgement.decision.basis,
        verdict=verdict,
        nonce=secrets.token_hex(16),
        expires=rfc3339(now + hours * 3600),
        note=note,
        realm=realm.state.root,
    )
    receipt = realm.append([(approval.statement(), person.signer)])[0]
    must_be_effective(realm, receipt.envelope)
    return Said(receipt.envelope, receipt.index, person.principal, person.name), verified.release, judgement


def _may_approve(
    realm: Realm, person: Actor, release: Release, judgement: Judgement, environment: str
) -> None:
    if not judgement.decision.allow:
        raise PolicyDenied(
            "LF4520",
            f"The gate denies {release.name} {release.version} for {environment}; an approval cannot change that.",
            hint=f"lockflight check DIR --env {environment} shows the rules that failed.",
        )
    if person.principal in authors(realm.state, release.digest):
        raise PolicyDenied(
            "LF4521",
            f"{person.name} signed {release.name} {release.version} and does not approve it too.",
            hint="Ask another person with the role approver: lockflight realm show",
        )
    if "approver" not in person.roles:
        raise PolicyDenied(
            "LF4521",
            f"{person.name} does not hold the role approver (roles: {', '.join(person.roles) or 'none'}).",
            hint="Ask a person with the role approver: lockflight realm show",
        )


def revoke(
    home: Path, realm_name: str, *, scope: Scope, digest: str, name: str, reason: str, note: str, actor: str
) -> Said:
    """Take a release, an asset or a key back; effective as soon as it is logged.

    Raises:
        PolicyDenied: LF4522 the person may not revoke in this realm.
        NotFound: LF4523 no key of that id in the realm.
    """
    realm = open_realm(home, realm_name)
    person = realm.actor(actor)
    may_revoke(realm, person)
    if scope is Scope.KEY and digest not in realm.state.keys:
        raise NotFound(
            "LF4523", f"No active key of this realm has the id {digest[:16]}.", hint="lockflight realm show"
        )
    blob = realm.put_blob({"note": note}) if note else ""
    statement = Revocation(scope, digest, name or digest[:16], reason, blob, realm.state.root)
    receipt = realm.append([(statement.statement(), person.signer)])[0]
    must_be_effective(realm, receipt.envelope)
    return Said(receipt.envelope, receipt.index, person.principal, person.name)


def may_revoke(realm: Realm, person: Actor) -> None:
    """See that a person may revoke.

    Raises:
        PolicyDenied: LF4522 they may not.
    """
    if not realm.personal and not REVOKERS.intersection(person.roles):
        raise PolicyDenied(
            "LF4522",
            f"{person.name} may not revoke here (roles: {', '.join(person.roles) or 'none'}).",
            hint=f"Revoking needs one of the roles {', '.join(sorted(REVOKERS))}.",
        )


def must_be_effective(realm: Realm, digest: str) -> None:
    """See that a statement that was just recorded counts.

    Raises:
        InternalError: LF0903 it does not.
    """
    record = realm.state.by_digest.get(digest)
    if record is None or not record.effective:
        why = record.reason if record is not None else "it is not in the log"
        raise InternalError("LF0903", f"A statement that was just recorded has no effect: {why}.")
