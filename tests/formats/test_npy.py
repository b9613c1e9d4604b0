from __future__ import annotations

import pytest

from lockflight.core.findings import Verdict
from lockflight.formats.tensors.npy import parse_npy
from tests.formats.files import mutants, npy, rules, source, verdict


def parse(data):
    return parse_npy(source(data))


def header(descr="'<f8'", shape="(3,)", order="False"):
    return f"{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, }}"


@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)])
def test_a_good_file(version):
    found = parse(npy(version=version))
    assert found.issues == ()
    assert (found.shape, found.item, found.objects, found.fortran) == ((3,), 8, False, False)


@pytest.mark.parametrize(
    ("descr", "width"),
    [
        ("'|b1'", 1),
        ("'?'", 1),
        ("'<U5'", 20),
        ("'|S3'", 3),
        ("'|V6'", 6),
        ("'<M8[ns]'", 8),
        ("'<c16'", 16),
        ("[('a', '<f4'), ('b', '|u1')]", 5),
        ("[('a', '<f4', (2, 3))]", 24),
        ("[('a', [('b', '<i2')])]", 2),
        ("('<f8', 2)", 16),
    ],
)
def test_widths(descr, width):
    assert parse(npy(header(descr, "(2,)"), bytes(2 * width))).issues == ()


def test_shapes_of_python_2():
    assert parse(npy(header(shape="(3L,)"))).shape == (3,)
    assert parse(npy(header(shape="()"), bytes(8))).issues == ()


@pytest.mark.parametrize("descr", ["'|O'", "'|O8'", "[('a', '<f4'), ('b', '|O')]", "[('a', [('b', 'O')])]"])
def test_objects_are_a_pickle(descr):
    found = parse(npy(header(descr), b"N."))
    assert found.objects
    assert found.issues == ()


@pytest.mark.parametrize(
    "data",
    [
        b"\x93NUMPY",
        b"x" * 40,
        npy(version=(4, 0)),
        npy(header("'<f8'", "(4,)")),
        npy("__import__('os')"),
        npy("[" * 5000),
        npy("{'descr': '<f8'}"),
        npy(header(shape="[3]")),
        npy(header(shape="(-1,)")),
        npy(header(shape="(True,)")),
        npy(header(shape="(9999999999999999999,)")),
        npy(header(order="0")),
        npy(header("'x9'")),
        npy(header("5")),
        npy(header("[1]")),
        npy(header("[('a',)]")),
        npy(header("('<f8', 'x')")),
        npy(header("(" * 12 + "'<f8'" + ",2)" * 12)),
        npy("{'descr': '<f8', 'fortran_order': False, 'shape': (3,), }" + " " * 10_001),
        npy(header("b'<f8'")),
        npy("{[]: 1}"),
        npy("\xff", version=(3, 0)).replace(b"\xc3\xbf", b"\xff\xff"),
    ],
)
def test_a_bad_file_is_unknown(data):
    assert verdict(parse(data).issues) is Verdict.UNKNOWN


def test_bytes_behind_the_array():
    assert rules(parse(npy(body=bytes(25))).issues) == {"npy:trailing"}


def test_damage_is_an_issue_and_never_more():
    seeds = [npy(), npy(header("[('a', '<f4'), ('b', '<i4')]")), npy(version=(3, 0))]
    safe = sum(not parse(data).issues for data in mutants(seeds, 3000, 3, (b"(", b"[", b"'", b"L", b"1e9")))
    assert 0 < safe < 2500


@pytest.mark.parametrize(
    ("descr", "shape"),
    [
        ("'|V0'", f"({1 << 40},)"),
        ("'<U0'", f"({1 << 20}, 2)"),
        ("'|S0'", f"({1 << 40},)"),
        ("'<f8'", f"({1 << 40}, 0)"),
        ("[('a', '|V0', (1000000,))]", "(5,)"),
    ],
)
def test_elements_without_bytes_are_counted(descr, shape):
    found = parse(npy(header(descr, shape), b""))
    assert rules(found.issues) == {"npy:counts"}
    assert verdict(found.issues) is Verdict.UNKNOWN


@pytest.mark.parametrize(
    ("descr", "shape"),
    [
        ("'|V0'", "(3,)"),
        ("'<U0'", "(0,)"),
        ("'<f8'", "(0, 900000000000)"),
        ("'<f8'", "(60000, 0)"),
        ("[]", "(0,)"),
    ],
)
def test_empty_arrays_are_sound(descr, shape):
    assert parse(npy(header(descr, shape), b"")).issues == ()
