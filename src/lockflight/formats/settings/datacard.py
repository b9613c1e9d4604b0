"""The card of a data set: what its front matter makes `datasets.load_dataset` open when it is given the folder."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from lockflight.core.findings import Verdict
from lockflight.formats.report import Issue, Issues, shown
from lockflight.formats.settings.targets import leaves
from lockflight.formats.settings.yamltext import MAX_COMPOSED, Unread, nodes_of, written_out

if TYPE_CHECKING:
    from yaml.nodes import Node

    from lockflight.core.source import ByteSource

_KEYS: Final = frozenset({"data_files", "data_dir"})
_OPEN: Final = re.compile(r"\s*---[\r\n]+")
_CLOSE: Final = re.compile(r"[\r\n]---(?:[\r\n]|\Z)")
_FETCHED: Final = re.compile(r"(?:https?|hf)://[^:]*(?::\d+/[^:]*)?\Z")


def check_card(source: ByteSource) -> tuple[Issue, ...]:
    """Which files and addresses the settings in a card name that do not lie beside it."""
    data = source.read_at(0, MAX_COMPOSED + 1)
    text = data.decode("utf-8", "replace").removeprefix("\ufeff")
    issues = Issues()
    fronts = _fronts(text) if source.name.lower().endswith(".md") else {text}
    if source.size > MAX_COMPOSED and (len(fronts) > 1 or any(len(f) > MAX_COMPOSED // 2 for f in fronts)):
        message = f"The settings in the card are larger than the {MAX_COMPOSED >> 20} MiB that are read."
        issues.add(Issue("json:budget", Verdict.UNKNOWN, message))
    for front in sorted(fronts):
        plain = written_out(front)
        if not any(key in plain for key in _KEYS):
            continue
        try:
            for node in nodes_of(front):
                _judge(node, issues)
        except Unread:
            message = "The card names files of the data set in what is no plain YAML."
            issues.add(Issue("config:path", Verdict.UNKNOWN, message))
    return issues.frozen()


def _fronts(text: str) -> set[str]:
    """What the versions of the library take for the front matter: they do not end lines alike."""
    found = set()
    start = _OPEN.match(text)
    end = _CLOSE.search(text, start.end()) if start is not None else None
    if start is not None and end is not None:
        found.add(text[start.end() : end.start()].rstrip("\r\n"))
    if text.lstrip().startswith("---"):
        lines = text.splitlines()
        if lines[:1] == ["---"]:
            found.add("\n".join(lines[1 : lines.index("---", 1)] if "---" in lines[1:] else lines[1:]))
    return found


def _judge(node: Node, issues: Issues) -> None:
    from yaml.nodes import MappingNode, ScalarNode

    for key, value in node.value if isinstance(node, MappingNode) else ():
        if isinstance(key, ScalarNode) and key.value in _KEYS:
            for path in _texts(value):
                _path(key.value, path, issues)


def _texts(root: Node) -> list[str]:
    """The paths in a value: a text, texts, texts by split, or objects with a path."""
    from yaml.nodes import MappingNode, ScalarNode

    found: list[str] = []
    todo, seen = [root], {id(root)}
    while todo:
        node = todo.pop()
        if isinstance(node, ScalarNode):
            found.append(node.value)
            continue
        parts = [value for _, value in node.value] if isinstance(node, MappingNode) else node.value
        for part in parts:
            if id(part) not in seen:
                seen.add(id(part))
                todo.append(part)
    return found


def _path(key: str, path: str, issues: Issues) -> None:
    if not leaves(path):
        return
    if _FETCHED.match(path) and ".." not in path:
        message = f"Its {key} makes the loader fetch the data from elsewhere: {shown(path)}."
        issues.add(Issue("config:path", Verdict.UNKNOWN, message, subject=path))
    else:
        message = f"Its {key} leads out of the folder of the data set: {shown(path)}."
        issues.add(Issue("config:path", Verdict.MALICIOUS, message, subject=path))
