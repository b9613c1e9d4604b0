"""Running one command: its arguments and settings, its reply, its errors and exit code."""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lockflight.cli.arguments import make_parser
from lockflight.core.suggest import closest
from lockflight.errors import EnvironmentProblem, InternalError, LockflightError, UsageError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path
    from typing import TextIO

    from lockflight.app.settings import Settings
    from lockflight.cli.style import Style
    from lockflight.cli.table import Command
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
    """

    schema: str
    result: object
    human: Callable[[Style], Iterable[str]]
    exit_code: int = 0
    error: LockflightError | None = None
    raw: bytes | None = None


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
            from lockflight.app.settings import Settings

            self._settings = Settings(self.flags)
        return self._settings

    @property
    def home(self) -> Path:
        """The home folder."""
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
            sys.stderr.write(line + "\n")

    def progress(self) -> Progress:
        """A progress line on a terminal, else silence."""
        from lockflight.infra.progress import SILENT

        if self.quiet or not sys.stderr.isatty():
            return SILENT
        from lockflight.cli.progress import Counted

        return Counted(sys.stderr)


def execute(name: str, entry: Command, words: Sequence[str]) -> int:
    """Import the command's module, parse its arguments, run it, render its reply."""
    from lockflight.cli.render import answer, fail

    target, _, exits = entry
    as_json = "--json" in words
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    try:
        room, verb = target.split(":")
        module = importlib.import_module(f"lockflight.cli.{room}")
        args = make_parser(name, entry, getattr(module, f"{verb}_arguments")).parse_args(words)
        run = _run(args)
        if args_as_of := getattr(args, "as_of", None):
            run.say(f"as at {args_as_of}")
        with contextlib.redirect_stdout(sys.stderr):
            reply: Reply = getattr(module, verb + "_" if verb == "import" else verb)(args, run)
        if reply.exit_code not in exits:
            raise InternalError("LF0902", f"`{name}` ended with the undeclared exit code {reply.exit_code}.")
        return answer(reply, run)
    except SystemExit as done:  # argparse printed the help of the command
        return int(done.code or 0)
    except LockflightError as error:
        if error.exit_code not in {*exits, 1}:
            sys.stderr.write(f"lockflight: {name} does not declare the exit code {error.exit_code}\n")
        return fail(error, as_json=as_json)
    except Exception as error:
        if os.environ.get("LOCKFLIGHT_DEBUG"):
            raise
        return fail(_unexpected(name, error), as_json=as_json)


def _unexpected(name: str, error: Exception) -> LockflightError:
    if isinstance(error, OSError) and error.errno is not None:
        where = f" ({error.filename})" if error.filename else ""
        return EnvironmentProblem(
            "LF0905",
            f"`lockflight {name}` was refused by the system: {error.strerror}{where}.",
            hint="lockflight doctor",
        )
    return InternalError(
        "LF0900",
        f"`lockflight {name}` crashed: {type(error).__name__}: {error}",
        hint="Run it again with LOCKFLIGHT_DEBUG=1 and report what it prints.",
    )


def _run(args: argparse.Namespace) -> Run:
    from lockflight.app.clock import now
    from lockflight.core.times import unix

    as_of: int | None = None
    if getattr(args, "as_of", None) is not None:
        try:
            as_of = unix(args.as_of)
        except ValueError as error:
            raise UsageError("LF0105", f"--as-of: {error}.") from error
    return Run(
        flags={"home": args.home, "realm": args.realm, "as": args.as_, "offline": args.offline},
        json=args.json,
        quiet=args.quiet,
        now=as_of if as_of is not None else now(),
        as_of=as_of,
    )


def usage_error(word: str, known: Iterable[str], words: Sequence[str], noun: str = "") -> int:
    """Refuse an unknown command or verb with a suggestion."""
    from lockflight.cli.render import fail

    what = f"verb of `{noun}`" if noun else "command"
    prefix = f"lockflight {noun} " if noun else "lockflight "
    close = closest(word, known)
    hint = f"Did you mean `{prefix}{close}`?" if close else f"{prefix}--help"
    return fail(UsageError("LF0100", f"{word!r} is no {what}.", hint=hint), as_json="--json" in words)
