"""joblib's arrays, written here as `joblib.numpy_pickle` writes them."""

from __future__ import annotations

import pickle
import struct

import pytest

from lockflight.core.findings import Verdict
from tests.formats.pickles import CALL, judge, rules, short, stack_global, verdict

BELOW = b"J\xff\xff\xff\xff"
PLAIN = b"(K\x03" + short("<") + b"NNN" + BELOW * 2 + b"K\x00t"
OBJECTS = b"(K\x03" + short("|") + b"NNN" + BELOW * 2 + b"K\x3ft"


def sized(size, alignment=1, flags=0):
    return b"(K\x03" + short("|") + b"NNNK" + bytes([size]) + b"K" + bytes([alignment, 0x4B, flags]) + b"t"


def structure(size, flags, *fields):
    """A structure of `(name, dtype, offset)`."""
    names = b"(" + b"".join(short(name) for name, _, _ in fields) + b"t"
    inside = b"".join(short(name) + kind + b"K" + bytes([at]) + b"\x86" for name, kind, at in fields)
    return (
        b"(K\x03"
        + short("|")
        + b"N"
        + names
        + b"}("
        + inside
        + b"uK"
        + bytes([size])
        + b"K\x01K"
        + bytes([flags])
        + b"t"
    )


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


TIME = (
    b"(K\x04"
    + short("<")
    + b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00}("
    + short("ns")
    + b"K\x01K\x01K\x01t\x86t"
)


@pytest.mark.parametrize(
    ("code", "state", "width"),
    [
        ("U5", sized(20, 4, 8), 20),
        ("S3", sized(3), 3),
        ("b1", None, 1),
        ("?1", None, 1),
        ("M8", TIME, 8),
        ("c16", None, 16),
        ("V6", sized(6), 6),
        ("V6", structure(6, 16, ("a", dtype("i4"), 0), ("b", dtype("S2", sized(2)), 4)), 6),
        ("V8", b"(K\x03" + short("|") + dtype("i4") + b"K\x02\x85\x86NNK\x08K\x04K\x00t", 8),
    ],
)
def test_the_width_of_elements(code, state, width):
    kind = dtype(code) if state is None else dtype(code, state)
    assert judge(stream(wrapper(kind=kind, alignment=None), bytes(3 * width))).issues == ()
    assert verdict(judge(stream(wrapper(kind=kind, alignment=None), bytes(3 * width - 1), b""))) is not None


def test_an_array_of_objects_is_a_pickle_in_place():
    head = wrapper(kind=dtype("O8", OBJECTS))
    assert judge(stream(head, pickle.dumps([1, "a"]))).issues == ()
    report = judge(stream(head, CALL + b"."))
    assert {issue.subject for issue in report.issues} == {"posix.system"}
    fields = dtype("V8", structure(8, 27, ("a", dtype("O8", OBJECTS), 0)))
    assert {i.subject for i in judge(stream(wrapper(kind=fields), CALL + b".")).issues} == {"posix.system"}
    assert verdict(judge(stream(head, b"\xff", b""))) is Verdict.UNKNOWN


def test_objects_inside_of_objects_are_budgeted():
    assert judge(stream(wrapper(kind=dtype("O8", OBJECTS)), pickle.dumps([1]))).complete


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
        wrapper(kind=dtype("i")),
        wrapper(kind=dtype("i4,i4")),
        wrapper(shape=b"J\xff\xff\xff\xff\x85"),
        wrapper(shape=b"J\xff\xff\xff\x7f\x85"),
        wrapper(kind=short("f8")),
        wrapper(kind=dtype("x9")),
        wrapper(kind=dtype("V8", b"(K\x03" + short("|") + b"f8X" + b"\x00" * 4 + b"t")),
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
    kind = dtype("O8", OBJECTS)
    inner = b"\x80\x04" + short("numpy") + b"\x94" + b"h\x00" + short(name) + b"\x93\x85."
    return framed(outer + wrapper(kind=kind)) + inner + b"\x85."


def test_a_word_of_numpy_under_a_strange_module_is_no_import_that_counts():
    """`pickle.load`, which knows no arrays of joblib, would ask for GridSearchCV.dtype and fail."""
    assert judge(inline("GridSearchCV", "dtype")).issues == ()
    report = judge(inline("os", "system"))
    assert "os.system" in {issue.subject for issue in report.issues}
    assert verdict(report) is Verdict.MALICIOUS


