"""Running one command: arguments, settings, the reply in words or JSON, errors and exit codes."""

from __future__ import annotations

import argparse
import difflib
import importlib
import json
import os
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NoReturn

from lockflight.app.settings import Settings
from lockflight.errors import InternalError, LockflightError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from lockflight.cli.style import Style
    from lockflight.cli.table import Command

DOCS = "https://lockflight.dev/docs/errors#"
ENVELOPE = "https://lockflight.dev/schema/reply/v1"


@dataclass(frozen=True, slots=True)
class Reply:
    """What a command answers.

    Attributes:
        schema: name of the result's form, such as `check/v1`.
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
    """What every command is given."""

    settings: Settings
    json: bool
    quiet: bool
    now: int
    as_of: int | None = None
    notes: list[str] = field(default_factory=list)

    def say(self, line: str) -> None:
        """Narrate on standard error; silent with --quiet."""
        if not self.quiet:
            sys.stderr.write(line + "\n")

    @property
    def offline(self) -> bool:
        """Whether no socket may be opened."""
        return self.settings.flag("offline")


class _Parser(argparse.ArgumentParser):
    """argparse with a suggestion and the subcommand's own usage; raises instead of exiting."""

    def error(self, message: str) -> NoReturn:
        hint = ""
        for word in message.split():
            if word.startswith("--"):
                known = [o for a in self._actions for o in a.option_strings]
                close = difflib.get_close_matches(word.split("=")[0], known, n=1)
                if close and close[0] != word:
                    hint = f"Did you mean {close[0]}?"
                    break
        raise UsageError(
            "LF0101",
            _sentence(message),
            hint=hint or f"{self.prog} --help",
            details={"usage": self.format_usage()},
        )


def _sentence(message: str) -> str:
    text = message[0].upper() + message[1:]
    return text if text.endswith((".", "?")) else text + "."


def execute(name: str, entry: Command, words: Sequence[str]) -> int:
    """Import the command's module, parse its arguments, run it, render its reply."""
    target, summary, exits = entry
    as_json = "--json" in words
    try:
        room, verb = target.split(":")
        module = importlib.import_module(f"lockflight.cli.{room}")
        parser = _Parser(
            prog=f"lockflight {name}",
            description=summary[0].upper() + summary[1:] + ".",
            epilog="Exit codes: " + ", ".join(str(e) for e in exits),
            allow_abbrev=False,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        verb_name = verb + "_" if verb in {"import"} else verb
        getattr(module, f"{verb}_arguments")(parser)
        _common(parser)
        args = parser.parse_args(words)
        run = _run(args)
        reply: Reply = getattr(module, verb_name)(args, run)
        if reply.exit_code not in exits:
            raise InternalError("LF0902", f"`{name}` ended with the undeclared exit code {reply.exit_code}.")
    except LockflightError as error:
        return _fail(error, as_json=as_json, exits=exits)
    except KeyboardInterrupt:
        raise
    except BrokenPipeError:
        raise
    except Exception as error:
        if os.environ.get("LOCKFLIGHT_DEBUG"):
            raise
        crash = InternalError(
            "LF0900",
            f"`lockflight {name}` crashed: {type(error).__name__}: {error}",
            hint="Run it again with LOCKFLIGHT_DEBUG=1 and report what it prints.",
        )
        return _fail(crash, as_json=as_json, exits=(*exits, 1))
    return _answer(reply, run)


def _common(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("common options")
    group.add_argument("--json", action="store_true", help="print one JSON document, failures included")
    group.add_argument("--quiet", "-q", action="store_true", help="no narration on standard error")
    group.add_argument("--offline", action="store_const", const="1", help="open no socket")
    group.add_argument("--home", metavar="DIR", help="folder of realms, keys and pins")
    group.add_argument("--realm", metavar="NAME", help="the realm to talk to")
    group.add_argument("--as", dest="as_", metavar="NAME", help="the person who acts")
    group.add_argument("--as-of", metavar="TIME", help="judge as at this time (2026-01-31T12:00:00Z)")


def _run(args: argparse.Namespace) -> Run:
    from lockflight.app.clock import now
    from lockflight.core.times import unix

    as_of: int | None = None
    if args.as_of is not None:
        try:
            as_of = unix(args.as_of)
        except ValueError as error:
            raise UsageError("LF0105", f"--as-of: {error}.") from error
    flags = {"home": args.home, "realm": args.realm, "as": args.as_, "offline": args.offline}
    return Run(
        settings=Settings(flags),
        json=args.json,
        quiet=args.quiet,
        now=as_of if as_of is not None else now(),
        as_of=as_of,
    )


def _answer(reply: Reply, run: Run) -> int:
    if run.json:
        _print_json(reply.exit_code == 0, reply.schema, reply.result, reply.error, run)
    elif reply.raw is not None:
        sys.stdout.buffer.write(reply.raw)
    else:
        from lockflight.cli.style import Style

        for line in reply.human(Style.for_stream(sys.stdout)):
            sys.stdout.write(line + "\n")
        if reply.error is not None:
            _print_error(reply.error)
    return reply.exit_code


def _print_json(
    ok: bool, schema: str, result: object, error: LockflightError | None, run: Run | None
) -> None:
    from lockflight.core.times import rfc3339

    body = {
        "schema": f"https://lockflight.dev/schema/{schema}" if schema else ENVELOPE,
        "ok": ok,
        "result": result,
        "error": None if error is None else error_json(error),
        "as_of": None if run is None else rfc3339(run.now),
    }
    sys.stdout.write(json.dumps(body, ensure_ascii=False, indent=2, sort_keys=False) + "\n")


def error_json(error: LockflightError) -> dict[str, object]:
    """The error part of the `--json` envelope."""
    return {
        "code": error.code,
        "kind": error.kind,
        "message": error.message,
        "hint": error.hint,
        "docs": DOCS + error.code.lower(),
        "details": error.details,
    }


def _fail(error: LockflightError, *, as_json: bool, exits: tuple[int, ...]) -> int:
    if as_json:
        _print_json(ok=False, schema="", result=None, error=error, run=None)
    else:
        _print_error(error)
    return error.exit_code if error.exit_code in exits or error.exit_code == 1 else _undeclared(error)


def _undeclared(error: LockflightError) -> int:
    sys.stderr.write(f"lockflight: exit code {error.exit_code} is not declared for this command\n")
    return error.exit_code


def _print_error(error: LockflightError) -> None:
    from lockflight.cli.style import Style

    style = Style.for_stream(sys.stderr)
    usage = error.details.get("usage")
    if isinstance(usage, str):
        sys.stderr.write(usage)
    sys.stderr.write(f"{style.bad('error')} {style.bold(error.code)}: {error.message}\n")
    if error.hint:
        sys.stderr.write(f"  {style.dim('next:')} {error.hint}\n")
    if error.exit_code != 2:
        sys.stderr.write(f"  {style.dim(f'more: lockflight explain {error.code}')}\n")


def usage_error(word: str, known: Iterable[str], words: Sequence[str], noun: str = "") -> int:
    """Refuse an unknown command or verb with a suggestion."""
    what = f"verb of `{noun}`" if noun else "command"
    names = list(known)
    close = difflib.get_close_matches(word, names, n=1)
    prefix = f"lockflight {noun} " if noun else "lockflight "
    hint = f"Did you mean `{prefix}{close[0]}`?" if close else f"{prefix}--help"
    error = UsageError("LF0100", f"{word!r} is no {what}.", hint=hint)
    return _fail(error, as_json="--json" in words, exits=(2,))
