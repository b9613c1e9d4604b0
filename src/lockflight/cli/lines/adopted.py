"""Which policies a realm has adopted, for `status` and `policy show`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockflight.cli.common import time_json
from lockflight.cli.style import clean, short

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from lockflight.app.realm.view import RealmView
    from lockflight.cli.style import Style


def adopted_rows(view: RealmView) -> list[dict[str, object]]:
    """Adoptions that still judge somewhere, newest first; empty where the shipped baseline judges everywhere."""
    rows: list[dict[str, object]] = []
    covered: set[str] = set()
    names = view.names()
    for adoption, digest in reversed(view.state.adoptions):
        where = [one for one in adoption.environments if one not in covered]
        if adoption.environments and not where:
            continue
        record, proposal = view.state.by_digest[digest], view.state.proposals.get(digest)
        people = [proposal.human, proposal.decided_by] if proposal is not None else []
        decided = proposal.decided_at if proposal is not None else -1
        rows.append(
            {
                "name": adoption.name,
                "version": adoption.version,
                "digest": adoption.bundle,
                "environments": where,
                "since": time_json(decided if decided >= 0 else record.logged_at),
                "by": [names.get(one, one) for one in people if one],
            }
        )
        covered.update(adoption.environments)
        if not adoption.environments:
            break
    return rows


def adopted_lines(rows: Sequence[dict[str, object]], style: Style) -> Iterable[str]:
    """A line for each; one about the baseline where it still judges somewhere."""
    for row in rows:
        where = row["environments"]
        place = f"in {', '.join(where)}" if isinstance(where, list) and where else "everywhere"
        if row is not rows[0] and place == "everywhere":
            place = "elsewhere"
        people = row["by"]
        whose = f", adopted by {clean(' and '.join(people))}" if isinstance(people, list) and people else ""
        name = f"{clean(str(row['name']))} {clean(str(row['version']))}"
        yield f"policy {style.bold(name)} {short(str(row['digest']))} judges {place}{whose}, since {row['since']}"
    if not rows or rows[-1]["environments"]:
        yield f"the shipped baseline judges {'elsewhere' if rows else 'everywhere'}: nothing else was adopted"
