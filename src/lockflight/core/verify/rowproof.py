"""Proofs that a row is in a table, or that it is not, without the table. Pure.

A row that is there is led up the tree to the table's digest. One that is not is shown to fall between two neighbours
of the tree that is sorted by leaf hash; to compute where it falls one needs the key of the salts, so such a proof
holds the key. Both are worth what the digest is worth: who signed it says that the table was that one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lockflight.core.canonical import dumps, loads_object
from lockflight.core.log.merkle import EMPTY_ROOT
from lockflight.core.records import dataclass
from lockflight.core.release.rows import (
    FILE_ORDER,
    ORDERS,
    SET_ORDER,
    Head,
    key_id,
    parse_head,
    record_hash,
    salt_of,
    salted_leaf,
)
from lockflight.core.shape import array, hex64, natural, obj, text
from lockflight.core.verify.log.proofs import verify_inclusion
from lockflight.errors import VerificationFailed

if TYPE_CHECKING:
    from lockflight.core.canonical import JsonObject, JsonValue

SCHEMA: Final = "https://lockflight.dev/schema/dataset-proof/v1"
MAX_HASHES: Final = 32
#: A row, its columns, and some hashes.
MAX_BYTES: Final = 40 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Place:
    """A leaf of a tree.

    Attributes:
        index: its place.
        hashes: its audit path, nearest sibling first, 32 bytes each.
        leaf: its hash, 32 bytes; empty where it follows from the row.
    """

    index: int
    hashes: tuple[bytes, ...]
    leaf: bytes = b""

    def to_json(self) -> JsonObject:
        """The form in proofs."""
        leaf: JsonObject = {"leaf": self.leaf.hex()} if self.leaf else {}
        return {"index": self.index, "hashes": [value.hex() for value in self.hashes], **leaf}


@dataclass(frozen=True, slots=True)
class RowProof:
    """A proof as read; nothing is verified yet.

    Attributes:
        head: of the table.
        order: of the tree: `file` or `set`.
        tree: its root, 32 bytes.
        row: the row in its one spelling.
        salt: of a row that is there, 32 bytes; else empty.
        place: of a row that is there.
        key: of a row that is not there, the key of the salts, 32 bytes; else empty.
        before: the last leaf below its own, if any.
        after: the first leaf above its own, if any.
    """

    head: Head
    order: str
    tree: bytes
    row: str
    salt: bytes = b""
    place: Place | None = None
    key: bytes = b""
    before: Place | None = None
    after: Place | None = None

    @property
    def present(self) -> bool:
        """Whether it is about a row that is there."""
        return self.place is not None

    @property
    def digest(self) -> str:
        """The digest (64 hex) of the table that it is about."""
        return self.head.digest(self.order, self.tree)

    def encode(self) -> bytes:
        """The file, canonical JSON."""
        body: JsonObject = {
            "schema": SCHEMA,
            "table": self.head.to_json(),
            "order": self.order,
            "tree": self.tree.hex(),
            "row": self.row,
        }
        if self.place is not None:
            body["present"] = {**self.place.to_json(), "salt": self.salt.hex()}
        else:
            body["absent"] = {
                "key": self.key.hex(),
                "before": self.before.to_json() if self.before is not None else None,
                "after": self.after.to_json() if self.after is not None else None,
            }
        return dumps(body)


def read_row_proof(data: bytes) -> RowProof:
    """Read a proof strictly.

    Raises:
        VerificationFailed: LF7346 it is none; LF7101 to LF7103 (JSON).
    """
    raw = loads_object(data, what="proof of a row", max_bytes=MAX_BYTES, max_depth=4)
    try:
        if raw["schema"] != SCHEMA:
            raise ValueError(f"it is not of the form {SCHEMA}")
        proof = _proof(raw)
    except (KeyError, TypeError, ValueError) as error:
        raise _not_one(str(error)) from error
    if proof.encode() != data:
        raise _not_one("it is not in canonical form, or holds other fields")
    return proof


def verify_row(proof: RowProof, digest: str) -> None:
    """Check everything in a proof but the spelling of its row, which `formats` knows.

    Args:
        proof: what was read.
        digest: of the table (64 hex), as the verifier knows it: the one in that order, signed with a release.

    Raises:
        VerificationFailed: LF7347 the proof is of another table; LF7348 it does not show what it claims.
    """
    if proof.digest != digest:
        raise VerificationFailed(
            "LF7347",
            f"The proof is about the table sha256:{proof.digest} ({_ORDER[proof.order]}), "
            f"and sha256:{digest} was demanded.",
            hint="lockflight dataset show prints both digests of a table; the proof was made for one of them.",
        )
    record = record_hash(proof.head.form, proof.row.encode())
    if proof.place is not None:
        _included(proof, proof.place, salted_leaf(proof.salt, record), "the row")
        return
    _absent(proof, record)


_ORDER: Final = {FILE_ORDER: "rows in their order", SET_ORDER: "rows in any order"}


def _absent(proof: RowProof, record: bytes) -> None:
    if proof.order != SET_ORDER:
        raise _unproven("only the sorted tree shows what is not in it")
    if key_id(proof.key) != proof.head.key:
        raise _unproven("its key is not the one of the table")
    leaf = salted_leaf(salt_of(proof.key, record), record)
    rows, before, after = proof.head.rows, proof.before, proof.after
    if not rows:
        if before is not None or after is not None or proof.tree != EMPTY_ROOT:
            raise _unproven("a table without rows has no neighbours")
        return
    last = -1 if before is None else before.index
    first = rows if after is None else after.index
    if first != last + 1:
        raise _unproven("its neighbours do not stand beside each other")
    if not (b"" if before is None else before.leaf) < leaf < (b"\xff" * 33 if after is None else after.leaf):
        raise _unproven("the row does not fall between its neighbours")
    for one in (before, after):
        if one is not None:
            _included(proof, one, one.leaf, "a neighbour")


def _included(proof: RowProof, place: Place, leaf: bytes, what: str) -> None:
    try:
        verify_inclusion(leaf, place.index, proof.head.rows, place.hashes, proof.tree)
    except VerificationFailed as error:
        raise _unproven(f"{what} does not lead to the root of its tree") from error


def _proof(raw: JsonObject) -> RowProof:
    head, order = parse_head(raw["table"]), text(raw["order"])
    if order not in ORDERS or ("present" in raw) == ("absent" in raw):
        raise ValueError("it has no order that there is, or does not say whether the row is there")
    tree, row = bytes.fromhex(hex64(raw["tree"])), text(raw["row"])
    if "present" in raw:
        said = obj(raw["present"])
        return RowProof(head, order, tree, row, salt=bytes.fromhex(hex64(said["salt"])), place=_place(said))
    said = obj(raw["absent"])
    before, after = said["before"], said["after"]
    return RowProof(
        head,
        order,
        tree,
        row,
        key=bytes.fromhex(hex64(said["key"])),
        before=None if before is None else _place(obj(before), leaf=True),
        after=None if after is None else _place(obj(after), leaf=True),
    )


def _place(said: JsonObject, *, leaf: bool = False) -> Place:
    hashes = array(said["hashes"])
    if len(hashes) > MAX_HASHES:
        raise ValueError(f"a path has more than {MAX_HASHES} hashes")
    return Place(
        natural(said["index"]),
        tuple(_hash(value) for value in hashes),
        _hash(said["leaf"]) if leaf else b"",
    )


def _hash(value: JsonValue) -> bytes:
    return bytes.fromhex(hex64(value))


def _unproven(why: str) -> VerificationFailed:
    return VerificationFailed(
        "LF7348",
        f"The proof does not show what it claims: {why}.",
        hint="Do not rely on it; ask whoever holds the table for another one.",
    )


def _not_one(why: str) -> VerificationFailed:
    return VerificationFailed(
        "LF7346",
        f"This is not a proof of a row: {why}.",
        hint="lockflight dataset prove PATH --row N --out FILE writes one.",
    )
