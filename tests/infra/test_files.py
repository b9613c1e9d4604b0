from __future__ import annotations

import errno
import os
import resource
import socket
import sys
import threading
from pathlib import Path

import pytest

from lockflight.core.source import ByteSource
from lockflight.errors import EnvironmentProblem, InvalidInput, NotFound
from lockflight.infra import files
from lockflight.infra.files import (
    NEVER_CANDIDATES,
    Entry,
    FileKind,
    Folder,
    ReopenedSource,
    descriptor_budget,
)


def write(folder, *names):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)


def names(folder, *, skip=True):
    with Folder(folder) as opened:
        return [e.name for e in opened.listing(skip=skip).entries]


def overwrite(path, data):
    """Other bytes of the same length; the kernel's clock is coarse, so until the time stamp has moved."""
    before = path.stat().st_ctime_ns
    while path.stat().st_ctime_ns == before:
        path.write_bytes(data)


def refused(code, call, *arguments):
    with pytest.raises(InvalidInput) as raised:
        call(*arguments)
    assert raised.value.code == code
    return raised.value


# Listing.


def test_a_listing_is_in_code_point_order_and_has_every_depth(tmp_path):
    write(tmp_path, "b", "a/z", "a/b/c", "a-b/c", "a.b", ".hidden", "é")
    (tmp_path / "empty").mkdir()
    assert names(tmp_path) == sorted([".hidden", "a-b/c", "a.b", "a/b/c", "a/z", "b", "é"])


def test_links_are_listed_and_never_followed(tmp_path):
    write(tmp_path, "real/a")
    (tmp_path / "to-file").symlink_to("real/a")
    (tmp_path / "to-folder").symlink_to("real")
    (tmp_path / "up").symlink_to("..")
    (tmp_path / "broken").symlink_to("nowhere")
    with Folder(tmp_path) as opened:
        listing = opened.listing(skip=True)
    assert listing.entries == (
        Entry("broken", FileKind.SYMLINK),
        Entry("real/a", FileKind.FILE),
        Entry("to-file", FileKind.SYMLINK),
        Entry("to-folder", FileKind.SYMLINK),
        Entry("up", FileKind.SYMLINK),
    )


