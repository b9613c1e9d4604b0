from __future__ import annotations

import base64
import hashlib
import os
import shutil
import subprocess
import zipfile

import pytest

from lockflight.errors import EnvironmentProblem, NotFound
from lockflight.infra import tools

MAIN = "import sys\nprint('fake', *sys.argv[1:])\nprint(sys.flags.isolated, file=sys.stderr)\n"


def build_wheel(folder, main=MAIN):
    """A wheel of one module; returns the SHA-256 that a lock names."""
    name = "fake_tool-1.0"
    files = {
        "fake_tool/__init__.py": "",
        "fake_tool/__main__.py": main,
        f"{name}.dist-info/METADATA": "Metadata-Version: 2.1\nName: fake-tool\nVersion: 1.0\n",
        f"{name}.dist-info/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = ""
    for path, text in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
        record += f"{path},sha256={digest},{len(text)}\n"
    files[f"{name}.dist-info/RECORD"] = record + f"{name}.dist-info/RECORD,,\n"
    path = folder / f"{name}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for member, text in files.items():
            archive.writestr(zipfile.ZipInfo(member), text)
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def wheels(tmp_path):
    folder = tmp_path / "wheels"
    folder.mkdir()
    return folder


@pytest.fixture
def lock(monkeypatch):
    """Make `fake-tool` a known tool with this hash."""

    def set_lock(digest):
        monkeypatch.setitem(
            tools.TOOLS, "fake-tool", tools.ToolSpec("fake-tool", "fake_tool", "A fake", "MIT")
        )
        real = tools._lock
        text = f"fake-tool==1.0 \\\n    --hash=sha256:{digest}\n".encode()
        monkeypatch.setattr(tools, "_lock", lambda name: text if name == "fake-tool" else real(name))

    return set_lock


def test_a_tool_is_installed_from_wheels_and_starts(tmp_path, wheels, lock):
    lock(build_wheel(wheels))
    home = tmp_path / "home"
    with pytest.raises(EnvironmentProblem) as missing:
        tools.tool_path(home, "fake-tool")
    assert missing.value.code == "LF5010"
    assert missing.value.hint == "lockflight tools install fake-tool"

    found = tools.install(home, "fake-tool", wheels=wheels, offline=True)
    assert (found.name, found.version, found.digest) == (
        "fake-tool",
        "1.0",
        tools.environment_digest("fake-tool"),
    )
    path = tools.tool_path(home, "fake-tool")
    assert path == str(found.executable) == str(home / "tools" / "fake-tool" / found.digest / "fake-tool")
    assert tools.describe(path) == found

    hostile = {"PATH": os.environ["PATH"], "PYTHONPATH": str(tmp_path), "PYTHONSTARTUP": "x"}
    (tmp_path / "fake_tool.py").write_text("print('not me')")
    ran = subprocess.run(
        [path, "a", "b c"], capture_output=True, text=True, check=True, cwd=tmp_path, env=hostile
    )
    assert (ran.stdout, ran.stderr) == ("fake a b c\n", "1\n")

    shelf = found.executable.parent.parent
    assert [p.name for p in shelf.iterdir()] == [found.digest]
    assert shelf.stat().st_mode & 0o777 == 0o700
    before = found.executable.parent.stat().st_ino
    assert tools.install(home, "fake-tool", offline=True) == found
    assert found.executable.parent.stat().st_ino == before

    (found.executable.parent / "tool.json").unlink()
    assert tools.installed(home, "fake-tool") is None
    assert tools.install(home, "fake-tool", wheels=wheels) == found
    assert [p.name for p in shelf.iterdir()] == [found.digest]


@pytest.fixture(scope="module")
def bare(tmp_path_factory):
    """A virtual environment to copy, since making one takes seconds."""
    folder = tmp_path_factory.mktemp("bare") / "venv"
    tools._make_venv(folder, "fake-tool")
    return folder


@pytest.fixture
def copied_venv(bare, monkeypatch):
    monkeypatch.setattr(tools, "_make_venv", lambda folder, _: shutil.copytree(bare, folder, symlinks=True))


def test_another_file_than_the_lock_names_is_refused(tmp_path, wheels, lock, copied_venv):
    build_wheel(wheels)
    lock("0" * 64)
    with pytest.raises(EnvironmentProblem) as caught:
        tools.install(tmp_path / "home", "fake-tool", wheels=wheels)
    assert caught.value.code == "LF5012"
    assert tools.installed(tmp_path / "home", "fake-tool") is None
    assert list((tmp_path / "home" / "tools" / "fake-tool").iterdir()) == []


def test_a_tool_that_does_not_start_is_not_installed(tmp_path, wheels, lock, copied_venv):
    lock(build_wheel(wheels, "raise SystemExit('no way')"))
    with pytest.raises(EnvironmentProblem) as caught:
        tools.install(tmp_path / "home", "fake-tool", wheels=wheels)
    assert caught.value.code == "LF5012"
    assert "no way" in caught.value.message
    assert list((tmp_path / "home" / "tools" / "fake-tool").iterdir()) == []


def test_without_a_working_venv_the_message_says_so(tmp_path, wheels, lock, monkeypatch):
    lock(build_wheel(wheels))
    monkeypatch.setattr(tools.sys, "executable", "/bin/false")
    with pytest.raises(EnvironmentProblem) as caught:
        tools.install(tmp_path / "home", "fake-tool", wheels=wheels)
    assert caught.value.code == "LF5013"
    assert "python3-venv" in caught.value.hint


def test_offline_without_wheels_names_the_option(tmp_path):
    with pytest.raises(EnvironmentProblem) as caught:
        tools.install(tmp_path, "bandit", offline=True)
    assert caught.value.code == "LF5015"
    assert "--from-wheels" in caught.value.hint


def test_a_missing_folder_of_wheels_is_named(tmp_path):
    with pytest.raises(EnvironmentProblem) as caught:
        tools.install(tmp_path, "bandit", wheels=tmp_path / "nothing")
    assert caught.value.code == "LF5014"
    assert "pip download" in caught.value.hint


def test_a_home_that_cannot_be_written_is_named(tmp_path, wheels):
    (tmp_path / "home").write_text("a file")
    with pytest.raises(EnvironmentProblem) as caught:
        tools.install(tmp_path / "home", "bandit", wheels=wheels)
    assert caught.value.code == "LF5017"


@pytest.mark.parametrize("call", [tools.tool_path, tools.installed, tools.install])
def test_unknown_tools_are_named(tmp_path, call):
    with pytest.raises(NotFound) as caught:
        call(tmp_path, "../evil")
    assert caught.value.code == "LF5011"
    assert "bandit" in caught.value.message


@pytest.mark.parametrize("record", [None, "", "[]", "{}", '{"name": 1}'])
def test_a_broken_environment_is_none(tmp_path, record):
    if record is not None:
        (tmp_path / "tool.json").write_text(record)
    with pytest.raises(EnvironmentProblem) as caught:
        tools.describe(tmp_path / "bandit")
    assert caught.value.code == "LF5016"


@pytest.mark.parametrize("name", sorted(tools.TOOLS))
def test_each_lock_pins_everything_by_hash_and_names_no_address(name):
    text = tools._lock(name).decode()
    assert "://" not in text
    pins = tools._PIN.findall(text)
    assert name in {pin for pin, _ in pins}
    blocks = text.replace("\\\n", " ").splitlines()
    assert len(blocks) == len(pins)
    assert all("--hash=sha256:" in block for block in blocks)
    assert tools.pinned_version(name)
    assert len(tools.environment_digest(name)) == 64


def test_the_digest_changes_with_lock_and_python(monkeypatch):
    before = tools.environment_digest("bandit")
    monkeypatch.setattr(tools.platform, "python_version", lambda: "3.99.0")
    changed = tools.environment_digest("bandit")
    monkeypatch.undo()
    real = tools._lock("bandit")
    monkeypatch.setattr(tools, "_lock", lambda _: real + b"\n")
    assert len({before, changed, tools.environment_digest("bandit")}) == 3
