"""A transparency log costs little more than the rows that it writes.

Appending batches of 256 entries (hashes, Merkle nodes, two durable commits, a checkpoint signed by log and clock, and
the pin outside of the database) reaches at least 0.2 of the speed of bare `sqlite3` inserting the same rows into the
same tables, one durable commit per batch. Both sides: write-ahead log, synchronous=FULL, the same file system; both
databases must hold the same rows at the end. And submitters who come at the same time share commits.

And a proof that an entry is in the log costs at most 15 us of CPU time, once the hashes are in memory, in a log of at
least 100,000 entries; each proof is verified. (A floor on a machine, so an absolute figure; the ratio to verifying the
same proof is printed beside it.)

Beside them, without a goal: the same batches from raw envelopes, each decoded strictly and its signature verified.
"""

from __future__ import annotations

import random
import sqlite3
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from bench._common import arguments, at_least, at_most, finish
from lockflight.app.realm.logs import open_log, open_store
from lockflight.core.attest.dsse import Envelope
from lockflight.core.attest.statement import SCAN, Statement, SubjectRef
from lockflight.core.log.edge import Edge
from lockflight.core.log.merkle import leaf_hash
from lockflight.core.ports import NewEntry
from lockflight.core.verify.log.log import verify_log
from lockflight.core.verify.log.proofs import verify_inclusion
from lockflight.log.writer import LogWriter
from lockflight.signing.keys import FileSigner
from lockflight.store.log.readonly import SqliteReader
from lockflight.store.pins import PinStore

BATCH = 256
PADDING = 700
ORIGIN = "bench.example/log"
NOW = 1_700_000_000
ROW_GOAL = 0.2
SHARED_GOAL = 2.0
SUBMITTERS = 16
PROOF_GOAL = 15.0
PROVEN_ENTRIES = 100_000
PROOFS = 5_000
TABLES = ("entries", "envelopes", "nodes", "subjects", "checkpoints")
Item = tuple[bytes, bytes]
Rows = dict[str, list[tuple[object, ...]]]


def signer(number: int) -> FileSigner:
    """A key that is the same in every run, so that two logs of the same entries are the same."""
    return FileSigner(Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32))


def make(count: int) -> list[Item]:
    """Signed envelopes of about 1.5 kB."""
    author = signer(3)
    found = []
    for number in range(count):
        subject = SubjectRef("asset", leaf_hash(b"%d" % number).hex())
        payload = Statement(SCAN, (subject,), {"number": number, "padding": "x" * PADDING}).payload()
        signature = author.sign(Envelope(payload, b"").signed_bytes)
        found.append((Envelope(payload, signature, author.keyid).encode(), author.public_der))
    return found


def new_log(home: Path) -> LogWriter:
    return open_log(
        home / "realm",
        origin=ORIGIN,
        log_signer=signer(1),
        clock_signer=signer(2),
        clock=lambda: NOW,
        pins=PinStore(home),
    )


def rows_of(home: Path) -> Rows:
    database = sqlite3.connect(home / "realm" / "log.db")
    found = {name: sorted(database.execute(f"SELECT * FROM {name}")) for name in TABLES}
    database.close()
    return found


def bare_tables(home: Path, like: Path) -> sqlite3.Connection:
    """An empty database with the same tables and indexes, without triggers."""
    source = sqlite3.connect(like / "realm" / "log.db")
    kinds = "type IN ('table', 'index') AND sql IS NOT NULL AND name NOT LIKE 'sqlite_%'"
    texts = source.execute(f"SELECT sql FROM sqlite_schema WHERE {kinds} ORDER BY type DESC").fetchall()
    source.close()
    (home / "realm").mkdir()
    database = sqlite3.connect(home / "realm" / "log.db", isolation_level=None)
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "wal_autocheckpoint=4000"):
        database.execute(f"PRAGMA {pragma}")
    for (text,) in texts:
        database.execute(text)
    return database


