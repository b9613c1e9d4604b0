"""Both digests of a table, against the plain words of their specification, and proofs for and against rows."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockflight.core.canonical import dumps
from lockflight.core.log import merkle
from lockflight.core.release import rowtree
from lockflight.core.release.rows import (
    JSON,
    TEXT,
    Head,
    fits,
    parse_head,
    parse_row_index,
    record_hash,
    salt_of,
    salted_leaf,
)
from lockflight.core.release.rowtree import Collector, Digests
from lockflight.core.verify.rowproof import Place, RowProof, read_row_proof, verify_row
from lockflight.errors import VerificationFailed


def sha(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


def plain(form, columns, rows):
    """The specification, word for word."""
    records = [sha(b"lockflight-row/v1\0", form.encode(), b"\0", row) for row in rows]
    total = sum(int.from_bytes(r, "big") for r in records) % 2**256
    key = sha(b"lockflight-row-key/v1\0", total.to_bytes(32, "big"), len(rows).to_bytes(8, "big"))
    leaves = [sha(b"\0lockflight-row-leaf/v1\0", sha(key, r), r) for r in records]
    digests = []
    for order, ordered in (("file", leaves), ("set", sorted(leaves))):
        body = {
            "schema": "lockflight-rows/v1",
            "form": form,
            "columns": columns,
            "types": [],
            "rows": len(rows),
            "key": sha(b"lockflight-row-key-id/v1\0", key).hex(),
            "order": order,
            "tree": merkle.root(ordered).hex(),
        }
        digests.append(hashlib.sha256(dumps(body)).hexdigest())
    return digests


def collected(form, rows, batch=3):
    found = Collector(form)
    for at in range(0, len(rows), batch):
        found.add(rows[at : at + batch])
    return found


ROWS = st.lists(st.binary(max_size=3), max_size=40)


@given(ROWS, st.integers(1, 7))
def test_as_the_specification_says(rows, batch):
    index = collected(TEXT, rows, batch).index(("a",))
    assert [index.ordered, index.unordered] == plain(TEXT, ["a"], rows)
    assert parse_row_index(json.loads(json.dumps(index.to_json()))) == index


def test_many_rows(monkeypatch):
    monkeypatch.setattr(rowtree, "_SORTED", 50)
    monkeypatch.setattr(rowtree, "_BLOCK", 64 * 32)
    rows = [b"%d" % (i % 900) for i in range(5000)] + [b"same"] * 3000
    index = collected(JSON, rows, 700).index(())
    assert [index.ordered, index.unordered] == plain(JSON, [], rows)
    trees = collected(JSON, rows, 700).trees(())
    assert list(trees.sorted()) == sorted(trees.leaves)


@given(st.lists(st.binary(min_size=32, max_size=32), max_size=2100))
def test_the_tree_that_grows(leaves):
    tree = merkle.Accumulator()
    for at in range(0, len(leaves), 300):
        tree.add(leaves[at : at + 300])
    assert tree.root() == merkle.root(leaves) == Digests(b"".join(leaves)).root(0, len(leaves))


def test_order_and_everything_else_count():
    base = collected(TEXT, [b"1", b"2", b"2"]).index(("a",))
    other = collected(TEXT, [b"2", b"1", b"2"]).index(("a",))
    assert (base.unordered, base.head) == (other.unordered, other.head)
    assert base.ordered != other.ordered
    for found in (
        collected(TEXT, [b"1", b"2"]).index(("a",)),
        collected(TEXT, [b"1", b"2", b"2"]).index(("b",)),
        collected(JSON, [b"1", b"2", b"2"]).index(("a",)),
    ):
        assert not {found.ordered, found.unordered} & {base.ordered, base.unordered}


def present(trees, i, row):
    leaves = trees.leaves
    salt = salt_of(trees.key, record_hash(TEXT, row))
    return RowProof(
        trees.head, "file", leaves.root(0, len(leaves)), row.decode(), salt, Place(i, leaves.path(i))
    )


def absent(trees, row):
    record = record_hash(TEXT, row)
    leaves = trees.sorted()
    at = leaves.place(salted_leaf(salt_of(trees.key, record), record))
    places = [Place(i, leaves.path(i), leaves[i]) if 0 <= i < len(leaves) else None for i in (at - 1, at)]
    return RowProof(
        trees.head,
        "set",
        leaves.root(0, len(leaves)),
        row.decode(),
        key=trees.key,
        before=places[0],
        after=places[1],
    )


def refused(proof, digest, code):
    with pytest.raises(VerificationFailed) as caught:
        verify_row(proof, digest)
    assert caught.value.code == code


@given(st.lists(st.sampled_from([b"a", b"b", b"c", b"d", b"e"]), min_size=1, max_size=9))
def test_every_row_is_proven_and_no_other(rows):
    index = collected(TEXT, rows).index(("x",))
    trees = collected(TEXT, rows).trees(("x",))
    for i, row in enumerate(rows):
        proof = present(trees, i, row)
        assert read_row_proof(proof.encode()) == proof
        verify_row(proof, index.ordered)
        refused(replace(proof, row="z"), index.ordered, "LF7348")
        refused(proof, index.unordered, "LF7347")
        other = (i + 1) % len(rows)
        if rows[other] != row:
            moved = replace(proof, place=Place(other, proof.place.hashes))
            refused(moved, index.ordered, "LF7348")
    for row in (b"a", b"f", b"g"):
        proof = absent(trees, row)
        if row in rows:
            refused(proof, index.unordered, "LF7348")
        else:
            verify_row(proof, index.unordered)
            assert read_row_proof(proof.encode()) == proof


def test_a_table_without_rows_holds_nothing():
    trees = collected(TEXT, []).trees(("x",))
    proof = absent(trees, b"a")
    verify_row(proof, collected(TEXT, []).index(("x",)).unordered)
    bad = replace(proof, before=Place(0, (), b"\0" * 32))
    refused(bad, bad.digest, "LF7348")


def test_forged_absence():
    rows = [b"%d" % i for i in range(20)]
    trees = collected(TEXT, rows).trees(("x",))
    digest = collected(TEXT, rows).index(("x",)).unordered
    proof = absent(trees, b"nobody")
    leaves = trees.sorted()
    far = absent(trees, b"7")  # which is there
    assert proof.before is not None
    skipped = Place(
        proof.before.index - 1, leaves.path(proof.before.index - 1), leaves[proof.before.index - 1]
    )
    for forged in (
        replace(proof, before=skipped),
        replace(proof, before=None),
        replace(proof, after=None),
        replace(proof, key=bytes(32)),
        replace(far, key=bytes(32)),
        replace(proof, before=replace(proof.before, leaf=bytes(32))),
        replace(proof, before=replace(proof.before, hashes=())),
    ):
        refused(forged, digest, "LF7348")
    wrong = replace(proof, order="file")
    refused(wrong, wrong.digest, "LF7348")
    smaller = replace(proof, head=replace(proof.head, rows=10))
    refused(smaller, digest, "LF7347")


@pytest.mark.parametrize(
    "change",
    [
        {"schema": "x"},
        {"order": "sideways"},
        {"more": 1},
        {"present": {}},
        {"row": 5},
        {"tree": "00"},
        {"table": {}},
        {"absent": {"key": "0" * 64, "before": None, "after": None}},
    ],
)
def test_no_proof(change):
    trees = collected(TEXT, [b"a"]).trees(("x",))
    raw = {**json.loads(present(trees, 0, b"a").encode()), **change}
    with pytest.raises(VerificationFailed) as caught:
        read_row_proof(dumps(raw))
    assert caught.value.code == "LF7346"
    with pytest.raises(VerificationFailed):
        read_row_proof(dumps(raw) + b" ")


def test_heads_of_no_form():
    good = Head(TEXT, ("a",), (), 1, "0" * 64)
    assert parse_head(good.to_json()) == good
    for change in (
        {"form": "x"},
        {"types": ["int64"]},
        {"rows": -1},
        {"key": "x"},
        {"columns": ["a"] * 5000},
    ):
        with pytest.raises((TypeError, ValueError)):
            parse_head({**good.to_json(), **change})
    assert not fits(("a" * 300_000,))


def test_equal_rows_have_equal_leaves_and_no_leaf_is_guessed_without_the_key():
    trees = collected(TEXT, [b"a", b"b", b"a"]).trees(())
    assert trees.leaves[0] == trees.leaves[2] != trees.leaves[1]
    record = record_hash(TEXT, b"b")
    assert trees.leaves[1] not in {merkle.leaf_hash(b"b"), merkle.leaf_hash(record), record}
    with pytest.raises(IndexError):
        trees.leaves[3]
