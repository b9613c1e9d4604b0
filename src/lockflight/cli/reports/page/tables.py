"""What a decision's page shows below: what passed, the release, the evidence, and what to compare."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockflight.cli.common import quoted
from lockflight.cli.lines.rules import duration, measured
from lockflight.cli.reports.page.html import Markup, commands, el, fold, join, name, table
from lockflight.cli.reports.page.parts import MOST_ROWS, digest, left_out, section
from lockflight.cli.reports.phrases import passed, size
from lockflight.cli.style import count, short

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lockflight.cli.reports.record import Report

#: Tables of at most so many rows are open at first.
_UNFOLDED = 12


def passed_rules(report: Report) -> Iterable[Markup]:
    """What holds."""
    if not report.passed:
        return
    rows = []
    for row in report.passed[:MOST_ROWS]:
        said = row.said
        value, demanded = measured(said)
        title = join((f"{row.title} ", *((name(said.term),) if said.term else ())))
        rows.append((None, (el("span", said.code, class_="code"), title, value, demanded)))
    yield section(
        "Rules that passed",
        "What was measured and what is demanded, also where there is nothing to complain about.",
        fold(
            f"{count(passed(report), 'rule')}, {count(len(report.passed), 'result')}",
            table(("Code", "Rule", "Measured", "Demanded"), rows),
            left_out(len(report.passed) - MOST_ROWS, "`lockflight check --json`"),
            unfolded=False,
        ),
        *(
            (el("p", f"Do not apply here: {', '.join(report.skipped)}", class_="soft"),)
            if report.skipped
            else ()
        ),
    )


def assets(report: Report) -> Iterable[Markup]:
    """What the release is made of."""
    origins = any(a.origin for a in report.assets)
    heads = ["File", "Role", "Size", *(["Origin"] if origins else []), "SHA-256"]
    rows = []
    for a in report.assets[:MOST_ROWS]:
        origin = [a.origin] if origins else []
        rows.append(
            (None, [name(a.name), a.role or "not known here", size(a.size), *origin, digest(a.digest)])
        )
    yield section(
        "What the release is made of",
        "Exactly these files and no others. The digest of the release covers all of them.",
        el("p", el("span", f"sha256:{report.digest}", class_="digest")),
        fold(
            count(len(report.assets), "file"),
            table(heads, rows),
            left_out(len(report.assets) - MOST_ROWS, "`lockflight release show --assets`"),
            unfolded=len(rows) <= _UNFOLDED,
        ),
    )


def evidence(report: Report) -> Iterable[Markup]:
    """What the decision rests on."""
    lead = "Signed statements of checks that this decision read, with their age when it was made."
    if not report.evidence and not report.unread:
        yield section("Evidence", lead, el("p", "There was none.", class_="note"))
        return
    rows = []
    for row in report.evidence[:MOST_ROWS]:
        found = count(len(row.findings) + row.more, "finding")
        state = found if row.complete else join((el("b", "unfinished", class_="bad"), f": {row.reason}"))
        cells = (
            row.check,
            name(row.subject),
            state,
            duration(row.age_s),
            name(row.signer),
            digest(row.digest),
        )
        rows.append((f"e-{row.digest}", cells))  # fmt: skip
    missing = f"{count(len(report.unread), 'statement')} that the decision names can no longer be read here."
    yield section(
        "Evidence",
        lead,
        fold(
            count(len(report.evidence), "statement"),
            table(("Check", "Of", "Found", "Age", "Signed by", "Statement"), rows),
            left_out(len(report.evidence) - MOST_ROWS, "`lockflight evidence list`"),
            unfolded=len(rows) <= _UNFOLDED,
        ),
        *((el("p", missing, class_="note"),) if report.unread else ()),
    )


def rejected(report: Report) -> Iterable[Markup]:
    """What did not count."""
    if report.rejected:
        rows = [
            (None, (r.type, r.reason, el("span", r.code, class_="code"), digest(r.digest)))
            for r in report.rejected[:MOST_ROWS]
        ]
        yield section(
            "Evidence that did not count",
            "Statements about this release that the log holds and the gate refused, with the reason.",
            fold(
                count(len(report.rejected), "statement"),
                table(("Type", "Why not", "Code", "Statement"), rows),
                left_out(len(report.rejected) - MOST_ROWS, "`lockflight evidence list`"),
                unfolded=len(rows) <= _UNFOLDED,
            ),
        )


def fingerprints(report: Report) -> Iterable[Markup]:
    """What the decision can be compared by."""
    proof = report.proof
    facts: list[tuple[str, str]] = [
        ("Policy", f"{proof.policy} {proof.version}".strip()),
        ("Policy digest", f"sha256:{proof.policy_digest}"),
        *(
            (
                "The release's own policy",
                join((f"{name} {version}: both must allow", el("span", f"sha256:{digest}"))),
            )
            for name, version, digest in filter(None, [proof.own])
        ),
        *(
            ("Engine", join((f"{engine} {version}", *((el("span", f"sha256:{sha256}"),) if sha256 else ()))))
            for engine, version, sha256 in proof.engines
        ),
        ("Basis", proof.basis),
        ("Facts that went in", f"sha256:{proof.facts}"),
        ("Answer that came out", f"sha256:{proof.output}"),
        ("Realm", join((f"{proof.realm} ", el("span", f"sha256:{proof.root}")))),
    ]
    if proof.checkpoint:
        entries, _, root = proof.checkpoint.partition(":")
        facts.append(("Log that was read", join((f"{entries} entries", el("span", root)))))
    if proof.envelope:
        place = f"entry {proof.index}" if proof.index >= 0 else "recorded"
        facts.append(("This decision", join((place, el("span", f"sha256:{proof.envelope}")))))
    listed = el(
        "dl",
        *(join((el("dt", k), el("dd", v, class_="digest"))) for k, v in facts),
        class_="facts",
    )
    lead = "The same facts, policy and time give the same answer, on any machine and in any year."
    yield section("Policy, engines and digests", lead, listed)


def yourself(report: Report) -> Iterable[Markup]:
    """How to check the page."""
    proof = report.proof
    if proof.envelope:
        lines = [
            f"lockflight log verify --realm {proof.realm}",
            f"lockflight evidence show {short(proof.envelope)} --realm {proof.realm}",
            f"lockflight policy replay {short(proof.envelope)} --realm {proof.realm}",
            f"lockflight policy explain {short(proof.envelope)} --realm {proof.realm} --html again.html",
        ]
        lead = (
            "Do not believe this page; ask the log, in your own copy of the realm. In this order: the log is whole"
            " and unchanged; the decision stands in it, signed by the gate; the same facts and policy give the same"
            " verdict again, on every engine that is here; and the page is made again from the record."
        )
    else:
        lines = [
            f"lockflight check {quoted(report.folder)} --env {report.environment}",
            "lockflight policy show",
        ]
        lead = "A rehearsal leaves no record. The same files, evidence and policy give the same basis again:"
    yield section("Check this yourself", lead, commands(*lines))
