"""A realm as it was at an earlier time: the fold of what its log's clock had seen by then."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from lockflight.app.realm.view import open_view
from lockflight.core.fold.run import fold
from lockflight.core.log.merkle import leaf_hash, root
from lockflight.core.times import rfc3339
from lockflight.errors import NotFound

if TYPE_CHECKING:
    from pathlib import Path

    from lockflight.app.realm.view import RealmView
    from lockflight.core.state.state import FoldEntry


def view_at(home: Path, name: str, as_of: int | None = None) -> RealmView:
    """Read and verify a realm, then keep only what was logged by a time.

    Args:
        home: the home folder.
        name: the realm.
        as_of: Unix seconds; None for everything.

    Raises:
        NotFound: LF4510 no such realm, LF4512 it did not exist then.
        EnvironmentProblem, VerificationFailed: see `open_view`; the whole log must verify, whatever the time.
    """
    if as_of is None:
        return open_view(home, name)
    everything: list[FoldEntry] = []
    view = open_view(home, name, verified=everything)
    entries = [entry for entry in everything if 0 <= entry.logged_at <= as_of]
    if not entries:
        raise NotFound(
            "LF4512",
            f"The realm {name!r} did not exist at {rfc3339(as_of)}.",
            hint="lockflight log show says when it began.",
        )
    return replace(
        view,
        state=fold(view.state.root, entries),
        size=len(entries),
        root_hash=root([leaf_hash(e.leaf) for e in entries]).hex(),
        timestamp=entries[-1].logged_at,
    )
