"""What a code means: the entries of `_data/codes`, found by code or by words. Offline."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from importlib.resources import files

from lockflight.core.suggest import did_you_mean
from lockflight.errors import NotFound

_CODE = re.compile(r"(?:LF)?(\d{4})", re.IGNORECASE | re.ASCII)


@dataclass(frozen=True, slots=True)
class Entry:
    """What is known about a code.

    Attributes:
        code: `LF` and four digits.
        title: a few words.
        exit: exit code of a command that ends with it.
        why: what happened and why that matters.
        fix: what to do.
    """

    code: str
    title: str
    exit: int
    why: str
    fix: str


def entries(first: str = "") -> dict[str, Entry]:
    """Every entry, in order; or those of one file, by the first digit of its codes."""
    found: dict[str, Entry] = {}
    folder = files("lockflight").joinpath("_data", "codes")
    for file in sorted(folder.iterdir(), key=lambda f: f.name):
        if file.name.endswith(".toml") and file.name.startswith(f"LF{first}"):
            for code, raw in tomllib.loads(file.read_text(encoding="utf-8")).items():
                found[code] = Entry(code, raw["title"], raw["exit"], raw["why"].strip(), raw["fix"].strip())
    return found


def explain(word: str) -> list[Entry]:
    """The entry of a code, or every entry whose title or text holds the words.

    Raises:
        NotFound: LF0201 no such code, or nothing holds the words.
    """
    named = _CODE.fullmatch(word.strip())
    if named is not None:
        code = f"LF{named[1]}"
        entry = entries(named[1][0]).get(code)
        if entry is not None:
            return [entry]
        raise NotFound("LF0201", f"There is no code {code}.", hint=f"Did you mean {_nearest(code)}?")
    wanted = word.lower().split()
    found = [
        e for e in entries().values() if wanted and all(w in f"{e.title} {e.why}".lower() for w in wanted)
    ]
    if not found:
        hint = did_you_mean(word.upper(), entries(), otherwise="lockflight explain CODE explains one code.")
        raise NotFound("LF0201", f"No code is about {word!r}.", hint=hint)
    return found


def _nearest(code: str) -> str:
    """The known code that shares the longest start, then the nearest number."""

    def distance(known: str) -> tuple[int, int]:
        shared = next((i for i, (a, b) in enumerate(zip(code, known, strict=True)) if a != b), len(code))
        return -shared, abs(int(code[2:]) - int(known[2:]))

    return min(entries(), key=distance)
