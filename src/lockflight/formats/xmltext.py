"""XML beside a model: documents that make their reader open other files or addresses, or fill its memory."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from lockflight.core.findings import Verdict
from lockflight.formats.plaintext import check_text
from lockflight.formats.report import Issue, Issues, shown

if TYPE_CHECKING:
    from lockflight.core.source import ByteSource

#: How far from its start the type of a document is looked for: it stands before the first element.
_HEAD: Final = 1024 * 1024
_ENCODING: Final = re.compile(rb"""\A(?:\xef\xbb\xbf)?<\?xml[^>]*?\sencoding\s*=\s*["']([^"']{1,64})["']""")
_ENCODINGS: Final = frozenset(
    {b"utf-8", b"utf8", b"us-ascii", b"ascii", b"iso-8859-1", b"latin1", b"windows-1252"}
)
#: One that does not end is taken to the end, and stays: nobody looks for its end again from within.
_COMMENT: Final = re.compile(rb"(<!--.*?)(?:-->|\Z)", re.DOTALL)
_EXTERNAL: Final = re.compile(
    rb"""<!ENTITY\s+(?:%\s*)?([^\s"'>]{1,200})\s+(?:SYSTEM|PUBLIC\s+(?:"[^"]*"|'[^']*'))\s*["']?([^"'>]{0,200})"""
)
_INTERNAL: Final = re.compile(rb"""<!ENTITY\s+(%\s*)?([^\s"'>]{1,200})\s+("[^"]*"|'[^']*')""")
_ENTITY: Final = re.compile(rb"<!ENTITY\b")
_DOCTYPE: Final = re.compile(rb"""<!DOCTYPE\s+[^\s\[>]+\s+SYSTEM\s*["']([^"']{0,400})""")


def check_xml(source: ByteSource) -> tuple[Issue, ...]:
    """What reading the document fetches or expands: entities from elsewhere, entities made of entities."""
    issues = Issues()
    issues.extend(check_text(source))
    data = source.read_at(0, _HEAD)
    encoding = _ENCODING.match(data)
    if encoding is not None and encoding.group(1).lower() not in _ENCODINGS:
        name = encoding.group(1).decode("ascii", "replace")
        message = f"It says that it is written in {shown(name)}: readers see another document than this one."
        issues.add(Issue("xml:encoding", Verdict.UNKNOWN, message, subject=name))
    data = _COMMENT.sub(lambda m: m.group() if m.end() == m.end(1) else b"", data)
    declared = len(_ENTITY.findall(data))
    understood = 0
    for match in _EXTERNAL.finditer(data):
        understood += 1
        target = match.group(2).decode("utf-8", "replace")
        message = f"An entity takes in what lies elsewhere: {shown(target)}."
        issues.add(Issue("xml:entity", Verdict.MALICIOUS, message, subject=target))
    for match in _INTERNAL.finditer(data):
        understood += 1
        name = match.group(2).decode("utf-8", "replace")
        # A percent sign takes parts of a declaration in; an ampersand makes entities of entities, which grow.
        if match.group(1) or b"&" in match.group(3) or b"%" in match.group(3):
            message = f"The entity {shown(name)} is made of others, which readers expand without end."
            issues.add(Issue("xml:expansion", Verdict.UNKNOWN, message, subject=name))
    if understood != declared:
        message = "It declares entities in a way that is not read here."
        issues.add(Issue("xml:expansion", Verdict.UNKNOWN, message))
    for match in _DOCTYPE.finditer(data):
        target = match.group(1).decode("utf-8", "replace")
        if target != "about:legacy-compat" and (
            ":" in target or target.startswith(("/", "\\")) or ".." in target
        ):
            message = f"Its type is described elsewhere, and a reader may fetch that: {shown(target)}."
            issues.add(Issue("xml:doctype", Verdict.UNKNOWN, message, subject=target))
    return issues.frozen()
