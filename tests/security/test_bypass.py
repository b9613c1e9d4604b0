"""Thousands of ways around the second person, generated: entry point x role x history x defect. None may work.

Whoever tries holds the worst keys there are: their own, and the gate's, which signs whatever they ask for. What stops
them is the fold, which judges people again at each promotion.
"""

from __future__ import annotations

import secrets
from collections import Counter
from dataclasses import dataclass, replace
from itertools import product
from typing import TYPE_CHECKING

import pytest

from lockflight.core.attest.acts import Action, Approval, Promotion, Scope
from lockflight.core.attest.changes import (
    DAY,
    Adoption,
    Freeze,
    LadderChange,
    Reach,
    Verdict,
    Waiver,
    WaiverKind,
)
from lockflight.core.attest.changes import Scope as Reaches
from lockflight.core.attest.quorum import Seat
from lockflight.core.attest.trust import LADDER, Duty, RealmKey
from lockflight.core.state.state import FULL_EXPOSURE
from lockflight.core.times import rfc3339
from lockflight.signing.keys import P256, generate
from tests.factories import NOW, basis_of, release
from tests.live_ledger import LiveLedger

if TYPE_CHECKING:
    from collections.abc import Callable

WANTED = release(version="6.6.6")
OLD = release(version="0.9.0")
OTHER = release(version="0.1.0")
ENVIRONMENTS = ("staging", "production")
BELOW = {"staging": "development", "production": "staging"}

ROLES = (
    ("author",),
    ("author", "approver"),
    ("author", "realm-admin"),
    ("author", "approver", "realm-admin", "risk-owner", "releaser"),
    ("releaser",),
    ("releaser", "approver"),
    ("approver",),
    ("realm-admin",),
    ("risk-owner",),
    ("auditor",),
    ("builder", "evaluator"),
    (),
)


@dataclass(frozen=True)
class Move:
    """What the gate's key is made to sign."""

    decision: str = ""
    approvals: tuple[str, ...] = ()
    requester: str = "p-mallory"
    signer: str = "gate"
    break_glass: str = ""
    realm: str = ""
    prev: str | None = None


def approve(
    ledger: LiveLedger, who: str, environment: str, *, what: object = WANTED, **changes: object
) -> str:
    given: dict[str, object] = {
        "release": what.digest,  # type: ignore[attr-defined]
        "name": what.name,  # type: ignore[attr-defined]
        "environment": environment,
        "basis": basis_of(),
        "verdict": "approve",
        "nonce": secrets.token_hex(16),
        "expires": rfc3339(NOW + ledger.clock + DAY),
        "realm": ledger.root,
    }
    return ledger.add(Approval(**{**given, **changes}).statement(), who)  # type: ignore[arg-type]


def move(
    ledger: LiveLedger, environment: str, how: Move, *, entry: str = "promote", what: object = WANTED
) -> str:
    slot = ledger.state().slot("bot", environment)
    action = {"promote": Action.PROMOTE, "candidate": Action.PROMOTE}.get(entry) or Action(entry)
    bare = action in {Action.ROLLBACK, Action.HOLD}
    promotion = Promotion(
        action=action,
        release=what.digest,  # type: ignore[attr-defined]
        name="bot",
        version=what.version,  # type: ignore[attr-defined]
        project="bot",
        environment=environment,
        prev=slot.head if how.prev is None else how.prev,
        decision="" if bare else how.decision,
        approvals=() if bare else how.approvals,
        requester=how.requester,
        exposure=500 if entry == "candidate" else FULL_EXPOSURE,
        realm=how.realm or ledger.root,
        break_glass="" if bare else how.break_glass,
    )
    return ledger.add(promotion.statement(), how.signer)


def properly(ledger: LiveLedger, what: object, environment: str, *, entry: str = "promote") -> None:
    """Move a release as it must be done: carol asks, bob approves where that is needed."""
    decision = ledger.decide(what, environment)  # type: ignore[arg-type]
    given = (approve(ledger, "bob", environment, what=what),) if environment != "development" else ()
    how = Move(decision, given, requester="p-carol")
    digest = move(ledger, environment, how, what=what, entry=entry)
    assert not ledger.code(digest), ledger.state().records[-1].reason


