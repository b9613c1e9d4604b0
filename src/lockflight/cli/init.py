"""`lockflight init`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockflight.cli.common import folder_of
from lockflight.cli.reply import Reply, Run
from lockflight.cli.style import clean, count, table
from lockflight.errors import UsageError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable

    from lockflight.cli.style import Style


def init_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `init`."""
    parser.add_argument("folder", metavar="DIR", help="the folder to look at")
    group = parser.add_mutually_exclusive_group()
    group.add_argument("--write", action="store_true", help="write lockflight.toml into DIR")
    group.add_argument("--stdout", action="store_true", help="print lockflight.toml and nothing else")
    parser.add_argument("--force", action="store_true", help="with --write: replace the one that is there")


def init(args: argparse.Namespace, run: Run) -> Reply:
    """Propose lockflight.toml for a folder by looking at it."""
    from lockflight.app.init import propose, write_manifest

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
        rows = []
        for guess in proposal.guesses:
            sure = "" if guess.confidence.value == "high" else f"{guess.confidence.value} confidence"
            rows.append(
                [f"  {guess.label}", clean(guess.name), style.dim(clean(guess.why)), style.warn(sure)]
            )
        yield from table(rows)
        yield ""
        if written is not None:
            yield f"{style.yes} wrote {clean(str(written))}: read it, correct it, commit it"
            yield f"  next: lockflight check {clean(args.folder)}"
        else:
            yield f"Nothing was written. Write it with: lockflight init {clean(args.folder)} --write"

    return Reply("init/v1", result, human)
