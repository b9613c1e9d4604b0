"""Colour, marks, columns, progress."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockflight.cli.progress import Counted
from lockflight.cli.style import Style, clean, count, short, table, visible


class Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self):
        return True


@pytest.mark.parametrize(
    ("stream", "environ", "colour"),
    [
        (Terminal(), {}, True),
        (io.StringIO(), {}, False),
        (Terminal(), {"NO_COLOR": "1"}, False),
        (io.StringIO(), {"FORCE_COLOR": "1"}, True),
        (Terminal(), {"NO_COLOR": "1", "FORCE_COLOR": "1"}, False),
        (Terminal(), {"NO_COLOR": ""}, True),
    ],
)
def test_colour(monkeypatch, stream, environ, colour):
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    assert Style.for_stream(stream).colour is colour


def test_marks_without_unicode():
    plain = Style.for_stream(io.TextIOWrapper(io.BytesIO(), encoding="ascii"))
    assert (plain.yes, plain.no, plain.look) == ("ok", "NO", "!")
    wide = Style.for_stream(io.TextIOWrapper(io.BytesIO(), encoding="UTF-8"))
    assert (wide.yes, wide.no) == ("✓", "✗")


def test_columns_do_not_count_colour():
    style = Style(colour=True)
    rows = table([[style.good("a"), "x"], ["bbb", "y"]])
    assert [visible(row) for row in rows] == [6, 6]
    assert table([]) == []


def test_words():
    assert (count(1, "file"), count(2, "file"), count(2, "entry", "entries")) == (
        "1 file",
        "2 files",
        "2 entries",
    )
    assert short("sha256:" + "a" * 64) == short("a" * 64) == "a" * 12


@given(st.text())
def test_clean_text_has_no_controls(text):
    assert clean(text).isprintable()


def test_things_are_counted_as_things():
    line = Counted(io.StringIO())
    line.begin("checking", 12)
    line.advance(3)
    assert line.text() == "checking 3 of 12"
    line.begin("hashing", 2048)
    assert "2.0 KiB" in line.text()
