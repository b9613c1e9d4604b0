"""A token is taken once: by many processes at a time, after crashes, with a clock that goes back."""

from __future__ import annotations

import hashlib
import os
import stat
from concurrent.futures import ThreadPoolExecutor
from multiprocessing import get_context
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from lockflight.errors import EnvironmentProblem, LockflightError, PolicyDenied
from lockflight.store.tokens import TokenMemory

if TYPE_CHECKING:
    from multiprocessing.synchronize import Barrier
    from pathlib import Path

NOW = 1_780_000_000


def once(number: int) -> str:
    return hashlib.sha256(b"%d" % number).hexdigest()


def taken(folder: Path, number: int, until: int = NOW + 360, now: int = NOW, most: int = 20_000) -> str:
    """The code of the refusal; empty where the token was taken."""
    try:
        TokenMemory(folder, most=most).take(once(number), until, now)
    except LockflightError as error:
        return error.code
    return ""


def test_once_and_never_again(tmp_path: Path) -> None:
    assert [taken(tmp_path, n) for n in (1, 2, 1, 3, 2)] == ["", "", "LF4647", "", "LF4647"]
    assert stat.S_IMODE((tmp_path / "tokens" / "used").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "tokens").stat().st_mode) == 0o700


def test_it_forgets_only_what_nobody_can_use_any_more(tmp_path: Path) -> None:
    for number in range(10):
        assert not taken(tmp_path, number, until=NOW + 100 + number)
    assert not taken(tmp_path, 99, now=NOW + 105, until=NOW + 400)
    kept = (tmp_path / "tokens" / "used").read_text()
    assert once(0) not in kept
    assert once(6) in kept
    for number in range(6):
        assert taken(tmp_path, number, until=NOW + 100 + number) == "LF4647", "the clock went back"
    assert taken(tmp_path, 6, until=NOW + 106) == "LF4647"
    assert not taken(tmp_path, 50, until=NOW + 106), "another one that ends later is as good as ever"


def test_it_is_bounded_and_forgets_nothing_early(tmp_path: Path) -> None:
    for number in range(5):
        assert not taken(tmp_path, number, most=5)
    for _ in range(2):
        assert taken(tmp_path, 9, most=5) == "LF4648"
    assert taken(tmp_path, 0, most=5) == "LF4647"
    assert not taken(tmp_path, 9, now=NOW + 360, until=NOW + 700, most=5)
    assert (tmp_path / "tokens" / "used").stat().st_size < 78 * 7


@pytest.mark.parametrize("cut", [1, 40, 77])
def test_a_line_that_a_crash_cut_off_is_mended(tmp_path: Path, cut: int) -> None:
    for number in range(3):
        assert not taken(tmp_path, number)
    path = tmp_path / "tokens" / "used"
    path.write_bytes(path.read_bytes()[:-cut])
    assert [taken(tmp_path, n) for n in (0, 1)] == ["LF4647", "LF4647"]
    assert not taken(tmp_path, 3)
    assert not taken(tmp_path, 2), "it was never answered for"
    assert [taken(tmp_path, n) for n in (0, 1, 2, 3)] == ["LF4647"] * 4
    assert path.stat().st_size % 78 == 0


@pytest.mark.parametrize("junk", [b"x" * 78, b"\0" * 156, b"%012d %s " % (NOW, b"a" * 64)])
def test_a_damaged_memory_takes_nothing(tmp_path: Path, junk: bytes) -> None:
    assert not taken(tmp_path, 1)
    path = tmp_path / "tokens" / "used"
    path.write_bytes(junk + path.read_bytes())
    for number in (1, 2):
        assert taken(tmp_path, number) == "LF4649"


def test_a_memory_that_cannot_be_used_takes_nothing(tmp_path: Path) -> None:
    (tmp_path / "tokens").write_text("a file")
    assert taken(tmp_path, 1) == "LF4649"
    other = tmp_path / "other"
    (other / "tokens").mkdir(parents=True)
    (other / "tokens" / "used").symlink_to(tmp_path / "tokens")
    assert taken(other, 1) == "LF4649"
    huge = tmp_path / "huge"
    assert not taken(huge, 1)
    (huge / "tokens" / "used").write_bytes(b"%012d %s\n" % (NOW, b"a" * 64) * 20)
    assert taken(huge, 2, most=5) == "LF4649"


def test_the_line_is_durable_before_it_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that cannot promise: nothing is answered for."""
    assert not taken(tmp_path, 1)

    def broken(_: int) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "fsync", broken)
    with pytest.raises(EnvironmentProblem) as info:
        TokenMemory(tmp_path).take(once(2), NOW + 360, NOW)
    assert info.value.code == "LF4649"
    monkeypatch.undo()
    assert taken(tmp_path, 2) == "LF4647", "it may be there, so it is used up"


def _many(folder: Path, start: int) -> list[int]:
    """Take a hundred tokens that the others want, too; a few are past their time, so that the file is rewritten.

    Nobody runs ahead: before every tenth token each waits for the others, however busy the machine is.
    """
    won = []
    for step in range(100):
        if step % 10 == 0:
            _pace[0].wait(timeout=300)
        number = (start + 7 * step) % 100
        until = NOW + 50 if number % 3 == 0 else NOW + 360
        if not taken(folder, number, until=until, now=NOW + step // 10):
            won.append(number)
    return won


_pace: list[Barrier] = []


def _together(barrier: Barrier) -> None:
    _pace.append(barrier)


def test_processes_share_each_token_out_once(tmp_path: Path) -> None:
    context = get_context("spawn")
    with context.Pool(4, initializer=_together, initargs=(context.Barrier(4),)) as pool:
        won = pool.starmap(_many, [(tmp_path, 25 * n) for n in range(4)], chunksize=1)
    every = sorted(number for part in won for number in part)
    assert every == list(range(100))
    assert sum(1 for part in won if part) > 1, "they did compete"


def test_threads_do_too(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: taken(tmp_path, 7), range(16)))
    assert sorted(found) == [""] + ["LF4647"] * 15


@settings(max_examples=60, deadline=None)
@given(some.lists(some.tuples(some.integers(0, 5), some.integers(0, 30)), max_size=25))
def test_whatever_the_clock_does_a_token_counts_once(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[int, int]]
) -> None:
    """A token of a number always ends at the same time; it is offered only while it is valid by the clock."""
    folder = tmp_path_factory.mktemp("memory")
    seen = set()
    for number, clock in steps:
        until = NOW + 5 * (number + 1)
        if NOW + clock < until:
            try:
                TokenMemory(folder, most=4).take(once(number), until, NOW + clock)
            except (PolicyDenied, EnvironmentProblem):
                continue
            assert number not in seen
            seen.add(number)
