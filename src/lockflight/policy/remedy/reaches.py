"""What has to happen for each fact to change. Pure.

Evidence about the same release can be made again. What the release says of itself changes with another release.
Where it is to go, which realm judges, what was revoked, and what a digest or a name is, nobody can change for it.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from lockflight.policy.remedy.edits import Reach

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lockflight.policy.remedy.edits import Path

#: Stands for any key or index.
ANY = "*"

#: Beginnings of paths; the first that fits counts, and what none fits is never touched.
_REACHES: tuple[tuple[tuple[str, ...], Reach | None], ...] = (
    # Which evidence it is; another digest, subject or signer is other evidence, not a change of this one.
    *((("evidence", ANY, ANY, key), None) for key in ("digest", "grain", "subject", "name", "signer")),
    *((("evidence", ANY, ANY, key), None) for key in ("logged_at", "reason", "databases")),
    (("evidence", ANY, ANY, "findings", ANY, ANY), None),
    (("evidence",), Reach.EVIDENCE),
    (("rejected", ANY, ANY), None),
    (("rejected",), Reach.EVIDENCE),
    *((("provenance", ANY, key), None) for key in ("digest", "signer", "builder", "ci_claimed")),
    (("provenance",), Reach.EVIDENCE),
    (("dependencies", ANY, "asset"), None),
    (("dependencies", ANY, "release"), None),
    (("dependencies",), Reach.EVIDENCE),
    (("release", "assets", ANY, "provenance"), Reach.EVIDENCE),
    (("state", "frozen"), Reach.PEOPLE),
    (("release", "version"), Reach.RELEASE),
    *((("release", part, ANY, key), None) for part in ("assets", "references", "depends") for key in ("name", "uri")),
    (("release", "assets", ANY, "digest"), None),
    # A file under another role only hides what is wrong with it.
    *((("release", part, ANY, "role"), None) for part in ("assets", "references")),
    *((("release", part), Reach.RELEASE) for part in ("assets", "references", "depends")),
    (("release", "kind"), Reach.FIXED),
    (("release", "tier"), Reach.FIXED),
    (("environment",), Reach.FIXED),
    (("realm", "kind"), Reach.FIXED),
    (("realm", "separation"), Reach.FIXED),
    (("expected", ANY, ANY), None),
    (("expected",), Reach.FIXED),
    (("state", "revoked", ANY, ANY), None),
    (("state", "revoked"), Reach.FIXED),
    (("state", "version_owner"), Reach.FIXED),
)  # fmt: skip


def reach_of(path: Path) -> Reach | None:
    """What has to happen for a fact to change; None for what no change may touch."""
    names = tuple(ANY if isinstance(part, int) else part for part in path)
    return _reach((*names[:1], ANY, *names[2:]) if names[:1] == ("evidence",) and len(names) > 1 else names)


@lru_cache(maxsize=4_096)
def _reach(path: tuple[str, ...]) -> Reach | None:
    return next((reach for start, reach in _REACHES if _begins(path, start)), None)


def touches(path: Path, read: Sequence[tuple[str, ...]]) -> bool:
    """Whether a fact lies below, at or above any of some paths without indices."""
    names = tuple(part for part in path if isinstance(part, str))
    return any(names[: len(start)] == start[: len(names)] for start in read)


def _begins(path: tuple[str, ...], start: tuple[str, ...]) -> bool:
    return len(path) >= len(start) and all(s in {ANY, p} for s, p in zip(start, path, strict=False))
