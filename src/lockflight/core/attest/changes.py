"""Statements that change what the realm demands: environments, policies, waivers, freezes; and their second person.

In a team realm a change is a proposal until another person consents with a `review/v1`. A waiver is one too: who
wants it does not give it. Each record writes its own predicate and reads it back strictly.
"""

from __future__ import annotations

import hashlib
import re
from enum import StrEnum
from typing import TYPE_CHECKING, TypeVar

from lockflight.core.attest import statement as st
from lockflight.core.attest.trust import Environment, parse_ladder
from lockflight.core.canonical import dumps
from lockflight.core.records import dataclass
from lockflight.core.shape import hex64, obj, text, texts
from lockflight.core.times import unix

if TYPE_CHECKING:
    from lockflight.core.canonical import JsonObject, JsonValue

T = TypeVar("T")

DAY = 86_400
#: Longest life of a waiver and of a break-glass, in seconds, from the moment they are logged.
MAX_WAIVER_S = 90 * DAY
MAX_BREAK_GLASS_S = DAY
#: How long a proposal waits for its second person, in seconds.
PROPOSAL_S = 14 * DAY

#: Rules that no waiver reaches, whatever a policy says: signatures, revocation, separation of duties, the gate itself.
NEVER_WAIVED = re.compile(r"LF(?:7\d{3}|45\d\d|40\d\d|4100|4101|4108|4109|4112|4116)", re.ASCII)

_CODE = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{1,63}", re.ASCII)
_NONCE = re.compile(r"[0-9a-f]{32}", re.ASCII)
_WORDS = 200
#: A term may be the name of a file.
MAX_TERM = 1_000


@dataclass(frozen=True, slots=True)
class LadderChange:
    """The environments of the realm from now on.

    Attributes:
        name: the realm's name.
        ladder: all environments, those that stay as they are too.
        prev: envelope digest of the last effective change; empty for the first.
        realm: root digest.
    """

    name: str
    ladder: tuple[Environment, ...]
    prev: str
    realm: str

    def statement(self) -> st.Statement:
        """The statement to sign with the person's key."""
        predicate: JsonObject = {
            "environments": [step.to_json() for step in self.ladder],
            "prev": self.prev,
            "realm": self.realm,
        }
        return st.Statement(st.ENVIRONMENT, (st.SubjectRef(self.name, self.realm),), predicate)


def parse_ladder_change(statement: st.Statement) -> LadderChange:
    """Read an `environment/v1` statement.

    Raises:
        KeyError, TypeError, ValueError: another shape.
    """
    raw = statement.predicate
    result = LadderChange(
        name=statement.subjects[0].name,
        ladder=parse_ladder(raw["environments"]),
        prev=text(raw["prev"]),
        realm=hex64(raw["realm"]),
    )
    return _same(result, result.statement(), statement)


@dataclass(frozen=True, slots=True)
class Adoption:
    """A policy bundle that judges from now on.

    Attributes:
        name, version: of the bundle, for people.
        bundle: its digest.
        blob: SHA-256 of the blob with its files; empty for a pack that ships with Lockflight.
        environments: where it judges; empty for everywhere.
        prev: envelope digest of the last effective adoption; empty for the first.
        realm: root digest.
        signed_by: id of the key whose signature of the bundle held when it was proposed; empty where nobody signed.
    """

    name: str
    version: str
    bundle: str
    blob: str
    environments: tuple[str, ...]
    prev: str
    realm: str
    signed_by: str = ""

    def statement(self) -> st.Statement:
        """The statement to sign with the person's key."""
        predicate: JsonObject = {
            "version": self.version,
            "blob": self.blob,
            "environments": list(self.environments),
            "prev": self.prev,
            "realm": self.realm,
        }
        if self.signed_by:
            predicate["signedBy"] = self.signed_by
        return st.Statement(st.POLICY, (st.SubjectRef(self.name, self.bundle),), predicate)


def parse_adoption(statement: st.Statement) -> Adoption:
    """Read a `policy/v1` statement.

    Raises:
        KeyError, TypeError, ValueError: another shape.
    """
    raw = statement.predicate
    result = Adoption(
        name=statement.subjects[0].name,
        version=text(raw["version"]),
        bundle=statement.subjects[0].sha256,
        blob=hex64(raw["blob"]) if raw["blob"] else "",
        environments=texts(raw["environments"]),
        prev=text(raw["prev"]),
        realm=hex64(raw["realm"]),
        signed_by=hex64(raw["signedBy"]) if "signedBy" in raw else "",
    )
    return _same(result, result.statement(), statement)


