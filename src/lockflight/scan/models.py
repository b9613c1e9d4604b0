"""The check `models`: may a loader open this file? By the bytes of the file alone, without loading anything.

The verdict is a function of the bytes, the allow-list and the version of the check; the allow-list's digest stands in
the evidence as the digest of the tool. What cannot be judged is `unknown`, which no gate takes for safe.
"""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING, Final

from lockflight.core.attest.check import (
    PPM,
    CheckResult,
    Status,
    Tool,
    severity_summary,
)
from lockflight.core.findings import Finding, Verdict, worst
from lockflight.core.records import dataclass
from lockflight.core.source import BytesSource
from lockflight.infra.allowlist import read_overlay, shipped_allow_list
from lockflight.scan.declared import APART_FROM_CODE, MODELS
from lockflight.scan.walk.assets import Walker
from lockflight.scan.walk.rules import finding_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from lockflight.core.attest.check import CheckContext, Subject
    from lockflight.core.source import ByteSource
    from lockflight.formats.pickle.allow import AllowList

#: Files that are read once as a whole.
_SMALL: Final = 64 * 1024


@dataclass(frozen=True, slots=True)
class ModelScan:
    """What was found out about one file.

    Attributes:
        verdict: the worst of everything inside.
        findings: what was found, with the name of the source as asset.
        media_type: what the file is by its content.
        opcodes: pickle opcodes that were followed.
        judged: bytes that were judged, of `size`.
        size: bytes of the file.
        over_budget: why the analysis was cut short by a budget; empty when it was not.
    """

    verdict: Verdict
    findings: tuple[Finding, ...]
    media_type: str
    opcodes: int
    judged: int
    size: int
    over_budget: str = ""

    @property
    def coverage_ppm(self) -> int:
        """Share of the bytes that were judged; of an empty file, all."""
        return self.judged * PPM // self.size if self.size else PPM


def scan_source(
    source: ByteSource, allow: AllowList, code: Callable[[ByteSource, str, str], bool] | None = None
) -> ModelScan:
    """Judge one file.

    Args:
        source: its bytes; the name says which loader would open it.
        allow: what pickles and skops schemas may use.
        code: who judges code that lies in it; see `Walker`.
    """
    walker = Walker(allow, code)
    collects = gc.isenabled()
    # Millions of small objects that form no cycles: looking for cycles among them is a fifth of the time.
    gc.disable()
    try:
        media_type = walker.file(_held(source))
    finally:
        if collects:
            gc.enable()
    issues = walker.issues.frozen()
    judged = max(0, source.size - walker.unjudged)
    return ModelScan(
        verdict=walker.issues.verdict,
        findings=tuple(finding_of(issue, source.name) for issue in issues),
        media_type=media_type,
        opcodes=walker.opcodes,
        judged=judged,
        size=source.size,
        over_budget=walker.over_budget,
    )


def _held(source: ByteSource) -> ByteSource:
    """A small file in memory: half a dozen parsers look at it, and each look is a call of the system."""
    if source.size > _SMALL:
        return source
    data = source.read_at(0, source.size)
    return BytesSource(data, source.name) if len(data) == source.size else source


class ModelsCheck:
    """Judges every file that a loader turns into a model: weights, adapters, tokenizers, configurations."""

    info = MODELS

    def run(self, subject: Subject, ctx: CheckContext) -> CheckResult:
        """Judge the one asset of the subject.

        Raises:
            EnvironmentProblem: LF2300 the allow-list is missing.
            VerificationFailed: LF2301 the allow-list is damaged.
            InvalidInput: LF2302 what the policy adds to it cannot be used.
        """
        allow = shipped_allow_list()
        (asset,) = subject.assets
        if ctx.data:
            allow = read_overlay(ctx.data.encode()).over(allow, asset.sha256)
        found = scan_source(ctx.open(asset), allow)
        summary = {verdict.value: int(verdict is found.verdict) for verdict in Verdict}
        if any(finding.rule == "file:code" for finding in found.findings):
            rest = scan_source(ctx.open(asset), allow, lambda *_: True)
            verdict = rest.verdict if rest.coverage_ppm == PPM else worst([rest.verdict, Verdict.UNKNOWN])
            summary[APART_FROM_CODE] = verdict.rank
        return CheckResult(
            status=Status.INCOMPLETE if found.over_budget else Status.COMPLETE,
            tool=Tool("lockflight-models", MODELS.version, f"sha256:{allow.digest}"),
            reason=found.over_budget,
            findings=found.findings,
            summary={**summary, "opcodes": found.opcodes, **severity_summary(found.findings)},
            coverage_ppm=found.coverage_ppm,
        )