def test_special_files_are_listed_as_such(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with socket.socket(socket.AF_UNIX) as server:
        here = os.open(tmp_path, os.O_RDONLY)
        try:
            server.bind(f"/proc/self/fd/{here}/sock")  # the path of a socket may only be short
        finally:
            os.close(here)
        with Folder(tmp_path) as opened:
            kinds = {e.name: e.kind for e in opened.listing(skip=False).entries}
    assert kinds == {"pipe": FileKind.SPECIAL, "sock": FileKind.SPECIAL}


def test_never_candidates_are_skipped_in_workspaces_and_counted_in_packages(tmp_path):
    write(
        tmp_path,
        "a.py",
        ".git/hooks/evil",
        "sub/__pycache__/a.pyc",
        ".gitignore",
        "x/.venv/lib/y",
        ".DS_Store",
    )
    write(
        tmp_path,
        "env/pyvenv.cfg",
        "env/lib/z.py",
        ".github/workflows/ci.yml",
        "nb/.ipynb_checkpoints/n.ipynb",
    )
    with Folder(tmp_path) as opened:
        listing = opened.listing(skip=True)
    assert [e.name for e in listing.entries] == ["a.py"]
    assert listing.skipped == (
        ".DS_Store",
        ".git/",
        ".github/",
        ".gitignore",
        "env/",
        "nb/.ipynb_checkpoints/",
        "sub/__pycache__/",
        "x/.venv/",
    )
    with Folder(tmp_path) as opened:
        strict = opened.listing(skip=False)
    assert len(strict.entries) == 10
    assert strict.skipped == ()


def test_a_never_candidate_is_skipped_only_as_what_it_is(tmp_path):
    write(tmp_path, "__pycache__", "venv", "sub/pyvenv.cfg.txt", "d/.gitignore/file")
    (tmp_path / ".venv").symlink_to("elsewhere")
    (tmp_path / ".git").write_text("gitdir: ../other\n")
    assert names(tmp_path) == ["__pycache__", "d/.gitignore/file", "sub/pyvenv.cfg.txt", "venv"]


def test_a_signature_is_skipped_only_as_a_file_at_the_top(tmp_path):
    write(tmp_path, "model.sig", "sub/model.sig")
    assert names(tmp_path) == ["sub/model.sig"]
    assert names(tmp_path, skip=False) == ["model.sig", "sub/model.sig"]
    (tmp_path / "model.sig").unlink()
    write(tmp_path, "model.sig/evil.py")
    assert names(tmp_path) == ["model.sig/evil.py", "sub/model.sig"]


def test_a_root_with_an_environment_mark_is_still_a_workspace(tmp_path):
    write(tmp_path, "pyvenv.cfg", "a")
    assert names(tmp_path) == ["a", "pyvenv.cfg"]


def test_the_printed_list_says_why():
    assert all(n.name and n.why for n in NEVER_CANDIDATES)
    assert {".git", ".hg", ".svn", "__pycache__", ".venv", ".ipynb_checkpoints", ".DS_Store"} <= {
        n.name for n in NEVER_CANDIDATES
    }


def test_names_that_are_no_text_are_listed_for_others_to_refuse(tmp_path):
    (tmp_path / os.fsdecode(b"bad\xff")).touch()
    assert names(tmp_path) == ["bad\udcff"]


def test_budgets(tmp_path, monkeypatch):
    write(tmp_path, "a", "b", "c", "d/e/f")
    monkeypatch.setattr(files, "MAX_FILES", 4)
    assert len(names(tmp_path)) == 4
    monkeypatch.setattr(files, "MAX_FILES", 3)
    refused("LF1007", names, tmp_path)
    monkeypatch.setattr(files, "MAX_FILES", 100)
    monkeypatch.setattr(files, "MAX_DEPTH", 2)
    assert len(names(tmp_path)) == 4
    monkeypatch.setattr(files, "MAX_DEPTH", 1)
    refused("LF1007", names, tmp_path)


def test_a_folder_that_is_swapped_for_a_link_while_it_is_listed(tmp_path, monkeypatch):
    write(tmp_path / "outside", "secret")
    write(tmp_path / "in", "d/a")
    real = os.open

    def swapping(path, flags, *more, **named):
        if path == "d":
            (tmp_path / "in/d/a").unlink()
            (tmp_path / "in/d").rmdir()
            (tmp_path / "in/d").symlink_to("../outside")
        return real(path, flags, *more, **named)

    with Folder(tmp_path / "in") as opened:
        monkeypatch.setattr(files.os, "open", swapping)
        error = refused("LF1003", lambda: opened.listing(skip=True))
    assert "'d'" in error.message


def test_a_folder_that_cannot_be_listed(tmp_path, monkeypatch):
    def denied(_):
        raise PermissionError(errno.EACCES, "Permission denied")

    with Folder(tmp_path) as opened:
        monkeypatch.setattr(files.os, "scandir", denied)
        with pytest.raises(EnvironmentProblem) as raised:
            opened.listing(skip=True)
    assert raised.value.code == "LF1008"


@pytest.mark.parametrize("what", ["absent", "file"])
def test_no_such_folder(tmp_path, what):
    (tmp_path / "file").write_text("x")
    with pytest.raises(NotFound) as raised:
        Folder(tmp_path / what)
    assert raised.value.code == "LF1009"


def test_a_folder_that_cannot_be_opened(tmp_path, monkeypatch):
    def denied(*_, **__):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(files.os, "open", denied)
    with pytest.raises(EnvironmentProblem) as raised:
        Folder(tmp_path)
    assert raised.value.code == "LF1008"


# Opening.


def test_opening_at_any_depth_in_any_order(tmp_path):
    listed = ["a", "d/b", "d/e/c", "d/e/f/g", "h/i"]
    write(tmp_path, *listed)
    with Folder(tmp_path) as opened:
        for name in [*listed, *reversed(listed), "h/i", "d/b"]:
            source = opened.open(name)
            assert source.read_at(0, 100) == name.encode()
            assert isinstance(source, ByteSource)
            source.close()


def descriptors():
    """How many the process holds; 0 where the system does not say."""
    folder = Path("/proc/self/fd")
    return len(list(folder.iterdir())) if folder.is_dir() else 0


def test_no_descriptor_is_left_behind(tmp_path):
    write(tmp_path, "d/e/f", "g/h")
    (tmp_path / "link").symlink_to("g")
    before = descriptors()
    with Folder(tmp_path) as opened:
        opened.listing(skip=True)
        opened.open("d/e/f").close()
        for name in ("link/h", "g", "no/x", "link"):
            with pytest.raises(InvalidInput):
                opened.open(name)
        opened.open("g/h").close()
    assert descriptors() == before


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("link", "LF1001"),
        ("folder-link/a", "LF1003"),
        ("pipe", "LF1002"),
        ("d", "LF1002"),
        ("..", "LF1002"),
        ("gone", "LF1003"),
        ("d/gone", "LF1003"),
        ("a/b", "LF1003"),
        ("../x", "LF1012"),
        ("d/../../x", "LF1012"),
        ("d//a", "LF1012"),
        ("./a", "LF1012"),
        ("/etc/passwd", "LF1012"),
    ],
)
def test_what_is_never_opened(tmp_path, name, code):
    write(tmp_path, "in/a", "in/d/a", "x")
    (tmp_path / "in/link").symlink_to("a")
    (tmp_path / "in/folder-link").symlink_to("d")
    os.mkfifo(tmp_path / "in/pipe")
    with Folder(tmp_path / "in") as opened:
        refused(code, opened.open, name)
        assert opened.open("d/a").read_at(0, 9) == b"in/d/a"


