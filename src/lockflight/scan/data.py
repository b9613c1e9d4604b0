"""The `data` check: personal data, hidden instructions, rows that stand twice, and tests that were in the training."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import field, replace
from typing import TYPE_CHECKING, Final

from lockflight.core.attest.check import PPM, CheckResult, Status, Tool, severity_summary
from lockflight.core.findings import Confidence, Finding, Location, Severity
from lockflight.core.records import dataclass
from lockflight.core.words import Role
from lockflight.detect.instructions import STRONG, find_instructions
from lockflight.detect.invisible import Hidden
from lockflight.detect.markup import find_hidden_text
from lockflight.detect.personal import KINDS, Candidates, find_personal
from lockflight.formats.rows.jsonlines import JsonTable
from lockflight.formats.rows.lines import Unreadable, blocks_of_lines
from lockflight.formats.rows.tables import TextTable, split
from lockflight.scan._hidden import hidden_findings
from lockflight.scan._overlap import Overlap, is_test
from lockflight.scan._text import capped, sniff_encoding, windows
from lockflight.scan.declared import DATA, DATA_ROLES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lockflight.core.attest.check import CheckContext, Subject
    from lockflight.core.release.release import Asset
    from lockflight.core.source import ByteSource

_TABS: Final = (".tsv", ".tab")
_COMMAS: Final = (".csv",)
_JSON_LINES: Final = (".jsonl", ".ndjson")
#: Texts are read in parts of this size; what lies across the end of one is read again with the next.
_PART: Final = 256 * 1024
_OVERLAP: Final = 8 * 1024
#: A whole text is one row for the comparison up to this size.
_MAX_DOCUMENT: Final = 1024 * 1024
#: A share of rows in parts per million from which a leak is said aloud.
_LEAK_PPM: Final = 1000
#: Hidden characters that data have no use for.
_CARRIERS: Final = frozenset({Hidden.BIDI, Hidden.TAG})
_PERSONAL_IDS: Final = ("CWE-359", "LLM02:2025", "AML.T0057")
_HIDDEN_IDS: Final = ("LLM01:2025", "LLM04:2025", "AML.T0051.001", "AML.T0020")


@dataclass(slots=True)
class _File:
    """What was found in one file: counts and first lines by kind."""

    asset: Asset
    personal: Counter[str] = field(default_factory=Counter)
    by_chance: dict[str, Candidates] = field(default_factory=dict)
    lines: dict[str, int] = field(default_factory=dict)
    hidden: int = 0
    hidden_lines: dict[tuple[str, str], int] = field(default_factory=dict)
    spoken: Counter[str] = field(default_factory=Counter)

    def text(self, text: str, line: int, *, heading: str = "", stride: int = 0) -> None:
        """Look at a text that begins at a line.

        Args:
            text: the text.
            line: 1-based line of its start, or row.
            heading: name of the column that it is of.
            stride: 0 for prose, in which line ends count lines; 1 for values of a column, one to a line.
        """
        candidates = self.by_chance.setdefault(heading if stride else "", Candidates())
        for hit in find_personal(text, candidates, heading=heading):
            self.personal[hit.kind.name] += 1
            if hit.kind.name not in self.lines:
                self.lines[hit.kind.name] = line + text.count("\n", 0, hit.offset)
        told = set()
        for hidden in find_hidden_text(text):
            self.hidden += 1
            for signal in find_instructions(hidden.text):
                told.add(text.count("\n", 0, hidden.offset))
                where = (hidden.way, signal.kind)
                if where not in self.hidden_lines:
                    self.hidden_lines[where] = line + text.count("\n", 0, hidden.offset)
        if self.asset.role is Role.KNOWLEDGE_BASE:
            for number, part in enumerate(text.split("\n")):
                if number not in told:
                    found = {signal.kind for signal in find_instructions(part[:_PART])}
                    self.spoken.update(found & STRONG)

    def finish(self) -> None:
        """Count the numbers that chance does not explain."""
        for candidates in self.by_chance.values():
            for kind, count, _ in candidates.likely():
                self.personal[kind.name] += count
                self.lines.setdefault(kind.name, 0)


class DataCheck:
    """Judges data sets, test sets and knowledge bases together (grain view, `data`)."""

    info = DATA

    def run(self, subject: Subject, ctx: CheckContext) -> CheckResult:
        """Read every text of the view; what is no text is counted as not judged where it is a data set."""
        findings: list[Finding] = []
        overlap = Overlap()
        counts = Counter(
            dict.fromkeys(
                ("texts", "rows", "identifiers", "contacts", "hidden", "duplicates", "near_duplicates"), 0
            )
            | dict.fromkeys(("leaked", "near_leaked", "tests", "unreadable", "unseen"), 0)
        )
        total = judged = 0
        for asset in sorted(subject.assets, key=is_test):
            if asset.role not in DATA_ROLES:
                continue
            source = ctx.open(asset)
            total += source.size
            encoding = sniff_encoding(source)
            if encoding is None:
                counts["unreadable"] += 1
                continue
            judged += source.size
            counts["texts"] += 1
            file = _File(asset)
            overlap.begin(asset)
            _read(file, source, encoding, overlap)
            file.finish()
            findings += _said(file, counts)
            findings += _unseen(asset, source, encoding, counts)
        findings += _shared(overlap, counts)
        return CheckResult(
            status=Status.COMPLETE,
            tool=Tool("lockflight-data", self.info.version),
            findings=capped(findings, code="LF2575", rule="data:more"),
            summary=severity_summary(findings) | counts,
            coverage_ppm=PPM if judged == total else judged * PPM // total,
        )


def _read(file: _File, source: ByteSource, encoding: str, overlap: Overlap) -> None:
    name = file.asset.name.lower()
    if encoding.startswith("utf-8") and name.endswith((*_COMMAS, *_TABS, *_JSON_LINES)):
        try:
            if name.endswith(_JSON_LINES):
                _json_lines(file, source, overlap)
            else:
                _table(file, TextTable(source, tabs=name.endswith(_TABS)), overlap)
        except Unreadable:
            # Where readers may disagree on the rows, the lines are what is compared, and all is read as text.
            overlap.again()
            _prose(file, source, encoding)
            _lines(source, overlap)
        return
    _prose(file, source, encoding)
    if source.size <= _MAX_DOCUMENT:
        overlap.row(source.read_at(0, source.size).decode(encoding, "replace"), 1)


def _lines(source: ByteSource, overlap: Overlap) -> None:
    try:
        number = 0
        for batch in blocks_of_lines(source):
            for line in batch:
                number += 1
                overlap.row(line.decode(), number)
    except Unreadable:
        overlap.again()


def _table(file: _File, table: TextTable, overlap: Overlap) -> None:
    row = 1
    for batch in table:
        fields = [[field.decode() for field in split(record)] for record in batch]
        for number, values in enumerate(fields):
            overlap.row("\t".join(values), row + number)
        for heading, column in zip(table.columns, zip(*fields, strict=True), strict=True):
            values = [value.replace("\n", " ") for value in column]
            file.text("\n".join(values), row, heading=heading if table.named else "", stride=1)
        row += len(batch)


def _json_lines(file: _File, source: ByteSource, overlap: Overlap) -> None:
    row = 1
    for batch in JsonTable(source):
        texts = []
        for number, record in enumerate(batch):
            text = "\t".join(_strings(json.loads(record)))
            overlap.row(text, row + number)
            texts.append(text.replace("\n", " "))
        file.text("\n".join(texts), row)
        row += len(batch)


def _strings(value: object) -> Iterator[str]:
    """Keys and values of JSON, each key before its value, so that it can say what the value is."""
    stack = [value]
    while stack:
        found = stack.pop()
        if isinstance(found, dict):
            for key, inner in reversed(found.items()):
                stack += [inner, key]
        elif isinstance(found, list):
            stack += reversed(found)
        elif isinstance(found, str):
            yield found
        elif isinstance(found, int | float) and not isinstance(found, bool):
            yield str(found)


def _prose(file: _File, source: ByteSource, encoding: str) -> None:
    for window in windows(source, encoding, size=_PART, overlap=_OVERLAP):
        file.text(window.body.decode("utf-8", "replace"), window.line)


# -- what is said ---------------------------------------------------------------------------------------------------


def _said(file: _File, counts: Counter[str]) -> Iterator[Finding]:
    for name, number in sorted(file.personal.items()):
        kind = KINDS[name]
        identifier = kind.weight == "identifier"
        counts["identifiers" if identifier else "contacts"] += number
        yield Finding(
            code="LF2570" if identifier else "LF2571",
            rule=f"personal:{name}",
            severity=Severity.HIGH if identifier else Severity.LOW,
            asset=file.asset.name,
            message=f"The data hold {kind.title}: {number}.",
            fix="Leave them out or replace them by keyed pseudonyms, before anything is trained on them.",
            location=Location(line=file.lines[name]),
            ids=_PERSONAL_IDS,
            salt=name,
        )
    counts["hidden"] += file.hidden
    for (way, signal), line in sorted(file.hidden_lines.items()):
        yield Finding(
            code="LF2572",
            rule=f"hidden:{way}-{signal}",
            severity=Severity.HIGH,
            asset=file.asset.name,
            message=f"Text that a page does not show ({_WAYS[way]}) speaks to a model: {_SIGNALS[signal]}.",
            fix="Delete it. If people should read it, show it; a model must not read what they cannot see.",
            confidence=Confidence.MEDIUM,
            location=Location(line=line),
            ids=_HIDDEN_IDS,
            salt=f"{way}-{signal}",
        )
    if file.spoken:
        kinds = ", ".join(_SIGNALS[kind] for kind in sorted(file.spoken))
        yield Finding(
            code="LF2573",
            rule="spoken:instruction",
            severity=Severity.MEDIUM,
            asset=file.asset.name,
            message=f"Lines of it speak to a model ({sum(file.spoken.values())}): {kinds}.",
            fix="See who wrote them. An application that retrieves this text hands it to its model.",
            confidence=Confidence.MEDIUM,
            ids=_HIDDEN_IDS,
        )


def _unseen(asset: Asset, source: ByteSource, encoding: str, counts: Counter[str]) -> Iterator[Finding]:
    """Characters that carry text or change its order, and that no data need; others that are not seen are ordinary."""
    if asset.role is Role.KNOWLEDGE_BASE:
        return  # the check text-integrity reads these, and all kinds of such characters
    for finding in hidden_findings(asset, source, encoding, escapes=True, only=_CARRIERS):
        counts["unseen"] += 1
        yield replace(finding, severity=Severity.MEDIUM if finding.rule == "text:bidi" else finding.severity)


_WAYS: Final = {
    "comment": "a comment",
    "element": "an element that is hidden",
    "attribute": "an attribute",
    "definition": "a link definition",
    "image": "the description of a picture",
}
_SIGNALS: Final = {
    "override": "forget earlier instructions",
    "role": "be somebody else",
    "secrecy": "keep something from the user",
    "reveal": "reveal prompts or secrets",
    "address": "instructions addressed to a model",
    "turn": "marks of another turn of the conversation",
    "exfiltration": "send something somewhere",
    "action": "call a tool",
    "answer": "answer in a certain way",
}


def _shared(overlap: Overlap, counts: Counter[str]) -> Iterator[Finding]:
    for file in overlap.files:
        counts["rows"] += file.rows
        counts["duplicates"] += file.again
        counts["near_duplicates"] += file.near
        counts["leaked"] += file.leaked
        counts["near_leaked"] += file.near_leaked
        counts["tests"] += file.test
        leaked = file.leaked + file.near_leaked
        if not leaked:
            continue
        share = leaked * PPM // file.rows
        serious = overlap.telling and share >= _LEAK_PPM
        yield Finding(
            code="LF2574",
            rule="leakage:test-in-training",
            severity=Severity.MEDIUM if serious else Severity.INFO,
            asset=file.asset,
            message=f"Of {file.rows} rows to test with, {file.leaked} stand in the training data as well"
            f" and {file.near_leaked} nearly so ({share / 10_000:.2f} %).",
            fix="Take them out of the one or the other; what a model has seen does not test it.",
            location=Location(line=file.line),
            ids=("AML.T0020",),
        )
