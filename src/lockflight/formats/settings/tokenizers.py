"""Tokenizers of Hugging Face (`tokenizer.json`): what their steps make of a text, in size and time.

Nothing of it runs code, but each step is data: forty replacements of a character by two make 2^40 of one, a padding to
10^12 asks for that many numbers, and a pattern can take longer than anybody waits.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Final

from lockflight.core.findings import Verdict
from lockflight.formats.report import Issue, Issues

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lockflight.core.canonical import JsonObject, JsonValue

#: Factor by which the steps of one kind may make a text longer.
MAX_GROWTH: Final = 256
#: Tokens to which a text may be padded.
MAX_PADDED: Final = 1 << 20
MAX_STEPS: Final = 256
#: Bytes of a longest replacement in a table of SentencePiece; those of Unicode's own are of 33.
_MAX_MAPPED: Final = 128
_MAX_PIECES: Final = 256
_MAX_DEPTH: Final = 16

#: The parts of a tokenizer whose steps follow each other, and where each has the list of its steps.
STEPS: Final = {
    "normalizer": "normalizers",
    "pre_tokenizer": "pretokenizers",
    "post_processor": "processors",
    "decoder": "decoders",
}
SIZES: Final = ("padding", "truncation")


def check_tokenizer(value: JsonObject, issues: Issues) -> None:
    """Look at the steps and sizes of a document that has any."""
    for part, inner in STEPS.items():
        if isinstance(value.get(part), dict):
            _steps(part, value[part], inner, issues)
    padding, truncation = value.get("padding"), value.get("truncation")
    if isinstance(padding, dict):
        strategy = padding.get("strategy")
        fixed = strategy.get("Fixed") if isinstance(strategy, dict) else 0
        if _number(fixed) > MAX_PADDED or _number(padding.get("pad_to_multiple_of")) > MAX_PADDED:
            _size("pads each text to more tokens than any model takes", "padding", issues)
    if isinstance(truncation, dict):
        longest, stride = _number(truncation.get("max_length")), _number(truncation.get("stride"))
        if longest > 1 << 32:
            _size("cuts texts at a length that no text has", "truncation", issues)
        elif stride and longest > MAX_GROWTH * max(longest - stride, 0):
            _size("cuts a text into pieces that are nearly all of it, each", "stride", issues)


def _size(what: str, subject: str, issues: Issues) -> None:
    issues.add(Issue("tokenizer:size", Verdict.UNKNOWN, f"The tokenizer {what}.", subject=subject))


def _steps(part: str, value: JsonValue, inner: str, issues: Issues) -> None:
    growth = 1.0
    for count, step in enumerate(_flat(value, inner, 0), 1):
        growth *= max(1.0, _growth(step)) if step is not None else MAX_GROWTH + 1
        if growth > MAX_GROWTH or count > MAX_STEPS:
            message = f"The steps of the tokenizer's {part} can make a text many times longer."
            issues.add(Issue("tokenizer:growth", Verdict.UNKNOWN, message, subject=part))
            return


def _flat(value: JsonValue, inner: str, depth: int) -> Iterator[JsonObject | None]:
    """The steps in their order; None for what is none."""
    if depth > _MAX_DEPTH or not isinstance(value, dict):
        yield None
    elif isinstance(value.get(inner), list):
        steps = value[inner]
        for step in steps if isinstance(steps, list) else []:
            yield from _flat(step, inner, depth + 1)
    else:
        yield value


def _growth(step: JsonObject) -> float:
    """By how much a step can make a text longer, at most."""
    kind = step.get("type")
    if kind == "Replace":
        return _replaced(step)
    if kind == "ByteLevel":
        # Each byte of a character becomes one: those of the alphabet that it writes have two.
        return 2
    if kind == "Precompiled":
        return _mapped(step.get("precompiled_charsmap"))
    if kind == "TemplateProcessing":
        return max(_copies(step.get("single"), step), _copies(step.get("pair"), step) / 2)
    return 1


def _replaced(step: JsonObject) -> float:
    content, pattern = step.get("content"), step.get("pattern")
    if not isinstance(content, str) or not isinstance(pattern, dict):
        return 1
    plain = pattern.get("String")
    if isinstance(plain, str):
        return len(content) / len(plain) if plain else MAX_GROWTH + 1.0
    regex = pattern.get("Regex")
    anchored = isinstance(regex, str) and regex.startswith(("\\A", "^")) and "|" not in regex
    return 1 if anchored and len(content) <= MAX_GROWTH else len(content)


def _mapped(value: JsonValue) -> float:
    """A table of SentencePiece: the bytes of a search tree, then replacements, each with a zero behind it."""
    if not isinstance(value, str):
        return 1
    try:
        table = base64.b64decode(value, validate=True)
    except ValueError:
        return 1
    words = table[4 + int.from_bytes(table[:4], "little") :]
    longest = max((len(word) for word in words.split(b"\0")), default=0)
    # One table is what every such tokenizer has; what it makes of a character of Unicode, it leaves as it is.
    return 2 if longest <= _MAX_MAPPED else longest


def _copies(value: JsonValue, step: JsonObject) -> float:
    """How often a template writes the tokens of a text, with tokens of its own."""
    if not isinstance(value, list):
        return 1
    tokens = step.get("special_tokens")
    long = [
        token
        for token in (tokens.values() if isinstance(tokens, dict) else ())
        if isinstance(token, dict) and isinstance(ids := token.get("ids"), list) and len(ids) > _MAX_PIECES
    ]
    copies = sum(isinstance(piece, dict) and "Sequence" in piece for piece in value)
    return MAX_GROWTH + 1.0 if long or len(value) > _MAX_PIECES else copies


def _number(value: JsonValue) -> float:
    return value if isinstance(value, (int, float)) and not isinstance(value, bool) else 0
