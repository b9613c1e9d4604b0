"""What a decision's page says first: why not, what would change it, what people still have to do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockflight.cli.common import typeable
from lockflight.cli.lines.rules import human_ages, measured
from lockflight.cli.reports.page.html import Markup, el, fold, join, name, prose, table
from lockflight.cli.reports.phrases import when
from lockflight.cli.style import count, short

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from lockflight.cli.reports.record import Failure, Report
    from lockflight.core.findings import Finding

#: Rows of a table, and findings behind one rule; what is left out is counted.
MOST_ROWS = 2_000
MOST_FINDINGS = 50
_MOST_LINKS = 8
_MOST_CONTROLS = 20


def section(title: str, lead: str, *content: str) -> Markup:
    """One section."""
    return join((el("h2", title), el("p", lead, class_="lead"), *content))


def digest(hexadecimal: str, *, link: bool = False) -> Markup:
    """A digest as people compare it; the whole of it on demand."""
    if link:
        return el("a", short(hexadecimal), href=f"#e-{hexadecimal}", class_="digest", title=hexadecimal)
    return el("span", short(hexadecimal), class_="digest", title=hexadecimal)


def left_out(number: int, where: str) -> Markup:
    """What a cut table does not show; nothing where it shows all."""
    return el("p", f"and {number} more, which {where} lists", class_="soft") if number > 0 else Markup()


def failures(report: Report) -> Iterable[Markup]:
    """Why not: each rule that failed, and what would make it pass."""
    if report.failures:
        lead = "Each of these must hold before the release may move. What was measured stands beside what is demanded."
        yield section("Why not", lead, *_cards(report, report.failures, "bad"))
        if report.tried:
            yield el("p", " ".join(report.tried), class_="soft")


def others(report: Report) -> Iterable[Markup]:
    """Warnings."""
    if report.warnings:
        lead = "These do not stop the release. Somebody should look at them."
        yield section("Warnings", lead, *_cards(report, report.warnings, "wait"))


def _cards(report: Report, rows: Sequence[Failure], look: str) -> Iterable[Markup]:
    told: set[str] = set()
    for row in rows[:MOST_ROWS]:
        new = [f for f in row.findings if f.fingerprint not in told]
        told.update(f.fingerprint for f in new)
        yield _card(report, row, new, look)
    yield left_out(len(rows) - MOST_ROWS, "`lockflight check --json`")


def _card(report: Report, row: Failure, new: list[Finding], look: str) -> Markup:
    said = row.said
    known = {e.digest for e in report.evidence}
    value, threshold = measured(said)
    facts = [("Measured", el("span", value)), ("Demanded", el("span", threshold))]
    if said.evidence:
        links = [join((digest(d, link=d in known), " ")) for d in said.evidence[:_MOST_LINKS]]
        more = len(said.evidence) - len(links)
        facts.append(("Evidence", join((*links, f"and {more} more" if more else ""))))
    if said.controls:
        facts.append(("Serves", join((", ".join(said.controls[:_MOST_CONTROLS]),))))
    way = [el("b", "What would make it pass")]
    if said.solution:
        way.append(el("div", prose(said.solution)))
    if row.command:
        way.append(el("pre", row.command))
    way += _change(row)
    shown = new[:MOST_FINDINGS]
    parts = [
        el(
            "h3",
            row.title,
            *([name(said.term)] if said.term else []),
            el("span", f"{said.code} · {said.severity.value}", class_="code"),
        ),
        el("p", prose(human_ages(said.msg))),
        el("dl", *(join((el("dt", k), el("dd", v))) for k, v in facts), class_="measure"),
    ]
    if shown:
        many = fold(
            count(len(new), "finding"),
            el("ul", *map(_finding, shown), class_="findings"),
            left_out(len(new) - len(shown), "`lockflight check --verbose`"),
            unfolded=len(shown) <= 5,
        )
        parts.append(many)
    elif row.findings:
        parts.append(el("p", f"{count(len(row.findings), 'finding')}, shown above", class_="soft"))
    if len(way) > 1:
        parts.append(el("div", *way, class_="way"))
    return el("section", *parts, class_=f"card {look}")


def _change(row: Failure) -> Iterable[Markup]:
    """The smallest change that was tried and found to do, or why there is none."""
    change = row.change
    if change is None:
        return
    if change.lines:
        yield el(
            "div", "The smallest difference in what was judged with which this rule passes:", class_="soft"
        )
        shown = (line.replace(" -> ", " → ") for line in change.lines[:MOST_FINDINGS])
        yield el("ul", *(el("li", line) for line in shown), class_="findings")
        yield left_out(len(change.lines) - MOST_FINDINGS, "`lockflight policy explain --json`")
    if change.note:
        yield el("div", change.note, class_="soft")


def _finding(finding: Finding) -> Markup:
    place = finding.asset + (f":{finding.location.line}" if finding.location.line else "")
    inside = finding.location.member
    return el(
        "li",
        el("span", finding.severity.value, class_="sev"),
        " ",
        el("span", finding.code, class_="code"),
        " ",
        name(place),
        *((" in ", name(inside)) if inside else ()),
        el("div", prose(finding.message)),
        *((el("div", prose(finding.fix), class_="soft"),) if finding.fix else ()),
    )


def people(report: Report) -> Iterable[Markup]:
    """What people still have to do, and what they said."""
    about = report.people
    parts = []
    if about.todo:
        lead = f"As of {when(about.as_of)}. The gate judges evidence; people answer for the release."
        items = [
            el("li", prose(human_ages(o.message)), " ", el("span", o.code, class_="code"), _do(o.fix, report))
            for o in about.todo
        ]
        parts.append(el("ol", *items, class_="todo"))
    elif about.done:
        lead = f"Nothing, as of {when(about.as_of)}."
    else:
        lead = "Nothing that would help: the failed rules come first."
    if about.said:
        rows = [
            (None, (name(s.person), s.verdict, s.state, when(s.logged_at), when(s.until))) for s in about.said
        ]
        parts.append(table(("Person", "Said", "State", "On", "Until"), rows))
    yield section("What people still have to do", lead, *parts)


def _do(fix: str, report: Report) -> Markup:
    typed = typeable(fix, DIR=report.folder) if report.folder else fix
    return el("pre", typed) if typed.startswith("lockflight ") else el("div", prose(typed), class_="soft")
