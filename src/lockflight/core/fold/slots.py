"""What the gate moves, judged again by the fold: registrations, decisions that carry promotions, slots, revocations."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from lockflight.core.attest.acts import (
    FULL_EXPOSURE,
    Action,
    Approval,
    Promotion,
    Registration,
    Revocation,
    Scope,
    identity_digest,
    parse_approval,
    parse_promotion,
    parse_registration,
    parse_revocation,
)
from lockflight.core.attest.changes import NEVER_WAIVED, Waiver, WaiverKind
from lockflight.core.attest.tree import signed_tree
from lockflight.core.facts.admit import admit
from lockflight.core.facts.authors import authors
from lockflight.core.fold.item import Ineffective, Item, may, own
from lockflight.core.fold.people import fresh_nonce
from lockflight.core.gate.vsa import StoredDecision
from lockflight.core.state.state import MAKERS, RESCUERS, REVOKERS, Emergency, Signed, Slot, State
from lockflight.core.state.waivers import standing
from lockflight.core.times import unix

if TYPE_CHECKING:
    from lockflight.core.gate.ruling import Waived

#: How long a decision may carry a promotion, in seconds: `promote` decides again each time.
DECISION_S = 3600
#: Longest life of an approval, in seconds.
MAX_APPROVAL_S = 30 * 86_400

_ENTERING = frozenset({Action.PROMOTE, Action.EXPOSE})


def registration(state: State, item: Item) -> Registration:
    """A signed release is put before the realm."""
    fact = parse_registration(item.statement)
    own(state, fact.realm)
    may(state, item.key, MAKERS, "registering a release")
    signature = state.by_digest.get(fact.signature)
    if signature is None or not signature.effective or signature.type != "signature":
        raise Ineffective("LF7248", "the release signature that it names is not in the log, or not effective")
    if not isinstance(signature.fact, Signed) or signature.fact.release != fact.release:
        raise Ineffective("LF7248", "the release signature that it names is about another release")
    if signature.fact.header != (fact.name, fact.version, fact.kind, fact.tier):
        raise Ineffective("LF7248", "the release was signed under another name, version, kind or tier")
    said = signature.statement
    if fact.tree is not None and (said is None or signed_tree(said) != fact.tree):
        raise Ineffective("LF7248", "its tree does not follow from the assets that were signed")
    return fact


def approval(state: State, item: Item) -> Approval:
    """A person's yes or no."""
    fact = parse_approval(item.statement)
    own(state, fact.realm)
    if unix(fact.expires) > item.logged_at + MAX_APPROVAL_S:
        raise Ineffective("LF7262", f"it lasts longer than {MAX_APPROVAL_S // 86_400} days")
    if fact.factor == "webauthn":
        raise Ineffective("LF7262", "the factor webauthn needs an assertion, and it carries none")
    fresh_nonce(state, item, fact.nonce)
    return fact


def promotion(state: State, item: Item) -> Promotion:
    """The gate changes a slot: the only way in."""
    fact = parse_promotion(item.statement)
    own(state, fact.realm)
    step = state.environment(fact.environment)
    if step is None:
        raise Ineffective("LF7249", f"the realm has no environment {fact.environment!r}")
    _names(state, fact)
    key = (fact.project, fact.environment, fact.slot)
    slot = state.slots.get(key) or Slot(*key)
    if fact.prev != slot.head:
        raise Ineffective("LF7246", "another change of the slot came first")
    requester = state.people().get(fact.requester)
    if requester is None or requester.expired(item.logged_at):
        raise Ineffective("LF7255", f"the requester {fact.requester} holds no grant")
    if fact.action in _ENTERING:
        _enter(state, fact, slot, item)
    else:
        may(state, requester, RESCUERS | set(step.requesters), f"a {fact.action}")
        _leave(state, fact, slot, item.logged_at, step.rollback_s)
    state.slots[key] = slot
    slot.head = item.digest
    slot.moved = item.logged_at
    return fact


