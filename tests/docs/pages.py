"""The pages of this repository's documentation, and what is in them."""

from __future__ import annotations

import re
from pathlib import Path

from tests.docs.session import ROOT

#: Generated pages are checked for links and commands too, but not for style.
REFERENCE = ROOT / "docs" / "reference"
PAGES = sorted(
    [
        *ROOT.glob("*.md"),
        *(ROOT / "docs").rglob("*.md"),
        *(ROOT / "examples").rglob("README.md"),
        ROOT / "requirements" / "README.md",
    ]
)
WRITTEN = [page for page in PAGES if not page.is_relative_to(REFERENCE)]

_FENCE = re.compile(r"^```([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_INLINE = re.compile(r"`([^`\n]+)`")


def name(page: Path) -> str:
    """How tests call a page."""
    return page.relative_to(ROOT).as_posix()


def read(page: Path) -> str:
    """The text of a page."""
    return page.read_text(encoding="utf-8")


def blocks(text: str) -> list[tuple[str, str]]:
    """(language, content) of every fenced block."""
    return _FENCE.findall(text)


def prose(text: str) -> str:
    """A page without its fenced blocks."""
    return _FENCE.sub("", text)


def code(text: str) -> list[str]:
    """Everything that is written as code: lines of blocks, and spans."""
    lines = [line for _, content in blocks(text) for line in content.splitlines()]
    return lines + _INLINE.findall(prose(text))


def anchors(text: str) -> set[str]:
    """The anchors that a page offers, as GitHub makes them, and those that it sets itself."""
    found: set[str] = set(re.findall(r'<a id="([^"]+)">', text))
    for title in re.findall(r"^#+ (.+)$", prose(text), re.MULTILINE):
        plain = re.sub(r"[^\w\- ]", "", re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", title).lower())
        slug, number = plain.strip().replace(" ", "-"), 0
        while f"{slug}-{number}" * bool(number) in found or (not number and slug in found):
            number += 1
        found.add(f"{slug}-{number}" if number else slug)
    return found
