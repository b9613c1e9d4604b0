"""Reports of `check`, in the formats that people and CI systems read, beside what it prints."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

from lockflight.errors import EnvironmentProblem, LockflightError, UsageError

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
    from lockflight.cli.reports.ci.markdown import markdown

    _summarize(markdown(report))
    return tuple(marks(report, prefix))


def failed(args: argparse.Namespace | None, error: LockflightError) -> tuple[str, ...]:
    """An error came before the verdict: every report that was asked for says so, instead of what an earlier run said.

    A report that cannot be written is taken away. The lines are for the CI system that runs us.

    Args:
        args: what was asked for; None where that could not be read.
        error: what came first.
    """
    from lockflight.app.realm.clock import now
    from lockflight.cli.reports.ci.github import error_mark
    from lockflight.cli.reports.failed import markdown, no_verdict
    from lockflight.cli.reports.write import remove, write
    from lockflight.core.times import rfc3339

    if args is not None:
        for name, file in _wanted(args).items():
            try:
                write(file, no_verdict(name, error, _prefix(args.folder) or "", rfc3339(now())), None)
            except (LockflightError, OSError):
                remove(file)
    if os.environ.get("GITHUB_ACTIONS") != "true" or not getattr(args, "annotations", True):
        return ()
    # The error itself is told in any case; a summary that cannot be written must not hide it.
    with contextlib.suppress(EnvironmentProblem):
        _summarize(markdown(error))
    return (error_mark(error),)


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


def _summarize(text: str) -> None:
    """Append to the summary of the job; the runner names the file."""
    name = os.environ.get("GITHUB_STEP_SUMMARY")
    if not name:
        return
    try:
        with Path(name).open("a", encoding="utf-8", errors="backslashreplace") as stream:
            stream.write(text + "\n")
    except OSError as error:
        raise EnvironmentProblem(
            "LF0905", f"The job summary {name} cannot be written: {error.strerror}.", hint="--no-annotations"
        ) from error
