"""What a template computes with: known values, and symbols for words that nobody knows before somebody says them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lockflight.core.records import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from lockflight.formats.jinja.node import Node

#: Kinds of symbols: words of a message, what a tool is called, the day, a key that no loader sets, an option.
CONTENT: Final = "content"
TOOL: Final = "tool"
DATE: Final = "date"
FOREIGN: Final = "foreign"
SETTING: Final = "setting"
#: Decided about numbers of turns.
COUNT: Final = "count"

#: Longer texts than this are not built.
MAX_TEXT: Final = 200_000
#: Known and unknown parts of one text.
MAX_PIECES: Final = 20_000
#: Longer lists than this are not built.
MAX_LIST: Final = 10_000
#: Larger numbers than those of so many bits are not computed.
MAX_BITS: Final = 4_096
#: Characters of the template that are mixed into one symbol, and of its name.
MAX_CARRIED: Final = 20_000
_MAX_SOURCE: Final = 500

#: Expressions that make something; others give what is there.
MAKING: Final = frozenset(
    {"item", "call", "filter", "concat", "binary", "unary", "list", "tuple", "dict", "number"}
)


def words(text: str) -> frozenset[str]:
    """The words of a text, for tables."""
    return frozenset(text.split())


class Raised(Exception):
    """The template would end with an error here. Never leaves `formats`."""


class Lost(Exception):
    """The template does what is not followed here; the message says what. Never leaves `formats`."""


@dataclass(frozen=True, slots=True)
class Sym:
    """Something unknown.

    Attributes:
        source: where it comes from, such as `user 0`.
        kind: one of the kinds above.
        type: `text`, `number`, `truth`, `list` or `any`.
        changed: what was done to its words, empty when they are still the same.
        carried: texts of the template that are mixed into it.
    """

    source: str
    kind: str
    type: str = "text"
    changed: str = ""
    carried: str = ""

    def __post_init__(self) -> None:
        if len(self.carried) > MAX_CARRIED or len(self.source) > _MAX_SOURCE:
            raise Lost("it mixes a very long text with what is said")


Piece = str | Sym


@dataclass(frozen=True, slots=True)
class Text:
    """A text with unknown parts."""

    pieces: tuple[Piece, ...]


@dataclass(frozen=True, slots=True)
class Undefined:
    """A variable, attribute or item that is not there."""

    name: str = ""


@dataclass(frozen=True, slots=True)
class Callee:
    """A function of the loader, or a method that is about to be called."""

    name: str
    owner: object = None


class Macro:
    """A macro, or what a call block hands to one."""

    __slots__ = ("body", "node", "scopes")

    def __init__(self, node: Node | None, body: Node, scopes: list[dict[str, tuple[object, bool]]]) -> None:
        self.node = node
        self.body = body
        self.scopes = scopes


class Namespace:
    """What a template stores values in across scopes."""

    __slots__ = ("values",)

    def __init__(self, values: dict[str, tuple[object, bool]]) -> None:
        self.values = values


class Loop:
    """The variable `loop`."""

    __slots__ = ("items", "position")

    def __init__(self, items: list[object]) -> None:
        self.items = items
        self.position = 0

    def get(self, name: str) -> object:
        """One of its attributes."""
        i, n = self.position, len(self.items)
        known: dict[str, object] = {
            "index": i + 1,
            "index0": i,
            "revindex": n - i,
            "revindex0": n - i - 1,
            "first": i == 0,
            "last": i == n - 1,
            "length": n,
            "depth": 1,
            "depth0": 0,
            "previtem": self.items[i - 1] if i else Undefined("previtem"),
            "nextitem": self.items[i + 1] if i + 1 < n else Undefined("nextitem"),
        }
        if name == "cycle":
            return Callee("cycle", self)
        if name not in known:
            raise Lost(f"loop.{name}")
        return known[name]


def unknown(value: object) -> Sym | None:
    """The symbol that a value is, or holds; None for a known value."""
    if isinstance(value, Sym):
        return value
    if isinstance(value, Text):
        found = [piece for piece in value.pieces if isinstance(piece, Sym)]
        return max(found, key=lambda sym: sym.kind != SETTING, default=None)
    return None


def inside(value: object, depth: int = 0) -> Sym | None:
    """As `unknown`, and for containers the first symbol in them."""
    if depth > 6:
        return None
    found = unknown(value)
    if found is not None:
        return found
    parts: Iterable[object] = ()
    if isinstance(value, (list, tuple)):
        parts = value
    elif isinstance(value, dict):
        parts = [*value.keys(), *value.values()]
    for part in parts:
        found = inside(part, depth + 1)
        if found is not None:
            return found
    return None


def pieces(value: object) -> tuple[Piece, ...]:
    """A value as it is written out."""
    if isinstance(value, str):
        return (value,) if value else ()
    if isinstance(value, Sym):
        return (value,)
    if isinstance(value, Text):
        return value.pieces
    if isinstance(value, Undefined):
        return ()
    if isinstance(value, (list, tuple, dict)):
        return written(value, repr)
    if value is None or isinstance(value, (bool, int, float)):
        return (str(value),)
    raise Lost(f"it writes out a {type(value).__name__.lower()}")


def written(value: object, plain: Callable[[str], str], depth: int = 0) -> tuple[Piece, ...]:
    """A value with brackets and quotes, known texts by `plain`."""
    if depth > 12:
        raise Lost("it writes out what lies too deep")
    found: list[Piece] = []
    if isinstance(value, dict):
        found.append("{")
        for i, (key, item) in enumerate(value.items()):
            found += [", "] if i else []
            found += [*written(key, plain, depth + 1), ": ", *written(item, plain, depth + 1)]
        found.append("}")
    elif isinstance(value, (list, tuple)):
        found.append("[")
        for i, item in enumerate(value):
            found += [", "] if i else []
            found += written(item, plain, depth + 1)
        found.append("]")
    elif isinstance(value, str):
        found.append(plain(value))
    else:
        found += pieces(value)
    return tuple(found)


def joined(parts: Iterable[Piece]) -> str | Sym | Text:
    """The shortest value that is written as these pieces.

    Raises:
        Lost: it is too long; found before it is put together.
    """
    merged: list[Piece] = []
    known: list[str] = []
    size = 0
    for part in parts:
        size += len(part if isinstance(part, str) else part.carried)
        if size > MAX_TEXT or len(merged) > MAX_PIECES:
            raise Lost("it builds a very long text")
        if not isinstance(part, str):
            if known:
                merged.append("".join(known))
                known = []
            merged.append(part)
        elif part:
            known.append(part)
    if known:
        merged.append("".join(known))
    if not merged:
        return ""
    if len(merged) == 1:
        (only,) = merged
        if isinstance(only, str) or only.type == "text":
            return only
    return Text(tuple(merged))


def literal(value: object) -> str:
    """The known texts in a value."""
    if isinstance(value, str):
        return value
    if isinstance(value, Text):
        return " ".join(p if isinstance(p, str) else p.carried for p in value.pieces)
    if isinstance(value, Sym):
        return value.carried
    if isinstance(value, (list, tuple)):
        return " ".join(literal(item) for item in value)
    if isinstance(value, dict):
        return " ".join(f"{literal(key)} {literal(item)}" for key, item in value.items())
    return ""
