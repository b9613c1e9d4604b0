"""Watches the pure floors while they run: the half of rule 3 that no import linter can see.

An audit hook is told of every file, socket and process that Python touches. The first frame of ours on the
stack, counted from the event, answers for it: a pure floor must not, while a test, a file source of `scan` or
the import system that a pure function called upon may.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import FrameType

FLOORS = ("core", "formats", "detect", "stats")

_EVENTS = {
    "ctypes.dlopen",
    "glob.glob",
    "open",
    "os.chdir",
    "os.exec",
    "os.fork",
    "os.forkpty",
    "os.listdir",
    "os.mkdir",
    "os.posix_spawn",
    "os.putenv",
    "os.rename",
    "os.scandir",
    "os.spawn",
    "os.system",
    "sqlite3.connect",
    "subprocess.Popen",
    "tempfile.mkdtemp",
    "tempfile.mkstemp",
    "urllib.Request",
}


class ImpureError(RuntimeError):
    """A pure floor touched the outside."""


def watch(package: Path, tests: Path) -> list[str]:
    """Watch this process from now on (a hook cannot be removed).

    Args:
        package: folder of the package `lockflight`.
        tests: folder whose code may do anything, also when a pure function calls it.

    Returns:
        A list that grows by one line for each breach; the breach itself raises `ImpureError` too.
    """
    breaches: list[str] = []
    pure = tuple(f"{package / floor}/" for floor in FLOORS)
    ours, free = f"{package}/", f"{tests}/"

    def culprit(frame: FrameType | None) -> str | None:
        while frame is not None:
            name = frame.f_code.co_filename
            if name.startswith(pure):
                return f"{name}:{frame.f_lineno}"
            if name.startswith((ours, free, "<frozen importlib")):
                return None
            frame = frame.f_back
        return None

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        if event not in _EVENTS and not event.startswith("socket."):
            return
        where = culprit(sys._getframe(1))
        if where is not None:
            breaches.append(f"{where}: {event} {arguments[:1]!r}")
            raise ImpureError(breaches[-1])

    sys.addaudithook(hook)
    return breaches
