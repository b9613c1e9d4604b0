"""The `documents` check: secrets and hidden characters in what no view holds, documentation and the manifest."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockflight.core.attest.check import CheckResult, Status, base_name, severity_summary
from lockflight.formats.settings.datacard import check_card
from lockflight.scan._hidden import hidden_findings
from lockflight.scan._secret_engine import SecretEngine, secret_tool
from lockflight.scan._text import capped, sniff_encoding
from lockflight.scan.declared import DOCUMENTS
from lockflight.scan.secrets import Coverage, look_for_secrets
from lockflight.scan.walk.rules import finding_of

if TYPE_CHECKING:
    from lockflight.core.attest.check import CheckContext, Subject


class DocumentsCheck:
    """Secrets, hidden characters and settings of loaders in documentation (grain release: run for each release)."""

    info = DOCUMENTS

    def run(self, subject: Subject, ctx: CheckContext) -> CheckResult:
        """Read every document of the release.

        Raises:
            EnvironmentProblem: LF5018 the secret scanner cannot be loaded.
        """
        coverage = Coverage()
        engine = SecretEngine()
        for asset in subject.assets:
            source = ctx.open(asset)
            look_for_secrets(asset, source, engine, coverage)
            encoding = sniff_encoding(source)
            if encoding is not None:
                coverage.findings += hidden_findings(asset, source, encoding, document=True)
            if base_name(asset.name).lower() == "readme.md":
                # The library that loads data sets takes its settings from there.
                coverage.findings += [finding_of(issue, asset.name) for issue in check_card(source)]
        return CheckResult(
            status=Status.COMPLETE,
            tool=secret_tool(self.info.version),
            findings=capped(coverage.findings, code="LF2509", rule="secrets:more"),
            summary=severity_summary(coverage.findings)
            | {"texts": coverage.texts, "skipped": coverage.skipped},
            coverage_ppm=coverage.ppm,
        )
