"""A rehearsal's view: the team realm's state with the local evidence of this home laid over it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lockflight.app.realm.realm import Realm
    from lockflight.app.realm.view import RealmView
    from lockflight.core.state.state import Record, State


def overlay(asked: Realm | RealmView, evidence: Realm | RealmView) -> State:
    """State of `asked`, with the scans and the provenance of `evidence` added where they are two realms.

    Local evidence was verified by its own realm's fold; it helps a rehearsal and is never recorded.
    """
    if asked.name == evidence.name:
        return asked.state
    own, local = asked.state, evidence.state
    return replace(
        own,
        scans=_joined(own.scans, local.scans),
        provenance=_joined(own.provenance, local.provenance),
    )


def _joined(one: Mapping[str, list[Record]], other: Mapping[str, list[Record]]) -> dict[str, list[Record]]:
    result = {digest: list(records) for digest, records in one.items()}
    for digest, records in other.items():
        result.setdefault(digest, []).extend(records)
    return result