# Histories. Mallory made the release in all of them where they may; alice did where they may not.


def base(roles: tuple[str, ...]) -> LiveLedger:
    ledger = LiveLedger()
    ledger.person("alice", "author")
    ledger.person("bob", "approver")
    ledger.person("evan", "approver")
    ledger.person("carol", "releaser", "realm-admin")
    ledger.person("dora", "risk-owner")
    ledger.person("mallory", *roles)
    ledger.person("ci", duty=Duty.PRODUCER)
    ledger.register(WANTED, "mallory" if "author" in roles else "alice")
    ledger.clock = 100
    return ledger


def fresh(roles: tuple[str, ...], environment: str) -> LiveLedger:
    return base(roles)


def below(roles: tuple[str, ...], environment: str) -> LiveLedger:
    ledger = base(roles)
    for step in ("development", "staging")[: ENVIRONMENTS.index(environment) + 1]:
        properly(ledger, WANTED, step)
    return ledger


def behind_another(roles: tuple[str, ...], environment: str) -> LiveLedger:
    ledger = base(roles)
    for step in ("development", "staging", "production")[: ENVIRONMENTS.index(environment) + 2]:
        properly(ledger, OLD, step)
    for step in ("development", "staging")[: ENVIRONMENTS.index(environment) + 1]:
        properly(ledger, WANTED, step)
    return ledger


def after_a_denial(roles: tuple[str, ...], environment: str) -> LiveLedger:
    ledger = below(roles, environment)
    approve(ledger, "evan", environment, verdict="deny", basis="ab" * 32)
    return ledger


def while_frozen(roles: tuple[str, ...], environment: str) -> LiveLedger:
    ledger = below(roles, environment)
    ledger.add(Freeze(False, "bot", environment, "", "", "", ledger.root).statement(), "dora")
    return ledger


def after_a_break_glass(roles: tuple[str, ...], environment: str) -> LiveLedger:
    """Another release of the project came in by breaking the glass, and nobody has reviewed that yet."""
    ledger = below(roles, environment)
    ledger.register(OTHER, "alice")
    properly(ledger, OTHER, "development")
    glass = break_glass(ledger, "staging", "carol", what=OTHER)
    ledger.review(glass, "dora")
    decision = ledger.decide(OTHER, "staging")
    how = Move(decision, requester="p-carol", break_glass=glass)
    assert not ledger.code(move(ledger, "staging", how, what=OTHER))
    return ledger


HISTORIES = (fresh, below, behind_another, after_a_denial, while_frozen, after_a_break_glass)


# Statements that mallory tries on the way.


def break_glass(
    ledger: LiveLedger,
    environment: str,
    who: str,
    *,
    what: object = WANTED,
    hours: int = 4,
    **changes: object,
) -> str:
    given: dict[str, object] = {
        "kind": WaiverKind.BREAK_GLASS,
        "name": "bot",
        "rule": "*",
        "term": "",
        "scope": Reaches(Reach.RELEASE, what.digest, "", environment),  # type: ignore[attr-defined]
        "reason": "aa" * 32,
        "ticket": "INC-1",
        "not_before": rfc3339(NOW + ledger.clock),
        "expires": rfc3339(NOW + ledger.clock + hours * 3600),
        "renews": "",
        "nonce": secrets.token_hex(16),
        "realm": ledger.root,
    }
    return ledger.add(Waiver(**{**given, **changes}).statement(), who)  # type: ignore[arg-type]


def quorum_of_nobody(ledger: LiveLedger, who: str) -> str:
    ladder = tuple(replace(step, quorum=()) for step in LADDER)
    return ledger.add(LadderChange("acme", ladder, ledger.state().ladder_head, ledger.root).statement(), who)


def grant(ledger: LiveLedger, principal: str, *roles: str, by: str, owner: str = "") -> str:
    name = principal.removeprefix("p-")
    if name not in ledger.keys:
        ledger.keys[name] = generate(P256)
    from lockflight.core.attest.trust import Grant

    key = RealmKey(ledger.keys[name].public_der, Duty.PERSON, principal, roles, owner=owner)
    head = ledger.state().grant_heads.get(principal, "")
    return ledger.add(Grant(key, prev=head, realm=ledger.root).statement(), by)


