"""Waivers as facts: what they cover, where they stand, who asked and who consented. Pure.

Policies match the active ones; all of them are listed in each decision, so that a waiver that expired, waits or is
used by nothing stays in sight.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockflight.core.attest.changes import PROPOSAL_S, Waiver, WaiverKind
from lockflight.core.times import unix

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lockflight.core.canonical import JsonValue
    from lockflight.core.state.state import Proposal, State

#: Standings in which a waiver may still matter to somebody.
STANDINGS = ("active", "pending", "not-yet", "expired", "rejected", "lapsed", "revoked", "used")
#: Waivers that facts name at most; the newest ones.
MAX_WAIVERS = 1_000


def standing(state: State, proposal: Proposal, now: int) -> str:
    """Where a waiver stands at a time in Unix seconds; one of `STANDINGS`."""
    fact = proposal.fact
    if not isinstance(fact, Waiver):
        raise TypeError("not the proposal of a waiver")
    if any(keyid in state.revoked_keys for keyid in proposal.keys):
        return "revoked"
    if proposal.digest in state.emergencies:
        return "used"
    if proposal.decided_at < 0:
        if unix(fact.expires) <= now:
            return "expired"
        return "lapsed" if now > proposal.logged_at + PROPOSAL_S else "pending"
    if not proposal.consented:
        return "rejected"
    if unix(fact.expires) <= now:
        return "expired"
    return "active" if unix(fact.not_before) <= now else "not-yet"


def waiver_facts(
    state: State,
    *,
    contents: Iterable[str],
    project: str,
    environment: str,
    now: int,
    break_glass: str = "",
) -> list[JsonValue]:
    """Every waiver that is about a release, for the facts, oldest first.

    A waiver that its requester alone brought in a personal realm counts there, as everything does.

    Args:
        state: the fold.
        contents: digest of the release and of everything in it.
        project: whose slots.
        environment: where to.
        now: Unix seconds.
        break_glass: the break-glass that the promotion names; no other one takes anything away.
    """
    inside = frozenset(contents)
    rows: list[JsonValue] = []
    for digest, proposal in state.waivers.items():
        fact = proposal.fact
        if not isinstance(fact, Waiver) or not _about(fact, inside, project, environment):
            continue
        if fact.kind is WaiverKind.BREAK_GLASS and digest != break_glass:
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
                "status": standing(state, proposal, now),
                "requester": proposal.proposer,
                "approver": proposal.decided_by if proposal.consented else "",
                "renewals": proposal.depth,
            }
        )
    return rows[-MAX_WAIVERS:]


def _about(fact: Waiver, inside: frozenset[str], project: str, environment: str) -> bool:
    scope = fact.scope
    reaches = scope.digest in inside if scope.digest else scope.project == project
    return reaches and scope.environment in {"", environment}
