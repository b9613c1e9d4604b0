"""A decision as one HTML page that needs nothing beside it: no script, no font, no network.

The page is for people who decide and audit; it proves nothing by itself and says how to look at the record.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockflight.cli.lines.rules import duration
from lockflight.cli.reports.page.document import document
from lockflight.cli.reports.page.html import Markup, el, fold, join, name
from lockflight.cli.reports.page.parts import failures, others, people
from lockflight.cli.reports.page.tables import (
    assets,
    evidence,
    fingerprints,
    passed_rules,
    rejected,
    yourself,
)
from lockflight.cli.reports.page.waivers import waived
from lockflight.cli.reports.phrases import WORDS, headline, passed, sentence, when
from lockflight.cli.reports.record import People, Report, Verdict
from lockflight.cli.style import count, short
from lockflight.core.times import exact

if TYPE_CHECKING:
    from collections.abc import Iterable

_CLASSES = {Verdict.ALLOWED: "good", Verdict.DENIED: "bad", Verdict.INCOMPLETE: "wait"}

#: What is said where duties are not separated as they should be.
_SEPARATION = {
    "none": (
        "No separation of duties.",
        "One person holds every key of this realm, so what it says counts for development only.",
    ),
    "simulated": (
        "A simulation.",
        "The people of this realm are made up for practice; nothing real can be promoted.",
    ),
    "degraded": (
        "A small team.",
        "Here an author may approve after a day of waiting. That is less than two people, and it is recorded so.",
    ),
}

_TERMS = (
    ("Release", "A set of files (model, prompts, data, code) under one digest. One changed bit is another release."),
    ("Digest", "A number computed from bytes, written in hexadecimal. Equal digests mean equal bytes."),
    ("Evidence", "What a check found about a file or a release, signed and kept in a log that cannot be edited."),
    ("Rule", "A sentence of the policy that must hold, such as “no file runs code when it is loaded”."),
    ("Waiver", "A person takes responsibility for one failed rule, for a reason and until a date."),
    ("Basis", "A digest of everything that the rules said. Approvals belong to one basis; another outcome voids them."),
    ("Separation", "Whoever made a release does not approve it."),
)  # fmt: skip


def page(report: Report) -> str:
    """The whole page; the same record gives the same bytes."""
    title = f"{WORDS[report.verdict][0]}: {report.release} for {report.environment}"
    return document(title, _sections(report))


def _sections(report: Report) -> Iterable[Markup]:
    yield _top(report)
    yield _glance(report)
    yield from failures(report)
    yield from waived(report)
    yield from others(report)
    yield from people(report)
    yield from passed_rules(report)
    yield from assets(report)
    yield from evidence(report)
    yield from rejected(report)
    yield from fingerprints(report)
    yield from yourself(report)
    words = el("dl", *(join((el("dt", term), el("dd", text))) for term, text in _TERMS), class_="facts")
    yield el("h2", "Words on this page")
    yield fold("What these words mean", words, unfolded=False)
    yield el(
        "footer",
        "Made by Lockflight from the record of one decision. This page is a copy to read: it is not signed, and"
        " whoever has it could have changed it. What counts is the record.",
    )


def _top(report: Report) -> Markup:
    _, sign = WORDS[report.verdict]
    title = el("h1", name(report.release), el("span", "→", class_="to"), name(report.environment))
    which = " · ".join(filter(None, (report.kind, report.tier and f"{report.tier} risk")))
    recorded = (
        "a rehearsal, not in the log"
        if report.rehearsal
        else f"recorded as {short(report.proof.envelope)} in the realm {report.proof.realm}"
    )
    banner = el(
        "div",
        el("span", sign, class_="sign", aria_hidden="true"),
        el("div", el("strong", headline(report)), el("p", sentence(report))),
        class_=f"verdict {_CLASSES[report.verdict]}",
    )
    lead = el("p", f"Decided {when(report.decided_at)}, {recorded}", class_="soft")
    over = el("p", f"Release decision{f' · {which}' if which else ''}", class_="over")
    return join((over, title, lead, banner, *_notes(report)))


def _notes(report: Report) -> Iterable[Markup]:
    if report.rehearsal:
        yield el(
            "p",
            el("b", "A rehearsal. "),
            "Nothing was recorded: it shows what the gate would say, and nothing can be promoted on it.",
            class_="note",
        )
    note = _SEPARATION.get(report.people.separation)
    if note is not None:
        yield el("p", el("b", f"{note[0]} "), note[1], class_="note")


def _approvals(people: People) -> str:
    if people.held is not None and people.held.break_glass:
        return "a break-glass stood for them"
    if people.held is not None and people.held.approvals:
        return f"{len(people.held.approvals)} used by its promotion"
    shown = f", presence shown within {exact(people.step_up_s)}" if people.step_up_s else ""
    return f"{people.counted} of {people.needed} needed{shown}" if people.needed else "none needed"


def _glance(report: Report) -> Markup:
    people = report.people
    ages = [row.age_s for row in report.evidence]
    oldest = f", the oldest {duration(max(ages))} old" if ages else ""
    rules = [f"{passed(report)} passed"]
    if report.failures:
        rules.append(f"{len({f.said.code for f in report.failures})} failed")
    if report.waived:
        rules.append(f"{len(report.waived)} waived")
    cells = (
        ("Rules", ", ".join(rules)),
        ("Evidence", count(len(report.evidence), "statement") + oldest),
        ("Approvals", _approvals(people)),
        ("Release", f"{count(len(report.assets), 'file')}, {short(report.digest)}"),
    )
    return el("dl", *(el("div", el("dt", head), el("dd", text)) for head, text in cells), class_="glance")
