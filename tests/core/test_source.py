"""Byte sources: random access that never leaves its bounds."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockflight.core.source import ByteSource, BytesSource, Window

small = st.integers(0, 40)


@given(st.binary(max_size=30), small, small)
def test_bytes_read_as_a_slice(data, offset, n):
    source = BytesSource(data, "a")
    assert source.size == len(data)
    assert source.read_at(offset, n) == data[offset : offset + n]


@given(st.binary(max_size=30), st.data())
def test_a_window_reads_as_the_slice_that_it_shows(data, draw):
    start = draw.draw(st.integers(0, len(data)))
    size = draw.draw(st.integers(0, len(data) - start))
    offset, n = draw.draw(small), draw.draw(small)
    window = Window(BytesSource(data), start, size, "part")
    assert window.read_at(offset, n) == data[start : start + size][offset : offset + n]


def test_both_are_byte_sources():
    assert isinstance(BytesSource(b""), ByteSource)
    assert isinstance(Window(BytesSource(b""), 0, 0, "w"), ByteSource)
    assert BytesSource(b"").name == "<bytes>"


@pytest.mark.parametrize(("offset", "n"), [(-1, 1), (0, -1)])
@pytest.mark.parametrize("source", [BytesSource(b"abc"), Window(BytesSource(b"abc"), 1, 1, "w")])
def test_negative_numbers_are_refused(source, offset, n):
    with pytest.raises(ValueError):
        source.read_at(offset, n)
