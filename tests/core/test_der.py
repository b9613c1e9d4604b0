"""DER: what is written reads back, and whatever has a second spelling is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockflight.core.verify.crypto import der


@given(st.integers(-(2**70), 2**70))
def test_integers_read_back(number):
    assert der.read(der.integer(number)).integer() == number


@given(st.lists(st.integers(0, 2**40), min_size=1, max_size=8), st.integers(0, 2), st.integers(0, 39))
def test_identifiers_read_back(rest, first, second):
    dotted = ".".join(map(str, (first, second, *rest)))
    assert der.read(der.oid(dotted)).oid() == dotted


@given(st.integers(0, 4_000_000_000))
def test_times_read_back(seconds):
    assert der.read(der.generalized_time(seconds)).time_ms() == seconds * 1000


@given(st.binary(max_size=70_000))
def test_content_reads_back(body):
    value = der.read(der.tlv(der.OCTET_STRING, body))
    assert (value.tag, value.content) == (der.OCTET_STRING, body)


@given(st.binary(max_size=400))
def test_noise_is_a_value_or_a_refusal(noise):
    try:
        value = der.read(noise)
    except ValueError:
        return
    assert value.raw == noise


def test_children_and_sets():
    value = der.read(der.sequence(der.integer(1), der.set_of(der.integer(3), der.integer(2))))
    one, many = value.children()
    assert one.integer() == 1
    assert [child.integer() for child in many.children()] == [2, 3]


BAD = {
    "nothing": b"",
    "only a tag": b"\x30",
    "cut off": b"\x04\x05abc",
    "something follows": b"\x05\x00\x05\x00",
    "an indefinite length": b"\x30\x80\x00\x00",
    "a long form for a short length": b"\x04\x81\x03abc",
    "zeros before a length": b"\x04\x82\x00\x80" + b"a" * 128,
    "a length of five bytes": b"\x04\x85\x00\x00\x00\x00\x01a",
    "a tag of two bytes": b"\x1f\x81\x00\x00",
}


@pytest.mark.parametrize("data", BAD.values(), ids=BAD)
def test_other_spellings_are_refused(data):
    with pytest.raises(ValueError, match=r"."):
        der.read(data)


@pytest.mark.parametrize("body", [b"", b"\x00\x01", b"\xff\xff"])
def test_integers_have_one_form(body):
    with pytest.raises(ValueError, match="shortest"):
        der.read(der.tlv(der.INTEGER, body)).integer()


@pytest.mark.parametrize("body", [b"", b"\x80\x01", b"\x2a\x80", b"\x2a" * 65])
def test_identifiers_have_one_form(body):
    with pytest.raises(ValueError, match="identifier"):
        der.read(der.tlv(der.OID, body)).oid()


@pytest.mark.parametrize(
    "word",
    [
        "20260101000000",
        "202601010000Z",
        "20260101000000.0Z",
        "20260101000000.50Z",
        "20260101000000+0100",
        "x",
    ],
)
def test_times_have_one_form(word):
    with pytest.raises(ValueError, match="time"):
        der.read(der.tlv(der.GENERALIZED_TIME, word.encode())).time_ms()


def test_fractions_are_read():
    assert der.read(der.tlv(der.GENERALIZED_TIME, b"19700101000001.25Z")).time_ms() == 1250
