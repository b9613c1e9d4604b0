"""Statements by people and by the gate: registration, approval, promotion, revocation.

Each names the root digest of its realm, so that a key that is used in two realms cannot be quoted in the other.
Each record writes its own predicate and reads it back strictly; formats in the log are permanent.
"""

from __future__ import annotations

import hashlib
import re
from enum import StrEnum
from typing import TYPE_CHECKING, TypeVar

from lockflight.core.attest import statement as st
from lockflight.core.attest.tree import Tree, parse_tree
from lockflight.core.attest.trust import FACTORS
from lockflight.core.records import dataclass
from lockflight.core.shape import hex64, natural, text, texts
from lockflight.core.times import unix

if TYPE_CHECKING:
    from lockflight.core.canonical import JsonObject

FULL_EXPOSURE = 10_000

T = TypeVar("T")

_NONCE = re.compile(r"[0-9a-f]{32}", re.ASCII)


class Action(StrEnum):
    """What a promotion statement does to a slot."""

    PROMOTE = "promote"
    EXPOSE = "expose"
    HOLD = "hold"
    ROLLBACK = "rollback"
    RETIRE = "retire"


class Scope(StrEnum):
    """What a revocation is about."""

    RELEASE = "release"
    ASSET = "asset"
    KEY = "key"
    IDENTITY = "identity"


