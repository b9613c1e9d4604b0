"""The `secrets` check: keys, tokens and passwords in every text of a view, notebooks cell by cell.

A finding holds a masked excerpt only. Its fingerprint is made from the rule, the place and a running number, never
from the secret, so a report cannot be used to try guesses.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import field
from typing import TYPE_CHECKING

from lockflight.core.attest.check import PPM, CheckResult, Status, severity_summary
from lockflight.core.findings import Finding, Location, Severity
from lockflight.core.records import dataclass
from lockflight.core.source import BytesSource
from lockflight.core.words import Role
from lockflight.detect.mask import mask
from lockflight.errors import InvalidInput
from lockflight.formats import media
from lockflight.formats.notebook import Notebook, parse_notebook
from lockflight.scan._secret_engine import Secret, SecretEngine, secret_tool
from lockflight.scan._text import OVERLAP, capped, expects_text, sniff_encoding, suffix, windows
from lockflight.scan.declared import SECRETS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from lockflight.core.attest.check import CheckContext, Subject
    from lockflight.core.release.release import Asset
    from lockflight.core.source import ByteSource

_IDS = ("CWE-798", "LLM02:2025", "AML.T0055")
_FIX = (
    "Revoke it at its provider, then remove it from the file and from the history; read it from the environment or a "
    "secret store at run time."
)
#: Rows of tables stand in for prose: there, names and values meet by chance.
_PROSE_ROLES = frozenset(
    {Role.DATASET, Role.EVAL_SET, Role.KNOWLEDGE_BASE, Role.TOKENIZER, Role.RETRIEVAL_INDEX}
)


@dataclass(slots=True)
class Coverage:
    """What was read, in bytes and assets."""

    total: int = 0
    judged: int = 0
    texts: int = 0
    skipped: int = 0
    findings: list[Finding] = field(default_factory=list)

    @property
    def ppm(self) -> int:
        """Judged share of the bytes that had to be judged."""
        return PPM if self.judged == self.total else self.judged * PPM // self.total


class SecretsCheck:
    """Secrets in the texts of a view (grain view; every view)."""

    info = SECRETS

    def run(self, subject: Subject, ctx: CheckContext) -> CheckResult:
        """Look through every text of the view.

        Raises:
            EnvironmentProblem: LF5018 the scanner cannot be loaded.
        """
        coverage = Coverage()
        engine = SecretEngine()
        for asset in subject.assets:
            look_for_secrets(asset, ctx.open(asset), engine, coverage)
        return CheckResult(
            status=Status.COMPLETE,
            tool=secret_tool(self.info.version),
            findings=capped(coverage.findings, code="LF2509", rule="secrets:more"),
            summary=severity_summary(coverage.findings)
            | {"texts": coverage.texts, "skipped": coverage.skipped},
            coverage_ppm=coverage.ppm,
        )


def look_for_secrets(asset: Asset, source: ByteSource, engine: SecretEngine, coverage: Coverage) -> None:
    """Add the findings of one asset to `coverage`; binary assets are skipped unless their role promises text."""
    encoding = sniff_encoding(source)
    if encoding is None and not expects_text(asset):
        coverage.skipped += 1
        return
    coverage.total += source.size
    named = asset.role not in _PROSE_ROLES
    places: list[tuple[str, int, Secret]] = []
    if encoding is None:
        coverage.skipped += 1
        coverage.findings.append(_no_text(asset))
    else:
        coverage.judged += source.size
        coverage.texts += 1
    notebook = _notebook(asset, source)
    seen: set[bytes] = set()
    if notebook is not None:
        places += _in_notebook(notebook, engine)
        seen = {secret.value for _, _, secret in places}
    # The whole file is read in any case: a notebook also has metadata, and one that does not parse is still text.
    places += (
        p for p in _in_windows(source, encoding or "utf-8", engine, named=named) if p[2].value not in seen
    )
    coverage.findings += _findings(asset.name, places)


def _notebook(asset: Asset, source: ByteSource) -> Notebook | None:
    if suffix(asset.name) != ".ipynb" and asset.media_type != media.NOTEBOOK:
        return None
    try:
        return parse_notebook(source)
    except InvalidInput:
        return None


def _in_notebook(notebook: Notebook, engine: SecretEngine) -> Iterator[tuple[str, int, Secret]]:
    for cell in notebook.cells:
        yield from _in_text(f"cell {cell.index}", cell.source, engine)
        for output in cell.outputs:
            yield from _in_text(f"cell {cell.index} output", output.text, engine)


def _in_text(member: str, text: str, engine: SecretEngine) -> Iterator[tuple[str, int, Secret]]:
    source = BytesSource(text.encode("utf-8", errors="replace"))
    yield from (
        (member, line, secret) for _, line, secret in _in_windows(source, "utf-8", engine, named=True)
    )


def _in_windows(
    source: ByteSource, encoding: str, engine: SecretEngine, *, named: bool
) -> Iterator[tuple[str, int, Secret]]:
    """(member, line, secret) of each secret; of what two windows share, each tells its half."""
    told = 0
    for window in windows(source, encoding):
        end = window.offset + len(window.body) - (0 if window.last else OVERLAP // 2)
        line, counted = window.line, 0
        for secret in engine.find(window.body, named=named):
            line += window.body.count(b"\n", counted, secret.start)
            counted = secret.start
            if told <= window.offset + secret.start < end:
                yield "", line, secret
        told = max(told, end)


def _findings(asset: str, places: Iterable[tuple[str, int, Secret]]) -> Iterator[Finding]:
    numbers: Counter[tuple[str, str]] = Counter()
    for member, line, secret in places:
        numbers[member, secret.rule] += 1
        excerpt = mask(secret.value.decode("utf-8", errors="replace"))
        yield Finding(
            code="LF2500",
            rule=secret.rule,
            severity=secret.severity,
            confidence=secret.confidence,
            asset=asset,
            message=f"This looks like {secret.title}: {excerpt}.",
            fix=_FIX,
            location=Location(member=member, line=line),
            ids=_IDS,
            salt=f"{secret.rule}#{numbers[member, secret.rule]}",
        )


def _no_text(asset: Asset) -> Finding:
    return Finding(
        code="LF2501",
        rule="secrets:no-text",
        severity=Severity.LOW,
        asset=asset.name,
        message=f"An asset with the role {asset.role.value} should be text; its bytes are not, so it was searched "
        "only for what shows as it is.",
        fix="Save it as UTF-8, or give it the role that fits.",
    )