class WaiverKind(StrEnum):
    """A waiver takes one violation away for a while; a break-glass all that may be, for a day at most."""

    WAIVER = "waiver"
    BREAK_GLASS = "break-glass"


class Reach(StrEnum):
    """What a waiver is about."""

    ASSET = "asset"
    RELEASE = "release"
    PROJECT = "project"


@dataclass(frozen=True, slots=True)
class Scope:
    """What a waiver covers: one digest, or one project in one environment; never more.

    Attributes:
        kind: which of the two.
        digest: SHA-256 of the asset or release; empty for a project.
        project: of which project; empty for a digest.
        environment: where; may narrow a digest too, and must be set for a project.
    """

    kind: Reach
    digest: str = ""
    project: str = ""
    environment: str = ""

    def to_json(self) -> JsonObject:
        """The form in statements and facts."""
        return {
            "kind": self.kind.value,
            "digest": self.digest,
            "project": self.project,
            "environment": self.environment,
        }

    @property
    def sha256(self) -> str:
        """What the statement is about: the digest itself, or that of the canonical scope."""
        return self.digest or hashlib.sha256(dumps(self.to_json())).hexdigest()


def parse_scope(value: JsonValue) -> Scope:
    """Read a scope.

    Raises:
        KeyError, TypeError, ValueError: another shape, a pattern, or a scope without end.
    """
    raw = obj(value)
    scope = Scope(
        Reach(text(raw["kind"])), text(raw["digest"]), text(raw["project"]), text(raw["environment"])
    )
    if scope.kind is Reach.PROJECT:
        if scope.digest or not scope.project or not scope.environment:
            raise ValueError("a project's scope names the project and the environment, and no digest")
        if "*" in scope.project + scope.environment:
            raise ValueError("a scope is no pattern")
    else:
        hex64(scope.digest)
        if scope.project:
            raise ValueError("a digest's scope names no project")
    return scope


@dataclass(frozen=True, slots=True)
class Waiver:
    """Somebody asks that a violation be put up with for a while.

    Attributes:
        kind: waiver or break-glass.
        name: of what it covers, for people.
        rule: code of the rule; `*` in a break-glass: every rule that may be waived.
        term: what the rule was applied to, exactly as the decision says; empty for the whole release.
        scope: what it covers.
        reason: SHA-256 of the erasable blob with reason and compensating control.
        ticket: id of the ticket or incident elsewhere.
        not_before, expires: RFC 3339 Z.
        renews: envelope digest of the waiver that this one follows; empty for a first one.
        nonce: 32 random hex digits.
        realm: root digest.
    """

    kind: WaiverKind
    name: str
    rule: str
    term: str
    scope: Scope
    reason: str
    ticket: str
    not_before: str
    expires: str
    renews: str
    nonce: str
    realm: str

    def statement(self) -> st.Statement:
        """The statement to sign with the key of the person who asks."""
        predicate: JsonObject = {
            "kind": self.kind.value,
            "rule": self.rule,
            "term": self.term,
            "scope": self.scope.to_json(),
            "reason": self.reason,
            "ticket": self.ticket,
            "notBefore": self.not_before,
            "expires": self.expires,
            "renews": self.renews,
            "nonce": self.nonce,
            "realm": self.realm,
        }
        return st.Statement(st.WAIVER, (st.SubjectRef(self.name, self.scope.sha256),), predicate)

    def faults(self, logged_at: int) -> str:
        """Why it can never count; empty when it can.

        Args:
            logged_at: Unix seconds.
        """
        starts, ends = unix(self.not_before), unix(self.expires)
        longest = MAX_WAIVER_S if self.kind is WaiverKind.WAIVER else MAX_BREAK_GLASS_S
        if ends <= starts:
            return "it ends before it begins"
        if ends - starts > longest or ends > logged_at + longest:
            return f"it lasts longer than {longest // DAY} days"
        if self.kind is WaiverKind.WAIVER:
            if NEVER_WAIVED.fullmatch(self.rule):
                return f"the rule {self.rule} is never waived"
            if not _CODE.fullmatch(self.rule):
                return f"{self.rule[:40]!r} is no code of a rule"
        elif self.rule != "*" or self.scope.kind is not Reach.RELEASE or not self.scope.environment:
            return "a break-glass is about one release in one environment"
        if not self.ticket or not self.reason:
            return "it names no ticket or no reason"
        return ""


