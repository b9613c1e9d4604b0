"""Moving releases: promote, rollback, retire, and the status that the log folds into.

`promote` is the only way in. It verifies the package, evaluates the gate again, admits, writes, and reads back
whether its statement took effect; a slot that moved in between makes it fail, never overwrite.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lockflight.app.asof import view_at
from lockflight.app.gate import Gate, Judgement
from lockflight.app.realm import open_realm
from lockflight.app.verify import verify_package
from lockflight.core.acts import Action, Promotion
from lockflight.core.trust import Duty
from lockflight.errors import ConflictError, EvidenceMissing, NotFound, PolicyDenied, UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from lockflight.app.realm import Realm
    from lockflight.app.view import RealmView
    from lockflight.core.release import Release
    from lockflight.core.state import Slot

#: How long after it held a slot a release may come back without fresh evidence, seconds.
ROLLBACK_WINDOW = 90 * 86_400
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


@dataclass(frozen=True, slots=True)
class SlotStatus:
    """What one slot holds."""

    project: str
    environment: str
    slot: str
    release: str
    version: str
    since: int
    requester: str
    approvals: tuple[str, ...]
    revoked: str


def promote(home: Path, realm_name: str, package: Path, *, environment: str, actor: str, now: int) -> Moved:
    """Move a verified package into an environment.

    Raises:
        VerificationFailed: the package or the log does not verify.
        PolicyDenied: LF4530 the gate or the admission says no; details list every obstacle.
        EvidenceMissing: LF4531 only evidence is missing or stale.
        ConflictError: LF4532 the slot moved in between.
    """
    verified = verify_package(home, realm_name, package)
    release = verified.release
    realm = open_realm(home, realm_name)
    if environment not in realm.state.trust.environments:
        raise _no_environment(environment, realm)
    person = realm.actor(actor)
    held = realm.state.slot(release.name, environment)
    if held.current is not None and held.current.release == release.digest:
        record = realm.state.by_digest[held.head]
        return Moved(held.current, held.head, record.index, None, again=True)
    gate = Gate()
    judgement = gate.judge(
        release=release,
        environment=environment,
        view=realm.view,
        state=realm.state,
        requester=person.principal,
        now=now,
    )
    judgement = gate.record(realm, release, judgement, now)
    if not judgement.admission.admitted:
        raise _refusal(release, environment, judgement)
    slot = realm.state.slot(release.name, environment)
    promotion = Promotion(
        action=Action.PROMOTE,
        release=release.digest,
        name=release.name,
        version=release.version,
        project=release.name,
        environment=environment,
        prev=slot.head,
        decision=judgement.recorded,
        approvals=judgement.admission.approvals,
        requester=person.principal,
        realm=realm.state.root,
    )
    return _write(realm, promotion, judgement)


def _refusal(release: Release, environment: str, judgement: Judgement) -> PolicyDenied | EvidenceMissing:
    obstacles = judgement.admission.obstacles
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

    Args:
        home: folder of realms.
        realm_name: the realm.
        project: whose slot.
        environment: whose slot.
        to: version or digest prefix; empty for the one before the current.
        actor: who asks.
        now: Unix seconds.

    Raises:
        NotFound: LF4540 the slot never held such a release, or not within the window.
        PolicyDenied: LF4541 the release is revoked.
        ConflictError: LF4532 the slot moved in between.
    """
    realm = open_realm(home, realm_name)
    person = realm.actor(actor)
    slot = _slot(realm.view, project, environment)
    target = _earlier(slot, to, now)
    if realm.state.revocation_of(target.release) is not None:
        raise PolicyDenied(
            "LF4541",
            f"{target.name} {target.version} is revoked and does not come back.",
            hint=f"lockflight rollback --project {project} --env {environment} --to VERSION",
        )
    promotion = Promotion(
        action=Action.ROLLBACK,
        release=target.release,
        name=target.name,
        version=target.version,
        project=project,
        environment=environment,
        prev=slot.head,
        decision="",
        approvals=(),
        requester=person.principal,
        realm=realm.state.root,
    )
    return _write(realm, promotion, None)


