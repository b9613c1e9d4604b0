"""Parallel jobs: checks in separate homes, their evidence joined in another, which decides the same."""

from __future__ import annotations

import io
import shutil
from typing import TYPE_CHECKING

import pytest

from lockflight.app.gate.check import CheckOptions, check
from lockflight.app.realm import clock
from lockflight.app.realm.realm import open_realm
from lockflight.app.realm.view import open_view
from lockflight.app.registry.evidence import export, exportable, import_
from lockflight.core.attest.trust import Duty
from lockflight.errors import VerificationFailed

if TYPE_CHECKING:
    from pathlib import Path


def _run(home: Path, folder: Path, *only: str) -> bytes:
    options = CheckOptions(environment="development", only=only, workers=1)
    check(home, "personal", folder, options, clock=clock.now)
    view = open_view(home, "personal")
    return b"".join(export(view, exportable(view)))


def test_three_homes_and_a_fourth(tmp_path: Path, workspace: Path) -> None:
    exported = {}
    for job in ("secrets", "completeness", "documents"):
        copy = tmp_path / f"checkout-{job}"
        shutil.copytree(workspace, copy)
        exported[job] = _run(tmp_path / f"home-{job}", copy, job)

    alone = check(
        tmp_path / "home-alone",
        "personal",
        workspace,
        CheckOptions(environment="development"),
        clock=clock.now,
    ).judgements["development"]

    fourth = tmp_path / "home-fourth"
    open_realm(fourth, "personal")
    for job, data in exported.items():
        with pytest.raises(VerificationFailed):
            import_(fourth, "personal", io.BytesIO(data))
        producer = open_realm(tmp_path / f"home-{job}", "personal").signer(Duty.PRODUCER).keyid
        import_(fourth, "personal", io.BytesIO(data), trust=[producer])
    options = CheckOptions(environment="development", run=False)
    joined = check(fourth, "personal", workspace, options, clock=clock.now).judgements["development"]
    assert joined.decision.allow
    assert joined.decision.allow == alone.decision.allow
    assert joined.decision.basis == alone.decision.basis
