"""A release that its environment holds already: since when, and on whose word. Pure.

Each approval lets a release in once. So `admit` says of what is in that its approvals no longer count, which is no
reason for anybody to do anything.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockflight.core.records import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lockflight.core.facts.admit import Obstacle
    from lockflight.core.state.state import State

#: Obstacles that are about a release that is in, too: it was revoked, a person denies it, an emergency is not reviewed.
_ABOUT_WHAT_IS_IN = frozenset({"LF4501", "LF4503", "LF4509", "LF4547"})


@dataclass(frozen=True, slots=True)
class Holding:
    """How an environment holds a release.

    Attributes:
        since: Unix seconds from which it is in.
        exposure: basis points of the traffic.
        approvals: envelope digests of the approvals that its promotion used.
        break_glass: envelope digest of the break-glass that stood for them; empty for none.
    """

    since: int
    exposure: int
    approvals: tuple[str, ...]
    break_glass: str = ""


def holding(state: State, project: str, environment: str, release: str) -> Holding | None:
    """How the environment's slot for the project holds a release; None where it does not.

    Args:
        state: the fold.
        project: whose slot.
        environment: whose slot.
        release: digest of the release.
    """
    slot = state.slot(project, environment)
    exposure = slot.exposures.get(release, 0)
    candidate = slot.candidate is not None and slot.candidate.release == release
    promotion = slot.candidate if candidate else slot.current
    if not exposure or promotion is None:
        return None
    entered = promotion
    if (
        not promotion.decision
    ):  # a rollback needs no approval: those that let the release in say whose word it was
        entered = next(
            (p for _, p in reversed(slot.history) if p.release == release and p.decision), promotion
        )
    return Holding(
        since=slot.entered if candidate else slot.since,
        exposure=exposure,
        approvals=entered.approvals,
        break_glass=entered.break_glass,
    )


def still(obstacles: Iterable[Obstacle], held: Holding | None) -> tuple[Obstacle, ...]:
    """The obstacles that anybody still has to see to: all, but for what is in only those that are about it."""
    return tuple(o for o in obstacles if held is None or o.code in _ABOUT_WHAT_IS_IN)
