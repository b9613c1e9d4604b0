"""The locks hold what the sources ask for, by hash, from nowhere in particular."""

from __future__ import annotations

import re
import tomllib

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PIN = re.compile(
    r"^([A-Za-z0-9._-]+)==([^ ;\\]+)(?: ; [^\\]+)?((?: \\\n    --hash=sha256:[0-9a-f]{64})+)$", re.MULTILINE
)
SHARE_AN_ENVIRONMENT = ("bootstrap", "dev", "examples", "runtime")


@pytest.fixture(scope="module")
def locks(project_root):
    """Lock -> {(name, version)}."""
    folder = project_root / "requirements"
    return {
        path.stem: {
            (canonicalize_name(pin[1]), pin[2]) for pin in PIN.finditer(path.read_text(encoding="utf-8"))
        }
        for path in sorted(folder.glob("*.txt"))
    }


@pytest.fixture(scope="module")
def asked(project_root):
    """Lock -> the requirements that it must satisfy."""
    project = tomllib.loads((project_root / "pyproject.toml").read_text(encoding="utf-8"))
    found = {
        path.stem: [line for line in path.read_text(encoding="utf-8").splitlines() if line and line[0] != "#"]
        for path in sorted((project_root / "requirements").glob("*.in"))
    }
    runtime = project["project"]["dependencies"]
    found["runtime"] = runtime
    found["dev"] = [*runtime, *project["dependency-groups"]["dev"]]
    found["examples"] = [*runtime, *found["examples"]]
    return {name: [Requirement(line) for line in lines] for name, lines in found.items()}


def test_each_lock_has_its_source(locks, asked):
    assert set(locks) == set(asked)


def test_each_requirement_is_locked_in_range(locks, asked):
    for lock, requirements in asked.items():
        for requirement in requirements:
            versions = {
                version for name, version in locks[lock] if name == canonicalize_name(requirement.name)
            }
            assert versions, f"{lock}: {requirement} is not locked: python3 dev.py lock"
            assert all(requirement.specifier.contains(version) for version in versions), (
                f"{lock}: {requirement}"
            )


def test_each_line_is_a_pin_with_hashes_or_a_comment(project_root):
    for path in sorted((project_root / "requirements").glob("*.txt")):
        text = path.read_text(encoding="utf-8")
        rest = [line for line in PIN.sub("", text).splitlines() if line and not line.lstrip().startswith("#")]
        assert not rest, f"{path.name}: {rest[0]}"
        assert "://" not in text, path.name


def test_locks_of_one_environment_agree(locks):
    dev = dict(locks["dev"])
    for lock in SHARE_AN_ENVIRONMENT:
        for name, version in locks[lock]:
            assert dev.get(name, version) == version, f"{lock}: {name}"


def test_no_framework_comes_in_by_the_back_door(locks):
    heavy = {"torch", "tensorflow", "jax", "llama-cpp-python", "sentence-transformers", "transformers"}
    for lock, pins in locks.items():
        assert not {name for name, _ in pins} & heavy, lock


def test_the_core_install_stays_small(locks):
    assert len({name for name, _ in locks["runtime"]}) < 16