# Defects: each leaves out, or fakes, what a promotion needs.


def nobody_approves(ledger: LiveLedger, environment: str) -> Move:
    return Move(ledger.decide(WANTED, environment))


def approves_alone(ledger: LiveLedger, environment: str) -> Move:
    decision = ledger.decide(WANTED, environment)
    return Move(decision, (approve(ledger, "mallory", environment),))


def second_account(ledger: LiveLedger, environment: str) -> Move:
    proposal = grant(ledger, "p-mallory2", "approver", by="root", owner="p-mallory")
    ledger.review(proposal, "carol")
    decision = ledger.decide(WANTED, environment)
    return Move(decision, (approve(ledger, "mallory2", environment),))


def another_digest(ledger: LiveLedger, environment: str) -> Move:
    decision = ledger.decide(WANTED, environment)
    return Move(decision, (approve(ledger, "bob", environment, what=OTHER),))


def another_basis(ledger: LiveLedger, environment: str) -> Move:
    decision = ledger.decide(WANTED, environment)
    return Move(decision, (approve(ledger, "bob", environment, basis="ab" * 32),))


def another_environment(ledger: LiveLedger, environment: str) -> Move:
    decision = ledger.decide(WANTED, environment)
    elsewhere = next(e for e in ("production", "staging") if e != environment)
    return Move(decision, (approve(ledger, "bob", elsewhere),))


def before_the_gate_decided_again(ledger: LiveLedger, environment: str) -> Move:
    decision = ledger.decide(WANTED, environment)
    given = approve(ledger, "bob", environment)
    ledger.clock += 60
    ledger.decide(WANTED, environment, allow=False)
    return Move(decision, (given,))


def a_denied_decision(ledger: LiveLedger, environment: str) -> Move:
    decision = ledger.decide(WANTED, environment, allow=False)
    return Move(decision, (approve(ledger, "bob", environment, basis=basis_of(allow=False)),))


def a_decision_about_another_release(ledger: LiveLedger, environment: str) -> Move:
    decision = ledger.decide(OTHER, environment)
    return Move(decision, (approve(ledger, "bob", environment),))


def a_decision_for_another_environment(ledger: LiveLedger, environment: str) -> Move:
    decision = ledger.decide(WANTED, "development")
    return Move(decision, (approve(ledger, "bob", environment),))


def no_decision(ledger: LiveLedger, environment: str) -> Move:
    return Move("", (approve(ledger, "bob", environment),))


def a_decision_that_somebody_else_signed(ledger: LiveLedger, environment: str) -> Move:
    genuine = ledger.decide(WANTED, environment)
    statement = ledger.state().by_digest[genuine].statement
    assert statement is not None
    forged = ledger.add(statement, "mallory")
    return Move(forged, (approve(ledger, "bob", environment),))


def a_decision_that_is_too_old(ledger: LiveLedger, environment: str) -> Move:
    decision = ledger.decide(WANTED, environment)
    ledger.clock += 2 * 3600
    return Move(decision, (approve(ledger, "bob", environment),))


def expired_between_check_and_promote(ledger: LiveLedger, environment: str) -> Move:
    given = approve(ledger, "bob", environment, expires=rfc3339(NOW + ledger.clock + 600))
    ledger.clock += 600
    return Move(ledger.decide(WANTED, environment), (given,))


def two_roles_by_one_person(ledger: LiveLedger, environment: str) -> Move:
    """The quorum wants an approver and a risk owner; evan holds both roles and says yes twice."""
    ledger.review(grant(ledger, "p-evan", "approver", "risk-owner", by="root"), "dora")
    seats = (Seat("approver"), Seat("risk-owner"))
    ladder = tuple(replace(s, quorum=seats) if s.quorum else s for s in LADDER)
    change = LadderChange("acme", ladder, ledger.state().ladder_head, ledger.root)
    ledger.review(ledger.add(change.statement(), "carol"), "dora")
    decision = ledger.decide(WANTED, environment)
    return Move(decision, (approve(ledger, "evan", environment), approve(ledger, "evan", environment)))


