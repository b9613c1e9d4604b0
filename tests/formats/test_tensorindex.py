"""Digests of the parts of a safetensors file: they add up, they bind names and order, and broken files have none."""

from __future__ import annotations

import json

import pytest
from blake3 import blake3
from hypothesis import given
from hypothesis import strategies as st

from lockflight.core.release.tensors import TensorIndex, parse_index
from lockflight.core.source import BytesSource
from lockflight.formats.tensors.safetensors import DTYPES
from lockflight.formats.tensors.tensorindex import HeaderSource, TensorTap, check_header, read_header, tap_for
from tests.signed import mutate


def made(tensors, *, gap=0, trailing=b"", metadata=None):
    """A safetensors file of {name: (dtype, shape, bytes)}, in that order."""
    header, body = {}, b""
    if metadata is not None:
        header["__metadata__"] = metadata
    for name, (dtype, shape, data) in tensors.items():
        body += b"\0" * gap
        header[name] = {
            "dtype": dtype,
            "shape": list(shape),
            "data_offsets": [len(body), len(body) + len(data)],
        }
        body += data
    raw = json.dumps(header).encode()
    return len(raw).to_bytes(8, "little") + raw + body + trailing


TWO = {"a": ("F32", (2,), b"aaaaaaaa"), "b": ("F32", (2,), b"bbbbbbbb")}


def index_of(data, cuts=(7, 4096)):
    tap = tap_for(BytesSource(data))
    if tap is None:
        return None
    at = turn = 0
    while at < len(data):
        step = cuts[turn % len(cuts)]
        tap.update(memoryview(data)[at : at + step])
        at, turn = at + step, turn + 1
    return tap.index()


def layout(draw):
    kinds = st.sampled_from(sorted(name for name, bits in DTYPES.items() if bits >= 8))
    found = {}
    for number in range(draw(st.integers(0, 6))):
        dtype = draw(kinds)
        shape = tuple(draw(st.lists(st.integers(0, 3), max_size=3)))
        size = DTYPES[dtype] // 8
        for extent in shape:
            size *= extent
        found[f"t{number}"] = (dtype, shape, draw(st.binary(min_size=size, max_size=size)))
    return found


@given(st.data())
def test_every_part_has_its_own_digest_however_the_bytes_arrive(data):
    tensors = layout(data.draw)
    file = made(tensors, metadata={"format": "pt"})
    cuts = data.draw(st.lists(st.integers(1, 64), min_size=1, max_size=4))
    index = index_of(file, cuts)
    header = read_header(BytesSource(file))
    assert index.header == blake3(header).hexdigest()
    # Empty tensors share their place with a neighbour, so digests are compared as the parser orders them.
    parsed = check_header(header, len(file), index, "x")
    assert [blake3(file[t.start : t.end]).hexdigest() for t in parsed.tensors] == list(index.digests)
    assert sorted(t.name for t in parsed.tensors) == sorted(tensors)
    assert parse_index(index.to_json()) == index


@given(st.data())
def test_a_changed_header_is_never_the_signed_one(data):
    file = made(layout(data.draw))
    index = index_of(file)
    header = read_header(BytesSource(file))
    other = mutate(header, data.draw)
    parsed = check_header(other, len(file), index, "x")
    assert (parsed is not None) == (other == header)


@given(st.data())
def test_whatever_bytes_a_file_has_reading_it_ends_in_an_index_or_in_none(data):
    file = mutate(made(layout(data.draw)), data.draw)
    index = index_of(file)
    if index is not None:
        header = read_header(BytesSource(file))
        assert check_header(header, len(file), index, "x") is not None


@pytest.mark.parametrize(
    "file",
    [
        b"",
        b"\x02\0\0\0\0\0\0\0{}"[:9],
        made(TWO)[:-1],
        made(TWO, gap=4),
        made(TWO, trailing=b"!"),
        b"\xff" * 16,
        b"\x08\0\0\0\0\0\0\0nonsense",
    ],
    ids=["empty", "short", "cut off", "gaps", "trailing", "huge length", "no json"],
)
def test_a_file_that_breaks_the_format_has_no_index(file):
    assert index_of(file) is None


def test_swapped_layers_of_one_shape_are_another_index():
    swapped = {"a": TWO["b"], "b": TWO["a"]}
    one, other = index_of(made(TWO)), index_of(made(swapped))
    assert one.header == other.header
    assert one.digests == other.digests[::-1] != other.digests


def test_an_index_with_fewer_or_more_tensors_than_the_header_names_is_refused():
    file = made(TWO)
    index = index_of(file)
    header = read_header(BytesSource(file))
    for digests in (index.digests[:1], index.digests * 2, ()):
        assert check_header(header, len(file), TensorIndex(index.header, digests), "x") is None
    assert check_header(header, len(file) + 1, index, "x") is None


def test_bytes_that_are_not_those_of_the_parsed_header_are_noticed():
    file = made(TWO)
    for other in (file[:9] + b" " + file[10:], file + b"!", file[:-1]):
        tap = TensorTap(
            read_header(BytesSource(file)),
            check_header(read_header(BytesSource(file)), len(file), index_of(file), "x").tensors,
        )
        tap.update(other)
        assert tap.index() is None


@pytest.mark.parametrize(("offset", "n"), [(-1, 1), (0, -1)])
def test_a_header_is_not_read_backwards(offset, n):
    with pytest.raises(ValueError):
        HeaderSource(b"abc", 3, "x").read_at(offset, n)


@pytest.mark.parametrize(
    "value",
    [
        None,
        [],
        {},
        {"header": "00"},
        {"header": "a" * 64, "blake3": "b" * 64},
        {"header": "A" * 64, "blake3": []},
    ],
)
def test_an_annotation_of_another_shape_is_refused(value):
    with pytest.raises((KeyError, TypeError, ValueError)):
        parse_index(value)
