"""The tables of a log, for SQLAlchemy Core; what SQLite adds to them stands here too.

`entries` is the log. `nodes` and `subjects` are derived from it and can be rebuilt (`store.rebuild`).
`envelopes` holds the bodies that fit into a row; longer ones are blobs.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import Column, Index, Integer, LargeBinary, MetaData, Table, Text

metadata = MetaData()

meta = Table(
    "meta",
    metadata,
    Column("key", Text, primary_key=True),
    Column("value", Text, nullable=False),
    sqlite_with_rowid=False,
)

entries = Table(
    "entries",
    metadata,
    Column("idx", Integer, primary_key=True),
    Column("leaf", LargeBinary, nullable=False),
    Column("envelope", LargeBinary(32), nullable=False),
    Index("entries_envelope", "envelope"),
)

nodes = Table(
    "nodes",
    metadata,
    Column("level", Integer, primary_key=True),
    Column("idx", Integer, primary_key=True),
    Column("hash", LargeBinary(32), nullable=False),
    sqlite_with_rowid=False,
)

checkpoints = Table(
    "checkpoints",
    metadata,
    Column("seq", Integer, primary_key=True),
    Column("size", Integer, nullable=False),
    Column("timestamp", Integer, nullable=False),
    Column("note", Text, nullable=False),
    Index("checkpoints_size", "size"),
)

envelopes = Table(
    "envelopes",
    metadata,
    Column("idx", Integer, primary_key=True),
    Column("body", LargeBinary, nullable=False),
)

subjects = Table(
    "subjects",
    metadata,
    Column("subject", LargeBinary(32), primary_key=True),
    Column("type", Text, primary_key=True),
    Column("idx", Integer, primary_key=True),
    Index("subjects_type", "type", "idx"),
    sqlite_with_rowid=False,
)

_APPEND_ONLY = (
    "CREATE TRIGGER {table}_no_{act} BEFORE {act} ON {table}"
    " BEGIN SELECT RAISE(ABORT, 'the log is append-only'); END"
)

#: Against accidents and stray tools; a forger who can drop triggers is met by signatures, pins and witnesses.
TRIGGERS: Final = {
    **{
        f"{table}_no_{act}": _APPEND_ONLY.format(table=table, act=act)
        for table in ("entries", "nodes", "checkpoints")
        for act in ("update", "delete")
    },
    "envelopes_no_update": _APPEND_ONLY.format(table="envelopes", act="update"),
    "entries_next": (
        "CREATE TRIGGER entries_next BEFORE INSERT ON entries"
        " WHEN NEW.idx <> coalesce((SELECT max(idx) + 1 FROM entries), 0)"
        " BEGIN SELECT RAISE(ABORT, 'an entry goes to the end of the log'); END"
    ),
    "checkpoints_next": (
        "CREATE TRIGGER checkpoints_next BEFORE INSERT ON checkpoints"
        " WHEN NEW.size > coalesce((SELECT max(idx) + 1 FROM entries), 0)"
        " OR NEW.seq <> coalesce((SELECT max(seq) + 1 FROM checkpoints), 0)"
        " OR NEW.size < (SELECT size FROM checkpoints ORDER BY seq DESC LIMIT 1)"
        " OR NEW.timestamp < (SELECT timestamp FROM checkpoints ORDER BY seq DESC LIMIT 1)"
        " BEGIN SELECT RAISE(ABORT, 'a checkpoint continues the one before'); END"
    ),
}
