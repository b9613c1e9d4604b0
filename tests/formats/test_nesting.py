from __future__ import annotations

import pytest

from lockflight.formats.nesting import MAX_DEPTH, too_deep


@pytest.mark.parametrize(
    ("data", "deep"),
    [
        (b"[" * MAX_DEPTH + b"]" * MAX_DEPTH, False),
        (b"[" * (MAX_DEPTH + 1), True),
        (b'{"a":' * (MAX_DEPTH + 1), True),
        (b"[]" * 5000, False),
        (b'["' + b"[{" * 5000 + b'"]', False),
        (b'["' + b'\\"[' * 5000 + b'"]', False),
        # Closing brackets in texts take nothing away.
        (b'["]"' + b',["]]]]"' * MAX_DEPTH, True),
        (b"", False),
    ],
)
def test_containers_in_each_other_are_counted(data, deep):
    assert too_deep(data) is deep
