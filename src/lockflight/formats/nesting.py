"""How deep containers of JSON lie inside each other, before a library is asked to read them."""

from __future__ import annotations

import re

#: Containers in each other.
MAX_DEPTH = 200
_TEXTS = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))


def too_deep(data: bytes) -> bool:
    """Whether containers lie deeper in each other than is read.

    The library's own limit depends on its version, on its caller and on the machine.
    """
    if data.count(b"[") + data.count(b"{") <= MAX_DEPTH:
        return False
    depth = 0
    for bracket in _TEXTS.sub(b"", data).translate(None, _NO_BRACKETS):
        depth += 1 if bracket in b"[{" else -1
        if depth > MAX_DEPTH:
            return True
    return False