def demands_presence(ledger: LiveLedger, seconds: int = 900) -> None:
    """Two people have the environments ask for a proof of presence."""
    ladder = tuple(replace(s, step_up_s=seconds) if s.quorum else s for s in LADDER)
    change = LadderChange("acme", ladder, ledger.state().ladder_head, ledger.root)
    ledger.review(ledger.add(change.statement(), "carol"), "dora")
    assert ledger.state().ladder == ladder


def nobody_was_there(ledger: LiveLedger, environment: str) -> Move:
    """A bare key, where a proof of presence is demanded."""
    demands_presence(ledger)
    decision = ledger.decide(WANTED, environment)
    return Move(decision, (approve(ledger, "bob", environment),))


def was_there_too_long_ago(ledger: LiveLedger, environment: str) -> Move:
    demands_presence(ledger)
    decision = ledger.decide(WANTED, environment)
    proved = rfc3339(NOW + ledger.clock - 901)
    return Move(decision, (approve(ledger, "bob", environment, factor="key+totp", proved=proved),))


def will_have_been_there(ledger: LiveLedger, environment: str) -> Move:
    """A proof from the future would be fresh whenever it is used."""
    demands_presence(ledger)
    decision = ledger.decide(WANTED, environment)
    proved = rfc3339(NOW + ledger.clock + 61)
    return Move(decision, (approve(ledger, "bob", environment, factor="key+totp", proved=proved),))


def a_second_factor_without_a_time(ledger: LiveLedger, environment: str) -> Move:
    """What approvals were like before they said when."""
    demands_presence(ledger)
    decision = ledger.decide(WANTED, environment)
    return Move(decision, (approve(ledger, "bob", environment, factor="key+totp"),))


def approved_before_presence_was_demanded(ledger: LiveLedger, environment: str) -> Move:
    decision = ledger.decide(WANTED, environment)
    given = approve(ledger, "bob", environment)
    demands_presence(ledger)
    return Move(decision, (given,))


def two_approvers_by_one_person(ledger: LiveLedger, environment: str) -> Move:
    ladder = tuple(replace(s, quorum=(Seat("approver", 2),)) if s.quorum else s for s in LADDER)
    change = LadderChange("acme", ladder, ledger.state().ladder_head, ledger.root)
    ledger.review(ledger.add(change.statement(), "carol"), "dora")
    second = grant(ledger, "p-bob2", "approver", by="root", owner="p-bob")
    ledger.review(second, "dora")
    decision = ledger.decide(WANTED, environment)
    return Move(decision, (approve(ledger, "bob", environment), approve(ledger, "bob2", environment)))


def a_nonce_used_before(ledger: LiveLedger, environment: str) -> Move:
    nonce = "12" * 16
    approve(ledger, "bob", environment, nonce=nonce, what=OTHER)
    decision = ledger.decide(WANTED, environment)
    return Move(decision, (approve(ledger, "bob", environment, nonce=nonce),))


def an_approval_that_never_was(ledger: LiveLedger, environment: str) -> Move:
    return Move(ledger.decide(WANTED, environment), ("cd" * 32,))


def an_approval_of_another_realm(ledger: LiveLedger, environment: str) -> Move:
    decision = ledger.decide(WANTED, environment)
    return Move(decision, (approve(ledger, "bob", environment, realm="ef" * 32),))


def a_denial_counted_as_approval(ledger: LiveLedger, environment: str) -> Move:
    decision = ledger.decide(WANTED, environment)
    return Move(decision, (approve(ledger, "bob", environment, verdict="deny"),))


def approval_without_end(ledger: LiveLedger, environment: str) -> Move:
    decision = ledger.decide(WANTED, environment)
    return Move(decision, (approve(ledger, "bob", environment, expires=rfc3339(NOW + 400 * DAY)),))


def grants_approves_reverts(ledger: LiveLedger, environment: str) -> Move:
    """Mallory proposes the role for an accomplice, consents with what they have, approves, takes it back."""
    proposal = grant(ledger, "p-nina", "approver", by="mallory")
    for who in ("mallory", "nina"):
        ledger.review(proposal, who)
    decision = ledger.decide(WANTED, environment)
    given = approve(ledger, "nina", environment)
    ledger.review(proposal, "mallory", Verdict.REJECT)
    return Move(decision, (given,))


