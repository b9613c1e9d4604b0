"""What a code means: the entries of `_data/codes`, found by code or by words. Offline."""

from __future__ import annotations

import re
import tomllib
from importlib.resources import files

from lockflight.core.records import dataclass
from lockflight.core.text.suggest import did_you_mean
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


def explain(text: str) -> list[Entry]:
    """The entries of some codes, or every entry whose title or text holds the words.

    Raises:
        NotFound: LF0201 no such code, or nothing holds the words.
    """
    wanted = text.replace(",", " ").split()
    codes = [f"LF{named[1]}" for word in wanted if (named := _CODE.fullmatch(word)) is not None]
    if codes and len(codes) == len(wanted):
        return [_entry(code) for code in dict.fromkeys(codes)]
    wanted = text.lower().split()
    found = [
        e for e in entries().values() if wanted and all(w in f"{e.title} {e.why}".lower() for w in wanted)
    ]
    if not found:
        hint = did_you_mean(text.upper(), entries(), otherwise="lockflight explain CODE explains one code.")
        raise NotFound("LF0201", f"No code is about {text!r}.", hint=hint)
    return found


def _entry(code: str) -> Entry:
    entry = entries(code[2]).get(code)
    if entry is None:
        near = _nearest(code)
        hint = f"Did you mean {near}?" if near else "lockflight explain WORD looks for codes by words."
        raise NotFound("LF0201", f"There is no code {code}.", hint=hint)
    return entry


def _nearest(code: str) -> str:
    """The known code that differs in one digit, the nearest number of several; empty if there is none."""
    close = [known for known in entries() if sum(a != b for a, b in zip(code, known, strict=True)) == 1]
    return min(close, key=lambda known: abs(int(code[2:]) - int(known[2:])), default="")
