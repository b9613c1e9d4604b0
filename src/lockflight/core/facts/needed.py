"""Who could still fill the seats of a quorum that are empty. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockflight.core.attest.quorum import filled, open_seats
from lockflight.core.facts.approvals import prospect

if TYPE_CHECKING:
    from lockflight.core.attest.acts import Approval
    from lockflight.core.attest.trust import Environment
    from lockflight.core.facts.admit import Admission
    from lockflight.core.state.state import State


def still_needed(
    state: State,
    step: Environment,
    admission: Admission,
    *,
    asked: Approval,
    now: int,
    project: str,
    waivers: tuple[str, ...],
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Who could approve so that one more seat is filled, and what nobody of the realm can be.

    Args:
        state: the fold.
        step: the environment.
        admission: what `admit` said; whose approval counts has had their say.
        asked: the approval that each of them would give, with factor and proof as the environment wants them.
        now: Unix seconds.
        project: whose slots.
        waivers: envelope digests of the waivers that the decision uses.

    Returns:
        Pseudonyms, one for each human; and a role for each seat that stays empty even if all of them approved.
    """
    heard = {human: frozenset(roles) for human, roles in admission.heard}
    full = len(filled(step.quorum, heard))
    able: dict[str, str] = {}
    said = dict(heard)
    for principal, key in sorted(state.people().items()):
        if key.human in heard or key.expired(now):
            continue
        found = prospect(state=state, approval=asked, key=key, now=now, project=project, waivers=waivers)
        # Roles that are worth nothing here, or only where a seat is taken already, do not help.
        roles = frozenset(key.roles)
        if not found.why and len(filled(step.quorum, heard | {key.human: roles})) > full:
            able.setdefault(key.human, principal)
            said[key.human] = said.get(key.human, frozenset()) | roles
    left = open_seats(step.quorum, filled(step.quorum, said))
    return tuple(able.values()), tuple(role for role, count in left.items() for _ in range(count))
