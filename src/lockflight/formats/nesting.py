"""How deep containers of JSON lie inside each other, before a library is asked to read them."""

from __future__ import annotations

import re

#: Containers in each other.
MAX_DEPTH = 200
#: Everything up to the next bracket that stands in no text, in one step and without a copy.
_BRACKET = re.compile(rb'(?:[^"\[\]{}]++|"[^"\\]*+(?:\\.[^"\\]*+)*+")*+([\[\]{}])', re.DOTALL)


def too_deep(data: bytes) -> bool:
    """Whether containers lie deeper in each other than is read.

    The library's own limit depends on its version, on its caller and on the machine.
    """
    if data.count(b"[") + data.count(b"{") <= MAX_DEPTH:
        return False
    depth = 0
    for bracket in _BRACKET.finditer(data):
        depth += 1 if bracket.group(1) in b"[{" else -1
        if depth > MAX_DEPTH:
            return True
    return False
