"""The lineage of a release, drawn as a tree: `release show --lineage`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockflight.cli.common import release_json, release_line
from lockflight.cli.reply import Reply, Run
from lockflight.cli.style import clean, short
from lockflight.core.attest.provenance import Origin

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from lockflight.cli.style import Style
    from lockflight.core.facts.lineage import Input, Lineage, Made
    from lockflight.core.release.release import Release

#: How many names one line holds.
NAMED = 4


def lineage_reply(release: Release, run: Run) -> Reply:
    """The tree of a release, from the realm in force and this home's own records."""
    from lockflight.app.provenance.lineage import lineage_of

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
        yield from _draw(_branches(inputs, style), indent + ("   " if last else bar), style)


def _branches(inputs: Sequence[Input], style: Style) -> list[tuple[str, Sequence[Input]]]:
    """One branch for all that one statement made, and one for many plain files of one folder."""
    made: dict[str, list[Input]] = {}
    folders: dict[str, list[Input]] = {}
    for each in inputs:
        if each.made is not None:
            made.setdefault(each.made.record, []).append(each)
        elif folder := _folder(each):
            folders.setdefault(folder, []).append(each)
    result: list[tuple[str, Sequence[Input]]] = []
    for each in inputs:
        folder = _folder(each)
        if each.made is not None:
            if group := made.pop(each.made.record, []):
                result.append((_made(each.made, [_label(one) for one in group], style), each.made.inputs))
        elif not folder or len(folders[folder]) <= NAMED:
            result.append((_input(each, style), ()))
        elif each is folders[folder][0]:
            result.append((f"{clean(folder)}/  {len(folders[folder])} files", ()))
    return result


def _folder(each: Input) -> str:
    """The folder of a file that the step's recorder read; empty for anything else."""
    return each.material.name.rpartition("/")[0] if each.material.read and not each.material.uri else ""


def _label(each: Input) -> str:
    known_as = f" ({each.known_as})" if each.known_as and each.known_as != each.material.name else ""
    return each.material.label + known_as


def _input(each: Input, style: Style) -> str:
    material = each.material
    label = clean(_label(each) + (f" {material.uri}" if material.uri and material.name else ""))
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
