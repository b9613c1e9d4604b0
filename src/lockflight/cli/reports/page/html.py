"""A few lines of HTML: elements as functions, where every text is escaped unless it is made of elements."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING

from lockflight.cli.reports.visible import MAX_CHARS, pieces

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

#: Elements without an end.
_VOID = frozenset({"meta"})


class Markup(str):
    """Text that is HTML already. Only this module makes it out of anything but its own elements."""

    __slots__ = ()


def words(text: str, most: int = MAX_CHARS) -> Markup:
    """A text, escaped; hidden characters are named and marked."""
    return Markup(
        "".join(
            f'<b class="hidden">{html.escape(part)}</b>' if hidden else html.escape(part)
            for part, hidden in pieces(text, most)
        )
    )


def join(parts: Iterable[str]) -> Markup:
    """Parts after each other; texts among them are escaped."""
    return Markup("".join(part if isinstance(part, Markup) else words(part) for part in parts))


def el(tag: str, *content: str, **attributes: str | None) -> Markup:
    """One element.

    Args:
        tag: its name.
        content: elements stay as they are, texts are escaped.
        attributes: `class_` stands for `class`, `data_l` for `data-l`; None leaves one out, "" gives it no value.
    """
    named = "".join(
        f" {key.rstrip('_').replace('_', '-')}"
        + (f'="{html.escape("".join(part for part, _ in pieces(value)))}"' if value else "")
        for key, value in attributes.items()
        if value is not None
    )
    if tag in _VOID:
        return Markup(f"<{tag}{named}>")
    return Markup(f"<{tag}{named}>{join(content)}</{tag}>")


def name(text: str) -> Markup:
    """A name out of the release or its evidence: set apart, so that it cannot reorder what stands beside it."""
    return el("bdi", words(text, 400), class_="name")


def prose(text: str) -> Markup:
    """A sentence of ours; what stands between backticks is set as code."""
    parts = text.split("`")
    if len(parts) % 2 == 0:
        return words(text)
    return join(el("code", part) if i % 2 else part for i, part in enumerate(parts))


def commands(*lines: str) -> Markup:
    """Commands to type, one a line."""
    return el("pre", *(part for line in lines for part in (words(line), Markup("\n"))))


def table(heads: Sequence[str], rows: Iterable[tuple[str | None, Sequence[str]]]) -> Markup:
    """A table; on a narrow screen each cell carries the head of its column.

    Args:
        heads: of the columns.
        rows: the id of a row, or None, and its cells.
    """
    head = el("tr", *(el("th", head, scope="col") for head in heads))
    body = [
        el(
            "tr",
            *(el("td", el("div", cell), data_l=head) for head, cell in zip(heads, cells, strict=True)),
            id=anchor,
        )
        for anchor, cells in rows
    ]
    return el("table", el("thead", head), el("tbody", *body))


def fold(summary: str, *content: str, unfolded: bool) -> Markup:
    """A part that the reader can open and close without any script."""
    return el("details", el("summary", summary), *content, open="" if unfolded else None)
