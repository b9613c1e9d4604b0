"""YAML beside a model: tags by which unsafe loaders build objects, keys by which frameworks import and call.

A document in which neither can stand is not read further. Any other one is composed as its loaders do it, so that it
does not matter how a tag or key is spelled: by directives, escapes, block scalars, aliases, or other ends of lines.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from lockflight.core.findings import Verdict
from lockflight.formats.nesting import MAX_DEPTH
from lockflight.formats.plaintext import check_text
from lockflight.formats.report import Issue, Issues, shown
from lockflight.formats.settings.targets import harmful

if TYPE_CHECKING:
    from collections.abc import Iterator

    from yaml.nodes import Node

    from lockflight.core.source import ByteSource

MAX_YAML = 16 * 1024 * 1024
#: What is composed of a document that may hold a tag or such a key; a vocabulary has none.
MAX_COMPOSED: Final = 1024 * 1024
MAX_NODES: Final = 400_000

_STANDARD: Final = "tag:yaml.org,2002:"
_STANDARD_TAGS: Final = frozenset(
    [
        "binary",
        "bool",
        "float",
        "int",
        "map",
        "merge",
        "null",
        "omap",
        "pairs",
        "seq",
        "set",
        "str",
        "timestamp",
        "value",
        "yaml",
    ]
)
#: What asks for a name of Python and calls nothing, in the settings of programs that write pages.
_PAGES: Final = re.compile(r"python/name:(?:materialx?|pymdownx|mermaid2|mkdocs\w*|slugs|callouts)\.")
_TARGET: Final = "_target_"
#: Names that settings of other frameworks import and call; only what no model is built of is said of these.
_CALLED: Final = frozenset({"target", "class_path"})
_DOTTED: Final = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+")
#: Resolvers that compute settings from texts: keys of their own among them.
_DECODERS: Final = frozenset({"oc.decode", "oc.create"})
_INTERPOLATED: Final = re.compile(r"\$\{|[{}:]")
_LONGEST_HEAD: Final = 2000
#: Ends of lines to some readers, and characters to others.
_EXOTIC: Final = re.compile("[\x85\u2028\u2029\ufeff]")
_ESCAPES: Final = re.compile(r"\\(?:x([0-9A-Fa-f]{2})|u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8}))")
_SPACES: Final = re.compile(r"\\[0abtnvfreLPN_ \t]")
_CONTINUED: Final = re.compile("\\\\[ \t]*(?:\r\n?|[\n\x85\u2028\u2029])[ \t]*")
#: A tag at the start of something, in a document that is too large to be composed or is none.
_TAG: Final = re.compile(r"(?<![A-Za-z0-9_.)])!(?:[^\s!=]|!\S)|%TAG")
_PYTHON: Final = re.compile(
    r"!!?python\b|tag:yaml\.org,2002:py|!<[^>\s]*python|%TAG|![^\s\[\]{}!%]{0,200}%[0-9A-Fa-f]{2}"
)


def check_yaml(source: ByteSource) -> tuple[Issue, ...]:
    """Text that is YAML: tags by which unsafe loaders build objects, keys by which frameworks import."""
    if source.size > MAX_YAML:
        message = f"The file is larger than the {MAX_YAML >> 20} MiB of YAML that are read."
        return (Issue("json:budget", Verdict.UNKNOWN, message),)
    found = check_text(source)
    if found:
        return found  # UTF-16 among it
    text = source.read_at(0, source.size).decode("utf-8")
    return judge_yaml(text)


def judge_yaml(text: str) -> tuple[Issue, ...]:
    """What a text makes loaders of YAML build or call."""
    plain = written_out(text)
    tags, names = "!" in text, _TARGET in plain or any(key in plain for key in _CALLED)
    issues = Issues()
    if _decodes(plain):
        message = "It computes settings from texts, which may hold names for the loader to import and call."
        issues.add(Issue("config:target", Verdict.UNKNOWN, message, subject="oc.decode"))
    if not tags and not names:
        return issues.frozen()
    if len(text) > MAX_COMPOSED:
        if _TAG.search(text) or _TARGET in plain:
            message = f"The document has tags or targets and is larger than {MAX_COMPOSED >> 20} MiB."
            issues.add(Issue("json:budget", Verdict.UNKNOWN, message))
        return issues.frozen()
    # What ends a line for one reader is a character for another one: both are asked.
    readings = [text, _EXOTIC.sub(" ", text)] if _EXOTIC.search(text, 1) else [text]
    for reading in readings:
        try:
            for node in nodes_of(reading):
                _judge(node, issues)
        except Unread:
            _unread(text, plain, issues)
    return issues.frozen()


def _decodes(text: str) -> bool:
    """Whether settings are computed by a resolver that makes more of texts, or by one whose name is put together."""
    if "${" not in text:
        return False
    opened: list[list[int]] = []  # start of each brace (-1 for a plain one), and what its name holds so far
    for found in _INTERPOLATED.finditer(text):
        mark = found.group()
        if mark == "${":
            if opened and opened[-1][0] >= 0:
                opened[-1][1] |= 1
            opened.append([found.end(), 0])
        elif mark == "{":
            opened.append([-1, 2])
        elif mark == "}":
            if opened:
                opened.pop()
        elif opened and opened[-1][0] >= 0 and not opened[-1][1] & 2:
            start, parts = opened[-1]
            head = text[start : found.start()].strip()
            if len(head) < _LONGEST_HEAD and (parts & 1 or head in _DECODERS):
                return True
            opened[-1][1] |= 2
    return False


class Unread(Exception):
    """It is no YAML, or lies too deep, or is too much. Never leaves `formats`."""


def written_out(text: str) -> str:
    """The text with all that may be an escape written out, and continued lines joined."""
    if "\\" not in text:
        return text
    joined = _CONTINUED.sub("", text)
    joined = _SPACES.sub(" ", joined)
    return _ESCAPES.sub(lambda m: _character(m.group(1) or m.group(2) or m.group(3)), joined)


def _character(digits: str) -> str:
    value = int(digits, 16)
    return chr(value) if 0x20 < value < 0x7F else " "


def nodes_of(text: str) -> Iterator[Node]:
    """Every node of all documents once, outermost first.

    Raises:
        Unread: it cannot be composed.
    """
    # No other format needs a parser of YAML.
    import yaml
    from yaml.composer import Composer
    from yaml.resolver import Resolver

    class Replay(Composer, Resolver):
        """Composes what was parsed, once it is known how deep it lies."""

        def __init__(self) -> None:
            Composer.__init__(self)
            Resolver.__init__(self)
            self.at = 0

        def peek_event(self) -> yaml.Event:
            return events[self.at]

        def check_event(self, *kinds: type[yaml.Event]) -> bool:
            return not kinds or isinstance(events[self.at], kinds)

        def get_event(self) -> yaml.Event:
            self.at += 1
            return events[self.at - 1]

    events: list[yaml.Event] = []
    todo: list[Node] = []
    try:
        deep = 0
        for event in yaml.parse(text, Loader=yaml.SafeLoader):
            deep += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            events.append(event)
            if deep > MAX_DEPTH or len(events) > MAX_NODES:
                raise Unread
        composer = Replay()
        while composer.check_node():
            found = composer.get_node()
            if found is not None:
                todo.append(found)
        todo.reverse()
    except (yaml.YAMLError, ValueError, IndexError):
        raise Unread from None
    seen: set[int] = set()
    while todo:
        node = todo.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        yield node
        if isinstance(node, yaml.SequenceNode):
            todo.extend(reversed(node.value))
        elif isinstance(node, yaml.MappingNode):
            todo.extend(part for pair in reversed(node.value) for part in reversed(pair))


def _judge(node: Node, issues: Issues) -> None:
    from yaml.nodes import MappingNode, ScalarNode

    tag, at = node.tag, node.start_mark.index
    _judge_tag(tag, at, issues)
    if not isinstance(node, MappingNode):
        return
    keys = {key.value for key, _ in node.value if isinstance(key, ScalarNode)}
    for key, value in node.value:
        if not isinstance(key, ScalarNode) or not isinstance(value, ScalarNode):
            continue
        name = value.value.strip()
        if key.value.strip() == _TARGET or (
            key.value in _CALLED
            and not keys.isdisjoint({"params", "init_args"})
            and _DOTTED.fullmatch(name)
            and harmful(name)
        ):
            _judge_target(name, at, issues)


def _judge_tag(tag: str, at: int, issues: Issues) -> None:
    name = tag.removeprefix(_STANDARD)
    if name.startswith("python") or re.match(r"!python\b", tag) or "yaml.org,2002:python" in name:
        verdict = Verdict.REVIEW if _PAGES.match(name) else Verdict.MALICIOUS
        issues.add(Issue("yaml:tag", verdict, "A tag asks the loader to build Python objects.", at))
    elif name != tag and name not in _STANDARD_TAGS:
        message = f"A tag asks the loader to build an object that plain YAML does not have: {shown(name)}."
        issues.add(Issue("yaml:tag", Verdict.REVIEW, message, at, subject=name))


def _judge_target(name: str, at: int, issues: Issues) -> None:
    if "${" in name:
        message = (
            f"Its _target_ is computed, and names something for the loader to import and call: {shown(name)}."
        )
        issues.add(Issue("config:target", Verdict.UNKNOWN, message, at, subject=name))
    elif name:
        verdict = Verdict.MALICIOUS if harmful(name) else Verdict.REVIEW
        message = f"Its _target_ names something for the loader to import and call: {shown(name)}."
        issues.add(Issue("config:target", verdict, message, at, subject=name))


def _unread(text: str, plain: str, issues: Issues) -> None:
    """A document that is no YAML to one reader may be some to another one."""
    tag = _PYTHON.search(text) or _PYTHON.search(plain)
    if tag is not None:
        pages = all(
            _PAGES.match(text, found.start() + found.group().index("python"))
            for found in _PYTHON.finditer(text)
            if "python" in found.group()
        )
        named = "python" in tag.group()
        verdict = (Verdict.REVIEW if pages else Verdict.MALICIOUS) if named else Verdict.UNKNOWN
        issues.add(Issue("yaml:tag", verdict, "A tag asks the loader to build Python objects.", tag.start()))
    at = plain.find(_TARGET)
    if at >= 0:
        message = "Its _target_ names something for the loader to import and call, in what is no plain YAML."
        issues.add(Issue("config:target", Verdict.UNKNOWN, message, at))
