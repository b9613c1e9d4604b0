"""Texts that say nearly the same, found without comparing each with each.

MinHash by one permutation: every shingle of three words is hashed once, the hashes are dealt into bins, and the
smallest of each bin is kept; an empty bin borrows from another one, by a fixed way through all of them (Li, Owen,
Zhang 2012; Shrivastava 2017). Of two texts, the share of bins that agree estimates the Jaccard similarity of their
shingles: with 128 shingles or more at a standard error of at most 0.045, with few at a larger one. Texts whose
signatures agree in a whole band become candidates (Leskovec, Rajaraman, Ullman, Mining of Massive Datasets, 3.4).
"""

from __future__ import annotations

import re
from hashlib import blake2b
from typing import Final

BINS: Final = 128
#: Four bins each: two texts of similarity 0.8 meet in one of them with a probability of 1 - 5e-8.
BANDS: Final = 32
_ROWS: Final = BINS // BANDS
SIMILAR: Final = 0.8
_SHINGLE: Final = 3
#: Fewer words make no shingles worth comparing.
MIN_WORDS: Final = 8
_WORD: Final = re.compile(r"\w+")
_EMPTY: Final = 1 << 32

Signature = tuple[int, ...]


def words_of(text: str) -> list[str]:
    """The words of a text, without case and punctuation."""
    return _WORD.findall(text.casefold())


def digest_of(words: list[str]) -> int:
    """64 bits that are the same for texts of the same words."""
    return int.from_bytes(blake2b(" ".join(words).encode(), digest_size=8).digest(), "big")


def signature(words: list[str]) -> Signature | None:
    """`BINS` numbers of 32 bits that stand for a text; None where it has too few words."""
    if len(words) < MIN_WORDS:
        return None
    bins = [_EMPTY] * BINS
    for shingle in {" ".join(words[i : i + _SHINGLE]) for i in range(len(words) - _SHINGLE + 1)}:
        value = int.from_bytes(blake2b(shingle.encode(), digest_size=8).digest(), "big")
        place, rest = value % BINS, value >> 32
        bins[place] = min(bins[place], rest)
    for place in [place for place, value in enumerate(bins) if value == _EMPTY]:
        # An odd step reaches every bin. What is borrowed is marked by being above all that is not.
        at, step = place * 37, (place * 90 | 1) % BINS
        while bins[at % BINS] >= _EMPTY:
            at += step
        bins[place] = _EMPTY + bins[at % BINS]
    return tuple(value % _EMPTY for value in bins)


def similarity(a: Signature, b: Signature) -> float:
    """Estimated Jaccard similarity of the shingles, 0 to 1."""
    return sum(map(int.__eq__, a, b)) / BINS


def bands(found: Signature) -> list[int]:
    """One number for each band of a signature; two texts with an equal one may be similar."""
    return [hash((band, *found[band * _ROWS : (band + 1) * _ROWS])) for band in range(BANDS)]
