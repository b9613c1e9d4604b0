"""Admission: may this allowed release move now? The only guard of a promotion. Pure.

The decision judges evidence and never sees approvals; the admission judges people: quorum, separation of duties,
expiry, order of environments, revocation. It counts principals, never keys or names.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lockflight.core.acts import Approval, Registration
from lockflight.core.times import rfc3339, unix
from lockflight.core.trust import Duty, RealmKind

if TYPE_CHECKING:
    from lockflight.core.state import Record, State


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
        counted: envelope digests of all approvals that count.
        needed: how many approvals the environment needs.
        separation: `none` in a personal realm, else `people`.
    """

    admitted: bool
    obstacles: tuple[Obstacle, ...]
    approvals: tuple[str, ...]
    needed: int
    separation: str
    counted: tuple[str, ...] = ()


def authors(state: State, release: str) -> frozenset[str]:
    """Principals who put the release together; they do not approve it, and nobody is exempt."""
    found = set()
    for record in (*state.signatures.get(release, []), *state.registrations.get(release, [])):
        if record.key is not None:
            found.add(record.key.principal)
    return frozenset(found)


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
        requester: pseudonym of who asks; the requester counts as an author.
        now: Unix seconds.
        project: whose slots; the release's name by default.
    """
    project = project or name
    obstacles: list[Obstacle] = []
    _order(state, release, project, environment, obstacles)
    if not allowed:
        obstacles.append(
            Obstacle(
                "LF4501",
                f"The gate denies {name} for {environment}.",
                f"lockflight check DIR --env {environment}",
            )
        )
    if release not in state.registrations:
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
    step = state.trust.environment(environment)
    needed, roles = (step.approvals, frozenset(step.roles)) if step is not None else (1, frozenset())
    used = _approvals(state, release, environment, basis, requester, roles, now, obstacles)
    personal = state.trust.kind is RealmKind.PERSONAL
    if personal and environment != state.trust.ladder[0].name:
        obstacles.append(
            Obstacle(
                "LF4505",
                f"A personal realm has one person; its decisions count for development, not for {environment}.",
                "lockflight realm init NAME --member you=developer --member colleague=approver",
            )
        )
    elif len(used) < needed:
        who = "an approver who did not make the release"
        obstacles.append(
            Obstacle(
                "LF4506",
                f"{environment} needs {needed} approval{'s' if needed > 1 else ''} by {who}; {len(used)} count.",
                f"lockflight approve PACKAGE --env {environment} --as NAME",
            )
        )
    return Admission(
        admitted=not obstacles,
        obstacles=tuple(obstacles),
        approvals=tuple(used[:needed]),
        needed=needed,
        separation="none" if personal else "people",
        counted=tuple(used),
    )


def _order(state: State, release: str, project: str, environment: str, obstacles: list[Obstacle]) -> None:
    ladder = state.trust.environments
    if environment not in ladder:
        obstacles.append(
            Obstacle(
                "LF4507", f"The realm has no environment {environment!r}.", f"Use one of {', '.join(ladder)}."
            )
        )
        return
    position = ladder.index(environment)
    if position == 0:
        return
    before = ladder[position - 1]
    if release not in {p.release for _, p in state.slot(project, before).history}:
        obstacles.append(
            Obstacle(
                "LF4508",
                f"The release was never in {before}, the step below {environment}.",
                f"lockflight promote PACKAGE --to {before}",
            )
        )


def _approvals(
    state: State,
    release: str,
    environment: str,
    basis: str,
    requester: str,
    roles: frozenset[str],
    now: int,
    obstacles: list[Obstacle],
) -> list[str]:
    not_allowed = authors(state, release) | {requester}
    by_person: dict[str, Record] = {}
    for record in state.approvals.get((release, environment), []):
        fact = record.fact
        if isinstance(fact, Approval) and record.key is not None and fact.basis == basis:
            by_person[record.key.principal] = record
    used: list[str] = []
    people = state.people()
    for principal, record in by_person.items():
        fact = record.fact
        if not isinstance(fact, Approval):
            continue
        if fact.verdict == "deny":
            obstacles.append(
                Obstacle(
                    "LF4509",
                    f"{principal} denied this release for {environment}.",
                    "Change the release; a new basis asks again.",
                )
            )
            continue
        holder = people.get(principal)
        current = holder is not None and roles.intersection(holder.roles) and holder.duty is Duty.PERSON
        if record.signer in state.revoked_keys or record.digest in state.used_approvals:
            continue
        if current and principal not in not_allowed and unix(fact.expires) > now:
            used.append(record.digest)
    return used


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
