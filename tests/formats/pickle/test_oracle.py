"""Mutated pickles, judged by the machine and loaded by CPython with stubs instead of imports; see `oracle.py`."""

from __future__ import annotations

import collections
import json
import os
import pickle
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
_RUN = """
import sys
sys.path[:0] = sys.argv[1:3]
del sys.argv[1:3]
from tests.formats.pickle.oracle import main
main()
"""


def compare(count, seed):
    """So many cases, shared between a child for each processor; what they were together."""
    children = max(1, min(8, os.cpu_count() or 1))
    command = [sys.executable, "-I", "-W", "ignore", "-c", _RUN, str(ROOT), str(ROOT / "src")]
    running = [
        subprocess.Popen(
            [*command, str(seed * 1000 + number), str(count // children)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for number in range(children)
    ]
    total = collections.Counter()
    for child in running:
        said, error = child.communicate()
        assert child.returncode == 0, error
        found = json.loads(said)
        assert "case" not in found, found
        total.update(found)
    assert total["cases"] == count // children * children
    return total


def test_nothing_that_cpython_imports_goes_unseen_in_100_000():
    tally = compare(100_000, 20)
    assert tally["safe"] > 2_500
    assert tally["asked"] > 50_000
    assert tally["loaded"] > 20_000


@pytest.mark.long
@pytest.mark.parametrize("part", range(10))
def test_nothing_goes_unseen_in_ten_million(part):
    tally = compare(1_000_000, 100 + part)
    assert tally["safe"] > 25_000


def test_the_oracle_sees_an_import_and_runs_nothing(tmp_path):
    marker = tmp_path / "ran"

    class Touch:
        def __reduce__(self):
            return open, (str(marker), "w")

    command = [sys.executable, "-I", "-W", "ignore", str(HERE / "inert.py")]
    done = subprocess.run(command, input=pickle.dumps(Touch()), capture_output=True, check=True)
    assert json.loads(done.stdout) == [[[["io", "open"]], 0, True]] * 2
    assert not marker.exists()
