"""What the tests of stores are made of: entries without meaning, nodes, and refusals."""

from __future__ import annotations

import pytest

from lockflight.core.ports import NewEntry


def entry(number, size=10):
    return NewEntry(
        b"leaf %d" % number, bytes([number]) * 32, b"x" * size, "type", (bytes(32), bytes([1]) * 32)
    )


def nodes(*places):
    return [(level, index, bytes(32)) for level, index in places]


def refused(error, code, work):
    with pytest.raises(error) as caught:
        work()
    assert caught.value.code == code, caught.value
    return caught.value
