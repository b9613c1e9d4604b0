"""Which approvals count for a question, why others do not, and what would become of one. Pure.

An approval counts by its human, never by key or account: who made the release or what judges it does not approve it,
roles are held then and now, and each approval is used once.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from lockflight.core.attest.acts import Approval
from lockflight.core.attest.changes import DAY
from lockflight.core.attest.trust import FACTORS, Duty, Mode
from lockflight.core.facts.authors import authors, biased
from lockflight.core.records import dataclass
from lockflight.core.state.state import Record
from lockflight.core.times import exact, rfc3339, unix

if TYPE_CHECKING:
    from lockflight.core.attest.trust import Environment, RealmKey
    from lockflight.core.state.state import State

#: How long an author's own approval has to lie before it counts, where the realm allows it at all, in seconds.
COOL_OFF_S = DAY
#: How far a proof of presence may lie after the time of the log, in seconds: clocks differ.
SKEW_S = 60
#: Roles whose denial holds.
DENIERS = frozenset({"approver", "risk-owner"})


@dataclass(frozen=True, slots=True)
class Asked:
    """The question, as `core.admit` got it."""

    state: State
    release: str
    name: str
    environment: str
    basis: str
    requester: str
    now: int
    project: str
    waivers: tuple[str, ...]
    break_glass: str
    named: frozenset[str] | None
    exposing: bool


@dataclass(frozen=True, slots=True)
class Counted:
    """What people said about a question.

    Attributes:
        counted: human to the approval that counts.
        ignored: envelope digest to why an approval for this basis does not count.
        denied: pseudonyms whose denial holds.
        absent: pseudonyms whose approval lacks only a proof of presence that is fresh enough.
    """

    counted: dict[str, Record]
    ignored: dict[str, str]
    denied: tuple[str, ...]
    absent: tuple[str, ...] = ()


def count(asked: Asked, step: Environment) -> Counted:
    """Go through the newest word of each person about this release and environment."""
    state = asked.state
    makers = authors(
        state,
        asked.release,
        environment=asked.environment,
        project=asked.project,
        waivers=asked.waivers,
    )
    people = state.people()
    requester = people.get(asked.requester)
    if requester is not None:
        makers |= state.selves(requester)
    newest: dict[str, Record] = {}
    for record in state.approvals.get((asked.release, asked.environment), []):
        if record.key is not None:
            newest[record.key.principal] = record
    counted: dict[str, Record] = {}
    ignored: dict[str, str] = {}
    denied: list[str] = []
    absent: list[str] = []
    for principal, record in newest.items():
        fact = record.fact
        key = people.get(principal)
        if not isinstance(fact, Approval) or record.key is None:
            continue
        if fact.verdict == "deny":
            # It holds whatever is decided later, until who denied says otherwise or two people took their grant
            # away: whoever revokes a colleague's key does not take back that colleague's no.
            still = DENIERS.intersection(key.roles) if key is not None else principal not in state.withdrawn
            if DENIERS.intersection(record.key.roles) and still:
                denied.append(principal)
            continue
        if fact.basis != asked.basis or (asked.named is not None and record.digest not in asked.named):
            continue
        why = _why_not(asked, step, record, makers)
        late = "" if why else unproved(step, fact, record.logged_at)
        if why or late:
            ignored[record.digest] = why or late
            absent += [principal] if late else []
        elif key is not None and key.human not in counted:
            counted[key.human] = record
    return Counted(counted, ignored, tuple(denied), tuple(absent))


def unproved(step: Environment, fact: Approval, logged_at: int) -> str:
    """Why an approval does not show that its giver was there shortly before it was logged; empty when it does.

    Args:
        step: the environment, which may demand that.
        fact: the approval; its `proved` is its signer's own word.
        logged_at: Unix seconds.
    """
    if not step.step_up_s:
        return ""
    within = f"{step.name} asks for a proof of presence within {exact(step.step_up_s)} before the approval"
    if not fact.proved:
        return (
            f"{within}, and a bare key shows none"
            if fact.factor == FACTORS[0]
            else f"{within}, and it shows none"
        )
    old = logged_at - unix(fact.proved)
    if old < -SKEW_S:
        return f"{within}, and that of this one lies after it"
    return f"{within}, and that of this one was {exact(old)} old" if old > step.step_up_s else ""


def _why_not(asked: Asked, step: Environment, record: Record, makers: frozenset[str]) -> str:
    """Why an approval for this basis does not count; empty when it does."""
    state, fact, then = asked.state, record.fact, record.key
    if not isinstance(fact, Approval) or then is None:
        return "it does not read"
    now_key = state.people().get(then.principal)
    if now_key is None or now_key.expired(asked.now) or record.signer != now_key.keyid:
        return "who gave it holds no grant any more, or another key by now"
    if now_key.duty is not Duty.PERSON:
        return "a machine gave it"
    if unix(fact.expires) <= asked.now:
        return f"it expired at {fact.expires}"
    if record.digest in state.used_approvals and not (asked.exposing and _let_in(asked, record.digest)):
        return "it was used before"
    if FACTORS.index(fact.factor) < FACTORS.index(step.factor):
        return f"{step.name} asks for the factor {step.factor}, and it was given with {fact.factor}"
    if now_key.human in makers and step.mode is not Mode.SMALL_TEAM:
        return "who gave it is an author of the release or of what judges it"
    if not standing_roles(asked, record).intersection(seat.role for seat in step.quorum):
        wanted = " or ".join(seat.role for seat in step.quorum) or "nobody"
        return f"who gave it does not hold a role of the quorum ({wanted}), then and now"
    if (state.selves(then) | state.selves(now_key)) & makers:
        if asked.now < record.logged_at + COOL_OFF_S:
            return f"an author gave it; it counts from {rfc3339(record.logged_at + COOL_OFF_S)} on"
    elif biased(state, then.principal, makers, asked.now):
        return "an author gave this person the role only lately"
    return ""


@dataclass(frozen=True, slots=True)
class Prospect:
    """What would become of an approval.

    Attributes:
        why: why it would not count; empty when it would.
        since: Unix seconds from which it counts; later than now where an author may approve after a while.
        absent: only a proof of presence that is fresh enough is missing.
    """

    why: str
    since: int
    absent: bool = False


def prospect(
    *,
    state: State,
    approval: Approval,
    key: RealmKey,
    now: int,
    project: str = "",
    waivers: tuple[str, ...] = (),
) -> Prospect:
    """Whether an approval would count if it were logged now.

    Args:
        state: the fold.
        approval: what would be signed.
        key: the person's, as the realm knows it.
        now: Unix seconds.
        project: whose slots; the release's name by default.
        waivers: envelope digests of the waivers that the decision uses.
    """
    step = state.environment(approval.environment)
    if step is None:
        return Prospect(f"the realm has no environment {approval.environment!r}", now)
    asked = Asked(
        state=state,
        release=approval.release,
        name=approval.name,
        environment=approval.environment,
        basis=approval.basis,
        requester="",
        now=now,
        project=project or approval.name,
        waivers=waivers,
        break_glass="",
        named=None,
        exposing=False,
    )
    makers = authors(
        state,
        asked.release,
        environment=asked.environment,
        project=asked.project,
        waivers=waivers,
    )
    record = Record(-1, "", now, signer=key.keyid, key=key, fact=approval)
    waits = step.mode is Mode.SMALL_TEAM and key.human in makers
    since = now + COOL_OFF_S if waits else now
    why = _why_not(replace(asked, now=since), step, record, makers)
    late = "" if why else unproved(step, approval, now)
    return Prospect(why or late, since, absent=bool(late))


def _let_in(asked: Asked, digest: str) -> bool:
    candidate = asked.state.slot(asked.project, asked.environment).candidate
    return candidate is not None and candidate.release == asked.release and digest in candidate.approvals


def standing_roles(asked: Asked, record: Record) -> frozenset[str]:
    """Roles that count: held when the approval was given, and still."""
    key = record.key
    current = asked.state.people().get(key.principal) if key is not None else None
    if key is None or current is None:
        return frozenset()
    return frozenset(key.roles) & frozenset(current.roles)
