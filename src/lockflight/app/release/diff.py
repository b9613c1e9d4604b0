"""What changed between two releases: in which assets, which tensors, which views, and which checks run again for it.

Names are matched in one pass over both lists. The tree of a release would spare nothing here: both lists are at hand
whole, and one added name shifts all leaves behind it, so that equal parts of two trees do not lie in the same places.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Generic, TypeVar

from lockflight.app.data.rowdiff import RowDelta, row_delta
from lockflight.app.data.tensordiff import TensorDelta, tensor_delta
from lockflight.app.realm.view import open_view
from lockflight.app.release.resolve import release_of, signed_as
from lockflight.app.release.show import opened
from lockflight.core.attest.check import CheckInfo, Grain, base_name, subjects
from lockflight.core.canonical import JsonObject
from lockflight.core.records import dataclass
from lockflight.core.release.release import Asset, Dependency, Reference, Release
from lockflight.core.words import VIEWS, Role
from lockflight.errors import NotFound
from lockflight.scan.declared import INFOS

if TYPE_CHECKING:
    from lockflight.core.source import ByteSource
    from lockflight.infra.progress import Progress

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
class Again:
    """A check of which evidence for the older release does not count for the newer one.

    Attributes:
        check: its name.
        grain: what its evidence is about.
        subjects: names of assets or views (or the release) that it must judge, in order.
        of: how many it judges in all.
    """

    check: str
    grain: str
    subjects: tuple[str, ...]
    of: int

    def to_json(self) -> JsonObject:
        """As replies tell it."""
        return {"check": self.check, "grain": self.grain, "subjects": list(self.subjects), "of": self.of}


@dataclass(frozen=True, slots=True)
class ReleaseDiff:
    """Everything in which two releases differ.

    Attributes:
        same: whether they are one release.
        header: field (`name`, `version`, `kind`, `tier`) to (older, newer), where different.
        assets: files; `changed` are those whose bytes differ.
        roles: files of the same bytes and name whose role differs: name, older, newer.
        renamed: (older name, newer name) of files of the same bytes; with the same role where there is such a pair.
        references: descriptors of outside things.
        dependencies: other releases.
        views: name of each fixed view to whether it changed.
        tensors: of changed safetensors files, which of their tensors.
        again: checks that must run again, each with what it must judge.
        rows: of changed tables, which of their rows.
        data: files about which something else is said: (older, newer).
    """

    same: bool
    header: dict[str, tuple[str, str]]
    assets: Delta[Asset]
    roles: tuple[tuple[str, Role, Role], ...]
    renamed: tuple[tuple[str, str], ...]
    references: Delta[Reference]
    dependencies: Delta[Dependency]
    views: dict[str, bool]
    tensors: tuple[TensorDelta, ...] = ()
    again: tuple[Again, ...] = ()
    rows: tuple[RowDelta, ...] = ()
    data: tuple[tuple[Asset, Asset], ...] = ()

    @property
    def moved_roles(self) -> list[tuple[str, str, str]]:
        """Of renamed files that got another role with it: newer name, older role, newer role."""
        before = {x.name: x.role.value for x in self.assets.removed}
        after = {x.name: x.role.value for x in self.assets.added}
        return [(new, before[old], after[new]) for old, new in self.renamed if before[old] != after[new]]

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
            "tensors": [one.to_json() for one in self.tensors],
            "again": [one.to_json() for one in self.again],
            "rows": [one.to_json() for one in self.rows],
            "data": [{"asset": y.name, "from": _said(x), "to": _said(y)} for x, y in self.data],
        }


@dataclass(frozen=True, slots=True)
class Side:
    """One of two releases, with its bytes where these are at hand."""

    release: Release
    sources: Mapping[str, ByteSource]


def compare(
    home: Callable[[], Path], realm: Callable[[], str], old: str, new: str, *, progress: Progress
) -> tuple[Release, Release, ReleaseDiff]:
    """Compare two releases, each named by a folder or by the start of its digest.

    Args:
        home: folder of realms; asked only where a digest is given.
        realm: the realm that knows such a digest.
        old: workspace, package, or digest.
        new: the same.
        progress: told about hashing.

    Raises:
        NotFound: LF0117 neither folder nor digest, LF4524 the realm knows no such release; as `opened`.
        UsageError: LF0119 too few digits, or the start of several digests.
        InvalidInput, VerificationFailed, EnvironmentProblem: as `opened` and `open_view`.
    """
    with ExitStack() as stack:
        sides = []
        for word in (old, new):
            if Path(word).is_dir():
                described = stack.enter_context(opened(Path(word), progress=progress))
                sides.append(Side(described.release, described.sources))
            else:
                sides.append(Side(_logged(home, realm, word), {}))
        one, other = sides
        found = diff(one.release, other.release, one.sources, other.sources)
        return one.release, other.release, found


def _logged(home: Callable[[], Path], realm: Callable[[], str], word: str) -> Release:
    if not set(word.lower().removeprefix("sha256:")) <= set("0123456789abcdef"):
        raise NotFound(
            "LF0117",
            f"{word} is not there, and is no digest of a release.",
            hint="Name the folder of a workspace or package, or the start of a digest.",
        )
    view = open_view(home(), realm())
    digest, _ = release_of(word, view.state)
    found = signed_as(view.state, digest)
    if found is None:
        raise NotFound(
            "LF4524",
            f"The realm {realm()!r} holds no signed release with the digest {digest[:16]}.",
            hint="lockflight log show prints digests.",
        )
    return found


def diff(
    a: Release,
    b: Release,
    before: Mapping[str, ByteSource] | None = None,
    after: Mapping[str, ByteSource] | None = None,
    *,
    checks: Iterable[CheckInfo] = tuple(INFOS.values()),
) -> ReleaseDiff:
    """What makes `b` another release than `a`.

    Args:
        a: the older.
        b: the newer.
        before: bytes of the older one's files by name, where at hand: headers of safetensors files name the tensors.
        after: those of the newer one's.
        checks: what could have to run again.
    """
    assets = _delta(a.assets, b.assets, lambda x: x.name, lambda x, y: x.sha256 == y.sha256)
    known = {x.name: x for x in a.assets}
    roles = tuple(
        (y.name, x.role, y.role)
        for y in b.assets
        if (x := known.get(y.name)) is not None and x.sha256 == y.sha256 and x.role is not y.role
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
        tensors=_tensors(assets, before or {}, after or {}),
        again=() if a.payload == b.payload else _again(a, b, checks),
        rows=_rows(assets, before or {}, after or {}),
        data=tuple((x, y) for y in b.assets if (x := known.get(y.name)) is not None and x.data != y.data),
    )


def _tensors(
    assets: Delta[Asset], before: Mapping[str, ByteSource], after: Mapping[str, ByteSource]
) -> tuple[TensorDelta, ...]:
    pairs = [(x, y) for x, y in assets.changed if x.tensors is not None and y.tensors is not None]
    return tuple(tensor_delta(x, y, before.get(x.name), after.get(y.name)) for x, y in pairs)


def _rows(
    assets: Delta[Asset], before: Mapping[str, ByteSource], after: Mapping[str, ByteSource]
) -> tuple[RowDelta, ...]:
    pairs = [(x, y) for x, y in assets.changed if x.rows is not None and y.rows is not None]
    return tuple(row_delta(x, y, before.get(x.name), after.get(y.name)) for x, y in pairs)


def _said(asset: Asset) -> JsonObject | None:
    return asset.data.to_json() if asset.data is not None else None


def _again(a: Release, b: Release, checks: Iterable[CheckInfo]) -> tuple[Again, ...]:
    """By the subjects of evidence: what has the same digest (and, as a file, the same last name) stays judged."""
    found = []
    for info in checks:
        known = {_key(info, s.name, s.digest) for s in subjects(info, a)}
        asked = subjects(info, b)
        fresh = tuple(s.name for s in asked if _key(info, s.name, s.digest) not in known)
        if fresh:
            found.append(Again(info.name, info.grain.value, fresh, len(asked)))
    return tuple(found)


def _key(info: CheckInfo, name: str, digest: str) -> tuple[str, str]:
    return (digest, base_name(name) if info.grain is Grain.ASSET else "")


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
    """Pairs of a removed and an added file with the same bytes, each used once; those of one role first."""
    pairs: dict[str, str] = {}
    used: set[str] = set()
    for key in (lambda x: (x.sha256, x.role), lambda x: x.sha256):
        gone: dict[Hashable, list[str]] = {}
        for asset in assets.removed:
            if asset.name not in used:
                gone.setdefault(key(asset), []).append(asset.name)
        for asset in assets.added:
            names = gone.get(key(asset))
            if names and asset.name not in pairs:
                pairs[asset.name] = names.pop(0)
                used.add(pairs[asset.name])
    return tuple((pairs[x.name], x.name) for x in assets.added if x.name in pairs)


def _asset(asset: Asset) -> JsonObject:
    return {"name": asset.name, "role": asset.role.value, "size": asset.size, "sha256": asset.sha256}


def _json(delta: Delta[Reference] | Delta[Dependency]) -> JsonObject:
    return {
        "added": [x.to_json() for x in delta.added],
        "removed": [x.to_json() for x in delta.removed],
        "changed": [{"from": x.to_json(), "to": y.to_json()} for x, y in delta.changed],
    }
