"""Identity of tables of data, and proofs for and against records, as commands make them."""

from __future__ import annotations

import json

import pytest

from lockflight.app.data.dataset import prove_row, proven_row, show_file
from lockflight.app.files.rows import has_rows, row_index, table_like
from lockflight.core.canonical import dumps
from lockflight.core.source import BytesSource
from lockflight.errors import LockflightError
from tests.cli.runner import validator

CSV = 'name,age\nAda,36\n"Bo ""B"" X",7\n"two\nlines",1\nAda,36\n'


def refused(call, *args, **options):
    with pytest.raises(LockflightError) as caught:
        call(*args, **options)
    return caught.value.code


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "people.csv"
    path.write_text(CSV, encoding="utf-8")
    return path


def test_vectors(project_root):
    cases = json.loads((project_root / "tests" / "vectors" / "rows.json").read_text(encoding="utf-8"))
    assert len(cases) >= 6
    for case in cases:
        index = row_index(BytesSource(case["bytes"].encode(), case["name"]))
        said = {key: value for key, value in case.items() if key not in {"name", "bytes", "spelt"}}
        assert index.to_json() == said, case["name"]
    by_name = {case["name"]: case for case in cases}
    assert by_name["a.csv"]["set"] == by_name["a.tsv"]["set"]
    assert by_name["a.csv"]["ordered"] != by_name["a.tsv"]["ordered"]


def test_shown(table):
    found = show_file(table)
    assert (found.index.head.rows, found.index.head.columns) == (4, ("name", "age"))
    assert found.index == row_index(BytesSource(CSV.encode(), "x.csv"))


def test_a_shuffled_table_is_the_same_set(table, tmp_path):
    other = tmp_path / "other.tsv"
    other.write_text('name\tage\nAda\t36\nAda\t36\nBo "B" X\t7\n', encoding="utf-8")
    third = tmp_path / "third.csv"
    third.write_text('name,age\n"Ada","36"\r\n"Bo ""B"" X",7\nAda,36', encoding="utf-8")
    one, two = show_file(other).index, show_file(third).index
    assert one.unordered == two.unordered != show_file(table).index.unordered
    assert one.ordered != two.ordered


def test_a_row_by_its_number(table, tmp_path):
    out = tmp_path / "a.proof"
    done = prove_row(table, out, row=3)
    digest = show_file(table).index.ordered
    assert (done.digest, done.times, done.proof.row) == (digest, 1, '"two\nlines",1')
    validator("dataset-proof").validate(json.loads(out.read_bytes()))
    assert proven_row(out, digest).proof == done.proof
    assert proven_row(out, digest, match=b'"two\nlines",1\n').times == -1
    assert refused(proven_row, out, digest, match=b"Ada,36\n") == "LF7349"
    assert refused(proven_row, out, digest, match=b"Ada\n") == "LF1024"
    assert refused(proven_row, out, "0" * 64) == "LF7347"
    for row in (5, -1):
        assert refused(prove_row, table, out, row=row) == "LF1026"


def test_a_record(table, tmp_path):
    out = tmp_path / "a.proof"
    done = prove_row(table, out, match=b"name,age\nAda,36\n")
    assert (done.times, done.proof.place.index) == (2, 0)
    done = prove_row(table, out, match=b'"Eve","36"')
    assert (done.times, done.proof.present) == (0, False)
    validator("dataset-proof").validate(json.loads(out.read_bytes()))
    digest = show_file(table).index.unordered
    assert proven_row(out, digest, match=b"Eve\t36").proof.row == "Eve,36"
    assert refused(prove_row, table, out, match=b"Ada,36\nAda,36\n") == "LF1024"


def test_the_line_of_names_is_not_absent(tmp_path):
    path = tmp_path / "people.csv"
    path.write_text("Ada,London\nBo,Paris\n", encoding="utf-8")
    assert refused(prove_row, path, tmp_path / "p", match=b"Ada,London\n") == "LF7348"


def test_a_row_in_another_spelling_is_trivially_absent(table, tmp_path):
    out = tmp_path / "a.proof"
    done = prove_row(table, out, match=b"Eve,36\n")
    raw = json.loads(out.read_bytes())
    for _ in range(200):  # where it falls depends on its hash
        raw["row"] = '"Ada",36' if raw["row"] == "Eve,36" else raw["row"] + " "
        out.write_bytes(dumps(raw))
        assert refused(proven_row, out, done.digest) == "LF7348"
        break


def test_json_lines(tmp_path):
    path, out = tmp_path / "a.jsonl", tmp_path / "a.proof"
    path.write_text('{"b": 1.0, "a": "x"}\n\n{"c": [1]}\n', encoding="utf-8")
    done = prove_row(path, out, match=b'{\n"a": "x",\n"b": 1\n}\n')
    assert (done.proof.row, done.times) == ('{"a":"x","b":1}', 1)
    assert proven_row(out, show_file(path).index.ordered, match=b'{"a":"x","b":1.00}').proof.present
    assert not prove_row(path, out, match=b"{}").proof.present
    empty = tmp_path / "empty.jsonl"
    empty.write_text("\n", encoding="utf-8")
    assert not prove_row(empty, out, match=b"{}").proof.present
    assert proven_row(out, show_file(empty).index.unordered).proof.head.rows == 0


def test_a_table_of_names_only(tmp_path):
    path, out = tmp_path / "a.csv", tmp_path / "a.proof"
    path.write_text("a,b\n", encoding="utf-8")
    assert not prove_row(path, out, match=b"x,y").proof.present


@pytest.mark.parametrize(
    ("name", "data", "code"),
    [
        ("a.csv", b"a,b\n1\n", "LF1024"),
        ("a.csv", b"", "LF1024"),
        ("a.csv", b",".join(b"c%d" % i for i in range(5000)), "LF1025"),
        ("a.txt", b"a,b\n", "LF1027"),
    ],
)
def test_refused(tmp_path, name, data, code):
    path = tmp_path / name
    path.write_bytes(data)
    assert refused(show_file, path) == code
    assert has_rows(name) == (code != "LF1027")


def test_too_many_rows(tmp_path, monkeypatch):
    monkeypatch.setattr("lockflight.app.files.rows.MAX_ROWS", 3)
    path = tmp_path / "a.csv"
    path.write_text(CSV, encoding="utf-8")
    assert refused(show_file, path) == "LF1025"


def test_links_and_missing_files(tmp_path, table):
    link = tmp_path / "link.csv"
    link.symlink_to(table)
    assert refused(show_file, link) == "LF1001"
    assert refused(show_file, tmp_path / "none.csv") == "LF5035"


def test_readers_of_single_rows_know_whether_columns_have_names(table):
    head = show_file(table).index.head
    assert table_like(head).named
    assert not table_like(row_index(BytesSource(b"1,2\n", "a.csv")).head).named
