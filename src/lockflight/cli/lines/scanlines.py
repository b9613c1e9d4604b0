"""How the outcome of `scan` reads: the worst files first, then what was found by code, then the counts."""

from __future__ import annotations

from textwrap import wrap
from typing import TYPE_CHECKING

from lockflight.cli.style import clean, count, short, table

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from lockflight.app.explain import Entry
    from lockflight.app.files.scan import FileReport, ScanOutcome
    from lockflight.cli.style import Style
    from lockflight.core.findings import Finding

MOST_FILES = 10
_MOST_ROWS = 40
_MOST_NAMES = 5
_WIDTH = 96
_SEVERITIES = ("critical", "high", "medium", "low", "info")
_SERIOUS = frozenset({"critical", "high"})
_NOT_ANALYSED = "not analysed"
#: Worst first; a file of unknown content is worse than one that no check reads.
_VERDICTS = ("malicious", "unknown", "review", _NOT_ANALYSED, "safe")


def serious(file: FileReport) -> bool:
    """Whether a file must not be loaded as it is."""
    return word_of(file) not in {_NOT_ANALYSED, "safe"} or any(
        f.severity.value in _SERIOUS for f in file.findings
    )


def word_of(file: FileReport) -> str:
    """A file's verdict as one word or two."""
    return file.verdict.value if file.verdict is not None else _NOT_ANALYSED


def severity_rank(finding: Finding) -> int:
    """0 for critical."""
    return _SEVERITIES.index(finding.severity.value)


def badness(file: FileReport) -> tuple[int, int, str]:
    """A sort key: the worst file first."""
    worst = min((severity_rank(f) for f in file.findings), default=len(_SEVERITIES))
    return _VERDICTS.index(word_of(file)), worst, file.name


def scan_lines(
    outcome: ScanOutcome, style: Style, *, verbose: bool, told: Mapping[str, Entry]
) -> Iterable[str]:
    """Lines about a whole scan; `told` says what codes mean."""
    files = sorted(outcome.files, key=badness)
    rows = files if verbose else files[:_MOST_ROWS]
    yield from table([_row(file, style) for file in rows])
    if len(files) > len(rows):
        yield f"and {len(files) - len(rows)} more, none of them worse (--verbose)"
    yield from _findings(files, style, verbose=verbose, told=told)
    yield from _unread(files, style, verbose=verbose)
    yield ""
    words = [word_of(file) for file in files]
    counts = ", ".join(f"{words.count(word)} {word}" for word in _VERDICTS if word in words)
    yield f"{count(len(files), 'file')}: {counts}"
    if outcome.overlay.added:
        labels = ", ".join(sorted({clean(added.label) for added in outcome.overlay.added})[:_MOST_NAMES])
        more = " …" if len(outcome.overlay.added) > _MOST_NAMES else ""
        yield style.dim(f"let through beside the shipped allow-list: {labels}{more}")
    if outcome.skipped:
        names = ", ".join(clean(name) for name in outcome.skipped[:_MOST_NAMES])
        more = " …" if len(outcome.skipped) > _MOST_NAMES else ""
        yield style.dim(f"looked at for models only: {names}{more}")


def _row(file: FileReport, style: Style) -> list[str]:
    word = word_of(file)
    soft = word in {_NOT_ANALYSED, "review"}
    good = word == "safe" and not serious(file)
    mark = style.yes if good else style.look if soft else style.no
    paint = style.good if good else style.warn if soft else style.bad
    return [f"{mark} {paint(word)}", clean(file.name), file.title, style.dim(short(file.sha256))]


def _findings(
    files: Sequence[FileReport], style: Style, *, verbose: bool, told: Mapping[str, Entry]
) -> Iterable[str]:
    """What was found, by code and fix, worst first."""
    groups: dict[tuple[int, str, str], list[tuple[FileReport, Finding]]] = {}
    for file in files:
        for finding in file.findings:
            key = (severity_rank(finding), finding.code, finding.fix)
            groups.setdefault(key, []).append((file, finding))
    for (rank, code, fix), found in sorted(groups.items(), key=lambda item: item[0]):
        names = list(dict.fromkeys(file.name for file, _ in found))
        paint = style.bad if _SEVERITIES[rank] in _SERIOUS else style.warn
        many = f"  {count(len(found), 'finding')} in {count(len(names), 'file')}" if len(found) > 1 else ""
        yield ""
        yield f"{paint(_SEVERITIES[rank])} {style.bold(code)}{many}"
        if (entry := told.get(code)) is not None:
            ids = ", ".join(dict.fromkeys(i for _, finding in found for i in finding.ids))
            yield f"  {style.bold(entry.title)}{style.dim(f'  {clean(ids)}') if ids else ''}"
            yield from (f"  {line}" for line in wrap(" ".join(entry.why.split()), _WIDTH))
        shown = found if verbose else _first(found, names[:MOST_FILES])
        for file, finding in shown:
            where = f":{finding.location.line}" if finding.location.line else ""
            where += f" in {clean(finding.location.member)}" if finding.location.member else ""
            yield f"  {clean(file.name)}{where}  {clean(finding.message)}"
        if len(found) > len(shown):
            yield f"  and {len(found) - len(shown)} more (--verbose)"
        if fix:
            yield f"  {style.dim('fix:')} {clean(fix)}"


def _first(
    found: Sequence[tuple[FileReport, Finding]], names: Sequence[str]
) -> list[tuple[FileReport, Finding]]:
    """Findings in the first files, so many of each that a loud file leaves room for others."""
    each = max(1, MOST_FILES * 2 // len(names))
    shown: list[tuple[FileReport, Finding]] = []
    for name in names:
        shown += [(file, finding) for file, finding in found if file.name == name][:each]
    return shown


def _unread(files: Sequence[FileReport], style: Style, *, verbose: bool) -> Iterable[str]:
    reasons: dict[str, list[str]] = {}
    for file in files:
        if file.reason:
            reasons.setdefault(file.reason, []).append(file.name)
    for reason, names in reasons.items():
        yield ""
        yield f"{style.look} not analysed: {clean(reason)}"
        shown = names if verbose else names[:MOST_FILES]
        yield from (f"  {clean(name)}" for name in shown)
        if len(names) > len(shown):
            yield f"  and {len(names) - len(shown)} more (--verbose)"
