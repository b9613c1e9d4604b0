"""`lockflight check`: arguments, the reply, and its exit code."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockflight.cli.common import (
    folder_of,
    for_team,
    memory_option,
    quoted,
    record_options,
    say_reused,
)
from lockflight.cli.gate.checkreports import failed as check_failed
from lockflight.cli.gate.checkreports import refuse_clashes, report_arguments, reports
from lockflight.cli.reply import Reply, Run
from lockflight.cli.style import clean
from lockflight.errors import EvidenceMissing, LockflightError, PolicyDenied, UsageError, worst_exit

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable

    from lockflight.app.gate.check import CheckOutcome, Ran
    from lockflight.app.gate.judge import Judgement
    from lockflight.cli.style import Style
    from lockflight.policy.bundle import Bundle

__all__ = ["check", "check_arguments", "check_failed"]

MAX_WORKERS = 64


def check_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `check`."""
    parser.add_argument("folder", metavar="DIR", help="the workspace")
    parser.add_argument("--env", metavar="ENVIRONMENT", help="one environment (default: the ladder of all)")
    parser.add_argument("--only", default="", metavar="NAME,NAME", help="run only these checks")
    parser.add_argument("--no-run", action="store_true", help="run no check, only decide on what is known")
    parser.add_argument("--plan", action="store_true", help="only say what would run")
    parser.add_argument(
        "--policy", metavar="BUNDLE", help="try this policy bundle instead; nothing is decided that counts"
    )
    parser.add_argument(
        "--workers", type=int, metavar="N", help="check processes (default: one per processor)"
    )
    parser.add_argument(
        "--verbose", "-v", action="store_true", help="each rule with each term, passed ones too"
    )
    memory_option(parser)
    record_options(parser, "evidence and decision")
    report_arguments(parser)


def check(args: argparse.Namespace, run: Run) -> Reply:
    """Run what is missing and ask the gate."""
    from lockflight.app.gate.check import CheckOptions
    from lockflight.app.gate.check import check as judge
    from lockflight.app.realm.clock import now
    from lockflight.app.realm.settings import PERSONAL
    from lockflight.cli.lines.checkjson import check_json

    if args.plan and args.no_run:
        raise UsageError("LF0107", "--plan and --no-run exclude each other.", hint="lockflight check --help")
    refuse_clashes(args)
    folder = folder_of(args.folder)
    only = tuple(name.strip() for name in args.only.split(",") if name.strip())
    options = CheckOptions(
        environment=args.env or "",
        only=only,
        run=not args.no_run,
        plan=args.plan,
        record=for_team(args, run),
        workers=_workers(args, run),
        actor=run.actor,
        as_of=run.as_of,
        bundle=_bundle(args),
        remember=not args.no_cache,
    )
    first = run.realm == PERSONAL and not (run.home / "realms" / PERSONAL).exists()
    clock = now if run.as_of is None else lambda: run.now
    outcome = judge(run.home, run.realm, folder, options, clock=clock, progress=run.progress())
    if first:
        run.say(
            f"made your personal realm in {clean(str(run.home))}; its decisions count for development only"
        )
    say_reused(outcome.reused, run)
    marks = reports(args, outcome, run)
    code = _exit_code(outcome, args.plan)
    error = _error(outcome, args.folder, code)

    def human(style: Style) -> Iterable[str]:
        from lockflight.cli.lines.verdict import outcome_lines

        return outcome_lines(
            outcome,
            args.folder,
            style,
            planned=args.plan,
            verbose=args.verbose,
            earlier=run.as_of is not None,
            failed=error is not None,
        )

    return Reply("check/v1", check_json(outcome), human, code, error, marks=marks)


def _bundle(args: argparse.Namespace) -> Bundle | None:
    if args.policy is None:
        return None
    from pathlib import Path

    from lockflight.policy.sources import read_path

    return read_path(Path(args.policy))


def _workers(args: argparse.Namespace, run: Run) -> int:
    word = args.workers if args.workers is not None else run.settings["workers"] or 0
    try:
        number = int(word)
    except ValueError:
        number = -1
    if not 0 <= number <= MAX_WORKERS:
        raise UsageError(
            "LF0108",
            f"The number of workers is {word!r}; it must be 0 to {MAX_WORKERS}.",
            hint="Use --workers 4, or leave it out for one per processor (config show --origin: who set it).",
        )
    return number


def _unfinished(outcome: CheckOutcome) -> list[Ran]:
    from lockflight.app.gate.check import incomplete

    return incomplete(outcome)


def _asked(outcome: CheckOutcome) -> tuple[str, Judgement] | None:
    """Whose verdict counts: the environment that was named; of a ladder, its first step."""
    return next(iter(outcome.judgements.items()), None)


def _exit_code(outcome: CheckOutcome, planned: bool) -> int:  # noqa: FBT001 - one flag, named by its caller
    if planned:
        return 0
    asked = _asked(outcome)
    codes = [] if asked is None else [asked[1].exit_code]
    if _unfinished(outcome):
        codes.append(EvidenceMissing.exit_code)
    return worst_exit(codes)


def _error(outcome: CheckOutcome, folder: str, code: int) -> LockflightError | None:
    if code == 0:
        return None
    release = f"{outcome.release.name} {outcome.release.version}"
    asked = _asked(outcome)
    denied = {} if asked is None or asked[1].decision.allow else dict([asked])
    details: dict[str, object] = {
        "environments": sorted(denied),
        "violations": sorted({v.code for j in denied.values() for v in j.decision.violations}),
        "incomplete": [
            {"check": r.check, "subject": r.subject, "reason": r.result.reason} for r in _unfinished(outcome)
        ],
    }
    where = ", ".join(denied)
    if code == PolicyDenied.exit_code:
        return PolicyDenied(
            "LF4550",
            f"The gate denies {release} for {where}.",
            hint=_next(outcome, denied, folder),
            details=details,
        )
    if denied:
        return EvidenceMissing(
            "LF4551",
            f"Evidence about {release} is missing, stale or incomplete for {where}.",
            hint=_next(outcome, denied, folder),
            details=details,
        )
    from lockflight.cli.lines.rules import first_steps

    first = _unfinished(outcome)[0]
    again = f"lockflight check {quoted(folder)} --only {first.check}"
    return EvidenceMissing(
        "LF4552",
        f"The check {first.check} of {first.subject} did not finish: {first.result.reason}.",
        hint=" && ".join([*first_steps(first.check, [first.result.reason]), again]),
        details=details,
    )


def _next(outcome: CheckOutcome, denied: dict[str, Judgement], folder: str) -> str:
    """What would help against the first failure: a command where one is known, else the policy's words."""
    from lockflight.cli.lines.rules import command_for
    from lockflight.cli.lines.verdict import ladder_next
    from lockflight.core.shape import obj

    if len(outcome.judgements) > 1:
        return ladder_next(outcome, folder)
    name, judgement = next(iter(denied.items()))
    for violation in judgement.decision.violations:
        command = command_for(violation, name, folder, obj(judgement.facts["evidence"]))
        if command or violation.solution:
            return command or violation.solution
    return f"lockflight check {quoted(folder)} --env {name}"
