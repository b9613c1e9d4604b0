"""The lineage of a release, drawn as a tree: `release show --lineage`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockflight.cli.common import release_json, release_line
from lockflight.cli.reply import Reply, Run
from lockflight.cli.style import clean, short
from lockflight.core.provenance import Origin

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from lockflight.cli.style import Style
    from lockflight.core.lineage import Input, Lineage, Made
    from lockflight.core.release import Release

#: How many names one line holds.
NAMED = 4


def lineage_reply(release: Release, run: Run) -> Reply:
    """The tree of a release, from the realm in force and this home's own records."""
    from lockflight.app.lineage import lineage_of

    tree = lineage_of(run.home, run.realm, release, as_of=run.as_of)
    result = {"release": release_json(release), "realm": run.realm, "lineage": tree.to_json()}
    return Reply("release-lineage/v1", result, lambda style: _lines(release, tree, style))


def _lines(release: Release, tree: Lineage, style: Style) -> Iterable[str]:
    yield release_line(release, style)
    branches = [(_made(made, made.products, style), made.inputs) for made in tree.made]
    if tree.unknown:
        branches.append((f"{style.look} nothing is recorded about {_some(tree.unknown)}", ()))
    yield from _draw(branches, "", style)
    if tree.cut:
        yield f"{style.look} the tree goes on; what is shown is cut off"


def _draw(branches: Sequence[tuple[str, Sequence[Input]]], indent: str, style: Style) -> Iterator[str]:
    tee, corner, bar = ("├─ ", "└─ ", "│  ") if style.unicode else ("|- ", "`- ", "|  ")
    for i, (line, inputs) in enumerate(branches):
        last = i == len(branches) - 1
        yield f"{indent}{corner if last else tee}{line}"
        below = [(_input(each, style), each.made.inputs if each.made else ()) for each in inputs]
        yield from _draw(below, indent + ("   " if last else bar), style)


def _input(each: Input, style: Style) -> str:
    material = each.material
    known_as = f" ({each.known_as})" if each.known_as and each.known_as != material.name else ""
    if each.made is not None:
        return _made(each.made, [material.label + known_as], style)
    label = clean(material.label + (f" {material.uri}" if material.uri and material.name else "") + known_as)
    pin = next((value for _, value in material.digests), "")
    notes = [] if material.read else ["declared"]
    notes += [] if pin else ["not pinned"]
    return "  ".join(part for part in (label, style.dim(short(clean(pin))), ", ".join(notes)) if part)


def _made(made: Made, names: Sequence[str], style: Style) -> str:
    fact, intake = made.fact, made.fact.intake
    if fact.origin is Origin.RECORD:
        how = f"made by {clean(fact.step)}"
    elif intake is not None:
        how = f"taken in from {clean(intake.uri)}" + (f" ({clean(intake.licence)})" if intake.licence else "")
    else:
        how = f"claimed by {clean(fact.builder)}"
    notes = [f"entry {made.index}"]
    if fact.origin is Origin.RECORD and not fact.complete:
        notes.append("not complete")
    if made.again:
        notes.append("as above")
    arrow = "←" if style.unicode else "<-"
    return f"{style.bold(_some(names))} {arrow} {how}, {', '.join(notes)}"


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return clean(", ".join(names[:NAMED])) + more
