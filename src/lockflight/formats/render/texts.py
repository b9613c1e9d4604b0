"""Indexes, methods and filters of texts: known ones as Jinja has them, unknown ones with what was done to them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from lockflight.formats.render.questions import (
    KEPT,
    LENGTH,
    MAX_CHOICES,
    PART,
    WHOLE,
    ask,
    compared,
    derived,
    filled,
    is_harmless,
    is_mark,
    mixed,
)
from lockflight.formats.render.values import (
    MAX_BITS,
    MAX_LIST,
    MAX_TEXT,
    Loop,
    Lost,
    Macro,
    Namespace,
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
    words,
    written,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lockflight.formats.jinja.node import Node
    from lockflight.formats.render.runner import Runner

#: What leaves the words of a text as they are.
_KEEPING: Final = words(
    """
    trim strip lstrip rstrip string safe e escape forceescape tojson indent items values keys get copy list
    removeprefix removesuffix center ljust rjust zfill dictsort unique sort
    """
)
_SPACING: Final = words(
    "trim strip lstrip rstrip e escape forceescape indent center ljust rjust zfill removeprefix removesuffix"
)
_CUTTING: Final = words("trim strip lstrip rstrip removeprefix removesuffix")
#: What gives a number about a text.
_NUMBERS: Final = words(
    """
    length count int float abs round wordcount find rfind index rindex sum min max
    """
)
#: What asks a text something.
_QUESTIONS: Final = words(
    """
    startswith endswith isdigit isnumeric isalpha isalnum isspace islower isupper isdecimal istitle
    """
)
_SPLITS: Final = frozenset({"split", "rsplit", "splitlines", "partition", "rpartition"})


# -- indexes --


def indexed(machine: Runner, node: Node, owner: object, place: object) -> object:
    """`owner[place]` of a text or list."""
    sym = unknown(place)
    if isinstance(owner, Sym):
        if owner.type == "text":
            return derived(owner, changed="cut")
        return derived(owner, kind="text" if owner.type == "list" else "any")
    if isinstance(owner, Text):
        return mixed(owner, "cut")
    if not isinstance(owner, (str, list, tuple)):
        return Undefined("item")
    if sym is not None:
        machine.meter.read(owner)
        if isinstance(owner, str) or len(owner) > MAX_CHOICES:
            return Sym(sym.source, sym.kind, "text", "looked up", literal(owner))
        return owner[machine.choose(node, "item", sym, 0, len(owner))] if owner else Undefined("item")
    if not isinstance(place, int):
        return Undefined("item")
    if -len(owner) <= place < len(owner):
        return owner[place]
    return machine.turns.beyond(machine, node, owner, place)


def sliced(machine: Runner, node: Node, owner: object, bounds: list[object]) -> object:
    """`owner[start:stop:step]`."""
    sym = next((unknown(bound) for bound in bounds if unknown(bound) is not None), None)
    if isinstance(owner, Sym):
        return derived(owner, changed="" if owner.type == "list" else "cut")
    if isinstance(owner, Text):
        return owner if bounds == [None, None, None] else mixed(owner, "cut")
    if not isinstance(owner, (str, list, tuple)):
        raise Raised
    if sym is not None:
        if isinstance(owner, str):
            return Sym(sym.source, sym.kind, "text", "looked up", owner)
        return owner if machine.choose(node, "slice", sym, 1) else owner[:0]
    known = [bound if isinstance(bound, int) else None for bound in bounds]
    if known[2] == 0:
        raise Raised
    found = owner[slice(*known)]
    return found or machine.turns.behind(machine, node, owner, known[0])


def method(
    machine: Runner, node: Node, owner: object, name: str, args: list[object], named: dict[str, object]
) -> object:
    """`owner.name(args)`."""
    if isinstance(owner, (Undefined, bool, int, float)) or owner is None:
        raise Raised
    if isinstance(owner, Loop) and name == "cycle":
        return args[owner.position % len(args)] if args else ""
    if isinstance(owner, Namespace):
        raise Lost(f"the method {name}")
    if isinstance(owner, dict):
        return _dict_method(machine, node, owner, name, args, named)
    if isinstance(owner, list):
        return _list_method(machine, node, owner, name, args)
    if name == "format":
        machine.meter.read(owner, args, named)
        return joined(_formed(owner, args, named))
    if named:
        raise Lost(f"named arguments of {name}")
    return text_filter(machine, node, name, owner, args)


def _dict_method(
    machine: Runner,
    node: Node,
    owner: dict[object, object],
    name: str,
    args: list[object],
    named: dict[str, object],
) -> object:
    machine.meter.items(len(owner))
    if name == "items":
        return [(key, value) for key, value in owner.items()]  # noqa: C416 - a copy that is a list
    if name in {"keys", "values"}:
        return list(owner if name == "keys" else owner.values())
    if name in {"get", "pop", "setdefault"} and args:
        if unknown(args[0]) is not None:
            found = [*owner.values(), args[1] if len(args) > 1 else None]
            return found[
                machine.choose(node, "item", unknown(args[0]) or mixed(args[0]), len(found) - 1, len(found))
            ]
        got = machine.member(node, owner, args[0])
        return (args[1] if len(args) > 1 else None) if isinstance(got, Undefined) else got
    if name == "copy":
        return dict(owner)
    if name == "update":
        raise Lost("it changes a mapping")  # the sandbox of some loaders refuses it
    del named
    if isinstance(owner.get(name), Macro):
        raise Lost("a macro in a mapping")
    raise Raised


def _list_method(machine: Runner, node: Node, owner: list[object], name: str, args: list[object]) -> object:
    """Lists can be changed only where the sandbox lets them, which differs between loaders: they are, here."""
    if name == "append" and args:
        if len(owner) >= MAX_LIST:
            raise Lost("it builds a very long list")
        owner.append(args[0])
        if machine.control or machine.touched:
            machine.touch(owner)
        return None
    if name == "copy":
        return list(owner)
    if name == "count" and args:
        return sum(compared(machine, node, "==", item, args[0]) for item in owner)
    if name == "index" and args:
        machine.meter.read(owner, args)
        if inside([owner, args]) is not None:
            raise Lost("the place of unknown words in a list")
        if args[0] in owner:
            return owner.index(args[0])
    if name == "pop":
        place = args[0] if args else -1
        if not isinstance(place, int) or not -len(owner) <= place < len(owner):
            raise Raised
        return owner.pop(place)
    if name in {"extend", "insert"}:
        raise Lost(f"the method {name} of a list")
    raise Raised


def text_filter(machine: Runner, node: Node, name: str, value: object, args: list[object]) -> object:
    """Filters and methods that take a text (or any value) and give one."""
    if name not in {"length", "count"} or args:
        machine.meter.read(value, args)
    if name == "tojson":
        return joined(written(value, lambda text: '"' + text.replace('"', '\\"') + '"'))
    if name in {"length", "count"} and not args:
        if isinstance(value, (str, list, tuple, dict)):
            return len(value)
        if isinstance(value, Undefined):
            return 0
        found = _symbol(value)
        plain = isinstance(value, Text) or (
            isinstance(value, Sym) and value.type == "text" and value.changed in WHOLE
        )
        return derived(found, kind="number", changed=LENGTH if plain else "")
    if name in {"int", "float"} and isinstance(value, (str, int, float)):
        try:
            return _whole(value) if name == "int" else float(value)
        except (ValueError, OverflowError):
            return args[0] if args else 0
    if name in {"abs", "round"} and isinstance(value, (int, float)):
        return abs(value) if name == "abs" else round(value)
    sym = inside(value) if not isinstance(value, str) else None
    sym = sym or inside(args)
    if sym is None:
        return _known(machine, name, value, args)
    if name in _NUMBERS:
        return derived(sym, kind="number")
    if name in _QUESTIONS:
        said = f"{literal(value)} {literal(args)}"
        return ask(machine, node, sym, f"{name} {said}", said)
    return _unknown(name, value, args, sym)


def _symbol(value: object) -> Sym:
    sym = inside(value)
    if sym is None:
        raise Raised
    return sym


def _unknown(name: str, value: object, args: list[object], sym: Sym) -> object:
    """A text with unknown words behind a filter or method."""
    if name in _CUTTING and args and literal(args).strip():
        return mixed(value, PART if is_mark(literal(args)) else "cut")
    if name in _KEEPING:
        texts = name in {"string", "trim", "safe", "e", "escape", "forceescape"} and not isinstance(
            value, Sym
        )
        if name in _SPACING and isinstance(value, Sym) and value.type == "text":
            return derived(value, changed=KEPT)
        return joined(pieces(value)) if texts else value
    if name == "format":
        return filled(value, tuple(args))
    if name == "join":
        return joined([part for item in args for part in (*pieces(item), *pieces(value))])
    said = literal(args)
    if name in _SPLITS:
        # A space is no word, and still takes sentences apart.
        found = mixed(value, PART if said.strip() and is_mark(said) else "taken apart")
        return Sym(found.source, found.kind, "list", found.changed, found.carried)
    if name == "replace" and len(args) > 1:
        old, new = literal(args[0]), literal(args[1])
        harmless = is_mark(old) and is_harmless(new) and not inside(args)
        changed = PART if harmless and old.strip() else "" if harmless else "replaced"
        parts: list[Piece] = []
        for piece in pieces(value):
            if isinstance(piece, Sym):
                parts.append(derived(piece, changed=changed, carried="" if is_mark(new) else new))
            else:
                parts.append(_replaced(piece, old, new) if old else piece)
        return joined(parts)
    if name in {"lower", "upper", "title", "capitalize", "casefold", "swapcase"}:
        return joined(
            derived(p, changed="case") if isinstance(p, Sym) else str(getattr(p, name)())
            for p in pieces(value)
        )
    if name in {"reverse", "truncate", "wordwrap", "urlencode", "striptags"}:
        return derived(mixed(value), changed=name)
    del sym
    raise Lost(f"{name} of unknown words")


def _formed(form: object, values: list[object], named: dict[str, object]) -> Iterator[Piece]:
    """`str.format` with plain fields."""
    at = 0
    for piece in pieces(form):
        if isinstance(piece, Sym):
            yield piece
            continue
        for i, part in enumerate(re.split(r"\{(\w*)(?::[ds]?)?\}", piece)):
            if i % 2 == 0:
                if set("{}") & set(part.replace("{{", "").replace("}}", "")):
                    raise Lost("a form with names")
                yield part
                continue
            if part and not part.isdecimal():
                if part not in named:
                    raise Raised
                yield from pieces(named[part])
                continue
            place = int(part) if part else at
            at += not part
            if place >= len(values):
                raise Raised
            yield from pieces(values[place])


#: Methods of texts that filters share, or that only methods are.
_PLAIN: Final = words(
    """
    strip lstrip rstrip split rsplit splitlines startswith endswith lower upper title capitalize replace find
    rfind isdigit isnumeric islower isupper isalpha isalnum isspace partition rpartition removeprefix
    removesuffix zfill ljust rjust center count index
    """
)
_FORMED: Final = frozenset({"title", "upper", "lower", "capitalize", "replace"})


def _known(machine: Runner, name: str, value: object, args: list[object]) -> object:
    """A filter or method of a known text."""
    if name in {
        "string",
        "safe",
        "e",
        "escape",
        "forceescape",
        "indent",
        "wordwrap",
        "striptags",
        "urlencode",
    }:
        return joined(pieces(value))
    if name == "trim":
        return _call(machine, literal(joined(pieces(value))), "strip", args)
    if name == "reverse":
        return value[::-1] if isinstance(value, (str, list, tuple)) else value
    if name in {"items", "list", "keys", "values"} and isinstance(value, Undefined):
        return []
    if name == "format" and isinstance(value, str):
        return filled(value, tuple(args))
    if name == "join" and isinstance(value, str):
        items = args[0] if args else ""
        parts = items if isinstance(items, (list, tuple, str)) else ()
        if not all(isinstance(part, str) for part in parts):
            raise Raised
        return joined(piece for i, part in enumerate(parts) for piece in ([value] if i else []) + [part])
    if name == "truncate" and isinstance(value, str):
        return value
    if name == "wordcount" and isinstance(value, str):
        return len(value.split())
    if name in _PLAIN:
        if isinstance(value, str):
            return _call(machine, value, name, args)
        if name in _FORMED:
            return _call(machine, literal(joined(pieces(value))), name, args)
        raise Raised
    raise Lost(f"{name} of a known value")


def _whole(value: str | float) -> int:
    """A number of a text or number.

    Raises:
        Lost: it is too large to compute with.
        ValueError: it is none; `OverflowError` where it is infinite.
    """
    found = int(value)
    if found.bit_length() > MAX_BITS:
        raise Lost("it computes a very large number")
    return found


def _replaced(text: str, old: str, new: str) -> str:
    """`text.replace(old, new)`, unless that is too long."""
    if len(text) + text.count(old) * (len(new) - len(old)) > MAX_TEXT:
        raise Lost("it builds a very long text")
    return text.replace(old, new)


def _call(machine: Runner, text: str, name: str, args: list[object]) -> object:
    # Each character may be held against each of the argument's.
    sizes = [len(arg) for arg in args if isinstance(arg, (str, list, tuple))]
    machine.meter.step(len(text) * sum(sizes) >> 10)
    if name in {"zfill", "ljust", "rjust", "center"} and not (
        args and isinstance(args[0], int) and args[0] < 10_000
    ):
        raise Lost("it builds a very long text")
    if name == "replace" and len(args) > 1 and isinstance(args[0], str) and isinstance(args[1], str):
        _replaced(text, args[0], args[1])
    if name in _SPLITS:
        glue = args[0] if args and isinstance(args[0], str) else " "
        machine.meter.items(text.count(glue) + 3 if glue.strip() else len(text.split()) + text.count(glue))
    try:
        found: object = getattr(text, name)(*args)
    except (TypeError, ValueError):
        raise Raised from None
    if isinstance(found, str) and len(found) > MAX_TEXT:
        raise Lost("it builds a very long text")
    return found
