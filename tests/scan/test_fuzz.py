"""Damaged files of every format through the whole check: no crash, no hang, little memory, and some of each verdict."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.scan.fuzzing import KINDS

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="limits and the peak are those of Linux")


def fuzz(kind, count, number, root):
    command = [sys.executable, "-m", "tests.scan.fuzzing", kind, str(count), str(number)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=root)
    assert done.returncode == 0, (done.returncode, done.stderr[-4000:])
    found = json.loads(done.stdout)
    assert found["seeds"] >= 3
    assert sum(found.get(word, 0) for word in ("safe", "review", "unknown", "malicious")) == count
    assert found.get("unknown", 0) + found.get("malicious", 0) > count // 20
    assert found["memory"] <= 256
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_damage_is_judged_in_little_memory(kind, project_root):
    fuzz(kind, 400, 5, project_root)


@pytest.mark.long
@pytest.mark.parametrize("kind", KINDS)
def test_much_damage_is_judged_in_little_memory(kind, project_root):
    fuzz(kind, 50_000, 6, project_root)
