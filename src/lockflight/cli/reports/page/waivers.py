"""What a decision's page says about waivers: those that it used in full, the others in a line each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockflight.cli.reports.page.html import Markup, el, join, name, table
from lockflight.cli.reports.page.parts import MOST_ROWS, digest, left_out, section
from lockflight.cli.reports.phrases import when
from lockflight.cli.style import count

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from lockflight.cli.reports.record import Report
    from lockflight.cli.reports.waiverrows import IdleWaiver, WaivedRow

_ERASED = "It was erased, or this copy of the realm never had it; who asked for the waiver still knows."


def waived(report: Report) -> Iterable[Markup]:
    """What failed and was waived, why, by whom, until when; then the waivers that did nothing."""
    if report.waived:
        lead = (
            "These rules failed. A person took responsibility for each, for a time; when it is over, the rule denies"
            " again. Whoever approves this release approves with them."
        )
        cards = [_card(w) for w in report.waived[:MOST_ROWS]]
        more = left_out(len(report.waived) - MOST_ROWS, "`lockflight policy explain --json`")
        yield section("Waived", lead, *cards, more)
    rest = _elsewhere(report)
    if report.idle:
        lead = "These are for this release too, but took nothing away."
        rows = [(None, _cells(w)) for w in report.idle[:MOST_ROWS]]
        yield section(
            "Waivers without effect",
            lead,
            table(("Rule", "State", "Asked for by", "Until", "Ticket", "Waiver"), rows),
            left_out(len(report.idle) - MOST_ROWS, "`lockflight waiver list`"),
            *rest,
        )
    else:
        yield from rest


def _elsewhere(report: Report) -> list[Markup]:
    if not report.elsewhere:
        return []
    exist = "waiver exists that does" if report.elsewhere == 1 else "waivers exist that do"
    words = f"{report.elsewhere} more {exist} not concern this release in {report.environment}."
    return [el("p", words, class_="soft")]


def _card(row: WaivedRow) -> Markup:
    parts = [
        el(
            "h3",
            row.title,
            *([name(row.term)] if row.term else []),
            el("span", f"{row.code} · waived", class_="code"),
        )
    ]
    if row.emergency:
        parts.append(el("p", "An emergency: a break-glass, to be reviewed afterwards.", class_="bad"))
    parts.append(el("dl", *(join((el("dt", k), el("dd", v))) for k, v in _facts(row)), class_="measure"))
    return el("section", *parts, class_="card wait")


def _facts(row: WaivedRow) -> Iterator[tuple[str, Markup]]:
    if not row.until:
        yield "Waiver", digest(row.waiver)
        yield (
            "Not known",
            el("span", "The facts of the decision were not kept, so only its digest is known here."),
        )
        return
    if row.kept:
        yield "Why", el("span", row.reason or "No reason was given.")
        yield "Meanwhile", el("span", row.control or "Nothing was named that protects meanwhile.")
    else:
        yield "Why", el("span", _ERASED, class_="soft")
    if row.ticket:
        yield "Ticket", name(row.ticket)
    yield "Asked for by", name(row.requester or "not known here")
    yield "Consented by", name(row.by) if row.by else el("span", "nobody: a personal realm", class_="soft")
    if row.covers:
        yield "Covers", el("span", row.covers)
    since = f" (in force since {when(row.since)})" if row.since else ""
    yield "Until", el("span", f"{when(row.until)}{since}")
    if row.renewals:
        yield "Renewed", el("span", count(row.renewals, "time"))
    yield "Waiver", digest(row.waiver)


def _cells(row: IdleWaiver) -> tuple[Markup, ...]:
    state = join((row.state, *((el("div", row.why, class_="soft"),) if row.why else ())))
    return (
        join((el("span", row.code, class_="code"), " ", name(row.term))),
        state,
        name(row.requester or "not known here"),
        join((when(row.until),)),
        name(row.ticket or "none"),
        digest(row.waiver),
    )
