"""What OPA is asked and how it complains, the same for its library and its program."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_PLACE = re.compile(r"(?P<file>[^\s:]+):(?P<line>\d+): (?P<what>.*)")
_EVALUATION = ("eval_builtin_error", "eval_conflict_error", "eval_type_error", "eval_with_merge_error")


def query(rules: Sequence[str]) -> str:
    """One query for several rules; `x` is bound to one list for each: its value, or nothing if it is undefined."""
    return "x = [" + ", ".join(f"[v | v = {rule}]" for rule in rules) + "]"


def failure_kind(message: str) -> str:
    """`evaluation` for what the facts brought about, `policy` for what no facts would mend."""
    return "evaluation" if any(sign in message for sign in _EVALUATION) else "policy"


def plain(message: str) -> str:
    """The complaint of the first place as `file:line: what`; OPA reports several in no fixed order."""
    lines = [line.strip() for line in message.splitlines() if line.strip()]
    found = [match for line in lines if (match := _PLACE.search(line))]
    if not found:
        return lines[0].rstrip(".:") if lines else "unknown error"
    first = min(found, key=lambda match: (match["file"], int(match["line"]), match["what"]))
    return f"{first['file']}:{first['line']}: {first['what'].rstrip('.:')}"
