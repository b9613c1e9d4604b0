"""The lineage of a workspace or a package, read from a realm's log, with the records that this home keeps locally."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from lockflight.app.realm.asof import view_at
from lockflight.app.realm.overlay import overlay
from lockflight.app.realm.settings import PERSONAL
from lockflight.app.realm.view import realm_folder
from lockflight.core.facts.lineage import lineage
from lockflight.errors import NotFound
from lockflight.store.log.address import has_log

if TYPE_CHECKING:
    from pathlib import Path

    from lockflight.core.facts.lineage import Lineage
    from lockflight.core.release.release import Release


def lineage_of(home: Path, realm_name: str, release: Release, *, as_of: int | None) -> Lineage:
    """The tree of a release.

    Raises:
        NotFound: LF4510 no such realm.
        VerificationFailed: LF72xx the log is not what it must be.
    """
    view = view_at(home, realm_name, as_of)
    local = view
    if realm_name != PERSONAL and has_log(realm_folder(home, PERSONAL)):
        with suppress(NotFound):  # it was made later
            local = view_at(home, PERSONAL, as_of)
    return lineage(overlay(view, local), release)
