"""What is where: slots with candidates and exposures, freezes, break-glasses, and what waits for a second person.

All of it is folded from the verified log; nothing else is asked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockflight.app.identity.proposals import voided, waiting
from lockflight.app.realm.asof import view_at
from lockflight.app.realm.view import need_project
from lockflight.app.registry.freeze import Frozen, frozen
from lockflight.core.gate.vsa import StoredDecision
from lockflight.core.records import dataclass

if TYPE_CHECKING:
    from pathlib import Path

    from lockflight.app.realm.view import RealmView
    from lockflight.core.attest.acts import Promotion
    from lockflight.core.gate.gate import Decision
    from lockflight.core.state.state import Proposal, Record, Slot, State


#: Rules about moving, not about what is there: a freeze does not make a deployed release worse.
ABOUT_MOVING = frozenset({"LF4109"})


@dataclass(frozen=True, slots=True)
class Held:
    """A release in a slot.

    Attributes:
        release, version: which.
        exposure: basis points of the traffic.
        candidate: whether it shares the slot with a current release that may be kept instead.
        since: Unix seconds of the promotion that brought it, or changed its part.
        requester: who asked.
        approvals: who approved.
        revoked: why it, or something in it, was taken back; empty if it was not.
        denied: envelope digest of the newest decision, where that denies it now: the release is at risk.
        rules: codes of the rules that denied, without those about moving.
    """

    release: str
    version: str
    exposure: int
    candidate: bool
    since: int
    requester: str
    approvals: tuple[str, ...]
    revoked: str
    denied: str
    rules: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SlotStatus:
    """What one slot holds: its current release, then its candidate."""

    project: str
    environment: str
    slot: str
    held: tuple[Held, ...]


@dataclass(frozen=True, slots=True)
class OpenEmergency:
    """A break-glass that was used and waits for its review."""

    digest: str
    project: str
    release: str
    asked_by: str


@dataclass(frozen=True, slots=True)
class Status:
    """A realm at one time.

    Attributes:
        view: the realm.
        slots: what is held, by project, environment and slot.
        frozen: freezes that stand.
        emergencies: break-glasses without their review.
        waiting: proposals without a second person.
        void: proposals that nobody can consent to any more, with the reason.
    """

    view: RealmView
    slots: tuple[SlotStatus, ...]
    frozen: tuple[Frozen, ...]
    emergencies: tuple[OpenEmergency, ...]
    waiting: tuple[Proposal, ...]
    void: tuple[tuple[Proposal, str], ...]


def status(home: Path, realm_name: str, *, project: str = "", as_of: int | None = None, now: int) -> Status:
    """What every slot holds, and what stops or waits.

    Args:
        home: folder of realms.
        realm_name: the realm.
        project: only this one; empty for all.
        as_of: Unix seconds of an earlier time; None for now.
        now: Unix seconds.

    Raises:
        NotFound: LF4510 no such realm, LF4543 no such project.
        VerificationFailed: the log is not what it must be.
    """
    view = view_at(home, realm_name, as_of)
    state = view.state
    if project:
        need_project(state, project)
    order = {name: i for i, name in enumerate(state.environments)}
    slots = [
        _slot(view, slot)
        for slot in state.slots.values()
        if slot.current is not None and project in {"", slot.project}
    ]
    return Status(
        view=view,
        slots=tuple(sorted(slots, key=lambda s: (s.project, order[s.environment], s.slot))),
        frozen=tuple(f for f in frozen(view, now) if not project or f.project in {"", project}),
        emergencies=tuple(e for e in _emergencies(view) if project in {"", e.project}),
        waiting=tuple(waiting(state, now)),
        void=tuple(voided(state, now)),
    )


def _slot(view: RealmView, slot: Slot) -> SlotStatus:
    held = []
    exposures = slot.exposures
    if slot.current is not None:
        held.append(_held(view, slot.current, exposures[slot.current.release], slot.since))
    if slot.candidate is not None:
        candidate = slot.candidate
        held.append(_held(view, candidate, exposures[candidate.release], slot.moved, candidate=True))
    return SlotStatus(slot.project, slot.environment, slot.name, tuple(held))


def _held(view: RealmView, fact: Promotion, exposure: int, since: int, *, candidate: bool = False) -> Held:
    state = view.state
    hit = state.revocation_of(fact.release)
    record, said = newest_decision(state, fact.release, fact.environment)
    rules = speaking(said) if said is not None else ()
    return Held(
        release=fact.release,
        version=fact.version,
        exposure=exposure,
        candidate=candidate,
        since=since,
        requester=view.name_of(fact.requester),
        approvals=tuple(_approver(view, digest) for digest in fact.approvals),
        revoked=hit[0].reason if hit is not None else "",
        denied=record.digest if record is not None and rules else "",
        rules=rules,
    )


def speaking(said: Decision | StoredDecision) -> tuple[str, ...]:
    """Codes of the rules by which a decision speaks against what is deployed."""
    return tuple(sorted({v.code for v in said.violations} - ABOUT_MOVING))


def newest_decision(
    state: State, release: str, environment: str
) -> tuple[Record | None, StoredDecision | None]:
    """The newest decision about a release for an environment, with its entry."""
    found = state.decisions.get((release, environment), [])
    record = found[-1] if found else None
    said = record.fact if record is not None else None
    return record, said if isinstance(said, StoredDecision) else None


def _emergencies(view: RealmView) -> list[OpenEmergency]:
    state = view.state
    return [
        OpenEmergency(digest, each.project, each.release, view.name_of(state.proposals[digest].proposer))
        for digest, each in state.emergencies.items()
        if not each.closed
    ]


def _approver(view: RealmView, digest: str) -> str:
    record = view.state.by_digest.get(digest)
    return (
        view.name_of(record.key.principal) if record is not None and record.key is not None else digest[:16]
    )
