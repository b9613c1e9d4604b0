"""Hints of an error made typeable: with the folder, the package and the policy that the command was given."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from lockflight.cli.common import quoted, typeable
from lockflight.core.release.release import MANIFEST_NAME

if TYPE_CHECKING:
    import argparse

    from lockflight.errors import LockflightError

_CHECK = re.compile(r"lockflight check DIR (--env \S+)")


def point(error: LockflightError, args: argparse.Namespace) -> None:
    """Put what was typed into the error's hint, in place of the words DIR, PACKAGE and BUNDLE."""
    paths = {
        word: given
        for word, name in (("DIR", "folder"), ("PACKAGE", "package"))
        if isinstance(given := getattr(args, name, None), str)
    }
    folder = paths.get("DIR")
    if error.code == "LF1001" and folder is not None and not (Path(folder) / MANIFEST_NAME).exists():
        error.hint = f"lockflight init {quoted(folder)} --write"  # its proposal leaves links out
    if folder is None and "PACKAGE" in paths:
        # The gate of promotions and approvals sees what the realm holds, so a rehearsal would not help.
        error.hint = _CHECK.sub(r"lockflight check PACKAGE \1 --record", error.hint)
    error.hint = typeable(error.hint, **paths).replace(" BUNDLE", _bundle(args))


def _bundle(args: argparse.Namespace) -> str:
    """The policy of `check --policy` or `policy test`; nothing for the shipped one, which needs no name."""
    given = getattr(args, "policy", None) or getattr(args, "bundle", None)
    return f" {quoted(given)}" if given else ""