def _names(state: State, fact: Promotion) -> None:
    """A promotion is about the release that was registered, in its own project; names are not the gate's to choose."""
    known = {
        (r.fact.name, r.fact.version)
        for r in state.registrations.get(fact.release, [])
        if isinstance(r.fact, Registration)
    }
    if known and (fact.name, fact.version) not in known:
        raise Ineffective("LF7268", "the release is registered under another name or version")
    if fact.project != fact.name or fact.slot != "main":
        raise Ineffective("LF7268", "it names a project or slot that is not the release's own")


def _enter(state: State, fact: Promotion, slot: Slot, item: Item) -> None:
    said = _decision(state, fact, item.logged_at)
    owner = state.owner(fact.name, fact.version)
    if owner not in {"", fact.release}:
        raise Ineffective("LF7250", f"{fact.name} {fact.version} already belongs to the release {owner[:16]}")
    if state.revocation_of(fact.release) is not None:
        raise Ineffective("LF7252", "the release is revoked")
    _fits(fact, slot)
    used = _admitted(state, fact, said, item.logged_at)
    state.used_approvals.update(used)
    slot.entered = item.logged_at
    state.versions[fact.name, fact.version] = fact.release
    if fact.break_glass:
        _emergency(state, fact)
    if fact.exposure == FULL_EXPOSURE:
        slot.hold(fact, item.logged_at)
    else:
        slot.candidate = fact


def _fits(fact: Promotion, slot: Slot) -> None:
    candidate = slot.candidate.release if slot.candidate is not None else ""
    if fact.action is Action.EXPOSE:
        if candidate != fact.release or fact.exposure == 0:
            raise Ineffective("LF7251", "the slot has no such candidate, or it would get nothing")
        return
    if candidate not in {"", fact.release}:
        raise Ineffective("LF7251", "the slot has another candidate; drop or expose that one first")
    if fact.exposure == FULL_EXPOSURE:
        return
    if fact.exposure == 0 or slot.current is None or slot.current.release == fact.release:
        raise Ineffective("LF7251", "a candidate shares the slot with another release, and gets some of it")


def _leave(state: State, fact: Promotion, slot: Slot, now: int, window_s: int) -> None:
    if fact.decision or fact.approvals or fact.break_glass:
        raise Ineffective("LF7253", f"a {fact.action} rests on no decision")
    current = slot.current.release if slot.current is not None else ""
    if fact.action is Action.HOLD:
        candidate = slot.candidate
        if candidate is None or candidate.release != fact.release or fact.exposure > candidate.exposure:
            raise Ineffective("LF7251", "the slot has no such candidate, or it would get more")
        # What let the candidate in lets it have more again.
        slot.candidate = replace(fact, approvals=candidate.approvals)
    elif fact.action is Action.RETIRE:
        if current != fact.release:
            raise Ineffective("LF7251", "the slot does not hold that release")
        slot.hold(None, now)
    else:
        if current == fact.release and slot.candidate is None:
            raise Ineffective("LF7251", "the slot holds that release already")
        if any(
            e.release == fact.release and e.project == fact.project and not e.closed
            for e in state.emergencies.values()
        ):
            raise Ineffective("LF7251", "it came in by a break-glass that nobody has reviewed")
        if not slot.held_within(fact.release, now, window_s):
            raise Ineffective("LF7251", "the slot did not hold that release lately")
        if fact.exposure != FULL_EXPOSURE:
            raise Ineffective("LF7251", "a rollback gives the release the whole slot")
        if state.revocation_of(fact.release) is not None:
            raise Ineffective("LF7252", "the release is revoked")
        slot.hold(fact, now)


