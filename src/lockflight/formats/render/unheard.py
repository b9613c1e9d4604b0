"""What a template says that none of the conversations came to hear.

The machine that runs templates is not Jinja: a condition that it sees another way than Jinja does would hide whatever
stands behind it. So all texts have to be heard in some run, and all questions about what is said have to be asked.
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from lockflight.formats.render.speech import own, phrases
from lockflight.formats.render.values import words

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lockflight.formats.jinja.node import Node
    from lockflight.formats.render.meter import Meter
    from lockflight.formats.render.speech import Pair

#: Words that a text may have beyond those of marks and roles before it has to be heard.
FEW: Final = 2
#: Nodes that no run evaluates as such.
_PASSED: Final = frozenset({"tuple", "body", "keyword", "slice", "const"})
#: What is looked for in a text, and written nowhere.
_NEEDLES: Final = words(
    """
    startswith endswith split rsplit partition rpartition removeprefix removesuffix strip lstrip rstrip replace count
    find rfind index get strftime
    """
)
#: Places in a form where something is put in.
_FIELD: Final = re.compile(r"\{\w*(?::[ds])?\}|%[-+ #0]*+\d*+(?:\.\d+)?+[a-zA-Z%]")
_BY_NAME: Final = frozenset({"selectattr", "rejectattr", "map", "select", "reject", "groupby", "sort"})
_SAID: Final = frozenset({"content", "text", "name"})


class Unheard:
    """Compares a template with what its runs came to."""

    def __init__(self, root: Node, met: set[int], heard: set[Pair], meter: Meter) -> None:
        self.root = root
        self.met = met
        self.heard = heard
        self.meter = meter
        self.bearing = self._bearing()

    def find(self) -> tuple[int, int] | None:
        """Line and number of words of what was not heard; None where nothing was left out."""
        count, line = 0, 0
        todo = [(self.root, False)]
        while todo:
            node, quiet = todo.pop()
            self.meter.step()
            if _raises(node):
                continue
            if node.kind not in _PASSED and id(node) not in self.met:
                size = self._behind(node)
            elif not quiet and node.kind in {"string", "data"}:
                size = self._lost(node.value)
            else:
                size = 0
            if size:
                count, line = count + size, line or node.line
            if id(node) in self.met or node.kind in _PASSED:
                todo += [(child, _quiet(node)) for child in _evaluated(node)]
        return (line, count) if count >= FEW else None

    def _bearing(self) -> set[str]:
        """Names of variables and macros that stand for texts."""
        found: set[str] = set()
        given = [node for node in _walk(self.root) if node.kind in {"set", "setblock", "macro"}]
        for _ in range(4):
            before = len(found)
            for node in given:
                name = node.value if node.kind == "macro" else _target(node.children[0])
                if name not in found and self._size(node, found) >= FEW:
                    found.add(name)
            if len(found) == before:
                break
        return found

    def _size(self, root: Node, bearing: set[str]) -> int:
        size = 0
        todo = [root]
        while todo:
            node = todo.pop()
            self.meter.step()
            if _raises(node):
                continue
            if node.kind in {"string", "data"}:
                size += len(own(node.value))
            elif node.kind in {"name", "attr"} and node.value in bearing and node is not root:
                size += FEW
            todo += _inner(node)[1:] if node.kind in {"set", "setblock", "for"} else _inner(node)
        return size

    def _behind(self, root: Node) -> int:
        """How much is said by, or asked in, what no run came to."""
        size = self._size(root, self.bearing)
        for node in _walk(root):
            self.meter.step()
            if node.kind not in {"compare", "test", "call", "filter", "binary"} or _raises(node):
                continue
            parts = list(_walk(node))
            self.meter.step(len(parts))
            asked = any(part.kind == "string" and own(part.value) for part in parts)
            far = any(part.kind == "number" and part.value not in {"0", "1"} for part in parts)
            said = any(_is_said(part) for part in parts)
            if (asked and node.kind in {"compare", "test", "call"}) or (far and said):
                return max(size, FEW)
        return size

    def _lost(self, text: str) -> int:
        """Words of a text that stand beside each other nowhere in what was heard."""
        size = len(own(text))
        if size < FEW:
            return 0
        lost = 0
        for part in _FIELD.split(text):
            for phrase in phrases(part):
                lost += sum(pair not in self.heard for pair in pairwise(phrase))
        return size if lost else 0


def _walk(root: Node) -> Iterator[Node]:
    stack = [root]
    while stack:
        node = stack.pop()
        yield node
        stack.extend(_inner(node))


def _inner(node: Node) -> tuple[Node, ...]:
    """The parts of a node without the names of items, which are those of keys, and of tests."""
    named = {"item": 1, "filter": 2 * (node.value in _BY_NAME)}.get(node.kind, 0)
    if not named:
        return node.children
    return tuple(
        part
        for i, part in enumerate(node.children)
        if not 0 < i <= named or part.kind not in {"string", "keyword"}
    )


def _raises(node: Node) -> bool:
    """Whether a node ends the rendering, with words that nobody writes out."""
    call = node.children[0] if node.kind == "output" else node
    return (
        call.kind == "call"
        and call.children[0].kind == "name"
        and call.children[0].value == "raise_exception"
    )


def _quiet(node: Node) -> bool:
    """Whether the texts in a node are compared with others, and not written."""
    if node.kind in {"compare", "test"}:
        return True
    if node.kind == "call":
        return node.children[0].value in {*_NEEDLES, "strftime_now"}
    return node.kind == "filter" and node.value in {"selectattr", "rejectattr", "map", "replace", "groupby"}


def _is_said(node: Node) -> bool:
    """Whether a node is what somebody says."""
    if node.kind == "item":
        return any(part.kind == "string" and part.value in _SAID for part in node.children[1:])
    return node.kind == "attr" and node.value in _SAID


def _never(node: Node) -> bool:
    """Whether a condition is the comparison of two constants that differ, as some families switch a text off."""
    return (
        node.kind == "compare"
        and node.value == "=="
        and {part.value.lower() for part in node.children} == {"true", "false"}
        and all(part.kind == "const" for part in node.children)
    )


def _target(node: Node) -> str:
    found = node.children[0] if node.kind == "tuple" and node.children else node
    return found.value


def _evaluated(node: Node) -> tuple[Node, ...]:
    """The parts of a node that a run evaluates where it comes to it."""
    if node.kind in {"set", "for", "macro", "filterblock"}:
        return node.children[1:]
    if node.kind == "if" and _never(node.children[0]):
        return node.children[2:]
    if node.kind == "setblock":
        return node.children[1:2]
    if node.kind == "call" and node.children[0].kind == "attr":
        return (*node.children[0].children, *node.children[1:])
    return node.children
