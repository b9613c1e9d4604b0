"""The tree of a release: one Merkle root over its assets, so that one of them is proven without the others. Pure.

Hashing is that of RFC 6962. A leaf is every field with its length before it, behind a word of its own: no leaf is a
node, a view's row or an entry of the log, and no two assets share one. The tree follows from the signed statement;
`registration/v1` says its root and size, and the fold believes neither before it has computed them itself.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

from lockflight.core.canonical import dumps
from lockflight.core.merkle import inclusion_proof, leaf_hash, root
from lockflight.core.records import dataclass
from lockflight.core.shape import array, hex64, natural, obj, text

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from lockflight.core import statement as st
    from lockflight.core.canonical import JsonObject, JsonValue
    from lockflight.core.release import Release

DOMAIN: Final = "lockflight-tree/v1"
FILE: Final = "file"
REFERENCE: Final = "reference"
KINDS: Final = (FILE, REFERENCE)


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
        fields = [word.encode() for word in (DOMAIN, self.kind, self.name, self.role)]
        data = b"".join(len(field).to_bytes(4, "big") + field for field in fields)
        digest = bytes.fromhex(self.sha256)
        return leaf_hash(data + self.size.to_bytes(8, "big") + len(digest).to_bytes(4, "big") + digest)

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


def signed_assets(statement: st.Statement) -> tuple[TreeAsset, ...]:
    """The same from the statement that signs a release.

    Raises:
        KeyError, TypeError, ValueError: it is not that of a Lockflight release.
    """
    found: list[TreeAsset] = []
    for item in array(statement.predicate["resources"]):
        resource = obj(item)
        notes = obj(resource["annotations"])
        found.append(
            TreeAsset(
                text(resource["name"]),
                FILE,
                text(notes["role"]),
                natural(notes["size"]),
                hex64(resource["digest"]),
            )
        )
        if "release" in notes:
            found += [_reference(obj(one)) for one in array(obj(notes["release"])["references"])]
    return _ordered(found)


def tree(assets: Sequence[TreeAsset]) -> Tree:
    """The tree over assets in their order."""
    return Tree(root([asset.leaf for asset in assets]).hex(), len(assets))


def path(assets: Sequence[TreeAsset], index: int) -> tuple[bytes, ...]:
    """Audit path of one asset, nearest sibling first, 32 bytes each."""
    leaves = [asset.leaf for asset in assets]

    def node(level: int, at: int) -> bytes:
        return root(leaves[at << level : (at + 1) << level])

    return tuple(inclusion_proof(node, index, len(leaves)))


def _reference(said: JsonObject) -> TreeAsset:
    body = dumps(said)
    return TreeAsset(
        text(said["name"]), REFERENCE, text(said["role"]), len(body), hashlib.sha256(body).hexdigest()
    )


def _ordered(assets: Iterable[TreeAsset]) -> tuple[TreeAsset, ...]:
    return tuple(sorted(assets, key=lambda asset: asset.order))
