"""Waivers: a person asks that a failed rule be put up with for a while, another consents (`review`).

What the fold would refuse is refused before it is written, with the reason.
"""

from __future__ import annotations

import secrets
from dataclasses import replace
from typing import TYPE_CHECKING

from lockflight.app.identity.proposals import find
from lockflight.app.policy.ownpolicy import own_of
from lockflight.app.policy.policies import bundle_in_force
from lockflight.app.realm.asof import view_at
from lockflight.app.realm.realm import open_realm
from lockflight.app.realm.speak import Said, need_role, say
from lockflight.app.realm.view import need_environment, read_blob
from lockflight.app.release.resolve import signed
from lockflight.core.attest.acts import Registration
from lockflight.core.attest.changes import DAY, MAX_WAIVER_S, NEVER_WAIVED, Reach, Waiver, WaiverKind
from lockflight.core.fold.people import ASKERS
from lockflight.core.gate.vsa import StoredDecision
from lockflight.core.records import dataclass
from lockflight.core.shape import obj
from lockflight.core.state.waivers import standing
from lockflight.core.text.suggest import did_you_mean
from lockflight.core.times import rfc3339
from lockflight.errors import PolicyDenied, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from lockflight.app.realm.realm import Actor, Realm
    from lockflight.app.realm.view import RealmView
    from lockflight.core.attest.changes import Scope
    from lockflight.core.canonical import JsonObject
    from lockflight.core.release.release import Release
    from lockflight.core.state.state import Proposal, State

