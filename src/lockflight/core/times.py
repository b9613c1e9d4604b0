"""Times as the house writes them: RFC 3339 in UTC with `Z`, whole seconds."""

from __future__ import annotations

import re
from datetime import UTC, datetime

_FORM = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", re.ASCII)

_DURATION = re.compile(r"([0-9]{1,10})([smhd])", re.ASCII)
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


def rfc3339(unix: int) -> str:
    """Unix seconds as `2026-01-31T12:00:00Z`."""
    return datetime.fromtimestamp(unix, tz=UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def unix(value: str) -> int:
    """`2026-01-31T12:00:00Z` as Unix seconds.

    Raises:
        ValueError: any other spelling: offsets, fractions and dates without zone are not accepted.
    """
    if not _FORM.fullmatch(value):
        raise ValueError(f"{value!r} is not a time of the form 2026-01-31T12:00:00Z")
    return int(datetime.strptime(value, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC).timestamp())


def duration(value: str) -> int:
    """Seconds of a duration such as `90m`, `24h` or `7d`.

    Raises:
        ValueError: any other form, or nothing at all, or more than a hundred years.
    """
    found = _DURATION.fullmatch(value)
    if not found:
        raise ValueError(f"{value!r} is not a duration of the form 90m, 24h or 7d")
    seconds = int(found[1]) * _UNITS[found[2]]
    if not 0 < seconds <= 100 * 366 * 86_400:
        raise ValueError(f"{value!r} is not a duration between a second and a hundred years")
    return seconds


def exact(seconds: int) -> str:
    """A duration for people that loses nothing: in the largest unit of which it is a multiple, such as `90 minutes`."""
    units = (("day", 86_400), ("hour", 3_600), ("minute", 60), ("second", 1))
    unit_name, length = next((one for one in units if seconds and not seconds % one[1]), units[-1])
    count = seconds // length
    return f"{count} {unit_name}{'' if count == 1 else 's'}"


def age(seconds: int) -> str:
    """A duration for people: the largest unit that fits, such as `3 days`."""
    for unit_name, length in (("day", 86_400), ("hour", 3_600), ("minute", 60)):
        if seconds >= length:
            count = seconds // length
            return f"{count} {unit_name}{'s' if count > 1 else ''}"
    return f"{seconds} second{'' if seconds == 1 else 's'}"
