"""Which releases wait for their next environment, for whom, and why.

Cheap: nothing is judged here. What the gate said is read from the newest decision in the log, and admission is asked
about the people.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockflight.core.attest.acts import Approval, Registration
from lockflight.core.facts.admit import Obstacle, admit
from lockflight.core.facts.approvals import COOL_OFF_S
from lockflight.core.facts.needed import still_needed
from lockflight.core.gate.vsa import StoredDecision
from lockflight.core.records import dataclass
from lockflight.core.times import rfc3339
from lockflight.core.words import INTAKE

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from lockflight.app.realm.view import RealmView
    from lockflight.core.attest.trust import Environment
    from lockflight.core.state.state import Record, State

#: Obstacles that are answered by the newest decision instead, or by an approval of certain people.
_GATE_DENIES, _NEEDS_APPROVAL = "LF4501", "LF4506"
#: Failed rules that are named; the decision names all.
_MOST_RULES = 5
_MAKERS = "who makes the release"


@dataclass(frozen=True, slots=True)
class WaitingRelease:
    """A release that is not in its next environment.

    Attributes:
        project, name, version, release: what waits; `release` is its digest.
        holds: the environment that it is in; empty for none.
        environment: where it would go next.
        decision: index of the newest decision about that in the log; -1 for none.
        allowed: what that decision says.
        reasons: why it waits; empty when it may move.
        whom: names of people or of roles who can do something about it.
    """

    project: str
    name: str
    version: str
    release: str
    holds: str
    environment: str
    decision: int
    allowed: bool
    reasons: tuple[Obstacle, ...]
    whom: tuple[str, ...]


def releases(view: RealmView, now: int, project: str = "") -> list[WaitingRelease]:
    """Every release that could be in one more environment, in order of project and environment.

    Args:
        view: the realm.
        now: Unix seconds.
        project: only this one; empty for all.
    """
    state = view.state
    found = []
    for name, newest in sorted(_newest(state).items()):
        if project not in {"", name}:
            continue
        for step in state.ladder:
            if step.name == INTAKE:
                continue
            for release, registered, holds in _candidates(state, name, newest, step):
                found.append(_wait(view, name, release, registered, holds, step, now))
    return found


def _newest(state: State) -> dict[str, Record]:
    """Project to its newest registration that is not revoked."""
    found: dict[str, Record] = {}
    for records in state.registrations.values():
        for record in records:
            fact = record.fact
            if not isinstance(fact, Registration) or state.revocation_of(fact.release) is not None:
                continue
            held = found.get(fact.name)
            if held is None or held.index < record.index:
                found[fact.name] = record
    return found


def _candidates(
    state: State, project: str, newest: Record, step: Environment
) -> Iterable[tuple[str, Registration, str]]:
    """Digest, registration and present environment of what could go to `step` next."""
    slot = state.slot(project, step.name)
    had = {p.release for _, p in slot.history}
    had |= {slot.candidate.release} if slot.candidate is not None else set()
    if step.after:
        before = state.slot(project, step.after).current
        wanted = "" if before is None else before.release
    else:
        wanted = newest.fact.release if isinstance(newest.fact, Registration) else ""
    record = next(iter(state.registrations.get(wanted, [])), None)
    if record is None or wanted in had or not isinstance(record.fact, Registration):
        return
    if state.revocation_of(wanted) is not None:
        return  # it goes nowhere any more
    if slot.current is not None and _registered(state, slot.current.release) > record.index:
        return  # what came later is there already
    yield wanted, record.fact, step.after


def _registered(state: State, release: str) -> int:
    return max((record.index for record in state.registrations.get(release, [])), default=-1)


def _wait(
    view: RealmView, project: str, release: str, said: Registration, holds: str, step: Environment, now: int
) -> WaitingRelease:
    state = view.state
    record = next(
        (
            r
            for r in reversed(state.decisions.get((release, step.name), []))
            if isinstance(r.fact, StoredDecision)
        ),
        None,
    )
    decision = record.fact if record is not None and isinstance(record.fact, StoredDecision) else None
    waivers = tuple(w.waiver for w in decision.waived) if decision is not None else ()
    admission = admit(
        state=state,
        release=release,
        name=said.name,
        version=said.version,
        environment=step.name,
        allowed=decision is not None and decision.allow,
        basis=decision.basis if decision is not None else "",
        requester="",
        now=now,
        project=project,
        waivers=waivers,
    )
    gate = _gate(decision, record, step.name)
    people = [o for o in admission.obstacles if o.code != _GATE_DENIES]
    whom: list[str] = [_MAKERS] if gate else []
    if any(o.code == _NEEDS_APPROVAL for o in people):
        asked = Approval(
            release=release,
            name=said.name,
            environment=step.name,
            basis=decision.basis if decision is not None else "",
            verdict="approve",
            nonce="",
            expires=rfc3339(now + 2 * COOL_OFF_S),
            factor=step.factor,
            proved=rfc3339(now),
        )
        able, new = still_needed(
            state, step, admission, asked=asked, now=now, project=project, waivers=waivers
        )
        whom += sorted(view.name_of(principal) for principal in able)
        whom += [f"a new {role} who did not make the release" for role in new]
    if not gate and not people:
        whom = _holders(view, step.requesters) if step.requesters else ["anybody"]
    return WaitingRelease(
        project=project,
        name=said.name,
        version=said.version,
        release=release,
        holds=holds,
        environment=step.name,
        decision=record.index if record is not None else -1,
        allowed=decision is not None and decision.allow,
        reasons=(*gate, *people),
        whom=tuple(whom),
    )


def _gate(decision: StoredDecision | None, record: Record | None, environment: str) -> tuple[Obstacle, ...]:
    """What the newest decision holds against it."""
    again = f"lockflight check DIR --env {environment} --record"
    if decision is None or record is None:
        return (Obstacle(_GATE_DENIES, f"The gate was not asked about {environment} yet.", again),)
    if decision.allow:
        return ()
    codes = sorted({v.code for v in decision.violations})
    more = f" and {len(codes) - _MOST_RULES} more" if len(codes) > _MOST_RULES else ""
    return (
        Obstacle(
            _GATE_DENIES,
            f"The gate denied it: {', '.join(codes[:_MOST_RULES])}{more}.",
            f"lockflight policy explain {record.index}",
        ),
    )


def _holders(view: RealmView, roles: Sequence[str]) -> list[str]:
    """Names of people with one of the roles; the roles where there is nobody."""
    people = {
        key.human: view.name_of(principal)
        for principal, key in view.state.people().items()
        if set(roles).intersection(key.roles)
    }
    return sorted(people.values()) or [f"a new {role}" for role in roles]
