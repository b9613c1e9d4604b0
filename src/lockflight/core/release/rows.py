"""What identifies a table: one digest of its rows in their order, and one of its rows as a set. Pure.

    record = SHA-256("lockflight-row/v1" 00 form 00 row)
    key    = SHA-256("lockflight-row-key/v1" 00 sum of all records mod 2^256, 32 bytes, and their number, 8 bytes)
    salt   = SHA-256(key record)
    leaf   = SHA-256(00 "lockflight-row-leaf/v1" 00 salt record)
    digest = SHA-256(canonical JSON of head, order and the root (RFC 6962) over the leaves)

A row is what `formats` makes of it: one spelling for each. The key follows from the rows themselves and is not
published. So the digests need no secret that somebody has to keep, the same rows in another order have the same leaves,
and yet the hashes in a proof tell nothing about other rows to who does not hold the table: without salts, a row of few
possible values is found by trying them. docs/explanation/the-rows-of-a-table.md is the specification.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

from lockflight.core.canonical import dumps
from lockflight.core.records import dataclass
from lockflight.core.shape import hex64, natural, obj, text, texts

if TYPE_CHECKING:
    from lockflight.core.canonical import JsonObject, JsonValue

SCHEMA: Final = "lockflight-rows/v1"
#: Forms of rows: fields of text (CSV, TSV), JSON values, typed values by column (Parquet).
TEXT: Final = "text"
JSON: Final = "json"
TYPED: Final = "typed"
FORMS: Final = (TEXT, JSON, TYPED)
#: Orders: as in the file, or by leaf hash.
FILE_ORDER: Final = "file"
SET_ORDER: Final = "set"
ORDERS: Final = (FILE_ORDER, SET_ORDER)

#: 32 bytes of memory each.
MAX_ROWS: Final = 1 << 25
MAX_COLUMNS: Final = 4096
#: Of all names and types together, as UTF-8.
MAX_COLUMN_BYTES: Final = 256 * 1024

_RECORD: Final = b"lockflight-row/v1\x00"
_KEY: Final = b"lockflight-row-key/v1\x00"
_KEY_ID: Final = b"lockflight-row-key-id/v1\x00"
_LEAF: Final = b"lockflight-row-leaf/v1\x00"


@dataclass(frozen=True, slots=True)
class Head:
    """What both digests of a table bind beside its rows.

    Attributes:
        form: `text`, `json` or `typed`.
        columns: their names, in order; of `json`, the keys of all rows, sorted, or none where they are too many. A
            table of `text` without names has `1`, `2` and so on.
        types: of `typed`, the type of each column; else empty.
        rows: how many there are.
        key: SHA-256 (hex) that commits to the key of the salts.
    """

    form: str
    columns: tuple[str, ...]
    types: tuple[str, ...]
    rows: int
    key: str

    def to_json(self) -> JsonObject:
        """The form in proofs."""
        return {
            "columns": list(self.columns),
            "form": self.form,
            "key": self.key,
            "rows": self.rows,
            "types": list(self.types),
        }

    def digest(self, order: str, tree: bytes) -> str:
        """64 hex digits over this, the order, and the root (32 bytes) of the tree in that order."""
        body = dumps({**self.to_json(), "schema": SCHEMA, "order": order, "tree": tree.hex()})
        return hashlib.sha256(body).hexdigest()


@dataclass(frozen=True, slots=True)
class RowIndex:
    """What a release says about the rows of a file.

    Attributes:
        head: form, columns, number of rows.
        ordered: digest (64 hex) of the rows in the order of the file.
        unordered: digest (64 hex) of the same rows in any order.
    """

    head: Head
    ordered: str
    unordered: str

    @property
    def cost(self) -> int:
        """Bytes of a statement that it takes, about."""
        return 400 + sum(len(word) + 6 for word in (*self.head.columns, *self.head.types))

    def to_json(self) -> JsonObject:
        """As it stands in the annotation `rows`."""
        return {**self.head.to_json(), "ordered": self.ordered, "set": self.unordered}


def parse_head(value: JsonValue) -> Head:
    """Read `Head.to_json` back; whoever compares the whole finds further fields.

    Raises:
        KeyError, TypeError, ValueError: another shape.
    """
    raw = obj(value)
    form = text(raw["form"])
    columns, types = texts(raw["columns"]), texts(raw["types"])
    if form not in FORMS or len(types) != (len(columns) if form == TYPED else 0):
        raise ValueError("the head of a table has no form that there is, or not a type for each column")
    if len(columns) > MAX_COLUMNS or sum(map(len, (*columns, *types))) > MAX_COLUMN_BYTES:
        raise ValueError("a table has more columns than are read")
    return Head(form, columns, types, natural(raw["rows"]), hex64(raw["key"]))


def parse_row_index(value: JsonValue) -> RowIndex:
    """Read `RowIndex.to_json` back.

    Raises:
        KeyError, TypeError, ValueError: another shape.
    """
    raw = obj(value)
    found = RowIndex(parse_head(raw), hex64(raw["ordered"]), hex64(raw["set"]))
    if found.to_json() != raw:
        raise ValueError("the rows of a file have other fields")
    return found


def fits(columns: tuple[str, ...], types: tuple[str, ...] = ()) -> bool:
    """Whether names and types are within the budget."""
    size = sum(len(word.encode()) for word in (*columns, *types))
    return len(columns) <= MAX_COLUMNS and size <= MAX_COLUMN_BYTES


def record_prefix(form: str) -> bytes:
    """What stands before a row of that form where it is hashed."""
    return _RECORD + form.encode() + b"\x00"


def record_hash(form: str, row: bytes) -> bytes:
    """SHA-256 of one row, 32 bytes; never published by itself, since it can be guessed."""
    return hashlib.sha256(record_prefix(form) + row).digest()


def table_key(total: int, rows: int) -> bytes:
    """The key of the salts, 32 bytes, from the sum of all record hashes as numbers, and how many there are."""
    return hashlib.sha256(_KEY + (total % 2**256).to_bytes(32) + rows.to_bytes(8)).digest()


def key_id(key: bytes) -> str:
    """What commits to a key without telling it, 64 hex digits."""
    return hashlib.sha256(_KEY_ID + key).hexdigest()


def salt_of(key: bytes, record: bytes) -> bytes:
    """The salt of one record, 32 bytes; both are of 32 bytes, so no input continues another."""
    return hashlib.sha256(key + record).digest()


def salted_leaf(salt: bytes, record: bytes) -> bytes:
    """The leaf hash of one record, 32 bytes."""
    return hashlib.sha256(b"\x00" + _LEAF + salt + record).digest()


def leaves_of(key: bytes, records: bytes | bytearray) -> list[bytes]:
    """The leaf hashes of many records, each of 32 bytes, in one go."""
    sha, before = hashlib.sha256, b"\x00" + _LEAF
    parts = [bytes(records[at : at + 32]) for at in range(0, len(records), 32)]
    return [sha(before + sha(key + record).digest() + record).digest() for record in parts]