def _earlier(slot: Slot, to: str, now: int) -> Promotion:
    current = slot.current.release if slot.current is not None else ""
    recent = [p for logged_at, p in reversed(slot.history) if now - logged_at <= ROLLBACK_WINDOW]
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
        f"{slot.project} in {slot.environment} did not hold {what} within the last {ROLLBACK_WINDOW // 86_400} days.",
        hint=f"lockflight status --project {slot.project} --history",
    )


def retire(home: Path, realm_name: str, *, project: str, environment: str, actor: str) -> Moved:
    """Empty a slot.

    Raises:
        NotFound: LF4542 the slot is empty.
        ConflictError: LF4532 the slot moved in between.
    """
    realm = open_realm(home, realm_name)
    person = realm.actor(actor)
    slot = _slot(realm.view, project, environment)
    if slot.current is None:
        raise NotFound("LF4542", f"{project} holds nothing in {environment}.", hint="lockflight status")
    promotion = Promotion(
        action=Action.RETIRE,
        release=slot.current.release,
        name=slot.current.name,
        version=slot.current.version,
        project=project,
        environment=environment,
        prev=slot.head,
        decision="",
        approvals=(),
        requester=person.principal,
        exposure=0,
        realm=realm.state.root,
    )
    return _write(realm, promotion, None)


def _slot(view: RealmView, project: str, environment: str) -> Slot:
    if environment not in view.state.trust.environments:
        raise _no_environment(environment, view)
    if not any(key[0] == project for key in view.state.slots):
        known = sorted({key[0] for key in view.state.slots})
        raise NotFound(
            "LF4543",
            f"The realm knows no project {project!r}.",
            hint=f"Projects: {', '.join(known) or 'none yet'}.",
        )
    return view.state.slot(project, environment)


def _no_environment(environment: str, realm: Realm | RealmView) -> UsageError:
    names = realm.state.trust.environments
    return UsageError(
        "LF0121", f"There is no environment {environment!r}.", hint=f"Environments: {', '.join(names)}."
    )


def _write(realm: Realm, promotion: Promotion, judgement: Judgement | None) -> Moved:
    receipt = realm.append([(promotion.statement(), realm.signer(Duty.GATE))])[0]
    record = realm.state.by_digest.get(receipt.envelope)
    if record is None or not record.effective:
        why = record.reason if record is not None else "it is not in the log"
        raise ConflictError(
            "LF4532",
            f"The slot {promotion.project}/{promotion.environment} moved in between: {why}.",
            hint="lockflight status",
        )
    return Moved(promotion, receipt.envelope, receipt.index, judgement)


def status(
    home: Path, realm_name: str, *, project: str = "", as_of: int | None = None
) -> tuple[RealmView, list[SlotStatus]]:
    """What every slot holds, folded from the verified log.

    Raises:
        NotFound: LF4510 no such realm, LF4543 no such project.
        VerificationFailed: the log is not what it must be.
    """
    view = view_at(home, realm_name, as_of)
    if project:
        _slot(view, project, view.state.trust.environments[0])
    order = {name: i for i, name in enumerate(view.state.trust.environments)}
    rows = []
    for (owner, environment, name), slot in view.state.slots.items():
        if (project and owner != project) or slot.current is None:
            continue
        hit = view.state.revocation_of(slot.current.release)
        rows.append(
            SlotStatus(
                project=owner,
                environment=environment,
                slot=name,
                release=slot.current.release,
                version=slot.current.version,
                since=slot.since,
                requester=view.name_of(slot.current.requester),
                approvals=tuple(_approver(view, digest) for digest in slot.current.approvals),
                revoked=hit[0].reason if hit is not None else "",
            )
        )
    return view, sorted(rows, key=lambda r: (r.project, order[r.environment], r.slot))


def _approver(view: RealmView, digest: str) -> str:
    record = view.state.by_digest.get(digest)
    return (
        view.name_of(record.key.principal) if record is not None and record.key is not None else digest[:16]
    )
