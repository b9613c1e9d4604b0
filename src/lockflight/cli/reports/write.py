"""Reports on disk: a file is replaced as a whole and never followed, so that a link in a workspace leads nowhere."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from lockflight.errors import EnvironmentProblem, UsageError

if TYPE_CHECKING:
    from lockflight.cli.reply import Run


def remove(name: str) -> None:
    """Take away a report that cannot be replaced, if the system lets us; a link is not followed."""
    path = Path(name)
    with contextlib.suppress(OSError):
        if path.is_symlink() or path.is_file():
            path.unlink()


def write(name: str, text: str, run: Run | None) -> None:
    """Write a report, and say so; without a run in silence.

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
    if run is not None:
        run.say(f"wrote {name}")