FORGED = {
    "numbers that hold objects": dtype("i4", b"(K\x03" + short("<") + b"NNN" + BELOW * 2 + b"K\x01t"),
    "numbers whose flags are below zero": dtype("i4", b"(K\x03" + short("<") + b"NNN" + BELOW * 3 + b"t"),
    "numbers with a size": dtype("i4", sized(4)),
    "text that holds objects": dtype("U1", sized(4, 4, 1)),
    "bytes that hold objects": dtype("S4", sized(4, 1, 1)),
    "text of another size": dtype("U5", sized(4, 4, 8)),
    "objects that are none": dtype("O8", PLAIN),
    "a structure of another size": dtype("V8", sized(4)),
    "bytes that are objects": dtype("V8", sized(8, 1, 27)),
    "a field that is an object, denied": dtype("V8", structure(8, 0, ("a", dtype("O8", OBJECTS), 0))),
    "a field that reaches out": dtype("V8", structure(8, 0, ("a", dtype("i8"), 1))),
    "a field that is no type": dtype("V8", structure(8, 0, ("a", short("i8"), 0))),
    "a field without a state": dtype("V8", structure(8, 0, ("a", dtype("i8", b"")[:-1], 0))),
    "a name without a field": dtype(
        "V8",
        b"(K\x03"
        + short("|")
        + b"N"
        + short("b")
        + b"\x85}"
        + short("a")
        + dtype("i8")
        + b"K\x00\x86sK\x08K\x01K\x00t",
    ),
    "an array of another size": dtype(
        "V8", b"(K\x03" + short("|") + dtype("i4") + b"K\x03\x85\x86NNK\x08K\x04K\x00t"
    ),
    "told twice": dtype("V8", sized(8)) + structure(8, 27, ("a", dtype("O8", OBJECTS), 0)) + b"b",
}


@pytest.mark.parametrize("kind", FORGED.values(), ids=FORGED)
def test_a_forged_element_type_is_malicious(kind):
    """NumPy believes the flags: bytes of the file would be pointers, and joblib would unpickle numbers."""
    report = judge(b"\x80\x04" + kind + b".")
    assert rules(report) == {"pickle:dtype"}
    assert verdict(report) is Verdict.MALICIOUS
    assert verdict(judge(stream(wrapper(kind=kind)))) is Verdict.MALICIOUS


def test_a_type_is_used_only_once_it_is_told():
    """Told later, an array of bytes would become one of objects."""
    untold = dtype("V8", b"")[:-1]
    array = stack_global("numpy._core.multiarray", "_reconstruct") + stack_global("numpy", "ndarray")
    array += b"K\x00\x85C\x01b\x87R(K\x01K\x01\x85" + untold + b"\x94\x89C\x08AAAAAAAAtb"
    later = b"h\x00" + structure(8, 27, ("a", dtype("O8", OBJECTS), 0)) + b"b"
    assert rules(judge(b"\x80\x04" + array + later + b"\x86.")) == {"pickle:dtype"}
    assert verdict(judge(stream(wrapper(kind=untold)))) is Verdict.UNKNOWN


HIDDEN_KEY = b"S'dt\\x79pe'\n" + dtype("O8", OBJECTS)
COMPUTED_KEY = stack_global("numpy._core.multiarray", "scalar") + dtype("U5", sized(20, 4, 8))
COMPUTED_KEY += b"C\x14" + "dtype".encode("utf-32-le") + b"\x86R" + dtype("O8", OBJECTS)


@pytest.mark.parametrize(
    "extra",
    [HIDDEN_KEY, COMPUTED_KEY, short("dtype") + dtype("O8", OBJECTS), short("more") + b"N", b"K\x01N"],
    ids=["escaped", "computed", "twice", "unknown", "number"],
)
def test_a_wrapper_is_told_only_what_joblib_tells(extra):
    assert verdict(judge(stream(wrapper(extra=extra)))) is Verdict.MALICIOUS


def test_a_wrapper_is_built_once():
    """The second time it would still know what it was told the first time."""
    twice = b"\x80\x04" + wrapper(alignment=b"K\x10").replace(b")\x81}", b")\x81\x94}", 1) + RAW
    assert (
        verdict(
            judge(twice + b"h\x00" + wrapper(alignment=None).split(b")\x81", 1)[1] + bytes(24) + b"\x86.")
        )
        is Verdict.UNKNOWN
    )


@pytest.mark.parametrize(
    "maker",
    [
        stack_global("sklearn.neighbors._kd_tree", "newObj")
        + stack_global("joblib.numpy_pickle", "NumpyArrayWrapper")
        + b"\x85R",
        stack_global("pandas.core.indexes.base", "_new_Index")
        + stack_global("joblib.numpy_pickle", "NumpyArrayWrapper")
        + b"}\x86R",
        stack_global("collections", "deque")
        + stack_global("joblib.numpy_pickle", "NumpyArrayWrapper")
        + b"\x85R",
    ],
)
def test_no_stranger_makes_a_wrapper(maker):
    head = wrapper().split(b")\x81", 1)[1]
    assert verdict(judge(b"\x80\x04" + maker + head + RAW + b".")) is Verdict.MALICIOUS


