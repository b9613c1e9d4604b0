"""MinHash: its estimate is near the true similarity, and texts that are nearly the same meet in a band."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from lockflight.detect.similar import BINS, bands, digest_of, signature, similarity, words_of

WORDS = [f"w{i}" for i in range(400)]


def text(dice: random.Random, size: int) -> list[str]:
    return [dice.choice(WORDS) for _ in range(size)]


def jaccard(a: list[str], b: list[str]) -> float:
    def shingles(words: list[str]) -> set[tuple[str, ...]]:
        return {tuple(words[i : i + 3]) for i in range(len(words) - 2)}

    one, two = shingles(a), shingles(b)
    return len(one & two) / len(one | two)


def test_the_estimate_is_near_the_truth():
    dice = random.Random(3)
    errors = []
    for _ in range(300):
        size = dice.choice([8, 20, 60, 300])
        a = text(dice, size)
        b = list(a)
        for _ in range(dice.randrange(0, max(2, size // 3))):
            b[dice.randrange(size)] = dice.choice(WORDS)
        errors.append(similarity(signature(a), signature(b)) - jaccard(a, b))
    mean = sum(errors) / len(errors)
    spread = (sum((e - mean) ** 2 for e in errors) / len(errors)) ** 0.5
    assert abs(mean) < 0.02
    assert spread < 0.07, spread


def test_near_texts_meet_and_far_ones_seldom():
    dice = random.Random(4)
    met = apart = 0
    for _ in range(200):
        a = text(dice, 120)
        near = list(a)
        near[60] = "other"
        met += bool(set(bands(signature(a))) & set(bands(signature(near))))
        apart += bool(set(bands(signature(a))) & set(bands(signature(text(dice, 120)))))
    assert met == 200
    assert apart <= 2


def test_case_and_punctuation_do_not_matter():
    assert digest_of(words_of("The quick, brown fox!")) == digest_of(words_of("the QUICK brown  fox"))
    assert signature(words_of("too few words")) is None


@given(st.lists(st.text(min_size=1, max_size=6), min_size=8, max_size=60))
def test_a_text_is_like_itself(words):
    found = signature(words)
    assert similarity(found, found) == 1.0
    assert len(found) == BINS
    assert len(bands(found)) * 4 == BINS
