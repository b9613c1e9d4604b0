"""The tables of a log, for SQLAlchemy Core; what SQLite and PostgreSQL add to them stands here too.

`entries` is the log. `nodes` and `subjects` are derived from it and can be rebuilt (`store.rebuild`).
`envelopes` holds the bodies that fit into a row; longer ones are blobs.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, MetaData, Table, Text

metadata = MetaData()

_NUMBER = Integer().with_variant(BigInteger(), "postgresql")

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
    Column("idx", _NUMBER, primary_key=True, autoincrement=False),
    Column("leaf", LargeBinary, nullable=False),
    Column("envelope", LargeBinary(32), nullable=False),
    Index("entries_envelope", "envelope"),
)

nodes = Table(
    "nodes",
    metadata,
    Column("level", Integer, primary_key=True, autoincrement=False),
    Column("idx", _NUMBER, primary_key=True, autoincrement=False),
    Column("hash", LargeBinary(32), nullable=False),
    sqlite_with_rowid=False,
)

checkpoints = Table(
    "checkpoints",
    metadata,
    Column("seq", _NUMBER, primary_key=True, autoincrement=False),
    Column("size", _NUMBER, nullable=False),
    Column("timestamp", _NUMBER, nullable=False),
    Column("note", Text, nullable=False),
    Index("checkpoints_size", "size"),
)

envelopes = Table(
    "envelopes",
    metadata,
    Column("idx", _NUMBER, primary_key=True, autoincrement=False),
    Column("body", LargeBinary, nullable=False),
)

subjects = Table(
    "subjects",
    metadata,
    Column("subject", LargeBinary(32), primary_key=True),
    Column("type", Text, primary_key=True),
    Column("idx", _NUMBER, primary_key=True, autoincrement=False),
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

#: The PostgreSQL schema that holds the tables of a log; one database, one log.
NAMESPACE: Final = "lockflight"

_FUNCTION = (
    "CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT"
    " AS $$ BEGIN {body} END $$"
)
_GUARD = "CREATE TRIGGER {name} BEFORE {acts} ON {table} FOR EACH {each} EXECUTE FUNCTION {function}()"
_GUARDED = {
    **dict.fromkeys(("entries", "nodes", "checkpoints"), "UPDATE OR DELETE"),
    "envelopes": "UPDATE",
}

#: What `TRIGGERS` is to SQLite; the functions first. Only the owner of the tables can drop them.
POSTGRES_GUARDS: Final = (
    _FUNCTION.format(name="append_only", body="RAISE EXCEPTION 'the log is append-only';"),
    _FUNCTION.format(
        name="entry_next",
        body="IF NEW.idx <> coalesce((SELECT max(idx) + 1 FROM entries), 0) THEN"
        " RAISE EXCEPTION 'an entry goes to the end of the log'; END IF; RETURN NEW;",
    ),
    _FUNCTION.format(
        name="checkpoint_next",
        body="IF NEW.size > coalesce((SELECT max(idx) + 1 FROM entries), 0)"
        " OR NEW.seq <> coalesce((SELECT max(seq) + 1 FROM checkpoints), 0)"
        " OR NEW.size < (SELECT size FROM checkpoints ORDER BY seq DESC LIMIT 1)"
        " OR NEW.timestamp < (SELECT timestamp FROM checkpoints ORDER BY seq DESC LIMIT 1)"
        " THEN RAISE EXCEPTION 'a checkpoint continues the one before'; END IF; RETURN NEW;",
    ),
    *(
        _GUARD.format(name=f"{table}_keep", acts=acts, table=table, each="ROW", function="append_only")
        for table, acts in _GUARDED.items()
    ),
    *(
        _GUARD.format(
            name=f"{table}_whole", acts="TRUNCATE", table=table, each="STATEMENT", function="append_only"
        )
        for table in _GUARDED
    ),
    _GUARD.format(name="entries_next", acts="INSERT", table="entries", each="ROW", function="entry_next"),
    _GUARD.format(
        name="checkpoints_next", acts="INSERT", table="checkpoints", each="ROW", function="checkpoint_next"
    ),
)
