from __future__ import annotations

import pickle

import pytest

from lockflight.formats.pickle.attributes import WORDS
from lockflight.formats.pickle.words import words_in, words_said

BORDER = b"\x94\x8c\x01_"


@pytest.mark.parametrize("word", sorted(WORDS))
@pytest.mark.parametrize("protocol", range(6))
def test_a_word_is_seen_in_every_protocol(word, protocol):
    stream = pickle.dumps({word: 1}, protocol)
    assert words_in(stream, b"") == {word}
    assert words_in(b"", stream) == {word}


@pytest.mark.parametrize("word", sorted(WORDS))
@pytest.mark.parametrize("encoding", ["utf-32-le", "utf-32-be"])
@pytest.mark.parametrize("around", [b"", BORDER, bytes(7)])
def test_a_word_is_seen_in_a_text_of_numpy(word, encoding, around):
    wide = word.encode(encoding)
    assert words_in(around + wide + around, b"") == {word}
    assert words_said(around + wide + around) == {word}


@pytest.mark.parametrize("word", sorted(WORDS))
@pytest.mark.parametrize(
    "form",
    [
        b"\x8c%c%s",
        b"X%c\0\0\0%s",
        b"\x8d%c\0\0\0\0\0\0\0%s",
        b"U%c%s",
        b"T%c\0\0\0%s",
    ],
)
def test_a_word_is_seen_as_each_counted_string(word, form):
    assert words_in(BORDER + form % (len(word), word.encode()) + BORDER, b"") == {word}


@pytest.mark.parametrize("word", sorted(WORDS))
def test_a_word_inside_another_is_none(word):
    assert words_in(pickle.dumps([f"a{word}", f"{word}a", word[1:]], 4), b"") == set()
    assert words_said(f"a{word}".encode()) == set()
    assert words_said(word.encode()) == {word}
