"""The code of TorchScript programs: which operators, functions and classes it can reach.

It is a language of its own: `torch.jit.load` hands it to torch's interpreter, never to Python, and nothing in it is
found but operators, what the archive itself defines, and classes that C++ registered. So no flow has to be followed:
every name that could be an operator is compared with the list, wherever it stands. The text is cut into words as
torch's own lexer does it (torch/csrc/jit/frontend/lexer.h); what torch's printer never writes is refused, so that both
see the same words.
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from lockflight.core.findings import Verdict
from lockflight.core.shape import obj, texts
from lockflight.formats.report import Issue, Issues, shown

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lockflight.core.canonical import JsonObject

#: Bytes of code in all members of an archive.
MAX_CODE: Final = 16 * 1024 * 1024

_WORD: Final = re.compile(
    r"(?P<skip>[ \t\r]+|\#[^\n]*)"
    r"|(?P<end>\n)"
    r"|(?P<name>[A-Za-z_][A-Za-z0-9_]*)"
    r"|(?P<number>(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?j?)"
    r"|(?P<text>\"(?:[^\"\\\n]|\\.)*\")"
    r"|(?P<sign>->|\*\*|//|<<|>>|[-+*/%@&|^~<>=!]=?|[.,:;()\[\]{}])"
)
_STRAY: Final = re.compile(r"\"\"\"|'")
#: Words of Python that the printer of TorchScript never writes, and those that are no names.
_REFUSED: Final = frozenset(
    [
        "import",
        "from",
        "exec",
        "eval",
        "lambda",
        "global",
        "nonlocal",
        "async",
        "await",
        "yield",
        "try",
        "except",
        "finally",
        "open",
        "compile",
    ]
)
_KEYWORDS: Final = frozenset(
    [
        "def",
        "class",
        "return",
        "if",
        "else",
        "elif",
        "for",
        "while",
        "in",
        "not",
        "and",
        "or",
        "is",
        "pass",
        "break",
        "continue",
        "assert",
        "raise",
        "with",
        "as",
        "del",
    ]
)
_STARTS: Final = frozenset({"class", "def", "op_version_set"})
_OPENING: Final = frozenset("([{")
_CLOSING: Final = frozenset(")]}")
_CLASSES: Final = "__torch__.torch.classes."
#: `torch.` leads to operators through these, too.
_ROOMS: Final = frozenset({"nn", "functional", "special", "linalg", "fft", "sparse", "_C", "_VF"})


class TorchTables:
    """What programs of torch may reach.

    Raises:
        KeyError, TypeError, ValueError: the document is no such table.
    """

    def __init__(self, table: JsonObject) -> None:
        self.ops = {space: frozenset(texts(names)) for space, names in obj(table["ops"]).items()}
        self.reaches = {space: frozenset(texts(names)) for space, names in obj(table["reaches"]).items()}
        self.classes = frozenset(texts(table["classes"]))
        self.functions = frozenset(texts(table["functions"]))
        self.targets = frozenset(texts(table["targets"]))
        self.symbols = frozenset(texts(table["symbols"]))
        self.trees = frozenset(texts(table["trees"]))
        #: Operators that are written as methods or behind `torch.`.
        self.methods = self.ops["aten"] | self.ops["prim"]

    def operator(self, space: str, name: str) -> Issue | None:
        """What is wrong with calling an operator."""
        label = shown(f"{space}::{name}", 200)[1:-1]
        harm = self.reaches.get(space, frozenset())
        if name in harm or "*" in harm:
            message = f"The program calls {label}, which reaches files, libraries or other machines."
            return Issue("torch:reaches", Verdict.MALICIOUS, message, subject=label)
        if name in self.ops.get(space, frozenset()):
            return None
        message = f"The program calls {label}, which is not on the list of operators that only compute."
        return Issue("torch:operator", Verdict.UNKNOWN, message, subject=label)


class Script:
    """The code members of one archive, judged together: names that one defines, others use."""

    def __init__(self, tables: TorchTables) -> None:
        self._tables = tables
        self._files: list[tuple[str, list[str]]] = []
        self._declared: set[str] = set()
        self._left = MAX_CODE
        self._cache: dict[str, str] = {}

    def add(self, data: bytes, member: str) -> tuple[Issue, ...]:
        """Read a member; what keeps it from being read."""
        self._left -= len(data)
        if self._left < 0:
            message = f"The code of the archive is longer than the {MAX_CODE >> 20} MiB that are read."
            return (Issue("torch:budget", Verdict.UNKNOWN, message),)
        try:
            words = [self._cache.setdefault(word, word) for word in _words(data.decode("ascii"))]
        except UnicodeDecodeError:
            return (_unread("it is not ASCII"),)
        except _Unread as error:
            return (_unread(str(error)),)
        if next((word for word in words if word != "\n"), "def") not in _STARTS:
            return (_unread("it begins with neither a class nor a function"),)
        self._files.append((member, words))
        self._declared.update(_declared(words))
        return ()

    def judge(self) -> Iterator[tuple[str, tuple[Issue, ...]]]:
        """Each member that was read, with what it reaches."""
        for member, words in self._files:
            issues = Issues()
            try:
                for issue in self._reached(words):
                    issues.add(issue)
            except _Unread as error:
                issues.add(_unread(str(error)))
            yield member, issues.frozen()

    def _reached(self, words: list[str]) -> Iterator[Issue]:
        assigned = {word for word, after in pairwise(words) if after == "="}
        known = self._tables.functions | self._declared | assigned
        at, end = 0, len(words)
        while at < end:
            word = words[at]
            before = words[at - 1] if at else "\n"
            if not _is_name(word):
                at += 1
            elif before == ".":
                yield from self._member(word)
                at += 1
            elif word in _REFUSED:
                raise _Unread(f"it has the word {word!r}, which TorchScript does not write")
            else:
                chain = _chain(words, at)
                after = words[at + 2 * len(chain) - 1] if at + 2 * len(chain) - 1 < end else "\n"
                yield from self._root(chain, words, at, after, known)
                # Members of values are looked at one by one, those of modules and types were.
                at += 2 * len(chain) - 1 if word in {"torch", "ops", "CONSTANTS", "__torch__"} else 1

    def _root(
        self, chain: list[str], words: list[str], at: int, after: str, known: set[str] | frozenset[str]
    ) -> Iterator[Issue]:
        head = chain[0]
        if head == "torch":
            yield from self._torch(chain)
        elif head == "ops":
            if len(chain) != 3:
                raise _Unread("it uses `ops` in a way that TorchScript does not write")
            issue = self._tables.operator(chain[1], chain[2])
            if issue is not None:
                yield issue
        elif head == "__torch__":
            label = ".".join(chain)
            issue = foreign_class(label, self._tables)
            if issue is not None:
                yield issue
        elif head in {"getattr", "hasattr"} and after == "(":
            yield from self._named(words, at)
        elif after == "(" and len(chain) == 1 and head not in known and head not in _KEYWORDS:
            label = shown(head, 200)[1:-1]
            message = f"The program calls {label}, which neither it nor TorchScript defines."
            yield Issue("torch:operator", Verdict.UNKNOWN, message, subject=label)

    def _torch(self, chain: list[str]) -> Iterator[Issue]:
        if len(chain) < 2:
            raise _Unread("it uses `torch` in a way that TorchScript does not write")
        for room in chain[1:-1]:
            if room not in _ROOMS and room not in self._tables.methods:
                yield from self._member(room)
        issue = self._tables.operator("aten", chain[-1])
        if issue is not None:
            yield issue

    def _member(self, name: str) -> Iterator[Issue]:
        """A name behind a dot: an attribute, a method, or an operator that is written as a method."""
        if name in self._tables.methods:
            return
        issue = self._tables.operator("aten", name)
        declared = name in self._declared
        if issue is None or (declared and issue.rule != "torch:reaches"):
            return
        if declared:
            # The archive has something of this name; whether it is meant cannot be told.
            yield Issue(issue.rule, Verdict.REVIEW, issue.message, subject=issue.subject)
        else:
            yield issue

    def _named(self, words: list[str], at: int) -> Iterator[Issue]:
        """`getattr(object, "name")`: the printer's way to write names that are no identifiers."""
        depth = 0
        for i in range(at + 1, len(words)):
            if words[i] == "(":
                depth += 1
            elif words[i] == ")":
                depth -= 1
                if depth == 0:
                    break
            elif words[i][:1] == '"' and depth == 1:
                if "\\" in words[i]:
                    raise _Unread("it has a name with an escape")
                yield from self._member(words[i][1:-1])


