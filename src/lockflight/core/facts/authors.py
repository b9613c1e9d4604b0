"""Who made a release: computed from evidence, and never among those who approve it. Pure.

Humans are counted, not accounts: what a machine or a second account did, its owner did.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockflight.core.attest.changes import Adoption, LadderChange
from lockflight.core.facts.factprov import authors_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lockflight.core.state.state import State

#: How long a grant is too fresh to be used for what its proposer or seconder made, in seconds.
FRESH_GRANT_S = 7 * 86_400


def authors(
    state: State, release: str, *, environment: str = "", project: str = "", waivers: Iterable[str] = ()
) -> frozenset[str]:
    """Humans, and their accounts, who do not approve a release for an environment; nobody is exempt.

    They signed or registered it, built it or committed to what it was built from, asked for a waiver that its
    decision uses, or changed the policy or the environments since the slot last moved.

    Args:
        state: the fold.
        release: its digest.
        environment: where to; empty for only those who made the release.
        project: whose slot.
        waivers: envelope digests of the waivers that the decision uses.
    """
    found: set[str] = set()
    for record in (*state.signatures.get(release, []), *state.registrations.get(release, [])):
        if record.key is not None:
            found |= state.selves(record.key)
    for principal in authors_of(state, [release, *state.contents(release)]):
        found |= {principal, state.human(principal)}
    asked = [state.proposals[digest] for digest in waivers if digest in state.proposals]
    if environment:
        entered = state.slot(project, environment).entered
        asked += [
            change
            for change in state.changes
            if change.decided_at >= entered
            and isinstance(change.fact, (Adoption, LadderChange))
            and _concerns(change.fact, environment)
        ]
    for proposal in asked:
        found |= {proposal.proposer, proposal.human, state.human(proposal.proposer)}
    return frozenset(found - {""})


def part_in_waivers(state: State, principal: str, waivers: Iterable[str]) -> dict[str, str]:
    """The part that a human had in waivers: envelope digest to `asked` or `consented`.

    Who asked is an author of every release that needs the waiver. Who consented is none, and yet has spoken before.

    Args:
        state: the fold.
        principal: any account of the human.
        waivers: envelope digests.
    """
    human = state.human(principal)
    found: dict[str, str] = {}
    for digest in waivers:
        proposal = state.proposals.get(digest)
        if proposal is None:
            continue
        if human in {proposal.human, state.human(proposal.proposer)}:
            found[digest] = "asked"
        elif proposal.consented and human == state.human(proposal.decided_by):
            found[digest] = "consented"
    return found


def _concerns(fact: Adoption | LadderChange, environment: str) -> bool:
    return isinstance(fact, LadderChange) or not fact.environments or environment in fact.environments


def biased(state: State, principal: str, makers: frozenset[str], now: int) -> bool:
    """Whether somebody who made the release gave this person their grant only lately.

    Args:
        state: the fold.
        principal: who would approve.
        makers: the authors.
        now: Unix seconds.
    """
    origin = state.grant_origins.get(principal)
    if origin is None or now - origin.logged_at > FRESH_GRANT_S:
        return False
    return bool({origin.proposer, origin.seconder} & makers)
