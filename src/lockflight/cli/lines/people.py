"""What people did about a release, and have left to do, as every command words it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockflight.cli.style import count, short
from lockflight.core.attest.acts import FULL_EXPOSURE
from lockflight.core.facts.admit import separation
from lockflight.core.facts.holding import still
from lockflight.core.times import rfc3339

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lockflight.cli.style import Style
    from lockflight.core.facts.admit import Admission
    from lockflight.core.facts.holding import Holding
    from lockflight.core.state.state import State

#: What is said where duties are not separated as they should be.
SEPARATION = {
    "none": "separation: none (a personal realm counts for development only)",
    "simulated": "separation: simulated (the people of this realm are made up; nothing that it decides is real)",
    "degraded": "separation: degraded (a small team: an author's own approval counts after a day)",
}


def held_words(environment: str, held: Holding) -> str:
    """That the environment holds the release, since when, and on whose word."""
    verb = (
        "holds it" if held.exposure == FULL_EXPOSURE else f"gives it {held.exposure / 100:g}% of the traffic"
    )
    return f"{environment} {verb} since {rfc3339(held.since)}; {used_words(held)}"


def used_words(held: Holding) -> str:
    """What the promotion of a release that is in rested on, beside the gate's word."""
    if held.break_glass:
        return f"its promotion used the break-glass {short(held.break_glass)}"
    return (
        f"its promotion used {count(len(held.approvals), 'approval')}"
        if held.approvals
        else "no approval was needed"
    )


def separation_lines(state: State, style: Style) -> Iterable[str]:
    """Where the duties of a team are not separated as they should be."""
    found: dict[str, list[str]] = {}
    for name in state.environments:
        found.setdefault(separation(state, name), []).append(name)
    for word in ("simulated", "degraded"):
        if word in found:
            where = "" if word == "simulated" else f"{', '.join(found[word])}: "
            yield f"{style.look} {where}{SEPARATION[word]}"


def admission_json(admission: Admission, held: Holding | None) -> dict[str, object]:
    """The part of people for `--json`."""
    return {
        "admitted": admission.admitted,
        "needed": admission.needed,
        "approvals": list(admission.approvals),
        "separation": admission.separation,
        "step_up_seconds": admission.step_up_s,
        "obstacles": obstacles_json(admission, held),
        "held": held_json(held),
    }


def obstacles_json(admission: Admission, held: Holding | None) -> list[dict[str, str]]:
    """What anybody still has to see to."""
    return [{"code": o.code, "message": o.message, "fix": o.fix} for o in still(admission.obstacles, held)]


def held_json(held: Holding | None) -> dict[str, object] | None:
    """How the environment holds the release; None where it does not."""
    if held is None:
        return None
    return {
        "since": rfc3339(held.since),
        "exposure": held.exposure,
        "approvals": list(held.approvals),
        "break_glass": held.break_glass or None,
    }
