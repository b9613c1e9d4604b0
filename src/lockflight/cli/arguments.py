"""What commands take: argparse with suggestions, words out of closed lists, and the options of every command."""

from __future__ import annotations

import argparse
import os
import sys
from typing import TYPE_CHECKING, NoReturn

from lockflight.cli.table import AS_OF
from lockflight.core.text.suggest import closest, did_you_mean
from lockflight.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from lockflight.cli.nouns import Command


class Parser(argparse.ArgumentParser):
    """argparse with a suggestion and the command's own usage; raises instead of exiting."""

    def error(self, message: str) -> NoReturn:
        """Refuse a command line (LF0101)."""
        known = [option for action in self._actions for option in action.option_strings]
        hint = ""
        for word in message.split():
            option = word.split("=")[0].rstrip(":,")
            close = closest(option, known) if option.startswith("--") and option not in known else ""
            if close:
                hint = f"Did you mean {close}?"
                break
        text = message[0].upper() + message[1:]
        raise UsageError(
            "LF0101",
            text if text.endswith((".", "?")) else text + ".",
            hint=hint or f"{self.prog} --help",
            details={"usage": self.format_usage()},
        )


class _Formatter(argparse.RawDescriptionHelpFormatter):
    """As argparse's, which would import an archive library to ask how wide the terminal is, also where nobody looks."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, width=_columns() - 2)


def _columns() -> int:
    """Columns of the terminal, as COLUMNS or standard output say; 80 where neither does."""
    word = os.environ.get("COLUMNS", "")
    if word.isdecimal() and int(word) > 0:
        return int(word)
    try:
        return os.get_terminal_size(sys.__stdout__.fileno()).columns if sys.__stdout__ is not None else 80
    except (OSError, ValueError):
        return 80


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


def make_parser(name: str, entry: Command, arguments: Callable[[Parser], None]) -> Parser:
    """The parser of a command: its own arguments, then the common options."""
    _, summary, exits = entry
    parser = Parser(
        prog=f"lockflight {name}",
        description=summary[0].upper() + summary[1:] + ".",
        epilog="Exit codes: " + ", ".join(map(str, exits)) + " (lockflight --help says what they mean).",
        allow_abbrev=False,
        formatter_class=_Formatter,
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
