"""Admission: may this allowed release move now? The only guard of a promotion. Pure.

The decision judges evidence and never sees approvals; the admission judges people: roles, quorum, separation of
duties, expiry, order of environments, freezes, revocation. It counts humans, never keys, accounts or names.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockflight.core.attest.acts import Registration
from lockflight.core.attest.changes import Waiver, WaiverKind
from lockflight.core.attest.quorum import filled, needed, open_seats, spell
from lockflight.core.attest.trust import Environment, Mode, RealmKind
from lockflight.core.facts.approvals import Asked, Counted, count, standing_roles
from lockflight.core.records import dataclass
from lockflight.core.times import exact, unix
from lockflight.core.words import PERSONAL_ENVIRONMENTS

if TYPE_CHECKING:
    from lockflight.core.state.state import State


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
        step_up_s: how old the proof of presence of an approval may be, seconds; 0 where none is demanded.
        open: role to how many of its seats are empty.
        heard: each human whose approval counts, and the roles by which it does.
    """

    admitted: bool
    obstacles: tuple[Obstacle, ...]
    approvals: tuple[str, ...]
    needed: int
    separation: str
    counted: tuple[str, ...] = ()
    ignored: tuple[tuple[str, str], ...] = ()
    step_up_s: int = 0
    open: tuple[tuple[str, int], ...] = ()
    heard: tuple[tuple[str, tuple[str, ...]], ...] = ()


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
    asked = Asked(
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
    said = count(asked, step)
    obstacles += [
        Obstacle(
            "LF4509",
            f"{principal} denied this release for {environment}.",
            "Make another release, or ask that person to approve after all.",
        )
        for principal in said.denied
    ]
    used, missing = _quorum(asked, step, said, obstacles)
    _broken_glass(asked, obstacles)
    return Admission(
        admitted=not obstacles,
        obstacles=tuple(obstacles),
        approvals=used,
        needed=needed(step.quorum),
        separation=separation(state, environment),
        counted=tuple(record.digest for record in said.counted.values()),
        ignored=tuple(sorted(said.ignored.items())),
        step_up_s=step.step_up_s,
        open=tuple(missing.items()),
        heard=tuple(
            (human, tuple(sorted(standing_roles(asked, record))))
            for human, record in sorted(said.counted.items())
        ),
    )


def _order(asked: Asked, step: Environment | None, obstacles: list[Obstacle]) -> None:
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


def _stops(asked: Asked, obstacles: list[Obstacle]) -> None:
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


def _requester(asked: Asked, step: Environment, obstacles: list[Obstacle]) -> None:
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


def _broken_glass(asked: Asked, obstacles: list[Obstacle]) -> None:
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


def _quorum(
    asked: Asked, step: Environment, said: Counted, obstacles: list[Obstacle]
) -> tuple[tuple[str, ...], dict[str, int]]:
    """The approvals that fill the seats, and role to how many seats stay empty; an obstacle where any does."""
    if asked.break_glass:
        why = _broken(asked)
        if why:
            obstacles.append(
                Obstacle("LF4548", f"The break-glass does not stand: {why}.", "lockflight status")
            )
        return (), {}
    matching = filled(
        step.quorum, {human: standing_roles(asked, record) for human, record in said.counted.items()}
    )
    missing = open_seats(step.quorum, matching)
    if missing and not (asked.state.alone and asked.environment not in PERSONAL_ENVIRONMENTS):
        aside = f" Not counted: {'; '.join(sorted(set(said.ignored.values())))}." if said.ignored else ""
        presence = within = ""
        if step.step_up_s:
            presence = " --totp CODE"
            within = f", with a proof of presence within {exact(step.step_up_s)} before"
        whose = (
            "; an author's own counts after a day"
            if step.mode is Mode.SMALL_TEAM
            else " who did not make the release"
        )
        again = f"lockflight approve PACKAGE --env {asked.environment}{presence} --as NAME"
        if said.absent:
            obstacles.append(
                Obstacle(
                    "LF4513",
                    f"The approval of {' and '.join(said.absent)} for {asked.environment} does not count: its giver "
                    f"did not prove to be there within {exact(step.step_up_s)} before it.",
                    again,
                )
            )
        obstacles.append(
            Obstacle(
                "LF4506",
                f"{asked.environment} still needs {spell(missing)}{whose}{within}.{aside}",
                again,
            )
        )
    return tuple(sorted(said.counted[human].digest for human in matching)), missing


def _broken(asked: Asked) -> str:
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


def registration_of(state: State, release: str) -> Registration | None:
    """The registration of a release, or None."""
    for record in state.registrations.get(release, []):
        if isinstance(record.fact, Registration):
            return record.fact
    return None
