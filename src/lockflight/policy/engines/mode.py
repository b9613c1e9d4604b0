"""How many engines must judge: data of a bundle, by environment."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from lockflight.core.shape import obj, text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lockflight.core.canonical import JsonValue

#: Stands for every environment that a bundle does not name.
OTHERS = "*"


class Mode(StrEnum):
    """`any`: one engine; `dual-where-present`: both where OPA is installed; `dual`: both, or nothing is decided."""

    ANY = "any"
    DUAL_WHERE_PRESENT = "dual-where-present"
    DUAL = "dual"


_STRICTNESS = (Mode.ANY, Mode.DUAL_WHERE_PRESENT, Mode.DUAL)


def strictest(*modes: Mode) -> Mode:
    """The one of several that demands most."""
    return max(modes, key=_STRICTNESS.index, default=Mode.ANY)


def parse_modes(raw: JsonValue) -> dict[str, Mode]:
    """Environment to mode, as a manifest says it.

    Raises:
        TypeError, ValueError: another shape.
    """
    return {environment: Mode(text(mode)) for environment, mode in obj(raw).items()}


def mode_for(modes: Mapping[str, Mode], environment: str) -> Mode:
    """The mode of one environment.

    One that the bundle does not name gets what stands under `*`, or else the strictest mode of any other: an
    environment that somebody adds later is not judged less carefully. A bundle without modes wants one engine.
    """
    if environment in modes:
        return modes[environment]
    if OTHERS in modes:
        return modes[OTHERS]
    return strictest(*modes.values())


def weaker(one: Mode, other: Mode) -> bool:
    """Whether a mode demands less than another."""
    return _STRICTNESS.index(one) < _STRICTNESS.index(other)
