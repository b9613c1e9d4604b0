"""`lockflight doctor`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from lockflight.cli.reply import Reply, Run
from lockflight.cli.style import clean, count, table
from lockflight.errors import EnvironmentProblem

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable

    from lockflight.cli.style import Style


def doctor_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `doctor`: none of its own."""


def doctor(args: argparse.Namespace, run: Run) -> Reply:
    """What works here and how to mend what does not."""
    from lockflight.app.doctor import Health
    from lockflight.app.doctor import doctor as examine
    from lockflight.app.realm.settings import home_value

    home = Path(home_value(run.flags, os.environ).value).expanduser().absolute()
    parts = examine(home, settings=lambda: run.offline, now=run.now)
    faults = [part for part in parts if part.health is Health.FAULT]
    result = {
        "parts": [
            {
                "name": part.name,
                "health": part.health.value,
                "said": part.said,
                "code": part.code or None,
                "fix": part.fix or None,
            }
            for part in parts
        ]
    }
    error = None
    if faults:
        error = EnvironmentProblem(
            "LF5045",
            f"{count(len(faults), 'part does', 'parts do')} not work: {', '.join(part.name for part in faults)}.",
            hint=faults[0].fix,
        )

    def human(style: Style) -> Iterable[str]:
        marks = {Health.OK: style.yes, Health.NOTE: style.look, Health.FAULT: style.no}
        rows = []
        for part in parts:
            fix = f"{style.dim('fix:')} {clean(part.fix)}" if part.fix else ""
            rows.append([f"{marks[part.health]} {part.name}", f"{clean(part.said)}  {fix}".rstrip()])
        yield from table(rows)

    return Reply("doctor/v1", result, human, 4 if faults else 0, error)
