"""`lockflight explain` and `lockflight schema`: work offline and in a broken home."""

from __future__ import annotations

import json
import textwrap
from typing import TYPE_CHECKING

from lockflight.cli.reply import Reply, Run

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable

    from lockflight.app.explain import Entry
    from lockflight.cli.style import Style

_WIDTH = 96


def explain_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `explain`."""
    parser.add_argument("words", nargs="+", metavar="CODE", help="codes such as LF2101, or words to look for")


def explain(args: argparse.Namespace, run: Run) -> Reply:
    """What a code means and what to do."""
    from lockflight.app.explain import explain as find

    found = find(" ".join(args.words))
    by_code = not set(" ".join(args.words).upper().replace(",", " ").split()) - _spellings(found)
    result = {
        "codes": [
            {"code": e.code, "title": e.title, "exit": e.exit, "why": e.why, "fix": e.fix} for e in found
        ]
    }

    def human(style: Style) -> Iterable[str]:
        if len(found) == 1 or by_code:
            return _each(found, style)
        return [f"{style.bold(entry.code)}  {entry.title}" for entry in found]

    return Reply("explain/v1", result, human)


def _spellings(found: list[Entry]) -> set[str]:
    return {word for entry in found for word in (entry.code, entry.code.removeprefix("LF"))}


def _each(found: list[Entry], style: Style) -> Iterable[str]:
    for i, entry in enumerate(found):
        if i:
            yield ""
        yield from _one(entry, style)


def _one(entry: Entry, style: Style) -> Iterable[str]:
    from lockflight.cli.table import EXIT_CODES

    yield f"{style.bold(entry.code)}  {style.bold(entry.title)}"
    yield ""
    yield from textwrap.wrap(entry.why, _WIDTH)
    yield ""
    yield from textwrap.wrap(entry.fix, _WIDTH, initial_indent="fix: ", subsequent_indent="     ")
    yield f"exit code {entry.exit}: {dict(EXIT_CODES)[entry.exit]}"


def schema_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `schema`."""
    parser.add_argument(
        "name", nargs="?", metavar="NAME", help="such as check, facts or reply (default: list them)"
    )


def schema(args: argparse.Namespace, run: Run) -> Reply:
    """Print a JSON Schema."""
    from lockflight.app.schema import names
    from lockflight.app.schema import schema as read

    if args.name is None:
        known = names()
        return Reply("schema-list/v1", {"schemas": known}, lambda style: known)
    body = read(args.name)
    return Reply("schema/v1", {"name": args.name, "schema": json.loads(body)}, lambda style: (), raw=body)
