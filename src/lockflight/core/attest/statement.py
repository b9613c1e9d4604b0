"""in-toto Statements v1: the form of everything that is known about a release.

A statement names the digests that it is about, a predicate type, and a predicate. Its payload is canonical JSON.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from lockflight.core.canonical import dumps, loads_object
from lockflight.core.records import dataclass
from lockflight.core.shape import array, hex64, obj, text
from lockflight.errors import VerificationFailed

if TYPE_CHECKING:
    from lockflight.core.canonical import JsonObject

STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
BASE = "https://lockflight.dev/attestation/"

VSA = "https://slsa.dev/verification_summary/v1"
PROVENANCE = "https://slsa.dev/provenance/v1"
OMS = "https://model_signing/signature/v1.0"
SCAN = BASE + "scan/v1"
APPROVAL = BASE + "approval/v1"
PROMOTION = BASE + "promotion/v1"
REVOCATION = BASE + "revocation/v1"
TRUST = BASE + "trust/v1"
GRANT = BASE + "grant/v1"
REGISTRATION = BASE + "registration/v1"
ENVIRONMENT = BASE + "environment/v1"
POLICY = BASE + "policy/v1"
POLICY_BUNDLE = BASE + "policy-bundle/v1"
WAIVER = BASE + "waiver/v1"
FREEZE = BASE + "freeze/v1"
REVIEW = BASE + "review/v1"
CERTIFICATE = BASE + "certificate/v1"
ISSUER = BASE + "issuer/v1"

#: A type is shown and stored as it is, so it holds nothing that a terminal or a table could take for something else;
#: with its scheme it is never one of the short names below.
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[!-~]+", re.ASCII)

#: Names by which people and policies call the predicate types.
SHORT_NAMES = {
    VSA: "decision",
    PROVENANCE: "provenance",
    OMS: "signature",
    SCAN: "scan",
    APPROVAL: "approval",
    PROMOTION: "promotion",
    REVOCATION: "revocation",
    TRUST: "trust",
    GRANT: "grant",
    REGISTRATION: "registration",
    ENVIRONMENT: "environment",
    POLICY: "policy",
    POLICY_BUNDLE: "policy-bundle",
    WAIVER: "waiver",
    FREEZE: "freeze",
    REVIEW: "review",
    CERTIFICATE: "certificate",
    ISSUER: "issuer",
}


@dataclass(frozen=True, slots=True)
class SubjectRef:
    """One thing that a statement is about: a name and its SHA-256 (64 hex digits); further digests by algorithm."""

    name: str
    sha256: str
    others: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement; `subjects[0]` carries the digest of the statement's grain."""

    predicate_type: str
    subjects: tuple[SubjectRef, ...]
    predicate: JsonObject

    @property
    def short_type(self) -> str:
        """Short name of the predicate type; the URI itself for foreign ones."""
        return SHORT_NAMES.get(self.predicate_type, self.predicate_type)

    def payload(self) -> bytes:
        """Canonical JSON bytes."""
        return dumps(
            {
                "_type": STATEMENT_TYPE,
                "subject": [
                    {"name": s.name, "digest": {"sha256": s.sha256, **dict(s.others)}} for s in self.subjects
                ],
                "predicateType": self.predicate_type,
                "predicate": self.predicate,
            }
        )


def parse(payload: bytes) -> Statement:
    """Read a statement strictly from the very bytes that were verified.

    Raises:
        VerificationFailed: LF7101 to LF7103 (JSON), LF7130 not an in-toto Statement v1 with SHA-256 subjects.
    """
    raw = loads_object(payload, what="statement")
    try:
        if raw.get("_type") != STATEMENT_TYPE:
            raise ValueError(f"_type is {raw.get('_type')!r}")
        unknown = set(raw) - {"_type", "subject", "predicateType", "predicate"}
        if unknown:
            raise ValueError(f"unknown field {min(unknown)!r}")
        subjects = []
        for item in array(raw["subject"]):
            entry = obj(item)
            if set(entry) - {"name", "digest"}:
                raise ValueError("a subject with more than name and digest")
            digests = {key: text(value) for key, value in obj(entry["digest"]).items()}
            main = hex64(digests.pop("sha256"))
            subjects.append(SubjectRef(text(entry.get("name", "")), main, tuple(sorted(digests.items()))))
        if not subjects:
            raise ValueError("no subject")
        kind = text(raw["predicateType"])
        if not _URI.fullmatch(kind):
            raise ValueError("the predicate type is not a URI: printable ASCII without spaces")
        return Statement(kind, tuple(subjects), obj(raw["predicate"]))
    except (KeyError, TypeError, ValueError) as error:
        raise VerificationFailed("LF7130", f"The payload is not an in-toto statement: {error!s}.") from error
