"""Tensors are verified one by one: only what is asked for is read, and no layer takes another's place."""

from __future__ import annotations

import struct
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockflight.core.release.tensors import TensorIndex
from lockflight.core.source import BytesSource
from lockflight.deploy.reading import open_asset
from lockflight.deploy.tensors import Tensors
from lockflight.errors import LockflightError
from lockflight.formats.tensors.tensorindex import tap_for
from lockflight.infra.files import Folder
from tests.deploy.conftest import LAYERS, MODEL, TENSORS
from tests.formats.test_tensorindex import made
from tests.signed import asset, mutate

KINDS = {
    "a": ("F32", (2, 2), struct.pack("<4f", 1, 2, 3, 4)),
    "b": ("I64", (1,), struct.pack("<q", -5)),
    "c": ("F16", (), struct.pack("<e", 1.5)),
    "empty": ("U8", (0, 3), b""),
    "brain": ("BF16", (2,), b"\x80?\0@"),
    "truth": ("BOOL", (2,), b"\1\0"),
}


def index_of(data):
    tap = tap_for(BytesSource(data))
    tap.update(data)
    return tap.index()


@pytest.fixture
def opened(tmp_path):
    """Opens a file as tensors; `signed` are the bytes that were signed, if others."""
    held = []

    def do(data, signed=None, *, index=True, path=tmp_path):
        signed = data if signed is None else signed
        (path / "m.safetensors").write_bytes(data)
        one = replace(asset("m.safetensors", signed), tensors=index_of(signed) if index else None)
        folder = Folder(path)
        held.append(folder)
        counted = []
        found = Tensors(open_asset(folder, one), one, counted.append)
        held.append(found)
        return found, counted

    yield do
    for one in held:
        one.close()


def code_of(act, *args):
    with pytest.raises(LockflightError) as caught:
        act(*args)
    assert caught.value.message
    return caught.value.code


def attempt(act, *args):
    """What it gives and no code, or nothing and the code of its refusal."""
    try:
        return act(*args), ""
    except LockflightError as error:
        return None, error.code


def test_four_of_sixty_four_layers_cost_four(load):
    release = load()
    layers = release.tensors(MODEL)
    header = release.bytes_read
    assert len(layers) == LAYERS
    assert list(layers) == list(TENSORS)
    assert release.bytes_read == header < 16 * 1024
    for n in (0, 7, 21, 63):
        layer = layers[f"layer.{n:02}"]
        assert layer.shape == (16, 16)
        assert (layer == n + 1).all()
    assert release.bytes_read == header + 4 * 1024
    assert layers.metadata == {"format": "np"}


def test_swapped_layers_of_one_shape_are_refused(world, load):
    names = list(TENSORS)
    swapped = dict(TENSORS)
    swapped[names[3]], swapped[names[9]] = TENSORS[names[9]], TENSORS[names[3]]
    path = world.package / MODEL
    path.chmod(0o644)
    path.write_bytes(made(swapped, metadata={"format": "np"}))
    layers = load().tensors(MODEL)
    assert (layers[names[0]] == 1).all()
    for name in (names[3], names[9]):
        assert code_of(layers.__getitem__, name) == "LF7513"
        assert code_of(layers.raw, name) == "LF7513"


@pytest.mark.parametrize(
    "change",
    [
        lambda body: body.replace(b"layer.03", b"layer.99"),
        lambda body: body.replace(b"F32", b"I32", 1),
        lambda body: body.replace(b"[16, 16]", b"[8, 32]", 1),
        lambda body: body.replace(b"np", b"pt", 1),
        lambda body: bytes([body[0] + 1]) + body[1:],
        lambda body: b"\xff" * 8 + body[8:],
        lambda body: b"\0" * 8 + body[8:],
    ],
    ids=["name", "type", "shape", "metadata", "longer header", "huge header", "no header"],
)
def test_a_changed_header_is_refused_before_any_tensor(opened, change):
    signed = made(TENSORS, metadata={"format": "np"})
    assert code_of(opened, change(signed), signed) == "LF7510"


