"""Statements by people: approve, deny, revoke."""

from __future__ import annotations

import secrets
from dataclasses import replace
from typing import TYPE_CHECKING

from lockflight.app.gate.judge import Gate, Judgement
from lockflight.app.identity.totp import use
from lockflight.app.policy.ownpolicy import bring_along
from lockflight.app.realm.realm import open_realm
from lockflight.app.realm.speak import Said, need_role, say
from lockflight.app.realm.view import need_environment
from lockflight.app.release.resolve import keys_ever
from lockflight.app.release.verify import verify_package
from lockflight.core.attest.acts import Approval, Revocation, Scope
from lockflight.core.attest.changes import Waiver
from lockflight.core.attest.trust import FACTORS
from lockflight.core.facts.approvals import DENIERS, prospect
from lockflight.core.facts.authors import part_in_waivers
from lockflight.core.records import dataclass
from lockflight.core.state.state import REVOKERS
from lockflight.core.times import rfc3339
from lockflight.errors import NotFound, PolicyDenied, UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from lockflight.app.realm.realm import Actor, Realm
    from lockflight.core.release.release import Release
    from lockflight.core.state.state import State

APPROVAL_HOURS = 72
MAX_HOURS = 24 * 30


@dataclass(frozen=True, slots=True)
class Answer:
    """A person's yes or no that is now in the log.

    Attributes:
        said: where.
        release: what it is about.
        judgement: the decision that the person saw.
        approval: what was signed.
        since: Unix seconds from which it counts.
        notices: what the person should know, such as a waiver that they consented to before.
    """

    said: Said
    release: Release
    judgement: Judgement
    approval: Approval
    since: int
    notices: tuple[str, ...] = ()


def approve(  # noqa: PLR0913 - each is an option of the verb
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
    totp: str | None = None,
) -> Answer:
    """Say yes or no to a release for an environment, bound to the basis of today's decision.

    Raises:
        VerificationFailed: the package does not verify.
        NotFound: LF4612 a code was given, and this home holds no second factor.
        PolicyDenied: LF4520 the gate denies it, so there is nothing to approve; LF4521 the person's yes would not
            count, LF4513 not without a proof of presence; LF4606 their no would not; LF4613 the code is wrong or was
            used.
        UsageError: LF0121, LF0122 the expiry is out of range.
    """
    if not 0 < hours <= MAX_HOURS:
        raise UsageError("LF0122", f"An approval lasts between 1 and {MAX_HOURS} hours, not {hours}.")
    verified = verify_package(home, realm_name, package)
    release = verified.release
    realm = open_realm(home, realm_name)
    person = realm.actor(actor)
    need_environment(realm.state, environment)
    bring_along(release, realm.folder, package)
    judgement = Gate(realm).judge(
        release=release,
        environment=environment,
        view=realm.view,
        state=realm.state,
        requester="",
        now=now,
    )
    approval = Approval(
        release=release.digest,
        name=release.name,
        environment=environment,
        basis=judgement.decision.basis,
        verdict=verdict,
        nonce=secrets.token_hex(16),
        expires=rfc3339(now + hours * 3600),
        realm=realm.state.root,
        factor=FACTORS[0] if totp is None else FACTORS[1],
        proved="" if totp is None else rfc3339(now),
    )
    since = now
    if verdict == "approve":
        since = _may_approve(realm, person, release, judgement, approval, now)
    else:
        need_role(realm, person, DENIERS, f"deny a release for {environment}", code="LF4606")
    if totp is not None:
        approval = replace(approval, proved=rfc3339(use(realm, person, totp, now)))
    if reason:
        approval = replace(approval, note=realm.put_blob({"reason": reason}))
    said = say(
        realm, person, approval.statement(), f"{verdict} {release.name} {release.version}", code="LF4521"
    )
    return Answer(said, release, judgement, approval, since, _notices(realm, person, judgement))


def _may_approve(
    realm: Realm, person: Actor, release: Release, judgement: Judgement, approval: Approval, now: int
) -> int:
    """From when the approval counts, Unix seconds; refused where it never would."""
    what = f"{release.name} {release.version}"
    environment = approval.environment
    if not judgement.decision.allow:
        raise PolicyDenied(
            "LF4520",
            f"The gate denies {what} for {environment}; an approval cannot change that.",
            hint=f"lockflight check DIR --env {environment} shows the rules that failed.",
        )
    state = realm.state
    step = state.environment(environment)
    if state.alone or step is None or not step.quorum:
        return now  # nobody asks for it, and it does no harm
    used = tuple(row.waiver for row in judgement.decision.waived)
    key = state.people()[person.principal]
    found = prospect(state=state, approval=approval, key=key, now=now, waivers=used)
    if found.why:
        why = found.why.replace("who gave it", person.name)
        if found.absent:
            raise PolicyDenied(
                "LF4513",
                f"{person.name} cannot approve {what} for {environment} so: {why}.",
                hint="Add --totp CODE; lockflight identity totp enrol makes the secret.",
            )
        if FACTORS.index(approval.factor) < FACTORS.index(step.factor):
            raise PolicyDenied(
                "LF4521",
                f"{person.name} cannot approve {what} for {environment}: {why}.",
                hint="Add --totp CODE; lockflight identity totp enrol makes the secret."
                if step.factor == FACTORS[1]
                else "Approve where a security key can be used.",
            )
        roles = " or ".join(seat.role for seat in step.quorum)
        asked = [d for d, part in part_in_waivers(state, person.principal, used).items() if part == "asked"]
        if asked and not prospect(state=state, approval=approval, key=key, now=now).why:
            why = f"they asked for {_waiver_words(state, asked[0])}, on which the decision rests"
        raise PolicyDenied(
            "LF4521",
            f"{person.name} cannot approve {what} for {environment}: {why}.",
            hint=f"Ask another person with the role {roles}: lockflight realm show",
        )
    return found.since


def _notices(realm: Realm, person: Actor, judgement: Judgement) -> tuple[str, ...]:
    """The waivers under the decision in which the person had a part already."""
    if realm.state.alone:
        return ()
    used = sorted({row.waiver for row in judgement.decision.waived})
    parts = part_in_waivers(realm.state, person.principal, used)
    told = {"asked": "asked for", "consented": "consented to"}
    return tuple(
        f"{person.name} also {told[part]} {_waiver_words(realm.state, digest)}, on which the decision rests."
        for digest, part in parts.items()
    )


def _waiver_words(state: State, digest: str) -> str:
    fact = state.proposals[digest].fact
    about = f" of {fact.rule} {fact.term}".rstrip() if isinstance(fact, Waiver) else ""
    return f"the waiver {digest[:12]}{about}"


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
    if scope is Scope.KEY and digest not in keys_ever(realm.state):
        raise NotFound(
            "LF4523", f"The realm never knew a key of the id {digest[:16]}.", hint="lockflight key show --all"
        )
    blob = realm.put_blob({"note": note}) if note else ""
    statement = Revocation(scope, digest, name or digest[:16], reason, blob, realm.state.root)
    return say(realm, person, statement.statement(), f"revoke the {scope} {digest[:16]}", code="LF4522")


def may_revoke(realm: Realm, person: Actor) -> None:
    """See that a person may revoke.

    Raises:
        PolicyDenied: LF4522 they may not.
    """
    need_role(realm, person, REVOKERS, "revoke", code="LF4522")
