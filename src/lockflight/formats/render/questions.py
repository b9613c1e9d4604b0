"""Operators and tests: on known values as Jinja has them, on unknown ones as a choice."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from lockflight.formats.render.values import (
    CONTENT,
    MAX_BITS,
    MAX_LIST,
    MAX_TEXT,
    Lost,
    Macro,
    Piece,
    Raised,
    Sym,
    Text,
    Undefined,
    inside,
    joined,
    literal,
    pieces,
    unknown,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from lockflight.formats.jinja.node import Node
    from lockflight.formats.render.runner import Runner

#: What a number is that says how long a text is.
LENGTH: Final = "its length"
#: What a text is of which only marks, or what stands behind or before one, were taken away.
PART: Final = "a part of it"
#: What a text is that may have lost white space, or got some, or marks as entities.
KEPT: Final = "its words"
#: What is still all that somebody says.
WHOLE: Final = frozenset({"", KEPT})
#: How long a text is taken to be that somebody says.
_LONG: Final = 40
#: Choices among more alternatives than this are not followed one by one.
MAX_CHOICES: Final = 12
#: A field of `%`; what was taken is not given back, so that it takes no longer than the text.
_FIELD: Final = re.compile(r"(%%|%[-+ #0]*+\d*+(?:\.\d+)?+[a-z])")
#: Marks: `<|im_start|>`, `</s>`, `[/INST]`, `<function=name>`, `/think`; at most four words in one.
MARKS: Final = re.compile(
    r"<[|/\uff5c]?[\w.:=\u2581-]{1,40}(?:[ \u2581][\w.:=-]{1,20}){0,2}[|/\uff5c]?>"
    r"|&\w{2,6};|\[/?[A-Z_]{2,40}\]|(?<![\w/])/[a-z_]{2,20}\b"
)
WORDS: Final = re.compile(
    r"[A-Za-z\u00aa-\u1fff\u2070-\u209f\u2100-\u218f\u2460-\u24ff\u2800-\u28ff\u2c00-\u2e7f\u3005-\ufe0f\uff10-\U0010ffff]+"
)
#: Marks that make somebody else the speaker.
_TURN: Final = re.compile(r"im_start|turn|inst|role|header|system|user|assistant|developer", re.IGNORECASE)


def is_mark(text: str) -> bool:
    """Whether a text holds marks of a template, and no words beside them, so that nothing said is lost with it."""
    return WORDS.search(MARKS.sub(" ", text)) is None


def is_harmless(text: str) -> bool:
    """Whether a text may be put in place of a mark: it has no words, and gives nobody else the word."""
    return is_mark(text) and _TURN.search(text) is None


def derived(
    sym: Sym,
    *,
    kind: str | None = None,
    changed: str = "",
    carried: str = "",
) -> Sym:
    """A symbol that is made of another one."""
    both = f"{sym.carried} {carried}".strip() if carried else sym.carried
    return Sym(sym.source, sym.kind, kind or sym.type, _change(sym.changed, changed), both)


def _change(before: str, after: str) -> str:
    """The change to tell of two: the first, unless it was none of the words."""
    if before in WHOLE:
        return after or before
    return before if before != PART or after in WHOLE else after


def is_whole(value: object) -> bool:
    """Whether a value is what somebody says as it is, of which it may be asked whether there is anything."""
    return (
        isinstance(value, Sym)
        and value.type in {"text", "any"}
        and value.changed in WHOLE
        and not value.carried
    )


def mixed(value: object, changed: str = "") -> Sym:
    """A symbol for a value whose known and unknown parts cannot be told apart any more."""
    sym = inside(value) or Sym("words", CONTENT)
    if isinstance(value, Sym):
        return derived(sym, kind="text", changed=changed)
    return Sym(sym.source, sym.kind, "text", _change(sym.changed, changed), literal(value))


# -- operators --


def computed(machine: Runner, node: Node, operator: str, left: object, right: object) -> object:
    """The value of `left operator right`."""
    machine.meter.read(left, right)
    if operator == "+" and not (number(left) and number(right)):
        return _added(left, right)
    if operator == "%" and isinstance(left, (str, Text)):
        return filled(left, right if isinstance(right, tuple) else (right,))
    if operator == "*" and isinstance(left, (str, list, tuple, Text)):
        return _repeated(machine, node, left, right)
    if operator == "*" and isinstance(right, (str, list, tuple, Text)):
        return _repeated(machine, node, right, left)
    sym = unknown(left) or unknown(right)
    if sym is not None:
        return derived(sym, kind="number")
    if not (isinstance(left, (int, float)) and isinstance(right, (int, float))):
        raise Raised
    if operator == "**" and not (abs(left) < 1_000 and abs(right) < 100):
        raise Lost("a power")
    if operator == "*" and _bits(left) + _bits(right) > MAX_BITS:
        raise Lost("it computes a very large number")
    try:
        return _ARITHMETIC[operator](left, right)
    except (ArithmeticError, ValueError):
        raise Raised from None


def _bits(value: float) -> int:
    return value.bit_length() if isinstance(value, int) else 0


_ARITHMETIC: Final[dict[str, Callable[[float, float], object]]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": lambda a, b: a / b,
    "//": lambda a, b: a // b,
    "%": lambda a, b: a % b,
    "**": lambda a, b: a**b,
}


def number(value: object) -> bool:
    """Whether a value is a number."""
    return isinstance(value, (int, float)) or (isinstance(value, Sym) and value.type == "number")


def _added(left: object, right: object) -> object:
    if isinstance(left, (list, tuple)) and isinstance(right, (list, tuple)) and type(left) is type(right):
        if len(left) + len(right) > MAX_LIST:
            raise Lost("it builds a very long list")
        return [*left, *right]
    texts = [
        isinstance(x, (str, Text)) or (isinstance(x, Sym) and x.type in {"text", "any"})
        for x in (left, right)
    ]
    if all(texts):
        return joined([*pieces(left), *pieces(right)])
    sym = inside(left) or inside(right)
    if sym is not None and isinstance(left, (list, Sym)) and isinstance(right, (list, Sym)):
        found = [*_listed(left), *_listed(right)]
        if len(found) > MAX_LIST:
            raise Lost("it builds a very long list")
        return found
    raise Raised


def _listed(value: object) -> list[object]:
    return value if isinstance(value, list) else [value]


def _repeated(
    machine: Runner, node: Node, value: str | list[object] | tuple[object, ...] | Text, times: object
) -> object:
    if isinstance(times, Sym):
        count = machine.choose(node, "repeat", times, 0)
    elif isinstance(times, int):
        count = max(0, int(times))
    else:
        raise Raised
    if isinstance(value, Text):
        return joined(value.pieces * min(count, 8))
    if len(value) * count > (MAX_TEXT if isinstance(value, str) else MAX_LIST):
        raise Lost("it builds a very long text or list")
    return value * count


def filled(form: object, values: tuple[object, ...]) -> object:
    """`form % values`, as far as it only puts texts in."""
    return joined(_filled(form, iter(values)))


def _filled(form: object, values: Iterator[object]) -> Iterator[Piece]:
    for piece in pieces(form):
        if isinstance(piece, Sym):
            yield piece
            continue
        for i, part in enumerate(_FIELD.split(piece)):
            if i % 2 == 0:
                if "%" in part:
                    raise Lost("a form with names")
                yield part
            elif part == "%%":
                yield "%"
            else:
                for value in values:
                    yield from _one(part, value)
                    break
                else:
                    raise Raised


def _one(form: str, value: object) -> tuple[Piece, ...]:
    if form == "%s" or unknown(value) is not None:
        return pieces(value)
    if form[-1] in "dioxXeEfFgGc" and isinstance(value, (int, float)) and len(form) < 6:
        try:
            return (form % value,)
        except (ValueError, TypeError, OverflowError):
            raise Raised from None
    raise Lost("a form of numbers")


def compared(machine: Runner, node: Node, operator: str, left: object, right: object) -> bool:
    """Whether `left operator right`."""
    machine.meter.read(left, right)
    if operator in {"in", "not in"}:
        return _within(machine, node, left, right) is (operator == "in")
    sym = inside(left) or inside(right)
    if operator in {"==", "!="}:
        if sym is None:
            same = left == right
        elif isinstance(left, dict) and isinstance(right, dict) and (left is right or _kept(left, right)):
            same = left is right
        elif isinstance(left, (Sym, Text)) and left == right:
            same = True
        elif _differ(left, right) or _differ(right, left):
            same = False
        else:
            empty = (left == "" and is_whole(right)) or (right == "" and is_whole(left))
            both = unknown(left) is not None and unknown(right) is not None
            known = literal(left) + literal(right)
            long = any(isinstance(side, Sym) and side.changed == LENGTH for side in (left, right))
            empty = empty or (long and 0 in (left, right))
            asks = "truth" if empty else SAME if both and not known else "asks"
            same = ask(machine, node, sym, f"== {known}", known, asks=asks)
        return same is (operator == "==")
    if sym is not None:
        known = literal(left) + literal(right)
        if sym.changed == LENGTH:
            one, other = (_LONG if isinstance(side, Sym) else side for side in (left, right))
            empty = (operator, right) in _EMPTY or (_TURNED[operator], left) in _EMPTY
            likely = int(_ordered(operator, one, other))
            return ask(
                machine, node, sym, operator + known, default=likely, asks="truth" if empty else "asks"
            )
        return ask(machine, node, sym, operator + known, known)
    return _ordered(operator, left, right)


#: Questions about a length that ask whether there is anything.
_EMPTY: Final = frozenset({("==", 0), ("!=", 0), (">", 0), (">=", 1), ("<", 1), ("<=", 0)})
_TURNED: Final = {"==": "==", "!=": "!=", ">": "<", ">=": "<=", "<": ">", "<=": ">="}
#: Whether two words of other people are the same, and of which kind a value is.
SAME: Final = "same"
TYPE: Final = "type"


def _kept(left: dict[object, object], right: dict[object, object]) -> bool:
    """Whether both are objects of the conversation, such as messages, which are the same or not."""
    return type(left) is not dict and type(right) is not dict


def _ordered(operator: str, left: object, right: object) -> bool:
    try:
        less, more = left < right, left > right  # type: ignore[operator]
    except TypeError:
        raise Raised from None
    return bool({"<": less, ">": more, "<=": not more, ">=": not less}[operator])


def ask(
    machine: Runner,
    node: Node,
    sym: Sym,
    what: str,
    about: str = "",
    *,
    default: int = 0,
    asks: str = "asks",
) -> bool:
    """The answer to a question about unknown words, whose known part is `about`."""
    return bool(machine.choose(node, asks, sym, default, name=f"{sym.source} {what}", about=about))


def _differ(one: object, other: object) -> bool:
    """Whether a text cannot be the other value, which is none."""
    if isinstance(one, Text) and isinstance(other, str):
        return any(isinstance(piece, str) and piece not in other for piece in one.pieces)
    text = isinstance(one, Text) or (isinstance(one, Sym) and one.type == "text")
    return text and not isinstance(other, (str, Sym, Text))


def _within(machine: Runner, node: Node, item: object, container: object) -> bool:
    if isinstance(container, Undefined):
        return False
    if isinstance(container, dict) and isinstance(item, str):
        found = machine.member(node, container, item)
        return not isinstance(found, Undefined)
    if isinstance(container, (list, tuple, dict)) and item in list(container):
        return True
    sym = unknown(item) or inside(container)
    if sym is not None:
        if isinstance(item, str) and isinstance(container, Text):
            known = "\0".join(piece if isinstance(piece, str) else "\0" for piece in container.pieces)
            if item in known:
                return True
        words = f"{literal(item)} {literal(container)}"
        both = (
            isinstance(item, Sym)
            and item.type in {"text", "any"}
            and not words.strip()
            and _spoken(container)
        )
        return ask(machine, node, sym, f"in {words}", words, asks=SAME if both else "asks")
    if isinstance(container, (list, tuple, dict)):
        return False
    if isinstance(container, str) and isinstance(item, str):
        return item in container
    raise Raised


def _spoken(container: object) -> bool:
    """Whether there is nothing in a list but words of other people."""
    return isinstance(container, (list, tuple)) and all(
        isinstance(part, Sym) and part.type in {"text", "any"} for part in container
    )


# -- tests --


def tested(machine: Runner, node: Node, name: str, value: object, args: list[object]) -> bool:
    """Whether `value is name(args)`."""
    if name in {"defined", "undefined"}:
        return isinstance(value, Undefined) is (name == "undefined")
    if name in _COMPARING:
        if not args:
            raise Raised
        return compared(machine, node, _COMPARING[name], value, args[0])
    if isinstance(value, Sym) and value.type == "any":
        default = int(name in {"string", "iterable", "sequence"})
        return ask(machine, node, value, f"is {name}", default=default, asks=TYPE)
    if name in _TYPES:
        return _TYPES[name](value)
    if name in {"true", "false"}:
        return value is (name == "true")
    if name in {"odd", "even", "divisibleby"}:
        sym = unknown(value)
        if sym is not None:
            return ask(machine, node, sym, name)
        by = args[0] if name == "divisibleby" and args else 2
        if not (isinstance(value, int) and isinstance(by, int) and by):
            raise Raised
        return (value % by == 0) is (name != "odd")
    if name in {"lower", "upper"} and isinstance(value, str):
        return value.islower() if name == "lower" else value.isupper()
    sym = unknown(value)
    if sym is not None:
        return ask(machine, node, sym, f"is {name}")
    raise Lost(f"the test {name}")


def _text(value: object) -> bool:
    return isinstance(value, (str, Text)) or (isinstance(value, Sym) and value.type == "text")


_COMPARING: Final = {
    "eq": "==",
    "equalto": "==",
    "sameas": "==",
    "ne": "!=",
    "ge": ">=",
    "gt": ">",
    "greaterthan": ">",
    "le": "<=",
    "lt": "<",
    "lessthan": "<",
    "in": "in",
}
_TYPES: Final[dict[str, Callable[[object], bool]]] = {
    "none": lambda v: v is None,
    "string": _text,
    "boolean": lambda v: isinstance(v, bool),
    "integer": lambda v: isinstance(v, int) and not isinstance(v, bool),
    "float": lambda v: isinstance(v, float),
    "number": number,
    "mapping": lambda v: isinstance(v, dict),
    "iterable": lambda v: _text(v) or isinstance(v, (list, tuple, dict, Undefined, Sym)),
    "sequence": lambda v: _text(v) or isinstance(v, (list, tuple, dict, Undefined, Sym)),
    "callable": lambda v: isinstance(v, Macro) or type(v).__name__ == "Callee",
}
