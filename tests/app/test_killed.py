"""`check` killed at any moment leaves a home that the next `check` goes on with."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING

import pytest

from lockflight.app.realm.view import open_view
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
    began = time.monotonic()
    assert _check(tmp_path / "warm", workspace).wait() == 0
    longest = time.monotonic() - began
    killed = attempt = 0
    while killed < points:
        home = tmp_path / f"home-{attempt % 3}"
        attempt += 1
        code = _kill_after(home, workspace, chance.uniform(0.0, longest))
        if code == -signal.SIGKILL:
            killed += 1
        else:
            longest /= 2  # it was over before its kill: a second run has less to do
        try:
            view = open_view(home, "personal")
        except NotFound:
            continue
        assert not view.state.ineffective, f"seed {seed}, attempt {attempt}"
    for home in sorted(tmp_path.glob("home-*")):
        assert _check(home, workspace).wait() == 0, f"seed {seed}"
        assert not [p for p in (home / "realms").iterdir() if p.name.endswith(".building")]
