from __future__ import annotations

import io

import pytest

from lockflight.infra import progress
from lockflight.infra.progress import SILENT, Line, in_words


@pytest.fixture
def clock(monkeypatch):
    class Clock:
        now = 100.0

    monkeypatch.setattr(progress.time, "monotonic", lambda: Clock.now)
    return Clock


def test_short_tasks_say_nothing(clock):
    stream = io.StringIO()
    line = Line(stream)
    line.begin("hashing", 100)
    line.advance(100)
    line.end()
    assert stream.getvalue() == ""


def test_files_are_counted_in_files(clock):
    line = Line(io.StringIO())
    line.begin("scanning", 10_000)
    line.advance(2_500)
    assert line.text() == "scanning  25 %  2500 of 10000"


def test_a_long_task_is_one_line_that_vanishes(clock):
    stream = io.StringIO()
    line = Line(stream)
    line.begin("hashing", 2048)
    clock.now += 1.5
    line.advance(512)
    first = "\rhashing  25 %  512 B of 2.0 KiB"
    assert stream.getvalue() == first
    clock.now += 0.05
    line.advance(512)
    assert stream.getvalue() == first
    clock.now += 0.1
    line.advance(1024)
    last = "\rhashing 100 %  2.0 KiB of 2.0 KiB"
    assert stream.getvalue() == first + last
    line.end()
    assert stream.getvalue() == first + last + "\r" + " " * (len(last) - 1) + "\r"
    line.end()
    assert stream.getvalue().endswith(" \r")


def test_a_shorter_line_covers_the_longer_one(clock):
    stream = io.StringIO()
    line = Line(stream)
    line.begin("hashing much", 0)
    clock.now += 2
    line.advance(0)
    line.begin("x", 0)
    clock.now += 2
    line.advance(0)
    first, second = stream.getvalue().split("\r")[1:]
    assert len(second) == len(first)
    assert second.startswith("x 100 %")


def test_more_than_all_is_all(clock):
    line = Line(io.StringIO())
    line.begin("hashing", 10)
    line.advance(20)
    assert line.text() == "hashing 100 %  20 B of 10 B"


def test_silence():
    SILENT.begin("x", 1)
    SILENT.advance(1)
    SILENT.end()


@pytest.mark.parametrize(
    ("size", "words"),
    [(0, "0 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (3 * 2**30, "3.0 GiB"), (5 * 2**50, "5120.0 TiB")],
)
def test_sizes_in_words(size, words):
    assert in_words(size) == words
