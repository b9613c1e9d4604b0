"""Which tensors changed: by name where a header is at hand, by place where both are the same, else by number."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockflight.app.data.tensordiff import tensor_delta
from lockflight.app.files.describe import describe
from lockflight.app.release.diff import compare
from lockflight.app.release.sign import sign
from lockflight.core.source import BytesSource
from lockflight.core.words import Role
from lockflight.errors import LockflightError
from lockflight.formats.tensors.tensorindex import tap_for
from lockflight.infra.progress import SILENT
from tests.factories import asset as make_asset

TENSORS = st.dictionaries(
    st.sampled_from(["a", "b", "layer.0", "layer.1"]), st.binary(min_size=1, max_size=4), min_size=1
)


def body(tensors):
    header, at = {}, 0
    for name, data in tensors.items():
        header[name] = {"dtype": "U8", "shape": [len(data)], "data_offsets": [at, at + len(data)]}
        at += len(data)
    head = json.dumps(header).encode()
    head += b" " * (-len(head) % 8)
    return len(head).to_bytes(8, "little") + head + b"".join(tensors.values())


def file(tensors):
    data = body(tensors)
    source = BytesSource(data, "m.safetensors")
    tap = tap_for(source)
    tap.update(data)
    made = make_asset("m.safetensors", Role.MODEL_WEIGHTS, data)
    return replace(made, tensors=tap.index()), source


@given(TENSORS, TENSORS)
def test_with_names(old, new):
    (a, x), (b, y) = file(old), file(new)
    found = tensor_delta(a, b, x, y)
    assert found.named
    assert set(found.added) == set(new) - set(old)
    assert set(found.removed) == set(old) - set(new)
    assert set(found.changed) == {n for n in set(old) & set(new) if old[n] != new[n]}
    assert found.of == len(new)


@given(TENSORS)
def test_without_names_by_place(old):
    new = {
        name: bytes(255 - byte for byte in data) if name == next(iter(old)) else data
        for name, data in old.items()
    }
    (a, x), (b, y) = file(old), file(new)
    bare = tensor_delta(a, b)
    assert (bare.named, bare.layout, bare.changed) == (False, False, ("#0",))
    assert tensor_delta(a, b, x).changed == tensor_delta(a, b, None, y).changed == (next(iter(old)),)


def test_without_names_in_another_layout():
    (a, _), (b, y) = file({"a": b"1", "b": b"22"}), file({"a": b"1", "c": b"333"})
    found = tensor_delta(a, b, None, y)
    assert (found.named, found.layout, found.different, found.of) == (False, True, 1, 2)
    assert found.added == found.removed == found.changed == ()


def test_a_header_that_was_not_signed_names_nothing():
    (a, x), (b, _) = file({"a": b"1"}), file({"a": b"2"})
    other = BytesSource(body({"z": b"1"}), "m.safetensors")
    assert tensor_delta(a, b, other).changed == ("#0",)
    assert tensor_delta(a, b, x).changed == ("a",)
    with pytest.raises(ValueError, match="no index"):
        tensor_delta(replace(a, tensors=None), b)


def test_two_releases_of_the_realm_and_a_workspace(home, realm, workspace, tmp_path):
    text = (workspace / "lockflight.toml").read_text()
    (workspace / "lockflight.toml").write_text(
        text + '\n[[assets]]\nrole = "model-weights"\nfiles = ["m.safetensors"]\n'
    )
    (workspace / "m.safetensors").write_bytes(body({"a": b"1", "b": b"2"}))
    first = sign(home, "acme", workspace, tmp_path / "one", actor="alice").release
    (workspace / "m.safetensors").write_bytes(body({"a": b"1", "b": b"3"}))
    second = sign(home, "acme", workspace, tmp_path / "two", actor="alice").release

    def against(old, new):
        return compare(lambda: home, lambda: "acme", str(old), str(new), progress=SILENT)[2]

    logged = against(first.digest[:12], f"sha256:{second.digest}")
    assert [t.changed for t in logged.tensors] == [("#1",)]
    for old, new in (
        (tmp_path / "one", workspace),
        (first.digest, workspace),
        (tmp_path / "one", second.digest),
    ):
        assert [t.changed for t in against(old, new).tensors] == [("b",)]
    assert against(second.digest, workspace).same
    with describe(workspace) as described:
        assert described.release.digest == second.digest
    for word, code in (("nothing", "LF0117"), ("0" * 64, "LF4524"), ("abc", "LF0119"), ("0" * 12, "LF4524")):
        with pytest.raises(LockflightError) as caught:
            against(word, workspace)
        assert caught.value.code == code
