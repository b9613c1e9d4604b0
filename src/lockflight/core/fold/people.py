"""What people change in a realm, and the second person without whom a change is only a proposal."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from lockflight.core.attest.changes import (
    PROPOSAL_S,
    Adoption,
    Freeze,
    LadderChange,
    Review,
    Verdict,
    Waiver,
    WaiverKind,
    parse_adoption,
    parse_freeze,
    parse_ladder_change,
    parse_review,
    parse_waiver,
)
from lockflight.core.attest.trust import Duty, Grant, parse_grant
from lockflight.core.fold.item import Ineffective, Item, may, own
from lockflight.core.state.issuers import TrustedIssuer, parse_issuer
from lockflight.core.state.state import ADMINS, REVOKERS, FreezeState, GrantOrigin, Proposal, State
from lockflight.core.times import unix

if TYPE_CHECKING:
    from collections.abc import Callable

    from lockflight.core.attest.trust import RealmKey

#: Roles that may ask for a waiver, and for a break-glass.
ASKERS = frozenset({"author", "builder", "evaluator", "risk-owner", "approver", "releaser", "realm-admin"})
MOVERS = frozenset({"author", "releaser", "approver", "risk-owner"})
_REVIEWERS = frozenset({"auditor", "approver", "risk-owner", "realm-admin"})


def grant(state: State, item: Item) -> Grant:
    """A key gets a duty and roles, or loses them. The first grants are the root's; later ones need two people."""
    fact = parse_grant(item.statement)
    own(state, fact.realm)
    if item.key.duty is Duty.PERSON and not _own_key(state, item.key, fact):
        may(state, item.key, admins(state), "granting")
    check_grant(state, fact)
    if state.alone or (item.key.duty is Duty.ROOT and state.founding):
        give(state, fact, item.digest, GrantOrigin("", "", item.logged_at))
        return fact
    propose(state, item, fact)
    return fact


def _own_key(state: State, key: RealmKey, fact: Grant) -> bool:
    """Whether somebody asks for another key of their own, and for nothing else; then the second person is an admin."""
    held = state.people().get(key.principal)
    return not fact.withdrawn and held is not None and replace(fact.key, der=held.der) == held


def check_grant(state: State, fact: Grant) -> None:
    """Refuse a grant that does not fit the state."""
    principal, keyid = fact.key.principal, fact.key.keyid
    if fact.prev != state.grant_heads.get(principal, ""):
        raise Ineffective("LF7246", f"it does not follow the newest grant of {principal}")
    held = state.keys.get(keyid)
    if held is not None and held.principal != principal:
        raise Ineffective("LF7247", f"the key {keyid[:16]} already belongs to another principal or duty")
    if fact.withdrawn and held is None:
        raise Ineffective("LF7247", f"{principal} does not hold the key {keyid[:16]}")
    if keyid in state.former:
        raise Ineffective("LF7247", f"the key {keyid[:16]} was one of the realm's own")
    if not fact.withdrawn and keyid in state.revoked_keys:
        raise Ineffective("LF7247", f"the key {keyid[:16]} was revoked")
    if not fact.withdrawn and principal in state.revoked_people:
        raise Ineffective("LF7247", f"{principal} was revoked")
    if fact.key.owner and not fact.withdrawn:
        _check_owner(state, fact.key)


def _check_owner(state: State, key: RealmKey) -> None:
    """See that an owner is a human: through a chain of owners one human would pass for several."""
    owner = state.people().get(key.owner)
    if owner is None:
        raise Ineffective("LF7247", f"its owner {key.owner} holds no grant")
    if key.owner == key.principal:
        raise Ineffective("LF7247", f"{key.principal} owns itself")
    if owner.owner:
        raise Ineffective("LF7247", f"its owner {key.owner} is owned by another")
    if any(held.owner == key.principal for held in state.keys.values()):
        raise Ineffective("LF7247", f"{key.principal} owns others, so nobody owns it")