def foreign_class(label: str, tables: TorchTables) -> Issue | None:
    """What is wrong with naming a class that C++ registered."""
    if not label.startswith(_CLASSES):
        return None
    name = label.removeprefix(_CLASSES)
    if any(name == listed or name.startswith(listed + ".") for listed in tables.classes):
        return None
    subject = shown(name, 200)[1:-1]
    message = f"The program uses the class {subject} of a library, which is not on the list."
    return Issue("torch:class", Verdict.UNKNOWN, message, subject=subject)


class _Unread(Exception):
    """The code is not as TorchScript writes it; never leaves this module."""


def _unread(why: str) -> Issue:
    return Issue("torch:script", Verdict.UNKNOWN, f"The code of the program cannot be judged: {why}.")


def _words(text: str) -> Iterator[str]:
    """The words of a file; line feeds between statements are words, comments and spaces are not."""
    at = depth = 0
    while at < len(text):
        if _STRAY.match(text, at):
            raise _Unread("it has a string that TorchScript does not write")
        found = _WORD.match(text, at)
        if found is None:
            raise _Unread(f"it has the character {text[at]!a} where none is expected")
        at = found.end()
        word = found.group()
        if word in _OPENING:
            depth += 1
        elif word in _CLOSING:
            depth -= 1
            if depth < 0:
                break
        # Inside brackets a line feed is nothing to torch's lexer.
        if found.lastgroup != "skip" and (word != "\n" or not depth):
            yield word
    if depth:
        raise _Unread("its brackets do not match")


def _is_name(word: str) -> bool:
    return word[:1].isalpha() or word[:1] == "_"


def _chain(words: list[str], at: int) -> list[str]:
    """The names from here on that dots join."""
    chain = [words[at]]
    while at + 2 < len(words) and words[at + 1] == "." and _is_name(words[at + 2]):
        at += 2
        chain.append(words[at])
    return chain


def _declared(words: list[str]) -> Iterator[str]:
    """What a file defines: functions, classes, methods, and attributes of classes."""
    for i, word in enumerate(words):
        before = words[i - 1] if i else "\n"
        after = words[i + 1] if i + 1 < len(words) else "\n"
        if before in {"def", "class"} or (before == "\n" and after == ":" and _is_name(word)):
            yield word
        elif word == "__annotations__" and after == "[" and words[i + 2 : i + 3]:
            yield words[i + 2].strip('"')
