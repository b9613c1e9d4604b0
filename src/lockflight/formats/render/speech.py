"""What a template says of its own: words and their neighbours, in any script, without the marks of turns."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from lockflight.formats.render.questions import MARKS, WORDS
from lockflight.formats.render.values import words

if TYPE_CHECKING:
    from collections.abc import Iterator

Pair = tuple[str, str]

#: Words of which the marks of turns, tools and media are made; any other word in a mark is said.
_MARKING: Final = words(
    """
    user assistant system developer tool tools function functions im start end sep header id role turn bos eos of
    text message messages name content contents think thinking thought thoughts reasoning call calls response
    responses result results output outputs input observation image images video audio pad vision box img quad
    object ref fim prefix middle suffix file files document documents doc available begin eot eom python tag
    instruction instructions human gpt bot channel analysis commentary final constrain json arg args key value
    param parameter parameters arguments argument invoke inst sys model media ipython environment context query
    answer unk mask gmask sop eop no nothink declare section interpreter code plugin action step assist to gate
    latest reminder separator list string object array number integer boolean float null any enum type xml item
    title index date knowledge prompt question chatbot
    token space beg eoa eoh soc eoc eod inference control control11 minimal medium high low budget effort mode
    """
)
#: What is said by nobody of its own: these, and the ends of a phrase.
PLAIN: Final = _MARKING | {"^", "$", "url"}
#: A word as people see it: with humps taken apart, and characters of scripts that put no space between words.
_ALONE: Final = (
    r"\u0e00-\u0fff\u1000-\u109f\u1780-\u17ff\u2e80-\ua4cf\uac00-\ud7ff\uf900-\ufaff"
    r"\U00020000-\U0003ffff"
)
_PART: Final = re.compile(
    f"[{_ALONE}]|[A-Z]?[a-z\u00aa-\u024f]+|[A-Z]+(?![a-z\u00aa-\u024f])|[^A-Za-z\u00aa-\u024f{_ALONE}]+"
)
#: Numbers of several digits may stand for letters.
_RUN: Final = re.compile(f"{WORDS.pattern}|[0-9]{{2,}}")
_LONGEST: Final = 16
_CUT: Final = 8


def split_words(text: str) -> list[str]:
    """The words of a text in lower case."""
    found: list[str] = []
    # The wide bar is that of marks.
    for run in _RUN.findall(text.replace("\uff5c", " ")):
        for part in _PART.findall(run) if not run.islower() or not run.isascii() else (run,):
            word = part.lower()
            if len(word) <= _LONGEST:
                found.append(word)
            else:
                found += [word[i : i + _CUT] for i in range(0, len(word), _CUT)]
    return found


def phrases(text: str) -> Iterator[list[str]]:
    """Words that stand together: between marks, and in marks what is no mark's own."""
    at = 0
    for mark in MARKS.finditer(text):
        yield split_words(text[at : mark.start()])
        yield [word for word in split_words(mark.group()) if word not in _MARKING]
        at = mark.end()
    yield split_words(text[at:])


def neighbours(written: str) -> dict[Pair, int]:
    """Each pair of neighbouring words, with how often it stands there; ends of phrases are neighbours, too."""
    found: dict[Pair, int] = {}
    for part in written.split("\0"):
        for phrase in phrases(part):
            if phrase:
                for pair in pairwise(["^", *phrase, "$"]):
                    found[pair] = found.get(pair, 0) + 1
    return found


def own(text: str) -> list[str]:
    """The words of a text that no mark and no role has."""
    return [
        word for phrase in phrases(text) for word in phrase if word not in _MARKING and not word.isdigit()
    ]
