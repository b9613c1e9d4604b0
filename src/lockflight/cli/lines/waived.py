"""What became of the waivers that are about a release: in `check`, for people and for `--json`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockflight.cli.style import clean, count, short
from lockflight.core.gate.vsa import waivers_told
from lockflight.core.shape import array, obj, text

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lockflight.app.gate.judge import Judgement
    from lockflight.cli.style import Style
    from lockflight.core.canonical import JsonObject

#: Lines about waivers that take nothing away; `waiver list` has them all.
_MOST = 5


def told(judgement: Judgement) -> dict[str, list[str]]:
    """Standing to the digests of the waivers that are about the release."""
    return waivers_told(judgement.facts, judgement.decision.waived)


def waived_lines(judgement: Judgement, style: Style) -> Iterable[str]:
    """Each failure that is waived, then each waiver that takes nothing away."""
    known = {text(row["digest"]): row for row in map(obj, array(judgement.facts["waivers"]))}
    for row in judgement.decision.waived:
        term = f" {clean(row.term)}" if row.term else ""
        until = f" until {text(known[row.waiver]['expires'])}" if row.waiver in known else ""
        yield f"  {style.look} {row.code} {row.rule}{term}  waived by {short(row.waiver)}{until}"
    idle = [
        _idle(known[digest], standing)
        for standing, digests in told(judgement).items()
        if standing != "used"
        for digest in digests
    ]
    for line in idle[:_MOST]:
        yield style.dim(f"  {line}")
    if len(idle) > _MOST:
        rest = count(len(idle) - _MOST, "waiver")
        yield style.dim(f"  and {rest} more: lockflight waiver list")


def _idle(row: JsonObject, standing: str) -> str:
    what = clean(f"{text(row['rule'])} {text(row['term'])}".strip())
    state = {
        "unused": f"not needed, until {text(row['expires'])}",
        "pending": f"waits for consent: lockflight review {short(text(row['digest']))}",
        "not-yet": f"begins {text(row['not_before'])}",
        "expired": f"expired {text(row['expires'])}",
        "rejected": "rejected",
        "lapsed": "lapsed: nobody consented in time",
    }[standing]
    return f"waiver {short(text(row['digest']))} of {what}: {state}"
