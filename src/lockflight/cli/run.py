"""Running one command: its arguments and settings, its reply, its errors and exit code."""

from __future__ import annotations

import contextlib
import importlib
import os
import shlex
import sys
from typing import TYPE_CHECKING

from lockflight.cli.arguments import make_parser
from lockflight.cli.reply import Reply, Run
from lockflight.core.text.suggest import closest
from lockflight.errors import EnvironmentProblem, InternalError, LockflightError, UsageError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Collection, Iterable, Sequence

    from lockflight.cli.nouns import Command


def execute(name: str, entry: Command, words: Sequence[str]) -> int:
    """Import the command's module, parse its arguments, run it, render its reply."""
    from lockflight.cli.render import answer, fail

    target, _, exits = entry
    own = words[: words.index("--")] if "--" in words else words  # what follows is another command's
    as_json = "--json" in own
    args: argparse.Namespace | None = None
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
        if args is not None:
            from lockflight.cli.hints import point

            point(error, args)
        _tell(target, args, error, as_json=as_json)
        return fail(error, as_json=as_json)
    except Exception as error:
        if os.environ.get("LOCKFLIGHT_DEBUG"):
            raise
        crash = _unexpected(name, error)
        _tell(target, args, crash, as_json=as_json)
        return fail(crash, as_json=as_json)


def _tell(target: str, args: argparse.Namespace | None, error: LockflightError, *, as_json: bool) -> None:
    """Let a command that CI systems read say of its error what they understand."""
    room, verb = target.split(":")
    module = sys.modules.get(f"lockflight.cli.{room}")
    tell: Callable[[argparse.Namespace | None, LockflightError], Iterable[str]] | None
    if (tell := getattr(module, f"{verb}_failed", None)) is not None:
        from lockflight.cli.render import mark

        mark(tell(args, error), as_json=as_json)


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
    from lockflight.app.realm.clock import now
    from lockflight.core.times import unix

    as_of: int | None = None
    if getattr(args, "as_of", None) is not None:
        try:
            as_of = unix(args.as_of)
        except ValueError as error:
            raise UsageError(
                "LF0105", f"--as-of: {error}.", hint="Write it in UTC, like --as-of 2026-01-31T12:00:00Z."
            ) from error
    return Run(
        flags={"home": args.home, "realm": args.realm, "as": args.as_, "offline": args.offline},
        json=args.json,
        quiet=args.quiet,
        now=as_of if as_of is not None else now(),
        as_of=as_of,
    )


def usage_error(word: str, known: Collection[str], words: Sequence[str], noun: str = "") -> int:
    """Refuse an unknown command or verb with a suggestion."""
    from lockflight.cli.render import fail

    if word.startswith("-") and not noun:
        at = next((i for i, w in enumerate(words) if w in known), None)
        hint = "lockflight --help" if at is None else f"lockflight {shlex.join([*words[at:], *words[:at]])}"
        error = UsageError("LF0100", f"{word!r} comes before the command; options come after it.", hint=hint)
        return fail(error, as_json="--json" in words)
    what = f"verb of `{noun}`" if noun else "command"
    prefix = f"lockflight {noun} " if noun else "lockflight "
    close = closest(word, known)
    hint = f"Did you mean `{prefix}{close}`?" if close else f"{prefix}--help"
    return fail(UsageError("LF0100", f"{word!r} is no {what}.", hint=hint), as_json="--json" in words)
