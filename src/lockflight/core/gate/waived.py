"""Whether a waiver of the facts takes a failure away: the gate's own look at what a policy waives. Pure.

The policy matches waivers in one place (`policy/waivers.rego` of the shipped packs). This module does not believe it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockflight.core.attest.changes import NEVER_WAIVED
from lockflight.core.shape import array, obj, text
from lockflight.core.times import unix

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

    from lockflight.core.canonical import JsonObject
    from lockflight.core.gate.ruling import Waived


def objection(row: Waived, facts: JsonObject, waivable: AbstractSet[str]) -> str:
    """Why a failure may not be waived as an output says; empty when it may.

    Args:
        row: what the output says.
        facts: facts v1 of the right shape.
        waivable: codes of the rules that may be waived at all.
    """
    if row.code not in waivable or NEVER_WAIVED.fullmatch(row.code):
        return "this rule cannot be waived"
    named = [waiver for waiver in map(obj, array(facts["waivers"])) if waiver["digest"] == row.waiver]
    if not named:
        return f"the facts hold no waiver {row.waiver[:16]}"
    objections = [_objection(row, waiver, facts) for waiver in named]
    return "" if "" in objections else objections[0]


def _objection(row: Waived, waiver: JsonObject, facts: JsonObject) -> str:
    name = f"the waiver {row.waiver[:16]}"
    if waiver["status"] != "active" or unix(text(waiver["expires"])) <= unix(text(facts["now"])):
        return f"{name} is not in force"
    scope = obj(waiver["scope"])
    emergency = waiver["kind"] == "break-glass"
    if emergency and (scope["kind"] != "release" or waiver["rule"] not in {"*", row.code}):
        return f"{name} is for an emergency with another release or rule"
    if not emergency and (waiver["rule"], waiver["term"]) != (row.code, row.term):
        return f"{name} is about something else"
    if not _reaches(scope, facts):
        return f"{name} is for somewhere else"
    return ""


def _reaches(scope: JsonObject, facts: JsonObject) -> bool:
    here = {key: facts[key] for key in ("project", "environment")}
    if any(scope[key] not in {"", here[key]} for key in here):
        return False
    release = obj(facts["release"])
    if scope["kind"] == "release":
        return scope["digest"] == release["digest"]
    if scope["kind"] == "asset":
        return any(scope["digest"] == obj(asset)["digest"] for asset in array(release["assets"]))
    return all(scope[key] == here[key] for key in here)
