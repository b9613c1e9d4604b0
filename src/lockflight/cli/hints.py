"""Hints of an error made typeable: with the folder, the package and the link that the command was given."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from lockflight.cli.common import quoted, typeable
from lockflight.core.release import MANIFEST_NAME

if TYPE_CHECKING:
    import argparse

    from lockflight.errors import LockflightError


def point(error: LockflightError, args: argparse.Namespace) -> None:
    """Put what was typed into the error's hint, in place of the words DIR and PACKAGE."""
    paths = {
        word: given
        for word, name in (("DIR", "folder"), ("PACKAGE", "package"))
        if isinstance(given := getattr(args, name, None), str)
    }
    folder = paths.get("DIR")
    if error.code == "LF1001" and folder is not None and not (Path(folder) / MANIFEST_NAME).exists():
        error.hint = f"lockflight init {quoted(folder)} --write"  # its proposal leaves links out
    error.hint = typeable(error.hint, **paths)
