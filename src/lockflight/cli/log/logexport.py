"""`log export`, `log proof`: the log, or one entry of it, as files for people who have no realm."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from lockflight.cli.common import demand_options, demands_of, quoted, time_json
from lockflight.cli.reply import Reply, Run
from lockflight.cli.style import clean, count

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable

    from lockflight.cli.style import Style


def export_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `log export`."""
    parser.add_argument(
        "--out", required=True, metavar="DIR", help="a new folder, or an earlier export of this log"
    )
    demand_options(parser)


def export(args: argparse.Namespace, run: Run) -> Reply:
    """Write the log as files for any web server."""
    from lockflight.app.log.logexport import export as publish

    origin, done, seen = publish(run.home, run.realm, Path(args.out), demands_of(args, run))
    result = {
        "origin": origin,
        "folder": args.out,
        "size": done.size,
        "root": done.root.hex(),
        "before": done.before,
        "files": done.files,
        "envelopes": done.envelopes,
        "erased": done.erased,
        "time": time_json(seen.time),
        "witnesses": {name: time_json(time) for name, time in sorted(seen.witnesses.items())},
    }

    def human(style: Style) -> Iterable[str]:
        yield f"{style.yes} published {style.bold(clean(origin))} in {clean(args.out)}"
        yield f"  {count(done.size, 'entry', 'entries')} (before: {done.before}), root {done.root.hex()}"
        yield f"  {count(done.files, 'file')} written, {count(done.envelopes, 'envelope')} held"
        if seen.witnesses:
            yield f"  witnessed by {clean(', '.join(sorted(seen.witnesses)))}"
        if done.erased:
            yield f"  {style.look} {count(done.erased, 'envelope')} removed: the log holds them no more"
        yield f"  next, anywhere: lockflight log verify --export {clean(quoted(args.out))} --root sha256:…"

    return Reply("log-export/v1", result, human)


def proof_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `log proof`."""
    parser.add_argument("entry", metavar="ENTRY", help="index, or the start of the digest of its envelope")
    parser.add_argument("--out", required=True, metavar="FILE", help="the proof (C2SP tlog-proof)")
    demand_options(parser)


def proof(args: argparse.Namespace, run: Run) -> Reply:
    """Write one entry with its proof to a file."""
    from lockflight.app.log.logproof import write_proof

    done = write_proof(run.home, run.realm, args.entry, Path(args.out), demands_of(args, run))
    result = {
        "origin": done.origin,
        "index": done.index,
        "envelope": done.envelope,
        "size": done.size,
        "hashes": done.hashes,
        "file": args.out,
    }

    def human(style: Style) -> Iterable[str]:
        yield f"{style.yes} entry {done.index} of {style.bold(clean(done.origin))} with its proof: {clean(args.out)}"
        yield f"  {count(done.hashes, 'hash', 'hashes')} to the root of {count(done.size, 'entry', 'entries')}"
        yield f"  next, anywhere: lockflight log verify --proof {clean(quoted(args.out))} --log-key VKEY"

    return Reply("log-proof/v1", result, human)
