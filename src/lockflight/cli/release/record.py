"""`record`: run a step and sign what went in and what came out."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from lockflight.cli.common import folder_of, for_team, record_options
from lockflight.cli.reply import Reply, Run
from lockflight.cli.style import Style, clean, count, short
from lockflight.errors import UsageError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Sequence

    from lockflight.app.provenance.record import Recorded

#: How many files a line names.
NAMED = 5


def record_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `record`."""
    parser.add_argument("--step", required=True, metavar="NAME", help="name of the step, such as train")
    parser.add_argument(
        "--material",
        action="append",
        default=[],
        metavar="PATH|URI@sha256:DIGEST",
        help="what the step uses: a file, a folder, or something elsewhere; repeatable",
    )
    parser.add_argument(
        "--product", action="append", default=[], metavar="PATH", help="what the step makes; repeatable"
    )
    parser.add_argument(
        "--param", action="append", default=[], metavar="NAME=VALUE", help="a declared parameter; repeatable"
    )
    parser.add_argument(
        "--workspace", default=".", metavar="DIR", help="where the command runs (default: the current folder)"
    )
    record_options(parser, "the record")
    parser.add_argument(
        "argv", nargs="+", metavar="-- COMMAND", help="the command, with its arguments, behind --"
    )


def record(args: argparse.Namespace, run: Run) -> Reply:
    """Run a command; its output is the output, and what is recorded is said on standard error."""
    from lockflight.app.provenance.record import Step
    from lockflight.app.provenance.record import record as run_step
    from lockflight.app.realm.clock import now

    workspace = folder_of(args.workspace)
    step = Step(
        name=args.step,
        command=tuple(args.argv),
        workspace=Path(workspace),
        materials=tuple(args.material),
        products=tuple(args.product),
        parameters=tuple(_parameter(word) for word in args.param),
    )
    done = run_step(
        run.home,
        run.realm,
        step,
        team=for_team(args, run),
        actor=run.actor,
        clock=now,
        stdout_to_stderr=run.json,
        progress=run.progress(),
    )
    for line in _lines(done, Style.for_stream(sys.stderr)):
        run.say(line)
    return Reply("record/v1", _result(done), lambda _: ())


def _parameter(word: str) -> tuple[str, str]:
    name, separator, value = word.partition("=")
    if not separator or not name:
        raise UsageError("LF1046", f"--param {word!r} is not NAME=VALUE.", hint="--param epochs=3")
    return name, value


def _lines(done: Recorded, style: Style) -> Iterator[str]:
    build = done.build
    yield (
        f"{style.yes} recorded {build.step}: {count(len(build.products), 'product')} from "
        f"{count(len(build.materials), 'material')}, entry {done.receipt.index} of {clean(done.realm)}"
    )
    for product in build.products[:NAMED]:
        yield f"  {clean(product.name)}  {short(product.sha256)}"
    if len(build.products) > NAMED:
        yield f"  and {len(build.products) - NAMED} more"
    if build.dirty:
        yield f"{style.look} not complete: {_some(done.changed) or 'git does not say what'} differs from the commit"
    if not build.run.authors.complete:
        yield f"{style.look} the history of the commit is cut off here, so its authors are not all known"
    if done.left_out:
        yield f"{style.look} not written by the command, so no product of it: {_some(done.left_out)}"
    if done.local:
        yield "  kept in your personal realm; --record puts it into the team's"


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return clean(", ".join(names[:NAMED])) + more


def _result(done: Recorded) -> dict[str, object]:
    build = done.build
    return {
        "realm": done.realm,
        "local": done.local,
        "step": build.step,
        "envelope": done.receipt.envelope,
        "index": done.receipt.index,
        "products": [{"name": p.name, "sha256": p.sha256} for p in build.products],
        "materials": [
            {"name": m.name, "uri": m.uri, "digest": dict(m.digests), "read": m.read} for m in build.materials
        ],
        "dirty": build.dirty,
        "since": build.since,
        "authors": build.run.authors.to_json(),
        "left_out": list(done.left_out),
        "changed": list(done.changed),
    }
