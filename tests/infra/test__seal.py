"""What a closed child cannot do, and that an open one can: on this kernel, and on paper for the other machine."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import pytest

from lockflight.infra import _seal
from lockflight.infra._seal import LANDLOCK, SECCOMP, layers, seal
from lockflight.infra.proc import run

HERE = str(Path(__file__).parent)


def need(*wanted):
    missing = set(wanted) - set(layers())
    if missing:
        pytest.skip(f"this system has no {' and no '.join(sorted(missing))}")


def start(function, request=b"", **options):
    return run(f"children:{function}", request, import_paths=[HERE], **options)


@pytest.fixture
def folder(tmp_path):
    """A folder of somebody else's, with a descriptor of the file that a child may read."""
    (tmp_path / "kept").write_bytes(b"kept")
    (tmp_path / "gone").write_bytes(b"")
    (tmp_path / "other").write_bytes(b"")
    opened = os.open(tmp_path / "kept", os.O_RDONLY)
    yield tmp_path, opened
    os.close(opened)


def tried(folder, sealed):
    path, opened = folder
    outcome = start("escapes", str(path).encode(), fds=(opened,), sealed=sealed)
    assert outcome.ok, (outcome.detail, outcome.log)
    return json.loads(outcome.result)


READS = {"read", "list", "parent"}


def test_an_open_child_can_do_all_of_it(folder):
    need(SECCOMP)
    seen = tried(folder, ())
    # A ring needs more arguments; some systems show nobody's environment.
    assert {name for name, number in seen.items() if number} <= {"ring", "parent"}
    assert (folder[0] / "new").exists()


def test_a_closed_child_can_do_nothing_of_it(folder):
    need(SECCOMP)
    path = folder[0]
    before = sorted((one.name, one.stat().st_mode, one.stat().st_mtime_ns) for one in path.iterdir())
    seen = tried(folder, (SECCOMP,))
    assert {name: number for name, number in seen.items() if number == 0} == dict.fromkeys(
        {name for name in READS if seen[name] == 0}, 0
    )
    assert {seen[name] for name in seen.keys() - READS} == {errno.EPERM}
    assert before == sorted((one.name, one.stat().st_mode, one.stat().st_mtime_ns) for one in path.iterdir())
    assert (path / "kept").read_bytes() == b"kept"


def test_nor_read_what_it_was_not_given(folder):
    need(SECCOMP, LANDLOCK)
    seen = tried(folder, layers())
    assert [name for name, number in seen.items() if number == 0] == []
    assert {seen[name] for name in READS} == {errno.EACCES}


@pytest.mark.parametrize("wanted", [(SECCOMP,), (LANDLOCK,), (SECCOMP, LANDLOCK)])
def test_a_closed_child_still_works(tmp_path, wanted):
    need(*wanted)
    (tmp_path / "in").write_bytes(b"model")
    reads, writes = (
        os.open(tmp_path / "in", os.O_RDONLY),
        os.open(tmp_path / "out", os.O_RDWR | os.O_CREAT, 0o600),
    )
    try:
        outcome = start("works", fds=(reads, writes), sealed=wanted)
    finally:
        os.close(reads)
        os.close(writes)
    assert outcome.result == b"[true, true]", (outcome.detail, outcome.log)
    assert (tmp_path / "out").read_bytes() == b"model+"


def test_a_layer_that_cannot_be_put_on_ends_the_child():
    outcome = start("echo", b"x", sealed=("nothing",))
    assert not outcome.ok
    assert "no layers of these names: nothing" in outcome.log
    with pytest.raises(OSError, match="no layers"):
        seal(["nothing"])
    seal([])


# -- the filter, as the kernel would run it --

COLUMNS = {machine: row[:2] for machine, row in _seal._MACHINES.items()}
ALLOWED, REFUSED, ABSENT, KILLED = (
    _seal._ALLOW,
    _seal._ERRNO | errno.EPERM,
    _seal._ERRNO | errno.ENOSYS,
    _seal._KILL,
)


def decide(machine, number, *arguments, arch=None, pid=4711):
    """What the filter says of a call."""
    column, own = COLUMNS[machine]
    data = {0: number, 4: own if arch is None else arch}
    data |= {16 + 8 * i: value & 0xFFFFFFFF for i, value in enumerate(arguments)}
    program = list(_seal._filter(column, own, pid))
    at = held = 0
    while True:
        code, yes, no, value = program[at]
        at += 1
        if code == _seal._RETURN:
            return value
        if code == _seal._LOAD:
            held = data.get(value, 0)
            continue
        found = {
            _seal._EQUAL: held == value,
            _seal._AT_LEAST: held >= value,
            _seal._ANY_BIT: bool(held & value),
        }[code]
        at += yes if found else no


@pytest.mark.parametrize("machine", COLUMNS)
def test_what_the_filter_says(machine):
    column = COLUMNS[machine][0]
    for name, numbers in _seal._REFUSED.items():
        if numbers[column] >= 0:
            assert decide(machine, numbers[column]) == REFUSED, name
    openat, kill, prlimit = (257, 56)[column], (62, 129)[column], (302, 261)[column]
    read, write, futex = (0, 63)[column], (1, 64)[column], (202, 98)[column]
    assert decide(machine, openat, 0, 0, os.O_RDONLY | os.O_CLOEXEC) == ALLOWED
    for flags in (os.O_WRONLY, os.O_RDWR, os.O_CREAT, os.O_TRUNC, os.O_RDWR | os.O_CREAT):
        assert decide(machine, openat, 0, 0, flags) == REFUSED
    assert decide(machine, kill, 4711, 9) == ALLOWED
    for other in (1, 0, -1, 4712):
        assert decide(machine, kill, other, 9) == REFUSED
    assert decide(machine, prlimit, 0) == decide(machine, prlimit, 4711) == ALLOWED
    assert decide(machine, prlimit, 4712) == REFUSED
    clone = _seal._CLONE[column]
    assert (decide(machine, clone, 0x3D0F00), decide(machine, clone, 17)) == (ALLOWED, REFUSED)
    ioctl = _seal._IOCTL[column]
    assert (decide(machine, ioctl, 0, 0x5401), decide(machine, ioctl, 0, 0x5412)) == (ALLOWED, REFUSED)
    assert decide(machine, ioctl, 0, 0x541C) == REFUSED
    assert {decide(machine, number) for number in (read, write, futex)} == {ALLOWED}
    assert decide(machine, 435) == decide(machine, 437) == ABSENT
    assert decide(machine, 451) == decide(machine, 0x40000000 + 41) == ABSENT
    assert decide(machine, read, arch=0x40000003) == KILLED


def test_a_system_without_filters_says_so(monkeypatch):
    monkeypatch.setattr("sys.platform", "darwin")
    assert layers() == ()
