"""A release with thousands of files is judged like any other: limits of the parts fit together."""

from __future__ import annotations

from lockflight.core.release.release import MAX_ASSETS
from lockflight.infra import _child
from lockflight.log.writer import MAX_SUBJECTS


def test_a_decision_may_be_about_every_asset_and_a_check_may_open_each() -> None:
    assert MAX_SUBJECTS > MAX_ASSETS
    assert _child._MAX_FILES > MAX_ASSETS
