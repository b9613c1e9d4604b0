"""Sparse matrices: real ones of SciPy in every format are sound; each kind of index that leads outside is not."""

from __future__ import annotations

import io

import numpy as np
import pytest
import scipy.sparse as sp

from lockflight.core.findings import Verdict
from lockflight.formats.archive.zip import read_archive
from lockflight.formats.tensors import sparse as module
from lockflight.formats.tensors.sparse import SparseArrays
from tests.formats.files import archive, rules, source, verdict

EYE = np.kron(np.eye(3), np.ones((2, 2)))


def check(data):
    found = read_archive(source(data, "m.npz"))
    sparse = SparseArrays(member.name for member in found.members)
    for member in found.members:
        sparse.take(member.name, found.open(member).source)
    return sparse.issues()


def saved(matrix):
    out = io.BytesIO()
    sp.save_npz(out, matrix)
    return out.getvalue()


def member(value):
    out = io.BytesIO()
    np.lib.format.write_array(out, np.asanyarray(value), allow_pickle=True)
    return out.getvalue()


def arrays(**found):
    return archive({f"{name}.npy": member(value) for name, value in found.items()})


def csr(**changed):
    made = {
        "format": np.bytes_("csr"),
        "shape": np.array([2, 3]),
        "data": np.array([1.0, 2.0]),
        "indices": np.array([0, 2], np.int32),
        "indptr": np.array([0, 1, 2], np.int32),
    } | changed
    return arrays(**{name: value for name, value in made.items() if value is not None})


@pytest.mark.parametrize("fmt", ["csr", "csc", "bsr", "coo", "dia"])
@pytest.mark.parametrize("kind", ["matrix", "array"])
@pytest.mark.parametrize("dense", [EYE, np.zeros((0, 4)), np.zeros((3, 5)), EYE[:2]], ids=str)
def test_what_scipy_writes_is_sound(fmt, kind, dense):
    if fmt == "bsr" and 0 in dense.shape:
        # SciPy makes no such matrix of blocks.
        dense = EYE
    assert check(saved(getattr(sp, f"{fmt}_{kind}")(dense))) == ()


@pytest.mark.parametrize("dtype", ["<i8", ">i4", "<u2", ">i8"])
def test_indices_of_other_widths(dtype):
    good = {"indices": np.array([0, 2], dtype), "indptr": np.array([0, 1, 2], dtype)}
    assert check(csr(**good)) == ()
    assert verdict(check(csr(**{**good, "indices": np.array([0, 3], dtype)}))) is Verdict.MALICIOUS


def test_one_dimension_texts_of_python_3_and_more_than_one_chunk(monkeypatch):
    assert check(saved(sp.coo_array(np.array([0.0, 1.0, 2.0])))) == ()
    assert check(csr(format=np.str_("csr"))) == ()
    monkeypatch.setattr(module, "_CHUNK", 4)
    assert check(csr()) == ()
    assert verdict(check(csr(indptr=np.array([0, 2, 1], np.int32)))) is Verdict.MALICIOUS


@pytest.mark.parametrize(
    "data",
    [
        csr(indices=np.array([0, 500_000_000], np.int32)),
        csr(indices=np.array([0, 3], np.int32)),
        csr(indices=np.array([-1, 2], np.int32)),
        csr(indices=np.array([0, 1 << 63], np.uint64)),
        csr(indptr=np.array([0, -400_000_000, 2], np.int32)),
        csr(indptr=np.array([0, 2, 1], np.int32)),
        csr(indptr=np.array([0, 1, 9], np.int32)),
        csr(format=np.bytes_("csc"), shape=np.array([2, 2]), indices=np.array([0, 2], np.int32)),
        csr(format=np.bytes_("bsr"), data=np.ones((2, 1, 2)), shape=np.array([2, 4])),
        csr(format=np.str_("csr"), indices=np.array([0, 3], np.int32)),
        arrays(format=np.bytes_("coo"), shape=[2, 2], data=[1.0], row=[2], col=[0]),
        arrays(format=np.bytes_("coo"), shape=[2, 2], data=[1.0], row=[0], col=[-1]),
        arrays(format=np.bytes_("coo"), shape=[2, 2], data=[1.0], coords=[[0], [2]]),
    ],
)
def test_indices_that_lead_outside_are_malicious(data):
    issues = check(data)
    assert rules(issues) == {"npz:sparse"}
    assert verdict(issues) is Verdict.MALICIOUS


@pytest.mark.parametrize(
    "data",
    [
        csr(indices=np.array([0.0, 2.0])),
        csr(indices=np.array([0, None], object)),
        csr(shape=np.array([2.0, 3.0])),
        csr(shape=np.array([2, -3])),
        csr(indptr=np.array([0, 2], np.int32)),
        csr(data=np.array([1.0])),
        arrays(format=np.bytes_("dia"), shape=[2, 2], data=[[1.0, 1.0]], offsets=[900]),
        archive(
            {
                "indices": member([0]),
                "indices.npy": member([0]),
                "indptr.npy": member([0, 1]),
                "data.npy": b"",
            }
        ),
        # Arrays of graphs under names of their own, in whatever order their reader takes them.
        arrays(adj_indices=[0, 9], adj_indptr=[0, 1, 2], adj_data=[1, 1], adj_shape=[2, 2]),
        arrays(adj_indices=[0, -1], adj_indptr=[0, 1, 2]),
        arrays(indices=[0, 4], indptr=[0, 2], data=[1, 1], shape=[2, 2, 1], compressed_axes=[0]),
    ],
)
def test_what_cannot_be_judged_is_unknown(data):
    issues = check(data)
    assert rules(issues) == {"npz:sparse"}
    assert verdict(issues) is Verdict.UNKNOWN


@pytest.mark.parametrize(
    "data",
    [
        arrays(format=np.bytes_("csr"), version=[1]),
        arrays(format=np.str_("long words about a format"), indices=[900]),
        arrays(adj_indices=[0, 2], adj_indptr=[0, 1, 2], adj_data=[1, 1], adj_shape=[2, 3]),
        arrays(indices=[0, 3], indptr=[0, 2], data=[1, 1], shape=[2, 2, 1], compressed_axes=[0]),
        arrays(train_indices=[900, -1], weights=[0.5]),
        arrays(indices=[5, 6], indptr=[0, 1, 2]),
    ],
)
def test_what_only_looks_like_one_is_none_of_its_business(data):
    assert check(data) == ()


def test_the_number_of_indices_is_budgeted(monkeypatch):
    monkeypatch.setattr(module, "MAX_INDICES", 4)
    assert rules(check(csr())) == {"npz:budget"}
    assert verdict(check(csr())) is Verdict.UNKNOWN
