"""Words and sentences, and whether a source supports a sentence."""

from __future__ import annotations

import re

_SENTENCE_END = re.compile(r"(?<=[.!?])\s+")
_WORD = re.compile(r"[a-z0-9]+(?:[.,:'@-][a-z0-9]+)*")
_MARKER = re.compile(r"\s*\[\d+\]")
_STOP_WORDS = (
    "a about after an and any are as at be by can do does for from has have how i if in is it its may me must my of "
    "on one or our so than that the their them then there they this to was we what when where which who will with you "
    "your"
)
_STOP = frozenset(_STOP_WORDS.split())
_DENYING_WORDS = "cannot closed except neither never no none nor not nothing only unless unused without"
_DENIALS = frozenset(_DENYING_WORDS.split())
_ENDINGS = ("ing", "ed", "es", "s")
_SHORTEST_STEM = 3


def sentences(text: str) -> list[str]:
    """Cut `text` into whole sentences; a tail without an end was cut off by the token limit and is dropped."""
    parts = [_MARKER.sub("", part).strip() for part in _SENTENCE_END.split(text.strip())]
    return [part for part in parts if part and part[-1] in ".!?"]


def content(text: str) -> set[str]:
    """The stems of the words of `text` that carry meaning."""
    return {_stem(word) for word in _words(text) if word not in _STOP}


def overlap(wanted: set[str], held: set[str]) -> float:
    """Share of `wanted` that `held` has, 0 to 1; 0 when nothing is wanted."""
    return len(wanted & held) / len(wanted) if wanted else 0.0


def support(claim: str, title: str, sentence: str) -> float:
    """How far `sentence`, under the heading `title`, says what `claim` says: 0 to 1.

    It is 0 when only one of the two denies something, and when their numbers differ: "electric bicycle … 200 euros"
    out of a sentence with three prices has all its words and is wrong.
    """
    wanted, held, heading = content(claim), content(sentence), content(title)
    if (wanted ^ held) & _DENIALS or numbers(wanted) - heading != numbers(held) - heading:
        return 0.0
    return overlap(wanted, held | heading)


def numbers(words: set[str]) -> set[str]:
    """Those of `words` that hold a digit."""
    return {word for word in words if any(char.isdigit() for char in word)}


def _words(text: str) -> list[str]:
    return _WORD.findall(text.lower())


def _stem(word: str) -> str:
    for ending in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= _SHORTEST_STEM:
            return word[: -len(ending)]
    return word
