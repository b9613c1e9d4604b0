"""Did you mean: the known word that a mistyped one is closest to. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


def closest(word: str, known: Iterable[str]) -> str:
    """The known word that `word` was probably meant to be; empty when none is close."""
    import difflib  # only for what was mistyped: `verify` reads a manifest too, and starts fast

    names = list(known)
    found = difflib.get_close_matches(word, names, n=1)
    if not found:
        lower = {name.lower(): name for name in names}
        found = [lower[w] for w in difflib.get_close_matches(word.lower(), list(lower), n=1)]
    if not found:
        starts = [name for name in names if word and name.startswith(word)]
        found = starts if len(starts) == 1 else []
    return found[0] if found else ""


def did_you_mean(word: str, known: Iterable[str], *, otherwise: str = "") -> str:
    """`Did you mean X?`, or `otherwise` when nothing is close."""
    found = closest(word, known)
    return f"Did you mean {found}?" if found else otherwise