MAX_DAYS = MAX_WAIVER_S // DAY
#: The longest rule code, ticket or term that is taken, in characters.
MAX_WORDS = 200


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody asks for.

    Attributes:
        rule: code of the rule.
        term: what it was applied to, as the decision says; empty for the whole release.
        scope: what it covers.
        name: of that, for people.
        reason: why.
        control: what protects meanwhile.
        ticket: id of a ticket elsewhere.
        days: how long.
        starts: Unix seconds.
        renews: start of the digest of the waiver that it follows; empty for a first one.
    """

    rule: str
    term: str
    scope: Scope
    name: str
    reason: str
    control: str
    ticket: str
    days: int
    starts: int
    renews: str = ""


@dataclass(frozen=True, slots=True)
class Standing:
    """A waiver with where it stands.

    Attributes:
        digest: of its envelope.
        waiver: what it says.
        status: one of `core.waivers.STANDINGS`.
        logged_at: Unix seconds.
        requester: who asked.
        approver: who consented or rejected; empty while it waits.
        renewals: how many waivers it follows.
        reason, control: free texts; empty when erased.
    """

    digest: str
    waiver: Waiver
    status: str
    logged_at: int
    requester: str
    approver: str
    renewals: int
    reason: str
    control: str


def request(home: Path, realm_name: str, wish: Wish, *, actor: str, now: int) -> tuple[Said, Standing]:
    """Ask for a waiver. In a team realm it waits for a risk owner's consent.

    Raises:
        UsageError: LF0121 no such environment, LF0140 no such rule, LF0141 a text is missing or too long, LF0142 the
            days are out of range, LF0143 it renews something else, LF0149 the term is a pattern.
        PolicyDenied: LF4554 the rule is never waived, LF4555 the person may not ask.
    """
    realm = open_realm(home, realm_name)
    person = realm.actor(actor)
    if wish.scope.environment:
        need_environment(realm.state, wish.scope.environment)
    _check_rule(realm, wish.rule, wish.scope)
    _check_words(wish)
    _check_term(realm.state, wish)
    if not 0 < wish.days <= MAX_DAYS or wish.starts + wish.days * DAY > now + MAX_WAIVER_S:
        raise UsageError(
            "LF0142",
            f"A waiver ends at most {MAX_DAYS} days from today; {wish.days} from {rfc3339(wish.starts)} is not that.",
            hint=f"--days 1 to {MAX_DAYS}; ask again (--renews DIGEST) when it ends.",
        )
    waiver = Waiver(
        kind=WaiverKind.WAIVER,
        name=wish.name,
        rule=wish.rule,
        term=wish.term,
        scope=wish.scope,
        reason="",
        ticket=wish.ticket,
        not_before=rfc3339(wish.starts),
        expires=rfc3339(wish.starts + wish.days * DAY),
        renews=_renewed(realm.state, wish),
        nonce=secrets.token_hex(16),
        realm=realm.state.root,
    )
    need_role(realm, person, ASKERS, "ask for a waiver", code="LF4555")
    return ask(realm, person, waiver, {"reason": wish.reason, "control": wish.control}, now)


def _check_term(state: State, wish: Wish) -> None:
    """Refuse a pattern, unless a decision named just that: a file may be called so."""
    if "*" not in wish.term:
        return
    named = (
        (rule.code, rule.term)
        for records in state.decisions.values()
        for record in records
        if isinstance(record.fact, StoredDecision)
        for rule in record.fact.rules
    )
    if (wish.rule, wish.term) not in named:
        raise UsageError(
            "LF0149",
            f"No decision applied {wish.rule} to {wish.term!r}, and a waiver takes no pattern.",
            hint="Name one term as the decision says it: lockflight check DIR --env ENVIRONMENT",
        )


def ask(
    realm: Realm, person: Actor, waiver: Waiver, texts: Mapping[str, str], now: int
) -> tuple[Said, Standing]:
    """Record a waiver or break-glass with its texts in one erasable blob.

    Raises:
        PolicyDenied: LF4555 it would not count; the reason is in the message, and nothing was logged.
    """
    waiver = replace(waiver, reason=realm.put_blob(dict(texts)))
    said = say(realm, person, waiver.statement(), f"ask for this {waiver.kind}", code="LF4555")
    return said, _standing(realm.view, realm.state.proposals[said.envelope], waiver, now)


def rules(realm: Realm, environment: str = "", scope: Scope | None = None) -> Mapping[str, JsonObject]:
    """Every rule of the policies in force: code to metadata; of several that differ, one that may be waived.

    Args:
        realm: whose policies.
        environment: where they judge; empty for everywhere.
        scope: with the rules that signed releases in it bring along, where the realm has none of that code.
    """
    found: dict[str, JsonObject] = {}
    for name in [environment] if environment else realm.state.environments:
        for code, meta in bundle_in_force(realm.folder, realm.state, name).rules.items():
            if code not in found or obj(meta)["waivable"] is True:
                found[code] = obj(meta)
    for release in signed(realm.state) if scope is not None else ():
        if scope is not None and release.policy and _about(scope, release):
            own = _own_rules(realm, release)
            found = {**own, **found}
    return found


def _about(scope: Scope, release: Release) -> bool:
    if scope.kind is Reach.PROJECT:
        return scope.project == release.name
    return scope.digest in {release.digest, *release.contents}


def _own_rules(realm: Realm, release: Release) -> dict[str, JsonObject]:
    """Rules of a release's own policy; none where it cannot judge, since then nothing of it can be waived either."""
    try:
        own = own_of(release, realm.folder)
    except PolicyDenied:
        return {}
    return {code: obj(meta) for code, meta in own.bundle.rules.items()} if own is not None else {}


def _check_rule(realm: Realm, code: str, scope: Scope) -> None:
    known = rules(realm, scope.environment, scope)
    if code not in known and not NEVER_WAIVED.fullmatch(code):
        raise UsageError(
            "LF0140",
            f"There is no rule {code!r} of which a waiver could speak."
            + (" A waiver names one rule, never all." if "*" in code else ""),
            hint=did_you_mean(code, known, otherwise="lockflight policy show lists the rules."),
        )
    if NEVER_WAIVED.fullmatch(code) or known[code]["waivable"] is not True:
        raise PolicyDenied(
            "LF4554",
            f"The rule {code} is never waived: what it guards would be guarded no more.",
            hint=f"lockflight explain {code} says what makes it pass",
        )


def _check_words(wish: Wish) -> None:
    for option, words in (("--reason", wish.reason), ("--control", wish.control), ("--ticket", wish.ticket)):
        if not words.strip():
            raise UsageError(
                "LF0141",
                f"{option} is empty; a waiver says why, what protects meanwhile, and where it is tracked.",
                hint="lockflight waiver request --help",
            )
    for option, words in (("--ticket", wish.ticket), ("--term", wish.term)):
        if len(words) > MAX_WORDS:
            raise UsageError(
                "LF0141",
                f"{option} has {len(words)} characters; at most {MAX_WORDS} are kept.",
                hint="Put long texts into --reason.",
            )


