"""`release diff`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockflight.cli.common import release_json, release_line
from lockflight.cli.reply import Reply, Run
from lockflight.cli.style import clean, count

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable

    from lockflight.app.data.rowdiff import RowDelta
    from lockflight.app.data.tensordiff import TensorDelta
    from lockflight.app.release.diff import ReleaseDiff
    from lockflight.cli.style import Style

#: Tensors that people are shown by name; `--json` names all.
_SHOWN = 8


def diff_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `release diff`."""
    parser.add_argument(
        "old", metavar="OLD", help="a workspace, a package, or the start of a release's digest in the realm"
    )
    parser.add_argument("new", metavar="NEW", help="another one")


def diff(args: argparse.Namespace, run: Run) -> Reply:
    """What differs between two releases."""
    from lockflight.app.release.diff import compare

    old, new, found = compare(
        lambda: run.home, lambda: run.realm, args.old, args.new, progress=run.progress()
    )
    result = {"old": release_json(old), "new": release_json(new), **found.to_json()}

    def human(style: Style) -> Iterable[str]:
        yield f"- {release_line(old, style)}"
        yield f"+ {release_line(new, style)}"
        yield from _differences(found, style)

    return Reply("release-diff/v1", result, human)


def _differences(found: ReleaseDiff, style: Style) -> Iterable[str]:
    if found.same:
        yield f"{style.yes} one and the same release"
        return
    for field, (before, after) in found.header.items():
        yield f"{style.look} {field}: {clean(before)} -> {clean(after)}"
    moved = {name for pair in found.renamed for name in pair}
    for word, names in (
        ("added", [a.name for a in found.assets.added if a.name not in moved]),
        ("removed", [a.name for a in found.assets.removed if a.name not in moved]),
        ("changed", [b.name for _, b in found.assets.changed]),
        ("renamed", [f"{old} -> {new}" for old, new in found.renamed]),
        ("role", [f"{name}: {old.value} -> {new.value}" for name, old, new in found.roles]),
        ("role", [f"{name}: {old} -> {new}" for name, old, new in found.moved_roles]),
        ("reference", [r.name for r in (*found.references.added, *found.references.removed)]),
        ("reference", [b.name for _, b in found.references.changed]),
        ("dependency", [d.name for d in (*found.dependencies.added, *found.dependencies.removed)]),
        ("dependency", [b.name for _, b in found.dependencies.changed]),
    ):
        for name in names:
            yield f"  {style.bold(word.ljust(10))} {clean(name)}"
    for delta in found.tensors:
        yield from _tensors(delta)
    for rows in found.rows:
        yield f"  rows of {clean(rows.asset)}: {_rows(rows)}"
    for _, asset in found.data:
        yield f"  what is said about {clean(asset.name)} changed"
    touched = [name for name, changed in found.views.items() if changed]
    yield f"views touched: {', '.join(touched) or 'none'}"
    checks = [
        f"{one.check} ({len(one.subjects)} of {count(one.of, 'asset')})"
        if one.grain == "asset"
        else one.check
        for one in found.again
    ]
    yield f"checks that run again: {', '.join(checks) or 'none'}"


def _rows(delta: RowDelta) -> str:
    if delta.same_set:
        return f"the same {delta.new}, in another order or spelling"
    counted = f", {delta.added} added, {delta.removed} removed" if delta.added is not None else ""
    return f"{delta.old} -> {delta.new}{counted}{', other columns' if delta.columns else ''}"


def _tensors(delta: TensorDelta) -> Iterable[str]:
    head = f"  tensors of {clean(delta.asset)}:"
    if not delta.named and delta.layout:
        yield f"{head} {delta.different} of {delta.of} are not in the older file, and its header is another"
        return
    parts = []
    for word, names in (("changed", delta.changed), ("added", delta.added), ("removed", delta.removed)):
        if names:
            more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
            parts.append(f"{len(names)} {word} ({', '.join(map(clean, names[:_SHOWN]))}{more})")
    yield f"{head} {'; '.join(parts) or 'none changed, its header did'}"
