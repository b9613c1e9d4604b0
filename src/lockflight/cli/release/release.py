"""`release create|show|pack`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from lockflight.cli.arguments import choice
from lockflight.cli.common import (
    folder_of,
    memory_option,
    quoted,
    release_json,
    release_line,
    say_reused,
)
from lockflight.cli.lines.datalines import data_lines, rows_json
from lockflight.cli.reply import Reply, Run
from lockflight.cli.style import clean, count, short, table

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable
    from contextlib import AbstractContextManager

    from lockflight.app.files.describe import Described
    from lockflight.cli.style import Style
    from lockflight.core.release.release import Release


def create_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `release create`."""
    parser.add_argument("folder", metavar="DIR", help="a workspace, with lockflight.toml")
    parser.add_argument("--assets", action="store_true", help="list the assets")
    memory_option(parser)


def create(args: argparse.Namespace, run: Run) -> Reply:
    """Describe a folder and print its digest."""
    from lockflight.app.files.describe import describe
    from lockflight.app.files.remembered import Remembered

    folder = folder_of(args.folder)
    memory = None if args.no_cache else Remembered.of(run.home, folder)
    described = describe(folder, progress=run.progress(), memory=memory)
    say_reused(described.reused, run)
    return _described(args, described)


def show_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `release show`."""
    parser.add_argument("folder", metavar="DIR", help="a workspace or a package")
    parser.add_argument("--assets", action="store_true", help="list the assets")
    parser.add_argument(
        "--lineage", action="store_true", help="draw where its assets come from, as the log knows it"
    )


def show(args: argparse.Namespace, run: Run) -> Reply:
    """Assets, roles and views of a folder or package."""
    from lockflight.app.release.show import opened

    source = opened(folder_of(args.folder), progress=run.progress())
    if args.lineage:
        from lockflight.cli.release.lineage import lineage_reply

        with source as described:
            release = described.release
        return lineage_reply(release, run)
    return _described(args, source)


def _described(args: argparse.Namespace, source: AbstractContextManager[Described]) -> Reply:
    with source as described:
        result = _result(described)
        release, notices = described.release, [n.message for n in described.notices]

    def human(style: Style) -> Iterable[str]:
        yield release_line(release, style)
        for notice in notices:
            yield f"{style.look} {clean(notice)}"
        yield from _facts(release, style)
        if args.assets:
            yield ""
            yield from table(
                [
                    [a.role.value, clean(a.name), str(a.size), short(a.sha256), a.media_type]
                    for a in release.assets
                ]
            )

    return Reply("release/v1", result, human)


def _facts(release: Release, style: Style) -> Iterable[str]:
    roles: dict[str, int] = {}
    for asset in release.assets:
        roles[asset.role.value] = roles.get(asset.role.value, 0) + 1
    yield from table(
        [
            ["digest", style.bold(f"sha256:{release.digest}")],
            ["OMS root", f"sha256:{release.oms_root}"],
            *[[f"view {name}", f"sha256:{root}"] for name, root in release.views().items()],
            ["assets", ", ".join(f"{n} {role}" for role, n in roles.items())],
        ]
    )
    yield from data_lines(release, style)
    for reference in release.references:
        pin = reference.digest or reference.version or "not pinned"
        yield f"outside: {reference.role.value} {clean(reference.name)} {clean(reference.uri)} ({clean(pin)})"


def _result(described: Described) -> dict[str, object]:
    release = described.release
    return {
        **release_json(release),
        "oms_root": f"sha256:{release.oms_root}",
        "views": {name: f"sha256:{root}" for name, root in release.views().items()},
        "assets": [
            {
                "name": a.name,
                "role": a.role.value,
                "size": a.size,
                "sha256": a.sha256,
                "blake3": a.blake3,
                "media_type": a.media_type,
                "rows": rows_json(a.rows) if a.rows is not None else None,
                "data": a.data.to_json() if a.data is not None else None,
            }
            for a in release.assets
        ],
        "references": [r.to_json() for r in release.references],
        "dependencies": [d.to_json() for d in release.dependencies],
        "notices": [n.message for n in described.notices],
        "skipped": list(described.skipped),
        "excluded": [{"name": e.name, "reason": e.reason} for e in described.excluded],
        "reused": described.reused.to_json(),
    }


def pack_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `release pack`."""
    parser.add_argument("folder", metavar="DIR", help="a workspace, with lockflight.toml")
    parser.add_argument("out", metavar="OUT", help="the folder to make; outside of DIR")
    parser.add_argument(
        "--layout",
        type=choice("LF0106", "layout", ("folder", "oci")),
        default="folder",
        metavar="LAYOUT",
        help="folder (default), or oci: an OCI image layout in the form of ModelPack",
    )


def pack(args: argparse.Namespace, run: Run) -> Reply:
    """Write exactly the assets into a new folder."""
    from lockflight.app.files.describe import describe
    from lockflight.app.files.pack import pack as write

    with describe(folder_of(args.folder), progress=run.progress()) as described:
        packed = write(described, Path(args.out), layout=args.layout, progress=run.progress())
        described.recheck()
        release = described.release
    result = {
        "release": release_json(release),
        "path": str(packed.path),
        "layout": packed.layout,
        "files": packed.files,
        "size": packed.size,
    }

    def human(style: Style) -> Iterable[str]:
        yield f"{style.yes} packed {release_line(release, style)}"
        yield f"  {count(packed.files, 'file')}, {packed.size} bytes in {clean(str(packed.path))} ({packed.layout})"
        yield f"  not signed; lockflight sign {clean(quoted(args.folder))} --out PACKAGE packs and signs"

    return Reply("release-pack/v1", result, human)
