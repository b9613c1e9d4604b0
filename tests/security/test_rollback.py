"""A rollback brings back what its user named, and nothing that was taken back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from lockflight.app.registry.promote import rollback
from lockflight.core.attest.acts import Action, Promotion
from lockflight.core.state.state import Slot
from lockflight.errors import NotFound

if TYPE_CHECKING:
    from lockflight.app.realm.realm import Realm

NOW = 1_780_000_000


def _slot(*held: tuple[str, str]) -> Slot:
    slot = Slot("bot", "production", "main")
    for i, (version, release) in enumerate(held):
        promotion = Promotion(
            Action.PROMOTE, release, "bot", version, "bot", "production", "", "", (), "p-alice"
        )
        slot.hold(promotion, NOW + i)
    return slot


def test_a_version_is_not_taken_for_the_start_of_a_digest() -> None:
    from lockflight.app.registry.promote import _earlier

    slot = _slot(("2", "aa" * 32), ("3", "2f" * 32), ("4", "bb" * 32))
    assert _earlier(slot, "2", NOW + 10, 90 * 86_400).version == "2"
    assert _earlier(slot, "2f" * 6, NOW + 10, 90 * 86_400).version == "3"
    assert _earlier(slot, "", NOW + 10, 90 * 86_400).version == "3"
    for word in ("2f", "b", "5"):
        with pytest.raises(NotFound):
            _earlier(slot, word, NOW + 10, 90 * 86_400)


def test_a_project_that_never_was_cannot_be_rolled_back(realm: Realm) -> None:
    with pytest.raises(NotFound):
        rollback(realm.home, "acme", project="five", environment="production", to="", actor="alice", now=NOW)