def grants_themselves(ledger: LiveLedger, environment: str) -> Move:
    proposal = grant(ledger, "p-mallory", "approver", "releaser", "realm-admin", by="mallory")
    ledger.review(proposal, "mallory")
    decision = ledger.decide(WANTED, environment)
    return Move(decision, (approve(ledger, "mallory", environment),))


def a_friend_granted_by_the_author(ledger: LiveLedger, environment: str) -> Move:
    """Two people gave nina the role, but one of them is who now wants her approval."""
    proposal = grant(ledger, "p-nina", "approver", by="root")
    ledger.review(proposal, "mallory")
    decision = ledger.decide(WANTED, environment)
    return Move(decision, (approve(ledger, "nina", environment),))


def lowers_the_quorum_alone(ledger: LiveLedger, environment: str) -> Move:
    ledger.review(quorum_of_nobody(ledger, "mallory"), "mallory")
    return Move(ledger.decide(WANTED, environment))


def adopts_a_policy_alone(ledger: LiveLedger, environment: str) -> Move:
    adoption = Adoption("easy", "1", "ee" * 32, "ab" * 32, (), ledger.state().policy_head, ledger.root)
    ledger.review(ledger.add(adoption.statement(), "mallory"), "mallory")
    decision = ledger.decide(WANTED, environment, policy="ee" * 32)
    return Move(decision, (approve(ledger, "mallory", environment, basis=basis_of(policy="ee" * 32)),))


def decides_by_another_policy_than_the_adopted(ledger: LiveLedger, environment: str) -> Move:
    adoption = Adoption("hard", "1", "dd" * 32, "ab" * 32, (), ledger.state().policy_head, ledger.root)
    ledger.review(ledger.add(adoption.statement(), "carol"), "dora")
    decision = ledger.decide(WANTED, environment)
    return Move(decision, (approve(ledger, "bob", environment),))


def who_changed_the_policy_approves(ledger: LiveLedger, environment: str) -> Move:
    ledger.review(grant(ledger, "p-evan", "approver", "realm-admin", by="root"), "carol")
    adoption = Adoption("mine", "1", "cc" * 32, "ab" * 32, (), ledger.state().policy_head, ledger.root)
    ledger.review(ledger.add(adoption.statement(), "evan"), "dora")
    decision = ledger.decide(WANTED, environment)
    return Move(decision, (approve(ledger, "evan", environment),))


def breaks_the_glass_alone(ledger: LiveLedger, environment: str) -> Move:
    glass = break_glass(ledger, environment, "mallory")
    ledger.review(glass, "mallory")
    return Move(ledger.decide(WANTED, environment), break_glass=glass)


def breaks_the_glass_with_a_second_account(ledger: LiveLedger, environment: str) -> Move:
    proposal = grant(ledger, "p-mallory2", "risk-owner", by="root", owner="p-mallory")
    ledger.review(proposal, "carol")
    glass = break_glass(ledger, environment, "mallory")
    ledger.review(glass, "mallory2")
    return Move(ledger.decide(WANTED, environment), break_glass=glass)


def a_break_glass_that_is_over(ledger: LiveLedger, environment: str) -> Move:
    glass = break_glass(ledger, environment, "carol", hours=1)
    ledger.review(glass, "dora")
    ledger.clock += 3600
    return Move(ledger.decide(WANTED, environment), break_glass=glass)


def a_break_glass_for_a_year(ledger: LiveLedger, environment: str) -> Move:
    glass = break_glass(ledger, environment, "carol", hours=24 * 365)
    ledger.review(glass, "dora")
    return Move(ledger.decide(WANTED, environment), break_glass=glass)


def a_break_glass_about_something_else(ledger: LiveLedger, environment: str) -> Move:
    glass = break_glass(ledger, environment, "carol", what=OTHER)
    ledger.review(glass, "dora")
    return Move(ledger.decide(WANTED, environment), break_glass=glass)


def a_break_glass_that_was_rejected(ledger: LiveLedger, environment: str) -> Move:
    glass = break_glass(ledger, environment, "carol")
    ledger.review(glass, "dora", Verdict.REJECT)
    ledger.review(glass, "dora")
    return Move(ledger.decide(WANTED, environment), break_glass=glass)


