"""`check` killed at any moment leaves a home that the next `check` goes on with."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest

from lockflight.app.view import open_view
from lockflight.errors import NotFound

if TYPE_CHECKING:
    from pathlib import Path


def _check(home: Path, folder: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "lockflight.cli.main", "check", str(folder), "--env", "development", "-q"],
        env={**os.environ, "LOCKFLIGHT_HOME": str(home)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def _kill_after(home: Path, folder: Path, seconds: float) -> int:
    process = _check(home, folder)
    timer = threading.Timer(seconds, os.killpg, (process.pid, signal.SIGKILL))
    timer.start()
    code = process.wait()
    timer.cancel()
    return code


@pytest.mark.parametrize(
    "points", [pytest.param(4, id="four"), pytest.param(20, id="twenty", marks=pytest.mark.long)]
)
def test_killed_at_random_points(tmp_path: Path, workspace: Path, points: int) -> None:
    seed = random.randrange(2**32)
    chance = random.Random(seed)
    assert _check(tmp_path / "warm", workspace).wait() == 0
    killed = 0
    for point in range(points):
        home = tmp_path / f"home-{point % 3}"
        code = _kill_after(home, workspace, chance.uniform(0.05, 4.0))
        killed += code == -signal.SIGKILL
        try:
            view = open_view(home, "personal")
        except NotFound:
            continue
        assert not view.state.ineffective, f"seed {seed}, point {point}"
    for number in range(min(3, points)):
        home = tmp_path / f"home-{number}"
        assert _check(home, workspace).wait() == 0, f"seed {seed}"
        assert not [p for p in (home / "realms").iterdir() if p.name.endswith(".building")]
    assert killed, f"seed {seed}: every run was over before its kill"
