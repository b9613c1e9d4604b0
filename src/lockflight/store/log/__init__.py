"""Where a log is kept: SQLite, PostgreSQL, tiles, copies."""
