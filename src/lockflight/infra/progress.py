"""Telling a person how far a long task is: a Protocol, silence, and one line on a terminal."""

from __future__ import annotations

import threading
import time
from typing import Final, Protocol, TextIO

#: Seconds before a task is worth a word, and between two words.
QUIET_FOR = 1.0
EVERY = 0.1

#: Tasks that count things; all others count bytes.
_COUNTED = frozenset({"checking", "mutants", "scanning"})
_UNITS = ("B", "KiB", "MiB", "GiB", "TiB")


class Progress(Protocol):
    """What a long task reports to; called from any thread."""

    def begin(self, task: str, total: int) -> None:
        """A task starts; `total` is its size, such as bytes."""
        ...

    def advance(self, n: int) -> None:
        """`n` more are done."""
        ...

    def end(self) -> None:
        """The task is over, finished or not."""
        ...


class Silent:
    """Says nothing."""

    def begin(self, task: str, total: int) -> None:
        """See `Progress.begin`."""

    def advance(self, n: int) -> None:
        """See `Progress.advance`."""

    def end(self) -> None:
        """See `Progress.end`."""


SILENT: Final = Silent()


class Line:
    """One line that is written over itself, from the second second on.

    Args:
        stream: a terminal; whoever makes a `Line` has asked whether it is one.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._lock = threading.Lock()
        self._task = ""
        self._total = self._done = 0
        self._next = 0.0
        self._width = 0

    def begin(self, task: str, total: int) -> None:
        """See `Progress.begin`."""
        with self._lock:
            self._task, self._total, self._done = task, total, 0
            self._next = time.monotonic() + QUIET_FOR

    def advance(self, n: int) -> None:
        """See `Progress.advance`."""
        with self._lock:
            self._done += n
            now = time.monotonic()
            if now >= self._next:
                self._next = now + EVERY
                self._write(self.text())

    def end(self) -> None:
        """See `Progress.end`."""
        with self._lock:
            if self._width:
                self._write("")
            self._task = ""

    def text(self) -> str:
        """What the line says now."""
        share = 100 * self._done // self._total if self._total else 100
        words = str if self._task in _COUNTED else in_words
        return f"{self._task} {min(share, 100):3d} %  {words(self._done)} of {words(self._total)}"

    def _write(self, text: str) -> None:
        self._stream.write("\r" + text.ljust(self._width) + ("" if text else "\r"))
        self._stream.flush()
        self._width = len(text)


def in_words(size: int) -> str:
    """A number of bytes for people, such as `3.1 GiB`."""
    scaled = float(size)
    for unit in _UNITS[:-1]:
        if scaled < 1024:
            return f"{size} B" if unit == "B" else f"{scaled:.1f} {unit}"
        scaled /= 1024
    return f"{scaled:.1f} {_UNITS[-1]}"
