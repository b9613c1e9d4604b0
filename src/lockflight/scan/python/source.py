"""From hostile bytes to a syntax tree of Python 3, or a reason why not. Nothing is compiled or executed."""

from __future__ import annotations

import ast
import re
import warnings
from dataclasses import field

from lockflight.core.records import dataclass

MAX_BYTES = 2 * 1024 * 1024
#: Separators and operators bound the number of nodes of a tree, and so the memory that it takes.
MAX_OPERATORS = 400_000
#: Magic lines of one notebook cell that are replaced before it counts as no Python.
MAX_MAGICS = 200

_OPERATORS = b"=;,(+-*/[.:@&|<>%^~\n"
_COOKIE = re.compile(rb"^[ \t\f]*#.*?coding[:=][ \t]*([-\w.]+)")
_PLAIN_ENCODINGS = frozenset(
    {b"utf8", b"utf8sig", b"ascii", b"usascii", b"latin1", b"iso88591", b"iso885915", b"cp1252"}
)
_MAGIC = re.compile(
    r"^(?P<indent>\s*)(?:(?P<target>[A-Za-z_][\w., ]*=)\s*)?(?P<magic>[%!?].*|[\w.]+\?{1,2})\s*$"
)
_CELL_MAGIC = re.compile(r"^\s*%%(?P<name>[!\w]+)")
#: Cell magics whose body is another language.
_LANGUAGES = {
    "!": "shell",
    "bash": "shell",
    "cmd": "shell",
    "html": "html",
    "javascript": "javascript",
    "js": "javascript",
    "latex": "latex",
    "markdown": "markdown",
    "perl": "perl",
    "r": "r",
    "ruby": "ruby",
    "script": "shell",
    "sh": "shell",
    "sql": "sql",
    "svg": "html",
    "sx": "shell",
    "system": "shell",
}


class Unreadable(Exception):
    """A source that was not judged.

    Args:
        reason: `syntax` or `budget`.
        line: where, 0 when unknown.
    """

    def __init__(self, reason: str, line: int = 0) -> None:
        super().__init__(reason)
        self.reason = reason
        self.line = line


@dataclass(frozen=True, slots=True)
class ParsedCell:
    """A code cell of a notebook.

    Attributes:
        language: `python`, or the language of its cell magic.
        text: Python with the magics replaced line by line, or the text of the other language.
        tree: the syntax tree; empty for another language.
        shell: lines that go to a shell, with their 1-based numbers.
    """

    language: str
    text: str
    tree: ast.Module
    shell: tuple[tuple[int, str], ...] = field(default=())


def parse_bytes(data: bytes) -> ast.Module:
    """Parse a source file as the interpreter would, its encoding cookie included.

    Raises:
        Unreadable: not Python 3 for the running interpreter, or over budget.
    """
    if len(data) > MAX_BYTES or len(data) - len(data.translate(None, _OPERATORS)) > MAX_OPERATORS:
        raise Unreadable("budget")
    try:
        # Old escapes in strings warn; they are no finding.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(data)
    except (RecursionError, MemoryError):
        raise Unreadable("budget") from None
    except SyntaxError as error:
        raise Unreadable("syntax", error.lineno or 0) from None
    except ValueError:  # NUL bytes, integers of more than 4300 digits
        raise Unreadable("syntax") from None


def odd_encoding(data: bytes) -> bool:
    """Whether an encoding cookie (PEP 263) names an encoding in which readers see other text than Python does."""
    for line in data[:1000].split(b"\n")[:2]:
        match = _COOKIE.match(line)
        if match:
            return match[1].lower().replace(b"-", b"").replace(b"_", b"") not in _PLAIN_ENCODINGS
        if line.strip() and not line.lstrip().startswith(b"#"):
            return False
    return False


def parse_cell(source: str) -> ParsedCell:
    """Parse a code cell, IPython magics included.

    A line is taken for a magic only where the Python parser stops at it, so no line of valid Python, and none inside
    a string, is ever replaced.

    Raises:
        Unreadable: neither Python 3 nor a magic, or over budget.
    """
    text = source
    magic = _CELL_MAGIC.match(source)
    if magic:
        language = _LANGUAGES.get(magic["name"].lower(), "python")
        if language != "python":
            lines = source.split("\n")[1:]
            shell = tuple(enumerate(lines, 2)) if language == "shell" else ()
            return ParsedCell(language, source, ast.Module([], []), shell)
        text = "#" + source
    lines = text.split("\n")
    shell_lines: list[tuple[int, str]] = []
    spent = 0
    for _ in range(MAX_MAGICS):
        text = "\n".join(lines)
        spent += len(text)
        if spent > MAX_BYTES:
            raise Unreadable("budget")
        try:
            return ParsedCell("python", text, parse_bytes(_encoded(text)), tuple(shell_lines))
        except Unreadable as error:
            number = error.line
            found = _MAGIC.match(lines[number - 1]) if 0 < number <= len(lines) else None
            if error.reason != "syntax" or found is None:
                raise
        command = found["magic"]
        if command.startswith(("!", "%sx", "%system")):
            shell_lines.append((number, command))
        lines[number - 1] = f"{found['indent']}{found['target'] or ''}{'None' if found['target'] else 'pass'}"
    raise Unreadable("budget")


def _encoded(text: str) -> bytes:
    try:
        # The mark wins over any cookie in the cell: the notebook is UTF-8.
        return text.encode("utf-8-sig")
    except UnicodeEncodeError:
        raise Unreadable("syntax") from None