def a_waiver_for_a_break_glass(ledger: LiveLedger, environment: str) -> Move:
    glass = break_glass(ledger, environment, "carol", kind=WaiverKind.WAIVER, rule="LF4105")
    ledger.review(glass, "dora")
    return Move(ledger.decide(WANTED, environment), break_glass=glass)


def a_machine_approves(ledger: LiveLedger, environment: str) -> Move:
    decision = ledger.decide(WANTED, environment)
    return Move(decision, (approve(ledger, "ci", environment),))


def an_approver_without_the_role(ledger: LiveLedger, environment: str) -> Move:
    decision = ledger.decide(WANTED, environment)
    return Move(decision, (approve(ledger, "dora", environment), approve(ledger, "alice", environment)))


def an_approver_who_left(ledger: LiveLedger, environment: str) -> Move:
    decision = ledger.decide(WANTED, environment)
    given = approve(ledger, "bob", environment)
    ledger.grant(ledger.state().people()["p-bob"], withdrawn=True, consent="dora")
    return Move(decision, (given,))


def an_approver_whose_key_was_revoked(ledger: LiveLedger, environment: str) -> Move:
    decision = ledger.decide(WANTED, environment)
    given = approve(ledger, "bob", environment)
    ledger.revoke(ledger.keys["bob"].keyid, "dora", scope=Scope.KEY)
    return Move(decision, (given,))


def a_stranger_asks(ledger: LiveLedger, environment: str) -> Move:
    decision = ledger.decide(WANTED, environment)
    return Move(decision, (approve(ledger, "bob", environment),), requester="p-nobody")


def an_auditor_asks(ledger: LiveLedger, environment: str) -> Move:
    ledger.review(grant(ledger, "p-otto", "auditor", by="root"), "carol")
    decision = ledger.decide(WANTED, environment)
    return Move(decision, (approve(ledger, "bob", environment),), requester="p-otto")


def the_approver_asks_themselves(ledger: LiveLedger, environment: str) -> Move:
    ledger.review(grant(ledger, "p-bob", "approver", "releaser", by="root"), "carol")
    decision = ledger.decide(WANTED, environment)
    return Move(decision, (approve(ledger, "bob", environment),), requester="p-bob")


def a_revoked_release(ledger: LiveLedger, environment: str) -> Move:
    decision = ledger.decide(WANTED, environment)
    given = approve(ledger, "bob", environment)
    ledger.revoke(WANTED.digest, "dora")
    return Move(decision, (given,))


def a_revoked_asset(ledger: LiveLedger, environment: str) -> Move:
    decision = ledger.decide(WANTED, environment)
    given = approve(ledger, "bob", environment)
    ledger.revoke(WANTED.assets[1].sha256, "dora", scope=Scope.ASSET)
    return Move(decision, (given,))


def thaws_alone(ledger: LiveLedger, environment: str) -> Move:
    """Dora froze; mallory lifts it, and consents to their own wish."""
    held = ledger.state().freezes.get(("bot", environment))
    if held is None:
        ledger.add(Freeze(False, "bot", environment, "", "", "", ledger.root).statement(), "dora")
        held = ledger.state().freezes["bot", environment]
    lift = Freeze(True, "bot", environment, "", "", held.head, ledger.root)
    ledger.review(ledger.add(lift.statement(), "mallory"), "mallory")
    decision = ledger.decide(WANTED, environment)
    return Move(decision, (approve(ledger, "bob", environment),))


def another_realm(ledger: LiveLedger, environment: str) -> Move:
    decision = ledger.decide(WANTED, environment)
    return Move(decision, (approve(ledger, "bob", environment),), realm="ab" * 32)


def on_top_of_another_head(ledger: LiveLedger, environment: str) -> Move:
    decision = ledger.decide(WANTED, environment)
    return Move(decision, (approve(ledger, "bob", environment),), prev="ab" * 32)


def signed_by(signer: str) -> Callable[[LiveLedger, str], Move]:
    def defect(ledger: LiveLedger, environment: str) -> Move:
        decision = ledger.decide(WANTED, environment)
        return Move(decision, (approve(ledger, "bob", environment),), signer=signer)

    defect.__name__ = f"signed_by_{signer}"
    return defect


