"""How checks read text: what counts as text, in which encoding, in windows that overlap."""

from __future__ import annotations

import codecs
import re
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from lockflight.core.findings import Finding, Severity
from lockflight.core.records import dataclass
from lockflight.core.words import Role

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from lockflight.core.release.release import Asset
    from lockflight.core.source import ByteSource

WINDOW = 8 * 1024 * 1024
#: Longer than any secret that a rule looks for.
OVERLAP = 64 * 1024
_SNIFF = 8192
#: At most so many findings of one check are listed for one subject; the counts in the summary are whole.
MAX_FINDINGS = 1000

#: Roles whose assets people write as text: there, bytes that cannot be read as text were not judged.
TEXT_ROLES = frozenset(
    {
        Role.RELEASE_MANIFEST,
        Role.SERVING_CONFIG,
        Role.SYSTEM_PROMPT,
        Role.PROMPT_TEMPLATE,
        Role.SAFETY_POLICY,
        Role.GUARD_POLICY,
        Role.TOOL_MANIFEST,
        Role.ARCHITECTURE_CONFIG,
        Role.CODE,
        Role.BUILD_RECIPE,
        Role.DEPENDENCY_LOCK,
        Role.MODEL_CARD,
        Role.LICENCE,
        Role.DOCUMENTATION,
    }
)
_PICTURES = re.compile(r"\.(png|jpe?g|gif|webp|ico|bmp|tiff?|woff2?|ttf|otf|mp[34]|mov|wav)$", re.IGNORECASE)

_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


@dataclass(frozen=True, slots=True)
class Window:
    """A part of a text.

    Attributes:
        offset: where it starts in the whole, in units of `body`.
        line: 1-based line number of its start.
        body: UTF-8 bytes.
        last: whether the text ends here.
    """

    offset: int
    line: int
    body: bytes
    last: bool


def sniff_encoding(source: ByteSource) -> str | None:
    """The encoding of a text file, or None for binary data.

    UTF-8 is assumed without a byte order mark; a NUL in the first 8 KiB means binary, and so do many bytes that are
    not UTF-8 (a few are let through: old files in Latin-1 are text too).
    """
    head = source.read_at(0, _SNIFF)
    for mark, encoding in _BOMS:
        if head.startswith(mark):
            return encoding
    if b"\0" in head:
        return None
    decoded = head.decode("utf-8", errors="replace")
    return "utf-8" if decoded.count("\ufffd") * 10 <= len(decoded) else None


def windows(
    source: ByteSource, encoding: str = "utf-8", *, size: int = WINDOW, overlap: int = OVERLAP
) -> Iterator[Window]:
    """The text of a source as UTF-8, in windows that overlap, so that nothing is cut in two.

    UTF-8 is passed on as it is, byte for byte; UTF-16 and UTF-32 are recoded.
    """
    recode = encoding not in {"utf-8", "utf-8-sig"}
    decoder = codecs.getincrementaldecoder(encoding)(errors="replace") if recode else None
    position, offset, line = 0, 0, 1
    kept = b""
    while True:
        chunk = source.read_at(position, size)
        position += len(chunk)
        last = position >= source.size or not chunk
        fresh = decoder.decode(chunk, final=last).encode("utf-8", "replace") if decoder else chunk
        body = kept + fresh
        yield Window(offset, line, body, last)
        if last:
            return
        kept = body[-overlap:] if overlap else b""
        passed = len(body) - len(kept)
        line += body.count(b"\n", 0, passed)
        offset += passed


def expects_text(asset: Asset) -> bool:
    """Whether an asset of this role and name should be readable as text."""
    return asset.role in TEXT_ROLES and not _PICTURES.search(asset.name)


def suffix(name: str) -> str:
    """The lower-case extension of an asset's name, with its dot."""
    return PurePosixPath(name).suffix.lower()


def capped(findings: Iterable[Finding], *, code: str, rule: str) -> tuple[Finding, ...]:
    """At most `MAX_FINDINGS` findings, worst first within what is kept; a last one says what is not listed."""
    order = tuple(Severity)
    listed = sorted(
        findings,
        key=lambda f: (order.index(f.severity), f.asset, f.location.member, f.location.line, f.rule, f.salt),
    )
    if len(listed) <= MAX_FINDINGS:
        return tuple(listed)
    rest = len(listed) - MAX_FINDINGS
    return (
        *listed[:MAX_FINDINGS],
        Finding(
            code=code,
            rule=rule,
            severity=listed[MAX_FINDINGS].severity,
            asset=listed[MAX_FINDINGS].asset,
            message=f"There are {rest} more findings of this check; the counts in the summary include them.",
            fix="Mend what is listed and run the check again.",
        ),
    )
