"""Typed access to parsed JSON."""

from __future__ import annotations

import pytest

from lockflight.core import shape

SAMPLES = (None, True, False, 0, 1, -1, 1.0, "", "a", [], ["a"], [1], {}, {"a": 1})


@pytest.mark.parametrize(
    ("reader", "accepted"),
    [
        (shape.obj, [{}, {"a": 1}]),
        (shape.array, [[], ["a"], [1]]),
        (shape.text, ["", "a"]),
        (shape.integer, [0, 1, -1]),
        (shape.natural, [0, 1]),
    ],
)
def test_each_reader_takes_its_own_type_and_no_other(reader, accepted):
    for value in SAMPLES:
        if any(value is sample or (type(value) is type(sample) and value == sample) for sample in accepted):
            assert reader(value) is value
        else:
            with pytest.raises(TypeError):
                reader(value)


def test_texts_are_strings_only():
    assert shape.texts(["a", ""]) == ("a", "")
    with pytest.raises(TypeError):
        shape.texts(["a", 1])
    with pytest.raises(TypeError):
        shape.texts("a")


def test_a_digest_is_64_lower_case_hex_digits():
    assert shape.hex64("0" * 63 + "f") == "0" * 63 + "f"
    for digits in ("0" * 63, "0" * 65, "0" * 63 + "F", "0" * 63 + "g", "\u0660" * 64):
        with pytest.raises(ValueError):
            shape.hex64(digits)
    with pytest.raises(TypeError):
        shape.hex64(0)
