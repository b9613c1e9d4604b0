"""Pseudonyms of people in sentences: the log and what is computed from it know no names. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_PSEUDONYM = re.compile(r"\bp-[0-9a-f]{16}\b")


def with_names(text: str, names: Mapping[str, str]) -> str:
    """A text with the pseudonyms of people replaced by their names, where these are still held."""
    return _PSEUDONYM.sub(lambda m: names.get(m[0], m[0]), text)
