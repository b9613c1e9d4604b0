"""Workflow commands of GitHub Actions that mark a change: `::error file=…,line=…,title=…::message`.

The runner reads commands out of everything that a step prints. So a line of ours never holds a raw text from a file,
and what else is printed is made harmless by `style.defused`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockflight.cli.reports.problems import Level, problems
from lockflight.cli.reports.visible import plain
from lockflight.cli.style import count, defused

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lockflight.cli.reports.problems import Problem
    from lockflight.cli.reports.record import Report
    from lockflight.errors import LockflightError

#: GitHub shows so many annotations of each level for a step and drops the rest in silence.
MOST = 10
_MAX_CHARS = 1_000


def marks(report: Report, prefix: str | None) -> Iterable[str]:
    """Lines for standard output, the worst first.

    Args:
        report: the decision.
        prefix: what stands before the name of an asset in the repository, such as `models/`; None where the
            workspace is not in it.
    """
    found = problems(report)
    for level in Level:
        rows = [problem for problem in found if problem.level is level]
        shown = rows if len(rows) <= MOST else rows[: MOST - 1]
        for problem in shown:
            yield _line(problem, prefix)
        if len(rows) > len(shown):
            left = count(len(rows) - len(shown), "problem")
            yield _command(
                level, {"title": "Lockflight"}, f"{left} more like these; the log of this step names them."
            )


def error_mark(error: LockflightError) -> str:
    """The line for an error that came before any verdict."""
    return _command(
        Level.ERROR, {"title": f"Lockflight {error.code}"}, f"{error.message} {error.hint}".strip()
    )


def _line(problem: Problem, prefix: str | None) -> str:
    finding = problem.finding
    properties = {}
    path = None if prefix is None else prefix + finding.asset
    # A name with hidden characters cannot be told from its look-alike: it is spelt out instead of marked.
    if path is not None and defused(plain(path)) == path:
        properties["file"] = path
        properties["line"] = str(max(1, finding.location.line))
    properties["title"] = f"{finding.code} {finding.severity.value}"
    where = finding.asset + (f", in {finding.location.member}" if finding.location.member else "")
    return _command(problem.level, properties, f"{finding.message} {finding.fix} ({where})")


def _command(level: Level, properties: dict[str, str], message: str) -> str:
    named = ",".join(f"{key}={_property(value)}" for key, value in properties.items())
    return f"::{level.value} {named}::{_data(message)}"


def _data(text: str) -> str:
    return defused(plain(text, _MAX_CHARS)).replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
