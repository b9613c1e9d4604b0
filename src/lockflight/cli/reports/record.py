"""A decision with everything that its readers are shown; each format of a report is a pure function of it."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from lockflight.core.records import dataclass

if TYPE_CHECKING:
    from lockflight.cli.reports.waiverrows import IdleWaiver, WaivedRow
    from lockflight.core.facts.admit import Obstacle
    from lockflight.core.facts.holding import Holding
    from lockflight.core.findings import Finding
    from lockflight.core.gate.ruling import RuleResult, Violation


class Verdict(StrEnum):
    """What the gate said; `incomplete` where only evidence is missing, stale or incomplete."""

    ALLOWED = "allowed"
    DENIED = "denied"
    INCOMPLETE = "incomplete"


@dataclass(frozen=True, slots=True)
class AssetRow:
    """One asset; role, size and origin are empty or -1 where only its digest is known."""

    name: str
    role: str
    digest: str
    size: int
    origin: str = ""


@dataclass(frozen=True, slots=True)
class EvidenceRow:
    """One statement of a check that the decision rested on.

    Attributes:
        check, subject: what looked at what.
        digest: of the envelope.
        signer: name or pseudonym of the person, or `realm`.
        logged_at: RFC 3339 Z.
        age_s: seconds at the time of the decision.
        complete: the check finished its work.
        reason: why not.
        tool: name and version.
        findings: what was found.
        more: how many findings were counted, but left out of the statement.
    """

    check: str
    subject: str
    digest: str
    signer: str
    logged_at: str
    age_s: int
    complete: bool
    reason: str
    tool: str
    findings: tuple[Finding, ...]
    more: int = 0


@dataclass(frozen=True, slots=True)
class Rejected:
    """A statement about the release that did not count, and why."""

    digest: str
    type: str
    code: str
    reason: str


@dataclass(frozen=True, slots=True)
class Change:
    """The smallest change of facts with which a rule passes: one line each; and what to say of it, or instead."""

    lines: tuple[str, ...]
    note: str = ""


@dataclass(frozen=True, slots=True)
class Failure:
    """A rule that failed, the findings behind it, what helps, and what would change it if anybody looked."""

    title: str
    said: Violation
    findings: tuple[Finding, ...] = ()
    command: str = ""
    change: Change | None = None


@dataclass(frozen=True, slots=True)
class Passed:
    """A rule that holds."""

    title: str
    said: RuleResult


@dataclass(frozen=True, slots=True)
class Said:
    """What a person said about the release for this environment, and what became of it."""

    person: str
    verdict: str
    logged_at: str
    until: str
    state: str


@dataclass(frozen=True, slots=True)
class People:
    """The part of people.

    Attributes:
        done: nothing is left to do.
        needed: approvals that the environment asks for.
        counted: approvals that count.
        said: every approval and denial, where the log was read for it.
        todo: what is left; never the gate's own denial.
        separation: how duties were separated, as `core.facts.admit` says.
        as_of: when that was so, RFC 3339 Z.
        step_up_s: how old the proof of presence of an approval may be, seconds; 0 where none is demanded.
        held: how the environment holds the release; None where it does not.
    """

    done: bool
    needed: int
    counted: int
    said: tuple[Said, ...]
    todo: tuple[Obstacle, ...]
    separation: str
    as_of: str
    step_up_s: int = 0
    held: Holding | None = None


@dataclass(frozen=True, slots=True)
class Proof:
    """What the decision can be checked by.

    Attributes:
        realm: its name in this home.
        root: digest of the realm's root of trust.
        checkpoint: `size:root` of the log that was read; empty where that is not known.
        envelope: digest of the decision in the log; empty for a rehearsal.
        index: its place in the log; -1 for a rehearsal.
        policy, version, policy_digest: of the policy; name and version may be empty.
        own: name, version and digest of the policy that the release brings along; None where it brings none.
        engines: name, version and digest of what evaluated.
        basis: what approvals are bound to.
        facts, output: digests of what went in and what came out.
    """

    realm: str
    root: str
    checkpoint: str
    envelope: str
    index: int
    policy: str
    version: str
    policy_digest: str
    engines: tuple[tuple[str, str, str], ...]
    basis: str
    facts: str
    output: str
    own: tuple[str, str, str] | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """One decision about one release for one environment.

    Attributes:
        name, version, kind, tier, digest: of the release; version, kind and tier may be empty.
        environment: where to.
        verdict, decided_at: what the gate said, and when (RFC 3339 Z).
        folder: the workspace, as it was typed; empty for a decision out of the log.
        unread: digests of evidence that the decision names and the log does not hold any more.
        elsewhere: how many waivers of the project are about other releases or environments.
        tried: how the changes of the failures were found; empty where nobody looked.
    """

    name: str
    version: str
    kind: str
    tier: str
    digest: str
    environment: str
    verdict: Verdict
    decided_at: str
    failures: tuple[Failure, ...]
    warnings: tuple[Failure, ...]
    waived: tuple[WaivedRow, ...]
    idle: tuple[IdleWaiver, ...]
    passed: tuple[Passed, ...]
    skipped: tuple[str, ...]
    people: People
    assets: tuple[AssetRow, ...]
    evidence: tuple[EvidenceRow, ...]
    rejected: tuple[Rejected, ...]
    unread: tuple[str, ...]
    proof: Proof
    folder: str = ""
    elsewhere: int = 0
    tried: tuple[str, ...] = ()

    @property
    def release(self) -> str:
        """Name and version."""
        return f"{self.name} {self.version}".strip()

    @property
    def rehearsal(self) -> bool:
        """Whether the log does not hold this decision."""
        return not self.proof.envelope
