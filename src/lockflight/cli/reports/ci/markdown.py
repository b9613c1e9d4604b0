"""A decision as Markdown, for job summaries and comments on a change.

Whatever comes out of files, policies or names is set as code with every special character as a number: no markup, no
link, no mention and no reference can come of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockflight.cli.common import quoted, typeable
from lockflight.cli.lines.rules import human_ages, measured
from lockflight.cli.reports.phrases import WORDS, headline, passed, sentence, when
from lockflight.cli.reports.problems import problems
from lockflight.cli.reports.visible import plain
from lockflight.cli.style import count, short

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lockflight.cli.reports.record import Failure, Report

#: GitHub takes a summary of a mebibyte and no more.
MOST_ROWS = 50
_MAX_CHARS = 600
_HARMLESS = frozenset(" ,()")


def markdown(report: Report) -> str:
    """The whole text."""
    return "\n".join(_lines(report)) + "\n"


def _lines(report: Report) -> Iterable[str]:
    yield f"## {WORDS[report.verdict][1]} {text(headline(report))}: {code(report.release)} → {code(report.environment)}"
    yield ""
    yield text(sentence(report))
    yield ""
    yield from _rules("Why not", report.failures)
    yield from _findings(report)
    if report.people.todo:
        yield "### What people still have to do"
        yield ""
        for o in report.people.todo:
            fix = typeable(o.fix, DIR=report.folder) if report.folder else o.fix
            yield f"- {o.code} {code(human_ages(o.message))}<br>{code(fix)}"
        yield ""
    if report.waived:
        yield "### Waived"
        yield ""
        for w in report.waived:
            until = f" until {text(when(w.until))}" if w.until else ""
            yield f"- {text(w.code)} {text(w.title)} {code(w.term)} by {code(w.by or w.waiver[:12])}{until}"
        yield ""
    yield from _rules("Warnings", report.warnings)
    proof = report.proof
    recorded = "a rehearsal" if report.rehearsal else f"recorded as {code(short(proof.envelope))}"
    yield (
        f"{count(passed(report), 'rule')} passed, {count(len(report.evidence), 'statement')} of evidence. Release"
        f" {code(short(report.digest))}, policy {code(f'{proof.policy} {proof.version}')}"
        f" {code(short(proof.policy_digest))}, basis {code(short(proof.basis))}, decided"
        f" {text(when(report.decided_at))}, {recorded}."
    )
    if proof.own is not None:
        name, version, digest = proof.own
        yield (
            f"The release brings its own policy {code(f'{name} {version}')} {code(short(digest))} along;"
            " both must allow."
        )
    if report.folder:
        yield ""
        yield f"Again: {code(f'lockflight check {quoted(report.folder)} --env {report.environment}')}"


def _rules(title: str, rows: tuple[Failure, ...]) -> Iterable[str]:
    if not rows:
        return
    yield f"### {title}"
    yield ""
    yield "| rule | of | measured | demanded | what would make it pass |"
    yield "| --- | --- | --- | --- | --- |"
    for row in rows[:MOST_ROWS]:
        value, threshold = measured(row.said)
        way = "<br>".join(code(part) for part in (row.said.solution, row.command) if part)
        title_of = f"{text(row.said.code)} {text(row.title)}"
        yield f"| {title_of} | {code(row.said.term)} | {code(value)} | {code(threshold)} | {way} |"
    yield ""
    yield from _more(len(rows))


def _findings(report: Report) -> Iterable[str]:
    rows = [p.finding for p in problems(report) if p.finding.code[2:3] == "2" or p.unfinished]
    if not rows:
        return
    yield "### Findings"
    yield ""
    yield "| severity | code | where | what |"
    yield "| --- | --- | --- | --- |"
    for f in rows[:MOST_ROWS]:
        place = f.asset + (f":{f.location.line}" if f.location.line else "")
        yield f"| {f.severity.value} | {text(f.code)} | {code(place)} | {code(f.message)} |"
    yield ""
    yield from _more(len(rows))


def _more(number: int) -> Iterable[str]:
    if number > MOST_ROWS:
        yield f"and {number - MOST_ROWS} more"
        yield ""


def text(words: str) -> str:
    """Words of ours, with every special character as a number."""
    return _numbered(plain(words, _MAX_CHARS))


def code(words: str) -> str:
    """Words from elsewhere: in code, renderers look for no mentions, references or links."""
    return f"<code>{_numbered(plain(words, _MAX_CHARS))}</code>" if words else ""


def _numbered(words: str) -> str:
    return "".join(
        c
        if c.isalnum() or c in _HARMLESS or (c == "." and words[i + 1 : i + 2] in {"", " "})
        else f"&#{ord(c)};"
        for i, c in enumerate(words)
    )
