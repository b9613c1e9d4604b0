"""`log cosign`, `log stamp`: what a log does so that others can tell that it is kept, and kept honestly."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from lockflight.cli.common import quoted, time_json
from lockflight.cli.reply import Reply, Run
from lockflight.cli.style import clean, count
from lockflight.errors import UsageError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable

    from lockflight.app.log.cosign import Cosigned
    from lockflight.cli.style import Style


def cosign_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `log cosign`."""
    parser.add_argument(
        "--policy", metavar="FILE", help="the witnesses with their keys and addresses (C2SP tlog-policy)"
    )
    parser.add_argument(
        "--witness", action="append", default=[], metavar="URL", help="ask this one only (may be repeated)"
    )
    parser.add_argument("--request", metavar="FILE", help="ask nobody; write the request for a witness")
    parser.add_argument(
        "--old", type=int, default=0, metavar="N", help="with --request: what that witness has cosigned"
    )
    parser.add_argument(
        "--reply", action="append", default=[], metavar="FILE", help="take in the reply of a witness"
    )
    parser.add_argument(
        "--package", action="append", default=[], metavar="DIR", help="renew the proof in this signed package"
    )


def cosign(args: argparse.Namespace, run: Run) -> Reply:
    """Ask witnesses to cosign the newest checkpoint."""
    if sum(map(bool, (args.request, args.reply, args.witness))) > 1 or args.old < 0:
        raise UsageError(
            "LF0118",
            "--request writes a question, --reply takes an answer in, --witness asks: one at a time.",
            hint="lockflight log cosign --help",
        )
    if args.request:
        return _request(args, run)
    from lockflight.app.log.cosign import cosign as ask
    from lockflight.app.log.cosign import need_quorum, renew_package, take_replies
    from lockflight.app.log.demands import demands

    wanted = demands(args.policy or run.settings["witness_policy"])
    if wanted.policy is None:
        raise UsageError(
            "LF0169",
            "Which witnesses? Nothing says their keys.",
            hint="--policy FILE, or the setting witness_policy",
        )
    if args.reply:
        done = take_replies(run.home, run.realm, wanted.policy, [Path(word) for word in args.reply])
    else:
        done = ask(run.home, run.realm, wanted.policy, args.witness, offline=run.offline)
    missing = need_quorum(done)
    packages = []
    if missing is None:
        for word in args.package:
            index, size = renew_package(run.home, run.realm, Path(word), wanted)
            packages.append({"package": word, "index": index, "size": size})
    return Reply(
        "log-cosign/v1",
        _json(done, packages),
        lambda style: _lines(done, packages, style),
        exit_code=missing.exit_code if missing else 0,
        error=missing,
    )


def _json(done: Cosigned, packages: list[dict[str, object]]) -> dict[str, object]:
    return {
        "origin": done.origin,
        "size": done.size,
        "root": done.root.hex(),
        "asked": [
            {
                "witness": one.witness,
                "url": one.url or None,
                "time": time_json(one.time) if one.time else None,
                "code": one.error.code if one.error else None,
                "message": one.error.message if one.error else None,
            }
            for one in done.asked
        ],
        "witnesses": {name: time_json(time) for name, time in sorted(done.witnesses.items())},
        "quorum": done.quorum,
        "packages": packages,
    }


def _lines(done: Cosigned, packages: list[dict[str, object]], style: Style) -> Iterable[str]:
    mark = style.yes if done.quorum else style.no
    word = "has its witnesses" if done.quorum else "has not enough witnesses"
    yield f"{mark} the checkpoint of {style.bold(clean(done.origin))} at size {done.size} {word}"
    for one in done.asked:
        if one.error is not None:
            yield f"  {style.no} {clean(one.witness)}: {one.error.code} {clean(one.error.message)}"
        else:
            yield f"  {style.yes} {clean(one.witness)} at {time_json(one.time)}"
    for package in packages:
        yield f"  {clean(str(package['package']))} carries the proof under it"


def _request(args: argparse.Namespace, run: Run) -> Reply:
    from lockflight.app.log.cosign import write_request

    origin, size = write_request(run.home, run.realm, Path(args.request), args.old)
    result = {"origin": origin, "size": size, "old": args.old, "file": args.request}

    def human(style: Style) -> Iterable[str]:
        yield f"{style.yes} a request for the checkpoint of {style.bold(clean(origin))} at size {size}"
        word = clean(quoted(args.request))
        yield f"  next, where the witness is: lockflight log witness sign DIR --request {word} --out reply"
        yield "  then here: lockflight log cosign --policy FILE --reply reply"

    return Reply("log-request/v1", result, human)


def stamp_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `log stamp`: none of its own."""


def stamp(args: argparse.Namespace, run: Run) -> Reply:
    """Sign a fresh checkpoint for a quiet log."""
    from lockflight.app.log.logbook import stamp as sign

    origin, point = sign(run.home, run.realm)
    result = {
        "origin": origin,
        "size": point.size,
        "root": point.root.hex(),
        "time": time_json(point.timestamp),
    }

    def human(style: Style) -> Iterable[str]:
        yield f"{style.yes} {style.bold(clean(origin))} still has {count(point.size, 'entry', 'entries')}"
        yield f"  signed again at {time_json(point.timestamp)}"

    return Reply("log-stamp/v1", result, human)
