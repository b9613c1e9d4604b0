"""What reports say in words: the verdict in one sentence, times and sizes as people read them."""

from __future__ import annotations

from lockflight.cli.lines.people import used_words
from lockflight.cli.reports.record import Report, Verdict
from lockflight.cli.style import count
from lockflight.core.times import rfc3339

#: A verdict as a word, and a sign that does not need colour.
WORDS = {
    Verdict.ALLOWED: ("Allowed", "✓"),
    Verdict.DENIED: ("Denied", "✗"),
    Verdict.INCOMPLETE: ("Evidence missing", "?"),
}
_UNITS = ("bytes", "KiB", "MiB", "GiB", "TiB")


def headline(report: Report) -> str:
    """The verdict in a few words."""
    waits = report.verdict is Verdict.ALLOWED and not report.people.done
    return "Allowed by the gate, waiting for people" if waits else WORDS[report.verdict][0]


def sentence(report: Report) -> str:
    """The verdict in one or two sentences."""
    what, where = report.release, report.environment
    if report.verdict is Verdict.DENIED:
        return (
            f"{what} may not enter {where}: {failed(report)}. No approval can change that; the release or the"
            " evidence about it must change."
        )
    if report.verdict is Verdict.INCOMPLETE:
        return (
            f"Whether {what} may enter {where} is not known: evidence about it is missing, stale or unfinished"
            f" ({failed(report)}). What is not known counts as no."
        )
    held = report.people.held
    if held is not None:
        since = when(rfc3339(held.since))
        return f"{what} is in {where} since {since}: the evidence sufficed, and {used_words(held)}."
    if report.people.done:
        agreed = (
            "everybody who had to agree has agreed" if report.people.needed else "nobody else has to agree"
        )
        return f"{what} may enter {where}: the evidence suffices, and {agreed}."
    left = count(len(report.people.todo), "thing")
    return f"The evidence about {what} suffices for {where}. Before it may move, people have {left} to do."


def failed(report: Report) -> str:
    """How many rules failed."""
    rules = {f.said.code for f in report.failures}
    places = f", in {len(report.failures)} places" if len(report.failures) > len(rules) else ""
    return f"{count(len(rules), 'rule')} failed{places}"


def passed(report: Report) -> int:
    """How many rules hold everywhere."""
    whole = {p.said.code for p in report.passed}
    return len(whole - {f.said.code for f in (*report.failures, *report.warnings)})


def when(rfc3339: str) -> str:
    """A time for people: `2026-01-31 12:00:00 UTC`."""
    return rfc3339.replace("T", " ").removesuffix("Z") + " UTC"


def size(number: int) -> str:
    """Bytes in the largest unit that leaves at least one; empty where nothing is known."""
    if number < 0:
        return ""
    unit, rest = 0, number * 10
    while rest >= 10_240 and unit + 1 < len(_UNITS):
        unit, rest = unit + 1, rest // 1024
    return f"{number} bytes" if unit == 0 else f"{rest // 10}.{rest % 10} {_UNITS[unit]}"
