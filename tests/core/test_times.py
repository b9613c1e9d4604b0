from __future__ import annotations

import pytest

from lockflight.core.times import exact, rfc3339, unix


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 seconds"),
        (1, "1 second"),
        (61, "61 seconds"),
        (900, "15 minutes"),
        (3600, "1 hour"),
        (5400, "90 minutes"),
        (86_400, "1 day"),
        (90_000, "25 hours"),
    ],
)
def test_a_duration_in_words_loses_nothing(seconds, words):
    assert exact(seconds) == words


def test_there_and_back():
    assert unix("2026-01-31T12:00:00Z") == 1_769_860_800
    assert rfc3339(1_769_860_800) == "2026-01-31T12:00:00Z"


@pytest.mark.parametrize(
    "value",
    [
        "",
        "2026-01-31",
        "2026-01-31T12:00:00",
        "2026-01-31T12:00:00+00:00",
        "2026-01-31T12:00:00.5Z",
        "2026-01-31T12:00:00Z\n",
        "2026-02-30T12:00:00Z",
        "\uff12026-01-31T12:00:00Z",
    ],
)
def test_any_other_spelling_is_refused(value):
    with pytest.raises(ValueError):
        unix(value)
