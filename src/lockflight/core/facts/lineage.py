"""Where the assets of a release come from: recorded steps back to data, base models and source, as a tree. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockflight.core.facts.factprov import provenance_of, records_of
from lockflight.core.records import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from lockflight.core.attest.provenance import Material, Provenance
    from lockflight.core.canonical import JsonObject
    from lockflight.core.release.release import Release
    from lockflight.core.state.state import Record, State

MAX_DEPTH = 32
MAX_NODES = 5_000


@dataclass(frozen=True, slots=True)
class Made:
    """A statement about how something came to be, with what it used.

    Attributes:
        record: envelope digest of the statement.
        index: its position in the log.
        fact: what it says.
        products: names of what it made here, in the words of whoever uses them.
        inputs: what it used; empty where it was shown before.
        again: its inputs are shown further up.
    """

    record: str
    index: int
    fact: Provenance
    products: tuple[str, ...]
    inputs: tuple[Input, ...] = ()
    again: bool = False

    def to_json(self) -> JsonObject:
        """The tree below, as JSON."""
        intake = self.fact.intake
        return {
            "record": self.record,
            "index": self.index,
            "origin": self.fact.origin.value,
            "step": self.fact.step,
            "builder": self.fact.builder,
            "complete": self.fact.complete,
            "products": list(self.products),
            "uri": intake.uri if intake is not None else "",
            "licence": intake.licence if intake is not None else "",
            "inputs": [each.to_json() for each in self.inputs],
            "again": self.again,
        }


@dataclass(frozen=True, slots=True)
class Input:
    """Something that a step used.

    Attributes:
        material: as the step's record names it.
        known_as: name of the release's asset or reference with that digest; empty if it is none.
        made: how it came to be itself; None where nothing is recorded.
    """

    material: Material
    known_as: str = ""
    made: Made | None = None

    def to_json(self) -> JsonObject:
        """The tree below, as JSON."""
        return {
            "name": self.material.name,
            "uri": self.material.uri,
            "digest": dict(self.material.digests),
            "known_as": self.known_as,
            "made": self.made.to_json() if self.made is not None else None,
        }


@dataclass(frozen=True, slots=True)
class Lineage:
    """The tree of a release.

    Attributes:
        made: statements about its assets, in the order of the first asset of each.
        unknown: names of assets about which there is none.
        cut: the tree is larger or deeper than is shown.
    """

    made: tuple[Made, ...]
    unknown: tuple[str, ...]
    cut: bool = False

    def to_json(self) -> JsonObject:
        """The whole tree as JSON."""
        return {"made": [m.to_json() for m in self.made], "unknown": list(self.unknown), "cut": self.cut}


def lineage(state: State, release: Release) -> Lineage:
    """The tree of a release, from effective records; the newest one about a digest counts."""
    names: dict[str, str] = {}
    for reference in release.references:
        names.setdefault(reference.digest.removeprefix("sha256:"), reference.name)
    for asset in release.assets:
        names.setdefault(asset.sha256, asset.name)
    return _Grower(state, names).grow([(asset.name, asset.sha256) for asset in release.assets])


class _Grower:
    def __init__(self, state: State, names: Mapping[str, str]) -> None:
        self._state = state
        self._names = {digest: name for digest, name in names.items() if digest}
        self._shown: set[str] = set()
        self._nodes = 0
        self._cut = False

    def grow(self, assets: Iterable[tuple[str, str]]) -> Lineage:
        groups: dict[str, tuple[Record, list[str]]] = {}
        unknown: list[str] = []
        for name, digest in assets:
            record = self._record(digest)
            if record is None:
                unknown.append(name)
            else:
                groups.setdefault(record.digest, (record, []))[1].append(name)
        # What another one of them used is drawn below that one first.
        used = {m.sha256 for record, _ in groups.values() for m in provenance_of(record).materials}
        order = sorted(
            groups.values(), key=lambda g: any(p.sha256 in used for p in provenance_of(g[0]).products)
        )
        made = tuple(self._made(record, names, ()) for record, names in order)
        return Lineage(made, tuple(unknown), self._cut)

    def _record(self, digest: str, path: tuple[Record, ...] = ()) -> Record | None:
        """The newest record about a digest that is not itself a consequence of it: a step may copy its input."""
        below = {record.digest for record in path}
        records = [
            record
            for record in records_of(self._state, digest)
            if record.digest not in below and (not path or record.logged_at <= path[-1].logged_at)
        ]
        return max(records, key=lambda r: (r.logged_at, r.index)) if records else None

    def _made(self, record: Record, products: Iterable[str], path: tuple[Record, ...]) -> Made:
        fact = provenance_of(record)
        again = record.digest in self._shown
        self._shown.add(record.digest)
        path = (*path, record)
        # What was taken in has its origin in the same line; a branch would only say it again.
        materials = fact.materials if fact.intake is None else ()
        inputs: list[Input] = []
        for material in () if again else materials:
            self._nodes += 1
            if self._nodes > MAX_NODES or len(path) > MAX_DEPTH:
                self._cut = True
                break
            inputs.append(self._input(material, path))
        again = again and bool(materials)
        return Made(record.digest, record.index, fact, tuple(products), tuple(inputs), again)

    def _input(self, material: Material, path: tuple[Record, ...]) -> Input:
        digest = material.sha256
        before = self._record(digest, path) if digest else None
        made = self._made(before, [material.label], path) if before is not None else None
        return Input(material, self._names.get(digest, "") if digest else "", made)
