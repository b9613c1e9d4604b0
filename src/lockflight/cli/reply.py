"""What a command is given, and what it answers."""

from __future__ import annotations

import sys
from dataclasses import field
from typing import TYPE_CHECKING

from lockflight.core.records import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path
    from typing import TextIO

    from lockflight.app.realm.settings import Settings
    from lockflight.cli.style import Style
    from lockflight.errors import LockflightError
    from lockflight.infra.progress import Progress


@dataclass(frozen=True, slots=True)
class Reply:
    """What a command answers.

    Attributes:
        schema: name of the result's form, such as `check/v1`; `lockflight schema check` prints it.
        result: the result, JSON values only.
        human: lines for people, given a style.
        exit_code: one that the command declares.
        error: the error that explains a non-zero exit code, if the result alone does not.
        raw: bytes for standard output instead of the human lines (a document that was asked for).
        marks: lines for the CI system that reads what the step prints, written as they are.
    """

    schema: str
    result: object
    human: Callable[[Style], Iterable[str]]
    exit_code: int = 0
    error: LockflightError | None = None
    raw: bytes | None = None
    marks: tuple[str, ...] = ()


@dataclass(slots=True)
class Run:
    """What every command is given.

    Attributes:
        flags: settings given as options.
        json, quiet: how to talk.
        now: Unix seconds, or the time of --as-of.
        as_of: Unix seconds of --as-of; None for the present.
        out: standard output; `sys.stdout` itself is standard error while a command runs, so that a library
            that prints cannot spoil a result.
    """

    flags: dict[str, str | None]
    json: bool
    quiet: bool
    now: int
    as_of: int | None = None
    out: TextIO = field(default_factory=lambda: sys.stdout)
    _settings: Settings | None = None

    @property
    def settings(self) -> Settings:
        """All settings; read when first asked for, so that `explain` works in a broken home.

        Raises:
            UsageError: LF0102 to LF0104 a setting is not usable.
            EnvironmentProblem: LF5040, LF5041 the home's configuration cannot be trusted or read.
        """
        if self._settings is None:
            from lockflight.app.realm.settings import Settings

            self._settings = Settings(self.flags)
        return self._settings

    @property
    def home(self) -> Path:
        """The home folder; who asks for it may reach realms, so what `--offline` forbids is said here."""
        from lockflight.store.log.address import OFFLINE

        OFFLINE.set(self.offline)
        return self.settings.home

    @property
    def realm(self) -> str:
        """Name of the realm to talk to."""
        return self.settings["realm"]

    @property
    def actor(self) -> str:
        """Name of the person who acts; empty where the home holds one."""
        return self.settings["as"]

    @property
    def offline(self) -> bool:
        """Whether no socket may be opened."""
        return self.settings.flag("offline")

    def say(self, line: str) -> None:
        """Narrate on standard error; silent with --quiet."""
        if not self.quiet:
            from lockflight.cli.style import defused

            sys.stderr.write(defused(line) + "\n")

    def progress(self) -> Progress:
        """A progress line on a terminal, else silence."""
        from lockflight.infra.progress import SILENT

        if self.quiet or not sys.stderr.isatty():
            return SILENT
        from lockflight.cli.progress import Counted

        return Counted(sys.stderr)
