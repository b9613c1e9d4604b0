"""The part of `status` about releases that wait for their next environment."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockflight.cli.style import clean, short
from lockflight.core.text.persons import with_names

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from lockflight.app.registry.waiting import WaitingRelease
    from lockflight.cli.style import Style


def waiting_json(releases: Sequence[WaitingRelease]) -> list[dict[str, object]]:
    """For `--json`."""
    return [
        {
            "project": w.project,
            "release": f"sha256:{w.release}",
            "version": w.version,
            "holds": w.holds or None,
            "environment": w.environment,
            "decision": w.decision if w.decision >= 0 else None,
            "allowed": w.allowed,
            "reasons": [{"code": o.code, "message": o.message, "fix": o.fix} for o in w.reasons],
            "whom": list(w.whom),
        }
        for w in releases
    ]


def waiting_lines(
    releases: Sequence[WaitingRelease], names: Mapping[str, str], style: Style
) -> Iterable[str]:
    """For people."""
    if releases:
        yield ""
        yield style.bold("waiting for the next environment")
    for w in releases:
        mark = style.look if w.reasons else style.yes
        whom = clean(", ".join(w.whom))
        yield f"{mark} {clean(w.project)} {clean(w.version)} {short(w.release)} for {w.environment}: {whom}"
        for o in w.reasons:
            yield f"      {o.code} {clean(with_names(o.message, names))}"
            yield f"      {style.dim('do:')} {clean(o.fix)}"
        if not w.reasons:
            yield f"      {style.dim('do:')} lockflight promote PACKAGE --to {w.environment}"