def give(state: State, fact: Grant, digest: str, origin: GrantOrigin) -> None:
    """Carry a grant out."""
    principal = fact.key.principal
    for other in [k for k, v in state.keys.items() if v.principal == principal]:
        del state.keys[other]
    if fact.withdrawn:  # machines go with who answers for them
        for other in [k for k, v in state.keys.items() if v.owner == principal]:
            del state.keys[other]
    if fact.withdrawn:
        state.grant_origins.pop(principal, None)
        state.withdrawn.add(principal)
    else:
        state.keys[fact.key.keyid] = fact.key
        state.withdrawn.discard(principal)
        state.roles_given.update(fact.key.roles)
        state.humans[principal] = fact.key.human
        state.grant_origins[principal] = origin
    state.grant_heads[principal] = digest


def admins(state: State) -> frozenset[str]:
    """Roles that may propose grants, environments and policies: realm admins, or approvers where there are none."""
    return ADMINS if ADMINS & state.roles_given else frozenset({"approver"})


def propose(state: State, item: Item, fact: object) -> None:
    """Keep a change until a second person consents."""
    state.proposals[item.digest] = Proposal(
        digest=item.digest,
        kind=item.statement.short_type,
        index=item.index,
        logged_at=item.logged_at,
        proposer=item.key.principal,
        human=item.key.human,
        fact=fact,
        keys=(item.key.keyid,),
    )


def ladder(state: State, item: Item) -> LadderChange:
    """Environments and their quorums."""
    fact = parse_ladder_change(item.statement)
    own(state, fact.realm)
    may(state, item.key, admins(state), "changing environments")
    _check_ladder(state, fact)
    if state.alone:
        _set_ladder(state, fact, item.digest)
    else:
        propose(state, item, fact)
    return fact


def _check_ladder(state: State, fact: LadderChange) -> None:
    if fact.prev != state.ladder_head:
        raise Ineffective("LF7246", "it does not follow the newest change of the environments")
    gone = {slot.environment for slot in state.slots.values() if slot.current is not None}
    gone -= {step.name for step in fact.ladder}
    if gone:
        raise Ineffective("LF7261", f"it removes {', '.join(sorted(gone))}, which still holds a release")


def _set_ladder(state: State, fact: LadderChange, digest: str) -> None:
    state.ladder = fact.ladder
    state.ladder_head = digest


def policy(state: State, item: Item) -> Adoption:
    """A policy bundle that judges from now on."""
    fact = parse_adoption(item.statement)
    own(state, fact.realm)
    may(state, item.key, admins(state), "adopting a policy")
    _check_policy(state, fact)
    if state.alone:
        _set_policy(state, fact, item.digest)
    else:
        propose(state, item, fact)
    return fact


def _check_policy(state: State, fact: Adoption) -> None:
    if fact.prev != state.policy_head:
        raise Ineffective("LF7246", "it does not follow the newest adoption of a policy")
    unknown = set(fact.environments) - {step.name for step in state.ladder}
    if unknown:
        raise Ineffective("LF7249", f"the realm has no environment {min(unknown)!r}")


def _set_policy(state: State, fact: Adoption, digest: str) -> None:
    state.adoptions.append((fact, digest))
    state.policy_head = digest


def waiver(state: State, item: Item) -> Waiver:
    """Somebody asks to put up with a violation; in a personal realm the asking is the giving."""
    fact = parse_waiver(item.statement)
    own(state, fact.realm)
    may(state, item.key, ASKERS if fact.kind is WaiverKind.WAIVER else MOVERS, f"asking for a {fact.kind}")
    fault = fact.faults(item.logged_at)
    if fault:
        raise Ineffective("LF7262", fault)
    if fact.renews and fact.renews not in state.waivers:
        raise Ineffective("LF7262", "the waiver that it renews is not in the log, or not effective")
    if fact.scope.environment and state.environment(fact.scope.environment) is None:
        raise Ineffective("LF7249", f"the realm has no environment {fact.scope.environment!r}")
    _fresh(state, item, fact.nonce)
    propose(state, item, fact)
    if fact.renews:
        state.proposals[item.digest].depth = state.proposals[fact.renews].depth + 1
    if state.alone:
        state.proposals[item.digest].decide(item.key, item.logged_at, consented=True)
    return fact


