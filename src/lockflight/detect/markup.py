"""Text in HTML and Markdown that a browser does not show and a model reads.

Comments, elements and attributes that hide their text, link definitions and titles of Markdown that never appear. The
reader is no HTML parser: it takes every way to read a text that hides something, since a loader of documents may take
any of them. Sources: HTML Living Standard (13.1.6 comments, 6.1 hidden), CSS 2.2 (display, visibility), CommonMark 0.31
(4.7 link reference definitions, 6.4 images), OWASP LLM01:2025 (indirect injection).
"""

from __future__ import annotations

import html
import re
from typing import TYPE_CHECKING, Final

from lockflight.core.records import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterator

#: More of one hidden text is not read: it is reported all the same.
MAX_TEXT: Final = 20_000
#: Shorter texts tell nobody what to do.
_MIN_WORDS: Final = 3

_TAG: Final = re.compile(r"<([A-Za-z][A-Za-z0-9-]{0,30})((?:\s[^<>]{0,4000})?)/?>")
_ANY_TAG: Final = re.compile(r"</?[A-Za-z!][^<>]{0,4000}>")
_STYLE: Final = re.compile(r"style\s*=\s*(?:\"([^\"]*)\"|'([^']*)'|([^\s>]+))", re.IGNORECASE)
_ATTRIBUTE: Final = re.compile(
    r"\b(alt|title|aria-label|data-[a-z-]{1,30}|content|placeholder)\s*=\s*(?:\"([^\"]{12,})\"|'([^']{12,})')",
    re.IGNORECASE,
)
_HIDDEN_FLAG: Final = re.compile(
    r"(?:^|\s)(?:hidden(?=[\s=/]|$)|aria-hidden\s*=\s*[\"']?true)", re.IGNORECASE
)
_HIDING: Final = re.compile(
    r"display\s*:\s*none|visibility\s*:\s*(?:hidden|collapse)|opacity\s*:\s*0?(?:\.0\d*)?\s*(?:;|!|$)"
    r"|font-size\s*:\s*(?:0|0?\.\d+|1px)\s*(?:px|pt|em|rem|%)?\s*(?:;|!|$)"
    r"|(?:left|top|right|text-indent|margin-left)\s*:\s*-\d{3,}"
    r"|clip(?:-path)?\s*:\s*(?:rect\(\s*0|inset\(\s*(?:50|100)%)|(?:width|height)\s*:\s*0(?:px)?\s*(?:;|!|$)"
    r"|transform\s*:\s*scale\(\s*0\s*\)|color\s*:\s*transparent",
    re.IGNORECASE,
)
_COLOUR: Final = re.compile(r"(?<![\w-])color\s*:\s*([^;!]{1,40})", re.IGNORECASE)
_GROUND: Final = re.compile(r"background(?:-color)?\s*:\s*([^;!]{1,60})", re.IGNORECASE)
_WHITE: Final = frozenset({"white", "#fff", "#ffffff", "#fefefe", "rgb(255,255,255)", "rgba(255,255,255,1)"})
#: Elements whose text no browser shows.
_SILENT: Final = frozenset({"template", "noscript", "noembed", "noframes", "script", "style", "head"})
_VOID: Final = frozenset(
    {"img", "input", "meta", "br", "hr", "link", "area", "source", "embed", "track", "wbr"}
)
_MARKDOWN: Final = re.compile(
    r"^ {0,3}\[(?:[^\]\\\n]{1,200})\]:[ \t]*(?:#|<>|\S{1,300})[ \t]+"
    r"(?:\"([^\"\n]{1,4000})\"|'([^'\n]{1,4000})'|\(([^)\n]{1,4000})\))[ \t]*$",
    re.MULTILINE,
)
_IMAGE: Final = re.compile(r"!\[([^\]\n]{12,2000})\]\(")


@dataclass(frozen=True, slots=True)
class HiddenText:
    """A text that readers do not see.

    Attributes:
        way: how it is hidden: comment, element, attribute, definition, image.
        offset: index where it begins.
        text: what it says, at most `MAX_TEXT` characters, without tags and references.
    """

    way: str
    offset: int
    text: str


def find_hidden_text(text: str, *, start: int = 0) -> Iterator[HiddenText]:
    """Hidden texts of three words or more, in the order in which each way finds them.

    Args:
        text: HTML, Markdown, or anything that may hold some.
        start: added to every offset.
    """
    if "<" in text:
        yield from _comments(text, start)
        yield from _elements(text, start)
    if "[" in text:
        for found in _MARKDOWN.finditer(text):
            yield from _worth(
                "definition", found.start(), next(g for g in found.groups() if g is not None), start
            )
        for found in _IMAGE.finditer(text):
            yield from _worth("image", found.start(), found[1], start)


def _worth(way: str, offset: int, text: str, start: int) -> Iterator[HiddenText]:
    words = " ".join(html.unescape(_ANY_TAG.sub(" ", text[:MAX_TEXT])).split())
    if words.count(" ") + 1 >= _MIN_WORDS or not words.isascii():
        yield HiddenText(way, start + offset, words)


def _comments(text: str, start: int) -> Iterator[HiddenText]:
    at = text.find("<!--")
    while at >= 0:
        end = text.find("-->", at + 4)
        stop = len(text) if end < 0 else end
        yield from _worth("comment", at, text[at + 4 : min(stop, at + 4 + MAX_TEXT)], start)
        at = text.find("<!--", stop)


def _elements(text: str, start: int) -> Iterator[HiddenText]:
    until = 0
    for found in _TAG.finditer(text):
        name, attributes = found[1].lower(), found[2]
        for attribute in _ATTRIBUTE.finditer(attributes):
            value = attribute[2] if attribute[2] is not None else attribute[3]
            yield from _worth("attribute", found.start(), value, start)
        if found.start() < until or name in _VOID:
            continue
        if name in _SILENT or _HIDDEN_FLAG.search(attributes) or _hides(attributes):
            until = _end_of(text, name, found.end())
            yield from _worth(
                "element", found.start(), text[found.end() : min(until, found.end() + MAX_TEXT)], start
            )


def _hides(attributes: str) -> bool:
    style = _STYLE.search(attributes)
    if style is None:
        return False
    rules = html.unescape(style[1] or style[2] or style[3] or "")
    if _HIDING.search(rules):
        return True
    colour, ground = _COLOUR.search(rules), _GROUND.search(rules)
    shade = re.sub(r"\s", "", colour[1]).lower() if colour else ""
    return (
        shade in _WHITE if ground is None else bool(shade) and shade in re.sub(r"\s", "", ground[1]).lower()
    )


def _end_of(text: str, name: str, after: int) -> int:
    """Where an element ends: at its own end tag, counting those of the same name inside; without one, with the text."""
    depth, at = 1, after
    for found in re.finditer(
        rf"<(/?){re.escape(name)}(?=[\s/>])", text[after : after + 4 * MAX_TEXT], re.IGNORECASE
    ):
        depth += -1 if found[1] else 1
        if depth == 0:
            return after + found.start()
        at = after + found.end()
    return at if depth == 0 else len(text)
