"""Moving releases: promote, rollback, retire; candidates too (`app.exposure` moves these on).

`promote` is the only way in. It verifies the package, evaluates the gate again, admits, writes, and reads back
whether its statement took effect; a slot that moved in between makes it fail, never overwrite.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from lockflight.app.gate.judge import Gate, Judgement
from lockflight.app.policy.ownpolicy import bring_along
from lockflight.app.realm.realm import open_realm
from lockflight.app.realm.speak import need_role
from lockflight.app.realm.view import need_environment, need_project
from lockflight.app.release.verify import verify_package
from lockflight.core.attest.acts import FULL_EXPOSURE, Action, Promotion
from lockflight.core.attest.trust import Duty
from lockflight.core.records import dataclass
from lockflight.core.state.state import RESCUERS
from lockflight.core.text.persons import with_names
from lockflight.errors import ConflictError, EvidenceMissing, NotFound, PolicyDenied, UsageError
from lockflight.signing.oms import sign_statement

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from lockflight.app.log.demands import Demands
    from lockflight.app.realm.realm import Actor, Realm
    from lockflight.core.ports import Receipt
    from lockflight.core.release.release import Release
    from lockflight.core.state.state import Slot, State

#: Hex digits by which a release may be named.
SHORTEST_DIGEST = 12


@dataclass(frozen=True, slots=True)
class Moved:
    """A change of a slot that is now in the log and effective; `again`: it was there before, nothing was written."""

    promotion: Promotion
    envelope: str
    index: int
    judgement: Judgement | None
    again: bool = False


def promote(
    home: Path,
    realm_name: str,
    package: Path,
    *,
    environment: str,
    actor: str,
    now: int,
    exposure: int = FULL_EXPOSURE,
    break_glass: str = "",
    demands: Demands | None = None,
) -> Moved:
    """Move a verified package into an environment.

    Args:
        home: folder of realms.
        realm_name: the realm.
        package: the signed package.
        environment: where to.
        actor: who asks.
        now: Unix seconds.
        exposure: basis points of the traffic; less than all makes it a candidate beside what the slot holds.
        break_glass: envelope digest of a break-glass that stands for the quorum.
        demands: witnesses and age of the log's checkpoint.

    Raises:
        VerificationFailed: the package or the log does not verify.
        PolicyDenied: LF4530 the gate or the admission says no; details list every obstacle.
        EvidenceMissing: LF4531 only evidence is missing or stale.
        ConflictError: LF4532 the slot moved in between, LF4575 it has another candidate.
        UsageError: LF0146 a candidate gets nothing, LF0147 it shares the slot with nothing.
    """
    verified = verify_package(home, realm_name, package, demands=demands)
    release = verified.release
    realm = open_realm(home, realm_name)
    need_environment(realm.state, environment)
    held = realm.state.slot(release.name, environment)
    if held.exposures.get(release.digest) == exposure:
        promotion = held.current if exposure == FULL_EXPOSURE else held.candidate
        record = realm.state.by_digest[held.head]
        if promotion is not None:
            return Moved(promotion, held.head, record.index, None, again=True)
    _check_room(held, release, exposure)
    bring_along(release, realm.folder, package)
    return enter(
        realm,
        release,
        action=Action.PROMOTE,
        environment=environment,
        actor=actor,
        now=now,
        exposure=exposure,
        break_glass=break_glass,
    )


def _check_room(slot: Slot, release: Release, exposure: int) -> None:
    """See that a slot can take a release with a part of the traffic, before anything is judged."""
    candidate = slot.candidate
    if candidate is not None and candidate.release != release.digest:
        raise ConflictError(
            "LF4575",
            f"{slot.project} in {slot.environment} has the candidate {candidate.version}: one at a time.",
            hint=f"lockflight rollback --project {slot.project} --env {slot.environment} drops it; "
            "lockflight expose lets it in",
        )
    if exposure == FULL_EXPOSURE:
        return
    if exposure == 0:
        raise UsageError("LF0146", "A candidate gets some of the traffic.", hint="--exposure 5%")
    if slot.current is None or slot.current.release == release.digest:
        what = "holds nothing" if slot.current is None else "holds that release alone"
        raise UsageError(
            "LF0147",
            f"{slot.project} in {slot.environment} {what}, so there is nothing to share the traffic with.",
            hint="Leave --exposure out.",
        )


def enter(
    realm: Realm,
    release: Release,
    *,
    action: Action,
    environment: str,
    actor: str,
    now: int,
    exposure: int,
    break_glass: str = "",
) -> Moved:
    """Judge, admit and write: the one way into a slot, for whole releases and for candidates.

    The decision and the promotion that rests on it are one append, so that nothing comes between them; the fold
    judges the people again as they are at that entry.

    Raises:
        PolicyDenied, EvidenceMissing, ConflictError: as `promote`.
    """
    person = realm.actor(actor)
    gate = Gate(realm)
    judgement = gate.judge(
        release=release,
        environment=environment,
        view=realm.view,
        state=realm.state,
        requester=person.principal,
        now=now,
        break_glass=break_glass,
        exposing=action is Action.EXPOSE,
    )
    if not judgement.admission.admitted:
        judged = gate.record(realm, release, judgement, now)
        raise _refusal(release, environment, judged, realm.view.names())
    signer = realm.signer(Duty.GATE)
    decision = sign_statement(gate.statement(realm, release, judgement, now), signer)
    promotion = Promotion(
        action=action,
        release=release.digest,
        name=release.name,
        version=release.version,
        project=release.name,
        environment=environment,
        prev=realm.state.slot(release.name, environment).head,
        decision=decision.digest,
        approvals=judgement.admission.approvals,
        requester=person.principal,
        exposure=exposure,
        realm=realm.state.root,
        break_glass=break_glass,
    )
    envelopes = (decision, sign_statement(promotion.statement(), signer))
    receipt = realm.append_envelopes([(e.encode(), signer.public_der) for e in envelopes])[-1]
    return _moved(realm, promotion, receipt, replace(judgement, recorded=decision.digest))


def _refusal(
    release: Release, environment: str, judgement: Judgement, names: Mapping[str, str]
) -> PolicyDenied | EvidenceMissing:
    obstacles = [replace(o, message=with_names(o.message, names)) for o in judgement.admission.obstacles]
    lines = [f"{o.code} {o.message}" for o in obstacles]
    lines += [f"{v.code} {v.msg}" for v in judgement.decision.violations]
    details: dict[str, object] = {
        "obstacles": [{"code": o.code, "message": o.message, "fix": o.fix} for o in obstacles],
        "violations": [
            {"code": v.code, "message": v.msg, "fix": v.solution} for v in judgement.decision.violations
        ],
        "decision": judgement.recorded,
    }
    message = f"{release.name} {release.version} cannot go to {environment}: " + " ".join(lines)
    only_evidence = {o.code for o in obstacles} == {
        "LF4501"
    } and judgement.exit_code == EvidenceMissing.exit_code
    hint = obstacles[0].fix if obstacles else f"lockflight check DIR --env {environment}"
    if only_evidence:
        return EvidenceMissing("LF4531", message, hint=hint, details=details)
    return PolicyDenied("LF4530", message, hint=hint, details=details)


def rollback(
    home: Path, realm_name: str, *, project: str, environment: str, to: str, actor: str, now: int
) -> Moved:
    """Put a release back that the slot held within the window; needs no fresh evidence, only no revocation.

    A candidate is dropped by it: where there is one, the release before it is the current one.

    Args:
        home: folder of realms.
        realm_name: the realm.
        project: whose slot.
        environment: whose slot.
        to: version or digest prefix; empty for the one before.
        actor: who asks.
        now: Unix seconds.

    Raises:
        NotFound: LF4540 the slot never held such a release, or not within the window.
        PolicyDenied: LF4541 the release is revoked; LF4602 the person may not move releases there.
        ConflictError: LF4532 the slot moved in between.
    """
    realm = open_realm(home, realm_name)
    person = realm.actor(actor)
    slot = find_slot(realm.state, project, environment)
    may_rescue(realm, person, environment, "roll back")
    step = realm.state.environment(environment)
    if slot.candidate is not None and slot.current is not None and not to:
        target = slot.current
    else:
        target = _earlier(slot, to, now, step.rollback_s if step is not None else 0)
    if realm.state.revocation_of(target.release) is not None:
        raise PolicyDenied(
            "LF4541",
            f"{target.name} {target.version} is revoked and does not come back.",
            hint=f"lockflight rollback --project {project} --env {environment} --to VERSION",
        )
    return write(realm, person, slot, target, Action.ROLLBACK, FULL_EXPOSURE)


def _earlier(slot: Slot, to: str, now: int, window_s: int) -> Promotion:
    current = slot.current.release if slot.current is not None else ""
    recent = [p for _, p in reversed(slot.history) if slot.held_within(p.release, now, window_s)]
    # A version goes before a digest, and a digest is long enough to name one release: `--to 2` is never `2f4a…`.
    named = [p for p in recent if p.version == to] or [
        p for p in recent if len(to) >= SHORTEST_DIGEST and p.release.startswith(to)
    ]
    found = named if to else [p for p in recent if p.release != current]
    if found:
        return found[0]
    what = f"a release {to!r}" if to else "another release"
    raise NotFound(
        "LF4540",
        f"{slot.project} in {slot.environment} did not hold {what} within the last {window_s // 86_400} days.",
        hint=f"lockflight status --project {slot.project} --history",
    )


def retire(home: Path, realm_name: str, *, project: str, environment: str, actor: str) -> Moved:
    """Empty a slot.

    Raises:
        NotFound: LF4542 the slot is empty.
        PolicyDenied: LF4602 the person may not move releases there.
        ConflictError: LF4532 the slot moved in between.
    """
    realm = open_realm(home, realm_name)
    person = realm.actor(actor)
    slot = find_slot(realm.state, project, environment)
    may_rescue(realm, person, environment, "empty a slot")
    if slot.current is None:
        raise NotFound("LF4542", f"{project} holds nothing in {environment}.", hint="lockflight status")
    return write(realm, person, slot, slot.current, Action.RETIRE, 0)


def find_slot(state: State, project: str, environment: str) -> Slot:
    """The slot of a project in an environment; empty where it never held anything.

    Raises:
        UsageError: LF0121 no such environment.
        NotFound: LF4543 no such project.
    """
    need_environment(state, environment)
    need_project(state, project)
    return state.slot(project, environment)


def may_rescue(realm: Realm, person: Actor, environment: str, what: str) -> None:
    """See that a person may take a release out of a slot, or hold it back.

    Raises:
        PolicyDenied: LF4602 they may not.
    """
    step = realm.state.environment(environment)
    movers = step.requesters if step is not None else ()
    need_role(realm, person, RESCUERS | set(movers), f"{what} in {environment}")


def write(realm: Realm, person: Actor, slot: Slot, target: Promotion, action: Action, exposure: int) -> Moved:
    """Record a change of a slot that rests on no decision: back, out, or less.

    Args:
        realm: whose gate signs it.
        person: who asks.
        slot: what changes.
        target: how the release came in that it is about.
        action: what is done.
        exposure: basis points that the release has afterwards.

    Raises:
        ConflictError: LF4532 it had no effect: the slot moved in between, or the fold refuses it.
    """
    promotion = Promotion(
        action=action,
        release=target.release,
        name=target.name,
        version=target.version,
        project=slot.project,
        environment=slot.environment,
        prev=slot.head,
        decision="",
        approvals=(),
        requester=person.principal,
        exposure=exposure,
        realm=realm.state.root,
    )
    receipt = realm.append([(promotion.statement(), realm.signer(Duty.GATE))])[0]
    return _moved(realm, promotion, receipt, None)


def _moved(realm: Realm, promotion: Promotion, receipt: Receipt, judgement: Judgement | None) -> Moved:
    record = realm.state.by_digest.get(receipt.envelope)
    if record is None or not record.effective:
        why = record.reason if record is not None else "it is not in the log"
        why = with_names(why, realm.view.names())
        raise ConflictError(
            "LF4532",
            f"The slot {promotion.project}/{promotion.environment} did not move: {why}.",
            hint="lockflight status",
        )
    return Moved(promotion, receipt.envelope, receipt.index, judgement)
