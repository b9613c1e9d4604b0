"""Pickles composed of listed names, judged by the machine and then really loaded, in a jail; see `live.py`."""

from __future__ import annotations

import collections
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
_RUN = """
import sys
sys.path[:0] = sys.argv[1:3]
del sys.argv[1:3]
from tests.formats.pickle.live import main
main()
"""


def run(seed, count, control=""):
    """So many cases, shared between a child for each processor; what they were together."""
    children = max(1, min(8, os.cpu_count() or 1))
    command = [sys.executable, "-I", "-W", "ignore", "-c", _RUN, str(ROOT), str(ROOT / "src")]
    told = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "PYTHONHASHSEED": "0"}
    running = [
        subprocess.Popen(
            [*command, str(seed * 1000 + number), str(count // children), control, "1" if control else "20"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=told,
        )
        for number in range(children)
    ]
    total, found = collections.Counter(), []
    for child in running:
        said, error = child.communicate()
        assert child.returncode == 0, error
        tally = json.loads(said)
        found += tally.pop("found")
        total.update(tally)
    return total, found


def test_nothing_but_objects_comes_of_what_is_safe_in_4_000():
    total, found = run(1, 4_000)
    assert found == []
    assert total["cases"] == 4_000
    assert total["safe"] > 600


@pytest.mark.long
@pytest.mark.parametrize("part", range(10))
def test_nothing_but_objects_comes_of_what_is_safe_in_200_000(part):
    total, found = run(10 + part, 20_000)
    assert found == []
    assert total["safe"] > 3_000


@pytest.mark.parametrize(
    ("control", "why"),
    [
        ("program", "exec"),
        ("lengths", "the process died"),
    ],
)
def test_a_list_that_is_wrong_is_found(control, why):
    """The oracle can fail: each of these lists lacks one rule, or has one name too many."""
    _, found = run(3, 4_000, control)
    assert any(why in what for case in found for what in case["why"])
