"""Reports of `check`, in the formats that people and CI systems read, beside what it prints."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from lockflight.errors import EnvironmentProblem, UsageError

if TYPE_CHECKING:
    import argparse

    from lockflight.app.gate.check import CheckOutcome
    from lockflight.cli.reply import Run
    from lockflight.cli.reports.record import Report

#: Option -> what it writes.
FORMATS = {
    "html": "a page for approvers and auditors that needs no network",
    "markdown": "a summary for comments on a change",
    "junit": "JUnit XML: a test case for each rule and each check",
    "sarif": "SARIF 2.1.0, for code scanning",
    "codequality": "a Code Quality report for GitLab",
}
#: Where CI systems keep the working copy of the repository.
_ROOTS = ("GITHUB_WORKSPACE", "CI_PROJECT_DIR")


def report_arguments(parser: argparse.ArgumentParser) -> None:
    """One option for each format, and one against what GitHub Actions gets by itself."""
    group = parser.add_argument_group("reports (about the environment whose verdict is the exit code)")
    for name, what in FORMATS.items():
        group.add_argument(f"--{name}", metavar="FILE", help=f"write {what}")
    group.add_argument(
        "--no-annotations",
        dest="annotations",
        action="store_false",
        help="no annotations and no job summary where GITHUB_ACTIONS is set",
    )


def refuse_clashes(args: argparse.Namespace) -> None:
    """Two reports in one file, or reports about a plan.

    Raises:
        UsageError: LF0107, LF0132.
    """
    wanted = _wanted(args)
    if wanted and args.plan:
        raise UsageError(
            "LF0107", "--plan decides nothing that a report could be about.", hint="lockflight check --help"
        )
    places = [os.path.realpath(file) for file in wanted.values()]
    for file, place in zip(wanted.values(), places, strict=True):
        if places.count(place) > 1:
            raise UsageError(
                "LF0132", f"Two reports want the file {file}.", hint="Name a file of its own for each."
            )


def _wanted(args: argparse.Namespace) -> dict[str, str]:
    return {name: vars(args)[name] for name in FORMATS if vars(args)[name] is not None}


def reports(args: argparse.Namespace, outcome: CheckOutcome, run: Run) -> tuple[str, ...]:
    """Write every report that was asked for; the lines that mark the change for the CI system that runs us.

    Raises:
        UsageError, EnvironmentProblem: a report cannot be written.
    """
    github = args.annotations and os.environ.get("GITHUB_ACTIONS") == "true"
    wanted = _wanted(args)
    if not outcome.judgements or not (wanted or github):
        return ()
    from lockflight.cli.reports.build import report_of_check
    from lockflight.cli.reports.write import write

    report = report_of_check(outcome, next(iter(outcome.judgements)), args.folder)
    prefix = _prefix(args.folder)
    for name, file in wanted.items():
        write(file, _text(name, report, prefix or ""), run)
    if not github:
        return ()
    from lockflight.cli.reports.ci.github import marks

    _summarize(report)
    return tuple(marks(report, prefix))


def _text(name: str, report: Report, prefix: str) -> str:
    from lockflight.cli.gate.page import page
    from lockflight.cli.reports.ci.junit import junit
    from lockflight.cli.reports.ci.machine import code_quality, sarif_text
    from lockflight.cli.reports.ci.markdown import markdown

    if name == "sarif":
        return sarif_text(report, prefix)
    if name == "codequality":
        return code_quality(report, prefix)
    return {"html": page, "junit": junit, "markdown": markdown}[name](report)


def _prefix(folder: str) -> str | None:
    """What stands before an asset's name in the repository that CI checked out; None where it lies elsewhere."""
    here = Path(folder).resolve()
    named = [Path(os.environ[name]) for name in _ROOTS if os.environ.get(name)]
    for root in (*named, Path.cwd()):
        if here.is_relative_to(root.resolve()):
            inside = here.relative_to(root.resolve()).as_posix()
            return "" if inside == "." else inside + "/"
    return None


def _summarize(report: Report) -> None:
    """Append to the summary of the job; the runner names the file."""
    from lockflight.cli.reports.ci.markdown import markdown

    name = os.environ.get("GITHUB_STEP_SUMMARY")
    if not name:
        return
    try:
        with Path(name).open("a", encoding="utf-8", errors="backslashreplace") as stream:
            stream.write(markdown(report) + "\n")
    except OSError as error:
        raise EnvironmentProblem(
            "LF0905", f"The job summary {name} cannot be written: {error.strerror}.", hint="--no-annotations"
        ) from error
