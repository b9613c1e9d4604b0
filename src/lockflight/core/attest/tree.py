"""The tree of a release: one Merkle root over its assets, so that one of them is proven without the others. Pure.

Hashing is that of RFC 6962. A leaf is every field with its length before it, behind a word of its own: no leaf is a
node, a view's row or an entry of the log, and no two assets share one. The tree follows from the signed statement;
`registration/v1` says its root and size, and the fold believes neither before it has computed them itself.
"""

from __future__ import annotations

import hashlib
from struct import Struct
from typing import TYPE_CHECKING, Final

from lockflight.core.canonical import dumps
from lockflight.core.log.merkle import inclusion_proof, leaf_hash, root
from lockflight.core.records import dataclass
from lockflight.core.shape import array, hex64, natural, obj, text

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from lockflight.core.attest import statement as st
    from lockflight.core.canonical import JsonObject, JsonValue
    from lockflight.core.release.release import Release

DOMAIN: Final = "lockflight-tree/v1"
FILE: Final = "file"
REFERENCE: Final = "reference"
KINDS: Final = (FILE, REFERENCE)
_length = Struct(">I").pack
_size = Struct(">Q").pack
_HEAD: Final = _length(len(DOMAIN)) + DOMAIN.encode()
_DIGEST_LENGTH: Final = _length(32)


@dataclass(frozen=True, slots=True)
class TreeAsset:
    """One asset as the tree holds it.

    Attributes:
        name: its name in the release.
        kind: `file`, or `reference` for the descriptor of something outside.
        role: what it is for.
        size: bytes; of a reference, those of its canonical descriptor.
        sha256: 64 hex digits of those bytes.
    """

    name: str
    kind: str
    role: str
    size: int
    sha256: str

    @property
    def order(self) -> tuple[str, str, str, str]:
        """Leaves are sorted by this."""
        return (self.name, self.kind, self.role, self.sha256)

    @property
    def leaf(self) -> bytes:
        """Its leaf hash, 32 bytes."""
        return _leaf(self.name, self.kind, self.role, self.sha256, self.size)

    def to_json(self) -> JsonObject:
        """The form in proofs."""
        return {
            "kind": self.kind,
            "name": self.name,
            "role": self.role,
            "sha256": self.sha256,
            "size": self.size,
        }


@dataclass(frozen=True, slots=True)
class Tree:
    """Root (64 hex digits) over the leaves, and how many there are: a root alone would not say which leaf is which."""

    root: str
    size: int

    def to_json(self) -> JsonObject:
        """The form in registrations."""
        return {"root": self.root, "size": self.size}


def parse_tree(value: JsonValue) -> Tree:
    """Read `Tree.to_json` back; whoever compares the whole finds further fields.

    Raises:
        KeyError, TypeError, ValueError: another shape.
    """
    raw = obj(value)
    return Tree(hex64(raw["root"]), natural(raw["size"]))


def parse_asset(value: JsonValue) -> TreeAsset:
    """Read `TreeAsset.to_json` back.

    Raises:
        KeyError, TypeError, ValueError: another shape.
    """
    raw = obj(value)
    found = TreeAsset(
        text(raw["name"]), text(raw["kind"]), text(raw["role"]), natural(raw["size"]), hex64(raw["sha256"])
    )
    if found.to_json() != raw or found.kind not in KINDS:
        raise ValueError("an asset has other fields, or is of no kind that there is")
    return found


def assets_of(release: Release) -> tuple[TreeAsset, ...]:
    """Files and references of a release, in the order of its tree."""
    files = [TreeAsset(a.name, FILE, a.role.value, a.size, a.sha256) for a in release.assets]
    return _ordered([*files, *(_reference(r.to_json()) for r in release.references)])


def signed_tree(statement: st.Statement) -> Tree:
    """The tree that follows from the statement that signs a release: `tree(assets_of(release))`, for the fold.

    Raises:
        KeyError, TypeError, ValueError: it is not that of a Lockflight release.
    """
    rows: list[tuple[str, str, str, str, int]] = []
    for item in array(statement.predicate["resources"]):
        resource = obj(item)
        notes = obj(resource["annotations"])
        role, size = text(notes["role"]), natural(notes["size"])
        rows.append((text(resource["name"]), FILE, role, hex64(resource["digest"]), size))
        if "release" in notes:
            said = [_reference(obj(one)) for one in array(obj(notes["release"])["references"])]
            rows += [(*one.order, one.size) for one in said]
    rows.sort()
    return Tree(root([_leaf(*row) for row in rows]).hex(), len(rows))


def tree(assets: Sequence[TreeAsset]) -> Tree:
    """The tree over assets in their order."""
    return Tree(root([asset.leaf for asset in assets]).hex(), len(assets))


def path(assets: Sequence[TreeAsset], index: int) -> tuple[bytes, ...]:
    """Audit path of one asset, nearest sibling first, 32 bytes each."""
    leaves = [asset.leaf for asset in assets]

    def node(level: int, at: int) -> bytes:
        return root(leaves[at << level : (at + 1) << level])

    return tuple(inclusion_proof(node, index, len(leaves)))


def _leaf(name: str, kind: str, role: str, sha256: str, size: int) -> bytes:
    k, n, r = kind.encode(), name.encode(), role.encode()
    k_length, n_length, r_length = _length(len(k)), _length(len(n)), _length(len(r))
    digest = bytes.fromhex(sha256)
    return leaf_hash(
        b"".join((_HEAD, k_length, k, n_length, n, r_length, r, _size(size), _DIGEST_LENGTH, digest))
    )


def _reference(said: JsonObject) -> TreeAsset:
    body = dumps(said)
    return TreeAsset(
        text(said["name"]), REFERENCE, text(said["role"]), len(body), hashlib.sha256(body).hexdigest()
    )


def _ordered(assets: Iterable[TreeAsset]) -> tuple[TreeAsset, ...]:
    return tuple(sorted(assets, key=lambda asset: asset.order))