ABSENT: tuple[Callable[[LiveLedger, str], Move], ...] = (
    nobody_was_there,
    was_there_too_long_ago,
    will_have_been_there,
    a_second_factor_without_a_time,
    approved_before_presence_was_demanded,
)
DEFECTS: tuple[Callable[[LiveLedger, str], Move], ...] = (
    nobody_approves,
    approves_alone,
    second_account,
    another_digest,
    another_basis,
    another_environment,
    before_the_gate_decided_again,
    a_denied_decision,
    a_decision_about_another_release,
    a_decision_for_another_environment,
    no_decision,
    a_decision_that_somebody_else_signed,
    a_decision_that_is_too_old,
    expired_between_check_and_promote,
    two_roles_by_one_person,
    *ABSENT,
    two_approvers_by_one_person,
    a_nonce_used_before,
    an_approval_that_never_was,
    an_approval_of_another_realm,
    a_denial_counted_as_approval,
    approval_without_end,
    grants_approves_reverts,
    grants_themselves,
    a_friend_granted_by_the_author,
    lowers_the_quorum_alone,
    adopts_a_policy_alone,
    decides_by_another_policy_than_the_adopted,
    who_changed_the_policy_approves,
    breaks_the_glass_alone,
    breaks_the_glass_with_a_second_account,
    a_break_glass_that_is_over,
    a_break_glass_for_a_year,
    a_break_glass_about_something_else,
    a_break_glass_that_was_rejected,
    a_waiver_for_a_break_glass,
    a_machine_approves,
    an_approver_without_the_role,
    an_approver_who_left,
    an_approver_whose_key_was_revoked,
    a_stranger_asks,
    an_auditor_asks,
    the_approver_asks_themselves,
    a_revoked_release,
    a_revoked_asset,
    thaws_alone,
    another_realm,
    on_top_of_another_head,
    *(signed_by(signer) for signer in ("mallory", "bob", "root", "producer", "ci")),
)
#: Ways into a slot. A rollback to what the slot never held, and exposing a candidate that is none, need nothing more.
ENTRIES = ("promote", "candidate")


def attempt(
    history: LiveLedger, environment: str, defect: Callable[[LiveLedger, str], Move], entry: str
) -> str:
    """Try once; the code of the refusal."""
    ledger = history.fork()
    slot = ledger.state().slot("bot", environment)
    before = (slot.current, slot.candidate)
    digest = move(ledger, environment, defect(ledger, environment), entry=entry)
    after = ledger.state().slot("bot", environment)
    assert (after.current, after.candidate) == before, f"{defect.__name__} worked"
    return ledger.code(digest)


@pytest.mark.parametrize("environment", ENVIRONMENTS)
@pytest.mark.parametrize("history", HISTORIES, ids=lambda h: h.__name__)
def test_no_way_around(history: Callable[[tuple[str, ...], str], LiveLedger], environment: str) -> None:
    codes: Counter[str] = Counter()
    for roles in ROLES:
        ground = history(roles, environment)
        for defect, entry in product(DEFECTS, ENTRIES):
            code = attempt(ground, environment, defect, entry)
            assert code.startswith("LF72"), f"{defect.__name__} by {roles}: no reason given"
            codes[code] += 1
    assert sum(codes.values()) == len(ROLES) * len(DEFECTS) * len(ENTRIES)


@pytest.mark.parametrize("environment", ENVIRONMENTS)
@pytest.mark.parametrize("defect", ABSENT, ids=lambda d: d.__name__)
def test_who_was_not_there_is_told_so(defect: Callable[[LiveLedger, str], Move], environment: str) -> None:
    for history in (below, behind_another):
        ledger = history(("releaser",), environment)
        move(ledger, environment, defect(ledger, environment))
        last = ledger.state().records[-1]
        assert (last.code, "LF4513" in last.reason) == ("LF7260", True), last.reason


@pytest.mark.parametrize("environment", ENVIRONMENTS)
@pytest.mark.parametrize("ago", [-60, 0, 900])
def test_who_was_there_approves(environment: str, ago: int) -> None:
    ledger = below(("releaser",), environment)
    demands_presence(ledger)
    decision = ledger.decide(WANTED, environment)
    proved = rfc3339(NOW + ledger.clock - ago)
    how = Move(decision, (approve(ledger, "bob", environment, factor="key+totp", proved=proved),))
    assert not ledger.code(move(ledger, environment, how)), ledger.state().records[-1].reason


