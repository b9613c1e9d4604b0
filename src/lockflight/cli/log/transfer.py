"""`realm backup`, `realm join` and `realm snapshot`: a realm on its way."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from lockflight.cli.common import quoted, time_json
from lockflight.cli.reply import Reply, Run
from lockflight.cli.style import clean, count

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable

    from lockflight.app.log.transfer import Copied
    from lockflight.cli.style import Style


def backup_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `realm backup`."""
    parser.add_argument("name", nargs="?", metavar="NAME", help="the realm (default: the one in force)")
    parser.add_argument("--out", required=True, metavar="FOLDER", help="a new folder")
    parser.add_argument(
        "--keys", action="store_true", help="private keys too: who holds the copy is everybody in the realm"
    )


def join_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `realm join`."""
    parser.add_argument("source", metavar="FOLDER", help="a backup, or the folder of a realm")
    parser.add_argument(
        "--root",
        default="",
        metavar="DIGEST",
        help="as your team published it (default: what this home pinned)",
    )
    parser.add_argument(
        "--name", default="", metavar="NAME", help="what to call it here (default: its own name)"
    )
    parser.add_argument("--keys", action="store_true", help="take the private keys over: restore a backup")


def snapshot_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `realm snapshot`."""
    parser.add_argument("name", nargs="?", metavar="NAME", help="the realm (default: the one in force)")
    parser.add_argument(
        "--out", required=True, metavar="FILE", help="the file; an older one is replaced as a whole"
    )


def snapshot(args: argparse.Namespace, run: Run) -> Reply:
    """Write the verified log of a realm into one file, for hosts that load packages and have no home."""
    from lockflight.app.realm.snapshot import write_snapshot

    done = write_snapshot(run.home, args.name or run.realm, Path(args.out))
    when = time_json(done.timestamp)

    def human(style: Style) -> Iterable[str]:
        yield f"{style.yes} wrote the log of {style.bold(done.name)} to {clean(args.out)}"
        yield f"  root sha256:{done.root}, {count(done.size, 'entry', 'entries')}, as of {when}"
        if not done.renewed:
            yield f"  {style.look} this home does not keep the log, so its newest checkpoint is all that it can show"
        yield f"  next, in Python: Trust(root='sha256:{done.root}', snapshot={args.out!r})"

    result = {
        "realm": done.name,
        "file": str(done.file),
        "root": f"sha256:{done.root}",
        "origin": done.origin,
        "size": done.size,
        "bytes": done.bytes,
        "time": when,
        "renewed": done.renewed,
    }
    return Reply("realm-snapshot/v1", result, human)


def backup(args: argparse.Namespace, run: Run) -> Reply:
    """Copy a realm, verified."""
    from lockflight.app.log.transfer import backup as copy

    done = copy(run.home, args.name or run.realm, Path(args.out), keys=args.keys)

    def human(style: Style) -> Iterable[str]:
        yield f"{style.yes} copied the realm {style.bold(done.name)} to {clean(str(done.folder))}"
        yield from _about(done, style)
        yield f"  next, elsewhere: lockflight realm join {clean(quoted(args.out))} --root sha256:{done.root}"

    return Reply("realm-copy/v1", _json(done), human)


def join(args: argparse.Namespace, run: Run) -> Reply:
    """Take a realm over after it proved to be the one that was asked for."""
    from lockflight.app.log.transfer import join as take

    done = take(run.home, Path(args.source), root=args.root, name=args.name, keys=args.keys)

    def human(style: Style) -> Iterable[str]:
        yield f"{style.yes} joined the realm {style.bold(done.name)} in {clean(str(done.folder))}"
        yield from _about(done, style)
        yield f"  next: lockflight verify PACKAGE --realm {done.name}"

    return Reply("realm-copy/v1", _json(done), human)


def _about(done: Copied, style: Style) -> Iterable[str]:
    yield f"  root sha256:{done.root}, {count(done.size, 'entry', 'entries')}, {count(done.blobs, 'blob')}, verified"
    if done.keys:
        yield f"  {style.look} with {count(len(done.keys), 'private key')}: guard it like the realm itself"
    else:
        yield "  without private keys: it can be read and verified, and nothing can be signed with it"


def _json(done: Copied) -> dict[str, object]:
    return {
        "realm": done.name,
        "folder": str(done.folder),
        "root": f"sha256:{done.root}",
        "origin": done.origin,
        "size": done.size,
        "blobs": done.blobs,
        "keys": [*done.keys],
    }
