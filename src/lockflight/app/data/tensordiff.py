"""Which tensors of a safetensors file changed, by the digests that the release signs of each."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from lockflight.core.records import dataclass
from lockflight.formats.tensors.tensorindex import check_header, read_header

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lockflight.core.canonical import JsonObject
    from lockflight.core.release.release import Asset
    from lockflight.core.source import ByteSource


@dataclass(frozen=True, slots=True)
class TensorDelta:
    """How the inside of a file changed.

    Attributes:
        asset: name of the file.
        layout: whether its header changed: names, types, shapes or order.
        named: whether the tensors are known by name; else by their place (`#0` is the first), and only where the
            layout is the same.
        added, removed, changed: tensors; of unknown names in another layout, none.
        different: how many tensors of the newer file the older one does not hold, whatever they are called.
        of: how many the newer one holds.
    """

    asset: str
    layout: bool
    named: bool
    added: tuple[str, ...]
    removed: tuple[str, ...]
    changed: tuple[str, ...]
    different: int
    of: int

    def to_json(self) -> JsonObject:
        """As replies tell it."""
        return {
            "asset": self.asset,
            "layout": self.layout,
            "named": self.named,
            "added": list(self.added),
            "removed": list(self.removed),
            "changed": list(self.changed),
            "different": self.different,
            "of": self.of,
        }


def tensor_delta(
    old: Asset, new: Asset, before: ByteSource | None = None, after: ByteSource | None = None
) -> TensorDelta:
    """Compare two states of a file that both have an index.

    Args:
        old: as the older release says.
        new: as the newer one says.
        before: the older bytes where at hand; only the header is read, and believed by its signed digest.
        after: the newer bytes.

    Raises:
        ValueError: one has no index.
    """
    one, other = old.tensors, new.tensors
    if one is None or other is None:
        raise ValueError(f"{new.name} has no index of its tensors")
    layout = one.header != other.header
    mine, theirs = _names(old, before), _names(new, after)
    if not layout:
        mine = theirs = mine or theirs
    named = bool(mine and theirs)
    if not named:  # places say something only where both headers are the same
        mine = theirs = () if layout else tuple(f"#{i}" for i in range(len(one.digests)))
    rows, after_rows = (
        dict(zip(mine, one.digests, strict=False)),
        dict(zip(theirs, other.digests, strict=False)),
    )
    return TensorDelta(
        new.name,
        layout,
        named,
        _sorted(after_rows.keys() - rows.keys(), theirs),
        _sorted(rows.keys() - after_rows.keys(), mine),
        _sorted((n for n in rows.keys() & after_rows.keys() if rows[n] != after_rows[n]), theirs),
        sum((Counter(other.digests) - Counter(one.digests)).values()),
        len(other.digests),
    )


def _sorted(names: Iterable[str], order: tuple[str, ...]) -> tuple[str, ...]:
    wanted = set(names)
    return tuple(name for name in order if name in wanted)


def _names(asset: Asset, source: ByteSource | None) -> tuple[str, ...]:
    """Names of the tensors, in the order of their digests; none where the header is not at hand."""
    if source is None or asset.tensors is None:
        return ()
    header = read_header(source)
    parsed = check_header(header, asset.size, asset.tensors, asset.name) if header is not None else None
    return tuple(tensor.name for tensor in parsed.tensors) if parsed is not None else ()