def _fresh(state: State, item: Item, nonce: str) -> None:
    mark = (item.statement.short_type, f"{item.key.principal} {nonce}")
    if mark in state.nonces:
        raise Ineffective("LF7263", "its nonce was used before")
    state.nonces.add(mark)


def fresh_nonce(state: State, item: Item, nonce: str) -> None:
    """Refuse a nonce that an earlier statement of the same type used."""
    _fresh(state, item, nonce)


def freeze(state: State, item: Item) -> Freeze:
    """Stop what moves in, alone; let it go again, or sooner, by whoever stopped it or by two people."""
    fact = parse_freeze(item.statement)
    own(state, fact.realm)
    may(state, item.key, REVOKERS, "freezing")
    _check_freeze(state, fact)
    held = state.freezes.get((fact.project, fact.environment))
    human = item.key.human
    if held is not None and held.human != human and not state.alone and held.stands(item.logged_at):
        if fact.lift or _ends_sooner(fact, held.fact):
            propose(state, item, fact)
            return fact
        human = ""  # two people froze now, so neither of them lifts it alone
    _set_freeze(state, fact, item.digest, human)
    return fact


def _ends_sooner(fact: Freeze, held: Freeze) -> bool:
    return bool(fact.expires) and (not held.expires or unix(fact.expires) < unix(held.expires))


def _check_freeze(state: State, fact: Freeze) -> None:
    held = state.freezes.get((fact.project, fact.environment))
    if fact.prev != (held.head if held is not None else ""):
        raise Ineffective("LF7246", "another freeze or its end came first")
    if fact.lift and (held is None or held.fact.lift):
        raise Ineffective("LF7264", "there is no such freeze")
    if fact.environment and state.environment(fact.environment) is None:
        raise Ineffective("LF7249", f"the realm has no environment {fact.environment!r}")


def _set_freeze(state: State, fact: Freeze, digest: str, human: str) -> None:
    state.freezes[fact.project, fact.environment] = FreezeState(fact, digest, human)


def issuer(state: State, item: Item) -> TrustedIssuer:
    """Whose tokens speak for machines, by two people; one alone takes an issuer back, which is an incident."""
    fact = parse_issuer(item.statement)
    own(state, fact.realm)
    may(state, item.key, REVOKERS if fact.removed else admins(state), "trusting an issuer")
    _check_issuer(state, fact)
    if state.alone or fact.removed:
        _set_issuer(state, fact, item.digest)
    else:
        propose(state, item, fact)
    return fact


def _check_issuer(state: State, fact: TrustedIssuer) -> None:
    if fact.prev != state.issuer_heads.get(fact.url, ""):
        raise Ineffective("LF7246", f"it does not follow the newest statement about {fact.url}")
    if fact.removed and fact.url not in state.issuers:
        raise Ineffective("LF7271", f"{fact.url} is not trusted, so there is nothing to take back")
    for rule in fact.rules:
        if state.machine(rule.principal) is None:
            raise Ineffective(
                "LF7271", f"its rule for {rule.principal} names no machine that somebody answers for"
            )


def _set_issuer(state: State, fact: TrustedIssuer, digest: str) -> None:
    if fact.removed:
        del state.issuers[fact.url]
    else:
        state.issuers[fact.url] = fact
    state.issuer_heads[fact.url] = digest


def review(state: State, item: Item) -> Review:
    """A second person's word."""
    fact = parse_review(item.statement)
    own(state, fact.realm)
    if fact.verdict is Verdict.CLOSE:
        _close(state, item, fact)
        return fact
    if item.digest in state.by_digest:
        raise Ineffective("LF7257", "it was logged before, and a word counts when it is said")
    target = state.proposals.get(fact.of)
    if target is None:
        raise Ineffective("LF7265", "what it is about is no proposal")
    taken_back = isinstance(target.fact, Waiver) and target.consented and fact.verdict is Verdict.REJECT
    if target.decided_at >= 0 and not taken_back:
        raise Ineffective("LF7265", f"that {target.kind} was decided before")
    if fact.verdict is Verdict.REJECT:
        if item.key.human != target.human:
            may(state, item.key, _seconders(state, target), "rejecting")
        target.decide(item.key, item.logged_at, consented=False)
        return fact
    if item.logged_at > target.logged_at + PROPOSAL_S:
        raise Ineffective("LF7265", f"that {target.kind} lapsed: nobody consented in time")
    _second(state, item.key, target)
    _carry_out(state, target, item)
    target.decide(item.key, item.logged_at, consented=True)
    return fact


