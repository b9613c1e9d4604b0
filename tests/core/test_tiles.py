"""Names and content of tiles, held against the text of C2SP tlog-tiles."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockflight.core.log import tiles
from lockflight.core.log.merkle import leaf_hash, root
from lockflight.errors import VerificationFailed


@pytest.mark.parametrize(
    ("number", "path"),
    [(0, "000"), (999, "999"), (1000, "x001/000"), (1234067, "x001/x234/067"), (10**9, "x001/x000/x000/000")],
)
def test_an_index_is_grouped(number, path):
    assert tiles.grouped(number) == path


def test_the_tiles_of_70000_entries_are_those_of_the_specification():
    found = {level: list(tiles.spans(count)) for level, count in tiles.levels(70_000)}
    assert {level: (len(rows) - (rows[-1][1] < 256), rows[-1][1]) for level, rows in found.items()} == {
        0: (273, 112),
        1: (1, 17),
        2: (0, 1),
    }
    assert tiles.tile_path(0, 273, 112) == "tile/0/273.p/112"
    assert tiles.tile_path("entries", 1, 256) == "tile/entries/001"


def test_a_tree_of_256_has_a_full_tile_and_one_above():
    assert [(level, *tiles.spans(count)) for level, count in tiles.levels(256)] == [
        (0, (0, 256)),
        (1, (0, 1)),
    ]
    assert list(tiles.levels(0)) == []


@given(st.lists(st.binary(max_size=40), max_size=256))
def test_what_is_packed_is_read(entries):
    assert tiles.read_entries(tiles.pack_entries(entries), len(entries), "x") == entries


def test_an_entry_that_is_too_long_does_not_fit():
    assert tiles.read_entries(tiles.pack_entries([b"x" * 65_535]), 1, "x") == [b"x" * 65_535]
    with pytest.raises(ValueError):
        tiles.pack_entries([b"x" * 65_536])


@pytest.mark.parametrize("width", [1, 3])
def test_another_number_of_entries_is_refused(width):
    with pytest.raises(VerificationFailed) as caught:
        tiles.read_entries(tiles.pack_entries([b"a", b"b"]), width, "x")
    assert caught.value.code == "LF7217"


@given(st.binary(max_size=300), st.integers(0, 256))
def test_any_bytes_are_entries_or_refused(data, width):
    try:
        found = tiles.read_entries(data, width, "x")
    except VerificationFailed:
        return
    assert tiles.pack_entries(found) == data
    assert len(found) == width


@given(st.binary(max_size=200), st.integers(0, 256))
def test_any_bytes_are_hashes_or_refused(data, width):
    try:
        assert b"".join(tiles.read_hashes(data, width, "x")) == data
    except VerificationFailed:
        assert len(data) != 32 * width


@given(st.data())
def test_subtrees_are_computed_from_tiles(data):
    size = data.draw(st.integers(1, 700))
    leaves = [leaf_hash(b"%d" % i) for i in range(size)]

    def tile(level, index):
        width = 256**level
        hashes = [root(leaves[i * width : (i + 1) * width]) for i in range(size // width)]
        return hashes[index * 256 : (index + 1) * 256]

    level = data.draw(st.integers(0, size.bit_length() - 1))
    index = data.draw(st.integers(0, (size >> level) - 1))
    assert tiles.node_of(tile, level, index) == root(leaves[index << level : (index + 1) << level])
