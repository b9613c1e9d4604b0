"""Rows of Parquet files: what a file says, whatever way it was written, and whoever wrote it."""

from __future__ import annotations

import contextlib
import datetime as dt
import io
import json
import math
import random
from decimal import Decimal

import pytest

from lockflight.app.files.rows import row_index, table_like
from lockflight.core.source import BytesSource
from lockflight.errors import EnvironmentProblem, InvalidInput
from lockflight.formats.rows.lines import Unreadable
from lockflight.infra import parquet as ours
from lockflight.infra.parquet import ParquetTable
from lockflight.infra.proc import Outcome, RemoteError

pa = pytest.importorskip("pyarrow", reason="pyarrow is not installed: pip install 'lockflight[data]'")
pq = pytest.importorskip("pyarrow.parquet")


def written(table, **options):
    out = io.BytesIO()
    pq.write_table(table, out, **options)
    return out.getvalue()


def read(data):
    table = ParquetTable(BytesSource(data, "a.parquet"))
    return [row for batch in table for row in batch], table


def index(data):
    return row_index(BytesSource(data, "a.parquet"))


def people(size=5000):
    dice = random.Random(1)
    return pa.table(
        {
            "name": [f"name {dice.randrange(50)}" for _ in range(size)],
            "age": pa.array(
                [dice.randrange(90) if dice.random() > 0.1 else None for _ in range(size)], pa.int16()
            ),
            "score": [dice.random() for _ in range(size)],
        }
    )


def test_how_it_was_written_does_not_show():
    table = people()
    plain = index(written(table))
    assert plain.head.rows == 5000
    assert plain.head.types == ("string", "int16", "double")
    dictionary = table.set_column(0, "name", table["name"].dictionary_encode())
    large = table.set_column(0, "name", table["name"].cast(pa.large_string()))
    for data in (
        written(table, compression="gzip"),
        written(table, compression="zstd", row_group_size=700),
        written(table, compression="none", use_dictionary=False, data_page_version="2.0"),
        written(table, version="1.0", store_schema=False),
        written(dictionary),
        written(large, row_group_size=1),
    ):
        assert index(data) == plain


def test_other_rows_orders_names_and_types_show():
    table = people(300)
    found = index(written(table))
    moved = index(written(table.take(list(reversed(range(300))))))
    assert moved.unordered == found.unordered
    assert moved.ordered != found.ordered
    others = [
        table.slice(1),
        table.rename_columns(["nom", "age", "score"]),
        table.set_column(1, "age", table["age"].cast(pa.int32())),
        table.select(["age", "name", "score"]),
    ]
    assert len({index(written(other)).ordered for other in others} | {found.ordered}) == 5


def test_every_type_has_one_spelling():
    moment = dt.datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=dt.UTC)
    table = pa.table(
        {
            "null": pa.array([None], pa.null()),
            "flag": [True],
            "large": pa.array([2**63 + 1], pa.uint64()),
            "double": [1e22],
            "whole": [3.0],
            "nan": [math.nan],
            "least": [-math.inf],
            "half": pa.array([1.5], pa.float32()),
            "text": ['a "quoted"\nline ü'],
            "bytes": [b"\x00\xff"],
            "fixed": pa.array([b"ab"], pa.binary(2)),
            "money": pa.array([Decimal("12.30")], pa.decimal128(9, 2)),
            "day": pa.array([dt.date(2026, 1, 2)], pa.date32()),
            "moment": pa.array([moment], pa.timestamp("us", "UTC")),
            "old": pa.array([-1], pa.timestamp("ns")),
            "span": pa.array([5], pa.duration("s")),
            "time": pa.array([1000], pa.time64("us")),
            "list": pa.array([[dt.date(1970, 1, 2), None]], pa.list_(pa.date32())),
            "pairs": pa.array([[("k", 1)]], pa.map_(pa.string(), pa.int64())),
            "both": pa.array(
                [{"b": 1, "a": [b"x"]}], pa.struct([("b", pa.int8()), ("a", pa.list_(pa.binary()))])
            ),
        }
    )
    (row,), found = read(written(table))
    assert json.loads(row) == [
        None, True, 9223372036854775809, 1e22, 3, "NaN", "-Infinity", 1.5, 'a "quoted"\nline ü', "00ff", "6162",
        "12.30", 20455, 1767323045678901, -1, 5, 1000, [1, None], [["k", 1]], {"a": ["78"], "b": 1},
    ]  # fmt: skip
    assert b"1e+22" in row
    assert b"\n" not in row
    assert found.types[-2:] == ("map<string, int64>", 'struct<"b": int8, "a": list<binary>>')
    assert found.types[13] == "timestamp[us, UTC]"


def test_a_record_is_found_as_array_and_as_object():
    table = pa.table({"name": ["ä", "b"], "age": [1, None]})
    rows, found = read(written(table))
    assert found.row_of(b'["\xc3\xa4", 1]') == rows[0]
    assert found.row_of(b'{"age": 1.0, "name": "\\u00e4"}') == rows[0]
    head = index(written(table)).head
    assert table_like(head).row_of(b' [ "b" , null ] ') == rows[1]
    for wrong in (b"[1]", b'{"name": "b"}', b'{"name": "b", "age": 1, "x": 2}', b"1", b"", b"[1, 2"):
        with pytest.raises(Unreadable):
            found.row_of(wrong)


def test_many_rows_come_in_parts():
    """More than are handed over at once."""
    table = pa.table({"n": list(range(20_000)), "text": [f"{i:0400}" for i in range(20_000)]})
    batches = [len(batch) for batch in ParquetTable(BytesSource(written(table), "a.parquet"))]
    assert len(batches) > 1
    rows, _ = read(written(table))
    assert [json.loads(row)[0] for row in rows] == list(range(20_000))


def test_no_rows_are_rows_too():
    assert index(written(pa.table({"a": pa.array([], pa.int8())}))).head.rows == 0


@pytest.mark.parametrize("data", [b"", b"PAR1", b"PAR1" + bytes(100) + b"PAR1", b"no parquet at all" * 100])
def test_what_is_no_parquet_is_refused(data):
    with pytest.raises(InvalidInput) as refused:
        index(data)
    assert refused.value.code == "LF1024"


def test_damaged_files_end_in_an_error_or_in_rows():
    whole = written(people(200))
    dice = random.Random(9)
    ended = 0
    for _ in range(60):
        data = bytearray(whole)
        for _ in range(dice.randrange(1, 6)):
            data[dice.randrange(len(data))] = dice.randrange(256)
        with contextlib.suppress(InvalidInput):
            index(bytes(data))
            continue
        ended += 1
    assert ended > 10


def test_a_type_without_a_spelling_is_refused():
    with pytest.raises(Unreadable, match="no spelling"):
        ours._type_name(pa, pa.list_(pa.month_day_nano_interval()))


def test_without_pyarrow_the_extra_is_named(monkeypatch):
    def lacking(name):
        raise ImportError(name)

    monkeypatch.setattr(ours.importlib, "import_module", lacking)
    with pytest.raises(EnvironmentProblem) as inside:
        ours.answer(b"open", [0])

    class Child:
        """Says what a child says that raised this."""

        def call(self, request, fds):
            del request, fds
            return Outcome(
                None, None, "", RemoteError("EnvironmentProblem", inside.value.code, inside.value.message)
            )

    with pytest.raises(EnvironmentProblem) as refused:
        ours._said(Child(), b"open")
    assert refused.value.code == "LF5022"
    assert "lockflight[data]" in refused.value.hint
