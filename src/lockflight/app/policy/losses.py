"""What an adoption would let fall: the policy in force in a realm, compared with the one that would judge instead."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, cast

from lockflight.app.policy.policies import adopted, bundle_in_force
from lockflight.core.attest.changes import Adoption
from lockflight.core.shape import array, obj, text, texts
from lockflight.errors import LockflightError, PolicyDenied
from lockflight.policy.engines.pool import Engines
from lockflight.policy.losses import Loss, losses

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from lockflight.core.canonical import JsonValue
    from lockflight.core.ports import PolicyEngine
    from lockflight.core.state.state import State
    from lockflight.policy.bundle import Bundle


def falls_away(
    folder: Path, state: State, bundle: Bundle, environments: tuple[str, ...] = ()
) -> tuple[Loss, ...]:
    """What the policy in force asks, and another one would not.

    What cannot be compared is a loss too: nobody can tell what falls away.

    Args:
        folder: the realm's.
        state: its fold.
        bundle: the policy that would judge instead.
        environments: where it would; empty for everywhere.
    """
    groups: dict[str, list[str]] = {}
    for name in environments or state.environments:
        adoption = state.policy(name)
        groups.setdefault(adoption.bundle if adoption is not None else "", []).append(name)
    engines = Engines()
    found: dict[Loss, None] = {}
    try:
        for places in groups.values():
            told = _against(folder, state, bundle, places, engines.regorus)
            if len(groups) > 1 or environments:
                told = [
                    loss if loss.environments else replace(loss, environments=(*places,)) for loss in told
                ]
            found.update(dict.fromkeys(told))
    finally:
        engines.close()
    return tuple(found)


def _against(
    folder: Path, state: State, bundle: Bundle, places: list[str], engine: PolicyEngine
) -> Iterable[Loss]:
    try:
        return losses(bundle_in_force(folder, state, places[0]), bundle, places, engine)
    except LockflightError as error:
        return [Loss("policy", bundle.name, f"cannot be compared with the one in force: {error.message}")]


def of_proposal(folder: Path, state: State, fact: object) -> tuple[Loss, ...]:
    """What a proposal would let fall; nothing where it is not about a policy."""
    if not isinstance(fact, Adoption):
        return ()
    try:
        bundle = adopted(folder, fact)
    except LockflightError as error:
        return (Loss("policy", fact.name, f"cannot be compared with the one in force: {error.message}"),)
    return falls_away(folder, state, bundle, fact.environments)


def as_json(found: Iterable[Loss]) -> list[JsonValue]:
    """Losses as results hold them."""
    return [
        {"what": loss.what, "name": loss.name, "environments": [*loss.environments], "says": loss.says}
        for loss in found
    ]


def from_json(rows: object) -> list[Loss]:
    """What `as_json` wrote."""
    return [
        Loss(text(row["what"]), text(row["name"]), text(row["says"]), texts(row["environments"]))
        for row in map(obj, array(cast("JsonValue", rows)))
    ]


def need_none(found: tuple[Loss, ...], name: str, hint: str) -> None:
    """See that nothing falls away.

    Args:
        found: what does.
        name: of the policy, for people.
        hint: how to say that it is meant.

    Raises:
        PolicyDenied: LF4528 something does; `details["drops"]` lists it.
    """
    if found:
        raise PolicyDenied(
            "LF4528",
            f"{name} no longer asks {len(found)} thing{'s' if len(found) > 1 else ''} that the policy in force asks; "
            f"the first: {found[0]}.",
            hint=hint,
            details={"drops": as_json(found)},
        )
