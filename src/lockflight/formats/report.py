"""Issues: what a parser has to say about the bytes that it was given."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from lockflight.core.findings import Verdict, worst
from lockflight.core.records import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterable

#: More issues than this in one file tell nobody more; the last one says that there were more.
MAX_ISSUES = 256


@dataclass(frozen=True, slots=True)
class Issue:
    """One thing that is wrong with a file.

    Attributes:
        rule: id such as `pickle:global`; the part before the colon is the format.
        verdict: what the file is because of it; `safe` for a remark.
        message: one sentence without bytes of the file, except names of things that the file refers to.
        offset: byte offset in the file or member, -1 where there is none.
        member: path inside a container, outermost first, joined by `!`.
        subject: what tells two issues of one rule apart, such as the name of the called global.
    """

    rule: str
    verdict: Verdict
    message: str
    offset: int = -1
    member: str = ""
    subject: str = ""


class Issues:
    """Collects issues: each (rule, member, subject) once, at most `MAX_ISSUES`."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, str, str], Issue] = {}
        self._dropped: list[Verdict] = []

    def add(self, issue: Issue) -> None:
        """Keep the issue unless the same one is there; a worse verdict of the same one wins."""
        key = (issue.rule, issue.member, issue.subject)
        known = self._found.get(key)
        if known is not None:
            if issue.verdict.rank > known.verdict.rank:
                self._found[key] = issue
        elif len(self._found) < MAX_ISSUES:
            self._found[key] = issue
        else:
            self._dropped = [worst([issue.verdict, *self._dropped])]

    def extend(self, issues: Iterable[Issue], member: str = "") -> None:
        """Add issues of something inside `member`."""
        for issue in issues:
            self.add(replace(issue, member=join_member(member, issue.member)))

    @property
    def verdict(self) -> Verdict:
        """The worst verdict; `safe` for none."""
        if not self._found:
            return Verdict.SAFE
        return worst([*(issue.verdict for issue in self._found.values()), *self._dropped])

    def frozen(self) -> tuple[Issue, ...]:
        """The issues in the order in which they were found."""
        found = tuple(self._found.values())
        if self._dropped:
            message = f"There are more than {MAX_ISSUES} issues; the rest is not listed."
            found += (Issue("file:many-issues", self._dropped[0], message),)
        return found


def join_member(outer: str, inner: str) -> str:
    """The path of something inside a container."""
    return f"{outer}!{inner}" if outer and inner else outer or inner


def shown(text: str, limit: int = 80) -> str:
    """A name from a hostile file in a form that is safe to print: ASCII, quoted, short."""
    cut = text if len(text) <= limit else text[:limit] + "…"
    return ascii(cut).replace("\\u2026", "...")