def split(rows: Rows, batches: int) -> list[Rows]:
    """The rows of each batch, in the order in which a log would write them."""
    parts: list[Rows] = [{name: [] for name in TABLES} for _ in range(batches)]
    place = {"entries": lambda row: row[0], "envelopes": lambda row: row[0], "subjects": lambda row: row[2]}
    place["nodes"] = lambda row: ((row[1] + 1) << row[0]) - 1
    place["checkpoints"] = lambda row: row[1] - 1
    for name in TABLES:
        for row in rows[name]:
            parts[place[name](row) // BATCH][name].append(row)
    return parts


def insert(database: sqlite3.Connection, rows: Rows) -> None:
    """One durable commit of the same rows."""
    database.execute("BEGIN IMMEDIATE")
    for name in TABLES:
        marks = ", ".join("?" * len(rows[name][0]))
        database.executemany(f"INSERT INTO {name} VALUES ({marks})", rows[name])
    database.execute("COMMIT")


def timed(work: Callable[[], object]) -> tuple[float, float]:
    """Wall and CPU seconds."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - cpu


def paired(items: Sequence[Item], scratch: Path) -> tuple[float, float, float]:
    """Median ratios bare : log of wall time, of CPU time, and of wall time from raw envelopes."""
    homes = {name: scratch / name for name in ("first", "log", "bare", "raw")}
    for home in homes.values():
        home.mkdir()
    batches = [items[start : start + BATCH] for start in range(0, len(items), BATCH)]
    log = new_log(homes["first"])
    for batch in batches:
        log.append(batch)
    log.close()
    parts = split(rows_of(homes["first"]), len(batches))
    log, raw, bare = new_log(homes["log"]), new_log(homes["raw"]), bare_tables(homes["bare"], homes["first"])
    wall, cpu, whole = [], [], []
    for number, (batch, part) in enumerate(zip(batches, parts, strict=True)):
        entries = [log.prepare(*item) for item in batch]
        sides: list[Callable[[], object]] = [
            lambda entries=entries: log.record(entries),
            lambda part=part: insert(bare, part),
            lambda batch=batch: raw.append(batch),
        ]
        order = [(number + offset) % 3 for offset in range(3)]
        costs = {side: timed(sides[side]) for side in order}
        if number:
            wall.append(costs[1][0] / costs[0][0])
            cpu.append(costs[1][1] / costs[0][1])
            whole.append(costs[1][0] / costs[2][0])
    for closing in (log, raw, bare):
        closing.close()
    if rows_of(homes["log"]) != rows_of(homes["bare"]) or rows_of(homes["raw"]) != rows_of(homes["bare"]):
        raise RuntimeError("the two sides did not write the same rows")
    check(homes["log"])
    return statistics.median(wall), statistics.median(cpu), statistics.median(whole)


def shared(items: Sequence[Item], scratch: Path) -> float:
    """How much sooner submitters who come together are done than one who comes again and again; best of three."""
    found = []
    for number in range(3):
        alone, together = scratch / f"alone{number}", scratch / f"together{number}"
        alone.mkdir()
        together.mkdir()
        one, many = new_log(alone), new_log(together)
        entries = [one.prepare(*item) for item in items]
        single = timed(lambda one=one, entries=entries: [one.record([entry]) for entry in entries])[0]
        found.append(single / timed(lambda many=many, entries=entries: crowd(many, entries))[0])
        for log, home in ((one, alone), (many, together)):
            log.close()
            check(home)
    return max(found)


def crowd(log: LogWriter, entries: Sequence[NewEntry]) -> None:
    """Submitters that each record one entry after another, all at the same time."""

    def submit(start: int) -> None:
        for entry in entries[start::SUBMITTERS]:
            log.record([entry])

    threads = [threading.Thread(target=submit, args=(start,)) for start in range(SUBMITTERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def proofs(scratch: Path) -> tuple[float, float]:
    """CPU microseconds of an inclusion proof with its hashes in memory, and of verifying it; medians of five rounds."""
    store = open_store(scratch / "realm", ORIGIN)
    edge = Edge()
    for start in range(0, PROVEN_ENTRIES, 10_000):
        fresh = [
            NewEntry(b"leaf %d" % number, number.to_bytes(32, "big"), b"", "bench", ())
            for number in range(start, start + 10_000)
        ]
        store.add_entries(
            start, fresh, [node for entry in fresh for node in edge.push(leaf_hash(entry.leaf))]
        )
    draw = random.Random(1)
    asked = [draw.randrange(PROVEN_ENTRIES) for _ in range(PROOFS)]
    reader, root = store.reader, edge.root()
    found = [reader.inclusion(index, PROVEN_ENTRIES) for index in asked]
    making, checking = [], []
    for _ in range(5):
        making.append(timed(lambda: [reader.inclusion(index, PROVEN_ENTRIES) for index in asked])[1])
        checking.append(
            timed(
                lambda: [
                    verify_inclusion(leaf_hash(b"leaf %d" % index), index, PROVEN_ENTRIES, proof, root)
                    for index, proof in zip(asked, found, strict=True)
                ]
            )[1]
        )
    store.close()
    return statistics.median(making) / PROOFS * 1e6, statistics.median(checking) / PROOFS * 1e6


def check(home: Path) -> None:
    """A log that does not verify is not timed."""
    reader = SqliteReader(home / "realm")
    keys = (signer(1).public_key.raw, signer(2).public_key.raw)
    report = verify_log(reader, ORIGIN, *keys, PinStore(home).read(ORIGIN))
    reader.close()
    if report.pending or report.missing or report.pinned != report.size:
        raise RuntimeError(f"the log is not whole: {report}")


def main() -> int:
    """Measure and report."""
    quick = arguments(__doc__).quick
    items = make(BATCH * (21 if quick else 200))
    with tempfile.TemporaryDirectory() as scratch:
        (Path(scratch) / "paired").mkdir()
        (Path(scratch) / "shared").mkdir()
        wall, cpu, whole = paired(items, Path(scratch) / "paired")
        (Path(scratch) / "proofs").mkdir()
        made, verified = proofs(Path(scratch) / "proofs")
        together = shared(items[: 320 if quick else 1600], Path(scratch) / "shared")
    print(f"CPU time of bare inserts over CPU time of the log: {cpu:.2f}")
    print(f"from raw envelopes, each decoded and its signature verified: {whole:.2f} of bare inserts")
    print(
        f"an inclusion proof at {PROVEN_ENTRIES} entries: {made:.1f} us of CPU; verifying it: {verified:.1f} us"
    )
    return finish(
        at_most(
            f"an inclusion proof at {PROVEN_ENTRIES} entries, in memory",
            made,
            PROOF_GOAL,
            "none: a floor of this machine",
            unit="us CPU",
        ),
        at_least("speed of appends in batches of 256", wall, ROW_GOAL, "sqlite3, same rows"),
        at_least(
            f"{SUBMITTERS} submitters at once over one", together, SHARED_GOAL, "the same log, one submitter"
        ),
    )


if __name__ == "__main__":
    raise SystemExit(main())
