from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockflight.detect.mask import MAX_SHOWN, mask


@pytest.mark.parametrize(
    ("secret", "masked"),
    [
        ("sk-proj-" + "a" * 156, "sk-p… (164 characters)"),
        ("hunter2", "… (7 characters)"),
        ("0123456789abcdef", "01… (16 characters)"),
        ("\x1b]0;" + "x" * 60, "?]0;… (64 characters)"),
        ("", "… (0 characters)"),
    ],
)
def test_a_mask_shows_a_prefix_and_a_length(secret, masked):
    assert mask(secret) == masked


@given(st.text(min_size=8))
def test_a_mask_shows_at_most_an_eighth_and_never_more_than_four(secret):
    shown = mask(secret).partition("…")[0]
    assert len(shown) <= min(MAX_SHOWN, len(secret) // 8)
    assert shown.isascii()
    assert not shown or shown.isprintable()
