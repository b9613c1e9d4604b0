"""The `scan/v1` attestation: what a check found out about one subject, as a statement."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from lockflight.core.attest import statement as st
from lockflight.core.attest.check import CheckInfo, CheckResult, Grain, Subject, result_from_json
from lockflight.core.records import dataclass
from lockflight.core.shape import obj, text

if TYPE_CHECKING:
    from lockflight.core.canonical import JsonObject

MAX_FINDINGS = 500


@dataclass(frozen=True, slots=True)
class ScanFact:
    """What a `scan/v1` statement says.

    Attributes:
        check: name of the check.
        version: version of the check.
        grain: asset, view or release.
        subject: digest of the grain.
        name: name of the subject, for people.
        result: what the check returned.
        issued_at: claimed time, RFC 3339 Z; displayed only.
        oms_root: at grain release, the OMS root.
    """

    check: str
    version: str
    grain: Grain
    subject: str
    name: str
    result: CheckResult
    issued_at: str
    oms_root: str = ""

    def statement(self) -> st.Statement:
        """The statement to sign with a producer's key."""
        predicate: JsonObject = {
            "check": self.check,
            "version": self.version,
            "grain": self.grain.value,
            "issued_at": self.issued_at,
            "result": self.result.to_json(),
        }
        others = (("omsRoot", self.oms_root),) if self.oms_root else ()
        return st.Statement(st.SCAN, (st.SubjectRef(self.name, self.subject, others),), predicate)


def scan_fact(info: CheckInfo, subject: Subject, result: CheckResult, issued_at: str) -> ScanFact:
    """Bind a result to its subject. At most 500 findings are kept, worst first; the summary counts them all."""
    findings = result.findings
    if len(findings) > MAX_FINDINGS:
        order = {"critical": 0, "high": 1, "medium": 2, "low": 3, "info": 4}
        kept = sorted(findings, key=lambda f: order[f.severity.value])[:MAX_FINDINGS]
        summary = {**result.summary, "findings_left_out": len(findings) - MAX_FINDINGS}
        result = replace(result, findings=tuple(kept), summary=summary)
    return ScanFact(
        check=info.name,
        version=info.version,
        grain=subject.grain,
        subject=subject.digest,
        name=subject.name,
        result=result,
        issued_at=issued_at,
        oms_root=subject.release.oms_root if subject.release is not None else "",
    )


def parse_scan(statement: st.Statement) -> ScanFact:
    """Read a `scan/v1` statement.

    Raises:
        KeyError, TypeError, ValueError, InternalError: another shape.
    """
    raw = statement.predicate
    subject = statement.subjects[0]
    fact = ScanFact(
        check=text(raw["check"]),
        version=text(raw["version"]),
        grain=Grain(text(raw["grain"])),
        subject=subject.sha256,
        name=subject.name,
        result=result_from_json(obj(raw["result"])),
        issued_at=text(raw["issued_at"]),
        oms_root=dict(subject.others).get("omsRoot", ""),
    )
    if fact.statement() != statement:
        raise ValueError("unknown fields")
    return fact
