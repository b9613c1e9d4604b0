"""`lockflight init`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockflight.cli.common import folder_of, quoted
from lockflight.cli.reply import Reply, Run
from lockflight.cli.style import clean, count, table
from lockflight.errors import UsageError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Sequence

    from lockflight.app.files.guess import Guess
    from lockflight.cli.style import Style

MOST_NAMES = 10
_SURE = ("low", "medium", "high")


def init_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `init`."""
    parser.add_argument("folder", metavar="DIR", help="the folder to look at")
    group = parser.add_mutually_exclusive_group()
    group.add_argument("--write", action="store_true", help="write lockflight.toml into DIR")
    group.add_argument("--stdout", action="store_true", help="print lockflight.toml and nothing else")
    parser.add_argument("--force", action="store_true", help="with --write: replace the one that is there")


def init(args: argparse.Namespace, run: Run) -> Reply:
    """Propose lockflight.toml for a folder by looking at it."""
    from lockflight.app.files.init import propose, write_manifest

    if args.force and not args.write:
        raise UsageError(
            "LF0107", "--force does something only together with --write.", hint="--write --force"
        )
    folder = folder_of(args.folder)
    proposal = propose(folder)
    written = write_manifest(folder, proposal.text, force=args.force) if args.write else None
    result = {
        "folder": args.folder,
        "kind": proposal.kind.value,
        "tier": proposal.tier.value,
        "written": str(written) if written is not None else None,
        "text": proposal.text,
        "guesses": [
            {"name": g.name, "role": g.label, "why": g.why, "confidence": g.confidence.value}
            for g in proposal.guesses
        ],
    }
    if args.stdout:
        return Reply("init/v1", result, lambda style: (), raw=proposal.text.encode())

    def human(style: Style) -> Iterable[str]:
        yield f"{count(len(proposal.guesses), 'file')}; {proposal.kind.value}, {proposal.tier.value} risk (guessed)"
        yield from _groups(proposal.guesses, style)
        yield ""
        if written is not None:
            yield f"{style.yes} wrote {clean(str(written))}: read it, correct it, commit it"
            yield f"  next: lockflight check {clean(quoted(args.folder))}"
        else:
            yield "Nothing was written."
            yield f"  next: lockflight init {clean(quoted(args.folder))} --write"

    return Reply("init/v1", result, human)


def _groups(guesses: Sequence[Guess], style: Style) -> Iterable[str]:
    """Files by role; what is least sure comes first within a role, so that it is not cut away."""
    groups: dict[str, list[Guess]] = {}
    for guess in guesses:
        groups.setdefault(guess.label, []).append(guess)
    for label, found in groups.items():
        yield f"  {style.bold(label)}  {count(len(found), 'file')}"
        shown = sorted(found, key=lambda g: _SURE.index(g.confidence.value))[:MOST_NAMES]
        yield from table([_row(guess, style) for guess in shown])
        if len(found) > len(shown):
            yield f"    and {len(found) - len(shown)} more (--stdout shows the manifest, --json every file)"


def _row(guess: Guess, style: Style) -> list[str]:
    sure = "" if guess.confidence.value == "high" else f"{guess.confidence.value} confidence"
    return [f"    {clean(guess.name)}", style.dim(clean(guess.why)), style.warn(sure)]