def parse_waiver(statement: st.Statement) -> Waiver:
    """Read a `waiver/v1` statement.

    Raises:
        KeyError, TypeError, ValueError: another shape.
    """
    raw = statement.predicate
    result = Waiver(
        kind=WaiverKind(text(raw["kind"])),
        name=_short(statement.subjects[0].name),
        rule=_short(raw["rule"]),
        term=_short(raw["term"], MAX_TERM),
        scope=parse_scope(raw["scope"]),
        reason=text(raw["reason"]),
        ticket=_short(raw["ticket"]),
        not_before=text(raw["notBefore"]),
        expires=text(raw["expires"]),
        renews=text(raw["renews"]),
        nonce=text(raw["nonce"]),
        realm=hex64(raw["realm"]),
    )
    if not _NONCE.fullmatch(result.nonce):
        raise ValueError("a nonce is 32 hex digits")
    unix(result.not_before)
    unix(result.expires)
    return _same(result, result.statement(), statement)


@dataclass(frozen=True, slots=True)
class Freeze:
    """Nothing moves in for a while; rollback and retirement stay possible.

    Attributes:
        lift: the freeze ends instead.
        project: which project; empty for all.
        environment: which environment; empty for all.
        reason: SHA-256 of the erasable blob with the reason; empty without one.
        expires: RFC 3339 Z; empty for until lifted.
        prev: envelope digest of the last effective statement about the same scope; empty for the first.
        realm: root digest.
    """

    lift: bool
    project: str
    environment: str
    reason: str
    expires: str
    prev: str
    realm: str

    @property
    def sha256(self) -> str:
        """SHA-256 of the canonical scope: what the statement is about."""
        return hashlib.sha256(dumps(["lockflight-freeze/v1", self.project, self.environment])).hexdigest()

    def statement(self) -> st.Statement:
        """The statement to sign with the person's key."""
        predicate: JsonObject = {
            "action": "lift" if self.lift else "freeze",
            "project": self.project,
            "environment": self.environment,
            "reason": self.reason,
            "expires": self.expires,
            "prev": self.prev,
            "realm": self.realm,
        }
        name = f"{self.project or 'all projects'} in {self.environment or 'all environments'}"
        return st.Statement(st.FREEZE, (st.SubjectRef(name, self.sha256),), predicate)


def parse_freeze(statement: st.Statement) -> Freeze:
    """Read a `freeze/v1` statement.

    Raises:
        KeyError, TypeError, ValueError: another shape.
    """
    raw = statement.predicate
    result = Freeze(
        lift=text(raw["action"]) == "lift",
        project=text(raw["project"]),
        environment=text(raw["environment"]),
        reason=text(raw["reason"]),
        expires=text(raw["expires"]),
        prev=text(raw["prev"]),
        realm=hex64(raw["realm"]),
    )
    if result.expires:
        unix(result.expires)
    return _same(result, result.statement(), statement)


class Verdict(StrEnum):
    """What a second person says of a statement."""

    CONSENT = "consent"
    REJECT = "reject"
    CLOSE = "close"


@dataclass(frozen=True, slots=True)
class Review:
    """A second person's word on a proposal, or the review that closes a break-glass.

    Attributes:
        of: envelope digest of the statement.
        name: its kind, for people.
        verdict: consent, reject or close.
        note: SHA-256 of the erasable blob with words; empty without.
        realm: root digest.
    """

    of: str
    name: str
    verdict: Verdict
    note: str
    realm: str

    def statement(self) -> st.Statement:
        """The statement to sign with the person's key."""
        predicate: JsonObject = {"verdict": self.verdict.value, "note": self.note, "realm": self.realm}
        return st.Statement(st.REVIEW, (st.SubjectRef(self.name, self.of),), predicate)


def parse_review(statement: st.Statement) -> Review:
    """Read a `review/v1` statement.

    Raises:
        KeyError, TypeError, ValueError: another shape.
    """
    raw = statement.predicate
    result = Review(
        of=statement.subjects[0].sha256,
        name=statement.subjects[0].name,
        verdict=Verdict(text(raw["verdict"])),
        note=text(raw["note"]),
        realm=hex64(raw["realm"]),
    )
    return _same(result, result.statement(), statement)


def _short(value: JsonValue, longest: int = _WORDS) -> str:
    words = text(value)
    if len(words) > longest:
        raise ValueError(f"a text is longer than {longest} characters")
    return words


def _same(result: T, written: st.Statement, read: st.Statement) -> T:
    if written != read:
        raise ValueError("unknown fields")
    return result