@pytest.mark.parametrize("index", [True, False], ids=["indexed", "whole"])
def test_each_type_reads_as_numpy_sees_it(opened, index):
    import numpy as np

    found, counted = opened(made(KINDS), index=index)
    assert found["a"].dtype == np.float32
    assert found["a"].tolist() == [[1, 2], [3, 4]]
    assert found["b"].tolist() == [-5]
    assert float(found["c"]) == 1.5
    assert found["empty"].shape == (0, 3)
    assert found["truth"].tolist() == [True, False]
    assert code_of(found.__getitem__, "brain") == "LF7517"
    assert bytes(found.raw("brain")) == KINDS["brain"][2]
    assert found.info("brain").dtype == "BF16"
    found["a"][0, 0] = 9
    assert found["a"][0, 0] == 1
    if not index:
        assert counted == [len(made(KINDS))]


def test_no_such_tensor(opened):
    found, _ = opened(made(KINDS))
    assert code_of(found.info, "z") == code_of(found.raw, "z") == "LF7515"
    assert found.get("z") is None
    assert "z" not in found
    assert "a" in found
    with pytest.raises(KeyError):
        found["z"]


def test_a_whole_file_of_another_digest_is_refused(opened):
    signed = made(KINDS)
    assert code_of(lambda: opened(signed[:-1] + b"\7", signed, index=False)) == "LF7510"


def test_a_signed_file_that_breaks_the_format_is_told(opened):
    for body in (made(KINDS, trailing=b"!"), b"", b"no tensors here"):
        assert code_of(lambda body=body: opened(body, index=False)) == "LF7516"


def test_a_statement_that_lists_other_digests_gives_nothing(opened, tmp_path, monkeypatch):
    body = made(KINDS)
    (tmp_path / "m.safetensors").write_bytes(body)
    index = index_of(body)
    one = replace(asset("m.safetensors", body), tensors=TensorIndex(index.header, index.digests[1:]))
    with Folder(tmp_path) as folder:
        source = open_asset(folder, one)
        assert code_of(lambda: Tensors(source, one, lambda _: None)) == "LF7510"
        source.close()


def test_large_tensors_have_memory_of_their_own(opened):
    size = 3 * 1024 * 1024 + 4
    found, counted = opened(made({"big": ("U8", (size,), b"\5" * size), "s": ("U8", (1,), b"\1")}))
    array = found["big"]
    assert int(array.sum()) == 5 * size
    assert sum(counted) < size + 1024
    found.close()
    assert int(array[-1]) == 5


def test_a_file_that_is_cut_off_meanwhile_is_refused(opened, tmp_path):
    found, _ = opened(made(KINDS))
    (tmp_path / "m.safetensors").write_bytes(made(KINDS)[:-4])
    assert code_of(found.raw, "truth") == "LF7510"


def test_arrays_need_numpy_and_raw_bytes_do_not(opened, monkeypatch):
    found, _ = opened(made(KINDS))
    monkeypatch.setitem(__import__("sys").modules, "numpy", None)
    assert code_of(found.__getitem__, "a") == "LF7531"
    assert bytes(found.raw("a")) == KINDS["a"][2]


@given(st.data(), st.booleans())
def test_whatever_is_in_the_file_each_tensor_is_the_signed_one_or_refused(tmp_path_factory, data, index):
    signed = made(KINDS)
    body = mutate(signed, data.draw)
    folder = tmp_path_factory.mktemp("any")
    (folder / "m.safetensors").write_bytes(body)
    one = replace(asset("m.safetensors", signed), tensors=index_of(signed) if index else None)
    with Folder(folder) as opened:
        source, code = attempt(open_asset, opened, one)
        if source is None:
            assert code == "LF7510"
            return
        found, code = attempt(Tensors, source, one, lambda _: None)
        assert code in {"", "LF7510"}
        for name, (_, _, raw) in KINDS.items() if found is not None else ():
            got, code = attempt(found.raw, name)
            assert code in {"", "LF7513"}
            assert code or bytes(got) == raw
        source.close()
