"""`allowlist show`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockflight.cli.reply import Reply, Run
from lockflight.cli.style import clean, count, short, table
from lockflight.core.times import rfc3339

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable

    from lockflight.app.policy.allowing import Listed
    from lockflight.cli.style import Style


def show_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `allowlist show`."""
    parser.add_argument(
        "words", nargs="*", metavar="NAME", help="a name such as numpy.dtype, a module, or a library"
    )
    parser.add_argument("--allow", metavar="FILE", help="an allow_list/data.json, to see what it would add")


def show(args: argparse.Namespace, run: Run) -> Reply:
    """What pickles may use, and under which digest."""
    from lockflight.app.policy.allowing import show as look
    from lockflight.app.policy.allowing import tried

    found = look(tuple(args.words), tried(args.allow) if args.allow else None)

    def human(style: Style) -> Iterable[str]:
        if found.names:
            yield from table([_row(style, row) for row in found.names])
        else:
            yield from table(
                [
                    [
                        style.bold(document.library),
                        count(document.names, "name", "names")
                        if document.format == "pickle"
                        else count(document.names, "word", "words"),
                        "versions " + ", ".join(document.versions),
                        short(document.digest),
                    ]
                    for document in found.documents
                ]
            )
        yield ""
        yield f"allow-list sha256:{found.digest}"
        if found.overlay:
            yield f"with what the file adds, sha256:{found.overlay}"
        if not args.words:
            yield "One library, module or name: lockflight allowlist show numpy"

    result = {
        "digest": found.digest,
        "overlay": found.overlay or None,
        "documents": [
            {
                "library": d.library,
                "format": d.format,
                "versions": list(d.versions),
                "digest": d.digest,
                "names": d.names,
            }
            for d in found.documents
        ],
        "names": [
            {
                "name": row.name,
                "use": row.use,
                "arguments": row.arguments or None,
                "library": row.library,
                "reason": row.reason or None,
                "until": rfc3339(row.until) if row.until else None,
                "asset": row.asset or None,
            }
            for row in found.names
        ],
    }
    return Reply("allowlist/v1", result, human)


def _row(style: Style, row: Listed) -> list[str]:
    how = f"{row.use}, arguments: {row.arguments}" if row.arguments else row.use
    added = ""
    if row.until:
        only = f", for {short(row.asset)} only" if row.asset else ""
        added = f"until {rfc3339(row.until)}{only}: {clean(row.reason)}"
    return [style.bold(clean(row.name)), how, row.library, added]