def test_a_socket_in_the_place_of_a_file(tmp_path):
    with Folder(tmp_path) as opened, socket.socket(socket.AF_UNIX) as server:
        server.bind(f"/proc/self/fd/{opened._fds[0]}/sock")
        refused("LF1002", opened.open, "sock")


def test_a_system_that_refuses(tmp_path, monkeypatch):
    write(tmp_path, "a")

    def full(*_, **__):
        raise OSError(errno.EMFILE, "Too many open files")

    with Folder(tmp_path) as opened:
        monkeypatch.setattr(files.os, "open", full)
        with pytest.raises(EnvironmentProblem) as raised:
            opened.open("a")
    assert raised.value.code == "LF1008"
    assert "ulimit" in raised.value.hint


def test_sizes_are_only_a_help(tmp_path):
    write(tmp_path, "a", "d/bb")
    with Folder(tmp_path) as opened:
        assert (opened.size("a"), opened.size("d/bb"), opened.size("gone"), opened.size("no/x")) == (
            1,
            4,
            0,
            0,
        )


def test_several_threads_may_open(tmp_path):
    listed = [f"d{i % 7}/f{i}" for i in range(200)]
    write(tmp_path, *listed)
    wrong = []

    def work(part):
        for name in part:
            source = opened.open(name)
            if source.read_at(0, 99) != name.encode():
                wrong.append(name)
            source.close()

    with Folder(tmp_path) as opened:
        threads = [threading.Thread(target=work, args=(listed[i::4],)) for i in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert not wrong


# Reading.


def test_reading_at(tmp_path):
    (tmp_path / "a").write_bytes(b"0123456789")
    with Folder(tmp_path) as opened:
        source = opened.open("a")
    assert (source.name, source.size) == ("a", 10)
    assert source.read_at(0, 4) == b"0123"
    assert source.read_at(8, 4) == b"89"
    assert source.read_at(10, 4) == source.read_at(99, 4) == source.read_at(3, 0) == b""
    for offset, n in ((-1, 1), (0, -1)):
        with pytest.raises(ValueError, match="negative"):
            source.read_at(offset, n)
    source.close()
    source.close()
    with pytest.raises(ValueError, match="closed"):
        source.read_at(0, 1)


def test_what_grew_is_not_read_and_is_noticed(tmp_path):
    (tmp_path / "a").write_bytes(b"abc")
    with Folder(tmp_path) as opened:
        source = opened.open("a")
        source.check()
        with (tmp_path / "a").open("ab") as more:
            more.write(b"def")
        assert source.read_at(0, 99) == b"abc"
        refused("LF1003", source.check)
        source.close()


def test_what_shrank_is_noticed_at_once(tmp_path):
    (tmp_path / "a").write_bytes(b"abc")
    with Folder(tmp_path) as opened:
        source = opened.open("a")
        os.truncate(tmp_path / "a", 1)
        refused("LF1003", source.read_at, 0, 3)
        source.close()


def test_a_short_read_is_continued(tmp_path, monkeypatch):
    (tmp_path / "a").write_bytes(b"abcdef")
    real = os.pread
    monkeypatch.setattr(files.os, "pread", lambda fd, n, at: real(fd, min(n, 2), at))
    with Folder(tmp_path) as opened:
        source = opened.open("a")
        assert source.read_at(1, 5) == b"bcdef"
        source.close()


def test_the_same_size_and_a_restored_time_do_not_hide_a_change(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"abc")
    stamps = path.stat()
    with Folder(tmp_path) as opened:
        source = opened.open("a")
        overwrite(path, b"xyz")
        os.utime(path, ns=(stamps.st_atime_ns, stamps.st_mtime_ns))
        assert path.stat().st_mtime_ns == source.identity.mtime_ns
        refused("LF1003", source.check)
        source.close()


def test_a_file_that_is_opened_again_must_be_the_same(tmp_path):
    path = tmp_path / "d" / "a"
    write(tmp_path, "d/a")
    with Folder(tmp_path) as opened:
        first = opened.open("d/a")
        first.close()
        again = ReopenedSource(opened, "d/a", first.identity)
        assert (again.read_at(2, 9), again.size, again.name) == (b"a", 3, "d/a")
        assert isinstance(again, ByteSource)
        again.check()
        again.close()
        path.rename(tmp_path / "d" / "old")
        path.write_text("d/a")
        refused("LF1003", again.read_at, 0, 1)
        refused("LF1003", again.check)
        path.unlink()
        path.symlink_to("old")
        refused("LF1001", again.check)


# Descriptors.


def test_the_soft_limit_is_raised_within_the_hard_one():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(soft, 512), hard))
        budget = descriptor_budget()
        assert budget == resource.getrlimit(resource.RLIMIT_NOFILE)[0] - 256
        assert resource.getrlimit(resource.RLIMIT_NOFILE)[1] == hard
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.parametrize(
    ("limits", "allowed", "expected"),
    [
        ((100, 100), True, 16),
        ((1024, 4096), True, 3840),
        ((1024, 4096), False, 768),
        ((1024, resource.RLIM_INFINITY), True, 65_536 - 256),
        ((resource.RLIM_INFINITY, resource.RLIM_INFINITY), True, 65_536 - 256),
    ],
)
def test_budgets_of_descriptors(monkeypatch, limits, allowed, expected):
    def set_limit(_, wanted):
        if not allowed:
            raise ValueError("not allowed")
        assert wanted[1] == limits[1]

    monkeypatch.setattr(resource, "getrlimit", lambda _: limits)
    monkeypatch.setattr(resource, "setrlimit", set_limit)
    assert descriptor_budget() == expected


def test_without_limits_to_ask_for(monkeypatch):
    monkeypatch.setitem(sys.modules, "resource", None)
    assert descriptor_budget() == 256