def identity_digest(principal: str) -> str:
    """What the revocation of a person or machine is about: SHA-256 (hex) of the pseudonym."""
    return hashlib.sha256(f"lockflight-identity/v1 {principal}".encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Registration:
    """A person puts a signed release before the realm: who is its author.

    Attributes:
        release: release digest.
        name, version, kind, tier: of the release.
        signature: envelope digest of the release's OMS statement.
        oms_root: what OMS tools show as the digest.
        tree: of the release's assets; None in registrations that were written before there was one.
    """

    release: str
    name: str
    version: str
    kind: str
    tier: str
    signature: str
    oms_root: str
    realm: str = ""
    tree: Tree | None = None

    def statement(self) -> st.Statement:
        """The statement to sign with the person's key."""
        predicate: JsonObject = {
            "name": self.name,
            "version": self.version,
            "kind": self.kind,
            "tier": self.tier,
            "signature": self.signature,
            "realm": self.realm,
        }
        if self.tree is not None:
            predicate["tree"] = self.tree.to_json()
        subject = st.SubjectRef(self.name, self.release, (("omsRoot", self.oms_root),))
        return st.Statement(st.REGISTRATION, (subject,), predicate)


def parse_registration(statement: st.Statement) -> Registration:
    """Read a `registration/v1` statement.

    Raises:
        KeyError, TypeError, ValueError: another shape.
    """
    raw = statement.predicate
    subject = statement.subjects[0]
    result = Registration(
        release=subject.sha256,
        name=text(raw["name"]),
        version=text(raw["version"]),
        kind=text(raw["kind"]),
        tier=text(raw["tier"]),
        signature=hex64(raw["signature"]),
        oms_root=hex64(dict(subject.others)["omsRoot"]),
        realm=hex64(raw["realm"]),
        tree=parse_tree(raw["tree"]) if "tree" in raw else None,
    )
    return _same(result, result.statement(), statement)


@dataclass(frozen=True, slots=True)
class Approval:
    """A person's yes or no, bound to release + environment + basis + nonce + expiry.

    Attributes:
        release: release digest.
        name: release name.
        environment: where to.
        basis: basis of the decision that the person saw; any other basis voids the approval.
        verdict: `approve` or `deny`.
        nonce: 32 random hex digits.
        expires: RFC 3339 Z.
        note: SHA-256 of the erasable blob with the reason; empty without one.
        factor: how the person proved to be there; one of `trust.FACTORS`.
        proved: when that was, RFC 3339 Z, by the signer's own word; empty for a bare key, and in older statements.
    """

    release: str
    name: str
    environment: str
    basis: str
    verdict: str
    nonce: str
    expires: str
    note: str = ""
    realm: str = ""
    factor: str = FACTORS[0]
    proved: str = ""

    def statement(self) -> st.Statement:
        """The statement to sign with the person's key."""
        proved: JsonObject = {"proved": self.proved} if self.proved else {}
        predicate: JsonObject = {
            **proved,
            "environment": self.environment,
            "basis": self.basis,
            "verdict": self.verdict,
            "nonce": self.nonce,
            "expires": self.expires,
            "note": self.note,
            "factor": self.factor,
            "realm": self.realm,
        }
        return st.Statement(st.APPROVAL, (st.SubjectRef(self.name, self.release),), predicate)


def parse_approval(statement: st.Statement) -> Approval:
    """Read an `approval/v1` statement.

    Raises:
        KeyError, TypeError, ValueError: another shape.
    """
    raw = statement.predicate
    result = Approval(
        release=statement.subjects[0].sha256,
        name=statement.subjects[0].name,
        environment=text(raw["environment"]),
        basis=hex64(raw["basis"]),
        verdict=text(raw["verdict"]),
        nonce=text(raw["nonce"]),
        expires=text(raw["expires"]),
        note=text(raw["note"]),
        realm=hex64(raw["realm"]),
        factor=text(raw["factor"]),
        proved=text(raw["proved"]) if "proved" in raw else "",
    )
    if result.factor not in FACTORS:
        raise ValueError(f"factor {result.factor!r}")
    if result.verdict not in {"approve", "deny"}:
        raise ValueError(f"verdict {result.verdict!r}")
    if not _NONCE.fullmatch(result.nonce):
        raise ValueError("a nonce is 32 hex digits")
    unix(result.expires)
    if result.proved:
        unix(result.proved)
        if result.factor == FACTORS[0]:
            raise ValueError("a bare key proves no presence, so it has no time of a proof")
    return _same(result, result.statement(), statement)


@dataclass(frozen=True, slots=True)
class Promotion:
    """The gate changes a slot.

    Attributes:
        action: promote, expose, hold, rollback or retire.
        release: digest of the release that the slot holds afterwards (retire: held before; expose and hold: the
            candidate).
        name, version: of that release.
        project: whose slot; the release's name unless configured otherwise.
        environment: whose slot.
        slot: name of the slot; `main` unless configured otherwise.
        exposure: basis points of the traffic that this release gets; less than all makes it a candidate beside
            the current release.
        prev: envelope digest of the promotion that this one replaces; empty for a slot's first.
        decision: envelope digest of the decision that allowed it; empty for retire and rollback.
        approvals: envelope digests of the approvals that were used.
        requester: pseudonym of the person who asked.
        break_glass: envelope digest of the break-glass that stands for the quorum; empty without one.
    """

    action: Action
    release: str
    name: str
    version: str
    project: str
    environment: str
    prev: str
    decision: str
    approvals: tuple[str, ...]
    requester: str
    slot: str = "main"
    exposure: int = FULL_EXPOSURE
    realm: str = ""
    break_glass: str = ""

    def statement(self) -> st.Statement:
        """The statement to sign with the gate key."""
        predicate: JsonObject = {
            "action": self.action.value,
            "version": self.version,
            "project": self.project,
            "environment": self.environment,
            "slot": self.slot,
            "exposure": self.exposure,
            "prev": self.prev,
            "decision": self.decision,
            "approvals": list(self.approvals),
            "requester": self.requester,
            "breakGlass": self.break_glass,
            "realm": self.realm,
        }
        return st.Statement(st.PROMOTION, (st.SubjectRef(self.name, self.release),), predicate)


def parse_promotion(statement: st.Statement) -> Promotion:
    """Read a `promotion/v1` statement.

    Raises:
        KeyError, TypeError, ValueError: another shape.
    """
    raw = statement.predicate
    result = Promotion(
        action=Action(text(raw["action"])),
        release=statement.subjects[0].sha256,
        name=statement.subjects[0].name,
        version=text(raw["version"]),
        project=text(raw["project"]),
        environment=text(raw["environment"]),
        slot=text(raw["slot"]),
        exposure=natural(raw["exposure"]),
        prev=text(raw["prev"]),
        decision=text(raw["decision"]),
        approvals=texts(raw["approvals"]),
        requester=text(raw["requester"]),
        realm=hex64(raw["realm"]),
        break_glass=text(raw["breakGlass"]),
    )
    if result.exposure > FULL_EXPOSURE:
        raise ValueError(f"exposure {result.exposure} is over {FULL_EXPOSURE} basis points")
    return _same(result, result.statement(), statement)


@dataclass(frozen=True, slots=True)
class Revocation:
    """A person takes a release, an asset or a key back; an asset's revocation hits every release with it.

    Attributes:
        scope: what the digest is.
        digest: release digest, asset SHA-256 or key id.
        name: for people.
        reason: one of a short list of words for machines, such as `compromised`.
        note: SHA-256 of the erasable blob with the free text; empty without one.
    """

    scope: Scope
    digest: str
    name: str
    reason: str
    note: str = ""
    realm: str = ""

    def statement(self) -> st.Statement:
        """The statement to sign with the person's key."""
        predicate: JsonObject = {
            "scope": self.scope.value,
            "reason": self.reason,
            "note": self.note,
            "realm": self.realm,
        }
        return st.Statement(st.REVOCATION, (st.SubjectRef(self.name, self.digest),), predicate)


REVOCATION_REASONS = ("compromised", "vulnerable", "harmful", "licence", "superseded", "other")


def parse_revocation(statement: st.Statement) -> Revocation:
    """Read a `revocation/v1` statement.

    Raises:
        KeyError, TypeError, ValueError: another shape.
    """
    raw = statement.predicate
    result = Revocation(
        scope=Scope(text(raw["scope"])),
        digest=statement.subjects[0].sha256,
        name=statement.subjects[0].name,
        reason=text(raw["reason"]),
        note=text(raw["note"]),
        realm=hex64(raw["realm"]),
    )
    if result.reason not in REVOCATION_REASONS:
        raise ValueError(f"reason {result.reason!r}")
    return _same(result, result.statement(), statement)


def _same(result: T, written: st.Statement, read: st.Statement) -> T:
    if written != read:
        raise ValueError("unknown fields")
    return result
