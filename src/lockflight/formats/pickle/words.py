"""How a stream, or a text of NumPy in it, writes a word that must not be an attribute, and the quick way to see none.

Nearly no file has any of these words, and there are thirty ways to write them: one pattern looks for the part that
these have in common, and only where it finds something is each of them looked for.
"""

from __future__ import annotations

import re
from typing import Final

from lockflight.formats.pickle.attributes import WORDS

_WIDE_ZEROS: Final = b"\0\0\0"


def _marks() -> re.Pattern[bytes]:
    """Every word, as bytes and with the zeros of UTF-32 between them.

    The first underscore comes first, since a pattern that begins with one literal byte is looked for at the speed of
    memory; what stands before it is looked back at.
    """
    forms = []
    for word in sorted(WORDS):
        for gap in (b"", _WIDE_ZEROS):
            before, mark, after = gap.join(bytes([byte]) for byte in word.encode()).partition(b"_")
            back = b"(?<=" + re.escape(before + mark) + b")" if before else b""
            forms.append(back + re.escape(after))
    return re.compile(b"_(?:" + b"|".join(forms) + b")")


#: Found in every bytes that hold one of `WORDS` in any form; in others hardly ever.
MARKS: Final = _marks()

#: Each word: itself, what texts of NumPy make of it, and how opcodes write a string that is the word.
_FORMS: Final = {
    word: (
        word.encode(),
        (word.encode("utf-32-le"), word.encode("utf-32-be")),
        (
            *(
                code + len(word).to_bytes(width, "little") + word.encode()
                for code, width in ((b"\x8c", 1), (b"X", 4), (b"\x8d", 8), (b"U", 1), (b"T", 4))
            ),
            b"V" + word.encode() + b"\n",
            b"S'" + word.encode() + b"'",
            b'S"' + word.encode() + b'"',
        ),
    )
    for word in sorted(WORDS)
}


def words_in(window: bytes, over: bytes) -> set[str]:
    """Which of `WORDS` are strings of a stream in one of two parts of it."""
    if MARKS.search(window) is None and (not over or MARKS.search(over) is None):
        return set()
    found = set()
    for word, (plain, wide, forms) in _FORMS.items():
        if any(form in window or form in over for form in wide) or (
            (plain in window or plain in over) and any(form in window or form in over for form in forms)
        ):
            found.add(word)
    return found


def words_said(said: bytes) -> set[str]:
    """Which of `WORDS` a string is that was written with escapes; also one that becomes a text of NumPy."""
    if MARKS.search(said) is None:
        return set()
    return {
        word
        for word, (plain, wide, _) in _FORMS.items()
        if said == plain or any(form in said for form in wide)
    }