def _decision(state: State, fact: Promotion, logged_at: int) -> StoredDecision:
    record = state.by_digest.get(fact.decision)
    said = record.fact if record is not None and record.effective else None
    if record is None or not isinstance(said, StoredDecision):
        raise Ineffective("LF7253", "the decision that it names is not in the log, or not effective")
    if record.signer in state.revoked_keys:
        raise Ineffective("LF7253", "the gate key that made the decision was revoked since")
    about = (said.release, said.name, said.environment)
    if not said.allow or about != (fact.release, fact.name, fact.environment):
        raise Ineffective("LF7253", "the decision that it names does not allow this release there")
    newest = state.decisions[said.release, said.environment][-1]
    if newest.digest != record.digest:
        raise Ineffective("LF7253", "the gate has decided again since")
    if logged_at > record.logged_at + DECISION_S:
        raise Ineffective("LF7253", "the decision that it names is too old")
    adopted = state.policy(fact.environment)
    if adopted is not None and adopted.bundle != said.policy:
        raise Ineffective(
            "LF7253", "the decision that it names was made by another policy than the adopted one"
        )
    own = state.own_policy(fact.release)
    if own is None:
        raise Ineffective("LF7253", "the release was never signed in this realm")
    if own != said.own_digest:
        raise Ineffective(
            "LF7269",
            "the release brings a policy of its own along, and the decision that it names was made without it"
            if not said.own_digest
            else "the decision that it names was made by a policy that is not the release's own",
        )
    for digest in fact.approvals:
        _check_approval(state, fact, said, digest)
    for row in said.waived:
        _check_waived(state, fact, row, logged_at)
    return said


def _check_waived(state: State, fact: Promotion, row: Waived, now: int) -> None:
    """What a decision puts up with, somebody must have asked for and another consented to."""
    found = state.proposals.get(row.waiver)
    waiver = found.fact if found is not None else None
    if found is None or not isinstance(waiver, Waiver) or standing(state, found, now) != "active":
        raise Ineffective("LF7253", f"the decision waives {row.code} by what is no waiver in force")
    scope = waiver.scope
    reaches = (
        scope.digest in {fact.release, *state.contents(fact.release)}
        if scope.digest
        else scope.project == fact.project
    ) and scope.environment in {"", fact.environment}
    fits = waiver.kind is WaiverKind.BREAK_GLASS or (waiver.rule, waiver.term) == (row.code, row.term)
    if not reaches or not fits or NEVER_WAIVED.fullmatch(row.code):
        raise Ineffective("LF7253", f"the decision waives {row.code} by a waiver of something else")


def _check_approval(state: State, fact: Promotion, said: StoredDecision, digest: str) -> None:
    record = state.by_digest.get(digest)
    found = record.fact if record is not None and record.effective else None
    if not isinstance(found, Approval) or found.verdict != "approve" or found.basis != said.basis:
        raise Ineffective("LF7254", f"the approval {digest[:16]} is not effective for that decision")
    if found.release != fact.release or found.environment != fact.environment:
        raise Ineffective("LF7254", f"the approval {digest[:16]} is about something else")


def _admitted(state: State, fact: Promotion, said: StoredDecision, logged_at: int) -> tuple[str, ...]:
    """The gate's key alone moves nothing: people, order and time are judged again, as they were at that entry."""
    admission = admit(
        state=state,
        release=fact.release,
        name=fact.name,
        version=fact.version,
        environment=fact.environment,
        allowed=True,
        basis=said.basis,
        requester=fact.requester,
        now=logged_at,
        project=fact.project,
        waivers=tuple(row.waiver for row in said.waived),
        break_glass=fact.break_glass,
        named=frozenset(fact.approvals),
        exposing=fact.action is Action.EXPOSE,
    )
    if not admission.admitted:
        first = admission.obstacles[0]
        raise Ineffective("LF7260", f"its admission does not hold: {first.code} {first.message}")
    return admission.approvals


def _emergency(state: State, fact: Promotion) -> None:
    asked = state.proposals[fact.break_glass]
    makers = authors(state, fact.release, environment=fact.environment, project=fact.project)
    requester = state.people()[fact.requester]
    people = makers | {asked.proposer, asked.human, asked.decided_by} | state.selves(requester)
    state.emergencies[fact.break_glass] = Emergency(fact.project, fact.release, frozenset(people))


def revocation(state: State, item: Item) -> Revocation:
    """A release, an asset, a key or a person is taken back; effective at once."""
    fact = parse_revocation(item.statement)
    own(state, fact.realm)
    may(state, item.key, REVOKERS, "revoking")
    if fact.scope is Scope.KEY and fact.digest in {k.keyid for k in state.trust.keys}:
        raise Ineffective("LF7256", "the realm's own keys are replaced by a trust statement, not revoked")
    if fact.scope is Scope.IDENTITY and fact.digest != identity_digest(fact.name):
        raise Ineffective("LF7242", "its digest is not that of the principal that it names")
    return fact
