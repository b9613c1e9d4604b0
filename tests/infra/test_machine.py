"""The summary of a machine, and programs that run as the user's own."""

from __future__ import annotations

import json
import os
import sys

import pytest

from lockflight.errors import EnvironmentProblem
from lockflight.infra import machine
from lockflight.infra.command import run_attached


def test_a_summary_is_small_and_names_no_host():
    found = machine.summary()
    assert found["cpus"] == os.cpu_count()
    assert found["memory_mib"] > 0
    assert len(json.dumps(found)) < 2000
    assert os.uname().nodename not in json.dumps({k: found[k] for k in ("machine", "system")})


@pytest.mark.parametrize(
    ("script", "found"),
    [
        ("echo 'NVIDIA H100'; echo 'NVIDIA H100'; echo 'NVIDIA L4'", [("NVIDIA H100", 2), ("NVIDIA L4", 1)]),
        ("exit 9", []),
        ("seq 1 100", None),
        ("head -c 3000000 /dev/zero", []),
    ],
)
def test_accelerators_are_what_the_driver_says(tmp_path, monkeypatch, script, found):
    tool = tmp_path / "nvidia-smi"
    tool.write_text(f"#!/bin/sh\n{script}\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    kinds = [(kind["name"], kind["count"]) for kind in machine.accelerators()]
    assert kinds == found if found is not None else len(kinds) == machine.MAX_KINDS


def test_without_a_driver_there_are_none():
    assert machine.accelerators("no-such-program") == []


def test_a_command_of_the_user_writes_where_we_write(tmp_path, capfd):
    code = run_attached([sys.executable, "-c", "print('out')"], cwd=tmp_path)
    assert (code, capfd.readouterr().out) == (0, "out\n")
    run_attached([sys.executable, "-c", "print('out')"], cwd=tmp_path, stdout_to_stderr=True)
    shown = capfd.readouterr()
    assert (shown.out, shown.err) == ("", "out\n")
    assert run_attached([sys.executable, "-c", "raise SystemExit(3)"], cwd=tmp_path) == 3


@pytest.mark.parametrize("program", ["no-such-program", "/", "nul\0"])
def test_a_command_that_cannot_start(tmp_path, program):
    with pytest.raises(EnvironmentProblem) as caught:
        run_attached([program], cwd=tmp_path)
    assert caught.value.code == "LF1042"
