"""The contracts of pyproject.toml catch a planted breach of each rule; `dev.py lint` runs them for real."""

from __future__ import annotations

import subprocess
import sys
import tomllib

import pytest

from tests.purity import FLOORS

SKELETON = {
    "errors.py": "",
    "core/__init__.py": "",
    "core/facts/facts.py": "from lockflight import errors\n",
    "formats/__init__.py": "from lockflight.core import facts\n",
    "detect/__init__.py": "",
    "stats/__init__.py": "import math\n",
    "infra/__init__.py": "import socket, subprocess\nfrom lockflight import formats\n",
    "scan/__init__.py": "from lockflight import infra\n",
    "sbom/__init__.py": "",
    "app/__init__.py": "from lockflight import scan, sbom\n",
    "cli/__init__.py": "from lockflight import app\n",
}
BREACHES = {
    "core imports a room": ("core/bad.py", "from lockflight import scan"),
    "core imports a room in a function": ("core/bad.py", "def f():\n    from lockflight import scan"),
    "core imports formats": ("core/bad.py", "import lockflight.formats"),
    "formats import detect": ("formats/bad.py", "import lockflight.detect"),
    "infra imports a room": ("infra/bad.py", "import lockflight.sbom"),
    "a room imports a room": ("scan/bad.py", "import lockflight.sbom"),
    "a room imports app": ("sbom/bad.py", "import lockflight.app"),
    "app imports cli": ("app/bad.py", "import lockflight.cli"),
    "errors import core": ("errors.py", "import lockflight.core"),
    "core opens sockets": ("core/bad.py", "import socket"),
    "core reads the clock": ("core/bad.py", "from time import time"),
    "formats read the environment": ("formats/bad.py", "from os import environ"),
    "detect draws random numbers": ("detect/bad.py", "import random"),
    "detect starts processes": ("detect/bad.py", "import subprocess"),
    "a room that no floor lists": ("helpers/__init__.py", '"""Odds and ends."""'),
}


@pytest.fixture
def lint(tmp_path, project_root):
    def run(**planted):
        for name, text in (SKELETON | planted.get("files", {})).items():
            path = tmp_path / "lockflight" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text + "\n", encoding="utf-8")
        (tmp_path / "lockflight" / "__init__.py").touch()
        # The command's own entry point, so that it works from any environment that has import-linter.
        code = "from importlinter.cli import lint_imports_command; lint_imports_command()"
        command = [sys.executable, "-c", code, "--no-cache", "--config", str(project_root / "pyproject.toml")]
        return subprocess.run(
            command,
            cwd=tmp_path,
            env={"PYTHONPATH": str(tmp_path)},
            capture_output=True,
            text=True,
            check=False,
        )

    return run


def test_a_clean_house_passes(lint):
    done = lint()
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 broken" in done.stdout


@pytest.mark.parametrize("breach", BREACHES)
def test_a_breach_is_caught(lint, breach):
    name, text = BREACHES[breach]
    done = lint(files={name: text})
    assert done.returncode == 1, done.stdout + done.stderr
    assert "BROKEN" in done.stdout


def test_every_pure_floor_is_under_contract(project_root):
    configuration = tomllib.loads((project_root / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = {contract["id"]: contract for contract in configuration["tool"]["importlinter"]["contracts"]}
    there = {
        f"lockflight.{floor}" for floor in FLOORS if (project_root / "src" / "lockflight" / floor).is_dir()
    }
    assert set(contracts["pure"]["source_modules"]) == there


def test_a_cycle_is_caught(lint):
    done = lint(
        files={"core/one.py": "import lockflight.core.two", "core/two.py": "import lockflight.core.one"}
    )
    assert done.returncode == 1
    assert "no cycles at any level BROKEN" in done.stdout
