"""Admission: may this allowed release move now? The only guard of a promotion. Pure.

The decision judges evidence and never sees approvals; the admission judges people: roles, quorum, separation of
duties, expiry, order of environments, freezes, revocation. It counts humans, never keys, accounts or names.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from lockflight.core.acts import Approval, Registration
from lockflight.core.authors import authors, biased
from lockflight.core.changes import DAY, Waiver, WaiverKind
from lockflight.core.quorum import filled, needed, open_seats, spell
from lockflight.core.state import Record
from lockflight.core.times import rfc3339, unix
from lockflight.core.trust import FACTORS, Duty, Environment, Mode, RealmKind
from lockflight.core.words import PERSONAL_ENVIRONMENTS

if TYPE_CHECKING:
    from lockflight.core.state import State
    from lockflight.core.trust import RealmKey

#: How long an author's own approval has to lie before it counts, where the realm allows it at all, in seconds.
COOL_OFF_S = DAY
#: Roles whose denial holds.
DENIERS = frozenset({"approver", "risk-owner"})


@dataclass(frozen=True, slots=True)
class Obstacle:
    """One reason why a promotion cannot happen now, and what would remove it."""

    code: str
    message: str
    fix: str


@dataclass(frozen=True, slots=True)
class Admission:
    """Whether a promotion may happen.

    Attributes:
        admitted: no obstacle.
        obstacles: what people still have to do.
        approvals: envelope digests of the approvals that fill the quorum.
        needed: how many approvals the environment needs.
        separation: see `separation`.
        counted: envelope digests of all approvals that count.
        ignored: envelope digest to why an approval for this basis does not count.
    """

    admitted: bool
    obstacles: tuple[Obstacle, ...]
    approvals: tuple[str, ...]
    needed: int
    separation: str
    counted: tuple[str, ...] = ()
    ignored: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class _Asked:
    """The question, as `admit` got it."""

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


def separation(state: State, environment: str) -> str:
    """How duties are separated there: `none` (one person), `simulated`, `degraded` (small team) or `people`."""
    if state.alone:
        return "none"
    if state.trust.kind is RealmKind.SIMULATOR:
        return "simulated"
    step = state.environment(environment)
    return "degraded" if step is not None and step.mode is Mode.SMALL_TEAM else "people"


def admit(  # noqa: PLR0913 - the contract of DESIGN §2 names each of these inputs
    *,
    state: State,
    release: str,
    name: str,
    version: str,
    environment: str,
    allowed: bool,
    basis: str,
    requester: str,
    now: int,
    project: str = "",
    waivers: tuple[str, ...] = (),
    break_glass: str = "",
    named: frozenset[str] | None = None,
    exposing: bool = False,
) -> Admission:
    """Judge a promotion.

    Args:
        state: the fold, read in the same transaction that will write the promotion.
        release: digest of what wants to move.
        name: its name.
        version: its version.
        environment: where to.
        allowed: the decision's verdict, evaluated now.
        basis: the decision's basis; approvals for any other basis are void.
        requester: pseudonym of who asks, who counts as an author; empty for "whoever it will be".
        now: Unix seconds.
        project: whose slots; the release's name by default.
        waivers: envelope digests of the waivers that the decision uses.
        break_glass: envelope digest of a break-glass that stands for the quorum.
        named: the approvals that the promotion names; None for all that there are.
        exposing: a candidate gets more; the approvals that let it in count again.
    """
    asked = _Asked(
        state,
        release,
        name,
        environment,
        basis,
        requester,
        now,
        project or name,
        waivers,
        break_glass,
        named,
        exposing,
    )
    obstacles: list[Obstacle] = []
    step = state.environment(environment)
    _order(asked, step, obstacles)
    if not allowed:
        obstacles.append(
            Obstacle(
                "LF4501",
                f"The gate denies {name} for {environment}.",
                f"lockflight check DIR --env {environment}",
            )
        )
    if not any(r.signer not in state.revoked_keys for r in state.registrations.get(release, [])):
        obstacles.append(
            Obstacle(
                "LF4502",
                f"{name} {version} is not signed and registered in this realm.",
                "lockflight sign DIR --out PACKAGE",
            )
        )
    hit = state.revocation_of(release)
    if hit is not None:
        obstacles.append(
            Obstacle("LF4503", f"The release was revoked: {hit[0].reason}.", "Promote another release.")
        )
    owner = state.owner(name, version)
    if owner not in {"", release}:
        obstacles.append(
            Obstacle(
                "LF4504",
                f"{name} {version} already belongs to the release {owner[:16]}.",
                "Raise `version` in lockflight.toml.",
            )
        )
    _stops(asked, obstacles)
    if step is None:
        return Admission(
            admitted=False,
            obstacles=tuple(obstacles),
            approvals=(),
            needed=1,
            separation=separation(state, environment),
        )
    _requester(asked, step, obstacles)
    counted, ignored = _approvals(asked, step, obstacles)
    used = _quorum(asked, step, counted, ignored, obstacles)
    _broken_glass(asked, obstacles)
    return Admission(
        admitted=not obstacles,
        obstacles=tuple(obstacles),
        approvals=used,
        needed=needed(step.quorum),
        separation=separation(state, environment),
        counted=tuple(record.digest for record in counted.values()),
        ignored=tuple(sorted(ignored.items())),
    )


def _order(asked: _Asked, step: Environment | None, obstacles: list[Obstacle]) -> None:
    state = asked.state
    if step is None:
        names = ", ".join(state.environments)
        obstacles.append(
            Obstacle("LF4507", f"The realm has no environment {asked.environment!r}.", f"Use one of {names}.")
        )
        return
    if state.alone and asked.environment not in PERSONAL_ENVIRONMENTS:
        obstacles.append(
            Obstacle(
                "LF4505",
                "A personal realm has one person; its decisions count for development, "
                f"not for {asked.environment}.",
                "lockflight realm init NAME --member you=author --member colleague=approver",
            )
        )
    if step.after and asked.release not in {
        p.release for _, p in state.slot(asked.project, step.after).history
    }:
        obstacles.append(
            Obstacle(
                "LF4508",
                f"The release was never in {step.after}, the step below {asked.environment}.",
                f"lockflight promote PACKAGE --to {step.after}",
            )
        )


def _stops(asked: _Asked, obstacles: list[Obstacle]) -> None:
    """Freezes, and break-glasses that nobody has reviewed yet."""
    state = asked.state
    frozen = state.frozen(asked.project, asked.environment, asked.now)
    if frozen is not None:
        until = f" until {frozen.fact.expires}" if frozen.fact.expires else ""
        obstacles.append(
            Obstacle(
                "LF4546",
                f"{asked.project} in {asked.environment} is frozen{until}.",
                "lockflight freeze --lift, by whoever froze it or by two people",
            )
        )
    for digest, emergency in state.emergencies.items():
        if emergency.project == asked.project and not emergency.closed:
            obstacles.append(
                Obstacle(
                    "LF4547",
                    f"The break-glass {digest[:16]} for {asked.project} was used and waits for its review.",
                    f"lockflight review {digest[:16]} --close, by a person who took no part",
                )
            )


def _requester(asked: _Asked, step: Environment, obstacles: list[Obstacle]) -> None:
    state = asked.state
    if not asked.requester or state.alone or not step.requesters:
        return
    key = state.people().get(asked.requester)
    roles = key.roles if key is not None and not key.expired(asked.now) else ()
    if not set(step.requesters).intersection(roles):
        wanted = " or ".join(step.requesters)
        obstacles.append(
            Obstacle(
                "LF4545",
                f"Moving releases into {step.name} needs the role {wanted}; who asks has {', '.join(roles) or 'none'}.",
                "lockflight realm show lists who has which role",
            )
        )


def _approvals(
    asked: _Asked, step: Environment, obstacles: list[Obstacle]
) -> tuple[dict[str, Record], dict[str, str]]:
    """Human to the approval that counts, and digest to why another one does not; denials become obstacles."""
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
                obstacles.append(
                    Obstacle(
                        "LF4509",
                        f"{principal} denied this release for {asked.environment}.",
                        "Make another release, or ask that person to approve after all.",
                    )
                )
            continue
        if fact.basis != asked.basis or (asked.named is not None and record.digest not in asked.named):
            continue
        why = _why_not(asked, step, record, makers)
        if why:
            ignored[record.digest] = why
        elif key is not None and key.human not in counted:
            counted[key.human] = record
    return counted, ignored


def _broken_glass(asked: _Asked, obstacles: list[Obstacle]) -> None:
    """A break-glass takes violations away only where it is named, since only there anybody reviews it."""
    for digest in asked.waivers:
        found = asked.state.proposals.get(digest)
        fact = found.fact if found is not None else None
        if isinstance(fact, Waiver) and fact.kind is WaiverKind.BREAK_GLASS and digest != asked.break_glass:
            obstacles.append(
                Obstacle(
                    "LF4548",
                    "The decision rests on a break-glass that the promotion does not name.",
                    f"lockflight promote PACKAGE --to {asked.environment} --break-glass {digest[:16]}",
                )
            )


def _why_not(asked: _Asked, step: Environment, record: Record, makers: frozenset[str]) -> str:
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
    if not _roles(asked, record).intersection(seat.role for seat in step.quorum):
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
    """

    why: str
    since: int


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
    asked = _Asked(
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
    late = step.mode is Mode.SMALL_TEAM and key.human in makers
    since = now + COOL_OFF_S if late else now
    return Prospect(_why_not(replace(asked, now=since), step, record, makers), since)


def _let_in(asked: _Asked, digest: str) -> bool:
    candidate = asked.state.slot(asked.project, asked.environment).candidate
    return candidate is not None and candidate.release == asked.release and digest in candidate.approvals


def _roles(asked: _Asked, record: Record) -> frozenset[str]:
    """Roles that count: held when the approval was given, and still."""
    key = record.key
    current = asked.state.people().get(key.principal) if key is not None else None
    if key is None or current is None:
        return frozenset()
    return frozenset(key.roles) & frozenset(current.roles)


def _quorum(
    asked: _Asked,
    step: Environment,
    counted: dict[str, Record],
    ignored: dict[str, str],
    obstacles: list[Obstacle],
) -> tuple[str, ...]:
    """The approvals that fill the seats; an obstacle where seats stay empty."""
    if asked.break_glass:
        why = _broken(asked)
        if why:
            obstacles.append(
                Obstacle("LF4548", f"The break-glass does not stand: {why}.", "lockflight status")
            )
        return ()
    matching = filled(step.quorum, {human: _roles(asked, record) for human, record in counted.items()})
    missing = open_seats(step.quorum, matching)
    if missing and not (asked.state.alone and asked.environment not in PERSONAL_ENVIRONMENTS):
        aside = f" Not counted: {'; '.join(sorted(set(ignored.values())))}." if ignored else ""
        obstacles.append(
            Obstacle(
                "LF4506",
                f"{asked.environment} still needs {spell(missing)} who did not make the release.{aside}",
                f"lockflight approve PACKAGE --env {asked.environment} --as NAME",
            )
        )
    return tuple(sorted(counted[human].digest for human in matching))


def _broken(asked: _Asked) -> str:
    """Why a break-glass does not stand for the quorum; empty when it does."""
    found = asked.state.proposals.get(asked.break_glass)
    fact = found.fact if found is not None else None
    if found is None or not isinstance(fact, Waiver) or fact.kind is not WaiverKind.BREAK_GLASS:
        return "there is none of that digest"
    if not found.consented:
        return "no second person consented"
    if any(keyid in asked.state.revoked_keys for keyid in found.keys):
        return "a key that asked for it or consented was revoked since"
    if fact.scope.digest != asked.release or fact.scope.environment != asked.environment:
        return "it is about something else"
    if not unix(fact.not_before) <= asked.now < unix(fact.expires):
        return f"it holds from {fact.not_before} to {fact.expires}"
    if asked.break_glass in asked.state.emergencies:
        return "it was used before"
    return ""


def describe_approval(record: Record, now: int) -> str:
    """One line about an approval for people."""
    fact = record.fact
    if not isinstance(fact, Approval):
        return record.reason
    state = "expired" if unix(fact.expires) <= now else f"until {fact.expires}"
    return f"{fact.verdict} for {fact.environment}, logged {rfc3339(record.logged_at)}, {state}"


def registration_of(state: State, release: str) -> Registration | None:
    """The registration of a release, or None."""
    for record in state.registrations.get(release, []):
        if isinstance(record.fact, Registration):
            return record.fact
    return None
