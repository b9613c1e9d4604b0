"""A workspace that development takes, and a file that nobody takes."""

from __future__ import annotations

from lockflight.app.demo import PLANTED_NAME
from lockflight.app.demo import make_workspace as make

PICKLE = "cposix\nsystem\n(S'true'\ntR."


def make_workspace(folder):
    """The workspace of the demo, without what is planted in it."""
    make(folder)
    (folder / PLANTED_NAME).unlink()
