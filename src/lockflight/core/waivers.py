"""Waivers as facts: what they cover, where they stand, who asked and who consented. Pure.

Policies match the active ones; all of them are listed in each decision, so that a waiver that expired, waits or is
used by nothing stays in sight.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockflight.core.changes import PROPOSAL_S, Waiver
from lockflight.core.times import unix

if TYPE_CHECKING:
    from lockflight.core.canonical import JsonValue
    from lockflight.core.state import Proposal, State

#: Standings in which a waiver may still matter to somebody.
STANDINGS = ("active", "pending", "not-yet", "expired", "rejected", "lapsed")


def standing(proposal: Proposal, now: int) -> str:
    """Where a waiver stands at a time in Unix seconds; one of `STANDINGS`."""
    fact = proposal.fact
    if not isinstance(fact, Waiver):
        raise TypeError("not the proposal of a waiver")
    if proposal.decided_at < 0:
        if unix(fact.expires) <= now:
            return "expired"
        return "lapsed" if now > proposal.logged_at + PROPOSAL_S else "pending"
    if not proposal.consented:
        return "rejected"
    if unix(fact.expires) <= now:
        return "expired"
    return "active" if unix(fact.not_before) <= now else "not-yet"


def renewals(state: State, digest: str) -> int:
    """How many waivers this one follows."""
    count = 0
    seen = {digest}
    found = state.proposals.get(digest)
    while found is not None and isinstance(found.fact, Waiver) and found.fact.renews not in seen | {""}:
        count += 1
        seen.add(found.fact.renews)
        found = state.proposals.get(found.fact.renews)
    return count


def waiver_facts(state: State, now: int) -> list[JsonValue]:
    """Every waiver of the realm for the facts, oldest first.

    A waiver that its requester alone brought in a personal realm counts there, as everything does.
    """
    rows: list[JsonValue] = []
    for digest, proposal in state.waivers.items():
        fact = proposal.fact
        if not isinstance(fact, Waiver):
            continue
        rows.append(
            {
                "digest": digest,
                "kind": fact.kind.value,
                "rule": fact.rule,
                "term": fact.term,
                "scope": fact.scope.to_json(),
                "name": fact.name,
                "ticket": fact.ticket,
                "not_before": fact.not_before,
                "expires": fact.expires,
                "status": standing(proposal, now),
                "requester": proposal.proposer,
                "approver": proposal.decided_by if proposal.consented else "",
                "renewals": renewals(state, digest),
            }
        )
    return rows
