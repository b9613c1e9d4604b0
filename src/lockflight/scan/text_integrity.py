"""The `text-integrity` check: hidden characters in what tells the model what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockflight.core.attest.check import PPM, CheckResult, Status, Tool, severity_summary
from lockflight.core.findings import Finding, Severity
from lockflight.core.words import Role
from lockflight.scan._hidden import hidden_findings
from lockflight.scan._text import capped, sniff_encoding
from lockflight.scan.declared import TEXT_INTEGRITY

if TYPE_CHECKING:
    from lockflight.core.attest.check import CheckContext, Subject

#: Tokenizers are left out: their vocabularies list such characters.
READ = frozenset(
    {
        Role.SYSTEM_PROMPT,
        Role.PROMPT_TEMPLATE,
        Role.SAFETY_POLICY,
        Role.GUARD_POLICY,
        Role.TOOL_MANIFEST,
        Role.SERVING_CONFIG,
        Role.KNOWLEDGE_BASE,
    }
)
#: A knowledge base also holds pictures and documents of other formats; what else is no text was not judged.
_MAY_BE_BINARY = frozenset({Role.KNOWLEDGE_BASE})

#: Policies list the characters that they refuse, as escapes.
_TALK_ABOUT_ESCAPES = frozenset({Role.SAFETY_POLICY, Role.GUARD_POLICY})


class TextIntegrityCheck:
    """Hidden characters in prompts, policies, tool manifests and knowledge bases (grain view, `behaviour`)."""

    info = TEXT_INTEGRITY

    def run(self, subject: Subject, ctx: CheckContext) -> CheckResult:
        """Read every text of the view that a model will read."""
        findings: list[Finding] = []
        total = judged = texts = unknown = 0
        for asset in subject.assets:
            if asset.role not in READ:
                continue
            source = ctx.open(asset)
            encoding = sniff_encoding(source)
            if encoding is None and asset.role in _MAY_BE_BINARY:
                continue
            total += source.size
            if encoding is None:
                unknown += 1
                findings.append(
                    Finding(
                        code="LF2531",
                        rule="text:no-text",
                        severity=Severity.HIGH,
                        asset=asset.name,
                        message=f"An asset with the role {asset.role.value} must be text; its bytes are not.",
                        fix="Save it as UTF-8, or give it the role that fits.",
                    )
                )
                continue
            judged += source.size
            texts += 1
            findings += hidden_findings(
                asset, source, encoding, escapes=asset.role not in _TALK_ABOUT_ESCAPES
            )
        return CheckResult(
            status=Status.COMPLETE,
            tool=Tool("lockflight-text-integrity", self.info.version),
            findings=capped(findings, code="LF2532", rule="text:more"),
            summary=severity_summary(findings) | {"texts": texts, "unknown": unknown},
            coverage_ppm=PPM if judged == total else judged * PPM // total,
        )
