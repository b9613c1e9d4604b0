"""Where the assistant's files come from: a signed package that verifies each, or the folder in which it is made."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Protocol

ROOT = Path(__file__).resolve().parent.parent


class Files(Protocol):
    """Files by their names in the release."""

    def read(self, name: str) -> bytes:
        """All bytes of a file."""

    def text(self, name: str) -> str:
        """A file as UTF-8 text."""

    def path(self, name: str) -> str:
        """A path for a library that opens the file itself."""


class Workspace:
    """The files of a folder, believed as they lie there: for whoever makes the release, never for its users."""

    def __init__(self, root: Path = ROOT) -> None:
        self._root = root

    def read(self, name: str) -> bytes:
        """See `Files.read`."""
        return (self._root / name).read_bytes()

    def text(self, name: str) -> str:
        """See `Files.text`."""
        return (self._root / name).read_text(encoding="utf-8")

    def path(self, name: str) -> str:
        """See `Files.path`."""
        if not (self._root / name).is_file():
            raise FileNotFoundError(f"{self._root / name} is missing: run prepare.py")
        return str(self._root / name)


def opened(environment: str | None) -> AbstractContextManager[Files]:
    """The package around this file, if an environment is named and holds it; else the folder.

    Raises:
        lockflight.errors.LockflightError: the package may not be loaded there.
    """
    if environment is None:
        return nullcontext(Workspace())
    import lockflight

    return lockflight.load(ROOT, environment=environment)
