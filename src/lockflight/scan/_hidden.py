"""Hidden characters in texts, as findings of the checks that read prompts and documentation."""

from __future__ import annotations

import codecs
from collections import Counter
from typing import TYPE_CHECKING

from lockflight.core.findings import Finding, Location, Severity
from lockflight.detect.invisible import Hidden, find_hidden, unescape
from lockflight.scan._text import suffix, windows

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lockflight.core.release.release import Asset
    from lockflight.core.source import ByteSource

_ESCAPING = frozenset({".json", ".jsonl", ".ndjson", ".yaml", ".yml", ".toml", ".ipynb", ".py"})

_WHAT = {
    Hidden.BIDI: (
        "bidirectional controls, which make readers see another order than models do",
        Severity.HIGH,
    ),
    Hidden.TAG: ("tag characters, which models read as text and people do not see", Severity.HIGH),
    Hidden.VARIATION: (
        "variation selectors without a base that has variants; they can carry text",
        Severity.HIGH,
    ),
    Hidden.ZERO_WIDTH: (
        "zero-width characters, which split words for models and not for readers",
        Severity.MEDIUM,
    ),
    Hidden.FILLER: ("blank fillers, which look like nothing", Severity.MEDIUM),
    Hidden.CONTROL: ("control characters, which terminals obey and readers do not see", Severity.MEDIUM),
}


def hidden_findings(
    asset: Asset,
    source: ByteSource,
    encoding: str,
    *,
    escapes: bool = False,
    document: bool = False,
    only: frozenset[Hidden] = frozenset(Hidden),
) -> Iterator[Finding]:
    r"""One finding per kind of hidden character and asset, at the first place where it stands.

    Args:
        asset: whose bytes these are.
        source: the bytes.
        encoding: as `sniff_encoding` says.
        escapes: also see `\u202e` and the like, in formats whose readers replace them.
        document: people read it, not models: what is medium counts as low.
        only: the kinds that are looked for.
    """
    first: dict[Hidden, tuple[str, int]] = {}
    counts: Counter[Hidden] = Counter()
    for text, line, start in _lines(source, encoding):
        runs, _ = find_hidden(
            unescape(text) if escapes and suffix(asset.name) in _ESCAPING else text, start=start
        )
        for run in (run for run in runs if run.kind in only):
            first.setdefault(run.kind, (run.first, line + run.line - 1))
            counts[run.kind] += run.count
    for kind, (character, line) in first.items():
        what, severity = _WHAT[kind]
        number = f"at least {counts[kind]}" if counts[kind] > 1 else "one"
        yield Finding(
            code="LF2530",
            rule=f"text:{kind.value}",
            severity=Severity.LOW if document and severity is Severity.MEDIUM else severity,
            asset=asset.name,
            message=f"The text holds {what}: {number}, the first is {character}.",
            fix="Delete them; where the language needs them, keep them beside letters of its script.",
            location=Location(line=line),
            ids=("CWE-1007", "LLM01:2025", "AML.T0068"),
            salt=kind.value,
        )


def _lines(source: ByteSource, encoding: str) -> Iterator[tuple[str, int, bool]]:
    """(text, number of its first line, whether it starts the file): parts that end where a line ends."""
    decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
    line, start, rest = 1, True, ""
    for window in windows(source, encoding, overlap=0):
        text = rest + decoder.decode(window.body, final=window.last)
        # Without any line end in a whole window, the cut falls anywhere.
        end = len(text) if window.last else text.rfind("\n") + 1 or len(text)
        yield text[:end], line, start
        rest = text[end:]
        line += text.count("\n", 0, end)
        start = False
