"""Plain text beside a model: vocabularies, merges, YAML and TOML configurations."""

from __future__ import annotations

import codecs
import re
from typing import TYPE_CHECKING, Final

from lockflight.core.findings import Verdict
from lockflight.formats.report import Issue, Issues, shown
from lockflight.formats.targets import harmful

if TYPE_CHECKING:
    from lockflight.core.source import ByteSource

_CHUNK = 1024 * 1024
MAX_YAML = 16 * 1024 * 1024
#: C0 controls that no text has; tab, line feed, form feed, carriage return and escape are let through.
CONTROLS = frozenset(range(0x20)) - {0x09, 0x0A, 0x0C, 0x0D, 0x1B} | {0x7F}
_PERCENT: Final = re.compile(rb"%([0-9A-Fa-f]{2})")
_ESCAPE: Final = re.compile(rb"\\(x[0-9A-Fa-f]{2}|u[0-9A-Fa-f]{4}|U[0-9A-Fa-f]{8})")
_CONTROLS: Final = bytes(sorted(CONTROLS))

#: Characters that are not seen: controls, spaces but the plain one, marks of direction, surrogates, private use.
#: Written out, since what `str.isprintable` says of a character depends on the version of Python.
_HIDDEN: Final = re.compile(
    "[\x00-\x1f\x7f-\xa0\xad\u0600-\u0605\u061c\u06dd\u070f\u1680\u180e\u2000-\u200f\u2028-\u202f\u205f-\u206f"
    "\u3000\ud800-\uf8ff\ufeff\ufff9-\uffff\U000e0000-\U000e0fff\U000f0000-\U0010ffff]"
)
_PYTHON_TAG: Final = re.compile(rb"!!?python\b|tag:yaml\.org,2002:python|!<[^>]*python|^%TAG\b", re.MULTILINE)
#: Tags may be written with percent signs, and keys in quotes with escapes.
_ESCAPED_TAG: Final = re.compile(rb"!{1,2}[^\s\[\]{}!]{0,200}%[0-9A-Fa-f]{2}[^\s\[\]{}!]{0,200}")
_ESCAPED_TEXT: Final = re.compile(rb'"(?:[^"\\\n]|\\.){0,200}"')
_TARGET: Final = re.compile(
    rb"""(?:^[ \t-]*|[{,][ \t\r\n]*|[?&!]\S{0,80}[ \t]+)["']?_target_["']?[ \t]*:[ \t\r\n]*["']?([\w.]{1,200})""",
    re.MULTILINE,
)
#: What asks for a name of Python and calls nothing, in the settings of programs that write pages.
_PAGES: Final = re.compile(rb"!!?python/name:(?:materialx?|pymdownx|mermaid2|mkdocs\w*|slugs|callouts)\.")


def hidden(text: str) -> bool:
    """Whether a text holds a character that is not seen."""
    return _HIDDEN.search(text) is not None


def check_text(source: ByteSource) -> tuple[Issue, ...]:
    """Whether a whole file is UTF-8 text without control characters."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    at = 0
    while True:
        data = source.read_at(at, _CHUNK)
        try:
            decoder.decode(data, final=not data)
        except UnicodeDecodeError:
            return (
                Issue("file:text", Verdict.UNKNOWN, "The file is no UTF-8 text all the way through.", at),
            )
        if len(data.translate(None, _CONTROLS)) != len(data):
            message = "The file holds control characters that no text has."
            return (Issue("file:text", Verdict.UNKNOWN, message, at),)
        if not data:
            return ()
        at += len(data)


def check_yaml(source: ByteSource) -> tuple[Issue, ...]:
    """Text that is YAML: tags by which unsafe loaders build objects, keys by which frameworks import."""
    issues = Issues()
    issues.extend(check_text(source))
    if source.size > MAX_YAML:
        message = f"The file is larger than the {MAX_YAML >> 20} MiB of YAML that are read."
        return (Issue("json:budget", Verdict.UNKNOWN, message),)
    data = _plain(source.read_at(0, source.size))
    tags = list(_PYTHON_TAG.finditer(data))
    if tags:
        pages = all(_PAGES.match(data, tag.start()) for tag in tags)
        verdict = Verdict.REVIEW if pages else Verdict.MALICIOUS
        message = "A tag asks the loader to build Python objects."
        issues.add(Issue("yaml:tag", verdict, message, tags[0].start()))
    for target in _TARGET.finditer(data):
        if data[data.rfind(b"\n", 0, target.start(1)) + 1 : target.start(1)].lstrip().startswith(b"#"):
            continue
        name = target.group(1).decode("ascii", "replace")
        verdict = Verdict.MALICIOUS if harmful(name) else Verdict.REVIEW
        message = f"Its _target_ names something for the loader to import and call: {shown(name)}."
        issues.add(Issue("config:target", verdict, message, target.start(), subject=name))
    return issues.frozen()


def _plain(data: bytes) -> bytes:
    """The document with what stands in it as escapes written out, where that makes a tag or key of it."""

    def tag(match: re.Match[bytes]) -> bytes:
        return _PERCENT.sub(lambda m: bytes([int(m.group(1), 16)]), match.group())

    def text(match: re.Match[bytes]) -> bytes:
        if b"\\" not in match.group():
            return match.group()
        return _ESCAPE.sub(lambda m: _character(m.group(1)[1:]), match.group())

    data = _ESCAPED_TAG.sub(tag, data) if b"%" in data else data
    return _ESCAPED_TEXT.sub(text, data) if b"\\" in data else data


def _character(digits: bytes) -> bytes:
    value = int(digits, 16)
    # What would end the text, or the line that it is in, stays an escape.
    return bytes([value]) if 0x20 < value < 0x7F and value not in b'"\\' else b"\\x" + digits
