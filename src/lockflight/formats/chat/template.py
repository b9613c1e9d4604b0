"""Is a chat template only a template? Judged by what it may do, not by what it is known to do wrong.

Loaders render these Jinja templates with the model's conversation, not all of them in a sandbox (CVE-2024-34359,
CVE-2026-5760). Everything that a template uses (statements, functions, filters, tests, methods, variables) has to be
on a list; a name that begins with an underscore, or text from which one could be built where it would be used as a
name, is what every known escape needs. What is left is rendered with conversations whose words are unknown
(`formats.render`), because a template can be a backdoor without any code.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from lockflight.core.findings import Verdict
from lockflight.formats.jinja.lexer import BadTemplate
from lockflight.formats.jinja.node import Node
from lockflight.formats.jinja.parser import parse_template
from lockflight.formats.render import words
from lockflight.formats.render.drift import SPENT, check_drift
from lockflight.formats.render.meter import Meter, Spent
from lockflight.formats.render.talk import KEYS
from lockflight.formats.report import Issue, Issues, shown

if TYPE_CHECKING:
    from collections.abc import Iterator


_DUNDER: Final = re.compile(r"__[A-Za-z]")
_PRIVATE: Final = re.compile(r"_+[A-Za-z]\w*\Z|_+\Z")
_PLAIN_ATTRIBUTE: Final = re.compile(r"[A-Za-z][A-Za-z0-9_]*(\.[A-Za-z0-9][A-Za-z0-9_]*)*\Z")
#: Tag characters and bidirectional overrides: text that a reviewer does not see.
_INVISIBLE: Final = re.compile("[\U000e0000-\U000e007f\u202a-\u202e\u2066-\u2069]")

#: Templates of one file; rendering one takes up to some seconds.
MAX_TEMPLATES: Final = 32
#: Statements that keep what is written in them.
_KEEPS: Final = frozenset({"macro", "setblock", "callblock", "filterblock"})

_MAX_RECURSION = 120
#: Characters of a text that is put together from literals: each is looked at whole where it stands, too.
_MAX_FOLDED = 4_096
#: Attributes of a name that a template can assign to, those of a namespace among them.
_MAX_PATH = 3
_MAX_REPEAT = 10_000


def check_template(text: str, *, heard: bool = True, meter: Meter | None = None) -> tuple[Issue, ...]:
    """What is wrong with a chat template; nothing for one that only formats the conversation.

    Args:
        text: the template.
        heard: render it, too; not asked for where it is only looked for what reaches out of its sandbox.
        meter: what it may cost, shared by the templates of a file; a whole budget where none is given.
    """
    meter = meter or Meter()
    if meter.left < 0:
        return (SPENT,)  # not even read: an earlier one took it all
    try:
        root = parse_template(text)
    except BadTemplate as error:
        message = f"The chat template cannot be judged: {error}, in line {error.line}."
        return (Issue("template:syntax", Verdict.UNKNOWN, message),)
    found = _Judge(root, meter).run()
    # What may do anything is not run, and what is not understood cannot be.
    if heard and all(issue.verdict.rank < Verdict.UNKNOWN.rank for issue in found):
        found += check_drift(root, meter)
        if meter.left >= 0 and any(node.kind in _KEEPS for node in walk(root)):
            # It may compare what it wrote before, to which white space belongs: not all loaders trim it alike.
            root = parse_template(text, trim=False)
            found += tuple(issue for issue in check_drift(root, meter) if issue not in found)
    return found


def walk(root: Node) -> Iterator[Node]:
    """Every node of a tree, parents first."""
    stack = [root]
    while stack:
        node = stack.pop()
        yield node
        stack.extend(reversed(node.children))


class _Judge:
    def __init__(self, root: Node, meter: Meter) -> None:
        self.root = root
        self.meter = meter
        self.issues = Issues()
        self.macros: set[str] = set()
        self.assigned: dict[str, list[Node]] = {}
        self.bound: set[str] = set()
        self.folded: dict[int, str | None] = {}

    def run(self) -> tuple[Issue, ...]:
        try:
            for node in walk(self.root):
                self.meter.step()
                self._declare(node)
            for node in walk(self.root):
                self.meter.step()
                rule = _RULES.get(node.kind)
                if rule is not None:
                    rule(self, node)
        except Spent:
            self.issues.add(SPENT)
        return self.issues.frozen()

    def add(self, rule: str, verdict: Verdict, message: str, node: Node, subject: str = "") -> None:
        """Record an issue with its line."""
        self.issues.add(Issue(f"template:{rule}", verdict, f"{message} (line {node.line}).", subject=subject))

    # -- names --

    def _declare(self, node: Node) -> None:
        if node.kind in {"set", "for"}:
            targets, value = node.children[0], node.children[1]
            self._bind(targets, value)
        elif node.kind == "setblock":
            self._bind(node.children[0], Node("concat"))
        elif node.kind == "macro":
            self.macros.add(node.value)
            self.bound.update(child.value for child in node.children[0].children)

    def _bind(self, targets: Node, value: Node) -> None:
        for target in targets.children if targets.kind == "tuple" else (targets,):
            path = _path(target)
            self.bound.add(path.split(".")[0])
            self.assigned.setdefault(path, []).append(value)
            if value.kind == "call" and value.children[0].value == "namespace":
                for part in value.children[1:]:
                    if part.kind == "keyword":
                        self.assigned.setdefault(f"{path}.{part.value}", []).append(part.children[0])

    def name(self, node: Node) -> None:
        """A variable: known, or defined in the template."""
        name = node.value
        if name in self.bound or name in self.macros or name in words.VARIABLES:
            return
        if name in words.ROOTS or name.startswith("_"):
            self.add(
                "root", Verdict.MALICIOUS, f"The template uses {shown(name)}, where escapes begin", node, name
            )
        else:
            self.add(
                "variable",
                Verdict.REVIEW,
                f"The template uses the unknown variable {shown(name)}",
                node,
                name,
            )

    # -- ways to an attribute --

    def attribute(self, node: Node) -> None:
        """`a.b`."""
        if node.value.startswith("_"):
            self._private(node, node.value)

    def _private(self, node: Node, name: str) -> None:
        self.add(
            "private",
            Verdict.MALICIOUS,
            f"The template reaches for the internals {shown(name)} of an object",
            node,
            name,
        )

    def item(self, node: Node) -> None:
        """`a[b]`: Jinja falls back to the attribute of that name."""
        for index in node.children[1:]:
            if index.kind == "string":
                if _PRIVATE.match(index.value):
                    self._private(node, index.value)
            elif index.kind != "slice" and self.built(index):
                message = "The template uses text that it puts together as the name of an item or attribute"
                self.add("computed-item", Verdict.UNKNOWN, message, node)

    def filter(self, node: Node) -> None:
        """`a | b(c)`."""
        if node.value == "attr":
            self.add(
                "attr",
                Verdict.MALICIOUS,
                "The template uses the filter attr, which reaches any attribute",
                node,
            )
        elif node.value not in words.FILTERS:
            message = f"The template uses the unknown filter {shown(node.value)}"
            self.add("filter", Verdict.UNKNOWN, message, node, node.value)
        elif node.value == "join":
            self.concat(node)
        elif node.value in words.BY_ATTRIBUTE:
            self._by_attribute(node)
        elif node.value in {"select", "reject"} and len(node.children) > 1:
            self._named(node, node.children[1], words.TESTS, "test")

    def _by_attribute(self, node: Node) -> None:
        arguments = node.children[1:]
        if node.value == "map" and arguments and arguments[0].kind != "keyword":
            self._named(node, arguments[0], words.FILTERS - {"map"}, "filter")
            return
        positional = node.value in {"selectattr", "rejectattr", "groupby"}
        for i, argument in enumerate(arguments):
            named = argument.kind == "keyword" and argument.value == "attribute"
            if not named and not (positional and i == 0):
                continue
            name = argument.children[0] if named else argument
            if name.kind != "string" or not _PLAIN_ATTRIBUTE.match(name.value):
                self.add(
                    "attr",
                    Verdict.MALICIOUS,
                    "The template computes the name of an attribute",
                    node,
                    node.value,
                )
            elif node.value == "map" and name.value not in KEYS:
                message = f"The template maps objects to their attribute {shown(name.value)}"
                self.add("map-attribute", Verdict.REVIEW, message, node, name.value)
        if node.value in {"selectattr", "rejectattr"} and len(arguments) > 1:
            self._named(node, arguments[1], words.TESTS, "test")

    def _named(self, node: Node, argument: Node, known: frozenset[str], what: str) -> None:
        if argument.kind != "string" or argument.value not in known:
            name = argument.value if argument.kind == "string" else "computed"
            verdict = Verdict.MALICIOUS if name in {"attr", "computed"} else Verdict.UNKNOWN
            message = f"The template uses the {what} {shown(name)} through {node.value}"
            self.add("named", verdict, message, node, name)

    def test(self, node: Node) -> None:
        """`a is b`."""
        if node.value not in words.TESTS:
            message = f"The template uses the unknown test {shown(node.value)}"
            self.add("test", Verdict.UNKNOWN, message, node, node.value)

    def call(self, node: Node) -> None:
        """`a(b)`."""
        callee = node.children[0]
        if callee.kind == "name":
            known = callee.value in words.FUNCTIONS or callee.value in self.macros
            if not known and callee.value not in words.ROOTS:
                message = f"The template calls the unknown function {shown(callee.value)}"
                self.add("function", Verdict.UNKNOWN, message, node, callee.value)
            elif callee.value == "range":
                self._repeat(node, node.children[1:])
        elif callee.kind == "attr":
            if callee.value == "format":
                self._format(node, callee.children[0])
            elif callee.value not in words.METHODS and not callee.value.startswith("_"):
                message = f"The template calls the unknown method {shown(callee.value)}"
                self.add("method", Verdict.UNKNOWN, message, node, callee.value)
        else:
            self.add("computed-call", Verdict.UNKNOWN, "The template calls something that it computes", node)

    def _format(self, node: Node, text: Node) -> None:
        """`str.format` reaches attributes through its fields."""
        if text.kind == "string" and not re.search(r"\{[^}]*[._\[{]", text.value):
            return
        verdict = Verdict.MALICIOUS if text.kind == "string" else Verdict.UNKNOWN
        self.add("format", verdict, "The template uses str.format, whose fields reach any attribute", node)

    # -- text --

    def string(self, node: Node) -> None:
        """A literal."""
        if _DUNDER.search(node.value):
            self._dunder(node)

    def _dunder(self, node: Node) -> None:
        self.add(
            "dunder",
            Verdict.MALICIOUS,
            "The template holds or builds the name of an object's internals",
            node,
        )

    def concat(self, node: Node) -> None:
        """Text that is put together from literals."""
        text = self.fold(node)
        if text is not None and _DUNDER.search(text):
            self._dunder(node)

    def binary(self, node: Node) -> None:
        """Arithmetic, or text that is put together or repeated."""
        self.concat(node)
        if node.value in {"*", "**"}:
            self._repeat(node, node.children)

    def _repeat(self, node: Node, numbers: tuple[Node, ...]) -> None:
        for number in numbers:
            if number.kind != "number":
                continue
            if not number.value.isdigit() or len(number.value) > 9 or int(number.value) > _MAX_REPEAT:
                self.add("repeat", Verdict.REVIEW, "The template asks for a very long text or loop", node)

    def data(self, node: Node) -> None:
        """Text outside of tags."""
        if _INVISIBLE.search(node.value):
            self.add("invisible", Verdict.REVIEW, "The template holds characters that nobody sees", node)

    # -- values --

    def fold(self, node: Node, depth: int = 0) -> str | None:
        """The text that an expression of literals is, None for any other expression."""
        if depth > _MAX_RECURSION:
            return None
        key = id(node)
        if key not in self.folded:
            self.folded[key] = None  # for a name that is assigned from itself
            text = self._fold(node, depth + 1)
            self.folded[key] = None if text is None else text[:_MAX_FOLDED]
            self.meter.step(1 + (len(text or "") >> 6))
        return self.folded[key]

    def _fold(self, node: Node, depth: int) -> str | None:
        if node.kind in {"string", "number"}:
            return node.value
        if node.kind in {"name", "attr"}:
            values = self.assigned.get(_path(node), ())
            return self.fold(values[0], depth) if len(values) == 1 else None
        if (node.kind == "concat" and node.children) or (node.kind == "binary" and node.value == "+"):
            return self._joined(node.children, "", depth)
        if node.kind == "binary" and node.value == "*" and node.children[1].kind == "number":
            text, times = self.fold(node.children[0], depth), node.children[1].value
            if text is None or not times.isdigit():
                return None
            return text * (min(int(times), 64) if len(times) < 9 else 64)
        if node.kind == "filter" and node.value == "join" and node.children[0].kind in {"list", "tuple"}:
            glue = self.fold(node.children[1], depth) if len(node.children) > 1 else ""
            return None if glue is None else self._joined(node.children[0].children, glue, depth)
        return None

    def _joined(self, parts: tuple[Node, ...], glue: str, depth: int) -> str | None:
        texts = [self.fold(part, depth) for part in parts]
        known = [text for text in texts if text is not None]
        if len(known) < len(texts):
            return None
        self.meter.step(sum(map(len, known)) + len(glue) * len(known) >> 6)
        return glue.join(known)

    def built(self, root: Node) -> bool:
        """Whether an expression may be text that the template puts together, rather than a number or given data."""
        stack = [root]
        seen: set[str] = set()
        while stack:
            node = stack.pop()
            path = _path(node) if node.kind in {"name", "attr"} else ""
            if path in seen:
                continue
            if path:
                seen.add(path)
            parts = self._built_from(node, path)
            self.meter.step(1 + len(parts or ()))
            if parts is None:
                return True
            stack.extend(parts)
        return False

    def _built_from(self, node: Node, path: str) -> list[Node] | None:
        """The parts on which it depends whether a node is built text; None for built text."""
        children = list(node.children)
        if path:
            return list(self.assigned.get(path, ()))
        if node.kind == "string":
            return None if "_" in {node.value[:1], node.value[-1:]} else []
        if node.kind == "binary":
            texts = node.value in {"+", "%", "*"}
            return None if texts and any(child.kind == "string" for child in children) else children
        if node.kind == "filter":
            if node.value in words.NUMBER_FILTERS:
                return []
            return None if node.value in words.TEXT_FILTERS else children
        if node.kind == "call":
            return self._built_by_call(children)
        if node.kind == "item":
            return None if children[0].kind == "string" else children[:1]
        if node.kind in {"attr", "cond", "logic", "list", "tuple", "dict", "keyword", "unary"}:
            return children
        return [] if node.kind in {"number", "const", "compare", "test"} else None

    @staticmethod
    def _built_by_call(children: list[Node]) -> list[Node] | None:
        callee = children[0]
        if callee.kind == "name" and callee.value in {"range", "namespace", "dict"}:
            return children[1:]
        if callee.kind == "attr" and callee.value in words.DATA_METHODS:
            return [*callee.children, *children[1:]]
        return None


def _path(node: Node) -> str:
    """`a.b.c` of a name or its attributes; empty for any other expression, and for more than can be assigned to."""
    parts: list[str] = []
    while node.kind == "attr" and len(parts) < _MAX_PATH:
        parts.append(node.value)
        node = node.children[0]
    return ".".join([node.value, *reversed(parts)]) if node.kind == "name" else ""


_RULES = {
    "name": _Judge.name,
    "attr": _Judge.attribute,
    "item": _Judge.item,
    "filter": _Judge.filter,
    "test": _Judge.test,
    "call": _Judge.call,
    "string": _Judge.string,
    "concat": _Judge.concat,
    "binary": _Judge.binary,
    "data": _Judge.data,
}
