"""dev.py: what it says when a machine lacks something, and that a second run does nothing."""

from __future__ import annotations

import importlib.util
import subprocess
import sys

import pytest


@pytest.fixture
def dev(project_root, monkeypatch):
    spec = importlib.util.spec_from_file_location("lockflight_dev", project_root / "dev.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_verb_is_described(project_root):
    done = subprocess.run(
        [sys.executable, "-I", str(project_root / "dev.py"), "--help"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    for verb in ("setup", "demo", "test", "lint", "docs", "bench", "lock", "build"):
        assert f"dev.py {verb}" in done.stdout


def test_without_ensurepip_it_names_the_package_to_install(dev, tmp_path, monkeypatch):
    monkeypatch.setattr(dev.importlib.util, "find_spec", lambda _: None)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(dev.Failed, match="apt-get install python3-venv"):
        dev.Environment(tmp_path / "environment").create()


def test_an_old_python_is_told_what_is_needed(dev, monkeypatch, capsys):
    monkeypatch.setattr(dev, "NEEDS_PYTHON", (99, 0))
    assert dev.main() == 4
    assert "needs Python 99.0" in capsys.readouterr().out


def test_an_installer_that_fails_says_what_to_do(dev, tmp_path, monkeypatch):
    environment = dev.Environment(tmp_path)
    monkeypatch.setattr(dev, "run", lambda *_, **__: (False, "no route to host"))
    monkeypatch.setattr(environment, "create", lambda: None)
    with pytest.raises(dev.Failed, match="PIP_INDEX_URL"):
        environment.need("runtime")


def test_what_is_installed_is_not_installed_again(dev, tmp_path, monkeypatch):
    environment, commands = dev.Environment(tmp_path), []
    monkeypatch.setattr(environment, "create", lambda: None)
    monkeypatch.setattr(dev, "run", lambda *command, **_: commands.append(command) or (True, ""))
    environment.need("runtime", "opa")
    environment.need_project()
    first = len(commands)
    environment.need("runtime", "opa")
    environment.need_project()
    assert first == len(commands) > 0


def test_a_changed_lock_is_installed(dev, tmp_path, monkeypatch):
    locks, commands = tmp_path / "requirements", []
    locks.mkdir()
    (locks / "runtime.txt").write_text("one", encoding="utf-8")
    environment = dev.Environment(tmp_path)
    monkeypatch.setattr(dev, "REQUIREMENTS", locks)
    monkeypatch.setattr(environment, "create", lambda: None)
    monkeypatch.setattr(dev, "run", lambda *command, **_: commands.append(command) or (True, ""))
    environment.need("runtime")
    (locks / "runtime.txt").write_text("another", encoding="utf-8")
    environment.need("runtime")
    assert len(commands) == 2


def test_steps_all_run_and_failures_are_kept(dev, capsys):
    steps = dev.Steps()
    assert not steps.step("bad", sys.executable, "-c", "raise SystemExit('the reason')")
    assert steps.step("good", sys.executable, "-c", "")
    assert steps.failed == ["bad"]
    assert "the reason" in capsys.readouterr().out
