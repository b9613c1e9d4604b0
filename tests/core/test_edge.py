from __future__ import annotations

import hashlib

from hypothesis import given
from hypothesis import strategies as st

from lockflight.core.log.edge import Edge
from lockflight.core.log.merkle import EMPTY_ROOT, leaf_hash, node_hash, root


def leaves(count):
    return [leaf_hash(b"%d" % i) for i in range(count)]


def grown(count):
    edge, nodes = Edge(), {}
    for leaf in leaves(count):
        for level, index, value in edge.push(leaf):
            assert (level, index) not in nodes
            nodes[level, index] = value
    return edge, nodes


def test_an_empty_edge_has_the_empty_root():
    assert (Edge().size, Edge().root()) == (0, EMPTY_ROOT)
    assert hashlib.sha256().digest() == EMPTY_ROOT


@given(st.integers(1, 300))
def test_the_root_is_that_of_the_leaves(count):
    edge, _ = grown(count)
    assert edge.size == count
    assert edge.root() == root(leaves(count))


@given(st.integers(0, 300))
def test_each_complete_subtree_is_told_once(count):
    _, nodes = grown(count)
    expected = {(level, i) for level in range(10) for i in range(count >> level)}
    assert set(nodes) == expected
    for (level, index), value in nodes.items():
        if level:
            assert value == node_hash(nodes[level - 1, 2 * index], nodes[level - 1, 2 * index + 1])


@given(st.integers(0, 300), st.integers(0, 40))
def test_a_loaded_edge_goes_on_like_the_one_that_was_stored(count, more):
    edge, nodes = grown(count)
    loaded = Edge.load(lambda level, index: nodes[level, index], count)
    for leaf in leaves(more):
        assert loaded.push(leaf) == edge.push(leaf)
    assert (loaded.size, loaded.root()) == (edge.size, edge.root())


def test_a_copy_goes_its_own_way():
    edge, _ = grown(5)
    before = edge.root()
    other = edge.copy()
    other.push(leaf_hash(b"more"))
    assert (edge.size, edge.root(), other.size) == (5, before, 6)
