from __future__ import annotations

import itertools
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockflight.core.source import BytesSource
from lockflight.formats.tensors import strided
from lockflight.formats.tensors.strided import Strided, pieces

FORMS = {1: "B", 2: "H", 4: "I", 8: "Q"}


def numbers(width, count):
    return struct.pack(f"<{count}{FORMS[width]}", *((n * 7 + 1) % (1 << (8 * width)) for n in range(count)))


def naive(tensor, data):
    found = []
    for index in itertools.product(*map(range, tensor.shape)):
        at = (tensor.offset + sum(i * s for i, s in zip(index, tensor.strides, strict=True))) * tensor.width
        found.append(data[at : at + tensor.width])
    return b"".join(found)


@given(
    width=st.sampled_from(sorted(FORMS)),
    dims=st.lists(st.tuples(st.integers(0, 4), st.integers(0, 9)), max_size=4),
    offset=st.integers(0, 5),
)
def test_as_one_element_after_the_other(width, dims, offset):
    data = numbers(width, 200)
    tensor = Strided(BytesSource(data), width, offset, tuple(n for n, _ in dims), tuple(s for _, s in dims))
    assert tensor.check() == ""
    assert b"".join(pieces(tensor)) == naive(tensor, data)
    assert tensor.size == len(naive(tensor, data))


@pytest.mark.parametrize("in_order", [True, False])
def test_pieces_stay_small(monkeypatch, in_order):
    monkeypatch.setattr(strided, "CHUNK", 64)
    data = numbers(4, 400)
    tensor = Strided(BytesSource(data), 4, 0, (20, 20), (20, 1) if in_order else (1, 20))
    parts = list(pieces(tensor))
    assert len(parts) > 10
    assert max(map(len, parts)) <= 80
    assert b"".join(parts) == naive(tensor, data)


def test_order_of_bytes_and_signs():
    data = numbers(4, 3)
    assert b"".join(pieces(Strided(BytesSource(data), 4, 0, (3,), (1,), swapped=True))) == struct.pack(
        ">3I", *struct.unpack("<3I", data)
    )
    pair = struct.pack("<4f", 1.0, 2.0, -3.0, -0.0)
    turned = b"".join(pieces(Strided(BytesSource(pair), 8, 0, (2,), (1,), conjugated=True)))
    assert struct.unpack("<4f", turned) == (1.0, -2.0, -3.0, 0.0)


@pytest.mark.parametrize(
    "tensor",
    [
        Strided(BytesSource(bytes(8)), 4, 0, (3,), (1,)),
        Strided(BytesSource(bytes(8)), 4, 2, (1,), (1,)),
        Strided(BytesSource(bytes(8)), 4, 0, (2,), ()),
        Strided(BytesSource(bytes(8)), 4, 0, (2,), (-1,)),
        Strided(BytesSource(bytes(8)), 4, -1, (1,), (1,)),
        Strided(BytesSource(bytes(8)), 3, 0, (1,), (1,)),
    ],
)
def test_what_cannot_be_read_is_said(tensor):
    assert tensor.check()


def test_a_span_that_is_too_large(monkeypatch):
    monkeypatch.setattr(strided, "MAX_SPAN", 7)
    assert Strided(BytesSource(bytes(16)), 4, 0, (2,), (2,)).check()


def test_a_storage_that_became_shorter():
    class Short:
        name, size = "x", 64

        def read_at(self, offset, n):
            return bytes(8) if offset == 0 else b""

    for strides in ((1,), (2,)):
        with pytest.raises(EOFError):
            list(pieces(Strided(Short(), 4, 0, (8,), strides)))
