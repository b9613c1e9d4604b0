"""Which version of a distribution is installed, from the names of folders: nothing is loaded to find out.

`importlib.metadata` answers the same, and loads parsers of mail, CSV and ZIP before it does.
"""

from __future__ import annotations

import os
import sys
from functools import cache


@cache
def _folders(place: str) -> tuple[str, ...]:
    try:
        return tuple(name for name in os.listdir(place) if name.endswith(".dist-info"))  # noqa: PTH208 - thousands
    except OSError:
        return ()


def installed_version(distribution: str) -> str | None:
    """Version of an installed wheel; None if it is not here.

    Its `.dist-info` folder is named for both (PyPA, "Recording installed projects").

    Args:
        distribution: its name, as its wheel spells it but for `-` and `_`.
    """
    head = distribution.replace("-", "_").lower() + "-"
    for place in sys.path:
        for name in _folders(place) if place else ():
            if name.lower().startswith(head):
                return name[len(head) : -len(".dist-info")]
    return None
