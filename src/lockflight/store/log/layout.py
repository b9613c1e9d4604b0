"""Names and versions of what a realm's folder holds."""

from __future__ import annotations

from typing import Final

#: Version of the tables; a reader refuses any other.
SCHEMA: Final = "1"
DATABASE: Final = "log.db"
#: Stands in the place of `DATABASE` where the log is in a database server.
ADDRESS: Final = "store.toml"
LOCK: Final = "log.lock"
BLOBS: Final = "blobs"
TABLES: Final = frozenset({"meta", "entries", "nodes", "checkpoints", "envelopes", "subjects"})
#: Longer envelopes are blobs, so that the database stays small enough to copy.
INLINE_BYTES: Final = 64 * 1024
