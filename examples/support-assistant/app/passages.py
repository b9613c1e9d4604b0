"""Cuts the knowledge base into passages: one for each section of a page."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Passage:
    """A section of a page: `source` is the page's path in the release, `title` its heading."""

    source: str
    title: str
    text: str

    @property
    def embedded_text(self) -> str:
        """What is embedded: the heading belongs to the meaning of a section."""
        return f"{self.title}. {self.text}"


def read_pages(folder: Path) -> list[Passage]:
    """Cut every Markdown page of `folder`, in the order of their names."""
    passages: list[Passage] = []
    for page in sorted(folder.glob("*.md")):
        passages += split_page(f"{folder.name}/{page.name}", page.read_text(encoding="utf-8"))
    return passages


def split_page(source: str, markdown: str) -> list[Passage]:
    """Cut one page: `# Page` and `## Section` headings name the passages, blank lines only part lines."""
    passages: list[Passage] = []
    page = section = ""
    lines: list[str] = []

    def flush() -> None:
        if lines:
            title = f"{page}: {section}" if section else page
            passages.append(Passage(source, title, " ".join(lines)))
            lines.clear()

    for raw in markdown.splitlines():
        line = raw.strip()
        if line.startswith("# "):
            flush()
            page, section = line[2:].strip(), ""
        elif line.startswith("## "):
            flush()
            section = line[3:].strip()
        elif line:
            lines.append(line)
    flush()
    return passages
