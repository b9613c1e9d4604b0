"""`tools list` and `tools install`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from lockflight.cli.reply import Reply, Run
from lockflight.cli.style import clean, short, table

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable

    from lockflight.app.tools import ToolStatus
    from lockflight.cli.style import Style


def list_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `tools list`: none of its own."""


def list(args: argparse.Namespace, run: Run) -> Reply:  # noqa: A001 - verbs are named as they are typed
    """Tools, versions and whether they are installed."""
    from lockflight.app.tools import tools

    found = tools(run.home)

    def human(style: Style) -> Iterable[str]:
        yield from table(
            [
                [
                    f"{style.yes if tool.digest else style.look} {style.bold(tool.name)}",
                    tool.version,
                    f"installed {short(tool.digest)}" if tool.digest else "not installed",
                    f"{tool.title} ({tool.licence})",
                ]
                for tool in found
            ]
        )
        for tool in found:
            if not tool.digest:
                yield f"  install it with: lockflight tools install {tool.name}"

    return Reply("tools/v1", {"tools": [_json(tool) for tool in found]}, human)


def _json(tool: ToolStatus) -> dict[str, object]:
    return {
        "name": tool.name,
        "version": tool.version,
        "title": tool.title,
        "licence": tool.licence,
        "installed": bool(tool.digest),
        "digest": tool.digest or None,
        "executable": tool.executable or None,
    }


def install_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `tools install`."""
    parser.add_argument("name", metavar="NAME", help="a tool of `lockflight tools list`")
    parser.add_argument(
        "--from-wheels", metavar="DIR", help="take everything from this folder; open no socket"
    )


def install(args: argparse.Namespace, run: Run) -> Reply:
    """Install a tool from its hashed lock."""
    from lockflight.app.tools import install as put

    wheels = Path(args.from_wheels) if args.from_wheels is not None else None
    run.say(f"installing {args.name} (hashes are checked; this may take a minute)")
    tool = put(run.home, args.name, wheels=wheels, offline=run.offline)

    def human(style: Style) -> Iterable[str]:
        yield f"{style.yes} {tool.name} {tool.version}  environment {short(tool.digest)}"
        yield f"  {clean(tool.executable)}"

    return Reply("tools-install/v1", {"tool": _json(tool)}, human)