def _renewed(state: State, wish: Wish) -> str:
    if not wish.renews:
        return ""
    digest = find(state, wish.renews)
    before = state.proposals[digest].fact
    if not isinstance(before, Waiver) or (before.kind, before.rule) != (WaiverKind.WAIVER, wish.rule):
        raise UsageError(
            "LF0143",
            f"{wish.renews} is no waiver of the rule {wish.rule}, so it is not renewed by this one.",
            hint="lockflight waiver list",
        )
    return digest


def listed(
    home: Path, realm_name: str, *, project: str = "", as_of: int | None = None, now: int
) -> tuple[RealmView, list[Standing]]:
    """Every waiver and break-glass of the realm, oldest first.

    Args:
        home: folder of realms.
        realm_name: the realm.
        project: only those that can touch a release of this name.
        as_of: Unix seconds of an earlier time; None for now.
        now: Unix seconds.

    Raises:
        NotFound, EnvironmentProblem, VerificationFailed: as `view_at`.
    """
    view = view_at(home, realm_name, as_of)
    digests = _digests(view.state, project)
    rows = [
        _standing(view, proposal, proposal.fact, now)
        for proposal in view.state.waivers.values()
        if isinstance(proposal.fact, Waiver) and (not project or _touches(proposal.fact, project, digests))
    ]
    return view, rows


@dataclass(frozen=True, slots=True)
class Texts:
    """Free texts of a waiver, kept beside the log.

    Attributes:
        reason: why somebody asked.
        control: what protects meanwhile.
        kept: whether this realm's store still holds them; they may be erased.
    """

    reason: str = ""
    control: str = ""
    kept: bool = False


@dataclass(frozen=True, slots=True)
class Known:
    """What a realm knows of the waivers of a project, beside what facts say.

    Attributes:
        texts: envelope digest to free texts.
        elsewhere: digests of those that are about other releases or environments.
    """

    texts: Mapping[str, Texts]
    elsewhere: frozenset[str]


def known_waivers(view: RealmView, project: str, release: str, environment: str) -> Known:
    """Every waiver that can touch a project, for readers of a decision about one of its releases.

    Args:
        view: the realm.
        project: name of the releases.
        release: digest of the one that was judged.
        environment: where to; empty for anywhere.
    """
    digests = _digests(view.state, project)
    inside = frozenset({release, *view.state.contents(release)})
    texts: dict[str, Texts] = {}
    elsewhere = set()
    for digest, proposal in view.state.waivers.items():
        fact = proposal.fact
        if not isinstance(fact, Waiver):
            continue
        scope = fact.scope
        here = (scope.digest in inside if scope.digest else scope.project == project) and (
            not environment or scope.environment in {"", environment}
        )
        if here:
            words = read_blob(view.folder, fact.reason)
            texts[digest] = Texts(str(words.get("reason", "")), str(words.get("control", "")), bool(words))
        elif _touches(fact, project, digests):
            elsewhere.add(digest)
    return Known(texts, frozenset(elsewhere))


def _touches(waiver: Waiver, project: str, digests: frozenset[str]) -> bool:
    if waiver.scope.kind is Reach.PROJECT:
        return waiver.scope.project == project
    return waiver.scope.digest in digests


def _digests(state: State, project: str) -> frozenset[str]:
    """Every release that was registered under a name, and everything in them."""
    releases = {
        release
        for release, records in state.registrations.items()
        if any(isinstance(r.fact, Registration) and r.fact.name == project for r in records)
    }
    return frozenset(releases.union(*(state.contents(release) for release in releases)))


def _standing(view: RealmView, proposal: Proposal, waiver: Waiver, now: int) -> Standing:
    words = read_blob(view.folder, waiver.reason)
    return Standing(
        digest=proposal.digest,
        waiver=waiver,
        status=standing(view.state, proposal, now),
        logged_at=proposal.logged_at,
        requester=view.name_of(proposal.proposer),
        approver=view.name_of(proposal.decided_by) if proposal.decided_by else "",
        renewals=proposal.depth,
        reason=str(words.get("reason", "")),
        control=str(words.get("control", "")),
    )
