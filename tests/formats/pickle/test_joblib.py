"""joblib's arrays, written here as `joblib.numpy_pickle` writes them."""

from __future__ import annotations

import pickle
import struct

import pytest

from lockflight.core.findings import Verdict
from tests.formats.pickles import CALL, judge, rules, short, stack_global, verdict

PLAIN = b"(K\x03" + short("<") + b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00t"


def dtype(code="f8", state=PLAIN):
    return stack_global("numpy", "dtype") + short(code) + b"\x89\x88\x87R" + state + b"b"


def wrapper(*, shape=b"K\x03\x85", kind=None, alignment=b"K\x10", name="NumpyArrayWrapper", extra=b""):
    aligned = b"" if alignment is None else short("numpy_array_alignment_bytes") + alignment
    state = b"}(" + short("shape") + shape + short("order") + short("C") + short("dtype") + (kind or dtype())
    state += short("subclass") + stack_global("numpy", "ndarray") + aligned + extra + b"u"
    return stack_global("joblib.numpy_pickle", name) + b")\x81" + state + b"b"


def framed(body):
    return b"\x80\x04\x95" + struct.pack("<Q", len(body)) + body


RAW = b"\x05" + bytes(5) + struct.pack("<3d", 1, 2, 3)


def stream(head=None, raw=RAW, tail=b"\x85."):
    return framed(b"N" + (head or wrapper())) + raw + tail


def test_an_array_is_passed_over():
    report = judge(stream())
    assert report.issues == ()
    assert report.complete


def test_several_arrays_of_several_shapes():
    more = wrapper(shape=b")", kind=dtype("i4")) + b"\x00" + b"\x01\0\0\0"
    unaligned = wrapper(shape=b"K\x02K\x02\x86", kind=dtype("u1"), alignment=None) + b"abcd"
    data = b"\x80\x04(" + wrapper() + RAW + more + unaligned + b"t."
    assert judge(data).issues == ()


@pytest.mark.parametrize(
    ("code", "state", "width"),
    [
        ("U5", None, 20),
        ("S3", None, 3),
        ("b1", None, 1),
        ("?", None, 1),
        ("M8", None, 8),
        ("c16", None, 16),
        ("V6", b"(K\x03" + short("|") + b"NN}K\x06K\x01K\x10t", 6),
        ("S9", b"(K\x03" + short("|") + b"NNNK\x04K\x01K\x00t", 4),
    ],
)
def test_the_width_of_elements(code, state, width):
    kind = dtype(code) if state is None else dtype(code, state)
    assert judge(stream(wrapper(kind=kind, alignment=None), bytes(3 * width))).issues == ()
    assert verdict(judge(stream(wrapper(kind=kind, alignment=None), bytes(3 * width - 1), b""))) is not None


def test_an_array_of_objects_is_a_pickle_in_place():
    kind = dtype("O8", b"(K\x03" + short("|") + b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x3ft")
    head = wrapper(kind=kind)
    assert judge(stream(head, pickle.dumps([1, "a"]))).issues == ()
    report = judge(stream(head, CALL + b"."))
    assert {issue.subject for issue in report.issues} == {"posix.system"}
    fields = dtype("V8", b"(K\x03" + short("|") + b"N" + short("a") + b"\x85}K\x08K\x01K\x3ft")
    assert {i.subject for i in judge(stream(wrapper(kind=fields), CALL + b".")).issues} == {"posix.system"}
    assert verdict(judge(stream(head, b"\xff", b""))) is Verdict.UNKNOWN


def test_objects_inside_of_objects_are_budgeted():
    assert judge(stream(wrapper(kind=dtype("O8")), pickle.dumps([1]))).complete


def test_the_bytes_of_an_array_are_also_read_as_opcodes():
    payload = b"\x00" + (CALL + b".").ljust(64, b"\0")
    assert judge(stream(wrapper(shape=b"K\x08\x85"), payload)).issues == ()
    hidden = b"0" + CALL + b"."
    report = judge(
        stream(wrapper(shape=b"K" + bytes([len(hidden)]) + b"\x85", kind=dtype("u1"), alignment=None), hidden)
    )
    assert {issue.subject for issue in report.issues} == {"posix.system"}


@pytest.mark.parametrize(
    "head",
    [
        wrapper(shape=b"N"),
        wrapper(shape=b"J\xff\xff\xff\xff\x85"),
        wrapper(shape=b"J\xff\xff\xff\x7f\x85"),
        wrapper(kind=short("f8")),
        wrapper(kind=dtype("x9")),
        wrapper(kind=dtype("V8", b"(K\x03" + short("|") + b"f8X" + b"\x00" * 4 + b"t")),
        wrapper(kind=dtype("V8", b"(K\x03" + short("|") + short("sub") + b"NNK\x08K\x01K\x10t")),
        wrapper(kind=dtype("V8", b"(K\x03" + short("|") + b"NNNK\x08K\x01Nt")),
        stack_global("joblib.numpy_pickle", "NumpyArrayWrapper") + b")\x81Nb",
    ],
)
def test_an_array_whose_length_cannot_be_told_is_unknown(head):
    assert verdict(judge(b"\x80\x04" + head + RAW + b".")) is Verdict.UNKNOWN


def test_an_array_inside_of_a_frame_is_refused():
    assert "pickle:frame" in rules(judge(framed(wrapper() + RAW + b".")))


@pytest.mark.parametrize("name", ["../x.npy", "/etc/x", "a\\b", "c:x", "", ".."])
def test_a_file_elsewhere_is_refused(name):
    head = (
        stack_global("joblib.numpy_pickle", "NDArrayWrapper")
        + b")\x81}"
        + short("filename")
        + short(name)
        + b"sb."
    )
    assert rules(judge(b"\x80\x04" + head)) == {"pickle:outside-file"}


def test_a_file_beside_is_what_old_joblib_wrote():
    head = stack_global("joblib.numpy_pickle", "NDArrayWrapper") + b")\x81}" + short("filename")
    assert judge(b"\x80\x04" + head + short("model_01.npy") + b"sb.").issues == ()
    assert rules(judge(b"\x80\x04" + head + b"Nsb.")) == {"pickle:outside-file"}


def inline(module, name):
    """An array of objects whose own stream takes a module's name from its memo, where the outer one has another."""
    outer = short(module) + b"\x94" + b"0" + short("x") + b"\x940N"
    kind = dtype("O8", b"(K\x03" + short("|") + b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x3ft")
    inner = b"\x80\x04" + short("numpy") + b"\x94" + b"h\x00" + short(name) + b"\x93\x85."
    return framed(outer + wrapper(kind=kind)) + inner + b"\x85."


def test_a_word_of_numpy_under_a_strange_module_is_no_import_that_counts():
    """`pickle.load`, which knows no arrays of joblib, would ask for GridSearchCV.dtype and fail."""
    assert judge(inline("GridSearchCV", "dtype")).issues == ()
    report = judge(inline("os", "system"))
    assert "os.system" in {issue.subject for issue in report.issues}
    assert verdict(report) is Verdict.MALICIOUS