def test_the_matrix_is_large_enough() -> None:
    assert len(ENVIRONMENTS) * len(HISTORIES) * len(ROLES) * len(DEFECTS) * len(ENTRIES) >= 5_000


@pytest.mark.parametrize("environment", ENVIRONMENTS)
@pytest.mark.parametrize("entry", ["rollback", "expose", "hold"])
@pytest.mark.parametrize("roles", ROLES, ids="-".join)
def test_no_other_action_lets_anything_in(environment: str, entry: str, roles: tuple[str, ...]) -> None:
    for history in HISTORIES:
        ground = history(roles, environment)
        how = Move(ground.decide(WANTED, environment), (approve(ground, "bob", environment),))
        assert ground.code(move(ground, environment, how, entry=entry))


@pytest.mark.parametrize("roles", [("releaser",), ("author", "releaser")], ids="-".join)
@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_the_proper_way_works(environment: str, roles: tuple[str, ...]) -> None:
    """The look-alike of all those attempts: the same people, the same steps, and nothing missing."""
    for history in (below, behind_another):
        ledger = history(roles, environment)
        decision = ledger.decide(WANTED, environment)
        how = Move(decision, (approve(ledger, "bob", environment),))
        assert not ledger.code(move(ledger, environment, how)), ledger.state().records[-1].reason
        slot = ledger.state().slot("bot", environment)
        assert slot.current is not None
        assert slot.current.release == WANTED.digest


WAIVERS = {
    "without an end": {"expires": ""},
    "for more than 90 days": {"expires": rfc3339(NOW + 91 * DAY)},
    "that ended before it began": {"expires": rfc3339(NOW - DAY)},
    "on revocation": {"rule": "LF4108"},
    "on a signature": {"rule": "LF7123"},
    "on separation of duties": {"rule": "LF4506"},
    "on the gate itself": {"rule": "LF4016"},
    "on every rule": {"rule": "*"},
    "on a pattern of rules": {"rule": "LF41*"},
    "on every digest": {"scope": Reaches(Reach.RELEASE, "*")},
    "on every project": {"scope": Reaches(Reach.PROJECT, "", "*", "staging")},
    "on every environment": {"scope": Reaches(Reach.PROJECT, "", "bot", "*")},
    "on a project everywhere": {"scope": Reaches(Reach.PROJECT, "", "bot", "")},
    "without a ticket": {"ticket": ""},
    "without a reason": {"reason": ""},
    "of another realm": {"realm": "ab" * 32},
    "with a nonce that is none": {"nonce": "1"},
    "that renews nothing": {"renews": "ab" * 32},
}


@pytest.mark.parametrize("changes", WAIVERS.values(), ids=WAIVERS)
@pytest.mark.parametrize("roles", ROLES, ids="-".join)
def test_no_waiver_without_bounds(changes: dict[str, object], roles: tuple[str, ...]) -> None:
    ledger = below(roles, "staging")
    given: dict[str, object] = {
        "kind": WaiverKind.WAIVER,
        "rule": "LF4105",
        "scope": Reaches(Reach.RELEASE, WANTED.digest),
        "expires": rfc3339(NOW + DAY),
        "not_before": rfc3339(NOW),
    }
    digest = break_glass(ledger, "staging", "mallory", **{**given, **changes})  # type: ignore[arg-type]
    assert ledger.code(digest)
    ledger.review(digest, "dora")
    assert digest not in ledger.state().proposals


@pytest.mark.parametrize("roles", ROLES, ids="-".join)
def test_who_asks_for_a_waiver_does_not_give_it(roles: tuple[str, ...]) -> None:
    ledger = below(roles, "staging")
    changes: dict[str, object] = {
        "kind": WaiverKind.WAIVER,
        "rule": "LF4105",
        "scope": Reaches(Reach.RELEASE, WANTED.digest),
    }
    digest = break_glass(ledger, "staging", "mallory", **changes)  # type: ignore[arg-type]
    ledger.review(digest, "mallory")
    proposal = ledger.state().proposals.get(digest)
    assert proposal is None or not proposal.consented
    if proposal is not None:
        ledger.review(digest, "dora")
        assert proposal.consented
