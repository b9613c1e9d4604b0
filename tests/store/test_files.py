from __future__ import annotations

import os
import stat
import threading

import pytest

from lockflight.errors import EnvironmentProblem
from lockflight.store import files
from lockflight.store.files import locked, make_folder, read_file, replace_file


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def test_folders_are_made_private_with_their_parents(tmp_path):
    make_folder(tmp_path / "a" / "b" / "c")
    assert {mode(path) for path in tmp_path.rglob("*")} == {0o700}
    (tmp_path / "a").chmod(0o755)
    make_folder(tmp_path / "a")
    assert mode(tmp_path / "a") == 0o755


def test_a_file_is_replaced_whole_and_private(tmp_path):
    path = tmp_path / "file"
    replace_file(path, b"old" * 1000)
    replace_file(path, b"new")
    assert path.read_bytes() == b"new"
    assert mode(path) == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_what_a_crash_left_aside_is_overwritten(tmp_path):
    path = tmp_path / "file"
    replace_file(path, b"old")
    (tmp_path / "file.new").write_bytes(b"half of something long")
    assert read_file(path, 10) == b"old"
    replace_file(path, b"new")
    assert list(tmp_path.iterdir()) == [path]
    assert read_file(path, 10) == b"new"


def test_a_link_aside_is_not_followed(tmp_path):
    victim = tmp_path / "victim"
    victim.write_bytes(b"mine")
    (tmp_path / "file.new").symlink_to(victim)
    with pytest.raises(OSError):
        replace_file(tmp_path / "file", b"new")
    assert victim.read_bytes() == b"mine"


def test_only_whole_regular_files_are_read(tmp_path):
    assert read_file(tmp_path / "absent", 10) is None
    (tmp_path / "long").write_bytes(b"x" * 11)
    with pytest.raises(ValueError):
        read_file(tmp_path / "long", 10)
    with pytest.raises(OSError):
        read_file(tmp_path, 10)
    (tmp_path / "link").symlink_to(tmp_path / "long")
    with pytest.raises(OSError):
        read_file(tmp_path / "link", 100)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ValueError):
        read_file(tmp_path / "pipe", 10)


def test_a_lock_keeps_others_out_and_ends_with_its_block(tmp_path):
    path = tmp_path / "lock"
    order = []
    inside, waiting = threading.Event(), threading.Event()

    def second():
        inside.wait()
        with locked(path, "it", patience=lambda: waiting.set() or 0.0):
            order.append("second")

    thread = threading.Thread(target=second)
    thread.start()
    with locked(path, "it"):
        inside.set()
        waiting.wait()
        order.append("first")
    thread.join()
    assert order == ["first", "second"]
    assert mode(path) == 0o600


def test_a_lock_that_is_never_let_go_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(files.time, "sleep", lambda pause: None)
    path = tmp_path / "lock"
    hours = iter(range(0, 1000, 10))
    with locked(path, "the log"), pytest.raises(EnvironmentProblem) as caught:  # noqa: SIM117
        with locked(path, "the log", patience=lambda: next(hours)):
            pass
    assert caught.value.code == "LF5031"
    assert str(path) in caught.value.message
    with locked(path, "the log"):
        pass
