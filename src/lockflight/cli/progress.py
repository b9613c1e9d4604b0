"""The progress line of the command line: bytes where bytes are counted, plain numbers where things are."""

from __future__ import annotations

from lockflight.infra.progress import Line

#: Tasks whose size is a number of things.
THINGS = frozenset({"checking"})


class Counted(Line):
    """A `Line` that knows which tasks count things."""

    def text(self) -> str:
        """What the line says now."""
        if self._task not in THINGS:
            return super().text()
        return f"{self._task} {self._done} of {self._total}"
