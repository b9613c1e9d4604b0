"""What changed between two releases, and which views that touches: what must be looked at again."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from typing import Generic, TypeVar

from lockflight.core.canonical import JsonObject
from lockflight.core.records import dataclass
from lockflight.core.release import Asset, Dependency, Reference, Release
from lockflight.core.words import VIEWS, Role

T = TypeVar("T", Asset, Reference, Dependency)


@dataclass(frozen=True, slots=True)
class Delta(Generic[T]):
    """One kind of thing in two releases, matched by name.

    Attributes:
        added: only in the newer one.
        removed: only in the older one.
        changed: in both, but different: (older, newer).
    """

    added: tuple[T, ...]
    removed: tuple[T, ...]
    changed: tuple[tuple[T, T], ...]

    def __bool__(self) -> bool:
        return bool(self.added or self.removed or self.changed)


@dataclass(frozen=True, slots=True)
class ReleaseDiff:
    """Everything in which two releases differ.

    Attributes:
        same: whether they are one release.
        header: field (`name`, `version`, `kind`, `tier`) to (older, newer), where different.
        assets: files; `changed` are those whose bytes differ.
        roles: files of the same bytes and name whose role differs: name, older, newer.
        renamed: (older name, newer name) of files of the same bytes and role.
        references: descriptors of outside things.
        dependencies: other releases.
        views: name of each fixed view to whether it changed.
    """

    same: bool
    header: dict[str, tuple[str, str]]
    assets: Delta[Asset]
    roles: tuple[tuple[str, Role, Role], ...]
    renamed: tuple[tuple[str, str], ...]
    references: Delta[Reference]
    dependencies: Delta[Dependency]
    views: dict[str, bool]

    def to_json(self) -> JsonObject:
        """The form that `release diff --json` prints."""
        return {
            "same": self.same,
            "header": {key: [old, new] for key, (old, new) in self.header.items()},
            "assets": {
                "added": [_asset(a) for a in self.assets.added],
                "removed": [_asset(a) for a in self.assets.removed],
                "changed": [
                    {"name": b.name, "from": _asset(a), "to": _asset(b)} for a, b in self.assets.changed
                ],
                "roles": [
                    {"name": name, "from": old.value, "to": new.value} for name, old, new in self.roles
                ],
                "renamed": [{"from": old, "to": new} for old, new in self.renamed],
            },
            "references": _json(self.references),
            "dependencies": _json(self.dependencies),
            "views": dict(self.views),
        }


def diff(a: Release, b: Release) -> ReleaseDiff:
    """What makes `b` another release than `a`."""
    assets = _delta(a.assets, b.assets, lambda x: x.name, lambda x, y: x.sha256 == y.sha256)
    before = {x.name: x for x in a.assets}
    roles = tuple(
        (y.name, x.role, y.role)
        for y in b.assets
        if (x := before.get(y.name)) is not None and x.sha256 == y.sha256 and x.role is not y.role
    )
    header = {
        field: (old, new)
        for field, old, new in (
            ("name", a.name, b.name),
            ("version", a.version, b.version),
            ("kind", a.kind.value, b.kind.value),
            ("tier", a.tier.value, b.tier.value),
        )
        if old != new
    }
    return ReleaseDiff(
        same=a.payload == b.payload,
        header=header,
        assets=assets,
        roles=roles,
        renamed=_renamed(assets),
        references=_delta(a.references, b.references, lambda x: (x.role, x.name), lambda x, y: x == y),
        dependencies=_delta(a.dependencies, b.dependencies, lambda x: x.name, lambda x, y: x == y),
        views={name: a.view(name) != b.view(name) for name in VIEWS},
    )


def _delta(
    old: Iterable[T], new: Iterable[T], key: Callable[[T], Hashable], equal: Callable[[T, T], bool]
) -> Delta[T]:
    before = {key(x): x for x in old}
    after = {key(x): x for x in new}
    return Delta(
        added=tuple(x for k, x in after.items() if k not in before),
        removed=tuple(x for k, x in before.items() if k not in after),
        changed=tuple((before[k], x) for k, x in after.items() if k in before and not equal(before[k], x)),
    )


def _renamed(assets: Delta[Asset]) -> tuple[tuple[str, str], ...]:
    """Pairs of a removed and an added file with the same bytes and role, each used once."""
    gone: dict[tuple[str, Role], list[str]] = {}
    for asset in assets.removed:
        gone.setdefault((asset.sha256, asset.role), []).append(asset.name)
    pairs = []
    for asset in assets.added:
        names = gone.get((asset.sha256, asset.role))
        if names:
            pairs.append((names.pop(0), asset.name))
    return tuple(pairs)


def _asset(asset: Asset) -> JsonObject:
    return {"name": asset.name, "role": asset.role.value, "size": asset.size, "sha256": asset.sha256}


def _json(delta: Delta[Reference] | Delta[Dependency]) -> JsonObject:
    return {
        "added": [x.to_json() for x in delta.added],
        "removed": [x.to_json() for x in delta.removed],
        "changed": [{"from": x.to_json(), "to": y.to_json()} for x, y in delta.changed],
    }
