"""Findings: one thing that a check found, in a form every renderer and policy understands.

A finding never holds a secret or personal datum: the message may hold a masked excerpt, the fingerprint is keyed.
"""

from __future__ import annotations

import hashlib
from dataclasses import field
from enum import StrEnum

from lockflight.core.canonical import JsonObject, dumps
from lockflight.core.records import dataclass


class Severity(StrEnum):
    """How bad it is, worst first."""

    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"
    INFO = "info"


class Confidence(StrEnum):
    """How sure the check is."""

    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


class Verdict(StrEnum):
    """What a file scan may say; ordered `safe < review < unknown < malicious`. Only `safe` passes a gate."""

    SAFE = "safe"
    REVIEW = "review"
    UNKNOWN = "unknown"
    MALICIOUS = "malicious"

    @property
    def rank(self) -> int:
        """Position in the lattice, 0 for safe."""
        return tuple(Verdict).index(self)


def worst(verdicts: list[Verdict]) -> Verdict:
    """The join of the lattice; `safe` for none (callers must make sure that something was analysed)."""
    return max(verdicts, key=lambda v: v.rank, default=Verdict.SAFE)


@dataclass(frozen=True, slots=True)
class Location:
    """Where in the asset: archive member or notebook cell, 1-based line, byte offset."""

    member: str = ""
    line: int = 0
    offset: int = -1


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that a check found.

    Attributes:
        code: `LF` code of the finding's class (LF2xxx for scans).
        rule: the check's own or a foreign rule id, such as `bandit:B301` or `pickle:global`.
        severity: how bad.
        confidence: how sure.
        asset: name of the asset within the release.
        message: one sentence; never a secret.
        fix: what to do about it.
        location: where in the asset.
        ids: ATLAS, OWASP, CWE, CVE identifiers.
        salt: distinguishes findings of equal place and rule (e.g. the name of the called global).
    """

    code: str
    rule: str
    severity: Severity
    asset: str
    message: str
    fix: str = ""
    confidence: Confidence = Confidence.HIGH
    location: Location = field(default_factory=Location)
    ids: tuple[str, ...] = ()
    salt: str = ""

    @property
    def fingerprint(self) -> str:
        """Stable id (32 hex digits) of the finding across runs; independent of line and offset."""
        parts = [self.code, self.rule, self.asset, self.location.member, self.salt or self.message]
        return hashlib.sha256(dumps(parts)).hexdigest()[:32]

    def to_json(self) -> JsonObject:
        """The form in attestations, facts and `--json` output."""
        location: JsonObject = {}
        if self.location.member:
            location["member"] = self.location.member
        if self.location.line:
            location["line"] = self.location.line
        if self.location.offset >= 0:
            location["offset"] = self.location.offset
        return {
            "code": self.code,
            "rule": self.rule,
            "severity": self.severity.value,
            "confidence": self.confidence.value,
            "asset": self.asset,
            "location": location,
            "message": self.message,
            "fix": self.fix,
            "ids": list(self.ids),
            "fingerprint": self.fingerprint,
        }
