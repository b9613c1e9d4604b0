"""A rehearsal's view: the team realm's state with the local evidence of this home laid over it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lockflight.app.realm import Realm
    from lockflight.core.state import State


def overlay(asked: Realm, evidence: Realm) -> State:
    """State of `asked`, with the scan evidence of `evidence` added where they are two realms.

    Local evidence was verified by its own realm's fold; it helps a rehearsal and is never recorded.
    """
    if asked.name == evidence.name:
        return asked.state
    scans = {digest: list(records) for digest, records in asked.state.scans.items()}
    for digest, records in evidence.state.scans.items():
        scans.setdefault(digest, []).extend(records)
    return replace(asked.state, scans=scans)
