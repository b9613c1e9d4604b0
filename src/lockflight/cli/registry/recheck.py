"""`recheck`: everything that is deployed, judged again today."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockflight.cli.common import quoted
from lockflight.cli.reply import Reply, Run
from lockflight.cli.style import clean, count, short
from lockflight.errors import PolicyDenied

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable

    from lockflight.app.registry.recheck import Rechecked
    from lockflight.cli.style import Style


def recheck_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `recheck`."""
    parser.add_argument("--project", default="", metavar="NAME", help="only this project")
    parser.add_argument("--env", default="", metavar="ENVIRONMENT", help="only there")


def recheck(args: argparse.Namespace, run: Run) -> Reply:
    """Judge again what is deployed; nothing is moved."""
    from lockflight.app.registry.recheck import recheck as judge

    rows = judge(run.home, run.realm, project=args.project, environment=args.env, now=run.now)
    at_risk = [row for row in rows if row.at_risk]

    def human(style: Style) -> Iterable[str]:
        if not rows:
            yield "No environment holds a release, so there is nothing to judge again."
        for row in rows:
            yield from _lines(row, style)

    error = _at_risk(at_risk, len(rows)) if at_risk else None
    result = {"checked": [_json(row) for row in rows], "at_risk": len(at_risk)}
    return Reply("recheck/v1", result, human, 0 if error is None else error.exit_code, error)


def _lines(row: Rechecked, style: Style) -> Iterable[str]:
    what = f"{row.environment}  {clean(row.project)} {clean(row.version)}  sha256:{short(row.release)}"
    if row.judgement is None:
        yield f"{style.no} {what}  at risk: {clean(row.problem)}"
        return
    decision = row.judgement.decision
    said = f"decision {short(row.judgement.recorded)}"
    yield f"{style.no} {what}  at risk, {said}" if row.at_risk else f"{style.yes} {what}  still fine, {said}"
    for violation in decision.violations:
        yield f"    {violation.code} {clean(violation.msg)}"


def _at_risk(rows: list[Rechecked], total: int) -> PolicyDenied:
    first = rows[0]
    return PolicyDenied(
        "LF4570",
        f"{len(rows)} of {count(total, 'deployed release')} would not be let in today.",
        hint=f"lockflight rollback --project {quoted(first.project)} --env {first.environment}",
        details={
            "at_risk": [
                {"project": r.project, "environment": r.environment, "release": f"sha256:{r.release}"}
                for r in rows
            ]
        },
    )


def _json(row: Rechecked) -> dict[str, object]:
    decision = row.judgement.decision if row.judgement is not None else None
    return {
        "project": row.project,
        "environment": row.environment,
        "slot": row.slot,
        "release": f"sha256:{row.release}",
        "version": row.version,
        "exposure": row.exposure,
        "at_risk": row.at_risk,
        "decision": row.judgement.recorded if row.judgement is not None else None,
        "violations": [v.to_json() for v in decision.violations] if decision is not None else [],
        "problem": row.problem or None,
    }
