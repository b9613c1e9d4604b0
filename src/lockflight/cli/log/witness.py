"""`log witness`: a witness that a second team runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from lockflight.cli.arguments import choice
from lockflight.cli.common import quoted, time_json
from lockflight.cli.reply import Reply, Run
from lockflight.cli.style import clean, count
from lockflight.errors import UsageError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable

    from lockflight.cli.style import Style
    from lockflight.log.witness import Witness

_ACTIONS = ("init", "serve", "sign", "show")


def witness_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `log witness`."""
    parser.add_argument(
        "action",
        type=choice("LF0106", "action", _ACTIONS),
        metavar="ACTION",
        help="init: make one, or add logs; serve: answer over HTTP; sign: answer a file; show",
    )
    parser.add_argument("folder", metavar="DIR", help="folder of the witness: its key and its memory")
    parser.add_argument("--name", default="", help="init: name of its key, such as witness.example/w1")
    parser.add_argument(
        "--log", action="append", default=[], metavar="VKEY", help="init: a log to watch (may be repeated)"
    )
    parser.add_argument(
        "--listen",
        default="127.0.0.1:8099",
        metavar="HOST:PORT",
        help="serve: where (default 127.0.0.1:8099)",
    )
    parser.add_argument("--request", metavar="FILE", help="sign: the request of a log")
    parser.add_argument("--out", metavar="FILE", help="sign: where the answer goes")


def witness(args: argparse.Namespace, run: Run) -> Reply:
    """Be a witness of the logs of others."""
    folder = Path(args.folder)
    # As every command: a configuration that cannot be trusted is said before anything is done.
    run.settings  # noqa: B018
    if args.action == "sign":
        return _sign(args, folder)
    if args.action == "serve":
        return _serve(args, folder, run)
    from lockflight.app.log.witness import init, open_witness

    made = init(folder, args.name, args.log) if args.action == "init" else open_witness(folder)
    return _reply(made, folder, "")


def _reply(found: Witness, folder: Path, address: str) -> Reply:
    logs = found.logs()
    result = {
        "name": found.key.name,
        "vkey": found.key.vkey,
        "folder": str(folder),
        "address": address or None,
        "line": None,
        "logs": [
            {
                "origin": origin,
                "keys": list(log.keys),
                "size": log.size,
                "root": log.root.hex(),
                "time": time_json(log.time) if log.time else None,
            }
            for origin, log in sorted(logs.items())
        ],
    }

    def human(style: Style) -> Iterable[str]:
        yield f"{style.yes} the witness {style.bold(clean(found.key.name))} watches {count(len(logs), 'log')}"
        yield f"  key {found.key.vkey}"
        for origin, log in sorted(logs.items()):
            when = f" at {time_json(log.time)}" if log.time else ", nothing cosigned yet"
            yield f"  {clean(origin)}: {count(log.size, 'entry', 'entries')}{when}"
        if not address:
            yield f"  next: lockflight log witness serve {clean(quoted(str(folder)))}"

    return Reply("log-witness/v1", result, human)


def _sign(args: argparse.Namespace, folder: Path) -> Reply:
    from lockflight.app.log.witness import answer, open_witness

    if not args.request or not args.out:
        raise UsageError("LF0118", "To answer a file takes both files.", hint="--request FILE --out FILE")
    line = answer(folder, Path(args.request), Path(args.out))
    reply = _reply(open_witness(folder), folder, "")
    result = {**reply.result, "line": line} if isinstance(reply.result, dict) else reply.result

    def human(style: Style) -> Iterable[str]:
        yield f"{style.yes} cosigned; the answer is in {clean(args.out)}"
        yield f"  next, where the log is: lockflight log cosign --policy FILE --reply {clean(quoted(args.out))}"

    return Reply("log-witness/v1", result, human)


def _serve(args: argparse.Namespace, folder: Path, run: Run) -> Reply:
    from lockflight.app.log.witness import server

    if run.offline:
        raise UsageError(
            "LF0118",
            "--offline opens no socket, and a server is one.",
            hint="lockflight log witness sign DIR …",
        )
    found, listening = server(folder, args.listen, run.say)
    host, port = listening.server_address[:2]
    address = f"{host!s}:{port}"
    run.say(f"the witness {found.key.name} answers at http://{address}/add-checkpoint; Ctrl-C ends it")
    run.say(f"key {found.key.vkey}")
    try:
        listening.serve_forever()
    except KeyboardInterrupt:
        run.say("")
    finally:
        listening.server_close()
    return _reply(found, folder, address)
