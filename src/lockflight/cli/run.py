"""Running one command: its arguments and settings, its reply, its errors and exit code."""

from __future__ import annotations

import argparse
import contextlib
import importlib
import os
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NoReturn

from lockflight.cli.table import AS_OF
from lockflight.core.suggest import closest, did_you_mean
from lockflight.errors import EnvironmentProblem, InternalError, LockflightError, UsageError

if TYPE_CHECKING:
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


class _Parser(argparse.ArgumentParser):
    """argparse with a suggestion and the command's own usage; raises instead of exiting."""

    def error(self, message: str) -> NoReturn:
        known = [option for action in self._actions for option in action.option_strings]
        hint = ""
        for word in message.split():
            close = closest(word.split("=")[0], known) if word.startswith("--") else ""
            if close and close != word:
                hint = f"Did you mean {close}?"
                break
        text = message[0].upper() + message[1:]
        raise UsageError(
            "LF0101",
            text if text.endswith((".", "?")) else text + ".",
            hint=hint or f"{self.prog} --help",
            details={"usage": self.format_usage()},
        )


def choice(code: str, what: str, known: Iterable[str]) -> Callable[[str], str]:
    """An argument type: one of some words, with a suggestion for any other."""
    names = tuple(known)

    def convert(word: str) -> str:
        if word not in names:
            raise UsageError(
                code,
                f"There is no {what} {word!r}.",
                hint=did_you_mean(word, names) or f"Use one of: {', '.join(names)}.",
            )
        return word

    return convert


def environment(word: str) -> str:
    """An argument type: the name of an environment."""
    from lockflight.core.words import ENVIRONMENTS

    return choice("LF0121", "environment", ENVIRONMENTS)(word)


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
        args = _parser(name, entry, getattr(module, f"{verb}_arguments")).parse_args(words)
        run = _run(args)
        with contextlib.redirect_stdout(sys.stderr):
            reply: Reply = getattr(module, verb + "_" if verb == "import" else verb)(args, run)
        if reply.exit_code not in exits:
            raise InternalError("LF0902", f"`{name}` ended with the undeclared exit code {reply.exit_code}.")
        return answer(reply, run)
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


def _parser(name: str, entry: Command, arguments: Callable[[_Parser], None]) -> _Parser:
    _, summary, exits = entry
    parser = _Parser(
        prog=f"lockflight {name}",
        description=summary[0].upper() + summary[1:] + ".",
        epilog="Exit codes: " + ", ".join(map(str, exits)) + " (lockflight --help says what they mean).",
        allow_abbrev=False,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    arguments(parser)
    group = parser.add_argument_group("common options")
    group.add_argument("--json", action="store_true", help="print one JSON document, failures included")
    group.add_argument("--quiet", "-q", action="store_true", help="no narration on standard error")
    group.add_argument("--offline", action="store_const", const="1", help="open no socket")
    group.add_argument("--home", metavar="DIR", help="folder of realms, keys and pins")
    group.add_argument("--realm", metavar="NAME", help="the realm to talk to")
    group.add_argument("--as", dest="as_", metavar="NAME", help="the person who acts")
    if name in AS_OF:
        group.add_argument("--as-of", metavar="TIME", help="judge as at this time (2026-01-31T12:00:00Z)")
    return parser


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
