"""Changes that need a second person: finding what waits, and saying the second word."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockflight.app.policy.losses import need_none, of_proposal
from lockflight.app.realm.asof import view_at
from lockflight.app.realm.realm import open_realm
from lockflight.app.realm.speak import Said, say
from lockflight.core.attest.changes import PROPOSAL_S, Adoption, Freeze, LadderChange, Review, Verdict, Waiver
from lockflight.core.attest.quorum import spell
from lockflight.core.attest.trust import Duty, Environment, Grant
from lockflight.core.fold.people import void
from lockflight.core.state.issuers import TrustedIssuer
from lockflight.core.state.waivers import standing
from lockflight.core.text.suggest import did_you_mean
from lockflight.core.times import exact
from lockflight.core.verify.crypto.jwks import plain
from lockflight.errors import NotFound, PolicyDenied, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from lockflight.app.realm.realm import Realm
    from lockflight.app.realm.view import RealmView
    from lockflight.core.state.state import Proposal, State
    from lockflight.policy.losses import Loss

#: Hex digits by which a proposal may be named.
SHORTEST = 8


def waiting(state: State, now: int) -> list[Proposal]:
    """Proposals that a second person may still decide, oldest first.

    Args:
        state: the fold.
        now: Unix seconds.
    """
    return [p for p in state.proposals.values() if _waits(state, p, now) and not void(state, p)]


def voided(state: State, now: int) -> list[tuple[Proposal, str]]:
    """Proposals that nobody decided in their time and nobody can consent to any more, with the reason, oldest first.

    Args:
        state: the fold.
        now: Unix seconds.
    """
    open_ones = [p for p in state.proposals.values() if _waits(state, p, now)]
    return [(p, why) for p in open_ones if (why := void(state, p))]


def _waits(state: State, proposal: Proposal, now: int) -> bool:
    if isinstance(proposal.fact, Waiver):
        return standing(state, proposal, now) == "pending"
    return proposal.decided_at < 0 and now <= proposal.logged_at + PROPOSAL_S


def listed(
    home: Path, realm_name: str, *, as_of: int | None, now: int
) -> tuple[RealmView, list[Proposal], list[tuple[Proposal, str]]]:
    """The realm, what waits in it for a second person, and what is void, with the reason.

    Raises:
        NotFound, EnvironmentProblem, VerificationFailed: as `view_at`.
    """
    view = view_at(home, realm_name, as_of)
    return view, waiting(view.state, now), voided(view.state, now)


def describe(view: RealmView, proposal: Proposal) -> str:
    """What a proposal would change, in one line for people."""
    fact = proposal.fact
    if isinstance(fact, Grant):
        return _grant(view, fact)
    if isinstance(fact, LadderChange):
        return "environments: " + ("; ".join(_ladder(view.state.ladder, fact.ladder)) or "as they are")
    if isinstance(fact, Adoption):
        where = ", ".join(fact.environments) or "everywhere"
        return f"let the policy {fact.name} {fact.version} ({fact.bundle[:16]}) judge {where}"
    if isinstance(fact, Freeze):
        verb = "lift the freeze of" if fact.lift else f"freeze only until {fact.expires}:"
        return f"{verb} {fact.project or 'all projects'} in {fact.environment or 'all environments'}"
    if isinstance(fact, TrustedIssuer):
        return _issuer(view, fact)
    if isinstance(fact, Waiver):
        what = f"{fact.rule} {fact.term}".strip()
        where = f" in {fact.scope.environment}" if fact.scope.environment else ""
        return f"{fact.kind}: {what} for {fact.name}{where}, until {fact.expires}, ticket {fact.ticket}"
    return proposal.kind


def _issuer(view: RealmView, fact: TrustedIssuer) -> str:
    """Every key and claim: who consents must see what a token has to say, and what stood there before."""
    keys = ", ".join(plain(key) for key in fact.keys)
    rules = "; ".join(
        f"{view.name_of(rule.principal)} if {' and '.join(f'{name} is {value}' for name, value in rule.claims)}"
        for rule in fact.rules
    )
    verb = "trust other tokens" if fact.url in view.state.issuers else "trust tokens"
    kind = fact.kind.value if fact.kind is not None else ""
    what = f"{verb} of {fact.url} ({kind}) for {fact.audience}, at most {fact.life_s} s long"
    return f"{what}, under the keys {keys}: {rules}"


def _ladder(old: tuple[Environment, ...], new: tuple[Environment, ...]) -> Iterable[str]:
    """What differs between two ladders, field by field: who consents must see what is dropped."""
    before = {step.name: step for step in old}
    for name in sorted(set(before) - {step.name for step in new}):
        yield f"{name} goes"
    for step in new:
        was, now = _told(before.get(step.name)), _told(step)
        changed = [
            f"{key} {was[key]} -> {now[key]}" if was else f"{key} {now[key]}"
            for key in now
            if was.get(key) != now[key]
        ]
        if changed:
            yield f"{step.name}{'' if was else ' is new'}: {', '.join(changed)}"


def _told(step: Environment | None) -> dict[str, str]:
    if step is None:
        return {}
    return {
        "after": step.after or "nothing",
        "needs": spell({seat.role: seat.count for seat in step.quorum}) or "nobody",
        "asked for by": " or ".join(step.requesters) or "anybody",
        "factor": step.factor,
        "mode": step.mode.value,
        "rollback within": f"{step.rollback_s // 86_400} days",
        "proof of presence": f"within {exact(step.step_up_s)}" if step.step_up_s else "not demanded",
    }


def _grant(view: RealmView, fact: Grant) -> str:
    key = fact.key
    machine = key.duty is Duty.PRODUCER
    kind = ("machine" if key.owner else "producer") if machine else "person"
    name = view.name_of(key.principal)
    # Whoever consents has to see that a familiar name is somebody new.
    known = key.principal in view.state.grant_heads
    who = f"the {kind} {name}" if known else f"the new {kind} {name}"
    if name != key.principal:
        who += f" ({key.principal})"
        others = sorted(p for p, known_as in view.names().items() if known_as == name and p != key.principal)
        if others:
            who += f", not {', '.join(others)} of the same name"
    if fact.withdrawn:
        return f"withdraw {who}"
    owner = f", who answers to {view.name_of(key.owner)}" if key.owner else ""
    until = f", until {key.expires}" if key.expires else ""
    roles = f" and the roles {', '.join(key.roles)}" if key.roles else ""
    if key.keyless:
        held = f" with the roles {', '.join(key.roles)}" if key.roles else ""
        return f"let {who}{owner} act{held} by tokens of a trusted issuer, without a key{until}"
    return f"give the key {key.keyid[:16]}{roles} to {who}{owner}{until}"


def find(state: State, word: str) -> str:
    """The full envelope digest of a proposal or break-glass from its start.

    Raises:
        UsageError: LF0123 the start is too short or fits several.
        NotFound: LF4553 there is none.
    """
    prefix = word.lower().removeprefix("sha256:")
    found = [digest for digest in state.proposals if digest.startswith(prefix)]
    if len(prefix) < SHORTEST or len(found) > 1:
        raise UsageError(
            "LF0123",
            f"{word!r} is not at least {SHORTEST} digits of the digest of one proposal.",
            hint="lockflight status lists what waits.",
        )
    if not found:
        hint = did_you_mean(prefix, [d[: len(prefix)] for d in state.proposals])
        raise NotFound(
            "LF4553",
            f"The realm has no proposal whose digest starts with {word}.",
            hint=hint or "lockflight status lists what waits.",
        )
    return found[0]


_VERBS = {Verdict.CONSENT: "consent to", Verdict.REJECT: "reject", Verdict.CLOSE: "close"}


def review(
    home: Path, realm_name: str, word: str, *, verdict: Verdict, note: str, actor: str, drop: bool = False
) -> tuple[Said, Proposal, tuple[Loss, ...]]:
    """Say the second word on a proposal, or close a break-glass that was used.

    Args:
        home: folder of realms.
        realm_name: the realm.
        word: start of the envelope digest.
        verdict: consent, reject or close.
        note: free text, kept erasable.
        actor: who says it.
        drop: consent although the policy that is proposed no longer asks what the one in force asks.

    Returns:
        What was said, on what, and what falls away by a consent.

    Raises:
        UsageError, NotFound: as `find`.
        PolicyDenied: LF4525 this person's word does not count here; the reason is in the message. LF4528 something
            falls away and `drop` is not set.
    """
    realm = open_realm(home, realm_name)
    person = realm.actor(actor)
    digest = find(realm.state, word)
    proposal = realm.state.proposals[digest]
    kind = proposal.kind
    lost: tuple[Loss, ...] = ()
    if verdict is Verdict.CONSENT and proposal.decided_at < 0:
        lost = of_proposal(realm.folder, realm.state, proposal.fact)
    if not drop and isinstance(proposal.fact, Adoption):
        need_none(
            lost,
            f"{proposal.fact.name} {proposal.fact.version}",
            f"lockflight review {digest[:16]} --reject --as NAME, or --drop if all of it is meant to fall away",
        )
    said = Review(digest, kind, verdict, realm.put_blob({"note": note}) if note else "", realm.state.root)
    what = f"{_VERBS[verdict]} the {kind} {digest[:16]}"
    return say(realm, person, said.statement(), what, code="LF4525"), realm.state.proposals[digest], lost


def second_person(realm: Realm, digest: str, what: str) -> PolicyDenied:
    """What was asked for waits for another person's consent."""
    return PolicyDenied(
        "LF4526",
        f"{what} waits for a second person, so nothing has changed yet.",
        hint=f"lockflight review {digest[:16]} --realm {realm.name} --as NAME, by another person; then again",
        details={"proposal": digest},
    )
