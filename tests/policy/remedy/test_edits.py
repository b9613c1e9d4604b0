"""Edits done in memory and as the JSON Patch that is told are the same."""

from __future__ import annotations

import copy

from hypothesis import given
from hypothesis import strategies as st

from lockflight.policy.patch import patched
from lockflight.policy.remedy.edits import END, Edit, Reach, changed, fit, in_order, operations, pointer

LEAVES = st.one_of(st.integers(0, 3), st.booleans(), st.sampled_from(["a", "b/c", "d~e", ""]))
KEYS = st.sampled_from(["k", "l/m", "n~o", "-"])
VALUES = st.recursive(
    LEAVES, lambda v: st.lists(v, max_size=4) | st.dictionaries(KEYS, v, max_size=3), max_leaves=20
)


def edit(op, *path, before=None, after=None):
    return Edit(op, path, before, after, Reach.EVIDENCE)


def every(value, path=()):
    """Every edit that fits a document, with new values that no other one has."""
    rows = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, below in rows:
        yield edit("replace", *path, key, before=below, after={"new": [*map(str, (*path, key))]})
        yield edit("remove", *path, key, before=below)
        yield from every(below, (*path, key))
    if isinstance(value, dict):
        yield edit("add", *path, "fresh", after=[])
    if isinstance(value, list):
        for n in range(2):
            yield edit("add", *path, END, after=n)


@given(st.dictionaries(KEYS, VALUES, min_size=1, max_size=4), st.data())
def test_both_ways_give_the_same(document, data):
    some = fit(
        data.draw(st.lists(st.sampled_from([*every(document)]), unique_by=lambda e: e.key, max_size=8))
    )
    before = copy.deepcopy(document)
    assert changed(document, some) == patched(document, operations(some))
    assert document == before


def test_rows_are_removed_from_behind():
    some = [
        edit("remove", "x", 0),
        edit("remove", "x", 2),
        edit("add", "x", END, after=9),
        edit("replace", "x", 1, after=7),
    ]
    assert [(e.op, e.path[-1]) for e in in_order(some)] == [
        ("replace", 1),
        ("add", END),
        ("remove", 2),
        ("remove", 0),
    ]
    assert changed({"x": [1, 2, 3]}, some) == {"x": [7, 9]}


def test_a_pointer_escapes():
    assert pointer(("evidence", "scan/a~b", 3, END)) == "/evidence/scan~1a~0b/3/-"


def test_of_two_about_one_place_the_first_is_taken():
    inner, outer = edit("replace", "x", 0, "y", after=1), edit("remove", "x", 0)
    twice = edit("replace", "x", 0, "y", after=2)
    assert fit([inner, twice, outer]) == [inner]
    assert fit([outer, inner]) == [outer]
    rows = [edit("add", "x", END, after=1), edit("add", "x", END, after=2)]
    assert fit(rows) == rows
