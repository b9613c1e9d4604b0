"""Reports of `check`: files in the formats that people and CI systems read, beside what it prints."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockflight.errors import UsageError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from lockflight.app.check import CheckOutcome
    from lockflight.cli.reply import Run
    from lockflight.cli.reports.record import Report

#: Option -> what it writes.
FORMATS = {
    "html": "a page for approvers and auditors that needs no network",
}


def report_arguments(parser: argparse.ArgumentParser) -> None:
    """One option for each format."""
    group = parser.add_argument_group("reports")
    for name, what in FORMATS.items():
        group.add_argument(f"--{name}", metavar="FILE", help=what)


def refuse_clashes(args: argparse.Namespace) -> None:
    """Two reports in one file, or reports about a plan.

    Raises:
        UsageError: LF0107, LF0132.
    """
    wanted = [vars(args)[name] for name in FORMATS if vars(args)[name] is not None]
    if wanted and args.plan:
        raise UsageError(
            "LF0107", "--plan decides nothing that a report could be about.", hint="lockflight check --help"
        )
    for file in wanted:
        if wanted.count(file) > 1:
            raise UsageError(
                "LF0132", f"Two reports want the file {file}.", hint="Name a file of its own for each."
            )


def write_reports(args: argparse.Namespace, outcome: CheckOutcome, run: Run) -> None:
    """Write every report that was asked for; about the environment whose verdict is the exit code."""
    from lockflight.cli.reports.build import report_of_check
    from lockflight.cli.reports.write import write

    wanted = {name: vars(args)[name] for name in FORMATS if vars(args)[name] is not None}
    if not wanted:
        return
    report = report_of_check(outcome, next(iter(outcome.judgements)), args.folder)
    for name, file in wanted.items():
        write(file, _maker(name)(report), run)


def _maker(name: str) -> Callable[[Report], str]:
    from lockflight.cli.page import page

    return {"html": page}[name]
