"""Reports on disk: a file is replaced as a whole and never followed, so that a link in a workspace leads nowhere."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from lockflight.errors import EnvironmentProblem, UsageError

if TYPE_CHECKING:
    from lockflight.cli.reply import Run


def write(name: str, text: str, run: Run) -> None:
    """Write a report, and say so.

    Raises:
        UsageError: LF0132 the name is that of a folder.
        EnvironmentProblem: LF0905 the system refuses.
    """
    path = Path(name)
    if path.is_dir():
        raise UsageError(
            "LF0132", f"{name} is a folder.", hint=f"Name a file in it: {name.rstrip('/')}/report"
        )
    temporary = ""
    try:
        number, temporary = tempfile.mkstemp(prefix=".lockflight-", dir=path.parent)
        with os.fdopen(number, "w", encoding="utf-8", errors="backslashreplace", newline="\n") as stream:
            stream.write(text)
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except OSError as error:
        if temporary:
            Path(temporary).unlink(missing_ok=True)
        raise EnvironmentProblem(
            "LF0905",
            f"{name} cannot be written: {error.strerror}.",
            hint="Name a file in a folder of your own.",
        ) from error
    run.say(f"wrote {name}")
