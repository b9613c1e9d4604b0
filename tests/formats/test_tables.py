from __future__ import annotations

import csv
import io
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockflight.core.source import BytesSource
from lockflight.formats.rows import lines
from lockflight.formats.rows.lines import Unreadable
from lockflight.formats.rows.tables import TextTable, spelled, split
from tests.formats.files import mutants


def read(data, *, tabs=False):
    table = TextTable(BytesSource(data), tabs=tabs)
    rows = [row for batch in table for row in batch]
    return table.columns, rows


def refused(data, *, tabs=False):
    with pytest.raises(Unreadable) as caught:
        read(data, tabs=tabs)
    return str(caught.value)


def test_names_and_rows():
    assert read(b"a,b\n1,2\n3,4\n") == (("a", "b"), [b"1,2", b"3,4"])


@pytest.mark.parametrize(
    "data",
    [
        b"a,b\n1,2\n3,4",
        b"a,b\r\n1,2\r\n3,4\r\n",
        b"\xef\xbb\xbfa,b\n1,2\n3,4\n",
        b'"a","b"\n"1","2"\n3,"4"\n',
        b"\na,b\n\n1,2\n3,4\n\n\n",
        b"a\tb\n1\t2\n3\t4\n",
    ],
)
def test_how_it_is_written_does_not_matter(data):
    assert read(data, tabs=b"\t" in data) == (("a", "b"), [b"1,2", b"3,4"])


def test_quotes_carry_ends_of_lines_and_quotes():
    columns, rows = read(b'a,b\n"x\r\ny","""q"""\n"",","\n')
    assert columns == ("a", "b")
    assert rows == [b'"x\r\ny","""q"""', b',","']
    assert [split(row) for row in rows] == [[b"x\r\ny", b'"q"'], [b"", b","]]


def test_a_number_in_the_first_row_makes_it_a_row():
    assert read(b"1.5,x\n2,y\n") == (("1", "2"), [b"1.5,x", b"2,y"])
    assert read(b"x,x\ny,z\n")[0] == ("1", "2")
    assert read(b",a\n0,5\n")[0] == ("", "a")
    assert read(b"nan,a\n0,5\n")[0] == ("1", "2")


def test_tabs_take_quotes_as_they_are():
    assert read(b'a\tb\n5" long\tx,y\n', tabs=True) == (("a", "b"), [b'"5"" long","x,y"'])


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"a,b\n1\n", "record 2 of the file has 1 fields and not 2"),
        (b'a,b\n"1,2"\n', "record 2 of the file has 1 fields and not 2"),
        (b'a,b,c\nx,"b,c"\n', "record 2 of the file has 2 fields and not 3"),
        (b'a,b\n"1,2\n', "never closed"),
        (b'a,b\n1"2,3\n', "never closed"),
        (b'a,b\n1"2",3\n', "not quoted"),
        (b'a,b\n"1"2,3\n', "behind a closing quote"),
        (b"a,b\n1\r2,3\n", "bare carriage return"),
        (b'a,b\n1\r2,"3"\n', "not quoted"),
        (b"a\n1\n\n2\n", "is empty"),
        (b"a,b\n\xff,2\n", "not UTF-8"),
        (b"\xff\xfea\x00", "not UTF-8"),
        (b"a,b\n\x00,2\n", "a NUL"),
    ],
)
def test_what_two_readers_could_read_in_two_ways(data, why):
    assert why in refused(data)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b'a\tb\n"x"\ty\n', "starts with a quote"),
        (b'a\tb\nx\ry\t"\n', "bare carriage return"),
        (b"a\tb\n1\n", "1 fields"),
    ],
)
def test_tabs_refused(data, why):
    assert why in refused(data, tabs=True)


def test_over_budget(monkeypatch):
    monkeypatch.setattr("lockflight.formats.rows.tables.MAX_ROW", 50)
    monkeypatch.setattr(lines, "MAX_ROW", 50)
    for data in (
        b"a\n" + b"x" * 60,
        b'a\n"' + b"x\n" * 60 + b'"\n',
        b",".join(b"c%d" % i for i in range(5000)),
    ):
        with pytest.raises(Unreadable) as caught:
            read(data)
        assert caught.value.budget
    monkeypatch.undo()
    with pytest.raises(Unreadable) as caught:
        read(b",".join(b"c%d" % i for i in range(5000)))
    assert caught.value.budget


FIELDS = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=6)
TABLES = st.integers(2, 4).flatmap(
    lambda n: st.lists(st.lists(FIELDS, min_size=n, max_size=n), min_size=1, max_size=8)
)


@given(TABLES, st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]), st.sampled_from(["\n", "\r\n"]))
def test_what_the_standard_library_writes_is_read_as_it_reads(rows, quoting, end):
    if quoting == csv.QUOTE_MINIMAL and end == "\n":  # there it leaves a carriage return without quotes
        rows = [[field.replace("\r", "") for field in row] for row in rows]
    text = io.StringIO()
    csv.writer(text, quoting=quoting, lineterminator=end).writerows(
        [["h1", *["k"] * (len(rows[0]) - 1)], *rows]
    )
    _, found = read(text.getvalue().encode())
    if found and found[0].startswith(b"h1,"):
        del found[0]
    assert [[field.decode() for field in split(row)] for row in found] == rows
    assert found == [spelled([f.encode() for f in row]) for row in rows]


@given(TABLES)
def test_blocks_of_any_size_read_the_same(rows):
    data = b"".join(spelled([f.encode() for f in row]) + b"\n" for row in rows)
    kept = lines._BLOCK
    try:
        lines._BLOCK = 5
        small = outcome(data)
    finally:
        lines._BLOCK = kept
    assert small == outcome(data)


def outcome(data):
    try:
        return read(data)
    except Unreadable as error:
        return str(error)


def test_damage_is_refused_or_read_as_the_standard_library_does():
    seeds = [b'a,b,c\n1,"2\n3",x\n"",,"""q"""\r\nx,y,z\n', b"a,b\n1,2\n", b'"x","y"\n1,2\n']
    good = 0
    for data in mutants(seeds, 4000, 3, (b'"', b",", b"\n", b"\r\n", b'""', b"\t")):
        try:
            columns, rows = read(data)
        except Unreadable:
            continue
        good += 1
        said = [
            row for row in csv.reader(io.StringIO(data.decode("utf-8-sig"), newline=""), strict=True) if row
        ]
        table = [[field.decode() for field in split(row)] for row in rows]
        assert said[len(said) - len(table) :] == table
        assert len(said) - len(table) in (0, 1)
        assert all(len(row) == len(columns) for row in table)
    assert good > 400


def test_one_record():
    table = TextTable(BytesSource(b"a,b\nx,y\n"))
    list(table)
    assert table.row_of(b'"x",y\n') == table.row_of(b"a,b\r\nx,y") == b"x,y"
    for wrong in (b"", b"x\n", b"x,y\nx,y\n", b"x,y,z"):
        with pytest.raises(Unreadable):
            table.row_of(wrong)


def test_rows_split_as_they_were_spelled():
    r = random.Random(5)
    for _ in range(500):
        row = [
            r.choice([b"", b"a", b'"', b'""', b",", b"\n", b'a"b,c', "ü".encode()])
            for _ in range(r.randint(1, 5))
        ]
        assert split(spelled(row)) == row