def _seconders(state: State, target: Proposal) -> frozenset[str]:
    if isinstance(target.fact, Waiver) and target.fact.kind is WaiverKind.WAIVER:
        return frozenset({"risk-owner"} if "risk-owner" in state.roles_given else {"approver"})
    if isinstance(target.fact, (Waiver, Freeze)):
        return frozenset({"risk-owner", "approver", "realm-admin"})
    return ASKERS


def _second(state: State, key: RealmKey, target: Proposal) -> None:
    if state.selves(key) & {target.proposer, target.human, state.human(target.proposer)}:
        raise Ineffective("LF7266", "who proposes a change does not consent to it")
    may(state, key, _seconders(state, target), f"consenting to this {target.kind}")
    granted = target.fact.key if isinstance(target.fact, Grant) else None
    if granted is not None and state.selves(key) & {granted.principal, granted.owner}:
        raise Ineffective("LF7266", "nobody consents to their own grant")
    if (
        granted is not None
        and granted.principal == target.proposer
        and not admins(state) & set(granted.roles)
    ):
        may(state, key, admins(state), "consenting to the new key of who asks for it")
    if isinstance(target.fact, TrustedIssuer):
        machines = {rule.principal for rule in target.fact.rules}
        if state.selves(key) & (machines | {state.human(one) for one in machines}):
            raise Ineffective("LF7266", "nobody consents to what speaks for their own machine")


def void(state: State, target: Proposal) -> str:
    """Why nobody can consent to a proposal any more, whoever they are; empty while somebody can."""
    checks: tuple[tuple[type, Callable[..., None]], ...] = (
        (Grant, check_grant),
        (LadderChange, _check_ladder),
        (Adoption, _check_policy),
        (TrustedIssuer, _check_issuer),
        (Freeze, _check_freeze),
    )
    try:
        for kind, check in checks:
            if isinstance(target.fact, kind):
                check(state, target.fact)
    except Ineffective as stop:
        return stop.reason
    return ""


def _carry_out(state: State, target: Proposal, item: Item) -> None:
    fact = target.fact
    if isinstance(fact, Grant):
        check_grant(state, fact)
        origin = GrantOrigin(target.human, item.key.human, item.logged_at)
        proposer = state.people().get(target.proposer)
        if proposer is not None and _own_key(state, proposer, fact):
            # Whose roles nobody touched owes nobody anything.
            origin = state.grant_origins.get(fact.key.principal, origin)
        give(state, fact, target.digest, origin)
        return
    steps: tuple[tuple[type, Callable[..., None], Callable[..., None]], ...] = (
        (LadderChange, _check_ladder, _set_ladder),
        (Adoption, _check_policy, _set_policy),
        (TrustedIssuer, _check_issuer, _set_issuer),
    )
    for kind, check, carry in steps:
        if isinstance(fact, kind):
            check(state, fact)
            carry(state, fact, target.digest)
            state.changes.append(target)
    if isinstance(fact, Freeze):
        _check_freeze(state, fact)
        _set_freeze(state, fact, target.digest, "")  # two people's word: neither takes it back alone


def _close(state: State, item: Item, fact: Review) -> None:
    emergency = state.emergencies.get(fact.of)
    if emergency is None or emergency.closed:
        raise Ineffective("LF7265", "it names no break-glass that waits for its review")
    may(state, item.key, _REVIEWERS, "reviewing a break-glass")
    if state.selves(item.key) & emergency.participants:
        raise Ineffective("LF7266", "who took part in a break-glass does not review it")
    emergency.closed = True
