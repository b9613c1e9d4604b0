"""`find`: which releases contain something, and where these are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockflight.cli.reply import Reply, Run
from lockflight.cli.style import clean, count, short

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable

    from lockflight.app.registry.find import Match, Place
    from lockflight.cli.style import Style


def find_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `find`."""
    parser.add_argument(
        "query",
        metavar="QUERY",
        help="start of a digest, a file name, a path in a release, or a pattern such as 'data/**'",
    )


def find(args: argparse.Namespace, run: Run) -> Reply:
    """Which releases contain something, and which environments hold or held these."""
    from lockflight.app.registry.find import assets_of
    from lockflight.app.registry.find import find as search

    _, found = search(run.home, run.realm, args.query, as_of=run.as_of)
    releases = {match.release for match in found}
    assets = assets_of(found)

    def human(style: Style) -> Iterable[str]:
        what = f"{count(len(assets), 'asset')} in {count(len(releases), 'release')}"
        yield f"{style.bold(clean(args.query))}: {what} of the realm {run.realm}"
        yield from match_lines(found, style)

    return Reply("find/v1", {"query": args.query, "matches": [_json(m) for m in found]}, human)


def match_lines(found: Iterable[Match], style: Style) -> Iterable[str]:
    """Each asset with the releases that contain it."""
    by_digest: dict[str, list[Match]] = {}
    for match in found:
        by_digest.setdefault(match.digest, []).append(match)
    for digest, matches in by_digest.items():
        yield f"  sha256:{short(digest)}  {clean(matches[0].role)}"
        for match in matches:
            release = f"{clean(match.name)} {clean(match.version)}"
            where = _where(match.places)
            mark = style.no if match.revoked else style.look if any(p.now for p in match.places) else " "
            gone = f", revoked ({match.revoked})" if match.revoked else ""
            yield f"  {mark} {release}  {clean(match.path)}  {where}{gone}"


def _where(places: Iterable[Place]) -> str:
    now = [p.environment for p in places if p.now]
    before = [p.environment for p in places if not p.now]
    parts = [f"{word} in {', '.join(names)}" for word, names in (("now", now), ("before", before)) if names]
    return "; ".join(parts) or "never promoted"


def _json(match: Match) -> dict[str, object]:
    return {
        "digest": f"sha256:{match.digest}",
        "path": match.path,
        "role": match.role,
        "release": {"digest": f"sha256:{match.release}", "name": match.name, "version": match.version},
        "places": [
            {"environment": p.environment, "slot": p.slot, "now": p.now, "exposure": p.exposure}
            for p in match.places
        ],
        "revoked": match.revoked or None,
    }
