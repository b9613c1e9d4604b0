from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockflight.core.text.suggest import closest, did_you_mean

WORDS = ["check", "status", "promote", "text-integrity", "LF4506"]


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("chek", "check"),
        ("CHECK", "check"),
        ("Promtoe", "promote"),
        ("text", "text-integrity"),
        ("lf4506", "LF4506"),
        ("zebra", ""),
        ("", ""),
    ],
)
def test_closest(typed, meant):
    assert closest(typed, WORDS) == meant


def test_a_start_that_fits_two_words_is_no_suggestion():
    assert closest("ab", ["abcdefgh", "abijklmn"]) == ""


def test_did_you_mean():
    assert did_you_mean("chek", WORDS) == "Did you mean check?"
    assert did_you_mean("zebra", WORDS) == ""
    assert did_you_mean("zebra", WORDS, otherwise="Try --help.") == "Try --help."


@given(st.text(max_size=30), st.lists(st.text(min_size=1, max_size=10), max_size=5))
def test_a_suggestion_is_a_known_word(typed, known):
    assert closest(typed, known) in {"", *known}
