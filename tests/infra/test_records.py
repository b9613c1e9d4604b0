from __future__ import annotations

import collections
import pickle

import pytest

from lockflight.errors import InvalidInput
from lockflight.infra.records import Made, Ordered, Stored, label_of, read_records


def read(data):
    return read_records(data, "a.pkl")


@pytest.mark.parametrize("protocol", range(6))
def test_plain_values_are_themselves(protocol):
    value = {"a": [1, 2.5, None, True], "b": ("x", b"y"), "c": 1 << 70}
    found = read(pickle.dumps(value, protocol))
    assert {k: found[k] for k in ("a", "c")} == {k: value[k] for k in ("a", "c")}
    ordered = read(pickle.dumps(collections.OrderedDict(a=1, b=2), protocol))
    assert isinstance(ordered, Ordered)
    assert ordered == {"a": 1, "b": 2}


def test_nothing_is_imported_or_called(tmp_path):
    mark = tmp_path / "mark"
    for data in (
        f"cos\nsystem\n(S'touch {mark}'\ntR.".encode(),
        b"cantigravity\nx\n.",
        f"ios\nsystem\n(S'touch {mark}'\n.".encode()[:0] + f"(S'touch {mark}'\nios\nsystem\n.".encode(),
    ):
        found = read(data)
        assert label_of(found) in {"os.system", "antigravity.x"}
    assert not mark.exists()


def test_what_was_built_is_written_down():
    found = read(b"\x80\x02cm\nA\n)\x81}X\x01\x00\x00\x00aK\x01sb.")
    assert isinstance(found, Made)
    assert (found.label, found.state) == ("m.A", {"a": 1})
    found = read(b"cm\nA\n(tR(K\x01K\x02e.")
    assert found.items == [1, 2]
    found = read(b"cm\nA\n(tRK\x01K\x02s.")
    assert found.pairs == [(1, 2)]
    assert read(b"\x80\x02X\x01\x00\x00\x00aQ.") == Stored(("a",))
    assert read(b"\x80\x02X\x01\x00\x00\x00aK\x01\x86Q.") == Stored(("a", 1))
    assert label_of(7) == ""


@pytest.mark.parametrize("data", [b"", b".", b"\x80\x09.", b"K", b"cm\nA\n.x"[:5], b"\x80\x02h\x05."])
def test_what_cannot_be_followed(data):
    with pytest.raises(InvalidInput) as caught:
        read(data)
    assert caught.value.code == "LF0221"
