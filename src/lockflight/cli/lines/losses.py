"""What an adoption lets fall, as lines and as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockflight.cli.reply import Reply
from lockflight.cli.style import clean, count

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lockflight.cli.style import Style
    from lockflight.core.canonical import JsonValue
    from lockflight.errors import PolicyDenied
    from lockflight.policy.losses import Loss


def loss_lines(lost: Iterable[Loss], style: Style) -> Iterable[str]:
    """One line for each thing that is not asked any more; none where nothing falls away."""
    lines = [str(loss) for loss in lost]
    if lines:
        yield f"{style.look} {count(len(lines), 'thing')} that the policy in force asks, and this one does not:"
    for line in lines:
        yield f"    {style.no} {clean(line)}"


def drops_json(lost: Iterable[Loss]) -> list[JsonValue]:
    """Losses as results hold them."""
    from lockflight.app.policy.losses import as_json

    return as_json(lost)


def dropped(error: PolicyDenied) -> Reply:
    """The refusal of a policy that asks for less, with everything that would fall away.

    Raises:
        PolicyDenied: the error, if it is another one.
    """
    if error.code != "LF4528":
        raise error
    from lockflight.app.policy.losses import from_json

    rows = error.details["drops"]
    lost = from_json(rows)
    return Reply("policy-drops/v1", {"drops": rows}, lambda style: loss_lines(lost, style), 10, error)
