from __future__ import annotations

import pytest

from lockflight.core.times import rfc3339, unix


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