CLASS = stack_global("joblib.numpy_pickle", "NumpyArrayWrapper")
SHARED = {
    "the state of a wrapper": b"}\x94" + CLASS + b")\x81h\x00(" + wrapper().split(b"}(", 1)[1],
    "a type before it is told": dtype("O8", b"")[:-1] + b"\x94h\x00N\x860" + OBJECTS + b"b",
}


@pytest.mark.parametrize("stream_of", SHARED.values(), ids=SHARED)
def test_what_others_may_change_is_not_followed(stream_of):
    assert verdict(judge(b"\x80\x04" + stream_of + RAW + b".")) is not None


@pytest.mark.parametrize(
    "kind",
    [
        dtype("V8", structure(8, 27, ("a", dtype("O8", OBJECTS), 0), ("b", dtype("i4"), 4))),
        dtype("V8", structure(8, 0, ("a", dtype("i4"), 0), ("a", dtype("i4"), 4))),
        dtype("S0", b"(K\x03" + short("|") + b"NNNJ\xec\xff\xff\xffK\x01K\x00t"),
    ],
    ids=["object under a number", "one name twice", "below zero"],
)
def test_a_layout_that_would_corrupt_memory(kind):
    assert rules(judge(b"\x80\x04" + kind + b".")) == {"pickle:dtype"}


def test_a_number_with_a_leading_zero_is_not_followed():
    """It is octal to CPython's C code and decimal to its Python code."""
    eight = dtype("V8", b"(K\x03" + short("|") + b"NNNI010\nK\x01K\x00t")
    assert verdict(judge(b"\x80\x04" + eight + b".")) is Verdict.UNKNOWN


def test_what_pickle_would_do_with_the_bytes_of_an_array():
    """It knows no arrays: names that are all listed still do harm together."""
    harm = stack_global("collections", "deque") + stack_global("itertools", "count") + b")R\x85R."
    data = stream(wrapper(shape=b"K" + bytes([len(harm)]) + b"\x85", kind=dtype("u1"), alignment=None), harm)
    assert rules(judge(data)) == {"pickle:arguments"}


@pytest.mark.parametrize("code", ["M8", "m8"])
def test_a_time_without_its_unit(code):
    """NumPy does not look whether there is one."""
    assert rules(judge(stream(wrapper(kind=dtype(code)), bytes(24)))) >= {"pickle:dtype"}


def test_metadata_that_is_no_dict():
    state = b"(K\x03" + short("<") + b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00%bt"
    assert rules(judge(b"\x80\x04" + dtype("f8", state % b"K\x01") + b".")) == {"pickle:dtype"}
    assert judge(b"\x80\x04" + dtype("f8", state % b"}") + b".").issues == ()


def test_types_that_share_each_other():
    kind = dtype("V1", structure(1, 0, ("a", dtype("u1"), 0)))
    for i in range(60):
        kind += b"q" + bytes([i]) + b"0"
        kind += dtype("V1", structure(1, 0, ("a", b"h" + bytes([i]), 0), ("b", b"h" + bytes([i]), 0)))
    found = judge(b"\x80\x04" + kind + b".")
    assert (rules(found), verdict(found)) == ({"pickle:dtype"}, Verdict.MALICIOUS)


@pytest.mark.parametrize(("items", "fine"), [(b"NNN", True), (b"NN", False), (b"", False)])
def test_a_state_of_another_length(items, fine):
    made = (
        b"csklearn.metrics._dist_metrics\nnewObj\n(csklearn.metrics._dist_metrics\nMinkowskiDistance64\ntR("
    )
    assert (judge(made + items + b"tb.").issues == ()) is fine


@pytest.mark.parametrize("arrays", [1, 3])
def test_nothing_in_an_array_makes_up_for_a_callable_that_lies_about(arrays):
    dropped = stack_global("builtins", "getattr") + b"0"
    assert rules(judge(b"\x80\x04" + dropped + b"N.")) == {"pickle:use"}
    more = (wrapper() + RAW) * (arrays - 1)
    body = b"\x80\x04" + dropped + b"(" + more + wrapper() + RAW + b"l."
    report = judge(body)
    assert report.complete
    assert [issue.rule for issue in report.issues] == ["pickle:use"]
